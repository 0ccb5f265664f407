//go:build e2e

package backup_test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"

	"binnacle/config"
	"binnacle/ops"
)

// startShop is a server with the database shop of an ordinary role, app, and a
// container beside it in which the app would run.
func startShop(t *testing.T, initdb string) *server {
	t.Helper()
	s := startServer(t, config.Postgres, "postgres:15",
		[]string{"POSTGRES_PASSWORD=planted%secret", "POSTGRES_USER=The Owner", "POSTGRES_DB=postgres", "POSTGRES_INITDB_ARGS=" + initdb}, "pg_isready -q -h 127.0.0.1")
	s.psql("postgres", `CREATE ROLE reader; CREATE ROLE app LOGIN CREATEDB PASSWORD 'app%secret'`)
	s.psql("postgres", `CREATE DATABASE shop OWNER app TEMPLATE template0 LOCALE_PROVIDER libc LOCALE 'C'`)
	s.psql("shop", `ALTER DATABASE shop SET log_min_duration_statement = '7s'; ALTER DATABASE shop SET "app.tenant" = 'a'; ALTER ROLE app SET lock_timeout = '500ms';
ALTER DATABASE shop SET idle_in_transaction_session_timeout = '20ms'; SET ROLE app; `+shopSchema)
	return s
}

// beside are the places from which the database of an ordinary role is reached:
// by an address, and as Bitnami's image says of itself.
func (s *server) beside() map[string]*server {
	address := s.here("docker", "inspect", "-f", "{{.NetworkSettings.IPAddress}}", s.Container)
	app := s.Container + "-app"
	s.here("docker", "run", "-d", "--name", app, "--entrypoint", "sleep", "-e", "DATABASE_URL=postgres://app:app%25secret@"+address+"/shop", "-e", "PGHOST="+address,
		"-e", "POSTGRESQL_USERNAME=app", "-e", "POSTGRESQL_PASSWORD=app%secret", "-e", "POSTGRESQL_DATABASE=shop", s.Image, "3600")
	s.t.Cleanup(func() { _ = exec.Command("docker", "rm", "-f", "-v", app).Run() })
	byAddress, byVariables := s.seen(app), s.seen(app)
	byAddress.URL = "DATABASE_URL"
	byVariables.Encrypt.Recipients = []string{"somebody"}
	return map[string]*server{"by address": byAddress, "by variables": byVariables}
}

// seen is the server as it is seen from another container.
func (s *server) seen(from string) *server {
	other := &server{t: s.t, engine: s.engine, Place: s.Place}
	other.Container = from
	other.Tell = func(_ ops.Stream, text string) {
		other.mu.Lock()
		defer other.mu.Unlock()
		other.told = append(other.told, text)
	}
	return other
}

func TestPostgresOfAnOrdinaryRole(t *testing.T) {
	s := startShop(t, "--locale-provider=icu --icu-locale=en")
	own := s.inDatabase("shop")
	before := s.content(own)
	made := `SELECT pg_get_userbyid(datdba), datlocprovider, datcollate, shobj_description(oid, 'pg_database'),
  (SELECT string_agg(c, ',' ORDER BY c) FROM pg_db_role_setting, unnest(setconfig) c WHERE setdatabase = d.oid) FROM pg_database d WHERE datname = 'shop'`
	was := s.psql("postgres", made)
	s.psql("postgres", "ALTER DATABASE shop SET statement_timeout = '500ms'")
	for how, app := range s.beside() {
		kept, dumped := app.dump()
		// The timeouts that are meant for the app would end this.
		lock := exec.CommandContext(t.Context(), "docker", "exec", "-e", "PGDATABASE=shop", "-e", "PGUSER=The Owner", s.Container, "psql", "-XAtq", "-c", "SET statement_timeout = 0", "-c", "BEGIN; LOCK items; SELECT pg_sleep(2)")
		if err := lock.Start(); err != nil {
			t.Fatal(err)
		}
		waitUntil(t, "the table is locked", func() bool {
			return s.psql("shop", "SELECT count(*) FROM pg_locks WHERE relation = 'items'::regclass AND mode = 'AccessExclusiveLock' AND granted") == "1"
		})
		sameFacts(t, app.look(app.Place), dumped)
		_ = lock.Wait()
		if answer, err := app.engine.SQL(t.Context(), app.Place, strings.NewReader("SELECT 'slept' FROM pg_sleep(0.6)")); err != nil || answer != "slept" {
			t.Errorf("%s: a script that takes its time answers %q, %v", how, answer, err)
		}
		if strings.Contains(string(kept.parts["globals.sql"]), "SCRAM") {
			t.Errorf("%s: an ordinary role is shown hashes", how)
		}
		if app.URL == "" {
			scratch, err := app.engine.Scratch(t.Context(), app.Place, "binnacle_drill_1", kept)
			if err != nil {
				t.Fatal(how, err)
			}
			sameFacts(t, dumped, app.look(scratch))
			app.discard("binnacle_drill_1")
		}
		s.psql("postgres", "ALTER DATABASE shop RESET statement_timeout")
		s.psql("shop", "DELETE FROM items WHERE id % 2 = 0")
		damaged := s.content(own)
		loaded, err := app.engine.Load(t.Context(), app.Place, "binnacle_restore_1", kept)
		if err != nil {
			t.Fatal(how, err)
		}
		if left := app.leftovers(); !slices.Equal(left, []string{"binnacle_restore_1"}) {
			t.Errorf("%s: left %v", how, left)
		}
		sameFacts(t, dumped, app.look(loaded))
		if done, err := app.engine.Swap(t.Context(), app.Place, loaded, "binnacle_before_1"); err != nil || !done {
			t.Fatal(how, done, err)
		}
		if s.content(own) != before {
			t.Errorf("%s: what was restored differs", how)
		}
		if s.content(s.inDatabase("binnacle_before_1")) != damaged {
			t.Errorf("%s: what was kept differs", how)
		}
		if comment := s.psql("postgres", "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = 'binnacle_before_1'"); comment != "binnacle.of=\"shop\"\nit's ours\nand nobody else's" {
			t.Errorf("%s: what was kept says %q of itself", how, comment)
		}
		told := strings.Join(app.told, "\n")
		for _, setting := range []string{"app.tenant", "log_min_duration_statement"} {
			if !strings.Contains(told, `permission denied to set parameter "`+setting) {
				t.Errorf("%s: does not tell that %s is not set", how, setting)
			}
		}
		s.psql("postgres", `ALTER DATABASE shop SET log_min_duration_statement = '7s'; ALTER DATABASE shop SET "app.tenant" = 'a'`)
		if is := s.psql("postgres", made); is != was {
			t.Errorf("%s: was made as %s, is made as %s", how, was, is)
		}
		s.psql("postgres", "ALTER DATABASE shop SET statement_timeout = '500ms'")
		if left := app.leftovers(); !slices.Equal(left, []string{"binnacle_before_1"}) {
			t.Errorf("%s: left %v", how, left)
		}
		for _, name := range append(app.leftovers(), "shop") {
			app.discard(name)
		}
		if left := app.leftovers(); len(left) > 0 {
			t.Errorf("%s: left %v", how, left)
		}
		if strings.Contains(told, "secret") {
			t.Errorf("%s: tells a secret", how)
		}
	}
	s.psql("postgres", "ALTER DATABASE shop RESET statement_timeout")
	if s.content(own) != before {
		t.Error("discarding has taken the data that is there")
	}
	s.Database = "postgres" // is of the other provider
	kept, _ := s.dump()
	if _, err := s.engine.Load(t.Context(), s.Place, "binnacle_restore_1", kept); err != nil {
		t.Fatal(err)
	}
	const locales = `SELECT count(DISTINCT (datlocprovider, daticulocale, datcollate, datctype)) FROM pg_database WHERE datname IN ('postgres', 'binnacle_restore_1') AND datlocprovider = 'i'`
	if got := s.psql("postgres", locales); got != "1" {
		t.Errorf("%s locales", got)
	}
	s.discard("binnacle_restore_1")
}

// What a superuser owned, and who is not there, cannot be had back by an ordinary role:
// the data can.
func TestPostgresOfAnOrdinaryRoleWithThingsOfOthers(t *testing.T) {
	s := startShop(t, "")
	s.psql("shop", `CREATE EXTENSION pg_trgm; COMMENT ON EXTENSION pg_trgm IS 'of a superuser'; CREATE TABLE laws (n int); INSERT INTO laws VALUES (1), (2); GRANT SELECT ON laws TO app; ALTER SCHEMA public OWNER TO "The Owner";
CREATE ROLE gone; CREATE SCHEMA others AUTHORIZATION gone; CREATE TABLE others.t (n int); ALTER TABLE others.t OWNER TO gone; GRANT USAGE ON SCHEMA others TO app; GRANT SELECT ON others.t TO app`)
	app := s.beside()["by address"]
	kept, was := app.dump()
	s.psql("postgres", "DROP DATABASE shop")
	s.psql("postgres", "DROP ROLE gone")
	for range 2 { // the second time, it is there
		loaded, err := app.engine.Load(t.Context(), app.Place, "binnacle_restore_1", kept)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := app.engine.Swap(t.Context(), app.Place, loaded, "binnacle_before_1"); err != nil {
			t.Fatal(err)
		}
		sameFacts(t, was, app.look(app.Place))
		if owners := s.psql("shop", "SELECT string_agg(DISTINCT tableowner, ',') FROM pg_tables WHERE schemaname IN ('public', 'others')"); owners != "app" {
			t.Errorf("tables are of %s", owners)
		}
	}
	s.psql("shop", "CREATE TABLE hidden (n int)")
	if _, err := app.engine.Dump(t.Context(), app.Place, (&archive{}).put); err == nil || !strings.Contains(err.Error(), "pg_read_all_data") {
		t.Errorf("what the role may not read: %v", err)
	}
	if !strings.Contains(strings.Join(app.told, "\n"), "may not give things to their owners") {
		t.Error("does not tell that others owned some")
	}
}

const shopSchema = `
COMMENT ON DATABASE shop IS E'it''s ours\nand nobody else''s';
CREATE EXTENSION citext;
COMMENT ON EXTENSION citext IS 'letters of either case';
CREATE TABLE schema_migrations (version varchar PRIMARY KEY);
INSERT INTO schema_migrations VALUES ('20260101');
CREATE TABLE items (id bigserial PRIMARY KEY, name citext NOT NULL, raw text DEFAULT repeat('x', 100));
INSERT INTO items (name) SELECT 'Item ' || i FROM generate_series(1, 30000) i;
CREATE INDEX ON items (name);
CREATE SCHEMA mine;
CREATE MATERIALIZED VIEW mine.few AS SELECT * FROM items WHERE id < 100;
CREATE FUNCTION mine.twice(n int) RETURNS int LANGUAGE sql AS 'SELECT n * 2';
GRANT SELECT ON items TO reader;
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
ALTER DEFAULT PRIVILEGES IN SCHEMA mine GRANT SELECT ON TABLES TO reader;
CREATE PUBLICATION changes FOR TABLE items;
SELECT lo_from_bytea(0, 'large');
`
