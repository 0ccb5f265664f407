//go:build e2e

package backup_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"binnacle/config"
	"binnacle/ops"
	"binnacle/ops/backup"
)

const oddSchema = "Shop `ü` (x)"

func startMySQL(t *testing.T) *server {
	t.Helper()
	s := startServer(t, config.MySQL, "mariadb:10.11",
		[]string{"MYSQL_ROOT_PASSWORD=planted%secret", "MYSQL_DATABASE=other"}, "MYSQL_PWD=planted%secret mariadb -h127.0.0.1 -uroot -e 'SELECT 1'")
	s.Database = oddSchema
	s.sql("other", "CREATE DATABASE `Shop ``ü`` (x)` CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci")
	s.sql(oddSchema, mysqlSchema)
	return s
}

// sql runs a script in a database and returns the answer.
func (s *server) sql(database, script string) string {
	s.t.Helper()
	return s.here("docker", "exec", "-e", "MYSQL_PWD=planted%secret", s.Container, "sh", "-c", `printf '%s\n' "$2" | mariadb -uroot -N --default-character-set=utf8mb4 --database="$1"`, "sh", database, script)
}

// everything is every row and all that defines the data, but what scratch copies lack.
func (s *server) everything(at backup.Place, without ...string) string {
	s.t.Helper()
	password := "planted%secret"
	if at.Container != s.Container {
		password = ""
	}
	args := append([]string{"exec", "-e", "MYSQL_PWD=" + password, at.Container, "mariadb-dump", "-uroot", "--default-character-set=utf8mb4", "--compact", "--skip-dump-date", "--order-by-primary",
		"--skip-extended-insert", "--hex-blob", "--triggers", "--routines", "--ignore-table=" + at.Database + ".binnacle_objects"}, without...)
	text := s.here("docker", append(args, at.Database)...)
	return counters.ReplaceAllString(text, "")
}

// counters go back to the highest row when a server is killed.
var counters = regexp.MustCompile(` AUTO_INCREMENT=\d+`)

// firstDifference is for people: whole dumps are too long.
func firstDifference(a, b string) string {
	for left, right := strings.Split(a, "\n"), strings.Split(b, "\n"); ; left, right = left[1:], right[1:] {
		if len(left) == 0 || len(right) == 0 {
			return fmt.Sprintf("%d lines more, %d lines less", len(left), len(right))
		}
		if left[0] != right[0] {
			return fmt.Sprintf("%.300q and %.300q", left[0], right[0])
		}
	}
}

func TestMySQLComesBackAsItWas(t *testing.T) {
	s := startMySQL(t)
	before := s.everything(s.Place, "--events")
	kept, was := s.dump()
	if !slices.Equal(kept.order, []string{"settings.json", "tables.sql", "objects.sql", "events.sql"}) {
		t.Errorf("parts %v", kept.order)
	}
	if now := s.look(s.Place); now.Size == 0 || now.Free <= 0 || now.Clients != 0 || now.Version != "10.11.18-MariaDB" || now.Schema != "20260102" {
		t.Errorf("looks like %+v", now)
	}
	sameFacts(t, s.look(s.Place), was)
	if err := s.engine.Read(t.Context(), s.Place, kept); err != nil {
		t.Error(err)
	}

	scratch, err := s.engine.Scratch(t.Context(), s.Place, "binnacle_drill_2", kept)
	t.Cleanup(func() { s.discard("binnacle_drill_2") })
	if err != nil {
		t.Fatal(err)
	}
	sameFacts(t, was, s.look(scratch))
	if s.everything(scratch) != s.everything(s.Place) {
		t.Error("the scratch copy differs")
	}
	if answer, err := s.engine.SQL(t.Context(), scratch, strings.NewReader("SELECT COUNT(*) > 10, 'x' FROM orders")); err != nil || answer != "1" {
		t.Errorf("the check answers %q, %v", answer, err)
	}

	s.sql(oddSchema, "DELETE FROM `lines`; UPDATE orders SET total = 0; DROP VIEW top_orders; INSERT INTO schema_migrations VALUES ('20270101'); CREATE TABLE added (id INT); CREATE VIEW extra AS SELECT 1; DROP FUNCTION twice; CREATE TRIGGER late BEFORE DELETE ON orders FOR EACH ROW SET @x = 1")
	damaged, rowsOnly := s.everything(s.Place, "--events"), s.everything(s.Place, "--skip-triggers", "--skip-routines", "--ignore-table="+oddSchema+".extra", "--ignore-table="+oddSchema+".big_orders", "--ignore-table="+oddSchema+".vi`ew's")
	loaded, err := s.engine.Load(t.Context(), s.Place, "binnacle_restore_1", kept)
	if err != nil {
		t.Fatal(err)
	}
	if s.everything(s.Place, "--events") != damaged {
		t.Error("loading has changed the data that was there")
	}
	sameFacts(t, was, s.look(loaded))
	done, err := s.engine.Swap(t.Context(), s.Place, loaded, "binnacle_before_1")
	if err != nil || !done {
		t.Fatalf("kept %v, %v", done, err)
	}
	if s.everything(s.Place, "--events") != before {
		t.Error("what was restored differs")
	}
	before1 := s.Place
	before1.Database = "binnacle_before_1"
	if s.everything(before1, "--skip-triggers", "--skip-routines") != rowsOnly {
		t.Error("what was kept differs")
	}
	for _, child := range []string{oddSchema, "binnacle_before_1"} {
		query := fmt.Sprintf("SELECT DISTINCT unique_constraint_schema FROM information_schema.referential_constraints WHERE constraint_schema = '%s'", strings.ReplaceAll(child, "'", "''"))
		if parent := s.sql("other", query); parent != child {
			t.Errorf("foreign keys of %s refer to %s", child, parent)
		}
	}
	if left := s.leftovers(); !slices.Equal(left, []string{"binnacle_before_1", "binnacle_drill_2"}) {
		t.Errorf("left %v", left)
	}
	for _, name := range append(s.leftovers(), "never_there", oddSchema, "other") {
		s.discard(name)
	}
	if left := s.leftovers(); len(left) > 0 {
		t.Errorf("left %v", left)
	}
	if s.everything(s.Place, "--events") != before || s.sql("other", "SELECT 1") != "1" {
		t.Error("discarding has taken data that is there")
	}
	if out, err := exec.Command("docker", "exec", "-e", "MYSQL_PWD=planted%secret", s.Container, "mariadb", "-uroot", "--database="+oddSchema, "-e", "INSERT INTO `lines` (order_id) VALUES (99999999)").CombinedOutput(); err == nil || !strings.Contains(string(out), "foreign key") {
		t.Errorf("a row without its parent: %s", out)
	}
	for _, line := range s.told {
		if strings.Contains(line, "planted") {
			t.Errorf("tells a secret: %s", line)
		}
	}
}

func TestMySQLComesBackWhereItIsGone(t *testing.T) {
	s := startMySQL(t)
	before := s.everything(s.Place, "--events")
	kept, was := s.dump()
	s.sql("other", "DROP DATABASE `Shop ``ü`` (x)`")
	if facts, err := s.engine.Look(t.Context(), s.Place); !errors.Is(err, ops.ErrNotFound) || facts.Version != "10.11.18-MariaDB" {
		t.Fatalf("looks like %+v, %v", facts, err)
	}
	loaded, err := s.engine.Load(t.Context(), s.Place, "binnacle_restore_1", kept)
	if err != nil {
		t.Fatal(err)
	}
	if kept, err := s.engine.Swap(t.Context(), s.Place, loaded, "binnacle_before_1"); err != nil || kept {
		t.Fatalf("kept %v, %v", kept, err)
	}
	sameFacts(t, was, s.look(s.Place))
	if s.everything(s.Place, "--events") != before {
		t.Error("what was restored differs")
	}
	if left := s.leftovers(); len(left) > 0 {
		t.Errorf("left %v", left)
	}
}

// While rows come and go, the facts are those of the rows that were dumped.
func TestMySQLCountsWhatItDumps(t *testing.T) {
	s := startMySQL(t)
	ctx, stop := context.WithCancel(t.Context())
	var writers sync.WaitGroup
	for i := range 3 {
		writers.Go(func() {
			for ctx.Err() == nil {
				_ = exec.CommandContext(ctx, "docker", "exec", "-e", "MYSQL_PWD=planted%secret", s.Container, "mariadb", "-uroot", "--database="+oddSchema, "-e",
					fmt.Sprintf("INSERT INTO orders (total, note) SELECT seq, 'it''s (new),' FROM seq_1_to_%d; DELETE FROM `lines` WHERE id %% 97 = %d", 100+i, rand.IntN(97))).Run()
			}
		})
	}
	for range 3 {
		kept, was := s.dump()
		loaded, err := s.engine.Load(t.Context(), s.Place, "binnacle_restore_1", kept)
		if err != nil {
			t.Fatal(err)
		}
		sameFacts(t, was, s.look(loaded))
		s.discard("binnacle_restore_1")
	}
	stop()
	writers.Wait()
}

// Clients read and write as fast as they can, one of them in a long transaction;
// none finds a table absent or half there.
func TestMySQLSwapsUnderClients(t *testing.T) {
	s := startMySQL(t)
	kept, was := s.dump()
	ctx, stop := context.WithCancel(t.Context())
	var clients sync.WaitGroup
	var mu sync.Mutex
	wrong := map[string]int{}
	for i, script := range []string{"SELECT COUNT(*) FROM orders", "SELECT COUNT(*) FROM `lines` JOIN orders ON orders.id = order_id", "START TRANSACTION; SELECT COUNT(*) FROM orders; SELECT SLEEP(60)"} {
		clients.Go(func() {
			for ctx.Err() == nil {
				out, err := exec.CommandContext(ctx, "docker", "exec", "-e", "MYSQL_PWD=planted%secret", s.Container, "mariadb", "-uroot", "--database="+oddSchema, "-e", script).CombinedOutput()
				if ctx.Err() == nil && err != nil && i < 2 && !strings.Contains(string(out), "Lost connection") && !strings.Contains(string(out), "was killed") && !strings.Contains(string(out), "gone away") {
					mu.Lock()
					wrong[string(out)]++
					mu.Unlock()
				}
			}
		})
	}
	for range 3 {
		loaded, err := s.engine.Load(t.Context(), s.Place, "binnacle_restore_1", kept)
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		if done, err := s.engine.Swap(t.Context(), s.Place, loaded, "binnacle_before_1"); err != nil || !done {
			t.Fatal(done, err)
		}
		t.Logf("swapped in %s", time.Since(began))
		sameFacts(t, was, s.look(s.Place))
		s.discard("binnacle_before_1")
	}
	stop()
	clients.Wait()
	for text, times := range wrong {
		t.Errorf("%d × %s", times, text)
	}
}

func TestMySQLStoppedAnywhereKeepsTheData(t *testing.T) {
	s := startMySQL(t)
	before := s.everything(s.Place, "--events")
	kept, _ := s.dump()
	for i := range 8 {
		ctx, stop := context.WithCancel(t.Context())
		timer := time.AfterFunc(time.Duration(rand.IntN(4000))*time.Millisecond, stop)
		var err error
		if i%4 == 0 {
			_, err = s.engine.Dump(ctx, s.Place, new(archive).put)
		} else {
			var loaded backup.Place
			if loaded, err = s.engine.Load(ctx, s.Place, "binnacle_restore_1", kept); err == nil {
				_, err = s.engine.Swap(ctx, s.Place, loaded, "binnacle_before_1")
			}
		}
		timer.Stop()
		stop()
		t.Logf("%d: %v", i, err)
		for _, name := range s.leftovers() {
			s.discard(name)
		}
		if left := s.leftovers(); len(left) > 0 {
			t.Errorf("left %v", left)
		}
		if s.everything(s.Place, "--events") != before {
			t.Fatalf("the data differs after stop %d", i)
		}
		waitUntil(t, "no dump runs in the container", func() bool { return !strings.Contains(s.here("docker", "top", s.Container), "mariadb-dump") })
	}
}

// The server is killed in the midst of swaps: what comes next puts it right, and
// either all is old or all is new.
func TestMySQLKilledInASwapIsPutRight(t *testing.T) {
	s := startMySQL(t)
	kept, _ := s.dump()
	good := s.everything(s.Place, "--events")
	s.sql(oddSchema, "DELETE FROM `lines`; DROP VIEW top_orders; DROP FUNCTION twice")
	old := s.everything(s.Place, "--events")
	swapped := 0
	for i := range 6 {
		loaded, err := s.engine.Load(t.Context(), s.Place, "binnacle_restore_1", kept)
		if err != nil {
			t.Fatal(err)
		}
		killed := make(chan error, 1)
		delay := time.Duration(300+rand.IntN(2500)) * time.Millisecond
		time.AfterFunc(delay, func() { killed <- exec.Command("docker", "restart", "-t", "0", s.Container).Run() })
		_, err = s.engine.Swap(t.Context(), s.Place, loaded, "binnacle_before_1")
		if err := <-killed; err != nil {
			t.Fatal(err)
		}
		waitUntil(t, "the server is back", func() bool {
			return exec.Command("docker", "exec", s.Container, "sh", "-c", "MYSQL_PWD=planted%secret mariadb -h127.0.0.1 -uroot -e 'SELECT 1'").Run() == nil
		})
		for _, name := range s.leftovers() {
			s.discard(name)
		}
		now := s.everything(s.Place, "--events")
		t.Logf("%d: after %s: %t, %.300v", i, delay, now == good, err)
		switch now {
		case good:
			swapped++
			s.sql(oddSchema, "DELETE FROM `lines`; DROP VIEW top_orders; DROP FUNCTION twice")
			old = s.everything(s.Place, "--events")
		case old:
		default:
			t.Fatalf("neither the old data nor the new: %s; %s", firstDifference(now, old), firstDifference(now, good))
		}
		if left := s.leftovers(); len(left) > 0 {
			t.Errorf("left %v", left)
		}
	}
	t.Logf("%d of 6 had swapped", swapped)
}

func TestMySQLFailsClearly(t *testing.T) {
	s := startMySQL(t)
	before := s.everything(s.Place, "--events")
	kept, _ := s.dump()
	broken := &archive{parts: map[string][]byte{"settings.json": kept.parts["settings.json"], "tables.sql": append(kept.parts["tables.sql"][:len(kept.parts["tables.sql"])/2], "\n;CREATE BROKEN;\n"...), "objects.sql": kept.parts["objects.sql"], "events.sql": kept.parts["events.sql"]}}
	if _, err := s.engine.Load(t.Context(), s.Place, "binnacle_restore_1", broken); err == nil {
		t.Error("loads a broken dump")
	}
	s.discard("binnacle_restore_1")
	if err := s.engine.Read(t.Context(), s.Place, broken); !errors.Is(err, backup.ErrDamaged) {
		t.Errorf("reads a broken dump: %v", err)
	}
	kept, _ = s.dump()
	newer := &archive{parts: map[string][]byte{"settings.json": []byte(strings.Replace(string(kept.parts["settings.json"]), `"10.11`, `"99.11`, 1))}}
	if _, err := s.engine.Load(t.Context(), s.Place, "binnacle_restore_1", newer); err == nil || !strings.Contains(err.Error(), "99.") {
		t.Errorf("a dump of a newer server: %v", err)
	}
	// What cannot be put in its place takes everything back.
	kept.parts["events.sql"] = []byte("CREATE EVENT broken;\n")
	loaded, err := s.engine.Load(t.Context(), s.Place, "binnacle_restore_1", kept)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.engine.Swap(t.Context(), s.Place, loaded, "binnacle_before_1"); err == nil || !strings.Contains(err.Error(), "in its place") {
		t.Errorf("swaps to what is broken: %v", err)
	}
	if s.everything(s.Place, "--events") != before {
		t.Error("the old data is not in its place")
	}
	if left := s.leftovers(); !slices.Equal(left, []string{"binnacle_restore_1"}) {
		t.Errorf("left %v", left)
	}
	if _, err := s.engine.SQL(t.Context(), s.Place, strings.NewReader("DELETE FROM `lines`; SELECT broken")); err == nil {
		t.Error("a failing script succeeds")
	}
	if s.everything(s.Place, "--events") != before {
		t.Error("half a script was kept")
	}
}

// A container beside the server reaches it by a URL, as an app does.
func TestMySQLBehindAnAddress(t *testing.T) {
	s := startMySQL(t)
	before := s.everything(s.Place, "--events")
	address := s.here("docker", "inspect", "-f", "{{.NetworkSettings.IPAddress}}", s.Container)
	app := s.Container + "-app"
	s.here("docker", "run", "-d", "--name", app, "--entrypoint", "sleep", "-e",
		"DATABASE_URL=mysql2://root:planted%25secret@"+address+":3306/Shop%20%60%C3%BC%60%20(x)?pool=5", s.Image, "3600")
	t.Cleanup(func() { _ = exec.Command("docker", "rm", "-f", "-v", app).Run() })
	own := s.Place
	s.Container, s.URL, s.Database = app, "DATABASE_URL", ""
	kept, was := s.dump()
	sameFacts(t, was, s.look(s.Place))
	loaded, err := s.engine.Load(t.Context(), s.Place, "binnacle_restore_1", kept)
	if err != nil {
		t.Fatal(err)
	}
	if done, err := s.engine.Swap(t.Context(), s.Place, loaded, "binnacle_before_1"); err != nil || !done {
		t.Fatal(done, err)
	}
	s.Place = own
	if s.everything(s.Place, "--events") != before {
		t.Error("what was restored differs")
	}
}

const mysqlSchema = "CREATE TABLE schema_migrations (version VARCHAR(255) PRIMARY KEY);\n" +
	"INSERT INTO schema_migrations VALUES ('20260101'), ('20260102');\n" +
	"CREATE TABLE orders (id BIGINT AUTO_INCREMENT PRIMARY KEY, total DECIMAL(12,2) NOT NULL, doubled DECIMAL(14,2) GENERATED ALWAYS AS (total * 2) STORED, note TEXT, raw BLOB, data JSON, at TIMESTAMP DEFAULT CURRENT_TIMESTAMP);\n" +
	"CREATE TABLE `lines` (id INT AUTO_INCREMENT PRIMARY KEY, order_id BIGINT NOT NULL, n INT, CONSTRAINT belongs FOREIGN KEY (order_id) REFERENCES orders (id) ON DELETE CASCADE);\n" +
	"CREATE TABLE `Tab``le's ☃` (`co l` VARCHAR(10), `ü` INT);\n" +
	"CREATE TABLE parts (at DATE NOT NULL, what TEXT) PARTITION BY RANGE (YEAR(at)) (PARTITION p2026 VALUES LESS THAN (2027), PARTITION rest VALUES LESS THAN MAXVALUE);\n" +
	"INSERT INTO orders (total, note, raw, data) SELECT seq / 7, CASE seq % 3 WHEN 0 THEN NULL WHEN 1 THEN 'line\\n\\\\tab\\t),(\\'\"' ELSE 'ünï 🎈' END, UNHEX(MD5(seq)), JSON_OBJECT('i', seq) FROM seq_1_to_20000;\n" +
	"INSERT INTO `lines` (order_id, n) SELECT 1 + seq % 20000, seq % 9 FROM seq_1_to_60000;\n" +
	"INSERT INTO `Tab``le's ☃` VALUES ('x', 1), (NULL, 2);\n" +
	"INSERT INTO parts SELECT DATE '2026-01-01' + INTERVAL seq DAY, CONCAT('e', seq) FROM seq_1_to_700;\n" +
	"CREATE FUNCTION twice(x INT) RETURNS INT DETERMINISTIC RETURN x * 2;\n" +
	"CREATE VIEW big_orders AS SELECT id, total, note FROM orders WHERE total > 100;\n" +
	"CREATE VIEW top_orders AS SELECT id, twice(id) AS two FROM big_orders WHERE total > 1000;\n" +
	"CREATE VIEW `vi``ew's` AS SELECT COUNT(*) AS n FROM `Tab``le's ☃`;\n" +
	"DELIMITER //\n" +
	"CREATE PROCEDURE refresh() BEGIN\nINSERT INTO `lines` (order_id) VALUES (1);\nEND//\n" +
	"CREATE TRIGGER `to``uch` BEFORE UPDATE ON orders FOR EACH ROW BEGIN SET NEW.note = CONCAT(COALESCE(NEW.note, ''), '!'); END//\n" +
	"CREATE TRIGGER lined AFTER INSERT ON `lines` FOR EACH ROW BEGIN SET @lines = 1; END//\n" +
	"CREATE EVENT nightly ON SCHEDULE EVERY 1 DAY STARTS '2030-01-01' DO BEGIN DELETE FROM `lines` WHERE n = 99; END//\n" +
	"DELIMITER ;\n"
