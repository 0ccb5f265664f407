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

// takeLockInTurn takes the lock once nobody else holds it any more. Nobody
// waits for a lock that is not going to be released by itself: one taken by
// hand, or one whose process is gone.
func (s *story) takeLockInTurn(ctx context.Context, r *ops.Run) error {
	wait, interval := s.LockWait.Timeout, max(s.LockWait.Interval, time.Second)
	r.Say("Acquiring the deploy lock (waiting up to %ds)...", wholeSeconds(wait))
	deadline := r.Now().Add(wait)
	for told := ""; ; {
		err := s.takeLock(ctx, r)
		if !errors.Is(err, ErrLocked) && !releasedMeanwhile(err) {
			return err
		}
		found, remaining := s.lock.found, deadline.Sub(r.Now())
		switch {
		case found.Held && !found.Bare && !automatic(found):
			r.Say("Deploy lock held manually, not waiting")
			return err
		case found.Liveness == ops.HolderDead:
			r.Say("The process that took the deploy lock is gone, not waiting")
			return err
		case remaining <= 0:
			r.Say("Timed out after %ds waiting for the deploy lock", wholeSeconds(wait))
			return timedOut(err, wait)
		}
		if holder := strings.Join(DescribeLock(found), ", "); found.Held && holder != told {
			told = holder
			s.tell(r, "Deploy lock is held by: %s", holder)
		}
		pause := min(interval, remaining)
		s.tell(r, "Retrying in %ds (%ds remaining)...", wholeSeconds(pause), wholeSeconds(remaining))
		if err := r.Pause(ctx, pause); err != nil {
			return err
		}
	}
}

// Private

// tell says what a person who waits wants to see at once.
func (s *story) tell(r *ops.Run, format string, args ...any) {
	r.Say(format, args...)
	r.Note(format, args...)
	r.Fact(ops.Noticed{At: r.Now(), Text: fmt.Sprintf(format, args...)})
}

// Helpers

// releasedMeanwhile reports a lock that was there when it was to be taken, and
// gone when it was looked at.
func releasedMeanwhile(err error) bool {
	var exit *ops.ExitError
	return lockTaken(err) && errors.As(err, &exit) && strings.Contains(exit.Output, "File exists")
}

// automatic reports a lock that its holder releases by itself.
func automatic(l ops.Lock) bool { return command.LockDetails{Message: l.Message}.Automatic() }

func timedOut(err error, after time.Duration) error {
	var known *ops.Error
	if !errors.As(err, &known) {
		return err
	}
	told := *known
	told.Summary = fmt.Sprintf("timed out after %ds waiting for the deploy lock", wholeSeconds(after))
	return &told
}

func wholeSeconds(d time.Duration) int { return int(d / time.Second) }
