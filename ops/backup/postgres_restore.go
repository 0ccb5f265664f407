package backup

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"binnacle/config"
	"binnacle/ops"
	"binnacle/ops/command"
)

// Scratch starts the image with a server that nothing can reach but this.
func (e Postgres) Scratch(ctx context.Context, at Place, name string, from Source) (Place, error) {
	made, err := readMade(ctx, from)
	if err != nil {
		return Place{}, err
	}
	image := at.Image
	if at.URL != "" { // the container is the app's, not the server's
		major, _, _ := strings.Cut(made.Version, ".")
		image = "postgres:" + major
	}
	words := []string{
		"--shm-size", "256m", "--env", "POSTGRES_HOST_AUTH_METHOD=trust", "--env", "POSTGRES_USER=" + made.Superuser, "--env", "POSTGRES_DB=postgres",
		image, "postgres", "-c", "fsync=off", "-c", "full_page_writes=off", "-c", "synchronous_commit=off",
	}
	if made.Preload != "" {
		words = append(words, "-c", "shared_preload_libraries="+made.Preload)
	}
	if _, err := at.answer(ctx, "starting a throwaway container", at.throwaway(name, words...), nil); err != nil {
		return Place{}, err
	}
	scratch := at
	scratch.Container, scratch.Image, scratch.URL, scratch.Database = name, image, "", "postgres"
	// The image's first server, which only prepares the data, does not listen on TCP.
	line, err := scratch.postgres(`for i in $(seq 120); do pg_isready -q -h 127.0.0.1 && exit; sleep 1; done; pg_isready -h 127.0.0.1`)
	if err != nil {
		return Place{}, err
	}
	if err := scratch.awaitScratch(ctx, line); err != nil {
		return Place{}, err
	}
	return e.load(ctx, scratch, name, from, made, "--no-tablespaces")
}

// Load restores into a new database, which is made as the present one is, or as
// the dumped one was. Roles that the data needs and the server does not have are
// made without a login; where the present database has another owner than the
// dumped one had, all that is in it becomes the owner's.
func (e Postgres) Load(ctx context.Context, at Place, name string, from Source) (Place, error) {
	archived, err := readMade(ctx, from)
	if err != nil {
		return Place{}, err
	}
	as, err := presentMade(ctx, at)
	absent := errors.Is(err, ops.ErrNotFound)
	if err != nil && !absent {
		return Place{}, err
	}
	if err := Compatible(config.Postgres, archived.Version, as.Version); err != nil {
		return Place{}, err
	}
	if absent {
		as = archived
	}
	options := ""
	if as.Owner != archived.Owner { // another destination's: all is to be its own
		options = `--no-owner --role="$2"`
	}
	as.Roles = archived.Roles
	return e.load(ctx, at, name, from, as, options)
}

// Swap renames both databases in one transaction, which holds new connections off.
// It is not interrupted once it has begun.
func (e Postgres) Swap(ctx context.Context, at, loaded Place, keep string) (bool, error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), swapBound)
	defer cancel()
	line, err := at.postgresServer(loaded.Database, keep)
	if err != nil {
		return false, err
	}
	said, swapping := at.answer(ctx, "swapping the databases", line, strings.NewReader(postgresSwap))
	if swapping == nil {
		return said == "t", nil
	}
	// The answer may be lost, or the server still be at it.
	said, err = at.answer(ctx, "asking what the swap has done", line, strings.NewReader(postgresSwapped))
	switch {
	case err != nil:
		return false, hint(errors.Join(swapping, err), "psql -l tells whether "+keep+" is there: then the restored data is in place already")
	case said == "done kept":
		return true, nil
	case said == "done":
		return false, nil
	}
	return false, hint(explainPostgres(swapping), "the data from before is in its place")
}

// Discard drops a database or removes a throwaway container. The place's own
// database stays, whatever the name.
func (Postgres) Discard(ctx context.Context, at Place, name string) error {
	removed := at.removeScratch(ctx, name)
	line, err := at.postgresServer(name, "")
	if err == nil {
		_, err = at.answer(ctx, "dropping the database "+name, line, strings.NewReader(postgresDrop))
	}
	return errors.Join(removed, explainPostgres(err))
}

// Leftovers lists the databases that were made beside the place's own, and the
// throwaway containers.
func (Postgres) Leftovers(ctx context.Context, at Place) ([]string, error) {
	names, err := at.scratches(ctx)
	if err != nil {
		return nil, err
	}
	line, err := at.postgresServer("", "")
	if err != nil {
		return nil, err
	}
	said, err := at.answer(ctx, "listing the databases", line, strings.NewReader(postgresLeft))
	if err != nil {
		return nil, explainPostgres(err)
	}
	return appendNames(names, said)
}

// Private

// swapBound is how long a swap may take: ten tries of five seconds, and asking
// what became of it.
const swapBound = 3 * time.Minute

// made tells how a database was made: settings.json.
type made struct {
	Version    string   `json:"version"`
	Database   string   `json:"database"`
	Owner      string   `json:"owner"`
	Superuser  string   `json:"superuser"` // who the server was made with
	Preload    string   `json:"preload"`
	Roles      []string `json:"roles"`
	Create     string   `json:"create"`
	Tablespace string   `json:"tablespace"`
	Then       []string `json:"then"`
}

// postgresServer is a psql that is connected beside the databases of a place: the
// variable of is the place's own, name and keep are as given.
func (p Place) postgresServer(name, keep string) (command.Line, error) {
	return p.postgres(`of=$PGDATABASE
export PGDATABASE=template1
exec psql -XAtqw -v ON_ERROR_STOP=1 -v of="$of" -v name="$2" -v keep="$3"`, name, keep)
}

func (Postgres) load(ctx context.Context, at Place, name string, from Source, as made, options string) (Place, error) {
	line, err := at.postgresServer(name, "")
	if err != nil {
		return Place{}, err
	}
	if err := ctx.Err(); err != nil {
		return Place{}, err
	}
	making, cancel := uncut(ctx)
	defer cancel()
	if _, err := at.answer(making, "making the database "+name, line, strings.NewReader(as.script())); err != nil {
		return Place{}, explainPostgres(err)
	}
	loaded := at
	loaded.Database = name
	line, err = loaded.postgres(`exec pg_restore -w --exit-on-error `+options+` -d "$PGDATABASE"`, as.Owner)
	if err != nil {
		return Place{}, err
	}
	if err := at.feed(ctx, "restoring the database", line, from, postgresArchive, nil); err != nil {
		return Place{}, explainPostgres(err)
	}
	line, err = loaded.postgres(`exec psql -XAtqw -v ON_ERROR_STOP=1 -v name="$PGDATABASE"`)
	if err != nil {
		return Place{}, err
	}
	// Without statistics, the first queries would take their time.
	then := "ANALYZE;\n" + strings.Join(append(as.Then, ""), ";\n")
	if _, err := at.answer(ctx, "completing the database", line, strings.NewReader(then)); err != nil {
		return Place{}, explainPostgres(err)
	}
	return loaded, nil
}

// script makes the roles that are missing and an empty database.
func (m made) script() string {
	var b strings.Builder
	for _, role := range m.Roles {
		fmt.Fprintf(&b, "SELECT format('CREATE ROLE %%I NOLOGIN', role) FROM (VALUES (%s)) AS v(role) WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role) \\gexec\n", sqlString(role))
	}
	b.WriteString(m.Create + ";\n" + `ALTER DATABASE :"name" SET "binnacle.of" = :'of';` + "\n")
	if m.Tablespace != "" && m.Tablespace != "pg_default" {
		fmt.Fprintf(&b, "SELECT format('ALTER DATABASE %%I SET TABLESPACE %%I', :'name', spcname) FROM pg_tablespace WHERE spcname = %s \\gexec\n", sqlString(m.Tablespace))
	}
	return b.String()
}

// presentMade tells how the place's database was made; ops.ErrNotFound, with the
// version alone, when it is not there.
func presentMade(ctx context.Context, at Place) (made, error) {
	line, err := at.postgres(`psql -XAtqw -v ON_ERROR_STOP=1`)
	if err != nil {
		return made{}, err
	}
	said, err := at.answer(ctx, "reading how the database was made", line, strings.NewReader(postgresMade))
	if noSuchDatabase(err) {
		facts, err := postgresVersion(ctx, at)
		return made{Version: facts.Version}, err
	}
	if err != nil {
		return made{}, explainPostgres(err)
	}
	return parseMade([]byte(said))
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

func noSuchDatabase(err error) bool {
	said := output(err)
	return strings.Contains(said, "FATAL:  database") && strings.Contains(said, "does not exist")
}
