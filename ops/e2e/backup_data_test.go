//go:build e2e

package e2e

import (
	"fmt"
	"strings"
	"testing"

	"binnacle/ops/e2e/lab"
)

// thing is something of the project that is backed up: how it is filled with
// what is hard to keep, told as text, and lost.
type thing struct {
	name      string // of the backup
	accessory string // "" for the app's
	host      string
	volume    string // of the container's data: a volume, or a folder of the host
	command   string // takes a script as standard input
	ready     string // a script that works when it takes commands
	fill      string
	dump      string // prints every row in order
	spoil     string // changes and loses some of it
	lose      string // loses all of it
	left      string // prints what a restore that was killed leaves
}

func things() []thing {
	return []thing{postgresThing(), mysqlThing(), redisThing(), sqliteThing(), filesThing()}
}

func (d thing) container() string {
	if d.accessory == "" {
		return "fhirlinebot-web-v1"
	}
	return "fhirlinebot-" + d.accessory
}

func (d thing) run(t *testing.T, p *protectedProject, script string) string {
	t.Helper()
	return feed(t, p.fleet.Host(d.host), d.container(), d.command, script)
}

func (d thing) text(t *testing.T, p *protectedProject) string {
	t.Helper()
	return d.run(t, p, d.dump)
}

func (d thing) leftovers(t *testing.T, p *protectedProject) string {
	t.Helper()
	if d.left == "" {
		return ""
	}
	return d.run(t, p, d.left)
}

// await waits until commands are taken: a database has just been started.
func (d thing) await(t *testing.T, p *protectedProject) {
	t.Helper()
	host := p.fleet.Host(d.host)
	eventually(t, d.name+" takes commands", func() bool {
		_, err := host.Exec(t.Context(), fmt.Sprintf("echo %q | docker exec -i %s %s", d.ready, d.container(), d.command))
		return err == nil
	})
}

// loseServer takes the container and its data away, and boots an empty one.
func (d thing) loseServer(t *testing.T, p *protectedProject) {
	t.Helper()
	if d.accessory == "" {
		d.run(t, p, d.lose)
		return
	}
	host := p.fleet.Host(d.host)
	exec(t, host, "docker rm --force --volumes %s >/dev/null", d.container())
	if strings.Contains(d.volume, "/") {
		exec(t, host, "rm -rf %s", d.volume)
	} else {
		exec(t, host, "docker volume rm %s", d.volume)
	}
	p.must(t, "accessory", "boot", d.accessory)
	d.await(t, p)
}

const hardText = `it''s "quoted" \ back\\slash, tab:	, 日本語 🚢 ﷽, $HOME %s {{.}} <b>&amp;`

func postgresThing() thing {
	return thing{
		name: "db", accessory: "db", host: "vm1", volume: "db_data",
		command: "psql --no-psqlrc --quiet --no-align --tuples-only --set ON_ERROR_STOP=1 -U postgres -d " + lab.BackupDatabase,
		ready:   "SELECT 1",
		fill: `
SET client_min_messages = warning;
DO $$ BEGIN
  IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'reader') THEN CREATE ROLE reader LOGIN PASSWORD 'it''s "secret"'; END IF;
END $$;
CREATE EXTENSION IF NOT EXISTS citext;
CREATE TYPE mood AS ENUM ('sad', 'it''s ok', 'happy');
CREATE TABLE schema_migrations (version varchar PRIMARY KEY);
INSERT INTO schema_migrations VALUES ('20260101000001'), ('20260102000002');
CREATE TABLE people (
  id bigserial PRIMARY KEY, name text, email citext UNIQUE, raw bytea, mood mood, amount numeric(30, 10), ratio double precision,
  at timestamptz, tags text[], doc jsonb, span tstzrange, upper_name text GENERATED ALWAYS AS (upper(name)) STORED
);
INSERT INTO people (name, email, raw, mood, amount, ratio, at, tags, doc, span)
SELECT CASE n % 7 WHEN 0 THEN NULL WHEN 1 THEN '' ELSE '` + hardText + ` ' || n END, CASE WHEN n % 3 > 0 THEN 'Person' || n || '@Example.com' END,
  decode(md5(n::text) || '00ff0a0d5c', 'hex'), (ARRAY['sad', 'it''s ok', 'happy', NULL]::mood[])[1 + n % 4],
  n * 1234567.0987654321, CASE n % 5 WHEN 0 THEN 'NaN' WHEN 1 THEN '-Infinity' ELSE n / 3.0 END,
  '2000-01-01 00:00:00.123456+00'::timestamptz + n * interval '1 hour', ARRAY[n::text, NULL, 'a,b"c'],
  jsonb_build_object('n', n, 'text', E'line\nbreak \\ "', 'none', NULL), tstzrange(now() - n * interval '1 day', NULL)
FROM generate_series(1, 2000) n;
CREATE TABLE events (id bigserial PRIMARY KEY, person bigint REFERENCES people, kind smallint, at timestamp);
INSERT INTO events (person, kind, at) SELECT 1 + n % 2000, n % 30000, '2026-01-01'::timestamp + n * interval '1 second' FROM generate_series(1, 100000) n;
CREATE INDEX "Odd ""Index"" 1" ON events (kind, at DESC) WHERE kind > 5;
CREATE TABLE "Odd ""Table"" ` + "`x`" + ` $1" ("select" int, "Größe" text);
INSERT INTO "Odd ""Table"" ` + "`x`" + ` $1" VALUES (1, repeat('large ', 500000)), (2, NULL);
CREATE TABLE nothing (id int PRIMARY KEY);
CREATE SEQUENCE tickets START 1000 INCREMENT 7; SELECT nextval('tickets'), nextval('tickets') \g /dev/null
CREATE VIEW busy AS SELECT person, count(*) AS n FROM events GROUP BY person HAVING count(*) > 1;
CREATE MATERIALIZED VIEW totals AS SELECT kind, count(*) AS n FROM events GROUP BY kind;
CREATE SCHEMA "archive"; CREATE TABLE archive.people AS SELECT id, name FROM people WHERE id < 10; ALTER TABLE archive.people ADD PRIMARY KEY (id);
CREATE FUNCTION touched() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.at := now(); RETURN NEW; END $$;
CREATE TRIGGER touch BEFORE UPDATE ON people FOR EACH ROW EXECUTE FUNCTION touched();
GRANT SELECT ON people TO reader; ALTER TABLE archive.people OWNER TO reader;
COMMENT ON TABLE people IS 'they''re people';
SELECT lo_from_bytea(4711, decode(repeat('00ff', 5000), 'hex')) \g /dev/null
ALTER DATABASE ` + lab.BackupDatabase + ` SET timezone TO 'Europe/Berlin';
ALTER DATABASE ` + lab.BackupDatabase + ` SET work_mem TO '7MB';
`,
		dump: `
SET timezone TO UTC;
SELECT format('COPY (SELECT %L, t.* FROM %I.%I t ORDER BY t::text COLLATE "C") TO STDOUT;', table_name, table_schema, table_name) FROM (
  SELECT table_schema, table_name FROM information_schema.tables WHERE table_schema NOT IN ('pg_catalog', 'information_schema')
  UNION SELECT schemaname, matviewname FROM pg_matviews ORDER BY 1, 2) tables \gexec
SELECT schemaname, sequencename, start_value, increment_by, last_value FROM pg_sequences ORDER BY 1, 2;
SELECT 'largeobject', loid, md5(string_agg(data, '' ORDER BY pageno)) FROM pg_largeobject GROUP BY loid;
SELECT 'setting', unnest(setconfig) FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase WHERE datname = current_database() ORDER BY 2;
SELECT 'role', rolname, rolcanlogin, rolpassword FROM pg_authid WHERE rolname = 'reader';
\o | sed '/^.restrict/d; /^.unrestrict/d; /^--/d'
\! pg_dump -U postgres --schema-only ` + lab.BackupDatabase + ` | sed '/^.restrict/d; /^.unrestrict/d; /^--/d'
`,
		spoil: `DELETE FROM events WHERE id % 3 = 0; UPDATE people SET name = 'gone'; DROP TABLE "Odd ""Table"" ` + "`x`" + ` $1"; CREATE TABLE junk (id int);`,
		lose: `\connect postgres
DROP DATABASE ` + lab.BackupDatabase + ` WITH (FORCE);`,
		left: `SELECT datname FROM pg_database WHERE datname LIKE 'binnacle_%' AND datname NOT LIKE 'binnacle_before_%'`,
	}
}

func mysqlThing() thing {
	return thing{
		name: "mysql", accessory: "mysql", host: "vm2", volume: "/root/fhirlinebot-mysql/data",
		command: `sh -c 'MYSQL_PWD="$MARIADB_ROOT_PASSWORD" exec mariadb --default-character-set=utf8mb4 --batch --skip-column-names -uroot $MARIADB_DATABASE'`,
		ready:   "SELECT 1",
		fill: `
CREATE TABLE people (
  id bigint AUTO_INCREMENT PRIMARY KEY, name varchar(500), raw varbinary(100), mood enum('sad', 'it''s ok'), amount decimal(30, 10), ratio double,
  at datetime(6), doc json, doubled decimal(31, 10) AS (amount * 2) STORED, UNIQUE KEY named (name(100), id)
) CHARACTER SET utf8mb4;
INSERT INTO people (name, raw, mood, amount, ratio, at, doc)
SELECT CASE seq % 7 WHEN 0 THEN NULL WHEN 1 THEN '' ELSE CONCAT('` + strings.ReplaceAll(hardText, `\`, `\\`) + ` ', seq) END, UNHEX(CONCAT(MD5(seq), '00FF0A0D5C27')),
  ELT(1 + seq % 3, 'sad', 'it''s ok', NULL), seq * 1234567.0987654321, seq / 3, '2000-01-01 00:00:00.123456' + INTERVAL seq HOUR, JSON_OBJECT('n', seq, 'text', 'line\nbreak')
FROM seq_1_to_2000;
CREATE TABLE events (id bigint AUTO_INCREMENT PRIMARY KEY, person bigint, kind smallint, at datetime, FOREIGN KEY (person) REFERENCES people (id));
INSERT INTO events (person, kind, at) SELECT 1 + seq % 2000, seq % 30000, '2026-01-01' + INTERVAL seq SECOND FROM seq_1_to_100000;
CREATE TABLE ` + "`Odd \"table\" ``x`` $1` (`select` int PRIMARY KEY, `Größe` longtext)" + `;
INSERT INTO ` + "`Odd \"table\" ``x`` $1`" + ` VALUES (1, REPEAT('large ', 500000)), (2, NULL);
CREATE TABLE nothing (id int PRIMARY KEY);
CREATE VIEW busy AS SELECT person, COUNT(*) AS n FROM events GROUP BY person;
CREATE SEQUENCE tickets START WITH 1000 INCREMENT BY 7 NOCACHE; DO NEXTVAL(tickets);
DELIMITER //
CREATE PROCEDURE count_people(OUT n int) BEGIN SELECT COUNT(*) INTO n FROM people; END //
CREATE FUNCTION twice(n int) RETURNS int DETERMINISTIC RETURN n * 2 //
CREATE TRIGGER touch BEFORE UPDATE ON people FOR EACH ROW BEGIN SET NEW.at = NOW(); END //
CREATE EVENT nightly ON SCHEDULE EVERY 1 DAY DO DELETE FROM nothing //
DELIMITER ;
`,
		dump: `system MYSQL_PWD="$MARIADB_ROOT_PASSWORD" mariadb-dump -uroot --skip-comments --skip-extended-insert --hex-blob --order-by-primary --routines --triggers --events $MARIADB_DATABASE
`,
		spoil: `DELETE FROM events WHERE id % 3 = 0; UPDATE people SET amount = 0; DROP TABLE ` + "`Odd \"table\" ``x`` $1`" + `; CREATE TABLE junk (id int); DROP PROCEDURE count_people;`,
		lose:  "DROP DATABASE " + lab.BackupDatabase + ";",
		left:  `SELECT schema_name FROM information_schema.schemata WHERE schema_name LIKE 'binnacle\_%' AND schema_name NOT LIKE 'binnacle\_before\_%';`,
	}
}

func redisThing() thing {
	const dump = `
local out = {}
for _, db in ipairs({0, 3}) do
  redis.call('select', db)
  local keys = redis.call('keys', '*')
  table.sort(keys)
  for _, key in ipairs(keys) do
    local kind = redis.call('type', key).ok
    local value
    if kind == 'string' then value = {redis.call('get', key)}
    elseif kind == 'list' then value = redis.call('lrange', key, 0, -1)
    elseif kind == 'set' then value = redis.call('smembers', key); table.sort(value)
    elseif kind == 'zset' then value = redis.call('zrange', key, 0, -1, 'withscores')
    elseif kind == 'hash' then
      local fields = redis.call('hkeys', key); table.sort(fields); value = {}
      for _, f in ipairs(fields) do table.insert(value, f .. '=' .. redis.call('hget', key, f)) end
    elseif kind == 'stream' then
      value = {}
      for _, entry in ipairs(redis.call('xrange', key, '-', '+')) do table.insert(value, entry[1] .. '=' .. table.concat(entry[2], ',')) end
    end
    table.insert(out, db .. ' ' .. kind .. ' ' .. key .. ' ' .. redis.call('pexpiretime', key) .. ' ' .. #value .. ' ' .. table.concat(value, '|'))
  end
end
return out`
	return thing{
		name: "cache", accessory: "cache", host: "vm1", volume: "cache_data",
		command: "redis-cli -e --eval /dev/stdin",
		ready:   "return 1",
		fill: `
for n = 1, 20000 do redis.call('set', 'key:' .. n, 'value ' .. n) end
redis.call('set', 'binary \0 \255 \r\n key', '\0\1\2\255 日本語')
redis.call('set', 'large', string.rep('large ', 200000))
redis.call('set', 'empty', '')
for n = 1, 1000 do
  redis.call('hset', 'hash', 'field ' .. n, n)
  redis.call('zadd', 'board', n / 3, 'member ' .. n)
  redis.call('rpush', 'list', n)
  redis.call('sadd', 'set', n)
  redis.call('xadd', 'stream', n .. '-1', 'n', n)
end
redis.call('zadd', 'ends', '-inf', 'low', 'inf', 'high')
redis.call('pexpireat', 'key:1', 4102444800123)
redis.call('select', 3)
redis.call('set', 'other', 'in database 3')
`,
		dump:  dump,
		spoil: "redis.call('set', 'junk', 1) redis.call('del', 'hash', 'stream') redis.call('set', 'key:2', 'spoiled')",
		lose:  "return redis.call('flushall')",
	}
}

func sqliteThing() thing {
	return thing{
		name: "ledger", host: "vm1", command: "sqlite3 -bail " + lab.BackupSQLite, ready: "SELECT 1;",
		fill: `
PRAGMA journal_mode = WAL;
CREATE TABLE people (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT, raw BLOB, ratio REAL, any);
WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 20000)
INSERT INTO people (name, raw, ratio, any) SELECT CASE n % 7 WHEN 0 THEN NULL WHEN 1 THEN '' ELSE '` + hardText + ` ' || n END, unhex_of.b, n / 3.0, CASE n % 2 WHEN 0 THEN n ELSE 'text' END
FROM n, (SELECT x'00ff0a0d5c27' AS b) unhex_of;
CREATE TABLE "Odd ""table"" $1" ("select" INT PRIMARY KEY, "Größe" TEXT) WITHOUT ROWID;
INSERT INTO "Odd ""table"" $1" VALUES (1, replace(hex(zeroblob(500000)), '00', 'large ')), (2, NULL);
CREATE INDEX named ON people (name) WHERE name IS NOT NULL;
CREATE VIEW named_people AS SELECT * FROM people WHERE name <> '';
CREATE TRIGGER touch AFTER UPDATE ON people BEGIN INSERT INTO "Odd ""table"" $1" VALUES (100 + new.id, 'touched'); END;
PRAGMA user_version = 42;
`,
		dump:  ".dump\nPRAGMA user_version;\n",
		spoil: "UPDATE people SET name = 'gone' WHERE id < 50; DROP VIEW named_people; CREATE TABLE junk (id);",
		lose:  ".shell rm -f /data/app.sqlite3 /data/app.sqlite3-wal /data/app.sqlite3-shm\n",
		left:  ".shell ls /data | grep binnacle | grep -v binnacle_before || true\n",
	}
}

func filesThing() thing {
	return thing{
		name: "files", accessory: "files", host: "vm2", volume: "files_data", command: "sh", ready: "true",
		fill: `set -e
cd /srv/files
mkdir -p 'a folder/deep/er' empty
for n in $(seq 1 300); do echo "file $n" > "a folder/$n.txt"; done
printf 'line\nbreak \377\000 binary' > '日本語 "quoted" $1.bin'
: > none
dd if=/dev/zero of=large bs=1024 count=3000 2>/dev/null
ln -s 'a folder/1.txt' link; ln -s /nowhere dangling; ln 'a folder/2.txt' hard
chmod 600 none; chmod 4755 large; chown 1234:5678 link none 'a folder/deep'; chmod 1777 empty
touch -d '2001-02-03 04:05:06' 'a folder/3.txt' empty
`,
		dump: `cd /srv/files && find . ! -path './.binnacle*' | sort | while IFS= read -r f; do
  [ "$f" != . ] || { stat -c '%A %u:%g' . && continue; }
  case $(stat -c %F "$f") in
    *link) echo "$(stat -c '%A %u:%g' "$f") $f -> $(readlink "$f")" ;;
    directory) stat -c '%A %u:%g %Y %n' "$f" ;;
    *) echo "$(stat -c '%A %u:%g %h %s %Y' "$f") $(sha256sum < "$f") $f" ;;
  esac
done
`,
		spoil: "cd /srv/files && rm -rf 'a folder' large && echo junk > junk && echo changed > none",
		lose:  "cd /srv/files && find . -mindepth 1 -delete 2>/dev/null || rm -rf /srv/files/* /srv/files/.[!.]*",
		left:  "ls -a /srv/files /srv | grep binnacle | grep -v binnacle_before || true",
	}
}
