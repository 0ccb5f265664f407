//go:build e2e

package backup_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"binnacle/config"
	"binnacle/ops"
	"binnacle/ops/backup"
	"binnacle/ops/command"
)

// inHere is this machine as a container: `docker exec` runs its words at once,
// so that hundreds of dumps take seconds.
type inHere struct{ onHere }

func (h inHere) Stream(ctx context.Context, line command.Line, stdin io.Reader, stdout io.Writer) error {
	run := `docker() { case $1 in ps) return ;; esac; shift; [ "$1" != -i ] || shift; shift; "$@"; }; docker `
	words := strings.TrimPrefix(line.Shell(), "docker ")
	return h.onHere.Stream(ctx, command.New("sh", "-c", command.Quote(run+words)), stdin, stdout)
}

// sqliteHere is a database in a folder of this machine.
func sqliteHere(t *testing.T, name string) *server {
	t.Helper()
	if _, err := exec.LookPath("sqlite3"); err != nil && os.Getenv("CI") == "" {
		t.Skip(err)
	}
	return &server{t: t, engine: backup.SQLite{}, Place: backup.Place{
		Backup: config.Backup{Name: "app", Engine: config.SQLite, Host: "here", Database: filepath.Join(t.TempDir(), name)},
		Remote: inHere{}, Container: "here", Tell: func(ops.Stream, string) {},
	}}
}

func (s *server) sqlite(at backup.Place, script string) string {
	s.t.Helper()
	cmd := exec.Command("sqlite3", "-batch", "-bail", at.Database)
	if s.Image != "" {
		cmd = exec.Command("docker", "exec", "-i", at.Container, "sqlite3", "-batch", "-bail", at.Database)
	}
	cmd.Stdin = strings.NewReader(".timeout 60000\n" + script)
	out, err := cmd.CombinedOutput()
	if err != nil {
		s.t.Fatalf("%v: %s", err, out)
	}
	return strings.TrimSpace(string(out))
}

// everyRow is all that a database holds, in whatever order.
func (s *server) everyRow() string {
	lines := strings.Split(s.sqlite(s.Place, ".dump"), "\n")
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

const accounts = `CREATE TABLE accounts (id INTEGER PRIMARY KEY, balance INTEGER NOT NULL, note TEXT);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000) INSERT INTO accounts SELECT i, 1000, hex(randomblob(150)) FROM n;
CREATE INDEX by_balance ON accounts (balance, note);
CREATE TABLE "odd ""table" (a TEXT PRIMARY KEY, b BLOB) WITHOUT ROWID;
INSERT INTO "odd ""table" VALUES ('x', x'0001'), ('y' || char(30) || char(31), NULL);
CREATE VIRTUAL TABLE search USING fts5 (text);
INSERT INTO search VALUES ('hello world');
CREATE TABLE schema_migrations (version TEXT PRIMARY KEY);
INSERT INTO schema_migrations VALUES ('20260101000000'), ('20261123081500');
`

// transfers moves money between accounts until it is stopped, with rests; the sum
// stays.
func (s *server) transfers(rest time.Duration, between ...string) (stop func()) {
	ctx, cancel := context.WithCancel(s.t.Context())
	var all sync.WaitGroup
	for i := range 3 {
		cmd := exec.CommandContext(ctx, "sqlite3", "-batch", s.Database)
		in, err := cmd.StdinPipe()
		if err != nil {
			s.t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			s.t.Fatal(err)
		}
		all.Go(func() {
			fmt.Fprintln(in, ".timeout 20000")
			for n := 0; ctx.Err() == nil; n++ {
				amount, from, to := rand.IntN(50), rand.IntN(3000)+1, rand.IntN(3000)+1
				fmt.Fprintf(in, "BEGIN IMMEDIATE;UPDATE accounts SET balance=balance-%d, note=hex(randomblob(%d)) WHERE id=%d;UPDATE accounts SET balance=balance+%d WHERE id=%d;", amount, rand.IntN(300), from, amount, to)
				if n%7 == 0 { // a transaction that spills and is undone
					fmt.Fprint(in, "UPDATE accounts SET balance=0;ROLLBACK;")
				} else {
					fmt.Fprint(in, "COMMIT;")
				}
				fmt.Fprintln(in)
				if i < len(between) && n%11 == 0 {
					fmt.Fprintln(in, between[i])
				}
				if i == 2 || rest > 0 {
					time.Sleep(rest + time.Duration(rand.IntN(20))*time.Millisecond)
				}
			}
			_ = in.Close()
			_ = cmd.Wait()
		})
	}
	return func() { cancel(); all.Wait() }
}

// TestSQLiteDumpsACommittedState holds the reasoning of a dump: whatever others
// write and checkpoint meanwhile, the two files make a state that was committed.
func TestSQLiteDumpsACommittedState(t *testing.T) {
	dumps := 40
	if n, err := strconv.Atoi(os.Getenv("BINNACLE_SQLITE_DUMPS")); err == nil {
		dumps = n
	}
	for _, c := range []struct {
		name, pragma string
		between      []string
	}{
		{"automatic checkpoints", "PRAGMA journal_mode=WAL;", nil},
		{"checkpoints that truncate", "PRAGMA journal_mode=WAL;", []string{"PRAGMA wal_checkpoint(TRUNCATE);", "PRAGMA wal_checkpoint(RESTART);"}},
		{"checkpoints after few frames", "PRAGMA journal_mode=WAL;", []string{"PRAGMA wal_autocheckpoint=1;", "PRAGMA wal_checkpoint(PASSIVE);"}},
		{"rollback journal", "PRAGMA journal_mode=DELETE;", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := sqliteHere(t, "it's $a \"db\".sqlite3")
			s.sqlite(s.Place, c.pragma+accounts)
			if c.name == "rollback journal" {
				dumps = min(dumps, 10) // its readers and writers wait for each other
			}
			stop := s.transfers(0, c.between...)
			defer stop()
			logs := 0
			for range dumps {
				slow := &archive{}
				facts, err := s.engine.Dump(t.Context(), s.Place, func(part string, write func(io.Writer) error) error {
					return slow.put(part, func(w io.Writer) error { return write(&slowly{w: w}) })
				})
				if err != nil {
					t.Fatal(err)
				}
				logs += len(slow.order) - 1
				if err := s.engine.Read(t.Context(), s.Place, slow); err != nil {
					t.Fatal(err)
				}
				copied := s.Place
				copied.Database = filepath.Join(t.TempDir(), "copy")
				for part, content := range slow.parts {
					if err := os.WriteFile(copied.Database+strings.TrimPrefix(part, "database.sqlite3"), content, 0o600); err != nil {
						t.Fatal(err)
					}
				}
				if got := s.sqlite(copied, "PRAGMA integrity_check; SELECT sum(balance), count(*) FROM accounts;"); got != "ok\n3000000|3000" {
					t.Fatalf("the copy says %s", got)
				}
				if facts.Rows() != 3000+2+2+5 && facts.Schema != "20261123081500" {
					t.Fatalf("facts: %+v", facts)
				}
				_ = os.RemoveAll(filepath.Dir(copied.Database))
			}
			t.Logf("%d dumps, %d with a write-ahead log", dumps, logs)
		})
	}
}

// inserts adds jobs in transactions of their own until it is stopped.
func (s *server) inserts(writers int, rest time.Duration, between string) (stop func()) {
	ctx, cancel := context.WithCancel(s.t.Context())
	var all sync.WaitGroup
	for range writers {
		cmd := exec.Command("sqlite3", "-batch", s.Database)
		in, err := cmd.StdinPipe()
		if err != nil {
			s.t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			s.t.Fatal(err)
		}
		all.Go(func() {
			fmt.Fprintln(in, ".timeout 60000")
			for n := 0; ctx.Err() == nil; n++ {
				fmt.Fprintf(in, "INSERT INTO jobs (t) VALUES (hex(randomblob(%d)));\n", rand.IntN(300))
				if between != "" && n%17 == 0 {
					fmt.Fprintln(in, between)
				}
				time.Sleep(rest)
			}
			_ = in.Close()
			_ = cmd.Wait()
		})
	}
	return func() { cancel(); all.Wait() }
}

// TestSQLiteDumpsWhatItCounted holds that a copy has what the facts say, whatever
// is committed while it is made.
func TestSQLiteDumpsWhatItCounted(t *testing.T) {
	for _, c := range []struct {
		name, pragma string
		writers      int
		rest         time.Duration
		between      string
	}{
		{"every 2 ms", "", 1, 2 * time.Millisecond, ""},
		{"without a rest", "", 3, 0, ""},
		{"checkpoints that truncate", "", 1, 2 * time.Millisecond, "PRAGMA wal_checkpoint(TRUNCATE);"},
		{"checkpoints after few frames", "", 2, time.Millisecond, "PRAGMA wal_autocheckpoint=1;"},
		{"pages of 64 KiB", "PRAGMA page_size=65536;", 1, 2 * time.Millisecond, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := sqliteHere(t, "production.sqlite3")
			s.sqlite(s.Place, c.pragma+"PRAGMA journal_mode=WAL; CREATE TABLE jobs (id INTEGER PRIMARY KEY, t TEXT);")
			stop := s.inserts(c.writers, c.rest, c.between)
			defer stop()
			waitUntil(t, "jobs come in", func() bool { return s.sqlite(s.Place, "SELECT count(*) > 100 FROM jobs") == "1" })
			logs, longest, last := 0, time.Duration(0), int64(0)
			dumps := 30
			if c.rest == 0 {
				dumps = 8 // what waits for its turn among such writers waits long
			}
			for range dumps {
				kept := &archive{}
				began := time.Now()
				facts, err := s.engine.Dump(t.Context(), s.Place, func(part string, write func(io.Writer) error) error {
					longest = max(longest, time.Since(began))
					return kept.put(part, func(w io.Writer) error { return write(&slowly{w: w}) })
				})
				if err != nil {
					t.Fatal(err)
				}
				logs += len(kept.order) - 1
				if err := s.engine.Read(t.Context(), s.Place, kept); err != nil {
					t.Fatal(err)
				}
				copied := s.Place
				copied.Database = filepath.Join(t.TempDir(), "copy")
				for part, content := range kept.parts {
					if err := os.WriteFile(copied.Database+strings.TrimPrefix(part, "database.sqlite3"), content, 0o600); err != nil {
						t.Fatal(err)
					}
				}
				sameFacts(t, facts, s.look(copied))
				if got := s.sqlite(copied, "PRAGMA integrity_check;"); got != "ok" {
					t.Fatalf("the copy says %s", got)
				}
				if facts.Rows() < last {
					t.Errorf("%d rows, were %d", facts.Rows(), last)
				}
				last = facts.Rows()
				_ = os.RemoveAll(filepath.Dir(copied.Database))
			}
			t.Logf("%d dumps, %d with a write-ahead log, of %d rows in the end; the longest took %s to begin and count", dumps, logs, last, longest)
		})
	}
}

// slowly is a writer that gives others time.
type slowly struct{ w io.Writer }

func (s *slowly) Write(b []byte) (int, error) {
	time.Sleep(time.Duration(rand.IntN(3)) * time.Millisecond)
	return s.w.Write(b)
}

func TestSQLiteIsRestoredAsItWas(t *testing.T) {
	for _, mode := range []string{"WAL", "DELETE"} {
		t.Run(mode, func(t *testing.T) {
			s := startWith(t, config.SQLite, "redis:7.0", nil, "sleep", "1000")
			s.Database = "/data/it's $a \"db\".sqlite3"
			s.sqlite(s.Place, "PRAGMA journal_mode="+mode+";"+accounts)
			content := s.everyRow()
			kept, was := s.dump()
			sameFacts(t, was, s.look(s.Place))
			if was.Schema != "20261123081500" || len(was.Tables) != 8 {
				t.Errorf("facts: %+v", was)
			}
			scratch, err := s.engine.Scratch(t.Context(), s.Place, s.Container+"-scratch", kept)
			if err != nil {
				t.Fatal(err)
			}
			sameFacts(t, was, s.look(scratch))
			if got, err := s.engine.SQL(t.Context(), scratch, strings.NewReader("SELECT sum(balance), 2 FROM accounts; SELECT 3")); got != "3000000" || err != nil {
				t.Errorf("SQL answers %q, %v", got, err)
			}
			if _, err := s.engine.SQL(t.Context(), scratch, strings.NewReader("DELETE FROM accounts; SELECT nonsense")); err == nil {
				t.Error("nonsense is SQL")
			}
			sameFacts(t, was, s.look(scratch))

			for _, destroyed := range []string{"rows", "pages of another size", "file"} {
				switch destroyed {
				case "rows":
					s.sqlite(s.Place, "DELETE FROM accounts WHERE id % 2; DROP TABLE search;")
				case "pages of another size":
					s.sqlite(s.Place, "PRAGMA journal_mode=DELETE; PRAGMA page_size=8192; VACUUM; DELETE FROM accounts; PRAGMA journal_mode="+mode)
				case "file":
					s.here("docker", "exec", s.Container, "rm", "-f", s.Database)
					if _, err := s.engine.Look(t.Context(), s.Place); !errors.Is(err, ops.ErrNotFound) {
						t.Errorf("a file that is gone: %v", err)
					}
				}
				loaded, err := s.engine.Load(t.Context(), s.Place, "binnacle_restore_1", kept)
				if err != nil {
					t.Fatal(err)
				}
				sameFacts(t, was, s.look(loaded))
				held, err := s.engine.Swap(t.Context(), s.Place, loaded, "binnacle_before_1")
				if err != nil || held == (destroyed == "file") {
					t.Fatalf("Swap: %t, %v", held, err)
				}
				sameFacts(t, was, s.look(s.Place))
				if got := s.everyRow(); got != content {
					t.Errorf("after the %s are destroyed: %d bytes of content, were %d", destroyed, len(got), len(content))
				}
				if got := s.sqlite(s.Place, "PRAGMA journal_mode;"); destroyed != "file" && got != strings.ToLower(mode) {
					t.Errorf("the journal's mode is %s", got)
				}
				s.discard("binnacle_restore_1")
				if held {
					before := s.Place
					before.Database += ".binnacle_before_1"
					if got := s.sqlite(before, "PRAGMA integrity_check; SELECT count(*) < 3000 FROM accounts;"); got != "ok\n1" {
						t.Errorf("what was kept says %s", got)
					}
				}
				s.discard("binnacle_before_1")
			}
			if names := s.leftovers(); len(names) != 1 {
				t.Errorf("leftovers: %v", names)
			}
			s.discard(s.Container + "-scratch")
			if names := s.leftovers(); len(names) != 0 {
				t.Errorf("leftovers: %v", names)
			}
		})
	}
}

// TestSQLiteSwapsAllOrNothing ends swaps at random moments, under writers.
func TestSQLiteSwapsAllOrNothing(t *testing.T) {
	for _, mode := range []string{"WAL", "DELETE"} {
		t.Run(mode, func(t *testing.T) {
			s := sqliteHere(t, "app.sqlite3")
			s.sqlite(s.Place, "PRAGMA journal_mode="+mode+";"+accounts+"INSERT INTO accounts SELECT id + 10000, 0, hex(randomblob(500)) FROM accounts; CREATE TABLE marker (a); INSERT INTO marker VALUES ('dumped')")
			kept, _ := s.dump()
			s.sqlite(s.Place, "UPDATE marker SET a = 'old';")
			stop := s.transfers(100 * time.Millisecond)
			defer stop()
			old, swapped := 0, 0
			for range 20 {
				loaded, err := s.engine.Load(t.Context(), s.Place, "binnacle_restore_1", kept)
				if err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(rand.IntN(5000))*time.Millisecond)
				_, err = s.engine.Swap(ctx, s.Place, loaded, "binnacle_before_1")
				cancel()
				got := s.sqlite(s.Place, "SELECT a FROM marker; PRAGMA integrity_check; SELECT sum(balance) FROM accounts;")
				switch {
				case got == "old\nok\n3000000" && errors.Is(err, context.DeadlineExceeded):
					old++
				case got == "dumped\nok\n3000000":
					swapped++
					s.sqlite(s.Place, "UPDATE marker SET a = 'old';")
				default:
					t.Fatalf("Swap ends with %v and leaves %s", err, got)
				}
				s.discard("binnacle_restore_1")
				s.discard("binnacle_before_1")
				if names := s.leftovers(); len(names) != 0 {
					t.Fatalf("leftovers: %v", names)
				}
			}
			t.Logf("%d swaps ended early, %d came to their end", old, swapped)
		})
	}
}

func TestSQLiteSaysWhatIsWrong(t *testing.T) {
	s := startWith(t, config.SQLite, "redis:7.0", nil, "sleep", "1000")
	s.Database = "/data/app.sqlite3"
	s.here("docker", "exec", s.Container, "sh", "-c", "head -c 8192 /dev/urandom > /data/app.sqlite3")
	if _, err := s.engine.Look(t.Context(), s.Place); err == nil || !strings.Contains(err.Error(), "is no SQLite database") {
		t.Errorf("no database: %v", err)
	}
	s.here("docker", "exec", s.Container, "rm", "/usr/bin/sqlite3")
	if _, err := s.engine.Look(t.Context(), s.Place); err == nil || !strings.Contains(err.Error(), "apt-get install sqlite3") {
		t.Errorf("no sqlite3: %v", err)
	}
}
