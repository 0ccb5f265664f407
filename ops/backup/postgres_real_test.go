//go:build e2e

package backup_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"binnacle/config"
	"binnacle/ops"
	"binnacle/ops/backup"
)

const oddName = `Shop "à la" carte's`

func startPostgres(t *testing.T) *server {
	t.Helper()
	s := startServer(t, config.Postgres, "postgres:15",
		[]string{"POSTGRES_PASSWORD=planted%secret", "POSTGRES_USER=The Owner", "POSTGRES_DB=" + oddName}, "pg_isready -q -h 127.0.0.1")
	s.psql(oddName, postgresSchema)
	return s
}

// psql runs a script in a database and returns the answer.
func (s *server) psql(database, script string) string {
	s.t.Helper()
	return s.here("docker", "exec", "-e", "PGDATABASE="+database, "-e", "PGUSER=The Owner", s.Container, "psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-c", script)
}

// content sums every row of every table, sequence and large object, and all that
// defines them.
func (s *server) content(at backup.Place) string {
	s.t.Helper()
	in := func(script string) string {
		return s.here("docker", "exec", "-e", "PGDATABASE="+at.Database, "-e", "PGUSER=The Owner", at.Container, "sh", "-c", script)
	}
	rows := in(`psql -XAtq -v ON_ERROR_STOP=1 <<'E'
SELECT format('COPY (SELECT t.* FROM %s t ORDER BY t::text COLLATE "C") TO STDOUT', c.oid::regclass) FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
WHERE relkind IN ('r', 'm') AND nspname NOT LIKE 'pg\_%' AND nspname <> 'information_schema' ORDER BY nspname, relname \gexec
SELECT format('SELECT last_value, is_called FROM %s', oid::regclass) FROM pg_class WHERE relkind = 'S' ORDER BY oid::regclass::text \gexec
SELECT oid, md5(lo_get(oid)) FROM pg_largeobject_metadata ORDER BY 1;
E`)
	schema := in(`pg_dump --schema-only | grep -v '^.restrict\|^.unrestrict'`)
	return fmt.Sprintf("%x %x", sha256.Sum256([]byte(rows)), sha256.Sum256([]byte(schema)))
}

func (s *server) inDatabase(name string) backup.Place {
	at := s.Place
	at.Database = name
	return at
}

func TestPostgresComesBackAsItWas(t *testing.T) {
	s := startPostgres(t)
	before := s.content(s.inDatabase(oddName))
	kept, was := s.dump()
	if !slices.Equal(kept.order, []string{"globals.sql", "settings.json", "database.dump"}) {
		t.Errorf("parts %v", kept.order)
	}
	if now := s.look(s.Place); now.Size == 0 || now.Free <= 0 || now.Clients != 0 || !strings.HasPrefix(now.Version, "15.") || now.Schema != "20260102" {
		t.Errorf("looks like %+v", now)
	}
	sameFacts(t, s.look(s.Place), was)
	if strings.Contains(string(kept.parts["globals.sql"]), "SCRAM") {
		t.Error("hashes of passwords are in a backup that is not encrypted")
	}
	s.Encrypt.Recipients = []string{"somebody"}
	if encrypted, _ := s.dump(); !strings.Contains(string(encrypted.parts["globals.sql"]), "SCRAM") {
		t.Error("hashes of passwords are missing in a backup that is encrypted")
	}
	if err := s.engine.Read(t.Context(), s.Place, kept); err != nil {
		t.Error(err)
	}

	scratch, err := s.engine.Scratch(t.Context(), s.Place, "binnacle_drill_1", kept)
	t.Cleanup(func() { s.discard("binnacle_drill_1") })
	if err != nil {
		t.Fatal(err)
	}
	sameFacts(t, was, s.look(scratch))
	if s.content(scratch) != before {
		t.Error("the scratch copy differs")
	}
	if answer, err := s.engine.SQL(t.Context(), scratch, strings.NewReader("SELECT count(*) > 10, 'x' FROM orders")); err != nil || answer != "t" {
		t.Errorf("the check answers %q, %v", answer, err)
	}
	if left := s.leftovers(); !slices.Equal(left, []string{"binnacle_drill_1"}) {
		t.Errorf("left %v", left)
	}

	s.psql(oddName, "DELETE FROM lines; UPDATE orders SET total = 0; DROP VIEW top_orders; INSERT INTO schema_migrations VALUES ('20270101')")
	damaged := s.content(s.inDatabase(oddName))
	loaded, err := s.engine.Load(t.Context(), s.Place, "binnacle_restore_1", kept)
	if err != nil {
		t.Fatal(err)
	}
	if s.content(s.inDatabase(oddName)) != damaged {
		t.Error("loading has changed the data that was there")
	}
	sameFacts(t, was, s.look(loaded))
	done, err := s.engine.Swap(t.Context(), s.Place, loaded, "binnacle_before_1")
	if err != nil || !done {
		t.Fatalf("kept %v, %v", done, err)
	}
	if s.content(s.inDatabase(oddName)) != before {
		t.Error("what was restored differs")
	}
	if s.content(s.inDatabase("binnacle_before_1")) != damaged {
		t.Error("what was kept differs")
	}
	if got := s.psql("template1", `SELECT datacl::text || setconfig::text || shobj_description(d.oid, 'pg_database') FROM pg_database d JOIN pg_db_role_setting ON setdatabase = d.oid WHERE datname = 'Shop "à la" carte''s' AND setrole = 0`); !strings.Contains(got, "reader=c") || !strings.Contains(got, "app.tenant=a,b") || !strings.Contains(got, "it's the shop") {
		t.Errorf("settings of the database: %s", got)
	}
	if left := s.leftovers(); !slices.Equal(left, []string{"binnacle_before_1", "binnacle_drill_1"}) {
		t.Errorf("left %v", left)
	}
	for _, name := range append(s.leftovers(), "never_there", oddName) {
		s.discard(name)
	}
	if left := s.leftovers(); len(left) > 0 {
		t.Errorf("left %v", left)
	}
	if s.content(s.inDatabase(oddName)) != before {
		t.Error("discarding has taken the data that is there")
	}
	for _, line := range s.told {
		if strings.Contains(line, "planted") {
			t.Errorf("tells a secret: %s", line)
		}
	}
}

func TestPostgresComesBackWhereItIsGone(t *testing.T) {
	s := startPostgres(t)
	before := s.content(s.inDatabase(oddName))
	kept, was := s.dump()
	s.psql("template1", `DROP DATABASE "Shop ""à la"" carte's"`)
	if facts, err := s.engine.Look(t.Context(), s.Place); !errors.Is(err, ops.ErrNotFound) || !strings.HasPrefix(facts.Version, "15.") {
		t.Fatalf("looks like %+v, %v", facts, err)
	}
	s.psql("template1", `DROP ROLE reader`)
	loaded, err := s.engine.Load(t.Context(), s.Place, "binnacle_restore_1", kept)
	if err != nil {
		t.Fatal(err)
	}
	if kept, err := s.engine.Swap(t.Context(), s.Place, loaded, "binnacle_before_1"); err != nil || kept {
		t.Fatalf("kept %v, %v", kept, err)
	}
	sameFacts(t, was, s.look(s.Place))
	if s.content(s.inDatabase(oddName)) != before {
		t.Error("what was restored differs")
	}
}

// What comes from another destination becomes that of who owns the database here.
func TestPostgresComesBackAsItsOwnersHere(t *testing.T) {
	s := startPostgres(t)
	kept, was := s.dump()
	s.psql("template1", `CREATE ROLE stager SUPERUSER LOGIN`)
	s.psql("template1", `ALTER DATABASE "Shop ""à la"" carte's" OWNER TO stager`)
	loaded, err := s.engine.Load(t.Context(), s.Place, "binnacle_restore_1", kept)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.engine.Swap(t.Context(), s.Place, loaded, "binnacle_before_1"); err != nil {
		t.Fatal(err)
	}
	sameFacts(t, was, s.look(s.Place))
	if owners := s.psql(oddName, `SELECT string_agg(DISTINCT tableowner, ',') FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')`); owners != "stager" {
		t.Errorf("tables are of %s", owners)
	}
	if grants := s.psql(oddName, `SELECT has_table_privilege('reader', 'orders', 'SELECT')`); grants != "t" {
		t.Error("what others may is lost")
	}
}

// While rows come and go, the facts are those of the rows that were dumped.
func TestPostgresCountsWhatItDumps(t *testing.T) {
	s := startPostgres(t)
	ctx, stop := context.WithCancel(t.Context())
	var writers sync.WaitGroup
	for i := range 3 {
		writers.Go(func() {
			for ctx.Err() == nil {
				_ = exec.CommandContext(ctx, "docker", "exec", "-e", "PGDATABASE="+oddName, "-e", "PGUSER=The Owner", s.Container, "psql", "-XAtq", "-c",
					fmt.Sprintf("INSERT INTO orders (total) SELECT i FROM generate_series(1, %d) i; DELETE FROM lines WHERE id %% 97 = %d", 100+i, rand.IntN(97))).Run()
			}
		})
	}
	for range 4 {
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

// Clients come as fast as they can; none finds the database absent or half there.
func TestPostgresSwapsUnderClients(t *testing.T) {
	s := startPostgres(t)
	kept, was := s.dump()
	ctx, stop := context.WithCancel(t.Context())
	var clients sync.WaitGroup
	var mu sync.Mutex
	wrong := map[string]int{}
	for range 6 {
		clients.Go(func() {
			for ctx.Err() == nil {
				out, err := exec.CommandContext(ctx, "docker", "exec", "-e", "PGDATABASE="+oddName, "-e", "PGUSER=The Owner", s.Container, "psql", "-XAtq", "-c", "SELECT count(*) FROM orders", "-c", "SELECT pg_sleep(0.05)").CombinedOutput()
				if ctx.Err() == nil && err != nil && !strings.Contains(string(out), "administrator command") && !strings.Contains(string(out), "renamed") {
					mu.Lock()
					wrong[string(out)]++
					mu.Unlock()
				}
			}
		})
	}
	for range 5 {
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

func TestPostgresStoppedAnywhereKeepsTheData(t *testing.T) {
	s := startPostgres(t)
	before := s.content(s.inDatabase(oddName))
	kept, _ := s.dump()
	for i := range 12 {
		ctx, stop := context.WithCancel(t.Context())
		timer := time.AfterFunc(time.Duration(rand.IntN(2500))*time.Millisecond, stop)
		var err error
		switch i % 3 {
		case 0:
			_, err = s.engine.Dump(ctx, s.Place, new(archive).put)
		default:
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
		if s.content(s.inDatabase(oddName)) != before {
			t.Fatalf("the data differs after stop %d", i)
		}
		waitUntil(t, "nothing of ours runs in the container", func() bool {
			return s.psql("template1", "SELECT count(*) FROM pg_stat_activity WHERE application_name IN ('binnacle', 'binnacle swap', 'pg_dump', 'pg_restore')") == "0" &&
				!strings.Contains(s.here("docker", "top", s.Container), "pg_dump")
		})
	}
}

func TestPostgresFailsClearly(t *testing.T) {
	s := startPostgres(t)
	kept, _ := s.dump()
	cut := &archive{parts: map[string][]byte{"settings.json": kept.parts["settings.json"], "database.dump": kept.parts["database.dump"][:len(kept.parts["database.dump"])/2]}}
	if _, err := s.engine.Load(t.Context(), s.Place, "binnacle_restore_1", cut); err == nil {
		t.Error("loads half an archive")
	}
	s.discard("binnacle_restore_1")
	newer := &archive{parts: map[string][]byte{"settings.json": []byte(strings.Replace(string(kept.parts["settings.json"]), `"version": "15.`, `"version": "99.`, 1)), "database.dump": kept.parts["database.dump"]}}
	if _, err := s.engine.Load(t.Context(), s.Place, "binnacle_restore_1", newer); err == nil || !strings.Contains(err.Error(), "99.") {
		t.Errorf("an archive of a newer server: %v", err)
	}
	if err := s.engine.Read(t.Context(), s.Place, &archive{parts: map[string][]byte{"database.dump": []byte("PGDMP\x01\xff\x00\x04\x08\x01")}}); err == nil {
		t.Error("reads an archive of a newer format")
	} else {
		t.Log(err)
	}
	if _, err := s.engine.SQL(t.Context(), s.Place, strings.NewReader("DELETE FROM orders; SELECT broken")); err == nil {
		t.Error("a failing script succeeds")
	}
	if got := s.psql(oddName, "SELECT count(*) > 0 FROM orders"); got != "t" {
		t.Error("half a script was kept")
	}
	if left := s.leftovers(); len(left) > 0 {
		t.Errorf("left %v", left)
	}
}

// A container beside the server reaches it by a URL, as an app does.
func TestPostgresBehindAnAddress(t *testing.T) {
	s := startPostgres(t)
	before := s.content(s.inDatabase(oddName))
	address := s.here("docker", "inspect", "-f", "{{.NetworkSettings.IPAddress}}", s.Container)
	app := s.Container + "-app"
	s.here("docker", "run", "-d", "--name", app, "--entrypoint", "sleep", "-e",
		"DATABASE_URL=postgresql://The%20Owner:planted%25secret@"+address+"/Shop%20%22%C3%A0%20la%22%20carte%27s?pool=5&sslmode=disable", s.Image, "3600")
	t.Cleanup(func() { _ = exec.Command("docker", "rm", "-f", "-v", app).Run() })
	other := s.seen(app)
	other.URL = "DATABASE_URL"
	kept, was := other.dump()
	sameFacts(t, other.look(other.Place), was)
	loaded, err := s.engine.Load(t.Context(), other.Place, "binnacle_restore_1", kept)
	if err != nil {
		t.Fatal(err)
	}
	if done, err := s.engine.Swap(t.Context(), other.Place, loaded, "binnacle_before_1"); err != nil || !done {
		t.Fatal(done, err)
	}
	if left := other.leftovers(); !slices.Equal(left, []string{"binnacle_before_1"}) {
		t.Errorf("left %v", left)
	}
	if s.content(s.inDatabase(oddName)) != before {
		t.Error("what was restored differs")
	}
}

const postgresSchema = `
CREATE ROLE reader LOGIN PASSWORD 'planted';
CREATE ROLE "Ünder ""priv""";
COMMENT ON DATABASE "Shop ""à la"" carte's" IS 'it''s the shop';
GRANT CONNECT ON DATABASE "Shop ""à la"" carte's" TO reader;
ALTER DATABASE "Shop ""à la"" carte's" SET "app.tenant" = 'a,b';
ALTER DATABASE "Shop ""à la"" carte's" SET search_path = public, "$user", "My Schema";
ALTER ROLE reader IN DATABASE "Shop ""à la"" carte's" SET statement_timeout = '10s';
CREATE TABLE schema_migrations (version varchar PRIMARY KEY);
INSERT INTO schema_migrations VALUES ('20260101'), ('20260102');
CREATE SCHEMA "My Schema" AUTHORIZATION "Ünder ""priv""";
CREATE TYPE mood AS ENUM ('sad', 'ok');
CREATE DOMAIN positive AS int CHECK (VALUE > 0);
CREATE TABLE orders (id bigserial PRIMARY KEY, total numeric(12,2) NOT NULL, doubled numeric GENERATED ALWAYS AS (total * 2) STORED,
  state mood DEFAULT 'ok', note text, data jsonb, raw bytea, at timestamptz DEFAULT now());
CREATE TABLE lines (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, order_id bigint NOT NULL REFERENCES orders ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED, n positive);
ALTER TABLE lines ENABLE ROW LEVEL SECURITY;
CREATE TABLE "My Schema"."Tab""le's ☃" ("co l" text, "ü" int);
CREATE TABLE events (at date NOT NULL, what text) PARTITION BY RANGE (at);
CREATE TABLE events_2026 PARTITION OF events FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
CREATE TABLE events_rest PARTITION OF events DEFAULT;
INSERT INTO orders (total, note, data, raw) SELECT i / 7.0, CASE i % 3 WHEN 0 THEN NULL WHEN 1 THEN E'line\n\\tab\t' ELSE 'ünï' END, jsonb_build_object('i', i), decode(md5(i::text), 'hex') FROM generate_series(1, 20000) i;
INSERT INTO lines (order_id, n) SELECT 1 + i % 20000, 1 + i % 9 FROM generate_series(1, 60000) i;
INSERT INTO "My Schema"."Tab""le's ☃" VALUES ('x', 1), (NULL, 2);
INSERT INTO events SELECT date '2025-06-01' + i, 'e' || i FROM generate_series(1, 700) i;
CREATE VIEW big_orders AS SELECT * FROM orders WHERE total > 100;
CREATE VIEW top_orders AS SELECT id, total FROM big_orders WHERE total > 1000;
CREATE MATERIALIZED VIEW sums AS SELECT state, sum(total) FROM orders GROUP BY 1;
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN NEW.note := coalesce(NEW.note, ':"name"'); RETURN NEW; END$$;
CREATE TRIGGER touch BEFORE UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION touch();
CREATE FUNCTION noop() RETURNS event_trigger LANGUAGE plpgsql AS $$BEGIN END$$;
CREATE EVENT TRIGGER watch ON sql_drop EXECUTE FUNCTION noop();
CREATE POLICY mine ON lines TO reader USING (n > 3);
GRANT SELECT ON orders TO reader;
ALTER TABLE "My Schema"."Tab""le's ☃" OWNER TO "Ünder ""priv""";
SELECT lo_from_bytea(0, decode(repeat(md5('x'), 5000), 'hex')) FROM generate_series(1, 3);
`
