//go:build e2e

package backup_test

import (
	"cmp"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"binnacle/ops"
	"binnacle/ops/backup"
)

// faultyClient is a client that goes wrong at the calls from $1 to $2: it is
// refused, or does all it was told and loses the answer; or somebody locks a table
// just before it, who is not connected to the database.
const faultyClient = `cat >/usr/local/sbin/mariadb <<'END'
#!/bin/sh
exec 9>/tmp/calls.lock; flock 9
calls=$(($(cat /tmp/calls) + 1)); echo $calls >/tmp/calls
exec 9>&-
read -r from to how </tmp/fault
if [ $calls -lt $from ] || [ $calls -gt $to ]; then exec /usr/bin/mariadb "$@"; fi
if [ "$how" = lost ]; then /usr/bin/mariadb "$@" >/dev/null; echo 'ERROR 2013 (HY000): Lost connection to server during query' >&2; exit 1; fi
if [ "$how" = locked ]; then
  /usr/bin/mariadb -uroot -e 'LOCK TABLES Small.orders WRITE; SELECT SLEEP(900)' >/dev/null 2>&1 &
  sleep 1
  exec /usr/bin/mariadb "$@"
fi
echo 'ERROR 1040 (HY000): Too many connections' >&2
exit 1
END
chmod +x /usr/local/sbin/mariadb; echo 0 >/tmp/calls; echo "$1" "$2" "$3" >/tmp/fault`

func (s *server) fault(from, to int, how string) {
	s.t.Helper()
	s.here("docker", "exec", s.Container, "sh", "-c", faultyClient, "sh", strconv.Itoa(from), strconv.Itoa(to), how)
}

// calls is how often the client was called since fault; faults are over.
func (s *server) calls() int {
	s.t.Helper()
	calls, err := strconv.Atoi(s.here("docker", "exec", s.Container, "sh", "-c", "cat /tmp/calls; rm /usr/local/sbin/mariadb"))
	if err != nil {
		s.t.Fatal(err)
	}
	return calls
}

const smallSchema = "CREATE TABLE orders (id INT PRIMARY KEY, note TEXT); CREATE TABLE `li nes` (id INT PRIMARY KEY, order_id INT, FOREIGN KEY (order_id) REFERENCES orders (id));\n" +
	"INSERT INTO orders VALUES (1, 'new'), (2, 'new'); INSERT INTO `li nes` VALUES (1, 1); CREATE TABLE only_new (id INT PRIMARY KEY);\n" +
	"CREATE FUNCTION twice(x INT) RETURNS INT DETERMINISTIC RETURN x * 2; CREATE VIEW seen AS SELECT twice(id) AS n FROM orders;\n" +
	"CREATE TRIGGER touch BEFORE UPDATE ON orders FOR EACH ROW SET NEW.note = 'new';\n" +
	"CREATE EVENT nightly ON SCHEDULE EVERY 1 DAY STARTS '2030-01-01' DO SET @x = 1;\n"

const oldSchema = "DROP TRIGGER touch; UPDATE orders SET note = 'old'; DELETE FROM `li nes`; DROP VIEW seen; DROP TABLE only_new;\n" +
	"CREATE TABLE only_old (id INT PRIMARY KEY); INSERT INTO only_old VALUES (7); CREATE TRIGGER late BEFORE DELETE ON orders FOR EACH ROW SET @x = 1"

// startSmall is a server with a small database that has changed since its backup,
// and one beside it whose name differs in case alone.
func startSmall(t *testing.T) (s *server, kept *archive, good, old string) {
	t.Helper()
	s = startMySQL(t)
	s.sql("other", "CREATE DATABASE `Small` CHARACTER SET utf8mb4 COLLATE utf8mb4_bin; CREATE DATABASE `small`")
	s.sql("small", "CREATE TABLE orders (id INT PRIMARY KEY); CREATE TRIGGER touch BEFORE UPDATE ON orders FOR EACH ROW SET @x = 2; CREATE EVENT nightly ON SCHEDULE EVERY 1 DAY STARTS '2030-01-01' DO SET @x = 2; CREATE VIEW seen AS SELECT 1")
	s.Database = "Small"
	s.sql(s.Database, smallSchema)
	good = s.everything(s.Place, "--events")
	kept, _ = s.dump()
	s.sql(s.Database, oldSchema)
	return s, kept, good, s.everything(s.Place, "--events")
}

// Calls of the client in a swap fail, one after another: once, or from then
// on until people have put the server right; refused, or with its answer lost.
// Afterwards all is old or all is new, as was told, and what was old is there.
func TestMySQLSwapsWithAFaultyClient(t *testing.T) {
	s, kept, good, old := startSmall(t)
	beside := s.Place
	beside.Database = "small"
	untouched := s.everything(beside, "--events")
	oldRows := s.everything(s.Place, "--skip-triggers", "--skip-routines")
	before := s.Place
	before.Database = "binnacle_before_1"
	ends := map[string]int{}
	try := func(from, to int, how string) bool {
		what := fmt.Sprintf("%s from %d to %d", how, from, to)
		loaded, err := s.engine.Load(t.Context(), s.Place, "binnacle_restore_1", kept)
		if err != nil {
			t.Fatal(err)
		}
		s.fault(from, to, how)
		done, err := s.engine.Swap(t.Context(), s.Place, loaded, "binnacle_before_1")
		unsure := s.engine.Discard(t.Context(), s.Place, "binnacle_restore_1") // as a restore goes on
		reached := s.calls() >= from
		left := s.leftovers()
		now := s.everything(s.Place, "--events")
		told := new(ops.Error)
		switch {
		case err == nil && done:
			ends["swapped"]++
			if now != good || !slices.Contains(left, "binnacle_before_1") {
				t.Fatalf("%s: told to be swapped: %s", what, firstDifference(now, good))
			}
		case err == nil:
			t.Fatalf("%s: nothing is kept", what)
		case errors.As(err, &told) && strings.Contains(told.Hint, "in its place"):
			ends["old"]++
			if now != old {
				t.Fatalf("%s: told to be old: %s", what, firstDifference(now, old))
			}
		case now == good || now == old:
			ends["not told"]++
		default:
			t.Fatalf("%s: neither the old data nor the new after %v, %v: %s; %s", what, err, unsure, firstDifference(now, old), firstDifference(now, good))
		}
		if now == good {
			if rows := s.everything(before, "--skip-triggers", "--skip-routines"); rows != oldRows {
				t.Fatalf("%s: what is kept differs: %s", what, firstDifference(rows, oldRows))
			}
			s.sql(s.Database, oldSchema)
			if s.everything(s.Place, "--events") != old {
				t.Fatal("not the same old data")
			}
		}
		for _, name := range left {
			s.discard(name)
		}
		s.discard("binnacle_restore_1")
		if left := s.leftovers(); len(left) > 0 {
			t.Fatalf("%s: left %v", what, left)
		}
		return reached
	}
	step := 12
	if os.Getenv("EVERY_FAULT") != "" { // takes eight minutes
		step = 1
	}
	for _, fault := range []struct {
		calls int
		how   string
	}{{1, "refused"}, {1, "lost"}, {1 << 30, "refused"}, {8, "lost"}} {
		for n := 1 + rand.IntN(step); try(n, n+fault.calls-1, fault.how); n += step {
		}
	}
	t.Logf("%v", ends)
	if s.everything(beside, "--events") != untouched {
		t.Error("a database whose name differs in case alone was changed")
	}
}

// Somebody locks a table for good after the tables were exchanged: it goes neither
// on nor back, nothing is dropped, and it is put right once the lock is gone.
func TestMySQLSwapsBehindALock(t *testing.T) {
	s, kept, good, old := startSmall(t)
	for from := range strings.FieldsSeq(cmp.Or(os.Getenv("LOCK_BEFORE"), "18")) {
		call, err := strconv.Atoi(from)
		if err != nil {
			t.Fatal(err)
		}
		loaded, err := s.engine.Load(t.Context(), s.Place, "binnacle_restore_1", kept)
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		s.fault(call, call, "locked")
		_, err = s.engine.Swap(t.Context(), s.Place, loaded, "binnacle_before_1")
		unsure := s.engine.Discard(t.Context(), s.Place, "binnacle_restore_1")
		t.Logf("locked before call %d: %d calls in %s: %.200v; %.200v", call, s.calls(), time.Since(began), err, unsure)
		if err == nil || unsure == nil {
			t.Error("nobody says that it is not done")
		}
		s.sql("other", "SELECT CONCAT('KILL ', id) INTO @kill FROM information_schema.processlist WHERE info LIKE '%SLEEP(900)' AND id <> CONNECTION_ID(); EXECUTE IMMEDIATE @kill")
		left := s.leftovers()
		now := s.everything(s.Place, "--events")
		t.Logf("new: %t, left %v", now == good, left)
		if now != old && now != good {
			t.Fatalf("neither the old data nor the new: %s; %s", firstDifference(now, old), firstDifference(now, good))
		}
		if now == good {
			if rows := s.sql("binnacle_before_1", "SELECT * FROM only_old; SELECT DISTINCT note FROM orders"); rows != "7\nold" {
				t.Fatalf("what was there is not kept: %q", rows)
			}
			s.sql(s.Database, oldSchema)
		}
		for _, name := range append(left, "binnacle_restore_1") {
			s.discard(name)
		}
	}
}

// What system-versioned tables had before is dumped where it can be, and told
// where not.
func TestMySQLKeepsTheHistory(t *testing.T) {
	s := startMySQL(t)
	s.sql("other", "CREATE TABLE `hidden one` (x INT) WITH SYSTEM VERSIONING; INSERT INTO `hidden one` VALUES (1), (2); UPDATE `hidden one` SET x = 5 WHERE x = 1; DELETE FROM `hidden one` WHERE x = 2;"+
		"CREATE TABLE named (x INT, s TIMESTAMP(6) GENERATED ALWAYS AS ROW START, e TIMESTAMP(6) GENERATED ALWAYS AS ROW END, PERIOD FOR SYSTEM_TIME(s, e)) WITH SYSTEM VERSIONING; INSERT INTO named (x) VALUES (1); UPDATE named SET x = 2;")
	s.Database = "other"
	const all = "SELECT x, row_start, row_end FROM `hidden one` FOR SYSTEM_TIME ALL ORDER BY x; SELECT * FROM named FOR SYSTEM_TIME ALL ORDER BY x"
	before := s.sql("other", all)
	kept, was := s.dump()
	if want := []backup.Table{{Name: "hidden one", Rows: 3}, {Name: "named", Rows: 2}}; !slices.Equal(was.Tables, want) {
		t.Errorf("dumped %v", was.Tables)
	}
	sameFacts(t, was, s.look(s.Place))
	loaded, err := s.engine.Load(t.Context(), s.Place, "binnacle_restore_1", kept)
	if err != nil {
		t.Fatal(err)
	}
	sameFacts(t, was, s.look(loaded))
	if done, err := s.engine.Swap(t.Context(), s.Place, loaded, "binnacle_before_1"); err != nil || !done {
		t.Fatal(done, err)
	}
	if now := s.sql("other", all); now != before {
		t.Errorf("the history differs: %s", firstDifference(now, before))
	}
	s.sql("other", "CREATE TABLE precise (x INT, s BIGINT UNSIGNED GENERATED ALWAYS AS ROW START, e BIGINT UNSIGNED GENERATED ALWAYS AS ROW END, PERIOD FOR SYSTEM_TIME(s, e)) WITH SYSTEM VERSIONING; INSERT INTO precise (x) VALUES (1); UPDATE precise SET x = 2")
	kept, was = s.dump()
	if loaded, err = s.engine.Load(t.Context(), s.Place, "binnacle_restore_1", kept); err != nil {
		t.Fatal(err)
	}
	sameFacts(t, was, s.look(loaded))
	if !slices.ContainsFunc(s.told, func(line string) bool {
		return strings.Contains(line, "history of 3 system-versioned tables is not in the backup")
	}) {
		t.Error("does not tell that the history is not dumped")
	}
}

// Older servers that are killed in a statement that renames many tables leave it
// half done.
func TestMySQLHalfARenameIsPutBack(t *testing.T) {
	s, kept, _, old := startSmall(t)
	for _, half := range []string{
		"RENAME TABLE Small.orders TO binnacle_before_1.orders",
		"RENAME TABLE Small.orders TO binnacle_before_1.orders, Small.`li nes` TO binnacle_before_1.`li nes`, Small.only_old TO binnacle_before_1.only_old, binnacle_restore_1.orders TO Small.orders",
		"RENAME TABLE binnacle_before_1.binnacle_swap TO binnacle_restore_1.binnacle_swap, Small.orders TO binnacle_before_1.orders, Small.`li nes` TO binnacle_before_1.`li nes`, Small.only_old TO binnacle_before_1.only_old, " +
			"binnacle_restore_1.orders TO Small.orders, binnacle_restore_1.only_new TO Small.only_new",
	} {
		loaded, err := s.engine.Load(t.Context(), s.Place, "binnacle_restore_1", kept)
		if err != nil {
			t.Fatal(err)
		}
		s.fault(13, 1<<30, "refused") // after the triggers are gone, before the tables are exchanged
		if _, err := s.engine.Swap(t.Context(), s.Place, loaded, "binnacle_before_1"); err == nil {
			t.Fatal("swaps without a server")
		}
		s.calls()
		s.sql("other", half)
		for _, name := range []string{"binnacle_restore_1", "binnacle_before_1"} {
			if err := s.engine.Discard(t.Context(), s.Place, name); err == nil {
				t.Errorf("drops %s in the midst of a swap", name)
			}
		}
		if left := s.leftovers(); !slices.Equal(left, []string{"binnacle_restore_1"}) {
			t.Errorf("left %v", left)
		}
		if now := s.everything(s.Place, "--events"); now != old {
			t.Fatalf("%s: the old data is not back: %s", half, firstDifference(now, old))
		}
		s.discard("binnacle_restore_1")
	}
}
