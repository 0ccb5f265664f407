//go:build e2e

package backup_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"binnacle/config"
	"binnacle/ops"
	"binnacle/ops/backup"
)

const redisPassword = `planted"se\cret`

// startRedis runs a server with the arguments on a network of its own.
func startRedis(t *testing.T, password string, arguments ...string) *server {
	t.Helper()
	network := fmt.Sprintf("binnacle-engine-%d", time.Now().UnixNano())
	if out, err := exec.Command("docker", "network", "create", network).CombinedOutput(); err != nil {
		t.Fatalf("%s", out)
	}
	t.Cleanup(func() { _ = exec.Command("docker", "network", "rm", network).Run() })
	options := []string{"--network", network}
	if password != "" {
		options = append(options, "-e", "REDIS_PASSWORD="+password)
		arguments = append(arguments, "--requirepass", password)
	}
	s := startWith(t, config.Redis, "redis:7.0", options, append([]string{"redis-server"}, arguments...)...)
	waitUntil(t, "the server is ready", func() bool { return strings.Contains(s.redis(s.Place, "PING"), "PONG") })
	return s
}

// redis runs commands, one a line, and returns the answers.
func (s *server) redis(at backup.Place, commands string) string {
	cmd := exec.Command("docker", "exec", "-i", at.Container, "sh", "-c", `[ ! -r /binnacle/password ] || REDIS_PASSWORD=$(cat /binnacle/password)
[ -z "$REDIS_PASSWORD" ] || { REDISCLI_AUTH=$REDIS_PASSWORD; export REDISCLI_AUTH; }
exec redis-cli`)
	cmd.Stdin = strings.NewReader(commands + "\n")
	out, _ := cmd.CombinedOutput()
	return strings.TrimSpace(string(out))
}

// keys are all keys of a database with their values' digests, sorted.
func (s *server) keys(at backup.Place, database int) string {
	s.t.Helper()
	return s.redis(at, fmt.Sprintf("SELECT %d\nFUNCTION LIST\nEVAL %q 0", database, redisContent))
}

// redisContent sums every key that does not expire; the order within sets and
// hashes is of no matter.
const redisContent = `local out = {} for _, k in ipairs(redis.call('KEYS', '*')) do if redis.call('TTL', k) < 0 then
local kind, value = redis.call('TYPE', k).ok, nil
if kind == 'set' then value = redis.call('SMEMBERS', k) table.sort(value) value = table.concat(value, ',')
elseif kind == 'hash' then value = {} local all = redis.call('HGETALL', k) for i = 1, #all, 2 do value[#value + 1] = all[i] .. '=' .. all[i + 1] end table.sort(value) value = table.concat(value, ',')
else value = redis.call('DUMP', k) end
out[#out + 1] = k .. ' ' .. redis.sha1hex(value) end end table.sort(out) return table.concat(out, '|')`

// fill writes values of every kind.
func (s *server) fill() {
	s.t.Helper()
	var b strings.Builder
	for i := range 500 {
		fmt.Fprintf(&b, "SET text:%d %s\nSET number:%d %d\nLPUSH list:%d a %d %s\nSADD numbers:%d %d %d\nSADD set:%d x y %d\n", i, strings.Repeat("v", i+1), i, i*i*i*i, i, i, strings.Repeat("l", i+1), i, i, i*i, i, i)
		fmt.Fprintf(&b, "ZADD zset:%d 1.5 a -3 b %d c\nHSET hash:%d f %d g %s\nXADD stream:%d * a %d b c\nSET session:%d x EX 1000\n", i, i, i, i, strings.Repeat("h", i%100+1), i, i, i)
	}
	for _, name := range []string{"SADD bigset", "RPUSH biglist"} {
		b.WriteString(name)
		for i := range 2000 {
			fmt.Fprintf(&b, " member:%d", i)
		}
		b.WriteByte('\n')
	}
	b.WriteString("ZADD bigzset")
	for i := range 2000 {
		fmt.Fprintf(&b, " %d.25 m%d", i, i)
	}
	b.WriteString("\nHSET bighash")
	for i := range 2000 {
		fmt.Fprintf(&b, " f%d %s", i, strings.Repeat("compressible", i%9+1))
	}
	b.WriteString("\nXGROUP CREATE stream:1 readers 0\nXREADGROUP GROUP readers me COUNT 1 STREAMS stream:1 >\nXGROUP CREATE stream:2 idle $\n")
	b.WriteString("FUNCTION LOAD \"#!lua name=mine\\nredis.register_function('one', function() return 1 end)\"\n")
	b.WriteString("SELECT 3\nSET other 1\nPFADD hll a b c\nGEOADD geo 13.4 52.5 berlin\nSELECT 7\nSET short x EX 1000\n")
	said := s.redis(s.Place, b.String())
	for line := range strings.Lines(said) {
		if strings.Contains(line, "ERR") {
			s.t.Fatal(line)
		}
	}
}

func TestRedisIsRestoredAsItWas(t *testing.T) {
	for _, persistence := range []struct {
		name      string
		arguments []string
	}{
		{"snapshots", nil},
		{"append-only", []string{"--appendonly", "yes"}},
		{"none", []string{"--save", "", "--appendonly", "no"}},
		{"none at all and a password", []string{"--save", ""}},
	} {
		t.Run(persistence.name, func(t *testing.T) {
			password := ""
			if strings.Contains(persistence.name, "password") {
				password = redisPassword
			}
			s := startRedis(t, password, persistence.arguments...)
			s.fill()
			zero, three := s.keys(s.Place, 0), s.keys(s.Place, 3)
			kept, was := s.dump()
			if got := was.Rows(); got != 500*8+4+3 {
				t.Errorf("%d keys were counted: %v", got, was.Tables)
			}
			sameFacts(t, was, s.look(s.Place))
			if err := s.engine.Read(t.Context(), s.Place, kept); err != nil {
				t.Error(err)
			}

			scratch, err := s.engine.Scratch(t.Context(), s.Place, s.Container+"-scratch", kept)
			if err != nil {
				t.Fatal(err)
			}
			sameFacts(t, was, s.look(scratch))

			s.redis(s.Place, "FLUSHALL\nFUNCTION FLUSH\nSET after 1\nSAVE")
			loaded, err := s.engine.Load(t.Context(), s.Place, s.Container+"-new", kept)
			if err != nil {
				t.Fatal(err)
			}
			sameFacts(t, was, s.look(loaded))
			if got := s.redis(s.Place, "GET after"); got != "1" {
				t.Errorf("loading has touched the data that is there: %q", got)
			}
			settings := "CONFIG GET masterauth\nCONFIG GET masteruser\nCONFIG GET repl-diskless-load\nCONFIG GET save\nCONFIG GET appendonly"
			s.redis(s.Place, "CONFIG SET masterauth 'be\"fore'")
			before := s.redis(s.Place, settings)
			if _, err := s.engine.Swap(t.Context(), s.Place, loaded, "old"); err != nil {
				t.Fatal(err)
			}
			if after := s.redis(s.Place, settings); after != before {
				t.Errorf("settings are %q, were %q", after, before)
			}
			if names := s.leftovers(); len(names) != 2 {
				t.Errorf("leftovers: %v", names)
			}
			s.discard(s.Container + "-new")
			s.discard(s.Container + "-scratch")
			if names := s.leftovers(); len(names) != 0 {
				t.Errorf("leftovers: %v", names)
			}
			sameFacts(t, was, s.look(s.Place))
			for range 2 { // as it serves, and as it comes back from its disk
				if got := s.keys(s.Place, 0); got != zero {
					t.Errorf("database 0 is\n%.300s, was\n%.300s", got, zero)
				}
				if got := s.keys(s.Place, 3); got != three {
					t.Errorf("database 3 is %s, was %s", got, three)
				}
				s.here("docker", "kill", s.Container)
				s.here("docker", "start", s.Container)
				waitUntil(t, "the server is ready again", func() bool { return s.redis(s.Place, "PING") == "PONG" })
			}
			for _, line := range s.told {
				if strings.Contains(line, "planted") || strings.Contains(line, `be"fore`) {
					t.Errorf("a password is in a command: %s", line)
				}
			}
		})
	}
}

// TestRedisDumpsOneMoment holds that facts are those of the snapshot while
// others write.
func TestRedisDumpsOneMoment(t *testing.T) {
	s := startRedis(t, "", "--enable-debug-command", "yes")
	s.redis(s.Place, "DEBUG POPULATE 100000 key 100")
	ctx, stop := context.WithCancel(t.Context())
	writing := exec.CommandContext(ctx, "docker", "exec", s.Container, "redis-benchmark", "-q", "-t", "set", "-n", "100000000", "-r", "1000000", "-c", "4")
	if err := writing.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { stop(); _ = writing.Wait() }()
	for range 3 {
		kept, was := s.dump()
		scratch, err := s.engine.Scratch(t.Context(), s.Place, s.Container+"-scratch", kept)
		if err != nil {
			t.Fatal(err)
		}
		sameFacts(t, was, s.look(scratch))
		s.discard(scratch.Container)
	}
}

func TestRedisKeepsItsDataWhenARestoreFails(t *testing.T) {
	s := startRedis(t, redisPassword, "--enable-debug-command", "yes")
	s.redis(s.Place, "DEBUG POPULATE 300000 key 200\nSET marker old")
	kept, _ := s.dump()
	s.redis(s.Place, "SET marker new")
	was := s.look(s.Place)

	t.Run("a broken snapshot", func(t *testing.T) {
		broken := &archive{parts: map[string][]byte{"dump.rdb": bytes.Clone(kept.parts["dump.rdb"])}}
		broken.parts["dump.rdb"][1000000] ^= 4
		if err := s.engine.Read(t.Context(), s.Place, broken); err == nil {
			t.Error("a flipped bit is not found")
		}
		if _, err := s.engine.Load(t.Context(), s.Place, s.Container+"-new", broken); err == nil {
			t.Error("a flipped bit is restored")
		}
		s.discard(s.Container + "-new")
	})
	t.Run("cancelled", func(t *testing.T) {
		loaded, err := s.engine.Load(t.Context(), s.Place, s.Container+"-new", kept)
		if err != nil {
			t.Fatal(err)
		}
		defer s.discard(loaded.Container)
		s.redis(loaded, "CONFIG SET repl-diskless-sync-delay 60") // it never begins
		ctx, cancel := context.WithCancel(t.Context())
		at := s.Place
		at.Tell = func(_ ops.Stream, text string) {
			if strings.Contains(text, "REPLICAOF \"$host\"") {
				go func() {
					waitUntil(t, "it replicates", func() bool { return strings.Contains(s.redis(s.Place, "INFO replication"), "role:slave") })
					cancel()
				}()
			}
		}
		if _, err := s.engine.Swap(ctx, at, loaded, ""); !errors.Is(err, context.Canceled) {
			t.Errorf("Swap ends with %v", err)
		}
		waitUntil(t, "it serves alone again", func() bool { return strings.Contains(s.redis(s.Place, "INFO replication"), "role:master") })
		sameFacts(t, was, s.look(s.Place))
		if got := s.redis(s.Place, "GET marker\nCONFIG GET masterauth\nCONFIG GET repl-diskless-load"); got != "new\nmasterauth\n\nrepl-diskless-load\ndisabled" {
			t.Errorf("afterwards: %q", got)
		}
	})
	t.Run("killed, and cleaned up by the next run", func(t *testing.T) {
		loaded, err := s.engine.Load(t.Context(), s.Place, s.Container+"-new", kept)
		if err != nil {
			t.Fatal(err)
		}
		s.redis(loaded, "CONFIG SET repl-diskless-sync-delay 60")
		done := make(chan error, 1)
		go func() { _, err := s.engine.Swap(t.Context(), s.Place, loaded, ""); done <- err }()
		waitUntil(t, "it replicates", func() bool { return strings.Contains(s.redis(s.Place, "INFO replication"), "role:slave") })
		s.here("docker", "exec", s.Container, "sh", "-c", `for p in /proc/[0-9]*; do tr '\0' ' ' < $p/cmdline 2>/dev/null | grep -q '^sh -c client=' && kill -9 ${p#/proc/}; done; :`)
		if err := <-done; err == nil {
			t.Error("a killed swap is a success")
		}
		if _, err := s.engine.Load(t.Context(), s.Place, s.Container+"-again", kept); err == nil || !strings.Contains(err.Error(), "replica") {
			t.Errorf("the replica takes a restore: %v", err)
		}
		s.discard(loaded.Container)
		sameFacts(t, was, s.look(s.Place))
		if got := s.redis(s.Place, "GET marker\nCONFIG GET masterauth\nROLE"); !strings.HasPrefix(got, "new\nmasterauth\n\nmaster") {
			t.Errorf("afterwards: %q", got)
		}
	})
	t.Run("the loaded server dies", func(t *testing.T) {
		loaded, err := s.engine.Load(t.Context(), s.Place, s.Container+"-new", kept)
		if err != nil {
			t.Fatal(err)
		}
		defer s.discard(loaded.Container)
		s.redis(loaded, "CONFIG SET rdb-key-save-delay 200")
		done := make(chan error, 1)
		go func() { _, err := s.engine.Swap(t.Context(), s.Place, loaded, ""); done <- err }()
		waitUntil(t, "it loads", func() bool {
			return strings.Contains(s.redis(s.Place, "INFO replication"), "master_sync_in_progress:1")
		})
		s.here("docker", "kill", loaded.Container)
		if err := <-done; err == nil {
			t.Error("half a restore is a success")
		}
		sameFacts(t, was, s.look(s.Place))
		if got := s.redis(s.Place, "GET marker"); got != "new" {
			t.Errorf("afterwards: %q", got)
		}
	})
}

func TestRedisSaysWhatIsWrong(t *testing.T) {
	for _, c := range []struct {
		name      string
		arguments []string
		want      string
	}{
		{"another user", []string{"--user", "default", "off", "--user", "app", "on", ">x", "~*", "+@all"}, "does not let its default user in"},
		{"renamed commands", []string{"--rename-command", "INFO", "hidden"}, "allowed INFO"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := startWith(t, config.Redis, "redis:7.0", nil, append([]string{"redis-server"}, c.arguments...)...)
			waitUntil(t, "the server answers", func() bool { return !strings.Contains(s.redis(s.Place, "PING"), "refused") })
			_, err := s.engine.Look(t.Context(), s.Place)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// TestRedisSnapshotForFuzzing writes the seed of FuzzWalkRDB anew when asked to.
func TestRedisSnapshotForFuzzing(t *testing.T) {
	to := os.Getenv("BINNACLE_RDB_SEED")
	if to == "" {
		t.Skip("BINNACLE_RDB_SEED names no file")
	}
	s := startRedis(t, "")
	s.fill()
	s.redis(s.Place, "SELECT 0\nEVAL \"for _,k in ipairs(redis.call('KEYS','*')) do if string.match(k,'[0-9][0-9]') then redis.call('DEL',k) end end\" 0")
	kept, _ := s.dump()
	if err := os.WriteFile(to, kept.parts["dump.rdb"], 0o644); err != nil {
		t.Fatal(err)
	}
}
