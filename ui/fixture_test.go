package ui_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"

	"binnacle/ops"
	"binnacle/ops/logs"
	"binnacle/ui"
	"binnacle/ui/kit"
	"binnacle/ui/pane"
	"binnacle/ui/theme"
)

// noon is when the tests take place.
func noon() time.Time { return time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC) }

const app = ops.AppID("shop@production")

// world is a Source, a Driver and a clock for tests.
type world struct {
	state     *ops.State
	now       time.Time
	dirty     chan struct{}
	requests  []ui.Request
	started   []ui.Proposal
	cancelled []ops.TaskID
	answers   map[string]ops.Answer
	planError error
	busy      error
	plan      ops.Plan
	logs      *tape
	saves     string // folder for saved files
	lent      []ui.Loan
	during    func() // happens while a plan is made
}

func newWorld(events ...ops.Event) *world {
	w := &world{state: &ops.State{}, now: noon(), dirty: make(chan struct{}, 1), answers: map[string]ops.Answer{}, logs: newTape()}
	w.happen(events...)
	return w
}

func (w *world) happen(events ...ops.Event) {
	state := *w.state
	for _, e := range events {
		state = ops.Fold(state, e)
	}
	w.state = &state
}

func (w *world) State() *ops.State                { return w.state }
func (w *world) Dirty() (<-chan struct{}, func()) { return w.dirty, func() {} }

func (w *world) Plan(_ context.Context, r ui.Request) (ui.Proposal, error) {
	w.requests = append(w.requests, r)
	if w.during != nil {
		w.during()
	}
	plan := w.plan
	plan.App = r.App
	if plan.Operation == "" {
		plan.Operation = r.Operation
	}
	return ui.Proposal{Task: ops.TaskID(fmt.Sprintf("T%d", len(w.requests))), Plan: plan}, w.planError
}

func (w *world) Start(p ui.Proposal) error {
	if w.busy == nil {
		w.started = append(w.started, p)
	}
	return w.busy
}

func (w *world) Cancel(id ops.TaskID)                 { w.cancelled = append(w.cancelled, id) }
func (w *world) Answer(question string, a ops.Answer) { w.answers[question] = a }
func (w *world) Lend(_ context.Context, l ui.Loan) (tea.ExecCommand, error) {
	w.lent = append(w.lent, l)
	return nil, errors.New("no shell in tests")
}

func (w *world) options() ui.Options {
	return ui.Options{
		Source: w, Driver: w, Catalog: catalog(), App: app, Now: func() time.Time { return w.now },
		Theme: theme.Options{Dark: true}, FixedTheme: true,
		Panes: []kit.Pane{pane.NewLogs(w.logs), pane.NewTask(w)},
	}
}

// Output is the transcript of any task: none.
func (w *world) Output(ops.TaskID) *ops.Output { return nil }

// tape is a LogSource with some lines.
type tape struct {
	ring     *logs.Ring
	selected logs.Selection // what is followed
}

func newTape() *tape {
	t := &tape{ring: logs.NewRing(0)}
	texts := []string{
		"INFO  GET /patients 200 38ms rid=5f1c", "INFO  SyncJob done 1.2s", "WARN  slow query 412ms SELECT \"claims\".*", "INFO  GET /up 200 2ms",
		"ERROR GET /patients 502 target web-3 rid=77aa", "INFO  GET /orders 200 12ms rid=81b0",
	}
	for i, text := range texts {
		host := []string{"web-1", "job-1", "web-2"}[i%3]
		source := &logs.Source{Container: ops.ContainerID{Host: host, ID: host}, Role: []string{"web", "job", "web"}[i%3]}
		t.ring.Append(logs.Line{At: noon().Add(time.Duration(i-6) * time.Second), Source: source, Stream: ops.Stdout, Text: text, Level: logs.DetectLevel(text)})
	}
	return t
}

func (t *tape) View() logs.View                      { return t.ring.View() }
func (t *tape) Status() logs.Status                  { return logs.Status{Rate: 14} }
func (t *tape) Select(s logs.Selection, _ logs.Span) { t.selected = s }
func (t *tape) Update(ops.Fleet)                     {}
func (t *tape) Poke()                                {}

func (w *world) stage(t testing.TB, width, height int) *ui.Stage {
	t.Helper()
	o := w.options()
	o.SaveDir = w.saves
	if o.SaveDir == "" {
		o.SaveDir = t.TempDir()
	}
	s, err := ui.NewStage(t.Context(), o, width, height)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func catalog() ops.Catalog {
	return ops.Catalog{
		{Name: "deploy", Group: "deploy", Summary: "build, push and boot a version", Key: "D", Scope: ops.ScopeApp, Risk: ops.Change, Params: []ops.Param{
			{Name: "skip-push", Letter: "P", Kind: ops.Toggle, Usage: "use the image that is in the registry"},
		}},
		{Name: "rollback", Group: "deploy", Summary: "go back to a version that is still there", Key: "R", Scope: ops.ScopeApp, Risk: ops.Change, Params: []ops.Param{
			{Name: "VERSION", Kind: ops.Version, Positional: true},
		}},
		{Name: "lock release", Group: "lock", Summary: "release the deploy lock", Scope: ops.ScopeApp, Risk: ops.Change},
		{Name: "lock acquire", Group: "lock", Summary: "acquire the deploy lock", Scope: ops.ScopeApp, Risk: ops.Change, Params: []ops.Param{
			{Name: "message", Kind: ops.Text, Required: true},
		}},
		{Name: "audit", Group: "App", Summary: "who did what", Scope: ops.ScopeApp, Risk: ops.Read},
		{Name: "remove", Group: "App", Summary: "take everything away", Scope: ops.ScopeApp, Risk: ops.DataLoss},
		onBackups("backup create", "Back up databases and folders", ops.Change, "NAME"),
		onBackups("backup list", "List the backups", ops.Read, "NAME"),
		onBackups("backup verify", "Read a backup back", ops.Read, "NAME", "ID"),
		onBackups("backup drill", "Restore a backup into a throwaway container", ops.Change, "NAME", "ID"),
		onBackups("backup prune", "Delete what the retention rule does not keep", ops.DataLoss, "NAME"),
		onBackups("restore", "Put a backup in the place of the data that is there", ops.DataLoss, "NAME", "ID"),
	}
}

// onBackups is an operation on backups; what it restores has to be named.
func onBackups(name, summary string, risk ops.Risk, params ...string) ops.Operation {
	op := ops.Operation{Name: name, Group: "backup", Summary: summary, Scope: ops.ScopeAccessory, Risk: risk}
	for _, p := range params {
		op.Params = append(op.Params, ops.Param{Name: p, Kind: ops.Text, Positional: true, Required: name == "restore" && p == "NAME"})
	}
	return op
}

func shop() ops.AppOpened {
	return ops.AppOpened{
		App: ops.App{
			ID: app, Service: "shop", Destination: "production", Repository: "registry:5000/shop", PrimaryHost: "web-1",
			Roles: []ops.AppRole{
				{Name: "web", Hosts: []string{"web-1", "web-2", "web-3"}, Proxied: true, Primary: true},
				{Name: "job", Hosts: []string{"job-1"}},
			},
			Accessories: []ops.AppAccessory{
				{Name: "db", Service: "shop-db", Image: "postgres:16", Hosts: []string{"web-1"}},
				{Name: "redis", Service: "shop-redis", Image: "redis:7", Hosts: []string{"web-1"}},
			},
			Lock: ops.Lock{SeenAt: noon().Add(-time.Second), Host: "web-1"},
		},
		Hosts: []string{"web-1", "web-2", "web-3", "job-1"},
	}
}

func container(host, role, version, state string) ops.Container {
	c := ops.Container{
		Host: host, ID: fmt.Sprintf("%x", role+version+host) + "0123456789ab", Name: "shop-" + role + "-production-" + version,
		Image: "registry:5000/shop:" + version, ImageID: "sha256:" + strings.Repeat(fmt.Sprintf("%x", version), 16), State: state,
		Created: noon().Add(-2 * time.Hour), Started: noon().Add(-2 * time.Hour),
		Labels: map[string]string{"service": "shop", "role": role, "destination": "production"},
	}
	switch state {
	case "running":
		c.Health, c.CPU, c.Memory, c.StatsAt = "healthy", 3.2, 212<<20, noon()
	case "exited":
		c.Created, c.Finished = noon().Add(-50*time.Hour), noon().Add(-2*time.Hour)
	}
	return c
}

func accessory(host, name, image string) ops.Container {
	return ops.Container{
		Host: host, ID: fmt.Sprintf("%x", host+name+"accessory"), Name: "shop-" + name, Image: image, State: "running",
		Created: noon().Add(-41 * 24 * time.Hour), Started: noon().Add(-41 * 24 * time.Hour), CPU: 1, Memory: 96 << 20, StatsAt: noon(),
		Labels: map[string]string{"service": "shop-" + name},
	}
}

func proxy(host string) ops.Container {
	return ops.Container{
		Host: host, ID: fmt.Sprintf("%x", host+"kamal-proxy"), Name: "kamal-proxy", Image: "basecamp/kamal-proxy:v0.9.0", State: "running",
		Created: noon().Add(-41 * 24 * time.Hour), Started: noon().Add(-41 * 24 * time.Hour), CPU: 0.4, Memory: 18 << 20, StatsAt: noon(),
	}
}

// up makes a host live with its containers.
func up(host string, disk int64, containers ...ops.Container) []ops.Event {
	return []ops.Event{
		ops.HostSeen{Host: host, At: noon().Add(-time.Second), Docker: ops.DockerFacts{Version: "29.1.2", APIVersion: "1.52", Architecture: "x86_64", OS: "Debian 13"}},
		ops.SystemSeen{Host: host, System: ops.SystemFacts{
			At: noon().Add(-time.Second), Uptime: 41 * 24 * time.Hour, Load: 0.31, CPUs: 4, MemTotal: 8 << 30, MemUsed: 3 << 30, DiskTotal: 100 << 30, DiskUsed: disk << 30,
		}},
		ops.ContainersSeen{Host: host, At: noon().Add(-time.Second), Containers: containers},
		ops.UsageSeen{Host: host, At: noon(), Usage: usageOf(containers)},
	}
}

func usageOf(containers []ops.Container) []ops.Usage {
	var out []ops.Usage
	for _, c := range containers {
		out = append(out, ops.Usage{ID: c.ID, CPU: c.CPU, Memory: c.Memory})
	}
	return out
}

// fleet is the shop, all of it live.
func fleet() []ops.Event {
	events := []ops.Event{shop()}
	events = append(events, up("web-1", 52, container("web-1", "web", "v2", "running"), container("web-1", "web", "v1", "exited"),
		accessory("web-1", "db", "postgres:16"), accessory("web-1", "redis", "redis:7"), proxy("web-1"))...)
	events = append(events, up("web-2", 49, container("web-2", "web", "v2", "running"), container("web-2", "web", "v1", "exited"), proxy("web-2"))...)
	events = append(events, up("web-3", 44, container("web-3", "web", "v2", "running"), container("web-3", "web", "v1", "exited"), proxy("web-3"))...)
	return append(events, up("job-1", 88, container("job-1", "job", "v2", "running"), container("job-1", "job", "v1", "exited"))...)
}

func deployTask(id ops.TaskID, version string, at time.Time) ops.TaskStarted {
	return ops.TaskStarted{
		Task: id, At: at, App: app, Operation: "deploy", Title: "deploy " + version + " → production", Version: version,
		Risk: ops.Change, User: "ana", Host: "laptop", PID: 4242,
		Steps: []ops.StepInfo{
			{ID: "build", Title: "build and push"},
			{ID: "boot", Title: "boot web", Group: true, Mode: ops.Parallel},
			{ID: "boot/web-1", Parent: "boot", Title: "pull", Host: "web-1", Depth: 1},
			{ID: "boot/web-2", Parent: "boot", Title: "pull", Host: "web-2", Depth: 1},
		},
	}
}

// deployed is a deploy that went well two hours ago.
func deployed() []ops.Event {
	at := noon().Add(-2 * time.Hour)
	return []ops.Event{deployTask("T1", "v2", at.Add(-72*time.Second)), ops.TaskFinished{Task: "T1", At: at, Status: ops.Done, Lock: "released"}}
}

func deploying() []ops.Event {
	at := noon().Add(-18 * time.Second)
	return []ops.Event{
		deployTask("T2", "v3", at),
		ops.StepStarted{Task: "T2", Step: "build", At: at},
		ops.StepFinished{Task: "T2", Step: "build", At: at.Add(6 * time.Second), Status: ops.Done},
		ops.StepStarted{Task: "T2", Step: "boot", At: at.Add(6 * time.Second)},
		ops.StepStarted{Task: "T2", Step: "boot/web-1", At: at.Add(6 * time.Second)},
		ops.LockSeen{App: app, Lock: ops.Lock{SeenAt: noon(), Held: true, Host: "web-1", By: "ana", At: at, Version: "v3", Liveness: ops.HolderLive, HolderPID: 4242, HolderHost: "laptop"}},
	}
}

func failed() []ops.Event {
	at := noon().Add(-40 * time.Second)
	return []ops.Event{
		deployTask("T3", "v4", at),
		ops.StepStarted{Task: "T3", Step: "build", At: at},
		ops.TaskFinished{Task: "T3", At: noon().Add(-5 * time.Second), Status: ops.Failed, Lock: "released", Errors: []*ops.Error{{
			Summary: "never became healthy (30 s, GET /up → 503)", Host: "web-1", Hint: "l shows the logs", Cause: errors.New("PG::ConnectionBad: could not connect to server"),
		}}},
	}
}

func lost(host string) []ops.Event {
	at := noon().Add(-3 * time.Minute)
	return []ops.Event{ops.HostSeen{Host: host, At: at}, ops.HostLost{Host: host, At: at.Add(5 * time.Second), Reason: "dial: refused"}}
}

func deadLock() ops.Event {
	return ops.LockSeen{App: app, Lock: ops.Lock{
		SeenAt: noon().Add(-2 * time.Second), Held: true, Host: "web-1", By: "bo", At: noon().Add(-3 * time.Hour), Version: "v3",
		Message: "Automatic deploy lock (binnacle laptop pid 99 task T0)", HolderHost: "laptop", HolderPID: 99, Liveness: ops.HolderDead,
	}}
}

// big is a fleet of n hosts with a web container each.
func big(n int) []ops.Event {
	a := shop()
	a.Hosts, a.App.Roles, a.App.Accessories = nil, []ops.AppRole{{Name: "web", Proxied: true, Primary: true}}, nil
	a.App.PrimaryHost = "web-001.example.com"
	var events []ops.Event
	for i := range n {
		name := fmt.Sprintf("web-%03d.example.com", i+1)
		a.Hosts = append(a.Hosts, name)
		a.App.Roles[0].Hosts = append(a.App.Roles[0].Hosts, name)
		events = append(events, up(name, int64(i%90), container(name, "web", "v2", "running"), proxy(name))...)
	}
	return append([]ops.Event{a}, events...)
}
