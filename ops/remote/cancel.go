package remote

import (
	"strings"
	"time"
)

const (
	// cancelGrace is how long a cancelled command has to end before its
	// session is closed.
	cancelGrace = 2 * time.Second
	// signalPatience is how long the signal alone has to work.
	signalPatience = 300 * time.Millisecond
)

// Private

// end asks the command to end, gives it a moment, and closes the session.
func (s *session) end(j job, done <-chan struct{}) {
	pool := s.client.pool
	s.client.counts.request(false)
	pool.spawn(func() { _ = s.ch.Signal(j.signal) })
	if !waitFor(done, signalPatience) && j.shell != "" {
		pool.spawn(func() { s.terminate(j.shell) })
	}
	if !waitFor(done, cancelGrace-signalPatience) {
		pool.spawn(func() { _ = s.ch.Close() })
	}
}

// terminate sends SIGTERM from a second session of the same connection, for
// OpenSSH passes signals on only where it separates privileges, which it does
// not for root. Failing is all right: the command then goes on, as documented.
func (s *session) terminate(shell string) {
	s.client.counts.sessions.Add(1)
	s.client.counts.waits.Add(2)
	ch, err := s.link.conn.NewSession()
	if err != nil {
		return
	}
	defer func() { _ = ch.Close() }()
	s.client.counts.request(true)
	ch.Stdin = strings.NewReader(bare(shell) + "\n")
	if err := ch.Run("sh -c " + quote(terminateScript)); err != nil {
		s.client.pool.log.Debug("no process was terminated", "host", s.client.name, "err", err)
	}
}

// terminateScript looks among the session leaders that the same sshd process
// has started for the one that runs the command line on stdin (as bare makes
// it), and ends its process group. A shell may have replaced itself by its only
// or its last command. Where more than one fits, none is touched.
const terminateScript = `IFS= read -r want
stat() { read -r line < "/proc/$1/stat" && set -- ${line##*) } && ppid=$2 sid=$4; }
stat $$ && self=$sid && stat $self && sshd=$ppid || exit 1
whole='' last=''
for dir in /proc/[0-9]*; do
  pid=${dir#/proc/}
  stat $pid 2>/dev/null || continue
  [ "$ppid" = "$sshd" ] && [ "$sid" = "$pid" ] && [ "$pid" != "$self" ] || continue
  have=$(tr -d '\000\047\042\134 \t\n' < "$dir/cmdline")
  [ -n "$have" ] || continue
  case $have in "$want"|*sh-c"$want") whole="$whole $pid"; continue ;; esac
  case $want in exec"$have"|*[\;\&]"$have"|*[\;\&]exec"$have") last="$last $pid" ;; esac
done
set -- ${whole:-$last}
[ $# -eq 1 ] && kill -TERM "-$1"
`

// Helpers

// bare leaves out what a shell takes away from a command line.
func bare(shell string) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune("\x00'\"\\ \t\n", r) {
			return -1
		}
		return r
	}, shell)
}

func waitFor(done <-chan struct{}, limit time.Duration) bool {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-done:
		return true
	case <-timer.C:
		return false
	}
}
