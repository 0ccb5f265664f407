package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"binnacle/ops"
	"binnacle/ops/command"
)

// SQLite dumps and restores one database file with the sqlite3 of a container
// that has the file. A backup has the part database.sqlite3 and, where its
// write-ahead log holds what the file does not, database.sqlite3-wal beside it:
// SQLite opens them together.
type SQLite struct{}

// Look opens the database and counts in one transaction. A file that is not
// there is ops.ErrNotFound, and the version is told all the same.
func (e SQLite) Look(ctx context.Context, at Place) (Facts, error) {
	found, err := e.file(ctx, at)
	facts := Facts{Version: found.version, Free: found.free}
	if err != nil {
		return facts, err
	}
	s, err := openSQLite(ctx, at)
	if err != nil {
		return facts, err
	}
	err = s.run("BEGIN;")
	if err == nil {
		facts, err = s.facts()
		facts.Free = found.free
	}
	return facts, s.close(err)
}

// Dump copies the files as they are while a transaction that reads keeps them
// so: see hold.
func (e SQLite) Dump(ctx context.Context, at Place, put Put) (Facts, error) {
	found, err := e.file(ctx, at)
	if err != nil {
		return Facts{}, err
	}
	s, err := openSQLite(ctx, at)
	if err != nil {
		return Facts{}, err
	}
	facts, err := e.dump(s, found, put)
	facts.Free = found.free
	return facts, s.close(err)
}

// Read checks the file's header and size, and every frame of the log up to the
// last that was committed.
func (SQLite) Read(ctx context.Context, _ Place, from Source) error {
	page, err := readPart(ctx, from, sqliteFile, checkSQLite)
	if err != nil {
		return unreadable(err)
	}
	_, err = readPart(ctx, from, sqliteLog, func(r io.Reader) (int, error) { return 0, checkSQLiteLog(r, page) })
	if errors.Is(err, ops.ErrNotFound) {
		return nil
	}
	return unreadable(err)
}

// SQL runs a script in one transaction.
func (e SQLite) SQL(ctx context.Context, at Place, script io.Reader) (string, error) {
	text, err := io.ReadAll(script)
	if err != nil {
		return "", err
	}
	// sqlite3 runs what it got when its stdin ends early, and rolls back at its
	// own end: only a script that has arrived with its COMMIT changes anything.
	said, err := at.answer(ctx, "running the script", at.sqlite(), strings.NewReader(".timeout 60000\nBEGIN;\n"+string(text)+"\n;\nCOMMIT;\n"))
	if err != nil {
		return "", explainSQLite(err)
	}
	if end := strings.IndexAny(said, "\x1e\x1f"); end >= 0 {
		said = said[:end]
	}
	return said, nil
}

// Private

const (
	sqliteFile = "database.sqlite3"
	sqliteLog  = sqliteFile + "-wal"
)

// sqlite is sqlite3 on the database, which it does not make: values apart by
// 0x1f, rows by 0x1e. Its scripts can run what is in the variable index.
func (p Place) sqlite() command.Line {
	return p.sh(`file=$1 index='od -A n -v -t x1 -N 136 "$file-shm"'; export file index
exec sqlite3 -batch -bail -init /dev/null -noheader -ascii "$2"`, p.Database, sqliteURI(p.Database))
}

// sqliteFound is what a container has: its sqlite3 and the file.
type sqliteFound struct {
	version  string
	free     int64 // bytes beside the file; -1 when not known
	writable bool
}

// pauses tells that one sqlite3 can hold the lock of all who write in one
// connection while it reads in another; before 3.37 it has but one connection.
func (f sqliteFound) pauses() bool {
	v := parseVersion(f.version)
	return f.writable && (v.major > 3 || v.major == 3 && v.minor >= 37)
}

// file looks whether the file is there, how much is free beside it and what
// version reads it.
func (SQLite) file(ctx context.Context, at Place) (sqliteFound, error) {
	found := sqliteFound{free: -1}
	said, err := at.answer(ctx, "looking at the database", at.sh(`sqlite3 -version || exit
[ ! -f "$1" ] || echo present
[ ! -w "$1" ] || echo writable
df -Pk "${1%/*}/" | tail -n 1`, at.Database), nil)
	if err != nil {
		return found, explainSQLite(err)
	}
	present := false
	for i, line := range strings.Split(said, "\n") {
		fields := strings.Fields(line)
		switch {
		case i == 0 && len(fields) > 0:
			found.version = fields[0]
		case line == "present":
			present = true
		case line == "writable":
			found.writable = true
		case len(fields) > 3:
			if kib, err := strconv.ParseInt(fields[3], 10, 64); err == nil {
				found.free = kib << 10
			}
		}
	}
	if !present {
		err = &ops.Error{Host: at.Host, Summary: "looking at the database", Cause: fmt.Errorf("there is no file %s in %s: %w", at.Database, at.Container, ops.ErrNotFound)}
	}
	return found, err
}

// dump copies what a session holds.
func (SQLite) dump(s *sqliteSession, found sqliteFound, put Put) (Facts, error) {
	log, err := s.hold(found.pauses())
	if err != nil {
		return Facts{}, err
	}
	facts, err := s.facts()
	if err != nil {
		return facts, err
	}
	at := s.at
	err = put(sqliteFile, func(w io.Writer) error {
		return at.stream(s.ctx, "copying "+at.Database, at.docker("exec", at.Container, "cat", at.Database), nil, w)
	})
	if err != nil {
		return facts, err
	}
	if log > 0 {
		// What others have committed since comes after it.
		line := at.docker("exec", at.Container, "head", "-c", strconv.FormatInt(log, 10), at.Database+"-wal")
		err := put(sqliteLog, func(w io.Writer) error {
			counted := &counting{w: w}
			err := at.stream(s.ctx, "copying "+at.Database+"-wal", line, nil, counted)
			if err == nil && counted.n != log {
				err = &ops.Error{Host: at.Host, Summary: "copying " + at.Database + "-wal", Cause: fmt.Errorf("it has %d bytes, of which %d were committed", counted.n, log)}
			}
			return err
		})
		if err != nil {
			return facts, err
		}
	}
	return facts, s.run("COMMIT;") // it held until now
}

// hold begins a transaction that keeps the files as they are, and says how many
// bytes of the write-ahead log belong to what it sees: what is committed later
// comes after them.
//
// With a rollback journal, a reader's lock keeps everybody from writing the file.
// With a write-ahead log there are two cases. A reader that needs frames of the
// log holds a mark: checkpoints copy frames into the file up to the mark only,
// and the log is not begun anew. The file, however torn, and the log after it
// give a committed state, since each page that a checkpoint writes is in the log
// too. A reader for whom all is in the file ignores the log: no checkpoint writes
// the file while it reads, but the log may be begun anew under the copying, and
// a mix of an old and a new log would spoil a file that is right without it.
//
// Which case it is, and how many frames the reader sees, the log's index tells
// (https://sqlite.org/walformat.html), as it is right before and right after the
// transaction begins. Where others committed in between, the transaction is begun
// once more; after some tries that are in vain, and where that is possible, while
// a second connection keeps others from writing for some milliseconds. A process
// of its own reads the index: closing it in sqlite3's would drop the locks.
func (s *sqliteSession) hold(pauses bool) (log int64, err error) {
	mode, err := s.ask("PRAGMA journal_mode;")
	if err != nil {
		return 0, err
	}
	if len(mode) == 0 || mode[0][0] != "wal" {
		s.at.Tell(ops.Stderr, "The database has no write-ahead log: who writes waits until it is read.")
		return 0, s.run("BEGIN; SELECT count(*) FROM sqlite_master;")
	}
	for try := range sqliteTries {
		paused := pauses && try >= sqliteFreeTries
		if paused && try == sqliteFreeTries {
			if err := s.run(".connection 1\n.open " + quoteArgument(sqliteURI(s.at.Database)) + "\n.timeout 60000\n.connection 0"); err != nil {
				return 0, err
			}
		}
		before, after, err := s.begin(paused)
		if err != nil {
			return 0, err
		}
		switch {
		case !before.valid || !after.valid || before.salt != after.salt || before.frames != after.frames:
		case after.backfilled < after.frames:
			return after.size(), nil
		case before.backfilled == before.frames:
			return 0, nil
		}
		if err := s.run("ROLLBACK;"); err != nil {
			return 0, err
		}
	}
	return 0, &ops.Error{
		Host: s.at.Host, Summary: "reading " + s.at.Database, Cause: fmt.Errorf("it changes too fast: in %d tries the write-ahead log did not stand still", sqliteTries),
		Hint: "try again when the app has less to do, or bring sqlite3 3.37 or newer into the container, as a user who may write the file",
	}
}

const (
	// sqliteTries is how often a transaction is begun: enough where commits come as
	// fast as looks, and others cannot be made to pause.
	sqliteTries = 200
	// sqliteFreeTries are those that disturb nobody.
	sqliteFreeTries = 5
)

// begin begins a transaction that reads, between two looks at the index, and while
// nobody else can commit if they are to pause. It is one script, so that they wait
// neither for the network nor for us.
func (s *sqliteSession) begin(paused bool) (before, after sqliteIndex, err error) {
	script := "SELECT count(*) FROM sqlite_master;\n.output\n.shell eval $index\n.output |cat\nBEGIN;\nSELECT count(*) FROM sqlite_master;\n.output\n.shell eval $index\n.output |cat"
	if paused {
		script = ".connection 1\nBEGIN IMMEDIATE;\n.connection 0\n" + script + "\n.connection 1\nROLLBACK;\n.connection 0"
	}
	rows, err := s.ask(script)
	if err != nil {
		return before, after, err
	}
	// What od prints comes between the values, in lines of its own.
	var looks [][]byte
	for _, text := range hexLines.FindAllString(strings.Join(slices.Concat(rows...), "\n"), -1) {
		looks = append(looks, fromHex(text))
	}
	if len(looks) != 2 {
		return before, after, errors.New("the index of the write-ahead log cannot be read: od is missing in the container, or the file")
	}
	return readSQLiteIndex(looks[0]), readSQLiteIndex(looks[1]), nil
}

// facts are those of the transaction under way.
func (s *sqliteSession) facts() (Facts, error) {
	f := Facts{Free: -1, Details: map[string]string{}}
	rows, err := s.ask(`SELECT sqlite_version(); PRAGMA page_count; PRAGMA page_size; PRAGMA user_version; PRAGMA application_id; PRAGMA journal_mode; PRAGMA encoding;`)
	if err != nil {
		return f, err
	}
	if len(rows) < 7 {
		return f, fmt.Errorf("sqlite3 answers %d of 7 questions", len(rows))
	}
	f.Version = rows[0][0]
	pages, _ := strconv.ParseInt(rows[1][0], 10, 64)
	page, _ := strconv.ParseInt(rows[2][0], 10, 64)
	f.Size = pages * page
	for i, name := range []string{"page_size", "user_version", "application_id", "journal_mode", "encoding"} {
		f.Details[name] = rows[2+i][0]
	}
	// Virtual tables have no root page; what they keep is in tables of their own.
	tables, err := s.ask(`SELECT name FROM sqlite_master WHERE type = 'table' AND rootpage > 0 AND name NOT LIKE 'sqlite\_%' ESCAPE '\';`)
	if err != nil {
		return f, err
	}
	var counts strings.Builder
	for _, row := range tables {
		fmt.Fprintf(&counts, "SELECT count(*) FROM %s;\n", quoteIdentifier(row[0]))
	}
	counted, err := s.ask(counts.String())
	if err != nil {
		return f, err
	}
	if len(counted) != len(tables) {
		return f, fmt.Errorf("sqlite3 counts %d of %d tables", len(counted), len(tables))
	}
	for i, row := range tables {
		n, err := strconv.ParseInt(counted[i][0], 10, 64)
		if err != nil {
			return f, fmt.Errorf("counting %s: %w", row[0], err)
		}
		f.Tables = append(f.Tables, Table{Name: row[0], Rows: n})
		if row[0] == "schema_migrations" {
			schema, err := s.ask(`SELECT max(version) FROM schema_migrations;`)
			if err == nil && len(schema) > 0 {
				f.Schema = schema[0][0]
			}
		}
	}
	sortTables(f.Tables)
	return f, nil
}

// Helpers

// sqliteURI names a file that is there already.
func sqliteURI(path string) string {
	return "file:" + strings.NewReplacer("%", "%25", "?", "%3f", "#", "%23").Replace(path) + "?mode=rw"
}

func quoteIdentifier(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// explainSQLite says what to do about what sqlite3 printed.
func explainSQLite(err error) error {
	return explain(err, []failure{
		{"not found", "the container's image has no sqlite3: add it (Debian: apt-get install sqlite3, Alpine: apk add sqlite)"},
		{"database is locked", "somebody holds the database: try again, or stop the app meanwhile"},
		{"is not a database", "the path names a file that is no SQLite database, or an encrypted one"},
		{"is not running", "start the container, then try again"},
		{"is paused", "docker unpause the container, then try again"},
	})
}
