package sim

import (
	"strings"
	"testing"
	"time"
)

// What a person may type in the demo's database containers.
func TestDatabaseClients(t *testing.T) {
	t.Parallel()
	f := start(t, Options{Hosts: 2, Visitors: -1, Clock: fast()})
	const sql, keys = "docker exec -i fhirlinebot-db psql -U postgres -d fhirlinebot_production ", "docker exec -i fhirlinebot-redis redis-cli "
	for _, c := range []struct {
		line string
		in   string
		out  string
		err  string
		code int
	}{
		{line: sql + "-c 'SELECT id, email FROM users WHERE id < 3 ORDER BY id DESC'", out: " id |       email\n----+-------------------\n  2 | user2@example.com\n  1 | user1@example.com\n(2 rows)\n\n"},
		{line: sql + "-Atc 'select count(*) from claims; select count(*) > 5 from users'", out: "2600\nt\n"},
		{line: sql + "-At -F , -c \"SELECT email, id FROM users WHERE email LIKE 'user1%' AND id <> 1 LIMIT 1\"", out: "user10@example.com,10\n"},
		{line: sql, in: "UPDATE users SET email = 'user' || id || '@example.invalid' WHERE id >= 13;\nDELETE FROM users\n WHERE id < 12;\nSELECT email FROM users -- all of them\n", out: "UPDATE 2\nDELETE 11\n         email\n------------------------\n user12@example.com\n user13@example.invalid\n user14@example.invalid\n(3 rows)\n\n"},
		{line: sql + "-q -v ON_ERROR_STOP=1", in: "BEGIN;\nDELETE FROM claims;\nDELETE FROM nothing;\nCOMMIT;\n", err: "ERROR:  relation \"nothing\" does not exist\n", code: 3},
		{line: sql + "-Atqc 'BEGIN; DELETE FROM patients; ROLLBACK; SELECT count(*) FROM claims; SELECT count(*) FROM patients'", out: "2600\n1200\n"},
		{line: sql + "-c 'SELECT nothing FROM users'", err: "ERROR:  column \"nothing\" does not exist\n", code: 1},
		{line: sql + "-c 'UPDATE users SET email'", err: "ERROR:  syntax error at end of input\n", code: 1},
		{line: sql + "-c 'DROP DATABASE fhirlinebot_production'", err: "cannot drop the currently open database", code: 1},
		{line: "docker exec fhirlinebot-db psql -U postgres -c 'DROP DATABASE fhirlinebot_production'", err: "DETAIL:  There are 3 other sessions using the database.", code: 1},
		{line: "docker exec fhirlinebot-db psql -U postgres -c 'DROP DATABASE fhirlinebot_production WITH (FORCE)'", out: "DROP DATABASE\n"},
		{line: "docker exec fhirlinebot-db psql -l", err: "FATAL:  role \"root\" does not exist", code: 2},
		{line: sql + "-c 'SELECT 1'", err: "FATAL:  database \"fhirlinebot_production\" does not exist", code: 2},

		{line: keys + "DBSIZE", out: "484\n"},
		{line: keys + "-n 1", in: "GET stat:processed\nSET \"a \\\"b\" \"\"\nKEYS a*\nDEL stat:failed nothing\nDBSIZE\n", out: "184213\nOK\na \"b\n1\n62\n"},
		{line: keys + "INFO keyspace | tr -d '\\r'", out: "# Keyspace\ndb0:keys=484,expires=0,avg_ttl=0,subexpiry=0\ndb1:keys=62,expires=0,avg_ttl=0,subexpiry=0\ndb2:keys=9,expires=0,avg_ttl=0,subexpiry=0\n\n"},
		{line: keys + "LPUSH a b", out: "ERR unknown command 'LPUSH', with args beginning with: a b\n"},
		{line: keys + "-p 7777 PING", err: "Could not connect to Redis at 127.0.0.1:7777: Connection refused\n", code: 1},
		{line: keys + "FLUSHALL; " + keys + "DBSIZE", out: "OK\n0\n"},
		{line: "docker restart fhirlinebot-redis >/dev/null; " + keys + "DBSIZE", out: "0\n"},
		{line: "docker run -d --name locked --network kamal redis:7 redis-server --requirepass hush >/dev/null; docker exec locked redis-cli PING; docker exec locked redis-cli -a hush PING", out: noAuth + "\nPONG\n"},
	} {
		out, errOut, code := f.sshIn(t, "web-1", c.line, c.in)
		if out != c.out || code != c.code || c.err == "" && errOut != "" || !strings.Contains(errOut, c.err) {
			t.Errorf("%s (%d)\n%s%s\nwant (%d)\n%s%s", c.line, code, out, errOut, c.code, c.out, c.err)
		}
	}
}

// What a killed server had not saved is gone; what it had is there.
func TestRedisRemembersWhatItSaved(t *testing.T) {
	t.Parallel()
	f := start(t, Options{Hosts: 2, Visitors: -1, Clock: fast()})
	const keys = "docker exec fhirlinebot-redis redis-cli "
	f.ssh(t, "web-1", keys+"SET saved 1; "+keys+"SAVE; "+keys+"SET lost 1; docker kill fhirlinebot-redis; docker start fhirlinebot-redis")
	if out, _, _ := f.ssh(t, "web-1", keys+"GET saved; "+keys+"GET lost"); out != "1\n\n" {
		t.Errorf("after a kill: %q", out)
	}
	if err := f.SetFault("web-1", FullDisk, true); err != nil {
		t.Fatal(err)
	}
	if out, _, _ := f.ssh(t, "web-1", keys+"BGSAVE; "+keys+"INFO persistence | grep -c bgsave_status:err"); out != "Background saving started\n1\n" {
		t.Errorf("on a full disk: %q", out)
	}
}

func TestDumpOfKeys(t *testing.T) {
	t.Parallel()
	want := demoKeys()
	want.set(3, "long", strings.Repeat("x", 70_000))
	want.set(3, "", "")
	dump := want.rdb(time.Unix(1_800_000_000, 0))
	got, err := readRDB(dump)
	if err != nil || string(got.rdb(time.Unix(1_800_000_000, 0))) != string(dump) || got[3]["long"] != want[3]["long"] {
		t.Fatalf("reads %d databases, %v", len(got), err)
	}
	for _, at := range []int{0, len(dump) / 2, len(dump) - 1} {
		dump[at] ^= 4
		if _, err := readRDB(dump); err == nil {
			t.Errorf("a bit flipped at %d is not found", at)
		}
		dump[at] ^= 4
	}
}
