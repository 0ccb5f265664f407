package operation_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"binnacle/config"
	"binnacle/config/secret"
	"binnacle/ops"
	"binnacle/ops/operation"
	"binnacle/ops/opstest"
)

// bench is a fleet that behaves like Kamal's hosts as far as a deploy can tell:
// a lock directory, containers, and a proxy that sends each service somewhere.
type bench struct {
	t     *testing.T
	world *opstest.World
	cfg   *config.Config
	in    ops.Input

	mu     sync.Mutex
	locks  map[string]string            // host → details; "" for a bare directory
	routes map[string]map[string]string // host → service → short container id
	next   int
	schema *rails     // what migrations find, if anything does
	store  *ops.Store // of the last task
}

const demoConfig = `
service: shop
image: shop
servers:
  web: { hosts: [vm1, vm2] }
  job: { hosts: [vm3], cmd: work }
env: { secret: [TOKEN] }
registry: { server: "registry:5000", username: root, password: [PASS] }
builder: { arch: amd64 }
readiness_delay: 1
deploy_timeout: 20
drain_timeout: 10
`

// newBench makes a fleet on which v1 is stopped and v2 serves.
func newBench(t *testing.T, yaml string) *bench {
	t.Helper()
	return newBenchOf(t, parse(t, yaml, "TOKEN=secret-token\nPASS=secret-password\n"))
}

func newBenchOf(t *testing.T, cfg *config.Config) *bench {
	t.Helper()
	b := &bench{t: t, world: opstest.New(), cfg: cfg, locks: map[string]string{}, routes: map[string]map[string]string{}}
	b.in = input(t, b.cfg, config.Filter{})
	for _, host := range b.cfg.AllHosts() {
		b.host(host)
	}
	return b
}

func (b *bench) host(host string) {
	b.routes[host] = map[string]string{}
	engine := b.world.Engine(host)
	for _, v := range []string{"v1", "v2", "v3"} {
		engine.AddImage(ops.Image{ID: "sha256:" + v, Tags: []string{b.cfg.AbsoluteImage(v)}, Labels: map[string]string{"service": b.cfg.Service()}})
	}
	engine.AddImage(ops.Image{ID: "sha256:v2", Tags: []string{b.cfg.LatestImage()}, Labels: map[string]string{"service": b.cfg.Service()}})
	engine.Add(ops.Inspection{Container: ops.Container{ID: "proxy", Name: "kamal-proxy", State: "running", Image: "basecamp/kamal-proxy:v0.9.2"}})
	for _, role := range b.cfg.RolesOn(host) {
		b.add(host, role, "v1", "exited")
		c := b.add(host, role, "v2", "running")
		if role.Proxied() {
			b.routes[host][role.ContainerPrefix()] = c.ID[:12]
		}
	}
	b.world.On(host, "^mkdir .kamal/lock-", opstest.Reply{Answer: func(_ context.Context, what string) (string, error) { return "", b.takeLock(host, what) }})
	b.world.On(host, "^rm .kamal/lock-|^rmdir .kamal/lock-", opstest.Reply{Answer: func(context.Context, string) (string, error) { return "", b.freeLock(host) }})
	b.world.On(host, `^if \[ -d`, opstest.Reply{Answer: func(context.Context, string) (string, error) { return b.lockText(host), nil }})
	b.world.On(host, "^docker run ", opstest.Reply{Answer: func(_ context.Context, what string) (string, error) { return b.run(host, what) }})
	b.world.On(host, "^docker start ", opstest.Reply{Answer: func(_ context.Context, what string) (string, error) {
		engine.Change(strings.Fields(what)[2], func(c *ops.Inspection) { c.State = "running" })
		return "", nil
	}})
	b.world.On(host, "kamal-proxy deploy", opstest.Reply{Answer: func(_ context.Context, what string) (string, error) { b.switchTo(host, what); return "", nil }})
	b.world.On(host, "kamal-proxy remove", opstest.Reply{Answer: func(_ context.Context, what string) (string, error) {
		b.mu.Lock()
		defer b.mu.Unlock()
		words := strings.Fields(what)
		delete(b.routes[host], words[len(words)-1])
		return "", nil
	}})
	b.world.On(host, "kamal-proxy list", opstest.Reply{Answer: func(context.Context, string) (string, error) { return b.routeTable(host), nil }})
}

func (b *bench) add(host string, role *config.Role, version, state string) ops.Inspection {
	b.mu.Lock()
	b.next++
	n := b.next
	b.mu.Unlock()
	c := ops.Inspection{Container: ops.Container{
		ID: fmt.Sprintf("%012d", n) + strings.Repeat("f", 52), Name: role.ContainerName(version), State: state, Host: host,
		ImageID: "sha256:" + version, Created: b.world.Now().Add(time.Duration(n) * time.Second),
		Labels: map[string]string{"service": b.cfg.Service(), "role": role.Name(), "destination": b.cfg.Destination()},
	}}
	b.world.Engine(host).Add(c)
	return c
}

func (b *bench) takeLock(host, what string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, held := b.locks[host]; held {
		return &ops.ExitError{Host: host, Code: 1, Output: "mkdir: cannot create directory '.kamal/lock-shop': File exists"}
	}
	encoded := regexp.MustCompile(`(?s)echo "(.*)"`).FindStringSubmatch(what)[1]
	b.locks[host] = decode(b.t, encoded)
	return nil
}

func (b *bench) freeLock(host string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, held := b.locks[host]; !held {
		return &ops.ExitError{Host: host, Code: 1, Output: "rm: cannot remove: No such file or directory"}
	}
	delete(b.locks, host)
	return nil
}

func (b *bench) lockText(host string) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	if text, held := b.locks[host]; held {
		return "held\n" + text
	}
	return ""
}

func (b *bench) run(host, what string) (string, error) {
	words := strings.Fields(what)
	name := words[slices.Index(words, "--name")+1]
	for _, role := range b.cfg.Roles() {
		if version, ok := strings.CutPrefix(name, role.ContainerPrefix()+"-"); ok {
			for _, c := range b.world.Engine(host).Containers() {
				if c.Name == name {
					return "", &ops.ExitError{Host: host, Code: 125, Output: "docker: Conflict. The container name is already in use"}
				}
			}
			return b.add(host, role, version, "running").ID + "\n", nil
		}
	}
	return "c0ffee\n", nil
}

func (b *bench) switchTo(host, what string) {
	m := regexp.MustCompile(`deploy (\S+) --target="([^:"]+)`).FindStringSubmatch(what)
	if m == nil {
		b.t.Errorf("cannot read %s", what)
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.routes[host][m[1]] = m[2]
}

func (b *bench) routeTable(host string) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var out strings.Builder
	fmt.Fprintf(&out, "\x1b[3;94m%-20s\x1b[0m  Host  Path  Target           State    TLS  \n", "Service")
	for service, id := range b.routes[host] {
		fmt.Fprintf(&out, "\x1b[1;34m%-20s\x1b[0m  \x1b[m*   \x1b[0m  /     %-15s  running  no   \n", service, id+":80")
	}
	return out.String()
}

// plan plans an operation; params are name, value pairs.
func (b *bench) plan(name string, params ...string) ops.Plan {
	b.t.Helper()
	plan, err := b.tryPlan(name, params...)
	if err != nil {
		b.t.Fatal(err)
	}
	return plan
}

func (b *bench) tryPlan(name string, params ...string) (ops.Plan, error) {
	op, ok := operation.Catalog().Find(name)
	if !ok {
		b.t.Fatalf("no operation %s", name)
	}
	in := b.in
	in.Params = ops.Params{}
	for i := 0; i+1 < len(params); i += 2 {
		in.Params[params[i]] = params[i+1]
	}
	return op.Plan(in)
}

// start runs a plan to its end; while is called once it runs, and may be nil.
func (b *bench) start(plan ops.Plan, while func(e *ops.Engine, id ops.TaskID)) ops.Task {
	b.t.Helper()
	store := ops.NewStore(b.t.Context())
	b.store = store
	redactor := new(secret.Redactor)
	engine := ops.NewEngine(b.world, store, ops.Journals{}, redactor, ops.Identity{User: "ana", Host: "laptop", PID: 7})
	id := b.in.Holder.Task
	if while != nil {
		while(engine, id)
	}
	if err := engine.Start(b.t.Context(), id, plan); err != nil {
		b.t.Fatal(err)
	}
	engine.Close()
	store.Close()
	task, ok := store.State().Task(id)
	if !ok {
		b.t.Fatal("the task is not in the state")
	}
	return task
}

// said is what a step of the last task printed.
func (b *bench) said(step ops.StepID) []string {
	var out []string
	for _, l := range b.store.Output(b.in.Holder.Task).Last(step, 1000) {
		if l.Stream != ops.Ran {
			out = append(out, l.Text)
		}
	}
	return out
}

// running lists the names of the containers of a role that run on a host.
func (b *bench) running(host, role string) []string {
	var out []string
	for _, c := range b.world.Engine(host).Containers() {
		if c.Labels["role"] == role && c.Running() {
			out = append(out, c.Name)
		}
	}
	return out
}

func (b *bench) has(host, name string) bool {
	return slices.ContainsFunc(b.world.Engine(host).Containers(), func(c ops.Inspection) bool { return c.Name == name })
}

// target is the container that a host's proxy sends a role to, and whether it runs.
func (b *bench) target(host, role string) (name string, running bool) {
	b.mu.Lock()
	id := b.routes[host][b.cfg.Role(role).ContainerPrefix()]
	b.mu.Unlock()
	for _, c := range b.world.Engine(host).Containers() {
		if id != "" && strings.HasPrefix(c.ID, id) {
			return c.Name, c.Running()
		}
	}
	return "", false
}

func (b *bench) held() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var out []string
	for h := range b.locks {
		out = append(out, h)
	}
	return out
}

// Helpers

func parse(t *testing.T, yaml, secrets string) *config.Config {
	t.Helper()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "config/deploy.yml"), yaml)
	write(t, filepath.Join(dir, ".kamal/secrets"), secrets)
	return load(t, dir, "v3")
}

func load(t *testing.T, dir, version string) *config.Config {
	t.Helper()
	cfg, _, err := config.Load(t.Context(), config.Options{
		Dir: dir, Version: version, Arch: "amd64", Random: strings.NewReader(strings.Repeat("0123456789abcdef", 64)),
		Env: func(string) (string, bool) { return "", false },
		Run: func(context.Context, string) (string, error) { return "mk-123", nil },
		Git: func() (config.Git, error) { return config.Git{}, errors.New("no repository") },
	})
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

func input(t *testing.T, cfg *config.Config, filter config.Filter) ops.Input {
	t.Helper()
	sel, err := cfg.Select(filter)
	if err != nil {
		t.Fatal(err)
	}
	version, err := cfg.Version()
	if err != nil {
		t.Fatal(err)
	}
	return ops.Input{
		Config: cfg, Selection: sel, App: ops.NewAppID(cfg.Service(), cfg.Destination()), Version: version, Params: ops.Params{},
		Now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Hex: func(n int) string { return strings.Repeat("abcdef0123456789", 4)[:n] },
		UserName: "Ana", Performer: "ana@example.com", Alive: func(pid int) bool { return pid == 7 },
		Holder: ops.Holder{Host: "laptop", PID: 7, Task: "01TASK"}, Program: "/opt/binnacle",
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func decode(t *testing.T, encoded string) string {
	t.Helper()
	text, err := base64.StdEncoding.DecodeString(strings.ReplaceAll(encoded, "\n", ""))
	if err != nil {
		t.Errorf("lock details %q: %v", encoded, err)
	}
	return string(text)
}
