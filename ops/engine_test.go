package ops_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"binnacle/config/secret"
	"binnacle/ops"
	"binnacle/ops/command"
	"binnacle/ops/opstest"
)

type bench struct {
	world    *opstest.World
	store    *ops.Store
	engine   *ops.Engine
	redactor *secret.Redactor
	dir      string
}

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{world: opstest.New(), store: ops.NewStore(t.Context()), redactor: new(secret.Redactor), dir: t.TempDir()}
	b.engine = ops.NewEngine(b.world, b.store, ops.Journals{Dir: b.dir}, b.redactor, ops.Identity{User: "ana", Host: "laptop", PID: 7})
	return b
}

func (b *bench) run(t *testing.T, plan ops.Plan) ops.Task {
	t.Helper()
	id := b.engine.NewTaskID()
	if err := b.engine.Start(t.Context(), id, plan); err != nil {
		t.Fatal(err)
	}
	return b.ended(t, id)
}

func (b *bench) ended(t *testing.T, id ops.TaskID) ops.Task {
	t.Helper()
	if err := b.engine.Wait(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	b.engine.Close()
	b.store.Close()
	task, ok := b.store.State().Task(id)
	if !ok {
		t.Fatal("no task in the state")
	}
	return task
}

func (b *bench) journal(t *testing.T, task ops.Task) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(b.dir, string(task.App), string(task.ID)+".jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func change(nodes ...ops.Node) ops.Plan {
	return ops.Plan{Operation: "deploy", Title: "deploy", App: "shop", Risk: ops.Change, Root: ops.InSequence("", "", nodes...)}
}

func on(host, cmd string) *ops.Step {
	return &ops.Step{ID: cmd, Title: cmd, Host: host, Lines: []command.Line{command.New(cmd)}}
}

func statuses(task ops.Task) string {
	var out []string
	for _, s := range task.Steps {
		out = append(out, string(s.ID)+"="+string(s.Status))
	}
	return strings.Join(out, " ")
}

func TestAFailureSkipsTheRestButNotTheCleanup(t *testing.T) {
	b := newBench(t)
	b.world.On("vm1", "two", opstest.Reply{Err: &ops.ExitError{Host: "vm1", Code: 2, Output: "no"}})
	release := on("vm1", "release")
	release.Always = true
	task := b.run(t, change(on("vm1", "one"), on("vm1", "two"), on("vm1", "three"), release))
	if got, want := statuses(task), "one=done two=failed three=skipped release=done"; got != want {
		t.Errorf("steps %s, want %s", got, want)
	}
	if task.Status != ops.Failed || len(task.Errors) != 1 {
		t.Fatalf("task %s with %d errors", task.Status, len(task.Errors))
	}
	if got, want := task.Errors[0].Error(), "vm1: two: no (exit status 2)"; got != want {
		t.Errorf("error %q, want %q", got, want)
	}
}

func TestSideBySideAllFinishBeforeAFailureCounts(t *testing.T) {
	b := newBench(t)
	b.world.On("vm1", "boot", opstest.Reply{Err: errors.New("boom")})
	task := b.run(t, change(
		ops.SideBySide("boot", "boot", on("vm1", "boot"), &ops.Step{ID: "other", Host: "vm2", Lines: []command.Line{command.New("boot")}}),
		on("vm1", "tag"),
	))
	if got, want := statuses(task), "boot=failed boot/boot=failed boot/other=done tag=skipped"; got != want {
		t.Errorf("steps %s, want %s", got, want)
	}
}

func TestCancelLetsAnAtomicStepFinishAndRunsCleanup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		started, finish := make(chan struct{}), make(chan struct{})
		switching := &ops.Step{ID: "switch", Host: "vm1", Atomic: true, Run: func(ctx context.Context, _ *ops.Run) error {
			close(started)
			select {
			case <-finish:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		}}
		release := on("vm1", "release")
		release.Always = true
		id := b.engine.NewTaskID()
		if err := b.engine.Start(t.Context(), id, change(switching, on("vm1", "next"), release)); err != nil {
			t.Fatal(err)
		}
		<-started
		b.engine.Cancel(id, "ana")
		synctest.Wait()
		close(finish)
		task := b.ended(t, id)
		if got, want := statuses(task), "switch=done next=skipped release=done"; got != want {
			t.Errorf("steps %s, want %s", got, want)
		}
		if task.Status != ops.Cancelled {
			t.Errorf("task %s, want cancelled", task.Status)
		}
	})
}

func TestCancelInterruptsAnOrdinaryStep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.world.On("vm1", "pull", opstest.Reply{Do: func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }})
		id := b.engine.NewTaskID()
		if err := b.engine.Start(t.Context(), id, change(on("vm1", "pull"), on("vm1", "boot"))); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		b.engine.Cancel(id, "signal")
		task := b.ended(t, id)
		if got, want := statuses(task), "pull=cancelled boot=skipped"; got != want {
			t.Errorf("steps %s, want %s", got, want)
		}
	})
}

func TestAStepThatTakesTooLongSaysSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.world.On("vm1", "pull", opstest.Reply{Do: func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }})
		slow := on("vm1", "pull")
		slow.Timeout = 30 * time.Second
		task := b.run(t, change(slow))
		if got, want := task.Errors[0].Error(), "vm1: pull: timed out after 30s"; got != want {
			t.Errorf("error %q, want %q", got, want)
		}
	})
}

func TestOneChangePerAppAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		release := make(chan struct{})
		hold := &ops.Step{ID: "hold", Run: func(context.Context, *ops.Run) error { <-release; return nil }}
		first, second := b.engine.NewTaskID(), b.engine.NewTaskID()
		if err := b.engine.Start(t.Context(), first, change(hold)); err != nil {
			t.Fatal(err)
		}
		var busy *ops.ErrBusy
		if err := b.engine.Start(t.Context(), second, change(on("vm1", "x"))); !errors.As(err, &busy) || busy.Task != first {
			t.Errorf("a second change: %v, want busy with the first", err)
		}
		close(release)
		b.ended(t, first)
	})
}

func TestAPanicFailsTheStepAndTheCleanupRuns(t *testing.T) {
	b := newBench(t)
	bad := &ops.Step{ID: "bad", Title: "bad", Run: func(context.Context, *ops.Run) error { panic("oops") }}
	release := on("vm1", "release")
	release.Always = true
	task := b.run(t, change(bad, release))
	if got, want := statuses(task), "bad=failed release=done"; got != want {
		t.Errorf("steps %s, want %s", got, want)
	}
	if !strings.Contains(b.journal(t, task), "goroutine") {
		t.Error("the journal has no stack")
	}
}

func TestSecretsReachNeitherJournalNorState(t *testing.T) {
	b := newBench(t)
	b.redactor.Add(secret.New("hunter2-hunter2"))
	b.world.On("vm1", "boot", opstest.Reply{
		Stdout: "password is hunter2-hunter2\n",
		Err:    &ops.ExitError{Host: "vm1", Code: 1, Output: "bad password hunter2-hunter2"},
	})
	task := b.run(t, change(on("vm1", "boot")))
	if text := b.journal(t, task) + task.Errors[0].Error(); strings.Contains(text, "hunter2") {
		t.Errorf("the secret is in %s", text)
	}
}

func TestAJournalReplaysToTheSameTask(t *testing.T) {
	b := newBench(t)
	b.world.On("vm1", "two", opstest.Reply{Err: errors.New("no")})
	task := b.run(t, change(ops.SideBySide("g", "group", on("vm1", "one"), on("vm1", "two"))))
	entries, err := ops.Journals{Dir: b.dir}.List("shop")
	if err != nil || len(entries) != 1 {
		t.Fatalf("journals: %v, %v", entries, err)
	}
	if info, err := os.Stat(entries[0].Path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	events, err := ops.Journals{Dir: b.dir}.Read(entries[0].Path)
	if err != nil {
		t.Fatal(err)
	}
	var state ops.State
	for _, e := range events {
		state = ops.Fold(state, e)
	}
	again := state.Tasks[0]
	if statuses(again) != statuses(task) || again.Status != task.Status || again.Errors[0].Error() != task.Errors[0].Error() {
		t.Errorf("replayed %+v, want %+v", again, task)
	}
}

func TestHiddenGroupsOrderWithoutBeingShown(t *testing.T) {
	b := newBench(t)
	task := b.run(t, change(ops.SideBySide("boot", "boot",
		ops.InSequence("", "", ops.InSequence("web/vm1", "web", on("vm1", "run")), ops.InSequence("job/vm1", "job", on("vm1", "run"))),
	)))
	want := []string{"boot", "boot/web/vm1", "boot/web/vm1/run", "boot/job/vm1", "boot/job/vm1/run"}
	var got []string
	for _, s := range task.Steps {
		got = append(got, string(s.ID))
		if s.Status != ops.Done {
			t.Errorf("%s is %s", s.ID, s.Status)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("steps %v, want %v", got, want)
	}
}
