package operation_test

import (
	"context"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"binnacle/config"
	"binnacle/ops"
	"binnacle/ops/command"
	"binnacle/ops/opstest"
)

// twoRoles has both roles on one host, and a host of one role alone.
const twoRoles = `
service: shop
image: shop
servers:
  web: { hosts: [vm1] }
  job: { hosts: [vm1, vm2], cmd: work }
registry: { server: "registry:5000", username: root, password: [PASS] }
builder: { arch: amd64 }
`

func TestTheVersionIsThatOfTheContainerInUse(t *testing.T) {
	b := newBench(t, twoRoles)
	if got := b.result("app version"); got != "v2\nv2" {
		t.Errorf("the versions are %q", got)
	}
	// A second container runs that is newer; the proxy serves the first.
	b.add("vm1", b.cfg.Role("web"), "v3", "running")
	b.world.Engine("vm2").Change("shop-job-v2", func(c *ops.Inspection) { c.State = "exited" })
	got := strings.Split(b.result("app version"), "\n") // hosts answer in any order
	slices.Sort(got)
	if !slices.Equal(got, []string{"", "v2"}) {
		t.Errorf("the versions are %q, want v2 and nothing", got)
	}
}

func TestStaleContainersAreShownAndOnlyThenStopped(t *testing.T) {
	b := newBench(t, twoRoles)
	if got := b.result("app stale_containers"); got != "" {
		t.Errorf("stale containers without any: %q", got)
	}
	b.add("vm1", b.cfg.Role("web"), "v3", "running") // newer, but not what the proxy serves
	plan := b.plan("app stale_containers")
	if plan.Risk != ops.Read || plan.Locks {
		t.Errorf("a look is a %s that locks: %v", plan.Risk, plan.Locks)
	}
	want := "Detected stale container for role web with version v3 (use `binnacle app stale_containers --stop` to stop)"
	if got := b.result("app stale_containers"); got != want {
		t.Errorf("it says %q", got)
	}
	if got := b.running("vm1", "web"); len(got) != 2 {
		t.Fatalf("looking left %v", got)
	}
	if plan := b.plan("app stale_containers", "stop", "true"); plan.Risk != ops.Change || !plan.Locks {
		t.Errorf("a stop is a %s that locks: %v", plan.Risk, plan.Locks)
	}
	if task := b.start(b.plan("app stale_containers", "stop", "true"), nil); task.Status != ops.Done {
		t.Fatal(texts(task.Errors))
	}
	if got := b.running("vm1", "web"); !slices.Equal(got, []string{"shop-web-v2"}) {
		t.Errorf("vm1 runs %v", got)
	}
}

func TestLogsAreThoseOfTheContainerInUse(t *testing.T) {
	b := newBench(t, twoRoles)
	b.add("vm1", b.cfg.Role("web"), "v3", "running")
	b.world.On("*", "docker logs", opstest.Reply{Answer: func(_ context.Context, what string) (string, error) {
		return "log of " + regexp.MustCompile(`echo (\d+)'`).FindStringSubmatch(what)[1] + "\n", nil
	}})
	id := map[string]string{}
	for _, host := range []string{"vm1", "vm2"} {
		for _, c := range b.world.Engine(host).Containers() {
			id[host+" "+c.Name] = c.ID[:min(12, len(c.ID))]
		}
	}
	got := strings.Split(b.result("app logs"), "\n")
	want := []string{"log of " + id["vm1 shop-web-v2"], "log of " + id["vm1 shop-job-v2"], "log of " + id["vm2 shop-job-v2"]}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("it shows %q, want %q", got, want)
	}
}

func TestWhichLinesOfALogAreShown(t *testing.T) {
	tests := []struct {
		params []string
		args   string
	}{
		{nil, "--timestamps --tail 100 2>&1"},
		{[]string{"lines", "7", "skip-timestamps", "true"}, "docker logs --tail 7 2>&1"},
		{[]string{"since", "42m"}, "--timestamps --since 42m 2>&1"},
		{[]string{"grep", "it's", "grep-options", "-i -A 2"}, `--timestamps 2>&1 | grep 'it'\''s' -i -A 2`},
		{[]string{"follow", "true"}, "--timestamps --tail 10 --follow 2>&1"},
		{[]string{"follow", "true", "grep", "x"}, "--timestamps --follow 2>&1 | grep --line-buffered 'x'"},
	}
	for _, tt := range tests {
		b := newBench(t, twoRoles)
		b.result("app logs", tt.params...)
		var logs []string
		for _, c := range b.world.Calls() {
			if strings.Contains(c.What, "docker logs") {
				logs = append(logs, c.What)
			}
		}
		if len(logs) == 0 || !strings.HasSuffix(logs[0], tt.args) {
			t.Errorf("%v runs %q, want %q", tt.params, logs, tt.args)
		}
		if follows := slices.Contains(tt.params, "follow"); follows != (len(logs) == 1) {
			t.Errorf("%v reads %d logs", tt.params, len(logs))
		}
	}
	b := newBench(t, twoRoles)
	for _, lines := range []string{"all", "-1", "x"} {
		if _, err := b.tryPlan("app logs", "lines", lines); err == nil || !strings.Contains(err.Error(), "--lines "+lines) {
			t.Errorf("--lines %s: %v", lines, err)
		}
	}
}

func TestALogWithoutAMatchOrAContainerIsNoFailure(t *testing.T) {
	b := newBench(t, twoRoles)
	b.in = input(t, b.cfg, config.Filter{Hosts: []string{"vm2"}})
	b.world.On("vm2", "docker logs.*grep", opstest.Reply{Err: &ops.ExitError{Host: "vm2", Code: 1}})
	if got := b.result("app logs", "grep", "nothing"); got != "Nothing found" {
		t.Errorf("without a match: %q", got)
	}
	b.world.On("vm2", "docker logs.*grep", opstest.Reply{Err: &ops.ExitError{Host: "vm2", Code: 2, Output: "grep: Unmatched ["}})
	if got := b.result("app logs", "grep", "["); !strings.Contains(got, "Unmatched [") {
		t.Errorf("with a pattern that is none: %q", got)
	}
	if got := b.result("app logs", "container-id", "c0ffee"); got != "Nothing found" {
		t.Errorf("of a container that is not there: %q", got)
	}
	b.world.Engine("vm2").Change("shop-job-v2", func(c *ops.Inspection) { c.State, c.ExitCode = "exited", 3 })
	if got := b.result("app logs"); !strings.Contains(got, "no container of role job runs; the newest, shop-job-v2, is exited (3): --container-id ") {
		t.Errorf("when nothing runs: %q", got)
	}
}

// A log that is followed is told line by line, and stopping it is no failure.
func TestAFollowedLogEndsWellWhenItIsStopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, twoRoles)
		plan := b.plan("app logs", "follow", "true")
		if !plan.Stream || len(plan.Hosts()) != 1 || plan.Hosts()[0] != "vm1" {
			t.Errorf("it streams %v from %v", plan.Stream, plan.Hosts())
		}
		var engine *ops.Engine
		b.world.On("vm1", "docker logs", opstest.Reply{Answer: func(ctx context.Context, _ string) (string, error) {
			engine.Cancel(b.in.Holder.Task, "interrupt")
			<-ctx.Done()
			return "one\ntwo\n", ctx.Err()
		}})
		task := b.start(plan, func(e *ops.Engine, _ ops.TaskID) { engine = e })
		if task.Status != ops.Done || task.Lines != 3 { // the command and two lines
			t.Errorf("%s with %d lines: %v", task.Status, task.Lines, texts(task.Errors))
		}
	})
}

func TestMaintenanceIsToldToTheProxiesOfTheRole(t *testing.T) {
	b := newBench(t, twoRoles)
	for _, run := range [][]string{{"app maintenance", "message", `back "soon"`, "drain-timeout", "3"}, {"app maintenance"}, {"app live"}} {
		if task := b.start(b.plan(run[0], run[1:]...), nil); task.Status != ops.Done || len(b.held()) > 0 {
			t.Fatalf("%v: %s, held %v: %v", run, task.Status, b.held(), texts(task.Errors))
		}
	}
	var told []string
	for _, c := range b.world.Calls() {
		if strings.Contains(c.What, "kamal-proxy stop") || strings.Contains(c.What, "kamal-proxy resume") {
			told = append(told, c.Host+" "+strings.TrimPrefix(c.What, "docker exec kamal-proxy kamal-proxy "))
		}
	}
	want := []string{`vm1 stop shop-web --drain-timeout="3s" --message="back \"soon\""`, `vm1 stop shop-web --drain-timeout="30s"`, "vm1 resume shop-web"}
	if !slices.Equal(told, want) {
		t.Errorf("told %q\nwant %q", told, want)
	}
	if _, err := b.tryPlan("app maintenance", "drain-timeout", "soon"); err == nil {
		t.Error("a drain timeout that is no number is accepted")
	}
}

func TestMaintenanceOfAServiceThatTheProxyDoesNotKnowFails(t *testing.T) {
	b := newBench(t, twoRoles)
	b.world.On("vm1", "kamal-proxy stop", opstest.Reply{Err: &ops.ExitError{Host: "vm1", Code: 1, Output: "Error: service not found"}})
	task := b.start(b.plan("app maintenance"), nil)
	if task.Status != ops.Failed || !strings.Contains(strings.Join(texts(task.Errors), "\n"), "vm1: docker exec kamal-proxy kamal-proxy stop shop-web") || len(b.held()) > 0 {
		t.Errorf("%s, held %v: %v", task.Status, b.held(), texts(task.Errors))
	}
}

// What the roles of a host share is removed only when all of them go.
func TestRemovingOneRoleLeavesWhatOthersShare(t *testing.T) {
	tests := []struct {
		filter config.Filter
		whole  []string // hosts that lose images and directories
		roles  []string // host and role whose containers go
	}{
		{config.Filter{}, []string{"vm1", "vm2"}, []string{"vm1 job", "vm1 web", "vm2 job"}},
		{config.Filter{Roles: []string{"job"}}, []string{"vm2"}, []string{"vm1 job", "vm2 job"}},
		{config.Filter{Hosts: []string{"vm1"}}, []string{"vm1"}, []string{"vm1 job", "vm1 web"}},
		{config.Filter{Roles: []string{"web"}}, nil, []string{"vm1 web"}},
	}
	for _, tt := range tests {
		b := newBench(t, twoRoles)
		b.in = input(t, b.cfg, tt.filter)
		task := b.start(b.plan("app remove"), nil)
		if task.Status != ops.Done || len(b.held()) > 0 {
			t.Fatalf("%v: %s, held %v: %v", tt.filter, task.Status, b.held(), texts(task.Errors))
		}
		var roles []string
		whole := map[string][]string{}
		for _, c := range b.world.Calls() {
			if role, ok := strings.CutPrefix(c.What, "docker container prune --force --filter label=service=shop --filter label=destination= --filter label=role="); ok {
				roles = append(roles, c.Host+" "+role)
			}
			for _, shared := range []string{"docker image prune --all --force --filter label=service=shop", "rm -r .kamal/apps/shop", "rm -r .kamal/proxy/apps-config/shop"} {
				if c.What == shared {
					whole[c.Host] = append(whole[c.Host], shared)
				}
			}
		}
		slices.Sort(roles)
		if !slices.Equal(roles, tt.roles) {
			t.Errorf("%v: removed containers of %v, want %v", tt.filter, roles, tt.roles)
		}
		for _, host := range []string{"vm1", "vm2"} {
			want := 0
			if slices.Contains(tt.whole, host) {
				want = 3
			}
			if len(whole[host]) != want {
				t.Errorf("%v: %s lost %v", tt.filter, host, whole[host])
			}
		}
		if slices.Contains(tt.roles, "vm1 web") && len(b.running("vm1", "web")) > 0 {
			t.Errorf("%v: web still runs", tt.filter)
		}
		if !slices.Contains(tt.roles, "vm1 web") && len(b.running("vm1", "web")) == 0 {
			t.Errorf("%v: web was stopped", tt.filter)
		}
	}
}

func TestARemovalIsWrittenDownAndGoesOnWhereNothingIs(t *testing.T) {
	b := newBench(t, demoConfig)
	missing := &ops.ExitError{Host: "vm3", Code: 1, Output: "rm: cannot remove: No such file or directory"}
	b.world.On("vm3", "^rm -r .kamal/apps|^rm -r .kamal/proxy", opstest.Reply{Err: missing})
	if task := b.start(b.plan("app remove"), nil); task.Status != ops.Done {
		t.Fatal(texts(task.Errors))
	}
	var audit []string
	for _, c := range b.world.Asked("vm3") {
		if m := regexp.MustCompile(`echo "\[[^]]+\] (\[.*)" >>`).FindStringSubmatch(c); m != nil {
			audit = append(audit, m[1])
		}
	}
	want := []string{
		"[ana@example.com] [job] Stopped app", "[ana@example.com] [job] Removed all app containers",
		"[ana@example.com] Removed all app images", "[ana@example.com] Removed .kamal/apps/shop",
	}
	if !slices.Equal(audit, want) {
		t.Errorf("the audit log of vm3 has %q\nwant %q", audit, want)
	}
}

func TestOnlyTheNamedVersionIsRemoved(t *testing.T) {
	b := newBench(t, demoConfig)
	if task := b.start(b.plan("app remove_container", "VERSION", "v1"), nil); task.Status != ops.Done {
		t.Fatal(texts(task.Errors))
	}
	app := command.NewApp(b.cfg, b.cfg.Role("web"), "vm1")
	if asked := b.world.Asked("vm1"); !slices.Contains(asked, app.RemoveContainer("v1").String()) {
		t.Errorf("vm1 was asked:\n%s", strings.Join(asked, "\n"))
	}
	task := b.start(b.plan("app remove_container", "VERSION", "v7"), nil)
	text := strings.Join(texts(task.Errors), "\n")
	if task.Status != ops.Failed || !strings.Contains(text, "vm1: no container of role web has version v7: it has v1, v2") || len(b.held()) > 0 {
		t.Errorf("a version that is not there: %s: %s", task.Status, text)
	}
	if _, err := b.tryPlan("app remove_container"); err == nil {
		t.Error("no version is accepted")
	}
}
