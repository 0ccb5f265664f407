package sim

import (
	"bytes"
	"fmt"
	"path"
	"slices"
	"strings"
)

// sqlServer is the database server of a container: a database is a folder below
// its data directory, a table a file with a row on each line.
type sqlServer struct {
	files *fileSystem
	dir   string
	own   string // the database that the app uses
	user  string // the superuser, who is the only role
}

// The files of a database that are no tables.
const (
	ownerFile   = ".of" // the database that its comment says it was made beside
	schemaTable = "schema_migrations"
)

const (
	sqlVersion = "16.9 (Debian 16.9-1.pgdg120+1)"
	sqlDataDir = "/var/lib/postgresql/data"
)

// sqlServer is the server of the process's container, whose data directory is made
// when it is first asked for something.
func (p *process) sqlServer() sqlServer {
	user := orWord(p.env.Get("POSTGRES_USER").Str, "postgres")
	s := sqlServer{files: p.files, dir: path.Join(orWord(p.env.Get("PGDATA").Str, sqlDataDir), "base"), user: user, own: orWord(p.env.Get("POSTGRES_DB").Str, user)}
	if _, err := p.files.stat(s.dir); err != nil {
		s.create("postgres", "template1", s.own)
	}
	return s
}

// refuses tells why nobody is let in; "" when somebody is.
func (s sqlServer) refuses(user, database string) string {
	var problem string
	switch {
	case user != s.user:
		problem = fmt.Sprintf("role %q does not exist", user)
	case !s.has(database):
		problem = fmt.Sprintf("database %q does not exist", database)
	default:
		return ""
	}
	return "error: connection to server on socket \"/var/run/postgresql/.s.PGSQL.5432\" failed: FATAL:  " + problem
}

// databases lists the names.
func (s sqlServer) databases() []string {
	var out []string
	list, err := s.files.readDir(s.dir)
	if err != nil {
		return nil
	}
	for _, n := range list {
		out = append(out, n.Name())
	}
	return out
}

func (s sqlServer) has(database string) bool { return slices.Contains(s.databases(), database) }

// tables lists the tables of a database.
func (s sqlServer) tables(database string) []string {
	list, err := s.files.readDir(path.Join(s.dir, database))
	if err != nil {
		return nil
	}
	var out []string
	for _, n := range list {
		if n.Name() != ownerFile {
			out = append(out, n.Name())
		}
	}
	return out
}

// table is what is in a table. Its file begins with the names of its columns.
func (s sqlServer) table(database, name string) (sqlTable, bool) {
	text, err := s.files.readFile(path.Join(s.dir, database, name))
	if err != nil || name == ownerFile {
		return sqlTable{}, false
	}
	var t sqlTable
	for line := range strings.Lines(string(text)) {
		fields := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if t.columns == nil {
			t.columns = fields
		} else {
			t.rows = append(t.rows, fields)
		}
	}
	return t, true
}

// rows counts those of a table.
func (s sqlServer) rows(database, table string) int {
	text, err := s.files.readFile(path.Join(s.dir, database, table))
	if err != nil {
		return 0
	}
	return max(0, bytes.Count(text, []byte("\n"))-1)
}

// put replaces a table.
func (s sqlServer) put(database, name string, t sqlTable) error {
	var b strings.Builder
	for _, row := range append([][]string{t.columns}, t.rows...) {
		b.WriteString(strings.Join(row, "\t") + "\n")
	}
	return s.write(database, name, []byte(b.String()))
}

// write replaces a table's file.
func (s sqlServer) write(database, table string, content []byte) error {
	if err := s.files.writeFile(path.Join(s.dir, database, table), content, 0o600); err != nil {
		return sqlError(fmt.Sprintf("could not extend file \"base/%d/%d\": %v\nHINT:  Check free disk space.", oid(database), oid(table), err))
	}
	return nil
}

// size is what a database's files take, and a little for the catalogue.
func (s sqlServer) size(database string) int64 {
	size := int64(7 << 20)
	list, _ := s.files.readDir(path.Join(s.dir, database))
	for _, n := range list {
		size += n.Size()
	}
	return size
}

// drop removes a table, or a database where the table is "".
func (s sqlServer) drop(database, table string) error {
	return s.files.remove(path.Join(s.dir, database, table), true)
}

// of is the database that another was made beside.
func (s sqlServer) of(database string) string {
	text, _ := s.files.readFile(path.Join(s.dir, database, ownerFile))
	return string(text)
}

// swap renames old to keep and fresh to old.
func (s sqlServer) swap(old, fresh, keep string) error {
	if s.has(old) {
		if err := s.files.rename(path.Join(s.dir, old), path.Join(s.dir, keep)); err != nil {
			return err
		}
		_ = s.files.writeFile(path.Join(s.dir, keep, ownerFile), []byte(old), 0o600)
	}
	if err := s.files.rename(path.Join(s.dir, fresh), path.Join(s.dir, old)); err != nil {
		return err
	}
	return s.files.remove(path.Join(s.dir, old, ownerFile), false)
}

// Private

func (s sqlServer) create(databases ...string) {
	for _, name := range databases {
		_ = s.files.mkdirAll(path.Join(s.dir, name), 0o700)
	}
}

// seed makes a data directory with what the demo's app would have by now.
func (s sqlServer) seed(database string) {
	s.create("postgres", "template1", database)
	fill := func(table, columns string, rows int, row func(i int64) string) {
		var b strings.Builder
		b.WriteString(strings.ReplaceAll(columns, " ", "\t") + "\n")
		for i := range int64(rows) {
			b.WriteString(row(i+1) + "\n")
		}
		_ = s.write(database, table, []byte(b.String()))
	}
	const seed = 0x5eed
	fill("patients", "id fhir_id born", 1200, func(i int64) string {
		return fmt.Sprintf("%d\tPatient/%s\t19%02d-%02d-%02d", i, requestID(seed, i), dice(seed, i)%80+10, dice(seed, i)%12+1, dice(seed, i)%28+1)
	})
	fill("observations", "id patient_id code value unit", 9000, func(i int64) string {
		return fmt.Sprintf("%d\t%d\t8867-4\t%d.%d\tbeats/minute", i, dice(seed+1, i)%1200+1, 55+dice(seed+2, i)%60, dice(seed+3, i)%10)
	})
	fill("claims", "id patient_id fhir_id status amount", 2600, func(i int64) string {
		return fmt.Sprintf("%d\t%d\t%s\tactive\t%d.%02d", i, dice(seed+4, i)%1200+1, requestID(seed+5, i), 20+dice(seed+6, i)%900, dice(seed+7, i)%100)
	})
	fill("users", "id email", 14, func(i int64) string { return fmt.Sprintf("%d\tuser%d@example.com", i, i) })
	fill(schemaTable, "version", 3, func(i int64) string { return fmt.Sprintf("2026%02d01120000", 6+i) })
}

// Helpers

// oid is the number of what has a name.
func oid(name string) uint64 { return 16384 + seedOf(name)%49152 }

func orWord(word, otherwise string) string {
	if word == "" {
		return otherwise
	}
	return word
}
