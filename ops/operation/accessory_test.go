package operation_test

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"binnacle/config"
	"binnacle/ops"
	"binnacle/ops/opstest"
)

const accessoriesConfig = `
proxy: { host: shop.example.com }
accessories:
  db:
    image: "registry:5000/postgres:16"
    host: vm1
    env: { clear: { DB: shop }, secret: [PGPASS] }
    files: [ "config/pg.conf:/etc/pg.conf", "init.sql.erb:/init.sql" ]
    directories: [ "data:/var/lib/postgresql/data" ]
    volumes: [ "scratch:/scratch" ]
  cache: { image: "redis:7", hosts: [vm1, vm3] }
  admin: { service: shop-admin, image: "admin:v1", host: vm2, proxy: { host: admin.example.com } }
`

// newAccessoryBench makes a fleet on which the accessories named run.
func newAccessoryBench(t *testing.T, running ...string) *bench {
	t.Helper()
	cfg := parse(t, demoConfig+accessoriesConfig, "TOKEN=secret-token\nPASS=secret-password\nPGPASS=secret-pg\n")
	write(t, filepath.Join(cfg.Dir(), "init.sql.erb"), "create user <%= ENV['DB'] %> password '<%= ENV['PGPASS'] %>'")
	b := newBenchOf(t, cfg)
	b.world.Sources = map[string]string{filepath.Join(cfg.Dir(), "config/pg.conf"): "port = 5432"}
	for _, acc := range cfg.Accessories() {
		for _, host := range acc.Hosts() {
			b.accessory(host, acc, slices.Contains(running, acc.Name()))
		}
	}
	return b
}

// accessory lets a host run, start and remove an accessory's container.
func (b *bench) accessory(host string, acc *config.Accessory, running bool) {
	engine, service := b.world.Engine(host), acc.ServiceName()
	add := func() string {
		b.mu.Lock()
		b.next++
		id := strings.Repeat(string(rune('a'+b.next%6)), 64)
		b.mu.Unlock()
		engine.Add(ops.Inspection{Container: ops.Container{
			ID: id, Name: service, State: "running", Labels: map[string]string{"service": service},
		}})
		return id
	}
	engine.AddImage(ops.Image{ID: "sha256:" + acc.Name(), Tags: []string{acc.Image()}})
	if running {
		id := add()
		if acc.Proxied() {
			b.routes[host][service] = id[:12]
		}
	}
	answer := func(pattern string, do func() (string, error)) {
		b.world.On(host, pattern, opstest.Reply{Answer: func(context.Context, string) (string, error) { return do() }})
	}
	answer("^docker run --name "+service+" ", func() (string, error) { return add() + "\n", nil })
	answer("^docker container start "+service+"$", func() (string, error) {
		if !b.has(host, service) {
			return "", &ops.ExitError{Host: host, Code: 1, Output: "Error: No such container: " + service}
		}
		engine.Change(service, func(c *ops.Inspection) { c.State = "running" })
		return service, nil
	})
	answer("^docker container prune .*label=service="+service+"$", func() (string, error) {
		engine.Remove(func(c ops.Inspection) bool { return c.Name == service && !c.Running() })
		return "", nil
	})
}

// state is how an accessory's container is on a host, "" for none.
func (b *bench) state(host, service string) string {
	for _, c := range b.world.Engine(host).Containers() {
		if c.Name == service {
			return c.State
		}
	}
	return ""
}

// audits lists what was written into a host's audit log.
func (b *bench) audits(host string) []string {
	var out []string
	for _, what := range b.world.Asked(host) {
		if _, line, found := strings.Cut(what, "[ana@example.com] "); found {
			text, _, _ := strings.Cut(line, `"`)
			out = append(out, text)
		}
	}
	return out
}

func (b *bench) must(name string, params ...string) {
	b.t.Helper()
	if task := b.start(b.plan(name, params...), nil); task.Status != ops.Done {
		b.t.Fatalf("%s: %s", name, strings.Join(texts(task.Errors), "\n"))
	}
	if held := b.held(); len(held) > 0 {
		b.t.Errorf("%s keeps the lock on %v", name, held)
	}
}

// fails runs an operation that must fail, and returns its errors.
func (b *bench) fails(name string, params ...string) string {
	b.t.Helper()
	task := b.start(b.plan(name, params...), nil)
	if task.Status != ops.Failed {
		b.t.Fatalf("%s is %s", name, task.Status)
	}
	if held := b.held(); len(held) > 0 {
		b.t.Errorf("%s keeps the lock on %v", name, held)
	}
	return strings.Join(texts(task.Errors), "\n")
}

func TestAccessoriesAreNamedOrRefused(t *testing.T) {
	b := newAccessoryBench(t)
	for _, tt := range []struct{ operation, name, says string }{
		{"accessory boot", "", "the options are db, cache, admin"},
		{"accessory boot", "bd", "No accessory by the name of 'bd' (options: db, cache, admin)"},
		{"accessory start", "all", "No accessory by the name of 'all'"},
		{"accessory details", "nope", "No accessory by the name of 'nope'"},
		{"accessory exec", "nope", "No accessory by the name of 'nope'"},
	} {
		_, err := b.tryPlan(tt.operation, "NAME", tt.name, "CMD", "ls")
		if err == nil || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s %q: %v, want %q", tt.operation, tt.name, err, tt.says)
		}
	}
	b.in.Selection, _ = b.cfg.Select(config.Filter{Hosts: []string{"vm3"}})
	if _, err := b.tryPlan("accessory boot", "NAME", "db"); err == nil || !strings.Contains(err.Error(), "on vm1") {
		t.Errorf("a host that does not have it: %v", err)
	}
	if hosts := b.plan("accessory boot", "NAME", "all").Hosts(); !slices.Equal(hosts, []string{"vm3"}) {
		t.Errorf("all on vm3 concerns %v", hosts)
	}
}

func TestAnAccessoryIsBootedWithItsFilesOnlyWhereItIsMissing(t *testing.T) {
	b := newAccessoryBench(t, "cache")
	b.must("accessory boot", "NAME", "all")
	for host, service := range map[string]string{"vm1": "shop-db", "vm2": "shop-admin", "vm3": "shop-cache"} {
		if got := b.state(host, service); got != "running" {
			t.Errorf("%s on %s is %q", service, host, got)
		}
	}
	if got, mode := b.world.File("vm1", "shop-db/init.sql"); got != "create user shop password 'secret-pg'" || mode != "0755" {
		t.Errorf("the template became %q, mode %s", got, mode)
	}
	if got, mode := b.world.File("vm1", ".kamal/apps/shop/env/accessories/db.env"); got != "PGPASS=secret-pg\n" || mode != "0600" {
		t.Errorf("the env file is %q, mode %s", got, mode)
	}
	if ran := strings.Join(b.world.Asked("vm3"), "\n"); strings.Contains(ran, "docker run") {
		t.Errorf("vm3 had a container already:\n%s", ran)
	}
	wantInOrder(t, b, "mkdir .kamal/lock-", "docker login", "mkdir -p $PWD/shop-db/data", "upload shop-db/etc/pg.conf", "Booted db", "docker run --name shop-db", "docker run --name shop-admin", `kamal-proxy deploy shop-admin --target="`)
}

func TestWhatIsMissingHereStopsAnAccessoryBeforeItChanges(t *testing.T) {
	b := newAccessoryBench(t, "db")
	b.world.Sources = nil
	if text := b.fails("accessory reboot", "NAME", "db"); !strings.Contains(text, "file config/pg.conf of accessory db") {
		t.Error(text)
	}
	if asked := b.world.Asked("vm1"); len(asked) > 0 {
		t.Errorf("vm1 was asked %q", asked)
	}
}

func TestARebootPullsEverywhereBeforeItStopsAnything(t *testing.T) {
	b := newAccessoryBench(t, "cache", "admin")
	b.must("accessory reboot", "NAME", "all")
	for _, host := range []string{"vm1", "vm3"} {
		want := []string{"Pull cache accessory image", "Stopped cache accessory", "Remove cache accessory container", "Booted cache accessory"}
		if got := slices.DeleteFunc(b.audits(host), func(l string) bool { return !strings.Contains(l, "cache") }); !slices.Equal(got, want) {
			t.Errorf("%s wrote %q", host, got)
		}
	}
	pulls, stopped := 0, false
	for _, c := range b.world.Calls() {
		switch c.What {
		case "docker pull redis:7":
			pulls++
			if stopped {
				t.Error("pulled after a stop")
			}
		case "docker stop shop-cache":
			stopped = true
		}
	}
	if pulls != 2 || !stopped {
		t.Errorf("%d pulls, stopped: %v", pulls, stopped)
	}
	wantInOrder(t, b, "docker stop shop-admin", "kamal-proxy remove shop-admin", "prune --force --filter label=service=shop-admin", "docker run --name shop-admin", "kamal-proxy deploy shop-admin")

	b = newAccessoryBench(t, "cache")
	b.world.On("vm3", "^docker pull redis", opstest.Reply{Err: &ops.ExitError{Code: 1, Output: "manifest unknown"}})
	if text := b.fails("accessory reboot", "NAME", "cache"); !strings.Contains(text, "vm3: docker pull redis:7") {
		t.Error(text)
	}
	for _, host := range []string{"vm1", "vm3"} {
		if got := b.state(host, "shop-cache"); got != "running" {
			t.Errorf("%s: the cache is %q after a failed pull", host, got)
		}
	}
}

func TestARebootThatLosesTheContainerSaysSo(t *testing.T) {
	b := newAccessoryBench(t, "cache")
	b.world.On("vm3", "^docker run --name shop-cache", opstest.Reply{Err: &ops.ExitError{Code: 125, Output: "port is already allocated"}})
	text := b.fails("accessory reboot", "NAME", "cache")
	if !strings.Contains(text, "cache is down there") || !strings.Contains(text, "binnacle accessory boot cache") {
		t.Error(text)
	}
	if got := b.state("vm1", "shop-cache"); got != "running" {
		t.Errorf("the cache of vm1 is %q", got)
	}
}

// Half a replacement is no state to be left in: a cancel waits for it.
func TestACancelDoesNotLeaveAnAccessoryRemoved(t *testing.T) {
	b := newAccessoryBench(t, "db")
	plan := b.plan("accessory reboot", "NAME", "db")
	task := b.start(plan, func(e *ops.Engine, id ops.TaskID) {
		b.world.On("vm1", "^docker container prune .*shop-db$", opstest.Reply{Answer: func(context.Context, string) (string, error) {
			b.world.Engine("vm1").Remove(func(c ops.Inspection) bool { return c.Name == "shop-db" })
			e.Cancel(id, "test")
			return "", nil
		}})
	})
	if task.Status == ops.Failed || b.state("vm1", "shop-db") != "running" || len(b.held()) > 0 {
		t.Errorf("%s, db is %q, lock on %v", task.Status, b.state("vm1", "shop-db"), b.held())
	}
}

func TestAccessoriesStopStartAndRestart(t *testing.T) {
	b := newAccessoryBench(t, "admin", "cache")
	b.must("accessory stop", "NAME", "admin")
	if got := b.state("vm2", "shop-admin"); got != "exited" || b.routes["vm2"]["shop-admin"] != "" {
		t.Errorf("admin is %q, the proxy sends to %q", got, b.routes["vm2"]["shop-admin"])
	}
	b.must("accessory start", "NAME", "admin")
	if got := b.state("vm2", "shop-admin"); got != "running" || len(b.routes["vm2"]["shop-admin"]) != 12 {
		t.Errorf("admin is %q, the proxy sends to %q", got, b.routes["vm2"]["shop-admin"])
	}
	b.must("accessory restart", "NAME", "cache")
	if got := b.audits("vm3"); !slices.Equal(got, []string{"Stopped cache accessory", "Started cache accessory"}) {
		t.Errorf("vm3 wrote %q", got)
	}
	if got := b.state("vm3", "shop-cache"); got != "running" {
		t.Errorf("cache is %q", got)
	}
	if text := b.fails("accessory start", "NAME", "db"); !strings.Contains(text, "No such container") || !strings.Contains(text, "binnacle accessory boot db") {
		t.Error(text)
	}
	b.must("accessory stop", "NAME", "db") // it has no container: nothing to stop
}

func TestAStopIsDoneWhenTheProxyKnowsNothing(t *testing.T) {
	for _, tt := range []struct {
		says string
		ok   bool
	}{
		{"Error: service not found", true},
		{"Error: No such container: kamal-proxy", true},
		{"Error response from daemon: Container 12ab is not running", false},
	} {
		b := newAccessoryBench(t, "admin")
		b.world.On("vm2", "kamal-proxy remove", opstest.Reply{Err: &ops.ExitError{Code: 1, Output: tt.says}})
		if tt.ok {
			b.must("accessory stop", "NAME", "admin")
			continue
		}
		if text := b.fails("accessory stop", "NAME", "admin"); !strings.Contains(text, "binnacle proxy start") {
			t.Error(text)
		}
	}
}

func TestAnAccessoryThatTheProxyRefusesIsExplained(t *testing.T) {
	b := newAccessoryBench(t, "admin")
	b.world.On("vm2", "kamal-proxy deploy shop-admin", opstest.Reply{Err: &ops.ExitError{Code: 1, Output: "Error: target failed to become healthy"}})
	b.world.On("vm2", "^docker logs shop-admin", opstest.Reply{Stdout: "no database\n"})
	task := b.start(b.plan("accessory restart", "NAME", "admin"), nil)
	if len(task.Errors) != 1 || !strings.Contains(task.Errors[0].Error(), "accessory admin is not served") {
		t.Fatal(texts(task.Errors))
	}
	if ev := task.Errors[0].Evidence; len(ev) != 1 || !slices.Equal(ev[0].Lines, []string{"no database"}) {
		t.Errorf("evidence %v", ev)
	}
}

func TestARemovalTakesDataAndSaysSo(t *testing.T) {
	b := newAccessoryBench(t, "db", "cache", "admin")
	plan := b.plan("accessory remove", "NAME", "db")
	var effects []string
	for _, e := range plan.Effects {
		effects = append(effects, e.Label+" "+e.Text)
	}
	for _, want := range []string{"loses ~/shop-db (/var/lib/postgresql/data, /etc/pg.conf, /init.sql)", "keeps volumes scratch:/scratch", "stops db"} {
		if !slices.ContainsFunc(effects, func(e string) bool { return strings.Contains(e, want) }) {
			t.Errorf("no effect %q in %q", want, effects)
		}
	}
	if plan.Risk != ops.DataLoss {
		t.Errorf("the risk is %s", plan.Risk)
	}
	b.world.On("vm1", "^docker image rm --force registry:5000/postgres:16", opstest.Reply{
		Err: &ops.ExitError{Code: 1, Output: "conflict: unable to remove repository reference (cannot be forced) - container 12ab is using its referenced image"},
	})
	b.must("accessory remove", "NAME", "all")
	for _, service := range []string{"shop-db", "shop-cache", "shop-admin"} {
		for _, host := range []string{"vm1", "vm2", "vm3"} {
			if got := b.state(host, service); got != "" {
				t.Errorf("%s on %s is %q", service, host, got)
			}
		}
	}
	wantInOrder(t, b, "docker stop shop-db", "prune --force --filter label=service=shop-db", "docker image rm --force registry:5000/postgres:16", "rm -rf shop-db", "rm -rf shop-admin")
	if got, want := b.audits("vm2"), []string{"Stopped admin accessory", "Remove admin accessory container", "Removed admin accessory image"}; !slices.Equal(got, want) {
		t.Errorf("vm2 wrote %q", got)
	}
}

func TestTheHiddenPartsOfAccessories(t *testing.T) {
	for verb, want := range map[string]string{
		"directories":              "mkdir -p $PWD/shop-db/data",
		"upload":                   "upload shop-db/etc/pg.conf",
		"pull_image":               "docker pull registry:5000/postgres:16",
		"remove_container":         "docker container prune --force --filter label=service=shop-db",
		"remove_image":             "docker image rm --force registry:5000/postgres:16",
		"remove_service_directory": "rm -rf shop-db",
	} {
		b := newAccessoryBench(t, "db")
		b.must("accessory "+verb, "NAME", "db")
		wantInOrder(t, b, "mkdir .kamal/lock-", want)
		if got := b.state("vm1", "shop-db"); got != "running" {
			t.Errorf("%s: db is %q", verb, got)
		}
	}
}

func TestAnUpgradeOfAccessoriesGoesHostByHost(t *testing.T) {
	b := newAccessoryBench(t, "cache", "db")
	b.must("accessory upgrade", "NAME", "all", "rolling", "true")
	wantInOrder(t, b, "docker run --name shop-db", "docker run --name shop-cache", "docker pull redis:7", "docker run --name shop-cache", "docker pull admin:v1", "docker run --name shop-admin")
	b = newAccessoryBench(t, "cache")
	b.must("accessory upgrade", "NAME", "cache")
	wantInOrder(t, b, "docker pull redis:7", "docker pull redis:7", "docker stop shop-cache", "docker stop shop-cache")
}

func TestCommandsInAccessories(t *testing.T) {
	b := newAccessoryBench(t, "cache")
	b.world.On("*", "^docker exec shop-cache redis-cli info", opstest.Reply{Stdout: "redis_version:7\n"})
	task := b.start(b.plan("accessory exec", "NAME", "cache", "CMD", "redis-cli info", "reuse", "true"), nil)
	if task.Status != ops.Done {
		t.Fatal(texts(task.Errors))
	}
	if got := b.audits("vm3"); !slices.Equal(got, []string{"Executed cmd 'redis-cli info' on cache accessory"}) {
		t.Errorf("vm3 wrote %q", got)
	}
	b.in.Stdin, b.in.Streams = ops.StdinTerminal, true
	plan := b.plan("accessory exec", "NAME", "cache", "CMD", "redis-cli", "reuse", "true", "interactive", "true")
	if a := plan.Attach; a == nil || a.Host != "vm1" || !a.TTY || a.Line.String() != "docker exec -it shop-cache redis-cli" {
		t.Errorf("attaches to %+v", plan.Attach)
	}
	plan = b.plan("accessory exec", "NAME", "db", "CMD", "psql", "interactive", "true")
	if a := plan.Attach; a == nil || !strings.HasPrefix(a.Line.String(), "docker run -it --rm --network kamal ") || !strings.HasSuffix(a.Line.String(), "registry:5000/postgres:16 psql") {
		t.Errorf("attaches to %+v", plan.Attach)
	}
	if _, err := b.tryPlan("accessory exec", "NAME", "db", "CMD", "psql", "interactive", "true", "raw", "true"); err == nil {
		t.Error("raw and interactive go together")
	}
	b.world.On("vm1", "^docker exec shop-db", opstest.Reply{Err: &ops.ExitError{Code: 1, Output: "Error: No such container: shop-db"}})
	if text := b.fails("accessory exec", "NAME", "db", "CMD", "ls", "reuse", "true"); !strings.Contains(text, "binnacle accessory boot db") {
		t.Error(text)
	}
}

func TestLogsOfAccessories(t *testing.T) {
	b := newAccessoryBench(t, "cache")
	plan := b.plan("accessory logs", "NAME", "cache", "grep", "ERR", "grep-options", "-i")
	if got := plan.Steps()[0].Lines[0].String(); len(plan.Steps()) != 2 || got != "docker logs shop-cache --timestamps 2>&1 | grep 'ERR' -i" {
		t.Errorf("%d steps, the first runs %s", len(plan.Steps()), got)
	}
	plan = b.plan("accessory logs", "NAME", "cache", "follow", "true", "skip-timestamps", "true")
	if got := plan.Steps()[0].Lines[0].String(); len(plan.Steps()) != 1 || !plan.Stream || got != "docker logs shop-cache --tail 10 --follow 2>&1" {
		t.Errorf("%d steps, stream: %v, the first runs %s", len(plan.Steps()), plan.Stream, got)
	}
	b.world.On("vm1", "docker logs shop-cache.*grep", opstest.Reply{Err: &ops.ExitError{Host: "vm1", Code: 1}})
	if text := b.fails("accessory logs", "NAME", "cache", "grep", "nothing"); !strings.Contains(text, "nothing found") {
		t.Errorf("without a match: %s", text)
	}
}
