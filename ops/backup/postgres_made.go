package backup

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
)

// made tells how a database was made: settings.json.
type made struct {
	Version    string   `json:"version"`
	Database   string   `json:"database"`
	Owner      string   `json:"owner"`
	Superuser  string   `json:"superuser"` // who the server was made with
	Preload    string   `json:"preload"`
	Timescale  string   `json:"timescaledb"` // the extension's version, where it is there
	Roles      []string `json:"roles"`
	Granted    []string `json:"granted"` // those of the roles that do more than own
	Owners     []string `json:"owners"`  // of what is in the database
	Create     string   `json:"create"`
	Tablespace string   `json:"tablespace"`
	Comment    string   `json:"comment"`
	Then       []string `json:"then"`

	absent bool // there is no present database
	alone  bool // all that is restored becomes the database's owner's
}

// What the script that makes a database says of the role that runs it.
const (
	saidOthers = "others" // it may not give things to those who owned them
	saidMine   = "mine"   // it may not give the database to its owner
)

// Private

// script makes the roles that are missing and an empty database, which is marked
// before it is given away. It is the role's own where its owner is not to be had.
func (m made) script() string {
	var b strings.Builder
	for _, role := range m.Roles {
		fmt.Fprintf(&b, "SELECT format('CREATE ROLE %%I NOLOGIN', role) FROM (VALUES (%s)) AS v(role) WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role)", sqlString(role))
		if !slices.Contains(m.Granted, role) { // all can be restored without
			b.WriteString(" AND EXISTS (SELECT FROM pg_roles WHERE rolname = current_user AND (rolsuper OR rolcreaterole))")
		}
		b.WriteString(" \\gexec\n")
	}
	b.WriteString(m.Create + ";\n")
	note := "NULL"
	if m.Comment != "" {
		note = sqlString(m.Comment)
	}
	fmt.Fprintf(&b, "SELECT format('COMMENT ON DATABASE %%I IS %%L', :'name', %s || coalesce(E'\\n' || %s, '')) \\gexec\n", postgresMark, note)
	// To be a member is not enough since version 16.
	const may = "pg_has_role(r.oid, CASE WHEN current_setting('server_version_num')::int >= 160000 THEN 'SET' ELSE 'MEMBER' END)"
	owner := ""
	if m.absent {
		owner = " AND " + may
		fmt.Fprintf(&b, "SELECT '"+saidMine+"' WHERE NOT EXISTS (SELECT FROM pg_roles r WHERE rolname = %s%s);\n", sqlString(m.Owner), owner)
	}
	fmt.Fprintf(&b, "SELECT format('ALTER DATABASE %%I OWNER TO %%I', :'name', rolname) FROM pg_roles r WHERE rolname = %s%s \\gexec\n", sqlString(m.Owner), owner)
	if m.Tablespace != "" && m.Tablespace != "pg_default" {
		fmt.Fprintf(&b, "SELECT format('ALTER DATABASE %%I SET TABLESPACE %%I', :'name', spcname) FROM pg_tablespace WHERE spcname = %s AND has_tablespace_privilege(oid, 'CREATE') \\gexec\n", sqlString(m.Tablespace))
	}
	for _, role := range m.Owners {
		fmt.Fprintf(&b, "SELECT '"+saidOthers+"' WHERE NOT EXISTS (SELECT FROM pg_roles r WHERE rolname = %s AND %s);\n", sqlString(role), may)
	}
	return b.String()
}

// before prepares the empty database for what is restored into it.
func (m made) before() string {
	if m.Timescale == "" {
		return ""
	}
	return "CREATE EXTENSION IF NOT EXISTS timescaledb VERSION " + sqlString(m.Timescale) + ";\nSELECT count(timescaledb_pre_restore()) \\gset ignored_\n"
}

// after completes the database of that name. Without statistics, the first queries
// would take their time. It says which settings the role may not make: a superuser
// has made them.
func (m made) after(name string) string {
	var b strings.Builder
	if m.Timescale != "" {
		b.WriteString("SELECT count(timescaledb_post_restore()) \\gset ignored_\n")
	}
	b.WriteString("ANALYZE;\n")
	for _, statement := range m.Then {
		statement = strings.Replace(statement, `:"name"`, `"`+strings.ReplaceAll(name, `"`, `""`)+`"`, 1)
		b.WriteString("DO " + sqlString("BEGIN EXECUTE "+sqlString(statement)+`;
EXCEPTION WHEN insufficient_privilege THEN PERFORM set_config('binnacle.undone', concat_ws(', ', nullif(current_setting('binnacle.undone', true), ''), sqlerrm), false);
END`) + ";\n")
	}
	if len(m.Then) > 0 {
		b.WriteString("SELECT undone FROM current_setting('binnacle.undone', true) AS undone WHERE undone <> '';\n")
	}
	return b.String()
}

func readMade(ctx context.Context, from Source) (made, error) {
	text, err := readPart(ctx, from, postgresSettings, io.ReadAll)
	if err != nil {
		return made{}, err
	}
	return parseMade(text)
}

func parseMade(text []byte) (made, error) {
	var m made
	if err := json.Unmarshal(text, &m); err != nil {
		return m, fmt.Errorf("%s: %w", postgresSettings, err)
	}
	m.Version = plainVersion(m.Version)
	return m, nil
}

// Helpers

// sqlString quotes a string for a server whose strings take backslashes as they are.
func sqlString(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }
