//go:build e2e

package backup_test

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"binnacle/ops"
	"binnacle/ops/backup"
)

// faultyClient is a client that goes wrong at the calls from $1 to $2: it is
// refused, or does all it was told and loses the answer.
const faultyClient = `cat >/usr/local/sbin/mariadb <<'END'
#!/bin/sh
exec 9>/tmp/calls.lock; flock 9
calls=$(($(cat /tmp/calls) + 1)); echo $calls >/tmp/calls
exec 9>&-
read -r from to how </tmp/fault
if [ $calls -lt $from ] || [ $calls -gt $to ]; then exec /usr/bin/mariadb "$@"; fi
if [ "$how" = lost ]; then /usr/bin/mariadb "$@" >/dev/null; echo 'ERROR 2013 (HY000): Lost connection to server during query' >&2; exit 1; fi
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

// Every call of the client in a swap fails, one after another: once, or from then
// on until people have put the server right; refused, or with its answer lost.
// Afterwards all is old or all is new, as was told, and what was old is there.
func TestMySQLSwapsWithAFaultyClient(t *testing.T) {
	s := startMySQL(t)
	const small, sibling = "Small", "small"
	s.sql("other", "CREATE DATABASE `Small` CHARACTER SET utf8mb4 COLLATE utf8mb4_bin; CREATE DATABASE `small`")
	s.Database = small
	s.sql(small, smallSchema)
	s.sql(sibling, "CREATE TABLE orders (id INT PRIMARY KEY); CREATE TRIGGER touch BEFORE UPDATE ON orders FOR EACH ROW SET @x = 2; CREATE EVENT nightly ON SCHEDULE EVERY 1 DAY STARTS '2030-01-01' DO SET @x = 2; CREATE VIEW seen AS SELECT 1")
	beside := s.Place
	beside.Database = sibling
	untouched := s.everything(beside, "--events")
	good := s.everything(s.Place, "--events")
	kept, _ := s.dump()
	makeOld := "UPDATE orders SET note = 'old'; DELETE FROM `li nes`; DROP VIEW seen; DROP TRIGGER touch; DROP TABLE only_new; CREATE TABLE only_old (id INT PRIMARY KEY); INSERT INTO only_old VALUES (7); CREATE TRIGGER late BEFORE DELETE ON orders FOR EACH ROW SET @x = 1"
	s.sql(small, makeOld)
	old, oldRows := s.everything(s.Place, "--events"), s.everything(s.Place, "--skip-triggers", "--skip-routines")
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
			s.sql(small, makeOld)
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
	for n := 1; try(n, n, "refused"); n++ {
	}
	for n := 1; try(n, n, "lost"); n++ {
	}
	for n := 2; try(n, 1<<30, "refused"); n += 3 {
	}
	for n := 2; try(n, n+7, "lost"); n += 3 {
	}
	t.Logf("%v", ends)
	if s.everything(beside, "--events") != untouched {
		t.Error("a database whose name differs in case alone was changed")
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
