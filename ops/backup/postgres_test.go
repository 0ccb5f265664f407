package backup

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"binnacle/config"
	"binnacle/ops"
	"binnacle/ops/command"
)

// scripted is a host that answers what a test says, and keeps what it was sent.
type scripted struct {
	ops.Remote
	sent   []string // what each line ends with, and its standard input
	answer func(sent string) (string, error)
}

func (s *scripted) Stream(_ context.Context, line command.Line, stdin io.Reader, stdout io.Writer) error {
	shell := line.Shell()
	sent := strings.Trim(shell[strings.LastIndexByte(shell, '\n')+1:], "\n")
	if stdin != nil {
		text, err := io.ReadAll(stdin)
		if err != nil {
			return err
		}
		sent += "\n" + string(text)
	}
	s.sent = append(s.sent, sent)
	if s.answer == nil {
		return nil
	}
	said, err := s.answer(sent)
	if stdout != nil {
		_, _ = io.WriteString(stdout, said)
	}
	return err
}

// at is the index of the first thing sent that contains a text; -1 for none.
func (s *scripted) at(text string) int {
	return slices.IndexFunc(s.sent, func(sent string) bool { return strings.Contains(sent, text) })
}

func (s *scripted) place(told *[]string) Place {
	return Place{
		Backup: config.Backup{Name: "db", Engine: config.Postgres, Host: "vm1"}, Remote: s, Container: "shop-db", Image: "postgres:16",
		Tell: func(stream ops.Stream, text string) {
			if stream == ops.Stderr && told != nil {
				*told = append(*told, text)
			}
		},
	}
}

// inMemory is a backup.
type inMemory map[string]string

func (m inMemory) Open(_ context.Context, part string) (io.ReadCloser, error) {
	return io.NopCloser(bytes.NewReader([]byte(m[part]))), nil
}

const plainSettings = `{"version":"16.4","owner":"app","superuser":"postgres","preload":null,"roles":["app","postgres"],"granted":["app"],"owners":["app"],
"create":"CREATE DATABASE :\"name\"","tablespace":"pg_default","comment":null,"then":["ALTER DATABASE :\"name\" CONNECTION LIMIT 5"]}`

func TestPostgresLoadsWithTimescale(t *testing.T) {
	timescale := strings.Replace(plainSettings, `"roles"`, `"timescaledb":"2.14.2","roles"`, 1)
	for _, settings := range []string{plainSettings, timescale} {
		host := &scripted{}
		host.answer = func(sent string) (string, error) {
			if strings.Contains(sent, "'preload'") {
				return plainSettings, nil // the present database is empty
			}
			return "", nil
		}
		backup := inMemory{postgresSettings: settings, postgresArchive: "archive"}
		if _, err := (Postgres{}).Load(t.Context(), host.place(nil), "binnacle_restore_1", backup); err != nil {
			t.Fatal(err)
		}
		made, before, restored, after := host.at("CREATE DATABASE"), host.at("timescaledb_pre_restore()"), host.at("exec pg_restore"), host.at("timescaledb_post_restore()")
		if settings == plainSettings {
			// The question whether it is there names it all the same.
			if before >= 0 || after >= 0 || host.at("CREATE EXTENSION") >= 0 {
				t.Errorf("sends %q", host.sent)
			}
			continue
		}
		if made < 0 || before <= made || restored <= before || after <= restored {
			t.Errorf("sends %q", host.sent)
		}
		if !strings.Contains(host.sent[before], "CREATE EXTENSION IF NOT EXISTS timescaledb VERSION '2.14.2';\n") {
			t.Errorf("prepares with %s", host.sent[before])
		}
		if post := host.sent[after]; strings.Index(post, "timescaledb_post_restore()") > strings.Index(post, "ANALYZE") {
			t.Errorf("completes with %s", post)
		}
	}
}

func TestPostgresThrowawayServers(t *testing.T) {
	preloaded := strings.Replace(plainSettings, `"preload":null`, `"preload":"auto_explain"`, 1)
	timescale := strings.Replace(plainSettings, `"roles"`, `"timescaledb":"2.14.2","roles"`, 1)
	for _, c := range []struct{ image, url, settings, has, hasNot string }{
		{"postgres:16", "", preloaded, "--env POSTGRES_USER=postgres --env POSTGRES_DB=postgres postgres:16 postgres -c fsync=off -c full_page_writes=off -c synchronous_commit=off -c shared_preload_libraries=auto_explain", "ALLOW"},
		{"postgres:16", "", plainSettings, "postgres:16 postgres -c", "preload"},
		{"myapp:1", "DATABASE_URL", preloaded, "postgres:16 postgres -c", "preload"},
		{"timescale/timescaledb:2.14.2-pg16", "", timescale, "-c shared_preload_libraries=timescaledb", "ALLOW"},
		{"myapp:1", "DATABASE_URL", timescale, "timescale/timescaledb:2.14.2-pg16 postgres -c", "myapp"},
		{"bitnami/postgresql:16", "", plainSettings, "--env ALLOW_EMPTY_PASSWORD=yes bitnami/postgresql:16 /opt/bitnami/scripts/postgresql/run.sh -c fsync=off", "POSTGRES_"},
	} {
		host := &scripted{}
		at := host.place(nil)
		at.Image, at.URL = c.image, c.url
		scratch, err := (Postgres{}).Scratch(t.Context(), at, "binnacle_drill_1", inMemory{postgresSettings: c.settings})
		if err != nil || scratch.URL != "" || scratch.Database != "binnacle_drill_1" {
			t.Fatal(scratch, err)
		}
		if run := host.sent[0]; !strings.Contains(run, c.has) || strings.Contains(run, c.hasNot) {
			t.Errorf("%s %s: %s", c.image, c.url, run)
		}
	}
}

// On some servers, an extension belongs to the provider whoever makes it.
func TestPostgresRestoresWithoutCommentsOnTheExtensionsOfOthers(t *testing.T) {
	host := &scripted{}
	host.answer = func(sent string) (string, error) {
		switch {
		case strings.Contains(sent, "'preload'"):
			return plainSettings, nil
		case strings.Contains(sent, "exec pg_restore") && !strings.Contains(sent, "--no-comments"):
			return "", &ops.ExitError{Host: "vm1", Code: 1, Output: "pg_restore: error: could not execute query: ERROR:  must be owner of extension citext"}
		}
		return "", nil
	}
	var told []string
	if _, err := (Postgres{}).Load(t.Context(), host.place(&told), "binnacle_restore_1", inMemory{postgresSettings: plainSettings}); err != nil {
		t.Fatal(err)
	}
	failed, dropped, again := host.at("exec pg_restore"), host.at("DROP DATABASE"), host.at("--no-comments")
	if failed < 0 || dropped <= failed || again <= dropped || !strings.Contains(host.sent[again-1], "CREATE DATABASE") {
		t.Errorf("sends %q", host.sent)
	}
	if len(told) != 1 || !strings.Contains(told[0], "without any comments") {
		t.Errorf("tells %q", told)
	}
}

// A session of another role may not be ended by an ordinary one.
func TestPostgresTellsWhySwapsFail(t *testing.T) {
	host := &scripted{}
	host.answer = func(sent string) (string, error) {
		if strings.Contains(sent, "'done kept'") {
			return "not done", nil
		}
		return "", &ops.ExitError{Host: "vm1", Code: 3, Output: `ERROR:  database "shop" is being accessed by other users`}
	}
	at := host.place(nil)
	loaded := at
	loaded.Database = "binnacle_restore_1"
	_, err := (Postgres{}).Swap(t.Context(), at, loaded, "binnacle_before_1")
	var problem *ops.Error
	if !errors.As(err, &problem) || !strings.Contains(problem.Hint, "pg_signal_backend") || !strings.Contains(problem.Hint, "the data from before is in its place") {
		t.Errorf("%v", err)
	}
}

func TestPostgresSessionsAreWithoutTimeouts(t *testing.T) {
	host := &scripted{}
	host.answer = func(sent string) (string, error) {
		if strings.Contains(sent, "'preload'") {
			return plainSettings, nil
		}
		return "", nil
	}
	at := host.place(nil)
	loaded := at
	loaded.Database = "binnacle_restore_1"
	e := Postgres{}
	_, _ = e.Look(t.Context(), at)
	_, _ = e.Load(t.Context(), at, loaded.Database, inMemory{postgresSettings: plainSettings})
	_, _ = e.SQL(t.Context(), at, strings.NewReader("SELECT 1"))
	_, _ = e.Swap(t.Context(), at, loaded, "binnacle_before_1")
	_, _ = e.Leftovers(t.Context(), at)
	_ = e.Discard(t.Context(), at, "binnacle_before_1")
	if len(host.sent) < 9 {
		t.Fatalf("sends %q", host.sent)
	}
	for _, sent := range host.sent {
		if strings.Contains(sent, "psql") && !strings.Contains(sent, postgresPatient) {
			t.Errorf("begins as the app's: %s", sent)
		}
	}
}
