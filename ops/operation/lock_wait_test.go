package operation_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"binnacle/config"
	"binnacle/ops"
	"binnacle/ops/opstest"
)

const automaticLock = "Automatic deploy lock (binnacle tower pid 9 task 01B)"

// The clock of the bench moves with every sleep, so waiting is measured by it.
func TestALockIsWaitedForUntilItIsReleased(t *testing.T) {
	b := newBench(t, demoConfig)
	b.in.LockWait = ops.LockWait{Timeout: 900 * time.Second, Interval: 15 * time.Second}
	b.locks["vm1"] = details(automaticLock)
	tries := 0
	b.world.On("vm1", "^mkdir .kamal/lock-", opstest.Reply{Answer: func(_ context.Context, what string) (string, error) {
		if tries++; tries == 4 {
			_ = b.freeLock("vm1")
		}
		return "", b.takeLock("vm1", what)
	}})
	began := b.world.Now()
	said := b.transcript("app stop")
	if waited := b.world.Now().Sub(began); waited != 45*time.Second || tries != 4 {
		t.Errorf("waited %s in %d tries, want 45s in 4", waited, tries)
	}
	for _, want := range []string{
		"Acquiring the deploy lock (waiting up to 900s)...", "Deploy lock is held by: locked by: Bea at 2026-01-01T10:30:00Z",
		"Retrying in 15s (900s remaining)...", "Retrying in 15s (870s remaining)...", "Releasing the deploy lock...",
	} {
		if !slices.ContainsFunc(said, func(l string) bool { return strings.HasPrefix(l, want) }) {
			t.Errorf("nobody said %q in:\n%s", want, strings.Join(said, "\n"))
		}
	}
	if n := count(said, "Deploy lock is held by"); n != 1 {
		t.Errorf("the holder is told %d times, want once", n)
	}
	if got := b.running("vm1", "web"); len(got) > 0 || len(b.held()) > 0 {
		t.Errorf("afterwards vm1 runs %v, and the lock is on %v", got, b.held())
	}
}

func TestWaitingForALockEnds(t *testing.T) {
	tests := []struct {
		name, lock string
		waits      time.Duration
		says       []string
	}{
		{"when its time is over", details(automaticLock), 40 * time.Second, []string{
			"vm1: timed out after 40s waiting for the deploy lock", "message: Automatic deploy lock",
		}},
		{"with the gem's lock as well", details("Automatic deploy lock"), 40 * time.Second, []string{"timed out after 40s"}},
		{"with a lock whose details are not written", "", 40 * time.Second, []string{"timed out after 40s", "without details"}},
		{"at once when somebody holds it by hand", details("moving the database"), 0, []string{"vm1: deploy lock found", "somebody holds it by hand"}},
		{"at once when nobody knows its text", "who knows", 0, []string{"vm1: deploy lock found"}},
		{"at once when its process is gone", details("Automatic deploy lock (binnacle laptop pid 8 task 01A)"), 0, []string{"its process is gone: binnacle lock release"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t, demoConfig)
			b.in.LockWait = ops.LockWait{Timeout: 40 * time.Second, Interval: 15 * time.Second}
			b.locks["vm1"] = tt.lock
			began := b.world.Now()
			task := b.start(b.plan("app stop"), nil)
			if waited := b.world.Now().Sub(began); waited != tt.waits {
				t.Errorf("waited %s, want %s", waited, tt.waits)
			}
			text := strings.Join(append(texts(task.Errors), evidence(task)...), "\n")
			for _, want := range tt.says {
				if !strings.Contains(text, want) {
					t.Errorf("the error does not say %q:\n%s", want, text)
				}
			}
			if task.Status != ops.Failed || b.locks["vm1"] != tt.lock || len(b.running("vm1", "web")) != 1 {
				t.Errorf("%s, the lock is %q, vm1 runs %v", task.Status, b.locks["vm1"], b.running("vm1", "web"))
			}
		})
	}
}

func TestTheLockOfThePrimaryHostIsWaitedForAsWell(t *testing.T) {
	b := newBench(t, demoConfig)
	b.in = input(t, b.cfg, config.Filter{Hosts: []string{"vm3"}})
	b.in.LockWait = ops.LockWait{Timeout: time.Minute, Interval: 10 * time.Second}
	b.locks["vm1"] = details(automaticLock)
	looks := 0
	b.world.On("vm1", `^if \[ -d`, opstest.Reply{Answer: func(context.Context, string) (string, error) {
		if looks++; looks == 3 {
			_ = b.freeLock("vm1")
		}
		return b.lockText("vm1"), nil
	}})
	if task := b.start(b.plan("app stop"), nil); task.Status != ops.Done || looks != 3 {
		t.Errorf("%s after %d looks: %v", task.Status, looks, texts(task.Errors))
	}
}

// A lock that is released between the try and the look is tried again.
func TestALockReleasedMeanwhileIsTriedAgain(t *testing.T) {
	b := newBench(t, demoConfig)
	b.in.LockWait = ops.LockWait{Timeout: time.Minute, Interval: 10 * time.Second}
	b.world.Once("vm1", "^mkdir .kamal/lock-", opstest.Reply{Err: &ops.ExitError{Host: "vm1", Code: 1, Output: "mkdir: cannot create directory ‘.kamal/lock-shop’: File exists"}})
	if task := b.start(b.plan("app stop"), nil); task.Status != ops.Done {
		t.Errorf("%s: %v", task.Status, texts(task.Errors))
	}
}

// Whoever waits can stop waiting at any time, with nothing changed.
func TestWaitingForALockCanBeCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, demoConfig)
		b.in.LockWait = ops.LockWait{Timeout: time.Hour, Interval: 15 * time.Second}
		b.locks["vm1"] = details(automaticLock)
		var engine *ops.Engine
		tries := 0
		b.world.On("vm1", "^mkdir .kamal/lock-", opstest.Reply{Answer: func(_ context.Context, what string) (string, error) {
			if tries++; tries == 2 {
				engine.Cancel(b.in.Holder.Task, "a test")
			}
			return "", b.takeLock("vm1", what)
		}})
		task := b.start(b.plan("app stop"), func(e *ops.Engine, _ ops.TaskID) { engine = e })
		if task.Status != ops.Cancelled || tries != 2 || b.locks["vm1"] == "" || len(b.running("vm1", "web")) != 1 {
			t.Errorf("%s after %d tries, lock %q: %v", task.Status, tries, b.locks["vm1"], texts(task.Errors))
		}
	})
}

// Helpers

// transcript runs an operation that must succeed and returns what its steps said.
func (b *bench) transcript(name string, params ...string) []string {
	b.t.Helper()
	plan := b.plan(name, params...)
	store := ops.NewStore(b.t.Context())
	engine := ops.NewEngine(b.world, store, ops.Journals{}, nil, ops.Identity{})
	if err := engine.Start(b.t.Context(), b.in.Holder.Task, plan); err != nil {
		b.t.Fatal(err)
	}
	engine.Close()
	store.Settle()
	task, _ := store.State().Task(b.in.Holder.Task)
	if task.Status != ops.Done {
		b.t.Errorf("%s is %s: %v", name, task.Status, texts(task.Errors))
	}
	var out []string
	lines, _, _ := store.Output(b.in.Holder.Task).Window("", 0, 10000)
	for _, l := range lines {
		out = append(out, l.Text)
	}
	store.Close()
	return out
}

func count(lines []string, prefix string) int {
	n := 0
	for _, l := range lines {
		if strings.HasPrefix(l, prefix) {
			n++
		}
	}
	return n
}
