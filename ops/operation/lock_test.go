package operation_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"binnacle/config"
	"binnacle/ops"
	"binnacle/ops/command"
	"binnacle/ops/opstest"
)

func details(message string) string {
	return command.LockDetails{LockedBy: "Bea", At: time.Date(2026, 1, 1, 10, 30, 0, 0, time.UTC), Version: "v2", Message: message}.Text()
}

// Whoever finds the lock is told whose it is, whether they still work, and what
// to do; nothing changes.
func TestALockThatIsHeldIsExplained(t *testing.T) {
	tests := []struct {
		name, text string
		says       []string
	}{
		{"by hand", details("moving the database"), []string{"locked by: Bea at 2026-01-01T10:30:00Z", "message: moving the database", "somebody holds it by hand"}},
		{"by the gem", details("Automatic deploy lock"), []string{"if nobody is deploying: binnacle lock release"}},
		{"by a process here that is at work", details("Automatic deploy lock (binnacle laptop pid 7 task 01A)"), []string{"process 7 on laptop, live (task 01A)", "wait, or cancel that task"}},
		{"by a process here that is gone", details("Automatic deploy lock (binnacle laptop pid 8 task 01A)"), []string{"dead", "its process is gone: binnacle lock release"}},
		{"from another machine", details("Automatic deploy lock (binnacle tower pid 7 task 01A)"), []string{"process 7 on tower, unknown", "if nobody is deploying"}},
		{"without details", "", []string{"without details", "binnacle lock release"}},
		{"with text that no one knows", "who knows", []string{"message: who knows"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t, demoConfig)
			b.locks["vm1"] = tt.text
			b.in.Fleet = fleetOf(b.cfg)
			task := b.start(b.plan("deploy", "skip-push", "true"), nil)
			text := strings.Join(append(texts(task.Errors), evidence(task)...), "\n")
			for _, want := range append(tt.says, "vm1: deploy lock found") {
				if !strings.Contains(text, want) {
					t.Errorf("the error does not say %q:\n%s", want, text)
				}
			}
			if b.locks["vm1"] != tt.text || len(b.held()) != 1 {
				t.Error("the lock of somebody else was touched")
			}
			if got := b.running("vm1", "web"); !slices.Equal(got, []string{"shop-web-v2"}) {
				t.Errorf("vm1 runs %v", got)
			}
			report := b.result("lock status")
			for _, want := range tt.says[:1] {
				if !strings.Contains(report, want) && !strings.HasPrefix(want, "if nobody") {
					t.Errorf("lock status does not say %q:\n%s", want, report)
				}
			}
			if got := b.result("lock release"); got != "Released the deploy lock" || len(b.held()) > 0 {
				t.Errorf("lock release says %q, held %v", got, b.held())
			}
			if got := b.result("lock release"); got != "There is no deploy lock" {
				t.Errorf("a second release says %q", got)
			}
		})
	}
}

func TestWhatChangedSinceTheLockWasTakenIsTold(t *testing.T) {
	b := newBench(t, demoConfig)
	b.locks["vm1"] = details("Automatic deploy lock")
	b.in.Fleet = fleetOf(b.cfg) // v2 was created at 11:00, the lock is of 10:30
	report := b.result("lock status")
	if !strings.Contains(report, "vm2: shop-web-v2 created 11:00:00, now running") || strings.Contains(report, "v1") {
		t.Errorf("lock status says:\n%s", report)
	}
}

func TestALockDoesNotMoveAwayFromTheLockOfThePrimaryHost(t *testing.T) {
	for _, filter := range []config.Filter{{Hosts: []string{"vm3"}}, {Roles: []string{"job"}}} {
		b := newBench(t, demoConfig)
		b.in = input(t, b.cfg, filter)
		b.locks["vm1"] = details("Automatic deploy lock")
		task := b.start(b.plan("deploy", "skip-push", "true"), nil)
		if task.Status != ops.Failed || !strings.HasPrefix(texts(task.Errors)[0], "vm1: deploy lock found") {
			t.Errorf("%v: %s: %v", filter, task.Status, texts(task.Errors))
		}
		if got := b.held(); !slices.Equal(got, []string{"vm1"}) {
			t.Errorf("%v: locks %v", filter, got)
		}
		delete(b.locks, "vm1")
		if task := b.start(b.plan("deploy", "skip-push", "true"), nil); task.Status != ops.Done || task.Lock != "released" || len(b.held()) > 0 {
			t.Errorf("%v, free: %s, lock %q, held %v: %v", filter, task.Status, task.Lock, b.held(), texts(task.Errors))
		}
		if asked := strings.Join(b.world.Asked("vm3"), "\n"); !strings.Contains(asked, "mkdir .kamal/lock-shop") {
			t.Errorf("%v: the lock was not taken where the gem takes it", filter)
		}
	}
}

func TestAnOuterCommandsLockIsNotOurs(t *testing.T) {
	b := newBench(t, demoConfig)
	b.in.LockHeld = true
	b.locks["vm1"] = details("Automatic deploy lock")
	if task := b.start(b.plan("deploy", "skip-push", "true"), nil); task.Status != ops.Done {
		t.Fatal(texts(task.Errors))
	}
	if len(b.held()) != 1 {
		t.Error("the outer command's lock was released")
	}
}

// A mkdir that fails for lack of rights is no lock, and one after which the
// details cannot be written leaves none.
func TestALockThatCannotBeTaken(t *testing.T) {
	tests := []struct {
		name   string
		answer func(b *bench) error
		says   string
	}{
		{"no rights", func(*bench) error {
			return &ops.ExitError{Host: "vm1", Code: 1, Output: "mkdir: cannot create directory ‘.kamal/lock-shop’: Permission denied"}
		}, "Permission denied"},
		{"disk full", func(b *bench) error {
			b.locks["vm1"] = ""
			return &ops.ExitError{Host: "vm1", Code: 1, Output: "sh: write error: No space left on device"}
		}, "No space left on device"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t, demoConfig)
			b.world.On("vm1", "^mkdir .kamal/lock-", opstest.Reply{Answer: func(context.Context, string) (string, error) { return "", tt.answer(b) }})
			task := b.start(b.plan("deploy", "skip-push", "true"), nil)
			if text := strings.Join(texts(task.Errors), "\n"); !strings.Contains(text, tt.says) || strings.Contains(text, "lock found") {
				t.Errorf("the error says %q", text)
			}
			if len(b.held()) > 0 {
				t.Error("a bare lock is left")
			}
		})
	}
}

func TestALockByHandHasTheGemsText(t *testing.T) {
	b := newBench(t, demoConfig)
	if got := b.result("lock acquire", "message", "moving"); got != "Acquired the deploy lock" {
		t.Errorf("it says %q", got)
	}
	if got, want := b.locks["vm1"], "Locked by: Ana at 2026-01-02T03:04:05Z\nVersion: v3\nMessage: moving"; got != want {
		t.Errorf("the details are %q, want %q", got, want)
	}
}

func TestADeploysLockNamesItsHolder(t *testing.T) {
	b := newBench(t, demoConfig)
	var text string
	b.world.On("vm1", "docker pull", opstest.Reply{})
	b.world.On("vm1", "^docker run", opstest.Reply{Answer: func(_ context.Context, what string) (string, error) {
		b.mu.Lock()
		text = b.locks["vm1"]
		b.mu.Unlock()
		return b.run("vm1", what)
	}})
	b.start(b.plan("deploy", "skip-push", "true"), nil)
	want := "Locked by: Ana at 2026-01-02T03:04:05Z\nVersion: v3\nMessage: Automatic deploy lock (binnacle laptop pid 7 task 01TASK)"
	if text != want {
		t.Errorf("the details are %q, want %q", text, want)
	}
}

// Helpers

// result runs an operation and returns what it answered.
func (b *bench) result(name string, params ...string) string {
	b.t.Helper()
	plan := b.plan(name, params...)
	store := ops.NewStore(b.t.Context())
	engine := ops.NewEngine(b.world, store, ops.Journals{}, nil, ops.Identity{})
	tail := store.Tail()
	if err := engine.Start(b.t.Context(), "01READ", plan); err != nil {
		b.t.Fatal(err)
	}
	engine.Close()
	store.Close()
	var out []string
	for {
		events, ok := tail.Next(b.t.Context())
		if !ok {
			return strings.Join(out, "\n")
		}
		for _, e := range events {
			switch e := e.(type) {
			case ops.ResultWritten:
				out = append(out, e.Text)
			case ops.TaskFinished:
				out = append(out, texts(e.Errors)...)
			}
		}
	}
}

func evidence(task ops.Task) []string {
	var out []string
	for _, e := range task.Errors {
		for _, ev := range e.Evidence {
			out = append(out, ev.Lines...)
		}
	}
	return out
}
