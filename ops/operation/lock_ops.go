package operation

import (
	"context"
	"errors"
	"strings"
	"time"

	"binnacle/ops"
	"binnacle/ops/command"
)

// LockStatus shows who holds the deploy lock, and whether they still work.
func LockStatus() ops.Operation {
	return ops.Operation{
		Name: "lock status", Group: "lock", Summary: "Show the deploy lock: who, since when, still alive?",
		Scope: ops.ScopeApp, Risk: ops.Read, Observe: true,
		Plan: func(in ops.Input) (ops.Plan, error) {
			s := newStory(in, "lock status")
			host := s.lockHost()
			return s.plan(ops.Read, "lock status", &ops.Step{
				ID: "lock", Title: "read the lock", Host: host, Timeout: time.Minute,
				Lines: []command.Line{command.NewLock(s.cfg).Status()},
				Run: func(ctx context.Context, r *ops.Run) error {
					found, err := s.readLock(ctx, r, host)
					if err != nil {
						return &ops.Error{Host: host, Summary: "reading the lock", Cause: err}
					}
					r.Fact(ops.LockSeen{App: s.App, Lock: found})
					r.Result(s.lockReport(found))
					return nil
				},
			}), nil
		},
	}
}

// LockAcquire takes the deploy lock by hand, with a message for the others.
func LockAcquire() ops.Operation {
	return ops.Operation{
		Name: "lock acquire", Group: "lock", Summary: "Take the deploy lock by hand",
		Scope: ops.ScopeApp, Risk: ops.Change,
		Params: []ops.Param{{Name: "message", Letter: "m", Kind: ops.Text, Required: true, Usage: "why the lock is held"}},
		Plan: func(in ops.Input) (ops.Plan, error) {
			s := newStory(in, "lock acquire")
			s.lock.host = s.lockHost()
			details := command.LockDetails{LockedBy: s.UserName, Version: s.lockVersion, Message: in.Params.Text("message")}
			builder := command.NewLock(s.cfg)
			return s.plan(ops.Change, "acquire the deploy lock", s.connect(), &ops.Step{
				ID: "lock", Title: "acquire", Host: s.lock.host, Atomic: true, Timeout: time.Minute,
				Run: func(ctx context.Context, r *ops.Run) error {
					details.At = r.Now()
					err := r.Exec(ctx, builder.Acquire(details))
					if lockTaken(err) {
						r.Say("Deploy lock already in place!")
						return s.explainLock(ctx, r, err)
					}
					if err != nil {
						return err
					}
					r.Result("Acquired the deploy lock")
					return nil
				},
			}), nil
		},
	}
}

// LockRelease removes the deploy lock, also one whose details were never
// written, and says whose it was.
func LockRelease() ops.Operation {
	return ops.Operation{
		Name: "lock release", Group: "lock", Summary: "Release the deploy lock", Observe: true,
		Scope: ops.ScopeApp, Risk: ops.Change,
		Plan: func(in ops.Input) (ops.Plan, error) {
			s := newStory(in, "lock release")
			host := s.lockHost()
			plan := s.plan(ops.Change, "release the deploy lock", &ops.Step{
				ID: "unlock", Title: "release", Host: host, Atomic: true, Timeout: time.Minute,
				Lines: []command.Line{command.NewLock(s.cfg).Release()},
				Run:   func(ctx context.Context, r *ops.Run) error { return s.releaseByHand(ctx, r, host) },
			})
			plan.Effects = []ops.Effect{{Label: "to", Text: s.destinationText(), Warn: s.production()}}
			if l := s.lockEffect(); l.Text != "" {
				plan.Effects = append(plan.Effects, l)
			}
			return plan, nil
		},
	}
}

// Private

func (s *story) releaseByHand(ctx context.Context, r *ops.Run, host string) error {
	builder := command.NewLock(s.cfg)
	found, err := s.readLock(ctx, r, host)
	if err != nil {
		return &ops.Error{Host: host, Summary: "reading the lock", Cause: err}
	}
	if !found.Held {
		r.Result("There is no deploy lock")
		return nil
	}
	for _, l := range DescribeLock(found) {
		r.Line(ops.Stdout, l)
	}
	if err := removeLock(ctx, r, builder, found.Bare); err != nil {
		return err
	}
	r.Fact(ops.LockSeen{App: s.App, Lock: ops.Lock{SeenAt: r.Now(), Host: host}})
	r.Result("Released the deploy lock")
	return nil
}

// Helpers

func (s *story) lockReport(l ops.Lock) string {
	if !l.Held {
		return "There is no deploy lock"
	}
	lines := DescribeLock(l)
	if changed := ChangedSince(s.Fleet, l.At); len(changed) > 0 {
		lines = append(append(lines, "changed on hosts since then:"), indented(changed)...)
	}
	if l.Liveness == ops.HolderDead || l.Bare {
		lines = append(lines, "to release it: "+s.byHand("lock release"))
	}
	return strings.Join(lines, "\n")
}

func indented(lines []string) []string {
	out := make([]string, len(lines))
	for i, l := range lines {
		out[i] = "  " + l
	}
	return out
}

// lockTaken reports a mkdir that found the directory there.
func lockTaken(err error) bool {
	var exit *ops.ExitError
	return errors.As(err, &exit) && strings.Contains(exit.Output, "cannot create directory") &&
		!strings.Contains(exit.Output, "No such file")
}
