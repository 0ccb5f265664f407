package operation_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"binnacle/ops"
	"binnacle/ops/opstest"
)

// with is the demo configuration with more settings.
func with(lines ...string) string { return demoConfig + strings.Join(lines, "\n") + "\n" }

func TestGroupsOfHostsFollowEachOtherWithTheirHooksAndTheWait(t *testing.T) {
	b := newBench(t, with("boot: { limit: 2, wait: 5 }"))
	b.in.Hooks, b.in.AskedVersion = []string{"pre-app-boot", "post-app-boot"}, "v3"
	began := b.world.Now()
	task := b.start(b.plan("app boot"), nil)
	if task.Status != ops.Done {
		t.Fatal(texts(task.Errors))
	}
	var got []string
	for _, c := range b.world.Calls() {
		for _, word := range []string{"pre-app-boot", "post-app-boot", "docker run"} {
			if strings.Contains(c.What, word) {
				got = append(got, strings.TrimSpace(word+" "+c.Host))
			}
		}
	}
	slices.Sort(got[1:3]) // the hosts of a group go side by side
	want := []string{"pre-app-boot", "docker run vm1", "docker run vm2", "post-app-boot", "pre-app-boot", "docker run vm3", "post-app-boot"}
	if !slices.Equal(got, want) {
		t.Errorf("order %q, want %q", got, want)
	}
	var hosts []string
	for _, run := range b.world.Locally() {
		hosts = append(hosts, run.Env["KAMAL_HOSTS"].Reveal())
	}
	if want := []string{"vm1,vm2", "vm1,vm2", "vm3", "vm3"}; !slices.Equal(hosts, want) {
		t.Errorf("hooks were told of hosts %q, want %q", hosts, want)
	}
	if took := b.world.Now().Sub(began); took < 10*time.Second {
		t.Errorf("two groups with a wait of 5 s took %s", took)
	}
}

func TestAFailedGroupStopsTheOthersAndItsOwnPostHook(t *testing.T) {
	b := newBench(t, with("boot: { limit: 1 }"))
	b.in.Hooks, b.in.AskedVersion = []string{"pre-app-boot", "post-app-boot"}, "v3"
	b.world.On("vm2", "docker run", opstest.Reply{Err: &ops.ExitError{Host: "vm2", Code: 125, Output: "no"}})
	task := b.start(b.plan("app boot"), nil)
	if task.Status != ops.Failed {
		t.Fatalf("the task is %s", task.Status)
	}
	if ran := strings.Join(b.world.Asked("vm3"), "\n"); strings.Contains(ran, "docker run") {
		t.Error("the third group was booted")
	}
	var hooks []string
	for _, run := range b.world.Locally() {
		hooks = append(hooks, run.What)
	}
	if len(hooks) != 3 || !strings.HasSuffix(hooks[2], "pre-app-boot") {
		t.Errorf("hooks %q, want both of the first group and the first of the second", hooks)
	}
}

func TestHooksLearnWhatTheyMay(t *testing.T) {
	b := newBench(t, demoConfig)
	b.in.Hooks = []string{"pre-connect", "pre-deploy", "pre-app-boot", "post-app-boot", "post-deploy"}
	b.in.Params["roles"] = ""
	if task := b.start(b.plan("deploy", "skip-push", "true", "roles", "web,job"), nil); task.Status != ops.Done {
		t.Fatal(texts(task.Errors))
	}
	tests := []struct {
		hook            string
		secrets, locked bool
		runtime         bool
	}{
		{"pre-connect", true, false, false},
		{"pre-deploy", true, true, false},
		{"pre-app-boot", false, true, false},
		{"post-app-boot", false, true, false},
		{"post-deploy", true, false, true},
	}
	ran := b.world.Locally()
	if len(ran) != len(tests) {
		t.Fatalf("%d hooks ran, want %d", len(ran), len(tests))
	}
	for i, tt := range tests {
		env := ran[i].Env
		if !strings.HasSuffix(ran[i].What, tt.hook) {
			t.Errorf("hook %d is %s, want %s", i, ran[i].What, tt.hook)
		}
		if got := env["TOKEN"].Reveal() != ""; got != tt.secrets {
			t.Errorf("%s gets secrets: %v, want %v", tt.hook, got, tt.secrets)
		}
		if got := env["KAMAL_LOCK"].Reveal() == "true"; got != tt.locked {
			t.Errorf("%s: KAMAL_LOCK is %q, want %v", tt.hook, env["KAMAL_LOCK"].Reveal(), tt.locked)
		}
		if _, got := env["KAMAL_RUNTIME"]; got != tt.runtime {
			t.Errorf("%s has a runtime: %v, want %v", tt.hook, got, tt.runtime)
		}
		for name, want := range map[string]string{
			"KAMAL_VERSION": "v3", "KAMAL_SERVICE": "shop", "KAMAL_COMMAND": "deploy", "KAMAL_PERFORMER": "ana@example.com", "KAMAL_ROLES": "web,job", "KAMAL_HOSTS": "vm1,vm2,vm3",
		} {
			if got := env[name].Reveal(); got != want {
				t.Errorf("%s: %s is %q, want %q (of %v)", tt.hook, name, got, want, slices.Sorted(maps.Keys(env)))
			}
		}
	}
}

func TestSkippedAndFailedHooks(t *testing.T) {
	b := newBench(t, demoConfig)
	b.in.Hooks, b.in.SkipHooks = []string{"pre-connect", "pre-deploy"}, true
	if task := b.start(b.plan("deploy", "skip-push", "true"), nil); task.Status != ops.Done || len(b.world.Locally()) > 0 {
		t.Errorf("skipped hooks: %s, ran %v", task.Status, b.world.Locally())
	}
	b = newBench(t, demoConfig)
	b.in.Hooks = []string{"pre-deploy"}
	b.world.On("", "pre-deploy", opstest.Reply{Stderr: "tests are red\n", Err: &ops.ExitError{Code: 3, Output: "tests are red"}})
	task := b.start(b.plan("deploy", "skip-push", "true"), nil)
	if text := strings.Join(texts(task.Errors), "\n"); !strings.Contains(text, "hook `pre-deploy` failed") || !strings.Contains(text, "tests are red") {
		t.Errorf("the error says %q", text)
	}
	if len(b.held()) > 0 {
		t.Error("the lock is kept")
	}
}

// A proxy that was told to switch goes on by itself. What it did counts, not
// whether its answer came back.
func TestTheProxyItselfTellsWhatItServes(t *testing.T) {
	hang := func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
	tests := []struct {
		name    string
		deploy  func(b *bench) opstest.Reply
		list    *opstest.Reply
		status  ops.Status
		running []string // on vm1
		says    string
	}{
		{
			name: "no answer, switched after a while",
			deploy: func(b *bench) opstest.Reply {
				return opstest.Reply{Answer: func(_ context.Context, what string) (string, error) {
					go func() { time.Sleep(time.Millisecond); b.switchTo("vm1", what) }()
					time.Sleep(2 * time.Millisecond)
					return "", errors.New("connection reset")
				}}
			},
			status: ops.Done, running: []string{"shop-web-v3"},
		},
		{
			name: "the answer never comes, but it switched",
			deploy: func(b *bench) opstest.Reply {
				return opstest.Reply{Answer: func(ctx context.Context, what string) (string, error) {
					b.switchTo("vm1", what)
					return "", hang(ctx)
				}}
			},
			status: ops.Done, running: []string{"shop-web-v3"},
		},
		{
			name:   "the answer never comes, and it did not switch",
			deploy: func(*bench) opstest.Reply { return opstest.Reply{Do: hang} },
			status: ops.Failed, running: []string{"shop-web-v2"}, says: "v2 keeps serving",
		},
		{
			name: "killed in the middle, switched",
			deploy: func(b *bench) opstest.Reply {
				return opstest.Reply{Answer: func(_ context.Context, what string) (string, error) {
					b.switchTo("vm1", what)
					return "", &ops.ExitError{Host: "vm1", Code: 137}
				}}
			},
			status: ops.Done, running: []string{"shop-web-v3"},
		},
		{
			name: "refused", status: ops.Failed, running: []string{"shop-web-v2"}, says: "never became healthy",
			deploy: func(*bench) opstest.Reply {
				return opstest.Reply{Err: &ops.ExitError{Host: "vm1", Code: 1, Output: "Error: target failed to become healthy"}}
			},
		},
		{
			name:   "neither an answer nor a way to ask: nothing is stopped",
			deploy: func(*bench) opstest.Reply { return opstest.Reply{Err: errors.New("connection reset")} },
			list:   &opstest.Reply{Err: errors.New("no route to host")},
			status: ops.Failed, running: []string{"shop-web-v2", "shop-web-v3"}, says: "nothing was stopped",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, demoConfig)
				b.world.On("vm1", "kamal-proxy deploy", tt.deploy(b))
				plan := b.plan("redeploy", "skip-push", "true")
				if tt.list != nil {
					b.world.On("vm1", "kamal-proxy list", *tt.list)
				}
				task := b.start(plan, nil)
				if task.Status != tt.status {
					t.Errorf("the task is %s, want %s: %v", task.Status, tt.status, texts(task.Errors))
				}
				if got := b.running("vm1", "web"); !slices.Equal(got, tt.running) {
					t.Errorf("vm1 runs %v, want %v", got, tt.running)
				}
				if text := strings.Join(texts(task.Errors), "\n"); !strings.Contains(text, tt.says) {
					t.Errorf("the errors do not say %q:\n%s", tt.says, text)
				}
				if len(b.held()) > 0 {
					t.Error("the lock is kept")
				}
			})
		})
	}
}

func TestReadinessOfWhatNoProxyChecks(t *testing.T) {
	state := func(s string) func(*ops.Inspection) { return func(c *ops.Inspection) { c.State = s } }
	health := func(h string) func(*ops.Inspection) {
		return func(c *ops.Inspection) { c.State, c.Health, c.HasHealth = "running", h, true }
	}
	tests := []struct {
		name   string
		change []func(*ops.Inspection) // one before each look
		status ops.Status
		says   string
		within time.Duration
	}{
		{"runs through the delay", []func(*ops.Inspection){state("running"), state("running")}, ops.Done, "", 5 * time.Second},
		{"dies in the delay", []func(*ops.Inspection){state("running"), state("exited")}, ops.Failed, "exited with exit code 0", 5 * time.Second},
		{"exits at once", []func(*ops.Inspection){func(c *ops.Inspection) { c.State, c.ExitCode = "exited", 3 }}, ops.Failed, "exited with exit code 3 after 0s", time.Second},
		{"killed for memory", []func(*ops.Inspection){func(c *ops.Inspection) { c.State, c.ExitCode, c.OOMKilled = "exited", 137, true }}, ops.Failed, "OOM", time.Second},
		{"its own check turns healthy", []func(*ops.Inspection){health("starting"), health("starting"), health("healthy")}, ops.Done, "", 10 * time.Second},
		{"its own check never does", []func(*ops.Inspection){health("unhealthy")}, ops.Failed, "unhealthy after 20s", 30 * time.Second},
		{"restarts over and over", []func(*ops.Inspection){func(c *ops.Inspection) { c.State, c.Restarts = "restarting", 3 }}, ops.Failed, "restarted 3 times", time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t, demoConfig)
			looks := 0
			b.world.On("vm3", "docker inspect shop-job-v3", opstest.Reply{Do: func(context.Context) error {
				b.world.Engine("vm3").Change("shop-job-v3", tt.change[min(looks, len(tt.change)-1)])
				looks++
				return nil
			}})
			b.in.AskedVersion = "v3"
			began := b.world.Now()
			task := b.start(b.plan("app boot"), nil)
			if task.Status != tt.status {
				t.Errorf("the task is %s, want %s: %v", task.Status, tt.status, texts(task.Errors))
			}
			if text := strings.Join(texts(task.Errors), "\n"); !strings.Contains(text, tt.says) {
				t.Errorf("the errors do not say %q:\n%s", tt.says, text)
			}
			if took := b.world.Now().Sub(began); took > tt.within {
				t.Errorf("it took %s, want at most %s", took, tt.within)
			}
			want := "shop-job-v3"
			if tt.status == ops.Failed {
				want = "shop-job-v2"
			}
			if got := b.running("vm3", "job"); tt.says != "exited with exit code 0" && !slices.Equal(got, []string{want}) {
				t.Errorf("vm3 runs %v, want %s", got, want)
			}
		})
	}
}

// Two roles of one host, with and without boot.parallel_roles: the job role is
// told why it was not booted.
func TestOtherRolesAreHaltedWhenTheFirstContainerFails(t *testing.T) {
	for _, parallel := range []string{"false", "true"} {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t, strings.Replace(with("boot: { parallel_roles: "+parallel+" }"), "hosts: [vm3]", "hosts: [vm1, vm3]", 1))
			b.in.AskedVersion = "v3"
			for _, h := range []string{"vm1", "vm2"} {
				b.world.On(h, "kamal-proxy deploy", opstest.Reply{Err: &ops.ExitError{Host: h, Code: 1, Output: "Error: target failed to become healthy"}})
			}
			task := b.start(b.plan("app boot"), nil)
			halted := 0
			for _, err := range task.Errors {
				if errors.Is(err.Cause, ops.ErrHalted) {
					halted++
				}
			}
			if halted == 0 || errors.Is(task.Errors[0].Cause, ops.ErrHalted) {
				t.Errorf("parallel %s: halted roles are told after the cause: %v", parallel, texts(task.Errors))
			}
			for _, h := range []string{"vm1", "vm3"} {
				if got := b.running(h, "job"); !slices.Equal(got, []string{"shop-job-v2"}) {
					t.Errorf("parallel %s: %s runs %v", parallel, h, got)
				}
			}
		})
	}
}

// After an interrupted run two versions run. Kamal keeps the newest of the
// latest image; what the proxy serves is what must stay.
func TestWhatTheProxyServesIsNotStale(t *testing.T) {
	b := newBench(t, demoConfig)
	web := b.cfg.Role("web")
	b.world.Engine("vm1").Change(web.ContainerName("v1"), func(c *ops.Inspection) { c.State = "running" })
	for _, c := range b.world.Engine("vm1").Containers() {
		if c.Name == web.ContainerName("v1") {
			b.routes["vm1"][web.ContainerPrefix()] = c.ID[:12]
		}
	}
	b.world.Engine("vm3").Change("shop-job-v1", func(c *ops.Inspection) { c.State = "running" })
	b.world.On("*", "^docker run", opstest.Reply{Err: &ops.ExitError{Code: 125, Output: "no"}})
	b.start(b.plan("redeploy", "skip-push", "true"), nil)
	if got := b.running("vm1", "web"); !slices.Equal(got, []string{"shop-web-v1"}) {
		t.Errorf("vm1 runs %v, want the one that the proxy serves", got)
	}
	if got := b.running("vm3", "job"); !slices.Equal(got, []string{"shop-job-v2"}) {
		t.Errorf("vm3 runs %v, want that of the latest image", got)
	}
}

func TestAMissingSecretStopsTheRunBeforeAnyHostIsAsked(t *testing.T) {
	b := newBenchOf(t, parse(t, demoConfig, "PASS=secret-password\n"))
	task := b.start(b.plan("deploy", "skip-push", "true"), nil)
	if task.Status != ops.Failed || !strings.Contains(texts(task.Errors)[0], "TOKEN") {
		t.Errorf("%s: %v", task.Status, texts(task.Errors))
	}
	for _, c := range b.world.Calls() {
		if c.Host != "" && !strings.HasPrefix(c.What, "docker ps") && !strings.HasPrefix(c.What, "mkdir -p .kamal") {
			t.Errorf("%s was asked %s", c.Host, c.What)
		}
	}
}

func TestPullFailuresSayWhatToDo(t *testing.T) {
	tests := []struct {
		name  string
		setup func(b *bench)
		says  []string
	}{
		{"no such tag", func(b *bench) { b.world.On("vm2", "docker pull", opstest.Reply{Err: ops.ErrNotFound}) }, []string{"vm2: docker pull registry:5000/shop:v3", "was this version built and pushed?"}},
		{"registry down", func(b *bench) { b.world.On("vm2", "docker pull", opstest.Reply{Err: errors.New("connection refused")}) }, []string{"connection refused", "is the registry up"}},
		{"label missing", func(b *bench) {
			b.world.On("vm2", "docker image inspect", opstest.Reply{})
			b.in.Config = b.cfg
			b.in.Version = "v4"
			for _, h := range b.cfg.AllHosts() {
				b.world.Engine(h).AddImage(ops.Image{ID: "sha256:v4", Tags: []string{b.cfg.AbsoluteImage("v4")}, Labels: map[string]string{"service": "blog"}})
			}
		}, []string{"is missing the 'service' label \"shop\"", `it has "blog"`, "--label service=shop"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t, demoConfig)
			tt.setup(b)
			task := b.start(b.plan("deploy", "skip-push", "true"), nil)
			text := strings.Join(texts(task.Errors), "\n")
			for _, want := range tt.says {
				if !strings.Contains(text, want) {
					t.Errorf("the errors do not say %q:\n%s", want, text)
				}
			}
			for _, c := range b.world.Calls() {
				if strings.HasPrefix(c.What, "mkdir .kamal/lock") || strings.HasPrefix(c.What, "docker run") {
					t.Errorf("%s was asked %.60s", c.Host, c.What)
				}
			}
		})
	}
}

// Secret variables travel in a file of mode 0600, and in no command.
func TestSecretsTravelInAFileOnly(t *testing.T) {
	b := newBench(t, demoConfig)
	if task := b.start(b.plan("deploy", "skip-push", "true"), nil); task.Status != ops.Done {
		t.Fatal(texts(task.Errors))
	}
	content, mode := b.world.File("vm1", ".kamal/apps/shop/env/roles/web.env")
	if content != "TOKEN=secret-token\n" || mode != "0600" {
		t.Errorf("the file holds %q with mode %s", content, mode)
	}
	for _, c := range b.world.Calls() {
		if strings.Contains(c.What, "secret-") {
			t.Errorf("a command carries a secret: %s", c.What)
		}
	}
}
