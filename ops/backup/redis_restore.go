package backup

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"binnacle/ops"
)

// Scratch loads the snapshot into a server of the same image that nothing reaches.
func (r Redis) Scratch(ctx context.Context, at Place, name string, from Source) (Place, error) {
	server, err := r.ask(ctx, at)
	if err != nil {
		return Place{}, err
	}
	return r.start(ctx, at, name, "none", server.modules, from)
}

// Load loads the snapshot into a second server beside the one that is there, on
// its network and with a password that nobody knows.
func (r Redis) Load(ctx context.Context, at Place, name string, from Source) (Place, error) {
	server, err := r.ask(ctx, at)
	if err != nil {
		return Place{}, err
	}
	if err := replaceable(at, server); err != nil {
		return Place{}, err
	}
	network := server.given.network
	if network == "host" { // where the port is taken
		network = "bridge"
	}
	return r.start(ctx, at, name, network, server.modules, from)
}

// Swap has the server replicate the loaded one and lets it go on alone: clients
// stay connected, and cannot write meanwhile. Until all of the loaded data has
// arrived, the old data is there: in memory where both fit, in the file that the
// server last saved otherwise. It is not kept then. ErrUnsaved tells that the
// loaded data serves, but could not be saved.
func (r Redis) Swap(ctx context.Context, at, loaded Place, _ string) (bool, error) {
	server, err := r.ask(ctx, at)
	if err != nil {
		return false, err
	}
	if err := replaceable(at, server); err != nil {
		return false, err
	}
	source, err := r.ask(ctx, loaded)
	if err != nil {
		return false, err
	}
	if highest := source.highest(); highest >= server.databases && server.databases > 0 {
		return false, &ops.Error{
			Host: at.Host, Summary: "restoring into " + at.Container, Cause: fmt.Errorf("the backup has a database %d, the server is set to %d databases", highest, server.databases),
			Hint: fmt.Sprintf("set databases to %d or more, reboot the accessory, then try again", highest+1),
		}
	}
	mode := "swapdb"
	room := server.number("total_system_memory")
	if memory := server.given.memory; memory > 0 {
		room = memory
	}
	if room > 0 && server.facts.Size+source.facts.Size > room/10*9 {
		mode = "disabled"
		at.Tell(ops.Stderr, "The old and the new data do not fit into memory together: the server drops the old before it loads the new.")
	}
	password, err := at.answer(ctx, "reading the loaded server's password", loaded.docker("exec", "-i", loaded.Container, "cat", redisPasswordFile), nil)
	if err != nil {
		return false, err
	}
	// The script undoes what it did when its stdin ends before the data has arrived.
	alive, gone := io.Pipe()
	defer gone.Close()
	stdin := io.MultiReader(strings.NewReader(server.given.password+"\n"+password+"\n"), alive)
	line := at.sh(redisOpen+redisReplicate+redisSwap, server.given.config, server.given.port, source.given.address, mode)
	switch err := at.stream(ctx, "replacing the data", line, stdin, nil); {
	case exitCode(err) == 3:
		return false, &ops.Error{Host: at.Host, Summary: "saving the restored data", Cause: ErrUnsaved, Evidence: []ops.Evidence{{Title: "The server says", Lines: strings.Split(output(err), "\n")}}, Hint: "free some disk on the host, then run BGSAVE in " + at.Container}
	case err != nil:
		return false, hint(explainRedis(err), "docker logs "+at.Container+" on the host tells why it could not replicate")
	}
	return false, nil
}

// ErrUnsaved tells that restored data is in its place and serves, but that a
// restart of its server would lose it.
var ErrUnsaved = errors.New("the server has the restored data, but cannot save it to its disk")

// Discard removes the server that was loaded. One that still replicates it is
// let go first.
func (r Redis) Discard(ctx context.Context, at Place, name string) error {
	names, err := at.scratches(ctx)
	if err != nil || !slices.Contains(names, name) {
		return err
	}
	loaded := at
	loaded.Container = name
	if err := r.release(ctx, at, loaded); err != nil {
		return err
	}
	return at.removeScratch(ctx, name)
}

// Leftovers lists the servers that were loaded.
func (Redis) Leftovers(ctx context.Context, at Place) ([]string, error) { return at.scratches(ctx) }

// Private

const redisPasswordFile = "/binnacle/password" //nolint:gosec // where it is, not what it is

// start runs a second server: it waits for its configuration, which comes once
// the snapshot is there.
func (r Redis) start(ctx context.Context, at Place, name, network string, modules []string, from Source) (Place, error) {
	words := []string{"--user", "0:0", "--entrypoint", "sh", at.Image, "-c", redisServe}
	if _, err := at.answer(ctx, "starting a throwaway container", at.throwawayOn(network, name, words...), nil); err != nil {
		return Place{}, err
	}
	second := at
	second.Container = name
	walked := &walkedSource{from: from}
	if err := second.feed(ctx, "bringing the snapshot", second.sh(redisReceive), walked, redisDump, nil); err != nil {
		return Place{}, at.explainSecond(ctx, name, err)
	}
	password := rand.Text()
	var config strings.Builder
	fmt.Fprintf(&config, "%s\nrequirepass %s\n", password, password)
	fmt.Fprintf(&config, "port 6379\ndir /binnacle\ndbfilename dump.rdb\nsave \"\"\nappendonly no\ndatabases %d\n", max(16, walked.found.databases))
	for _, module := range modules {
		fmt.Fprintf(&config, "loadmodule %s\n", module)
	}
	if err := second.stream(ctx, "configuring the throwaway server", second.sh(redisConfigure), strings.NewReader(config.String()), nil); err != nil {
		return Place{}, at.explainSecond(ctx, name, err)
	}
	if err := second.stream(ctx, "waiting for the throwaway server", second.sh(redisAwait), nil, nil); err != nil {
		return Place{}, at.explainSecond(ctx, name, err)
	}
	return second, nil
}

// explainSecond tells a failure by the last words of the throwaway container,
// when the command failed because that has ended.
func (p Place) explainSecond(ctx context.Context, name string, err error) error {
	if code := exitCode(err); code != 137 && !strings.Contains(output(err), "is not running") {
		return err
	}
	var last bounded
	logs := p.docker("logs", "--tail", "5", name).With("2>&1")
	if p.stream(ctx, "reading why it has ended", logs, nil, &last) != nil || last.kept.Len() == 0 {
		return err
	}
	return &ops.Error{Host: p.Host, Summary: "loading the snapshot into " + name, Cause: errors.New(lastLine(strings.TrimSpace(last.kept.String())))}
}

// release ends a replication of the loaded server that a killed run left.
func (r Redis) release(ctx context.Context, at, loaded Place) error {
	given, err := loaded.redisArguments(ctx)
	if err != nil || given.address == "" {
		return err
	}
	own, err := at.redisArguments(ctx)
	if errors.Is(err, ops.ErrNotFound) || exitCode(err) > 0 {
		return nil // there is no server that could replicate
	}
	if err != nil {
		return err
	}
	password, err := at.answer(ctx, "reading the loaded server's password", loaded.docker("exec", "-i", loaded.Container, "cat", redisPasswordFile), nil)
	if exitCode(err) > 0 {
		return nil // it never ran
	}
	if err != nil {
		return err
	}
	err = at.stream(ctx, "ending the replication", at.sh(redisOpen+redisReplicate+redisRelease, own.config, own.port, given.address), strings.NewReader(own.password+"\n"+password+"\n"), nil)
	if exitCode(err) > 0 {
		at.Tell(ops.Stderr, err.Error())
		return nil // a server that does not run replicates nothing, and forgets it
	}
	return err
}

// replaceable fails where a server's data cannot be replaced by replication.
func replaceable(at Place, server redisServer) error {
	failed := &ops.Error{Host: at.Host, Summary: "restoring into " + at.Container}
	switch {
	case server.info["cluster_enabled"] == "1":
		failed.Cause = errors.New("the server is a node of a cluster")
		failed.Hint = "restore into a scratch container and copy the keys from there"
	case server.info["role"] == "slave":
		failed.Cause = errors.New("the server is a replica of " + server.info["master_host"])
		failed.Hint = "restore into the server that it replicates; when a restore was interrupted, remove what it left first"
	default:
		return nil
	}
	return failed
}

// redisServe is the second server's process: the file is a pipe, whose opening
// waits for somebody who writes it.
const redisServe = `server=$(command -v redis-server || command -v valkey-server) && mkdir -m 700 /binnacle && mkfifo -m 600 /binnacle/config && exec "$server" - < /binnacle/config`

const redisReceive = `tries=0
until [ -p /binnacle/config ]; do
  tries=$((tries + 1))
  [ "$tries" -lt 600 ] || { echo "the container did not begin within a minute" >&2; exit 1; }
  sleep 0.1
done
umask 077; cat > /binnacle/dump.rdb`

const redisConfigure = `umask 077; read -r password; echo "$password" > /binnacle/password; cat > /binnacle/config`

const redisAwait = `client=$(command -v redis-cli || command -v valkey-cli) || exit 127
REDISCLI_AUTH=$(cat /binnacle/password); export REDISCLI_AUTH
until [ "$("$client" PING 2>/dev/null)" = PONG ]; do sleep 0.2; done
rm /binnacle/dump.rdb`

// redisReplicate is what swapping and its repair share: $3 is the loaded server's
// address, the second line of stdin its password. The loaded server, which
// replicates nothing, keeps the settings that the other had before.
const redisReplicate = `host=$3
read -r theirs
there() { REDISCLI_AUTH=$theirs "$client" -h "$host" "$@"; }
info() { ask INFO "$1" 2>/dev/null | tr -d '\r'; }
got() { sed -n 2p; }
quoted() { sed 's/[\\"]/\\&/g; s/^/"/; s/$/"/'; }
put() { printf 'CONFIG SET %s %s\n' "$2" "$(printf '%s\n' "$3" | quoted)" | "$1" | grep -q '^OK'; }
settings='masterauth masteruser repl-diskless-load'
release() {
  ask REPLICAOF NO ONE
  for name in $settings; do put ask $name "$(there CONFIG GET $name | got)"; done
}
`

const redisRelease = `case $(info replication) in *"master_host:$host
"*) release ;; esac
:`

// redisSwap replicates and goes on alone. $4 is how the replica loads.
const redisSwap = `quiet() { case $(info persistence) in *rdb_bgsave_in_progress:1* | *aof_rewrite_in_progress:1* | *aof_rewrite_scheduled:1* | *loading:1*) return 1 ;; esac; }
fail() { echo "$*" >&2; exit 1; }
exec 3<&0
(read -r _; kill $$) <&3 >/dev/null 2>&1 & watch=$!
trap 'kill $watch 2>/dev/null' EXIT
trap 'exit 1' HUP INT TERM
for name in $settings; do put there $name "$(ask CONFIG GET $name | got)"; done
trap 'kill $watch 2>/dev/null; release >/dev/null' EXIT
put ask masteruser ""
put ask masterauth "$theirs" || fail "the server does not take CONFIG SET"
put ask repl-diskless-load "$4"
said=$(ask REPLICAOF "$host" 6379)
[ "$said" = OK ] || fail "$said"
idle=0 was=
while :; do
  now=$(info replication; info persistence)
  case $now in *master_sync_in_progress:1*) ;; *master_link_status:up*) break ;; esac
  now=$(printf '%s\n' "$now" | grep '^master_sync\|^slave_read\|^slave_repl\|^loading\|^async_loading')
  [ "$now" = "$was" ] || idle=0
  was=$now idle=$((idle + 1))
  [ $idle -lt 100 ] || fail "the server does not get on with replicating the restored data: $(info replication | grep '^master_' | tr '\n' ' ')"
  sleep 0.2
done
trap '' HUP INT TERM
trap - EXIT
kill $watch 2>/dev/null
release >/dev/null
# What was on disk is the old data: what a restart reads has to be the new.
until quiet; do sleep 0.2; done
until said=$(ask BGSAVE); case $said in *[Ss]tarted*) ;; *progress* | *active*) ! : ;; esac; do sleep 0.2; done
until quiet; do sleep 0.2; done
now=$(info persistence)
case $now in
"") echo "the server does not answer any more" >&2; exit 3 ;;
*aof_enabled:1*aof_last_bgrewrite_status:err*) echo "the append-only file could not be rewritten" >&2; exit 3 ;;
*aof_enabled:1*) ;;
*rdb_last_bgsave_status:err*) [ -z "$(ask CONFIG GET save | got | tr -d '\r')" ] || { echo "BGSAVE: $said" >&2; exit 3; } ;;
esac
:`

// walkedSource checks the snapshot while it is read.
type walkedSource struct {
	from  Source
	found rdb
}

// Open opens a part; closing it waits for the walk.
func (s *walkedSource) Open(ctx context.Context, part string) (io.ReadCloser, error) {
	r, err := s.from.Open(ctx, part)
	if err != nil {
		return nil, err
	}
	return filtered(r, func(r io.Reader, w io.Writer) error {
		s.found, err = walkRDB(r, w)
		return err
	}), nil
}

// Helpers

// highest is the number of the last database that has keys.
func (s redisServer) highest() int {
	highest := -1
	for name := range s.info {
		var n int
		if _, err := fmt.Sscanf(name, "db%d", &n); err == nil {
			highest = max(highest, n)
		}
	}
	return highest
}

// exitCode is that of a command that ran and failed; -1 for another error.
func exitCode(err error) int {
	var exit *ops.ExitError
	if errors.As(err, &exit) {
		return exit.Code
	}
	return -1
}
