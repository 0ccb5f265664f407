package backup

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"

	"binnacle/ops"
)

// Redis dumps and restores a Redis or Valkey server, version 5 or newer, with
// redis-cli or valkey-cli of its container. A backup has one part, dump.rdb: what
// the server sends to a new replica, of one moment. Keys that expire are in it,
// and not in the facts: how many are left depends on when somebody looks. Hashes
// with fields that expire are in Facts.Unsure.
type Redis struct{}

// Look asks the server about itself.
func (r Redis) Look(ctx context.Context, at Place) (Facts, error) {
	server, err := r.ask(ctx, at)
	return server.facts, err
}

// Dump takes a snapshot as a new replica gets it. The facts are counted in the
// snapshot itself while it passes.
func (r Redis) Dump(ctx context.Context, at Place, put Put) (Facts, error) {
	server, err := r.ask(ctx, at)
	if err != nil {
		return Facts{}, err
	}
	facts := server.facts
	var found rdb
	err = put(redisDump, func(w io.Writer) error {
		found, err = r.snapshot(ctx, at, server, w)
		return err
	})
	if err != nil {
		return Facts{}, err
	}
	facts.Details = map[string]string{"rdb": strconv.Itoa(found.version), "expiring": strconv.FormatInt(found.expiring, 10)}
	if found.opaque != "" {
		at.Tell(ops.Stderr, "The snapshot has values that only its server can read ("+found.opaque+"): the keys were counted before it.")
		return facts, nil
	}
	facts.Tables, facts.Unsure = found.tables(), found.unsureTables()
	return facts, nil
}

// Read walks through the snapshot's structure, up to its checksum. Nothing runs
// in the container: redis-check-rdb would need a file there.
func (Redis) Read(ctx context.Context, _ Place, from Source) error {
	r, err := from.Open(ctx, redisDump)
	if err != nil {
		return err
	}
	defer r.Close()
	_, err = walkRDB(r, io.Discard)
	return unreadable(err)
}

// SQL is ErrNoSQL.
func (Redis) SQL(context.Context, Place, io.Reader) (string, error) { return "", ErrNoSQL }

// Private

const redisDump = "dump.rdb"

// redisServer is a server as it answers.
type redisServer struct {
	facts     Facts
	given     redisArguments
	info      map[string]string
	databases int
	modules   []string // files
}

// redisArguments are what the container's command line tells. It may have the
// password in it, so it stays out of every record.
type redisArguments struct {
	password string // or $NAME of a variable
	port     string
	config   string // path of a file
	network  string
	memory   int64 // bytes that the container may use; 0: all
	address  string
}

// ask looks at the container's command line, then asks the server in it.
func (r Redis) ask(ctx context.Context, at Place) (redisServer, error) {
	given, err := at.redisArguments(ctx)
	if err != nil {
		return redisServer{}, err
	}
	said, err := at.answer(ctx, "asking the server", at.sh(redisOpen+redisLook, given.config, given.port), strings.NewReader(given.password+"\n"))
	if err != nil {
		return redisServer{}, explainRedis(err)
	}
	server := readRedis(said)
	server.given = given
	if server.facts.Version == "" {
		return server, &ops.Error{
			Host: at.Host, Summary: "asking the server in " + at.Container, Cause: errors.New(lastLine(said)),
			Hint: "the default user has to be allowed INFO, CONFIG, PSYNC, REPLICAOF and BGSAVE under these names",
		}
	}
	return server, nil
}

// snapshot streams a snapshot to w and counts what is in it.
func (r Redis) snapshot(ctx context.Context, at Place, server redisServer, w io.Writer) (rdb, error) {
	out, stdout := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		line := at.sh(redisOpen+redisSnapshot, server.given.config, server.given.port)
		err := at.stream(ctx, "taking a snapshot", line, strings.NewReader(server.given.password+"\n"), stdout)
		// Some clients cannot flush a pipe to disk, and say so after all is done.
		if strings.Contains(output(err), "Fail to fsync") {
			err = nil
		}
		stdout.CloseWithError(err)
		ended <- err
	}()
	found, err := walkRDB(out, w)
	out.CloseWithError(err)
	if failed := <-ended; failed != nil && (err == nil || !errors.Is(failed, err)) {
		err = failed
	}
	return found, explainRedis(err)
}

// redisArguments reads them.
func (p Place) redisArguments(ctx context.Context) (redisArguments, error) {
	said, err := p.answer(ctx, "looking at the container", p.docker("inspect", "--format", redisInspect, p.Container), nil)
	if err != nil {
		return redisArguments{}, err
	}
	lines := strings.Split(said, "\n")
	if len(lines) < 5 {
		return redisArguments{}, &ops.Error{Host: p.Host, Summary: "looking at the container " + p.Container, Cause: fmt.Errorf("docker inspect answers %d lines", len(lines))}
	}
	var words []string
	for _, list := range lines[:2] {
		var some []string
		if err := json.Unmarshal([]byte(list), &some); err != nil {
			return redisArguments{}, fmt.Errorf("reading what docker inspect says of %s: %w", p.Container, err)
		}
		words = append(words, some...)
	}
	given := redisArguments{port: "6379", network: lines[2]}
	given.memory, _ = strconv.ParseInt(lines[3], 10, 64)
	if networks := strings.Fields(lines[4]); len(networks) > 1 {
		given.network, given.address = networks[0], networks[1]
	}
	text := strings.Join(words, " ")
	if found := redisPassword.FindStringSubmatch(text); found != nil {
		given.password = strings.NewReplacer("${", "$", "}", "").Replace(found[1])
	}
	if found := redisPort.FindStringSubmatch(text); found != nil {
		given.port = found[1]
	}
	if found := redisConfig.FindStringSubmatch(text); found != nil {
		given.config = found[1]
	}
	return given, nil
}

var (
	redisPassword = regexp.MustCompile(`--requirepass[ =]+["']?([^"' ]+)`)
	redisPort     = regexp.MustCompile(`--port[ =]+["']?(\d+)`)
	redisConfig   = regexp.MustCompile(`(?:^| )(/[^ ]+\.conf)\b`)
	redisKeys     = regexp.MustCompile(`^keys=(\d+),expires=(\d+)`)
	// redisFields counts keys of which fields expire: Redis's word, and Valkey's.
	redisFields = regexp.MustCompile(`,(?:subexpiry|keys_with_volatile_items)=(\d+)`)
)

const redisInspect = `{{json .Config.Entrypoint}}
{{json .Config.Cmd}}
{{.HostConfig.NetworkMode}}
{{.HostConfig.Memory}}
{{range $name, $at := .NetworkSettings.Networks}}{{$name}} {{$at.IPAddress}} {{end}}`

// redisOpen finds the client and the password, which is in none of its arguments.
// $1 is a configuration file or empty, $2 the port; the first line of stdin is
// the password of the command line, $NAME of a variable, or empty.
const redisOpen = `client=$(command -v redis-cli || command -v valkey-cli) || { echo "there is neither redis-cli nor valkey-cli in this container" >&2; exit 127; }
config() { [ ! -r "$conf" ] || sed -n "s/^[[:space:]]*$1[[:space:]][[:space:]]*//p" "$conf" | tail -n 1 | tr -d "\"'\r"; }
conf=$1 port=$(config port); port=${port:-$2}
read -r given
case $given in '$'*) given=$(printenv "${given#?}") ;; esac
ask() { "$client" -p "$port" "$@"; }
open() { case $(ask PING 2>&1) in PONG | *LOADING* | *MASTERDOWN*) ;; *) return 1 ;; esac; }
own=$REDISCLI_AUTH
unset REDISCLI_AUTH
if ! open; then
  for word in "$(cat /binnacle/password 2>/dev/null)" "$own" "$given" "$(config requirepass)" "$REDIS_PASSWORD" "$VALKEY_PASSWORD" "$(cat "$REDIS_PASSWORD_FILE" 2>/dev/null)" "$(cat "$VALKEY_PASSWORD_FILE" 2>/dev/null)"; do
    [ -n "$word" ] || continue
    REDISCLI_AUTH=$word
    export REDISCLI_AUTH
    if open; then break; fi
    unset REDISCLI_AUTH
  done
  if [ -z "$REDISCLI_AUTH" ]; then
    ask PING >&2
    echo "the server does not let its default user in" >&2
    exit 1
  fi
fi
`

const redisLook = `ask INFO
echo "databases:$(ask CONFIG GET databases | sed -n 2p)"
ask MODULE LIST | sed -n 's,^\(/.*\.so\)$,module:\1,p'
dir=$(ask CONFIG GET dir | sed -n 2p) && [ -d "$dir" ] && echo "free:$(df -Pk "$dir" | tail -n 1)"
:`

// redisSnapshot writes to a pipe: "-" where the client knows that.
const redisSnapshot = `to=-
case $("$client" --version) in "redis-cli 5."* | "redis-cli 6.0"*) to=/dev/stdout ;; esac
ask --rdb "$to"`

// Helpers

// readRedis reads what redisLook prints.
func readRedis(said string) redisServer {
	s := redisServer{info: map[string]string{}, facts: Facts{Free: -1, Unsure: map[string]int64{}, Details: map[string]string{}}}
	for line := range strings.Lines(said) {
		name, value, _ := strings.Cut(strings.TrimRight(line, "\r\n"), ":")
		if found := redisKeys.FindStringSubmatch(value); found != nil {
			keys, _ := strconv.ParseInt(found[1], 10, 64)
			expires, _ := strconv.ParseInt(found[2], 10, 64)
			var unsure int64
			if found := redisFields.FindStringSubmatch(value); found != nil {
				unsure, _ = strconv.ParseInt(found[1], 10, 64)
			}
			if keys > expires { // some keys may expire as a whole, and have such fields too
				unsure = min(unsure, keys-expires)
				s.facts.Unsure[name] = unsure
				if keys -= expires + unsure; keys > 0 {
					s.facts.Tables = append(s.facts.Tables, Table{Name: name, Rows: keys})
				}
			}
		}
		switch name {
		case "module":
			s.modules = append(s.modules, value)
		case "free":
			if fields := strings.Fields(value); len(fields) > 3 {
				if kib, err := strconv.ParseInt(fields[3], 10, 64); err == nil {
					s.facts.Free = kib << 10
				}
			}
		}
		s.info[name] = value
	}
	sortTables(s.facts.Tables)
	s.facts.Version = s.info["redis_version"]
	if valkey := s.info["valkey_version"]; valkey != "" {
		s.facts.Version = valkey + "-Valkey"
	}
	s.facts.Size = s.number("used_memory")
	s.facts.Clients = max(0, int(s.number("connected_clients"))-1)
	s.databases = int(s.number("databases"))
	return s
}

func (s redisServer) number(name string) int64 {
	n, _ := strconv.ParseInt(s.info[name], 10, 64)
	return n
}

// explainRedis says what to do about what the client printed.
func explainRedis(err error) error {
	const allowed = "the default user has to be allowed INFO, CONFIG, PSYNC, REPLICAOF and BGSAVE under these names"
	return explain(err, []failure{
		{"does not let its default user in", "give the container REDIS_PASSWORD with the default user's password; other users of an ACL are not supported"},
		{"unknown command", allowed},
		{"NOPERM", allowed},
		{"is not running", "start the container, then try again"},
		{"is paused", "start the container, then try again"},
	})
}

func lastLine(text string) string {
	return text[strings.LastIndexByte(text, '\n')+1:]
}
