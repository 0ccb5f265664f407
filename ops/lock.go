package ops

import (
	"regexp"
	"strconv"
	"strings"
	"time"

	"binnacle/ops/command"
)

// LockProbe is a Line that looks at an app's lock directory. It succeeds
// whatever it finds; ParseLockProbe reads what it prints.
func LockProbe(lock command.Lock) command.Line {
	return command.New("if [ -d", lock.Dir(), "]; then echo held; cat", lock.DetailsFile(), "2>/dev/null | base64 -d; fi")
}

// ParseLockProbe reads what LockProbe printed on a host.
func ParseLockProbe(out, host string, now time.Time) Lock {
	held, text, _ := strings.Cut(out, "\n")
	if strings.TrimSpace(held) != "held" {
		return Lock{SeenAt: now, Host: host}
	}
	l := ParseLock(text)
	l.Held, l.SeenAt, l.Host = true, now, host
	l.Bare = strings.TrimSpace(text) == ""
	return l
}

// ParseLock reads a lock's three lines. The holder's machine, process and task
// are known for locks that Binnacle took; one with a message of its own is held
// by a person.
func ParseLock(text string) Lock {
	details, ok := command.ParseLockDetails(text)
	if !ok {
		return Lock{Liveness: HolderUnknown, Message: strings.TrimSpace(text)}
	}
	l := Lock{
		By: details.LockedBy, At: details.At, Version: details.Version, Message: details.Message, Liveness: HolderUnknown,
	}
	if m := holderMessage.FindStringSubmatch(details.Message); m != nil {
		l.HolderHost, l.HolderTask = m[1], TaskID(m[3])
		l.HolderPID, _ = strconv.Atoi(m[2])
	} else if !details.Automatic() {
		l.Liveness = HolderManual
	}
	return l
}

// Judged returns the lock with its holder's liveness, as far as this machine
// can tell: alive answers for processes here.
func (l Lock) Judged(machine string, alive func(pid int) bool) Lock {
	switch {
	case !l.Held || l.HolderHost == "" || l.HolderHost != machine:
	case alive(l.HolderPID):
		l.Liveness = HolderLive
	default:
		l.Liveness = HolderDead
	}
	return l
}

// Helpers

var holderMessage = regexp.MustCompile(`\(binnacle (\S+) pid (\d+) task (\S+)\)$`)
