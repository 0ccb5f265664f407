package config

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// shopHead is a valid file but for what a test adds.
const shopHead = `service: shop
image: acme/shop
servers: [ vm1, vm2 ]
registry: { username: u, password: [ P ] }
builder: { arch: amd64 }
`

const databases = `accessories:
  db:
    image: postgres:16
    host: vm3
    env: { clear: { POSTGRES_DB: shop_production }, secret: [ POSTGRES_PASSWORD ] }
    directories: [ "data:/var/lib/postgresql/data" ]
  cache:
    image: redis:7
    hosts: [ vm1, vm2 ]
  search:
    image: elasticsearch:8
    host: vm3
    volumes: [ "es:/usr/share/elasticsearch/data", "/etc/es.yml:/es.yml:ro" ]
`

func tellBackup(b Backup) string {
	of := b.Accessory
	if b.Role != "" {
		of = "role " + b.Role
	}
	return strings.TrimSpace(fmt.Sprintf("%s: %s of %s on %s %s", b.Name, b.Engine, of, b.Host, b.Database+b.URL))
}

func tellBackups(backups []Backup) string {
	lines := make([]string, len(backups))
	for i, b := range backups {
		lines[i] = tellBackup(b)
	}
	return strings.Join(lines, "\n")
}

func TestFoundBackups(t *testing.T) {
	image := func(name string) string {
		return "accessories: { db: { image: " + name + ", host: h } }\n"
	}
	env := func(clear string) string {
		return "accessories: { db: { image: postgres, host: h, env: " + clear + " } }\n"
	}
	tests := []struct{ name, text, want string }{
		{"nothing", "", ""},
		{"all", databases, "db: postgres of db on vm3 shop_production\ncache-vm1: redis of cache on vm1\ncache-vm2: redis of cache on vm2"},
		{"tag and digest", image("registry.internal:5000/library/postgres:16@sha256:00"), "db: postgres of db on h"},
		{"port of a registry", image("postgres:5000/app"), ""},
		{"postgis", image("postgis/postgis:16-3.4"), "db: postgres of db on h"},
		{"pgvector", image("pgvector/pgvector:pg16"), "db: postgres of db on h"},
		{"timescale", image("timescale/timescaledb-ha"), "db: postgres of db on h"},
		{"supabase", image("supabase/postgres:15"), "db: postgres of db on h"},
		{"mariadb", image("mariadb:11"), "db: mysql of db on h"},
		{"percona", image("percona/percona-server:8"), "db: mysql of db on h"},
		{"valkey", image("valkey/valkey:8-alpine"), "db: redis of db on h"},
		{"a pooler is no database", image("edoburu/pgbouncer"), ""},
		{"dragonfly dumps otherwise", image("docker.dragonflydb.io/dragonflydb/dragonfly"), ""},
		{"user's own database", env("{ POSTGRES_USER: shop }"), "db: postgres of db on h shop"},
		{"a secret name is asked for in the container", env("{ clear: { POSTGRES_USER: shop }, secret: [ POSTGRES_DB ] }"), "db: postgres of db on h"},
		{"mysql's database", "accessories: { db: { image: mysql, host: h, env: { MYSQL_DATABASE: shop } } }\n", "db: mysql of db on h shop"},
		{"DATABASE_URL, secret", "env: { secret: [ DATABASE_URL ] }\n", "database: postgres of role web on vm1 DATABASE_URL"},
		{"DATABASE_URL, clear", "env: { DATABASE_URL: 'mysql2://db.internal/shop' }\n", "database: mysql of role web on vm1 DATABASE_URL"},
		{"DATABASE_URL of a file", "env: { DATABASE_URL: 'sqlite3:///rails/storage/p.sqlite3?pool=5' }\n", "database: sqlite of role web on vm1 /rails/storage/p.sqlite3"},
		{"DATABASE_URL of an unknown server", "env: { DATABASE_URL: 'sqlserver://x' }\n", ""},
		{"DATABASE_URL beside a database", "env: { secret: [ DATABASE_URL ] }\n" + image("postgres"), "db: postgres of db on h"},
		{"DATABASE_URL beside a cache", "env: { secret: [ DATABASE_URL ] }\n" + image("redis"), "db: redis of db on h\ndatabase: postgres of role web on vm1 DATABASE_URL"},
		{"names are told apart", "accessories:\n  db: { image: redis, hosts: [ a, b ] }\n  db-a: { image: redis, host: c }\n",
			"db-a: redis of db on a\ndb-b: redis of db on b\ndb-a-2: redis of db-a on c"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := loadText(t, shopHead+test.text, Options{Version: "v1"})
			if got := tellBackups(c.Backups()); got != test.want {
				t.Errorf("got\n%s\nwant\n%s", got, test.want)
			}
			for _, b := range c.Backups() {
				if b.Store != (Store{Name: "local", Type: LocalStore}) || b.Check.MaxAge != 26*time.Hour || b.Check.Drill != 30*24*time.Hour || b.Found == "" {
					t.Errorf("settings %+v", b)
				}
			}
		})
	}
}

func TestEntriesOverWhatIsFound(t *testing.T) {
	tests := []struct{ name, entries, want string }{
		{"more of one", "db: { schedule: 0 2 * * * }", "db: postgres of db on vm3 shop_production\ncache-vm1: redis of cache on vm1\ncache-vm2: redis of cache on vm2"},
		{"another name", "main: { accessory: db }", "main: postgres of db on vm3 shop_production\ncache-vm1: redis of cache on vm1\ncache-vm2: redis of cache on vm2"},
		{"another database besides", "stats: { accessory: db, database: stats }",
			"db: postgres of db on vm3 shop_production\ncache-vm1: redis of cache on vm1\ncache-vm2: redis of cache on vm2\nstats: postgres of db on vm3 stats"},
		{"one of several hosts by its name", "cache-vm1: { skip: true }\ncache-vm2: { schedule: 0 1 * * * }", "db: postgres of db on vm3 shop_production\ncache-vm2: redis of cache on vm2"},
		{"all hosts", "cache: { skip: true }", "db: postgres of db on vm3 shop_production"},
		{"one of several hosts", "cache: { host: vm2 }", "db: postgres of db on vm3 shop_production\ncache-vm1: redis of cache on vm1\ncache: redis of cache on vm2"},
		{"a folder", "search: { engine: volume, database: /data }",
			"db: postgres of db on vm3 shop_production\ncache-vm1: redis of cache on vm1\ncache-vm2: redis of cache on vm2\nsearch: volume of search on vm3 /data"},
		{"a folder besides a database", "files: { accessory: db, engine: volume, database: /files }",
			"db: postgres of db on vm3 shop_production\ncache-vm1: redis of cache on vm1\ncache-vm2: redis of cache on vm2\nfiles: volume of db on vm3 /files"},
		{"a file of the app", "app: { engine: sqlite, database: /s/p.sqlite3 }\ncache: { skip: true }", "db: postgres of db on vm3 shop_production\napp: sqlite of role web on vm1 /s/p.sqlite3"},
		{"on a host of the app", "app: { engine: sqlite, database: /s/p.sqlite3, host: vm2 }\ncache: { skip: true }", "db: postgres of db on vm3 shop_production\napp: sqlite of role web on vm2 /s/p.sqlite3"},
		{"a server elsewhere", "far: { engine: mysql, url: FAR_URL }\ncache: { skip: true }", "db: postgres of db on vm3 shop_production\nfar: mysql of role web on vm1 FAR_URL"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := loadText(t, shopHead+databases+"x-binnacle:\n  backups:\n"+indent(test.entries), Options{Version: "v1"})
			if got := tellBackups(c.Backups()); got != test.want {
				t.Errorf("got\n%s\nwant\n%s", got, test.want)
			}
		})
	}
}

func TestSkippingAnotherDatabaseKeepsTheOneThatWasFound(t *testing.T) {
	text := strings.Replace(databases, "clear: { POSTGRES_DB: shop_production }, secret: [ POSTGRES_PASSWORD ]", "secret: [ POSTGRES_DB ]", 1)
	c := loadText(t, shopHead+text+"x-binnacle:\n  backups:\n    old: { accessory: db, database: old, skip: true }\n", Options{Version: "v1"})
	if _, ok := c.Backup("db"); !ok {
		t.Errorf("db is lost: %s", tellBackups(c.Backups()))
	}
}

func TestSettingsOfBackups(t *testing.T) {
	c := loadText(t, shopHead+databases+`x-binnacle:
  stores:
    nas: { type: ssh, host: nas, user: backup, port: 2222, path: /srv/b }
    s3: { type: s3, bucket: b, prefix: /shop/, endpoint: "https://s3.example.com", region: eu, path_style: true, sse: aws:kms, kms_key: k, access_key: AK, secret_key: SK }
    here: { type: local, path: kept }
  backups:
    "*":
      store: s3
      schedule: "*/5  2 * * *"
      retain: { last: 3, daily: 7 }
      encrypt: { recipients: age1aaa, identity: ~/key }
      check: { max_age: 2d }
    db: { store: nas, retain: { daily: 14 }, encrypt: [ age1bbb, "ssh-ed25519 AAAA me" ], check: { drill: 2w, sql: select 1 } }
    cache-vm1: { schedule: false, encrypt: false, retain: false, store: here }
`, Options{Version: "v1", Env: func(name string) (string, bool) { return "/home/me", name == "HOME" }})
	db, _ := c.Backup("db")
	if db.Schedule != "*/5 2 * * *" || db.Retain != (Retain{Last: 3, Daily: 14}) || db.Check != (BackupCheck{MaxAge: 48 * time.Hour, Drill: 14 * 24 * time.Hour, SQL: "select 1"}) {
		t.Errorf("db %+v", db)
	}
	if !slices.Equal(db.Encrypt.Recipients, []string{"age1bbb", "ssh-ed25519 AAAA me"}) || db.Encrypt.Identity != "" || db.Store.Location() != "ssh://backup@nas:2222/srv/b" {
		t.Errorf("db %+v", db)
	}
	first, _ := c.Backup("cache-vm1")
	if first.Schedule != "" || len(first.Encrypt.Recipients) != 0 || first.Retain != (Retain{}) || first.Store.Path != filepath.Join(c.Dir(), "kept") {
		t.Errorf("what * says is not taken back: %+v", first)
	}
	second, _ := c.Backup("cache-vm2")
	want := Store{Name: "s3", Type: S3Store, Path: "shop", Bucket: "b", Endpoint: "https://s3.example.com", Region: "eu", PathStyle: true, SSE: "aws:kms", KMSKey: "k", AccessKey: "AK", SecretKey: "SK"}
	if second.Store != want || second.Store.Location() != "s3://b/shop" || second.Encrypt.Identity != "/home/me/key" || !slices.Equal(second.Encrypt.Recipients, []string{"age1aaa"}) {
		t.Errorf("cache-vm2 %+v", second)
	}
	if names := []string{c.Stores()[0].Name, c.Stores()[1].Name, c.Stores()[2].Name}; !slices.Equal(names, []string{"nas", "s3", "here"}) {
		t.Errorf("stores %q", names)
	}
}

func TestTheOnlyStoreIsEverybodys(t *testing.T) {
	c := loadText(t, shopHead+databases+"x-binnacle: { stores: { s3: { type: s3, bucket: b } } }\n", Options{Version: "v1"})
	for _, b := range c.Backups() {
		if b.Store.Location() != "s3://b" {
			t.Errorf("%s goes to %q", b.Name, b.Store.Location())
		}
	}
}

func TestMigrateSettings(t *testing.T) {
	rails := Migrate{Command: "bin/rails db:migrate", Status: "bin/rails db:migrate:status", Rollback: "bin/rails db:rollback STEP=%d", Role: "web", Timeout: 30 * time.Minute, LockTimeout: 30 * time.Second}
	without := rails
	without.LockTimeout, without.LockTimeoutSet = 0, true
	tests := []struct {
		name, text string
		want       Migrate
	}{
		{"nothing", "{}", rails},
		{"all", "{ command: go, status: st, rollback: back %d, role: web, timeout: 1h, lock_timeout: 5s, backup_within: 2d, backup: db }",
			Migrate{Command: "go", Status: "st", Rollback: "back %d", Role: "web", Timeout: time.Hour, LockTimeout: 5 * time.Second, LockTimeoutSet: true, BackupWithin: 48 * time.Hour, Backup: "db"}},
		{"another tool's status is not Rails's", "{ command: python manage.py migrate }", Migrate{Command: "python manage.py migrate", Role: "web", Timeout: 30 * time.Minute, LockTimeout: 30 * time.Second}},
		{"no limit for locks", "{ lock_timeout: 0 }", without},
		{"nor in seconds", "{ lock_timeout: 0s }", without},
	}
	for _, test := range tests {
		c := loadText(t, shopHead+databases+"x-binnacle: { migrate: "+test.text+" }\n", Options{Version: "v1"})
		if got := c.Migrate(); got != test.want {
			t.Errorf("%s: %+v", test.name, got)
		}
	}
	c := loadText(t, "service: s\nimage: i\nregistry: { username: u, password: [ P ] }\nbuilder: { arch: amd64 }\n"+databases[:strings.Index(databases, "  cache:")], Options{Version: "v1"})
	if got := c.Migrate(); got.Role != "" || !got.Assumed {
		t.Errorf("without roles and settings: %+v", got)
	}
}

func TestUnprotected(t *testing.T) {
	const storage = "volumes: [ 'storage:/rails/storage', '/etc/x:/x:ro', '/var/run/docker.sock:/var/run/docker.sock' ]\n"
	tests := []struct{ name, text, want string }{
		{"an engine that is not known", databases, "accessory search: /usr/share/elasticsearch/data"},
		{"its folder is saved", databases + "x-binnacle: { backups: { search: { engine: volume, database: /usr/share } } }\n", ""},
		{"another of its folders is saved", databases + "x-binnacle: { backups: { search: { engine: volume, database: /other } } }\n", "accessory search: /usr/share/elasticsearch/data"},
		{"left out on purpose", databases + "x-binnacle: { backups: { search: { skip: true } } }\n", ""},
		{"a database left out on purpose", databases + "x-binnacle: { backups: { db: { skip: true }, search: { skip: true } } }\n", ""},
		{"volume of the app", storage, "app: /rails/storage"},
		{"a file in it is saved", storage + "x-binnacle: { backups: { app: { engine: sqlite, database: /rails/storage/p.sqlite3 } } }\n", "app: /rails/storage, but for /rails/storage/p.sqlite3"},
		{"volume of the app is saved", storage + "x-binnacle: { backups: { files: { engine: volume, database: /rails/storage, pause: true } } }\n", ""},
	}
	for _, test := range tests {
		c := loadText(t, shopHead+test.text, Options{Version: "v1"})
		if got := strings.Join(c.Unprotected(), "\n"); got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}

func TestExtensionProblems(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"root key", "backup: {}", "7:3: x-binnacle: unknown key: backup (backup (line 7): did you mean backups?)"},
		{"nothing", "stores:", "7:10: x-binnacle/stores: should be a hash"},
		{"store key", "stores: { a: { type: s3, bucket: b, acces_key: x } }", "7:39: x-binnacle/stores/a: unknown key: acces_key (acces_key (line 7): did you mean access_key?)"},
		{"key of another store", "stores: { a: { type: local, path: p, bucket: b } }", "7:40: x-binnacle/stores/a: unknown key: bucket"},
		{"store type", "stores: { a: { type: S3 } }", "7:24: x-binnacle/stores/a/type: should be local or s3 or ssh (did you mean s3?)"},
		{"store without type", "stores: { a: { path: p } }", "7:16: x-binnacle/stores/a/type: is required"},
		{"store name", "stores: { a/b: { type: local, path: p } }", "7:13: x-binnacle/stores/a/b: the name should be of letters"},
		{"bucket missing", "stores: { a: { type: s3 } }", "7:16: x-binnacle/stores/a/bucket: is required"},
		{"ssh folder missing", "stores: { a: { type: ssh, host: h } }", "7:16: x-binnacle/stores/a/path: is required"},
		{"port", "stores: { a: { type: ssh, host: h, path: p, port: 70000 } }", "7:53: x-binnacle/stores/a/port: should be between 1 and 65535"},
		{"endpoint", "stores: { a: { type: s3, bucket: b, endpoint: s3.example.com } }", "7:49: x-binnacle/stores/a/endpoint: should be a URL"},
		{"half of the credentials", "stores: { a: { type: s3, bucket: b, access_key: A } }", "7:16: x-binnacle/stores/a/secret_key: is required"},
		{"kms key alone", "stores: { a: { type: s3, bucket: b, kms_key: k } }", "7:48: x-binnacle/stores/a/kms_key: has no effect without aws:kms"},
		{"unknown store", "backups: { db: { store: nas } }", "7:27: x-binnacle/backups/db/store: there is no store nas (the stores are local)"},
		{"several stores", "stores: { a: { type: local, path: a }, b: { type: local, path: b } }", "7:11: x-binnacle/backups/db/store: has to name one of several stores (write store: with one of a, b"},
		{"key of an entry", "backups: { db: { shedule: 0 2 * * * } }", "7:20: x-binnacle/backups/db: unknown key: shedule (shedule (line 7): did you mean schedule?)"},
		{"key of a check", "backups: { db: { check: { maxage: 1h } } }", "7:29: x-binnacle/backups/db/check: unknown key: maxage"},
		{"key of all", "backups: { '*': { database: x } }", "7:21: x-binnacle/backups/*: unknown key: database"},
		{"sql for all", "backups: { '*': { check: { sql: x } } }", "7:30: x-binnacle/backups/*/check: unknown key: sql"},
		{"problem of all is told once", "backups: { '*': { check: { max_age: 26 } } }", "7:39: x-binnacle/backups/*/check/max_age: should be a duration (write a number with a unit: 90s, 45m, 26h, 30d, 2w)"},
		{"duration", "backups: { db: { check: { drill: 0d } } }", "7:36: x-binnacle/backups/db/check/drill: should be longer than nothing"},
		{"schedule", "backups: { db: { schedule: 0 26 * * * } }", `7:30: x-binnacle/backups/db/schedule: the hour of "0 26 * * *": "26" is not between 0 and 23`},
		{"retain", "backups: { db: { retain: { daily: -1 } } }", "7:37: x-binnacle/backups/db/retain/daily: should be between 0 and 10000"},
		{"retain nothing", "backups: { db: { retain: {} } }", "7:28: x-binnacle/backups/db/retain: keeps nothing"},
		{"retain text", "backups: { db: { retain: { last: 3d } } }", "7:36: x-binnacle/backups/db/retain/last: should be an integer"},
		{"engine", "backups: { db: { engine: postgresql } }", "7:28: x-binnacle/backups/db/engine: should be postgres or mysql or redis or sqlite or volume (did you mean postgres?)"},
		{"no engine", "backups: { search: {} }", "7:14: x-binnacle/backups/search/engine: is required"},
		{"unknown accessory", "backups: { x: { accessory: bd } }", "7:30: x-binnacle/backups/x/accessory: there is no accessory bd (the accessories are db, cache, search)"},
		{"unknown role", "backups: { x: { engine: sqlite, role: jobs, database: /d } }", "7:41: x-binnacle/backups/x/role: there is no role jobs (the roles are web)"},
		{"two places", "backups: { x: { accessory: db, role: web } }", "7:14: x-binnacle/backups/x: is either an accessory's or a role's"},
		{"host", "backups: { db: { host: vm1 } }", "7:26: x-binnacle/backups/db/host: it does not run on vm1 (its hosts are vm3)"},
		{"relative path", "backups: { x: { engine: sqlite, database: storage/p } }", "7:45: x-binnacle/backups/x/database: should be the full path"},
		{"nowhere", "backups: { x: { engine: mysql } }", "7:14: x-binnacle/backups/x/url: is required"},
		{"an address for a variable", "backups: { x: { engine: mysql, url: 'mysql://u:hunter2@h/x' } }", "7:39: x-binnacle/backups/x/url: should be the name of a variable"},
		{"url of an accessory", "backups: { db: { accessory: db, url: DATABASE_URL } }", "7:40: x-binnacle/backups/db/url: is for a server that a role reaches"},
		{"pause", "backups: { db: { pause: true } }", "7:27: x-binnacle/backups/db/pause: is for volumes"},
		{"sql of a cache", "backups: { cache: { check: { sql: x } } }", "7:30: x-binnacle/backups/cache/check: sql is for databases"},
		{"skip a typo", "backups: { dbb: { skip: true } }", "7:14: x-binnacle/backups/dbb: skips nothing: nothing of that name is found (there is db, cache-vm1, cache-vm2)"},
		{"same name twice", "backups: { cache-vm1: { engine: sqlite, role: web, database: /d }, cache: {} }", "7:70: x-binnacle/backups/cache-vm1: two backups would have this name"},
		{"recipient", "backups: { db: { encrypt: bob } }", "7:29: x-binnacle/backups/db/encrypt: should be a recipient"},
		{"nobody", "backups: { db: { encrypt: [] } }", "7:29: x-binnacle/backups/db/encrypt: should name somebody"},
		{"identity alone", "backups: { db: { encrypt: { identity: f } } }", "7:29: x-binnacle/backups/db/encrypt/recipients: is required"},
		{"two identities", "backups: { db: { encrypt: { recipients: age1a, identity: f, identity_secret: S } } }", "7:29: x-binnacle/backups/db/encrypt: has two identities"},
		{"lock timeout", "migrate: { lock_timeout: 30 }", "7:28: x-binnacle/migrate/lock_timeout: should be a duration"},
		{"migrate role", "migrate: { role: jobs }", "7:20: x-binnacle/migrate/role: there is no role jobs"},
		{"migrate backup", "migrate: { backup: dbb }", "7:22: x-binnacle/migrate/backup: there is no backup dbb (the backups are db, cache-vm1, cache-vm2)"},
		{"migrate key", "migrate: { comand: x }", "7:14: x-binnacle/migrate: unknown key: comand (comand (line 7): did you mean command?)"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			for _, strict := range []bool{true, false} {
				options := testProject(t, shopHead+"x-binnacle:\n  "+test.text+"\n"+databases, Options{Strict: strict})
				_, _, err := Load(t.Context(), options)
				if err == nil {
					t.Fatal("no error")
				}
				problems := problemsOf(t, err)
				got := strings.TrimPrefix(problems[0].Error(), filepath.Join(options.Dir, "config", "deploy.yml")+":")
				if !strings.HasPrefix(got, test.want) {
					t.Errorf("got  %s\nwant %s", got, test.want)
				}
				if problems[0].Hint == "" || problems[0].Key() == "" {
					t.Errorf("no hint or key: %#v", problems[0])
				}
			}
		})
	}
}

func TestProblemsDoNotRepeatKeys(t *testing.T) {
	for _, text := range []string{
		"stores: { a: { type: s3, bucket: b, access_key: AKIAIOSFODNN7EXAMPLE, secret_key: wJalr/AKIAIOSFODNN7EXAMPLE } }",
		"backups: { db: { encrypt: AGE-SECRET-KEY-AKIAIOSFODNN7EXAMPLE } }",
		"backups: { db: { encrypt: { recipients: age1a, identity: AGE-SECRET-KEY-AKIAIOSFODNN7EXAMPLE } } }",
		"backups: { db: { url: 'postgres://u:AKIAIOSFODNN7EXAMPLE@h/x' } }",
		"stores: { a: { type: s3, bucket: b, endpoint: 'https://u:AKIAIOSFODNN7EXAMPLE@h' } }",
	} {
		_, _, err := Load(t.Context(), testProject(t, shopHead+databases+"x-binnacle: { "+text+" }\n", Options{}))
		if err == nil || strings.Contains(err.Error(), "AKIAIOSFODNN7EXAMPLE") {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestExtensionOfADestination(t *testing.T) {
	options := testProject(t, shopHead+databases+`x-binnacle:
  stores: { s3: { type: s3, bucket: b, prefix: p } }
  backups:
    db: { schedule: 0 2 * * *, retain: { last: 3, daily: 7 } }
`, Options{Destination: "staging", Strict: true})
	staging := filepath.Join(options.Dir, "config", "deploy.staging.yml")
	writeFile(t, staging, "x-binnacle:\n  stores: { s3: { prefix: s } }\n  backups: { db: { retain: { last: 1 }, schedule: false } }\n")
	c, _, err := Load(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	db, _ := c.Backup("db")
	if db.Schedule != "" || db.Retain != (Retain{Last: 1, Daily: 7}) || db.Store.Location() != "s3://b/s" {
		t.Errorf("db %+v", db)
	}
	writeFile(t, staging, "\n\nx-binnacle:\n  backups: { db: { stor: s3 } }\n")
	_, _, err = Load(t.Context(), options)
	if problem := problemsOf(t, err)[0]; problem.File != staging || problem.Line != 4 {
		t.Errorf("blames %s", problem)
	}
}

func TestDocsOfTheExtensionAreValid(t *testing.T) {
	text, _ := Doc("x-binnacle")
	text = strings.NewReplacer("      access_key: S3_ACCESS_KEY\n", "", "      secret_key: S3_SECRET_KEY\n", "", "        identity_secret: BACKUP_IDENTITY\n", "",
		"      role: web\n      host: 10.0.0.5\n", "", "      url: DATABASE_URL\n", "").Replace(text)
	c := loadText(t, shopHead+databases+text, Options{Version: "v1"})
	if db, ok := c.Backup("db"); !ok || db.Store.Name != "offsite" || db.Schedule == "" {
		t.Errorf("db %+v", db)
	}
}

func TestDurations(t *testing.T) {
	for text, want := range map[string]time.Duration{"90s": 90 * time.Second, "45m": 45 * time.Minute, "26h": 26 * time.Hour, "30d": 720 * time.Hour, "2w": 336 * time.Hour} {
		if got, err := ParseDuration(text); err != nil || got != want {
			t.Errorf("%s: %s, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "5", "h", "-1h", "1.5h", "1h30m", "1y", " 1h", "99999999999999999999s", "9999999w"} {
		if got, err := ParseDuration(text); err == nil {
			t.Errorf("%q: %s", text, got)
		}
	}
}

func indent(lines string) string {
	return "    " + strings.ReplaceAll(lines, "\n", "\n    ") + "\n"
}
