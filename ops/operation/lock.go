package operation

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"binnacle/ops"
	"binnacle/ops/command"
)

// lock is the deploy lock of one plan.
type lock struct {
	held   bool
	outer  bool // an outer command holds it: not ours to release
	unsure bool // taking it failed in a way that may have left the directory
	ours   bool // the directory was made by this run, its details were not written
	text   string
	host   string
	found  ops.Lock // what was in the way of the last try
}

// ErrLocked is the failure of a change that found the deploy lock taken.
var ErrLocked = errors.New("deploy lock found")

// locked runs nodes under the deploy lock, which is released whatever happens.
// Before it is released, what every place is left running is read.
func (s *story) locked(nodes ...ops.Node) ops.Node {
	inner := append([]ops.Node{s.acquire()}, present(nodes)...)
	inner = append(inner, s.servingStep())
	if release := s.release(); release != nil {
		inner = append(inner, release)
	}
	return ops.InSequence("", "", present(inner)...)
}

// lockHost is the machine whose directory is the lock: the effective primary
// host, or with accessories alone the first accessory's first host.
func (s *story) lockHost() string {
	if h := s.sel.PrimaryHost(); h != "" {
		return h
	}
	for _, a := range s.cfg.Accessories() {
		if hosts := s.sel.AccessoryHostsFor(a); len(hosts) > 0 {
			return hosts[0]
		}
	}
	return ""
}

func (s *story) acquire() ops.Node {
	if s.lock.outer {
		return nil
	}
	s.lock.host = s.lockHost()
	return &ops.Step{
		ID: "lock", Title: "lock", Host: s.lock.host, Atomic: true, Timeout: s.LockWait.Timeout + 2*time.Minute,
		Lines: []command.Line{command.New("mkdir", command.NewLock(s.cfg).Dir())},
		Run: func(ctx context.Context, r *ops.Run) error {
			if s.LockWait.Timeout > 0 {
				return s.takeLockInTurn(ctx, r)
			}
			r.Say("Acquiring the deploy lock...")
			err := s.takeLock(ctx, r)
			if errors.Is(err, ErrLocked) {
				r.Say("Deploy lock already in place!")
			}
			return err
		},
	}
}

// takeLock tries once. Where the lock is held, the error is ErrLocked, and
// lock.found is what was found.
func (s *story) takeLock(ctx context.Context, r *ops.Run) error {
	s.lock.found = ops.Lock{}
	if err := s.respectPrimaryLock(ctx, r); err != nil {
		return err
	}
	details := command.LockDetails{
		LockedBy: s.UserName, At: r.Now(), Version: s.lockVersion, Message: s.Holder.Message(),
	}
	s.lock.text = details.Text()
	err := r.Exec(ctx, command.NewLock(s.cfg).Acquire(details))
	switch {
	case err == nil:
		s.lock.held = true
		r.Note("held by you")
		r.Fact(s.lockTaken(r))
		return nil
	case lockTaken(err):
		return s.explainLock(ctx, r, err)
	}
	// An answer that was lost may stand for a lock that was taken; a
	// command that failed after mkdir has left the bare directory.
	var exit *ops.ExitError
	s.lock.unsure, s.lock.ours = true, errors.As(err, &exit)
	return err
}

// respectPrimaryLock refuses when filters move the lock away from a host that
// is locked already: two partial deploys must not pass each other.
func (s *story) respectPrimaryLock(ctx context.Context, r *ops.Run) error {
	primary := s.cfg.PrimaryHost()
	if primary == "" || primary == s.lock.host {
		return nil
	}
	found, err := s.readLock(ctx, r, primary)
	if err != nil || !found.Held {
		return err
	}
	return s.inTheWay(r, found)
}

// explainLock tells whose lock was found. One that cannot be seen is a mkdir that
// failed for another reason, or a lock released just now.
func (s *story) explainLock(ctx context.Context, r *ops.Run, failed error) error {
	found, err := s.readLock(ctx, r, s.lock.host)
	if err != nil {
		return &ops.Error{Host: s.lock.host, Summary: "deploy lock found", Cause: err, Hint: s.byHand("lock status")}
	}
	if !found.Held {
		return failed
	}
	return s.inTheWay(r, found)
}

// inTheWay is the failure of a lock that somebody else holds.
func (s *story) inTheWay(r *ops.Run, found ops.Lock) error {
	s.lock.found = found
	r.Fact(ops.LockSeen{App: s.App, Lock: found})
	return s.lockedError(found)
}

func (s *story) release() *ops.Step {
	if s.lock.outer {
		return nil
	}
	builder := command.NewLock(s.cfg)
	return &ops.Step{
		ID: "unlock", Title: "release lock", Host: s.lock.host, Always: true, Timeout: time.Minute,
		Lines: []command.Line{builder.Release()},
		Run: func(ctx context.Context, r *ops.Run) error {
			bare := false
			if s.lock.unsure {
				found, err := s.readLock(ctx, r, s.lock.host)
				if err != nil {
					r.LockState("unknown: " + err.Error())
					return &ops.Error{Host: s.lock.host, Summary: "the deploy lock may still be held", Cause: err, Hint: s.byHand("lock status")}
				}
				s.lock.held = found.Held && (found.HolderTask == s.Holder.Task || found.Bare && s.lock.ours)
				if found.Bare && !s.lock.held {
					r.LockState("unknown: " + DescribeLock(found)[0])
					return &ops.Error{Host: s.lock.host, Summary: "the deploy lock may be held by this task", Cause: errors.New(DescribeLock(found)[0]), Hint: s.byHand("lock release")}
				}
				bare = found.Bare
			}
			if !s.lock.held {
				return ops.ErrSkipped
			}
			r.Say("Releasing the deploy lock...")
			if err := removeLock(ctx, r, builder, bare); err != nil {
				r.LockState("not released: " + err.Error())
				return &ops.Error{Host: s.lock.host, Summary: "the deploy lock was not released", Cause: err, Hint: s.byHand("lock release")}
			}
			s.lock.held = false
			r.LockState("released")
			r.Fact(ops.LockSeen{App: s.App, Lock: ops.Lock{SeenAt: r.Now(), Host: s.lock.host}})
			return nil
		},
	}
}

// lockTaken is the fact of the lock that was just taken.
func (s *story) lockTaken(r *ops.Run) ops.Event {
	l := ops.ParseLock(s.lock.text)
	l.Held, l.Host, l.SeenAt, l.Liveness = true, s.lock.host, r.Now(), ops.HolderLive
	return ops.LockSeen{App: s.App, Lock: l}
}

// Helpers

// removeLock removes a lock. One that is bare may have an empty details file.
func removeLock(ctx context.Context, r *ops.Run, builder command.Lock, bare bool) error {
	if bare && r.Exec(ctx, builder.ReleaseBare()) == nil {
		return nil
	}
	return r.Exec(ctx, builder.Release())
}

// readLock looks at a lock directory. No directory is an unheld lock; one
// without details is held and bare.
func (s *story) readLock(ctx context.Context, r *ops.Run, host string) (ops.Lock, error) {
	out, err := capture(ctx, r.World.Remote(host), ops.LockProbe(command.NewLock(s.cfg)))
	if err != nil {
		return ops.Lock{}, err
	}
	return ops.ParseLockProbe(out, host, r.Now()).Judged(s.Holder.Host, s.Alive), nil
}

// lockedError explains who holds the lock, since when, from where, whether it
// still works, and what hosts did since.
func (s *story) lockedError(l ops.Lock) error {
	e := &ops.Error{Host: l.Host, Summary: "deploy lock found", Cause: ErrLocked}
	e.Evidence = append(e.Evidence, ops.Evidence{Title: "lock", Lines: DescribeLock(l)})
	if changed := ChangedSince(s.Fleet, l.At); len(changed) > 0 {
		e.Evidence = append(e.Evidence, ops.Evidence{Title: "changed since", Lines: changed})
	}
	switch l.Liveness {
	case ops.HolderLive:
		e.Hint = "it is at work: wait, or cancel that task"
	case ops.HolderDead:
		e.Hint = "its process is gone: " + s.byHand("lock release")
	case ops.HolderManual:
		e.Hint = "somebody holds it by hand; ask them, then: " + s.byHand("lock release")
	default:
		e.Hint = "if nobody is deploying: " + s.byHand("lock release")
	}
	return e
}

// DescribeLock tells a lock in lines for a person.
func DescribeLock(l ops.Lock) []string {
	if !l.Held {
		return []string{"free"}
	}
	if l.Bare {
		return []string{
			"the lock directory is there without details: its holder is writing them now, or died before it could",
		}
	}
	lines := []string{
		"locked by: " + orUnknown(l.By) + " at " + l.At.UTC().Format(time.RFC3339),
		"version: " + orUnknown(l.Version),
		"message: " + l.Message,
	}
	if l.HolderHost != "" {
		lines = append(lines, fmt.Sprintf("holder: process %d on %s, %s (task %s)", l.HolderPID, l.HolderHost, l.Liveness, l.HolderTask))
	}
	return lines
}

// ChangedSince lists containers of the fleet that were created, started or
// ended after a moment: what an interrupted run may have left.
func ChangedSince(fleet ops.Fleet, since time.Time) []string {
	if since.IsZero() {
		return nil
	}
	var out []string
	for _, c := range fleet.Containers(func(c ops.Container) bool { return c.Kind == ops.KindApp }) {
		switch {
		case c.Created.After(since):
			out = append(out, fmt.Sprintf("%s: %s created %s, now %s", c.Host, c.Name, c.Created.UTC().Format(time.TimeOnly), c.State))
		case c.Finished.After(since) && !c.Running():
			out = append(out, fmt.Sprintf("%s: %s stopped %s", c.Host, c.Name, c.Finished.UTC().Format(time.TimeOnly)))
		}
	}
	return out
}

func orUnknown(text string) string {
	if strings.TrimSpace(text) == "" {
		return "unknown"
	}
	return text
}
