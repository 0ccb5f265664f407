package operation_test

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"binnacle/config"
	"binnacle/ops"
	"binnacle/ops/opstest"
)

// scenario is one operation on a fleet of two web hosts and a job host.
type scenario struct {
	name    string
	cfg     *config.Config
	prepare func(b *bench) ops.Plan
	boots   string // the version that takes over; "" for what does not boot
	calls   int    // at least so many calls are put to the test
}

// fault is one call that goes wrong: the nth of its kind on a host.
type fault struct {
	host, what string
	nth        int
}

// Whatever single command fails, whose answer is lost or before which somebody
// cancels: the lock is given back, every place keeps exactly one container, the
// proxy points at one that runs, and nothing later begins.
func TestEveryCommandFailsInTurn(t *testing.T) {
	for _, s := range scenarios(t) {
		faults := s.faults(t)
		if len(faults) < s.calls {
			t.Errorf("%s: only %d calls to fail", s.name, len(faults))
		}
		for _, mode := range []string{"exit", "lost", "lost answer", "cancel"} {
			t.Run(s.name+"/"+mode, func(t *testing.T) {
				t.Parallel()
				for _, f := range faults {
					t.Run(fmt.Sprintf("%s %.60s %d", orLocal(f.host), f.what, f.nth), func(t *testing.T) {
						synctest.Test(t, func(t *testing.T) { s.try(t, f, mode) })
					})
				}
			})
		}
	}
}

func scenarios(t *testing.T) []scenario {
	cfg := parse(t, demoConfig, "TOKEN=secret-token\nPASS=secret-password\n")
	stopped := func(b *bench) {
		for _, h := range cfg.AllHosts() {
			for _, c := range b.world.Engine(h).Containers() {
				if c.Name != "kamal-proxy" {
					b.world.Engine(h).Change(c.ID, func(c *ops.Inspection) { c.State = "exited" })
				}
			}
			clear(b.routes[h])
		}
	}
	return []scenario{
		{"deploy", cfg, func(b *bench) ops.Plan { return b.plan("deploy", "skip-push", "true") }, "v3", 50},
		{"deploy --migrate", cfg, func(b *bench) ops.Plan {
			b.rails("20260101 Create users", "20260102 Add email")
			return b.plan("deploy", "skip-push", "true", "migrate", "true")
		}, "v3", 58},
		{"migrate", cfg, func(b *bench) ops.Plan { b.rails("20260101 Create users"); return b.plan("migrate") }, "", 14},
		{"migrate rollback", cfg, func(b *bench) ops.Plan {
			b.rails("20260101 Create users").up = 1
			return b.plan("migrate rollback", "step", "1")
		}, "", 14},
		{"rollback", cfg, func(b *bench) ops.Plan { return b.plan("rollback", "VERSION", "v1") }, "v1", 30},
		{"app boot", cfg, func(b *bench) ops.Plan { b.in.AskedVersion = "v3"; return b.plan("app boot") }, "v3", 25},
		{"app boot again", cfg, func(b *bench) ops.Plan {
			b.in.AskedVersion, b.in.Version = "v2", "v2"
			b.in.Config = cfg.WithVersion("v2")
			return b.plan("app boot")
		}, "v2", 25},
		{"app stop", cfg, func(b *bench) ops.Plan { return b.plan("app stop") }, "", 10},
		{"app maintenance", cfg, func(b *bench) ops.Plan { return b.plan("app maintenance") }, "", 6},
		{"app live", cfg, func(b *bench) ops.Plan { return b.plan("app live") }, "", 6},
		{"app remove", cfg, func(b *bench) ops.Plan { return b.plan("app remove") }, "", 20},
		{"app remove_container", cfg, func(b *bench) ops.Plan { return b.plan("app remove_container", "VERSION", "v1") }, "", 10},
		{"prune all", cfg, func(b *bench) ops.Plan { return b.plan("prune all") }, "", 10},
		{"remove", cfg, func(b *bench) ops.Plan { return b.plan("remove", "all", "true") }, "", 30},
		{"app start", cfg, func(b *bench) ops.Plan { stopped(b); b.in.Version = "v2"; return b.plan("app start") }, "", 10},
	}
}

// faults are all calls of an undisturbed run.
func (s scenario) faults(t *testing.T) []fault {
	t.Helper()
	b, plan := s.bench(t)
	if task := b.start(plan, nil); task.Status != ops.Done {
		t.Fatalf("%s: %s: %v", s.name, task.Status, texts(task.Errors))
	}
	count := map[fault]int{}
	var out []fault
	for _, c := range b.world.Calls() {
		f := fault{host: c.Host, what: normal(c.What)}
		count[f]++
		f.nth = count[f]
		if f.host != "vm2" { // the second web host is the first one's twin
			out = append(out, f)
		}
		f.nth = 0
	}
	return out
}

func (s scenario) bench(t *testing.T) (*bench, ops.Plan) {
	b := newBenchOf(t, s.cfg)
	b.in.Hooks = []string{"pre-connect", "pre-deploy", "pre-app-boot", "post-app-boot", "post-deploy"}
	return b, s.prepare(b)
}

func (s scenario) try(t *testing.T, f fault, mode string) {
	b, plan := s.bench(t)
	var engine *ops.Engine
	hit := b.plant(f, mode, func() { engine.Cancel(b.in.Holder.Task, "a test") })
	task := b.start(plan, func(e *ops.Engine, _ ops.TaskID) { engine = e })
	if !hit() {
		t.Skip("did not come to that") // hosts go side by side: a later call of the same kind may not be made
	}
	s.checkOutcome(t, b, task, f, mode)
	s.checkLock(t, b, task, f, mode)
	s.checkOrder(t, plan, task)
	b.checkMigrations(t)
	if s.boots != "" {
		s.checkPlaces(t, b, f, mode)
		s.checkGate(t, b)
	}
	if t.Failed() {
		t.Logf("%s: %s\n%s", task.Status, statuses(task), strings.Join(texts(task.Errors), "\n"))
		for _, c := range b.world.Calls() {
			t.Logf("%-5s %.150s", c.Host, c.What)
		}
	}
}

// plant makes one call go wrong; hit reports whether it was made.
func (b *bench) plant(f fault, mode string, cancel func()) (hit func() bool) {
	var mu sync.Mutex
	before, after := 0, 0
	match := func(c opstest.Call, n *int) bool {
		mu.Lock()
		defer mu.Unlock()
		if c.Host != f.host || normal(c.What) != f.what {
			return false
		}
		*n++
		return *n == f.nth
	}
	b.world.Interfere(
		func(_ context.Context, c opstest.Call) error {
			if !match(c, &before) {
				return nil
			}
			switch mode {
			case "exit":
				return &ops.ExitError{Host: c.Host, Code: 1, Output: "planted failure"}
			case "lost":
				return errors.New("planted loss of the connection")
			case "cancel":
				cancel()
			}
			return nil
		},
		func(_ context.Context, c opstest.Call) error {
			if match(c, &after) && mode == "lost answer" {
				return errors.New("planted loss of the connection")
			}
			return nil
		})
	return func() bool {
		mu.Lock()
		defer mu.Unlock()
		if mode == "lost answer" {
			return after >= f.nth // what is only read has no effect whose answer could be lost
		}
		return before >= f.nth
	}
}

func (s scenario) checkOutcome(t *testing.T, b *bench, task ops.Task, f fault, mode string) {
	t.Helper()
	for _, text := range texts(task.Errors) {
		if strings.Contains(text, "timed out") {
			t.Errorf("somebody waited for ever: %s", text)
		}
		if strings.Contains(text, "secret-") {
			t.Errorf("an error shows a secret: %s", text)
		}
	}
	switch {
	case mode == "cancel":
		if task.Status == ops.Failed {
			t.Errorf("cancelling made the task fail: %v", texts(task.Errors))
		}
		return
	case task.Status == ops.Done:
		if !mayFail(f, mode) {
			t.Errorf("the task is done although the call failed")
		}
		return
	case task.Status != ops.Failed || len(task.Errors) == 0:
		t.Errorf("the task is %s with %d errors, want failed", task.Status, len(task.Errors))
		return
	}
	first := task.Errors[0]
	if first.Host != f.host || !strings.Contains(first.Error(), "planted") {
		t.Errorf("the first error is of %q and says %q, want one of %q that names the cause", first.Host, first, f.host)
	}
	if first.Command == "" && first.Summary == "" {
		t.Errorf("the error names no command: %s", first)
	}
}

func (s scenario) checkLock(t *testing.T, b *bench, task ops.Task, f fault, mode string) {
	t.Helper()
	release := strings.HasPrefix(f.what, "rm .kamal/lock-")
	if release && (mode == "exit" || mode == "lost") {
		if !strings.Contains(strings.Join(texts(task.Errors), "\n"), "was not released") {
			t.Errorf("a lock that stays is not told: %v", texts(task.Errors))
		}
		return
	}
	if held := b.held(); len(held) > 0 {
		t.Errorf("the lock is still held on %v", held)
	}
}

// checkOrder holds that nothing begins after the top-level step that failed.
func (s scenario) checkOrder(t *testing.T, plan ops.Plan, task ops.Task) {
	t.Helper()
	ended := ""
	for _, info := range plan.Outline() {
		st, _ := task.Step(info.ID)
		top, _, _ := strings.Cut(string(info.ID), "/")
		switch {
		case !st.Status.Ended():
			t.Errorf("step %s is %s", info.ID, st.Status)
		case ended != "" && top != ended && !info.Always && !info.Group && st.Status != ops.Skipped:
			t.Errorf("step %s is %s although %s did not succeed", info.ID, st.Status, ended)
		}
		if info.Depth == 0 && (st.Status == ops.Failed || st.Status == ops.Cancelled) && top != "serving" && ended == "" {
			ended = top
		}
	}
}

// checkPlaces holds that every place runs one container, and is routed to one
// that runs.
func (s scenario) checkPlaces(t *testing.T, b *bench, f fault, mode string) {
	t.Helper()
	for _, role := range b.cfg.Roles() {
		for _, host := range role.Hosts() {
			running := b.running(host, role.Name())
			noStop := mode != "cancel" && f.host == host && strings.HasPrefix(f.what, "docker stop")
			if len(running) != 1 && (!noStop || len(running) != 2) {
				t.Errorf("%s on %s runs %v, want one container", role.Name(), host, running)
			}
			mayLack := mode != "cancel" && f.host == host && strings.Contains(f.what, "rename")
			if name := role.ContainerName("v2"); !mayLack && !b.has(host, name) {
				t.Errorf("%s on %s has no container called %s any more", role.Name(), host, name)
			}
			if !role.Proxied() {
				continue
			}
			if name, up := b.target(host, role.Name()); !up {
				t.Errorf("the proxy of %s sends %s to %q, which does not run", host, role.Name(), name)
			}
		}
	}
}

// checkGate holds that the job role begins only once a web container took over.
func (s scenario) checkGate(t *testing.T, b *bench) {
	t.Helper()
	began := slices.ContainsFunc(b.world.Calls(), func(c opstest.Call) bool {
		return strings.HasPrefix(c.What, "docker run ") && strings.Contains(c.What, "--name shop-job-"+s.boots+" ")
	})
	open := false
	for _, host := range b.cfg.Role("web").Hosts() {
		if name, _ := b.target(host, "web"); strings.HasSuffix(name, "-"+s.boots) {
			open = true
		}
	}
	if began && !open {
		t.Error("the job role was booted although no web container took over")
	}
}

// Helpers

// mayFail lists calls whose failure changes nothing: cleanup before a pull, what
// is only read for the report, and a proxy that did what it was told although
// its answer was lost.
func mayFail(f fault, mode string) bool {
	switch {
	case strings.HasPrefix(f.what, "docker image rm"), strings.Contains(f.what, "kamal-proxy remove"):
		return true
	case strings.HasPrefix(f.what, "rm -r .kamal/") && !strings.Contains(f.what, "lock-"):
		return mode == "exit" // it may not be there
	case strings.Contains(f.what, "kamal-proxy deploy"), strings.HasPrefix(f.what, "mkdir .kamal/lock"):
		return mode == "lost answer"
	case strings.HasPrefix(f.what, "docker image inspect --format"):
		return mode == "exit" // an entrypoint that cannot be read is taken for none
	case strings.Contains(f.what, "bin/rails db:migrate"), strings.Contains(f.what, "bin/rails db:rollback"):
		return mode == "lost answer" // the schema tells that it was done
	case strings.HasPrefix(f.what, "docker ps --all"):
		return true // the last one of every place is read for the report
	}
	return false
}

var changing = regexp.MustCompile(`\b\d{12}f*\b|\d{4}-\d\d-\d\dT[\d:]+Z|\d{8}T\d{6}Z-[0-9a-f]{4}`)

// normal is a command without what differs from run to run.
func normal(what string) string { return changing.ReplaceAllString(what, "…") }

func texts(errs []*ops.Error) []string {
	var out []string
	for _, e := range errs {
		out = append(out, e.Error())
	}
	return out
}

func statuses(task ops.Task) string {
	var out []string
	for _, s := range task.Steps {
		if !s.Group {
			out = append(out, string(s.ID)+"="+string(s.Status))
		}
	}
	return strings.Join(out, " ")
}

func orLocal(host string) string {
	if host == "" {
		return "local"
	}
	return host
}
