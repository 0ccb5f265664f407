package operation_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"binnacle/config"
	"binnacle/ops"
)

// protectedRun is an operation on backups that is disturbed in every way.
type protectedRun struct {
	name  string
	ask   []string
	calls int // at least so many are put to the test
}

func protectedRuns() []protectedRun {
	return []protectedRun{
		{"backup create", []string{"NAME", "db", "verify", "true"}, 8},
		{"backup drill", []string{"NAME", "db"}, 12},
		{"restore", []string{"NAME", "db", "maintenance", "true"}, 35},
		{"restore", []string{"NAME", "db", "scratch", "true"}, 10},
	}
}

// prepared is a bench with one backup and newer data.
func prepared(t *testing.T, cfg *config.Config) *protectedBench {
	p := protect(newBenchOf(t, cfg))
	p.must("backup create", "NAME", "db")
	p.write("users", 9)
	return p
}

// Whatever single command on a host fails, is lost, or is cancelled at: the data is
// the old or the new, never none; nothing that was loaded stays; who was held off
// works again; the lock is given back; and only whole backups are listed.
func TestBackupsWhenEveryCommandFailsInTurn(t *testing.T) {
	cfg := parse(t, protectedConfig, "TOKEN=secret-token\nPASS=secret-password\n")
	for _, run := range protectedRuns() {
		p := prepared(t, cfg)
		first := len(p.world.Calls())
		p.must(run.name, run.ask...)
		var faults []fault
		count := map[fault]int{}
		for _, c := range p.world.Calls()[first:] {
			f := fault{host: c.Host, what: normal(c.What)}
			count[f]++
			f.nth = count[f]
			faults = append(faults, f)
		}
		if len(faults) < run.calls {
			t.Errorf("%s: only %d calls to fail", run.name, len(faults))
		}
		for _, mode := range []string{"exit", "lost", "lost answer", "cancel"} {
			t.Run(strings.Join(append([]string{run.name}, run.ask[2:]...), " ")+"/"+mode, func(t *testing.T) {
				t.Parallel()
				for i, f := range faults {
					t.Run(fmt.Sprintf("%d %s %.40s", i, orLocal(f.host), f.what), func(t *testing.T) {
						synctest.Test(t, func(t *testing.T) {
							p := prepared(t, cfg)
							plan := p.plan(run.name, run.ask...)
							var engine *ops.Engine
							hit := p.plant(f, mode, func() { engine.Cancel(p.in.Holder.Task, "a test") })
							task := p.follow(plan, func(e *ops.Engine) { engine = e })
							p.world.Interfere(nil, nil)
							if !hit() {
								t.Skip("did not come to that")
							}
							p.checkTask(t, task, f, mode)
							p.checkLeft(t, task, f.host+": "+f.what)
						})
					})
				}
			})
		}
	}
}

// The same with every call of the store.
func TestBackupsWhenEveryCallOfTheStoreFailsInTurn(t *testing.T) {
	cfg := parse(t, protectedConfig, "TOKEN=secret-token\nPASS=secret-password\n")
	for _, run := range protectedRuns() {
		var calls atomic.Int64
		p := prepared(t, cfg)
		p.kept.Fail = func(context.Context, string, string) error { calls.Add(1); return nil }
		p.must(run.name, run.ask...)
		total := calls.Load()
		for _, mode := range []string{"fail", "cancel"} {
			t.Run(strings.Join(append([]string{run.name}, run.ask[2:]...), " ")+"/"+mode, func(t *testing.T) {
				t.Parallel()
				for nth := int64(1); nth <= total; nth++ {
					t.Run(fmt.Sprint(nth), func(t *testing.T) {
						synctest.Test(t, func(t *testing.T) {
							p := prepared(t, cfg)
							var engine *ops.Engine
							var calls atomic.Int64
							failed := ""
							p.kept.Fail = func(_ context.Context, call, key string) error {
								if calls.Add(1) != nth {
									return nil
								}
								if failed = call + " " + key; mode == "cancel" {
									engine.Cancel(p.in.Holder.Task, "a test")
									return nil
								}
								return errors.New("planted failure of the store")
							}
							task := p.follow(p.plan(run.name, run.ask...), func(e *ops.Engine) { engine = e })
							p.kept.Fail = nil
							if failed == "" {
								t.Skip("did not come to that")
							}
							if mode == "cancel" && task.Status == ops.Failed {
								t.Errorf("cancelling made the task fail: %v", texts(task.Errors))
							}
							p.checkLeft(t, task, failed)
						})
					})
				}
			})
		}
	}
}

func (p *protectedBench) checkTask(t *testing.T, task ops.Task, f fault, mode string) {
	t.Helper()
	for _, e := range task.Errors {
		if text := e.Error(); strings.Contains(text, "timed out") || strings.Contains(text, "secret-") || strings.Contains(e.Command, "\n") && !strings.HasPrefix(e.Command, "mkdir") {
			t.Errorf("an error reads %q", text)
		}
	}
	// Tidying up after others, and writing down what was done, decides nothing.
	idle := f.what == "docker ps --all" || strings.Contains(f.what, "audit.log") ||
		strings.HasPrefix(f.what, "docker exec -i shop-db ") && strings.Contains(f.what, "binnacle_drill_") // the container is gone by then
	if (mode == "exit" || mode == "lost") && (task.Status == ops.Done) != idle {
		t.Errorf("the task is %s", task.Status)
	}
	if mode == "cancel" && task.Status == ops.Failed {
		t.Errorf("cancelling made the task fail: %v", texts(task.Errors))
	}
	if task.Status == ops.Failed && len(task.Errors) == 0 {
		t.Error("it failed without an error")
	}
}

// checkLeft holds what is true after a run that was disturbed at a call.
func (p *protectedBench) checkLeft(t *testing.T, task ops.Task, at string) {
	t.Helper()
	told := strings.Join(texts(task.Errors), "\n")
	old, restored := map[string]int64{"users": 9, "orders": 5}, map[string]int64{"users": 3, "orders": 5}
	now := p.tables("app")
	swapped := maps.Equal(now, restored)
	switch {
	case !swapped && !maps.Equal(now, old):
		t.Errorf("the data is %v after %s", now, at)
	case task.Status == ops.Done && task.Operation == "restore" && p.copies() == 0 && !swapped:
		t.Error("the restore is done, and the old data is there")
	case swapped && p.tables("binnacle_before_01task") == nil:
		t.Error("the data from before was not kept")
	}
	for _, name := range append(p.databases(), p.containers()...) {
		if (strings.HasPrefix(name, "binnacle_restore_") || strings.HasPrefix(name, "binnacle_drill_") || strings.HasPrefix(name, "binnacle_scratch_")) && !strings.Contains(told, "left behind") && !strings.Contains(told, "docker rename") {
			t.Errorf("%s is left, and nobody is told: %s", name, told)
		}
	}
	if held := p.held(); len(held) > 0 && !strings.Contains(told, "was not released") {
		t.Errorf("the lock is held on %v: %s", held, told)
	}
	p.checkHeld(t, told)
	listed := 0
	for _, e := range p.listed() {
		if listed++; e.Problem != "" && !strings.Contains(e.Problem, "planted failure") {
			t.Errorf("%s is listed with the problem %s", e.ID, e.Problem)
		}
	}
	if listed == 0 {
		t.Error("the backup from before is gone")
	}
	folders := map[string]bool{}
	for _, key := range p.keys() {
		folders[strings.Split(key, "/")[2]] = true
	}
	if len(folders) != listed && !strings.Contains(told, "could not be removed") {
		t.Errorf("%d backups are listed, %d are there: %v\n%s", listed, len(folders), p.keys(), told)
	}
}

// checkHeld holds that all that was held off goes on, or that somebody was told.
func (p *protectedBench) checkHeld(t *testing.T, told string) {
	t.Helper()
	p.pg.Lock()
	defer p.pg.Unlock()
	for host, state := range p.paused {
		if state != "running" && !strings.Contains(told, "still held off") {
			t.Errorf("%s is still in maintenance: %s", host, told)
		}
	}
	if running := p.running("vm3", "job"); len(running) != 1 && !strings.Contains(told, "still held off") {
		t.Errorf("the job role runs %v: %s", running, told)
	}
}

func (p *protectedBench) copies() int {
	n := 0
	for _, name := range p.containers() {
		if strings.HasPrefix(name, "binnacle_copy_") {
			n++
		}
	}
	return n
}
