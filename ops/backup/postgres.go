package backup

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"binnacle/ops"
	"binnacle/ops/command"
)

// Postgres dumps and restores one database of a PostgreSQL server, version 10 or
// newer, with psql, pg_dump and pg_restore of its container. A backup has the
// parts globals.sql, the server's roles as pg_dumpall writes them, with the hashes
// of their passwords only where the backup is encrypted; settings.json, how the
// database was made; and database.dump, an archive for pg_restore.
type Postgres struct{}

// Look asks the server about the database. One that is not there is
// ops.ErrNotFound, and the version is told all the same.
func (Postgres) Look(ctx context.Context, at Place) (Facts, error) {
	line, err := at.postgres(`psql -XAtqw -v ON_ERROR_STOP=1 || exit
dir=$(psql -XAtqw -c 'SHOW data_directory' 2>/dev/null) && [ -d "$dir" ] && df -Pk "$dir" | tail -n 1
:`)
	if err != nil {
		return Facts{}, err
	}
	said, err := at.answer(ctx, "asking the database", line, strings.NewReader(postgresPatient+"SET lock_timeout = '10min';\n"+postgresFacts))
	if noSuchDatabase(err) {
		return postgresVersion(ctx, at)
	}
	if err != nil {
		return Facts{}, explainPostgres(err)
	}
	facts := Facts{Free: -1, Details: map[string]string{}}
	for text := range strings.Lines(said) {
		if err := facts.learn([]byte(text)); err != nil {
			return facts, err
		}
	}
	sortTables(facts.Tables)
	return facts, nil
}

// Dump holds a session open whose snapshot pg_dump reads too, and counts the
// rows in it meanwhile: the facts are those of the dumped data, exactly.
func (Postgres) Dump(ctx context.Context, at Place, put Put) (Facts, error) {
	ctx, fail := context.WithCancelCause(ctx) // what fails first ends the rest, and tells why
	defer fail(nil)
	held, err := holdPostgres(ctx, at, fail)
	if err != nil {
		return Facts{}, explainPostgres(err)
	}
	failed := dumpPostgres(ctx, at, held.snapshot, put)
	if failed != nil && !strings.Contains(output(failed), "invalid snapshot identifier") { // the session has ended, and tells why
		fail(failed)
	}
	facts := held.end(fail)
	if failed != nil {
		fail(failed)
	}
	if err := context.Cause(ctx); err != nil {
		return Facts{}, explainPostgres(err)
	}
	return facts, nil
}

// Read has pg_restore list the archive.
func (Postgres) Read(ctx context.Context, at Place, from Source) error {
	line, err := at.postgres(`pg_restore --list`)
	if err != nil {
		return err
	}
	var list bounded
	if err := at.feed(ctx, "listing the archive", line, from, postgresArchive, &list); err != nil {
		return explainPostgres(err)
	}
	if !strings.Contains(list.kept.String(), "Archive created at") {
		return &ops.Error{Host: at.Host, Summary: "listing the archive", Command: brief(line), Cause: damage{errors.New("pg_restore lists nothing")}}
	}
	return nil
}

// SQL runs a script in one transaction, under the database's own settings but for
// timeouts: nobody else waits for the copy that it works on.
func (Postgres) SQL(ctx context.Context, at Place, script io.Reader) (string, error) {
	text, err := io.ReadAll(script)
	if err != nil {
		return "", err
	}
	line, err := at.postgres(`psql -XAtqw -F "$(printf '\037')" -v ON_ERROR_STOP=1`)
	if err != nil {
		return "", err
	}
	// The end is sent as well, so that a script which arrives in part changes nothing.
	said, err := at.answer(ctx, "running the script", line, io.MultiReader(strings.NewReader("BEGIN;\n"+postgresPatient), bytes.NewReader(text), strings.NewReader("\n;\nCOMMIT;\n")))
	if err != nil {
		return "", explainPostgres(err)
	}
	return firstCell(said, "\n\037"), nil
}

// Private

const (
	postgresRoles    = "globals.sql"
	postgresSettings = "settings.json"
	postgresArchive  = "database.dump"
)

// postgres is a script run in the place's container with libpq's environment set
// for the place's database. Its arguments are $2 and on.
func (p Place) postgres(script string, args ...string) (command.Line, error) {
	reach := postgresHere
	if p.URL != "" {
		apart, err := p.address()
		if err != nil {
			return command.Line{}, err
		}
		reach = apart + postgresElsewhere
	}
	return p.sh(reach+postgresCommon+script, append([]string{p.Database}, args...)...), nil
}

// heldPostgres is a session whose snapshot others read.
type heldPostgres struct {
	snapshot string
	answers  *bufio.Scanner
	stdin    *io.PipeWriter
	ended    chan struct{}
}

// holdPostgres begins such a session, which counts from then on. It tells fail
// when it ends with an error.
func holdPostgres(ctx context.Context, at Place, fail context.CancelCauseFunc) (*heldPostgres, error) {
	line, err := at.postgres(`exec psql -XAtqw -v ON_ERROR_STOP=1`)
	if err != nil {
		return nil, err
	}
	in, stdin := io.Pipe()
	out, stdout := io.Pipe()
	h := &heldPostgres{answers: bufio.NewScanner(out), stdin: stdin, ended: make(chan struct{})}
	h.answers.Buffer(nil, maxAnswer)
	go func() {
		defer close(h.ended)
		script := strings.NewReader(postgresPatient + postgresSnapshot + postgresFacts + postgresEnd)
		if err := at.stream(ctx, "counting in a snapshot", line, io.MultiReader(script, in), stdout); err != nil {
			fail(err)
		}
		_ = stdout.Close()
		_ = in.Close()
	}()
	var first struct {
		Snapshot string `json:"snapshot"`
	}
	if h.answers.Scan() {
		err = json.Unmarshal(h.answers.Bytes(), &first)
	}
	if h.snapshot = first.Snapshot; h.snapshot == "" {
		fail(cmp.Or(err, errors.New("the server exports no snapshot")))
		h.end(fail)
		return nil, context.Cause(ctx)
	}
	return h, nil
}

// end reads the facts to their end, and ends the session.
func (h *heldPostgres) end(fail context.CancelCauseFunc) Facts {
	facts := Facts{Free: -1, Details: map[string]string{}}
	counted := false
	for h.answers.Scan() { // ends with the session
		if counted = bytes.Contains(h.answers.Bytes(), []byte(postgresCounted)); counted {
			_ = h.stdin.Close()
		} else if err := facts.learn(h.answers.Bytes()); err != nil {
			fail(err)
		}
	}
	_ = h.stdin.Close()
	<-h.ended
	if !counted {
		fail(cmp.Or(h.answers.Err(), errors.New("counting the rows ended early")))
	}
	sortTables(facts.Tables)
	return facts
}

func dumpPostgres(ctx context.Context, at Place, snapshot string, put Put) error {
	// The hashes are shown to superusers alone.
	roles := `hashes=--no-role-passwords
if [ "$2" = encrypted ] && [ "$(psql -XAtqw -c 'SELECT rolsuper FROM pg_roles WHERE rolname = current_user')" = t ]; then hashes=; fi
` + lifeline + `lifeline pg_dumpall -w --globals-only $hashes`
	hashes := "plain"
	if len(at.Encrypt.Recipients) > 0 && at.URL == "" {
		hashes = "encrypted"
	}
	for _, part := range []struct{ name, what, script, arg, stdin string }{
		{postgresRoles, "dumping the roles", roles, hashes, ""},
		{postgresSettings, "reading how the database was made", `psql -XAtqw -v ON_ERROR_STOP=1`, "", postgresPatient + postgresMade},
		{postgresArchive, "dumping the database", lifeline + `lifeline pg_dump -w -Fc -Z0 --lock-wait-timeout=600000 --snapshot="$2"`, snapshot, ""},
	} {
		line, err := at.postgres(part.script, part.arg)
		if err != nil {
			return err
		}
		err = put(part.name, func(w io.Writer) error {
			if part.stdin != "" {
				return at.stream(ctx, part.what, line, strings.NewReader(part.stdin), w)
			}
			return at.attached(ctx, part.what, line, w)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// postgresVersion is what can be told where the database is not there.
func postgresVersion(ctx context.Context, at Place) (Facts, error) {
	line, err := at.postgres(`PGDATABASE=template1 psql -XAtqw -v ON_ERROR_STOP=1`)
	if err != nil {
		return Facts{}, err
	}
	said, err := at.answer(ctx, "asking the server", line, strings.NewReader(postgresPatient+"SHOW server_version;\n"))
	if err != nil {
		return Facts{}, explainPostgres(err)
	}
	missing := &ops.Error{Host: at.Host, Summary: "looking at the database", Cause: fmt.Errorf("there is no such database: %w", ops.ErrNotFound)}
	return Facts{Version: plainVersion(said), Free: -1}, missing
}

// Helpers

// explainPostgres gives failures that many have a hint.
func explainPostgres(err error) error {
	const (
		superuser = "let a superuser restore: url: under backups: of x-binnacle may name another role's address"
		reader    = "the role has to read everything that it backs up: GRANT pg_read_all_data TO the role"
	)
	return explain(err, []failure{
		{": not found", "the image of the container has no PostgreSQL client; add one to it (Debian: postgresql-client), of the server's version or newer"},
		{"server version mismatch", "install the client of the server's version in the image"},
		{"unsupported version", "the archive is of a newer PostgreSQL; restore it on a server of that version"},
		{"password authentication failed", "the server's password is not the one in the container's environment"},
		{"permission denied to create database", "the role needs CREATEDB: ALTER ROLE … CREATEDB"},
		{"permission denied to rename database", "the role needs CREATEDB: ALTER ROLE … CREATEDB"},
		{"must be owner of database", "the role has to own the database, or be a member of the role that does"},
		{"permission denied to create role", "make the role first, as a superuser: globals.sql in the backup tells how"},
		{"permission denied to create extension", superuser},
		{"permission denied to create event trigger", superuser},
		{"must be superuser to create", superuser},
		{"permission denied to change default privileges", superuser},
		{"must be able to SET ROLE", superuser},
		{"must be member of role", superuser},
		{"is being accessed by other users", "sessions that the role may not end are in the database: stop what uses it, or GRANT pg_signal_backend TO the role"},
		{"could not open extension control file", "install the extension in the image of the server"},
		{"has no installation script nor update path for version", "restore on a server with the extension in that version, and update it there"},
		{"query would be affected by row-level security", "the role needs BYPASSRLS to read every row: ALTER ROLE … BYPASSRLS"},
		{"permission denied for table", reader},
		{"permission denied for sequence", reader},
		{"permission denied for schema", reader},
		{"canceling statement due to lock timeout", "somebody holds a lock of a table; try again when that has ended"},
		{"No space left on device", "free some space on the host first"},
	})
}
