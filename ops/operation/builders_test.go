package operation_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"binnacle/ops"
	"binnacle/ops/opstest"
)

// benchWith is a bench whose project builds in a way of its own.
func benchWith(t *testing.T, builder string, more ...string) *bench {
	t.Helper()
	pairs := append([]string{"builder: { arch: amd64 }", "builder: { " + builder + " }"}, more...)
	b := newBench(t, strings.NewReplacer(pairs...).Replace(demoConfig))
	b.local()
	return b
}

const (
	oldRegistry   = `registry: { server: "registry:5000", username: root, password: [PASS] }`
	localRegistry = `registry: { server: "localhost:5555" }`
	noBuilder     = `ERROR: no builder "kamal" found`
)

func (b *bench) mustDo(name string, params ...string) ops.Task {
	b.t.Helper()
	task := b.start(b.plan(name, params...), nil)
	if task.Status != ops.Done {
		b.t.Fatalf("%s is %s: %v", name, task.Status, texts(task.Errors))
	}
	return task
}

func (b *bench) mustFail(name, says string, params ...string) ops.Task {
	b.t.Helper()
	task := b.start(b.plan(name, params...), nil)
	if text := strings.Join(texts(task.Errors), "\n"); task.Status != ops.Failed || !strings.Contains(text, says) {
		b.t.Errorf("%s is %s and says %q, want failed with %q", name, task.Status, text, says)
	}
	return task
}

// here lists the local commands that contain a text.
func (b *bench) here(part string) (out []opstest.LocalRun) {
	for _, run := range b.world.Locally() {
		if strings.Contains(run.What, part) {
			out = append(out, run)
		}
	}
	return out
}

func TestEveryDeployBuildsWithTheBuilderOfTheConfiguration(t *testing.T) {
	for _, name := range []string{"deploy", "redeploy", "setup", "build push", "build deliver"} {
		b := benchWith(t, "arch: arm64, remote: 'ssh://ops@builder'")
		b.mustDo(name)
		built := b.here("docker buildx build")
		if len(built) != 1 || !strings.Contains(built[0].What, "--builder kamal-remote-ssh---ops-builder ") {
			t.Errorf("%s built %v", name, built)
			continue
		}
		if token := built[0].Env["BUILDKIT_NO_CLIENT_TOKEN"]; token.Reveal() != "1" {
			t.Errorf("%s: a remote builder would ask this machine for tokens", name)
		}
		if logins := b.here("docker login"); len(logins) > 0 {
			t.Errorf("%s logged in here, where nothing is pushed from", name)
		}
	}
}

func TestBuildValuesTravelByEnvironment(t *testing.T) {
	for _, builder := range []string{"arch: amd64", "arch: amd64, pack: { builder: b, buildpacks: [c] }"} {
		b := benchWith(t, builder+", args: { RUBY: '3.4' }, secrets: [TOKEN]")
		b.mustDo("build push")
		run := b.here(" build ")[0]
		if run.Env["RUBY"].Reveal() != "3.4" || run.Env["TOKEN"].Reveal() != "secret-token" || strings.Contains(run.What, "3.4") || strings.Contains(run.What, "secret-token") {
			t.Errorf("%s\nwith %v", run.What, run.Env)
		}
		if pack := strings.HasPrefix(run.What, "pack "); pack == strings.Contains(run.What, "--progress=rawjson") {
			t.Errorf("records of progress: %s", run.What)
		}
	}
	b := benchWith(t, "arch: amd64, secrets: [ABSENT]")
	b.mustFail("build push", "builder secret ABSENT")
	if b.here("git") != nil {
		t.Error("it went on without a secret that the build needs")
	}
}

func TestAnOldBuildxIsNotAskedForRecords(t *testing.T) {
	for version, want := range map[string]bool{"0.12.1": false, "v0.13.0": true, "v0.30.1": true, "v0.0.0+unknown": true, "1.2.0": true} {
		b := benchWith(t, "arch: amd64")
		b.world.On("", "^docker --version", opstest.Reply{Stdout: "Docker version 28.1\ngithub.com/docker/buildx " + version + " abc\n"})
		b.mustDo("build push")
		if got := strings.Contains(b.here("buildx build")[0].What, "rawjson"); got != want {
			t.Errorf("buildx %s: records %v", version, got)
		}
	}
}

func TestMissingToolsAreNamed(t *testing.T) {
	for code, says := range map[int]string{127: "Docker is not installed here", 1: "the Docker buildx plugin is not installed here"} {
		b := benchWith(t, "arch: amd64")
		b.world.On("", "^docker --version", opstest.Reply{Err: &ops.ExitError{Code: code, Output: "?"}})
		b.mustFail("build push", says)
		b.mustFail("registry setup", says)
		b.mustFail("build dev", says)
	}
}

func TestABuilderIsCreatedOnlyWhenItIsMissing(t *testing.T) {
	for output, creates := range map[string]bool{
		noBuilder: true, "no compatible builder": true, "context not found": true, `context "x" does not exist`: true,
		"Cannot connect to the Docker daemon": false,
	} {
		b := benchWith(t, "arch: amd64")
		b.world.On("", "docker buildx inspect", opstest.Reply{Err: &ops.ExitError{Code: 1, Output: output}})
		b.world.On("", "docker buildx rm", opstest.Reply{Err: &ops.ExitError{Code: 1, Output: noBuilder}})
		if !creates {
			b.mustFail("build push", output)
			continue
		}
		b.mustDo("build push")
		wantInOrder(t, b, "docker buildx inspect", "docker buildx rm", "docker buildx create", "docker buildx build")
	}
	b := benchWith(t, "arch: amd64")
	b.world.On("", "docker buildx inspect", opstest.Reply{Err: &ops.ExitError{Code: 1, Output: noBuilder}})
	b.world.On("", "docker buildx rm", opstest.Reply{Err: &ops.ExitError{Code: 1, Output: "permission denied"}})
	b.mustFail("build push", "permission denied")
}

func TestTheBuilderByHand(t *testing.T) {
	b := benchWith(t, "arch: arm64, remote: 'ssh://ops@builder'")
	b.in.Hooks = []string{"pre-connect"}
	b.mustDo("build create")
	wantInOrder(t, b, "pre-connect", "true", "docker context create")
	if asked := b.world.Asked("ssh://ops@builder"); !slices.Equal(asked, []string{"true"}) {
		t.Errorf("the builder's machine was asked %v", asked)
	}
	b.world.On("", "^docker context ls", opstest.Reply{Stdout: "NAME\ndefault\n"})
	if text := b.result("build details"); text != "Builder: remote\nNAME\ndefault" {
		t.Errorf("details are %q", text)
	}
	b.world.On("", "^docker context rm", opstest.Reply{Err: &ops.ExitError{Code: 1, Output: noBuilder}})
	b.mustFail("build remove", "no builder")

	b = benchWith(t, "arch: amd64, remote: 'ssh://ops@builder'")
	b.world.On("ssh://ops@builder", "true", opstest.Reply{Err: errors.New("no route to host")})
	b.mustFail("build create", "ssh://ops@builder: true: no route to host")

	b = benchWith(t, "arch: amd64, driver: docker")
	b.mustDo("build create")
	b.mustDo("build remove")
	if calls := b.world.Calls(); len(calls) > 0 {
		t.Errorf("the docker driver has no builder, and yet: %v", calls)
	}
}

func TestTheFolderIsBuiltAsItIs(t *testing.T) {
	for name, arrange := range map[string]func() *bench{
		"a context": func() *bench { return benchWith(t, "arch: amd64, context: .") },
		"no git": func() *bench {
			b := benchWith(t, "arch: amd64")
			b.world.On("", "rev-parse --show-toplevel", opstest.Reply{Err: &ops.ExitError{Code: 128, Output: "not a git repository"}})
			return b
		},
	} {
		b := arrange()
		b.mustDo("build push")
		if run := b.here("buildx build")[0]; run.Dir != "" || b.here(" clone ") != nil {
			t.Errorf("%s: built in %q after %v", name, run.Dir, b.here(" clone "))
		}
	}
}

func TestDevWarnsOfWhatIsInNoCommit(t *testing.T) {
	b := benchWith(t, "arch: amd64")
	b.world.On("", "ls-files --modified", opstest.Reply{Stdout: "app.rb\ndeleted.rb\n"})
	b.world.On("", "ls-files --others", opstest.Reply{Stdout: "stray\nignored\n"})
	b.world.On("", "type=tar", opstest.Reply{Stdout: "app.rb\nlib/\nlib/a.rb\nstray\n"})
	task := b.mustDo("build dev")
	if step, _ := task.Step("uncommitted"); step.Note != "2 files are in no commit" {
		t.Errorf("it notes %q", step.Note)
	}
	run := b.here("-dirty")[0]
	if run.Dir != "" || !strings.Contains(run.What, "--output=type=docker") || !strings.Contains(run.What, "-t registry:5000/shop:v3-dirty -t registry:5000/shop:latest-dirty") {
		t.Errorf("built in %q by %s", run.Dir, run.What)
	}
	for _, none := range []string{"docker login", " clone ", "docker push"} {
		if b.here(none) != nil {
			t.Errorf("dev ran %s", none)
		}
	}
	b.mustDo("build dev", "output", "oci,dest=x.tar", "no-cache", "true")
	if b.here("--output=type=oci,dest=x.tar") == nil || b.here("--no-cache") == nil {
		t.Error("output and cache are not as asked for")
	}
}

func TestALocalRegistryIsReachedFromEveryHost(t *testing.T) {
	b := benchWith(t, "arch: amd64", oldRegistry, localRegistry)
	b.mustDo("build deliver")
	wantInOrder(t, b, "docker start kamal-docker-registry", "buildx build", "forward 127.0.0.1:5555 to localhost:5555", "docker pull localhost:5555/shop:v3", "end of forward")
	for _, host := range []string{"vm1", "vm2", "vm3"} {
		asked := b.world.Asked(host)
		for _, what := range []string{"forward 127.0.0.1:5555 to localhost:5555", "end of forward 127.0.0.1:5555"} {
			if !slices.Contains(asked, what) {
				t.Errorf("%s: no %s in %v", host, what, asked)
			}
		}
	}
	if b.here("docker login") != nil {
		t.Error("a local registry has no login")
	}

	b = benchWith(t, "arch: amd64", oldRegistry, localRegistry)
	b.world.On("vm2", "docker pull", opstest.Reply{Err: errors.New("connection reset")})
	b.mustFail("build pull", "connection reset (does the local registry run? binnacle registry setup starts it)")
	if !slices.Contains(b.world.Asked("vm2"), "end of forward 127.0.0.1:5555") {
		t.Error("the forward stays open after a failure")
	}

	b = benchWith(t, "arch: amd64", oldRegistry, localRegistry)
	b.world.On("vm2", "^forward", opstest.Reply{Err: errors.New("port in use")})
	b.mustFail("build pull", "vm2: forwarding 127.0.0.1:5555 to the registry here: port in use")
}

func TestARemoteBuilderReachesTheLocalRegistry(t *testing.T) {
	b := benchWith(t, "arch: arm64, remote: 'ssh://ops@builder:2222'", oldRegistry, localRegistry)
	b.mustDo("build push")
	asked := b.world.Asked("ssh://ops@builder:2222")
	if !slices.Equal(asked, []string{"forward 127.0.0.1:5555 to localhost:5555", "end of forward 127.0.0.1:5555"}) {
		t.Errorf("the builder was asked %v", asked)
	}
	wantInOrder(t, b, "forward 127", "buildx build", "end of forward")
}

func TestOneHostFillsEachMirrorFirst(t *testing.T) {
	none := opstest.Reply{Err: &ops.ExitError{Code: 1, Output: "error calling index: reflect: slice index out of range"}}
	b := benchWith(t, "arch: amd64")
	b.world.On("*", "RegistryConfig.Mirrors", opstest.Reply{Stdout: "https://mirror/\n"})
	b.world.On("vm3", "RegistryConfig.Mirrors", none)
	b.mustDo("build pull")
	var order []string
	for _, c := range b.world.Calls() {
		if c.Host != "vm3" && (strings.HasPrefix(c.What, "docker pull") || strings.HasPrefix(c.What, "docker image inspect")) {
			order = append(order, c.Host)
		}
	}
	if len(order) != 4 || order[0] != order[1] || order[2] != order[3] || order[0] == order[2] {
		t.Errorf("one host was to finish before the other began: %v", order)
	}

	b = benchWith(t, "arch: amd64")
	b.world.On("*", "RegistryConfig.Mirrors", opstest.Reply{Stdout: "https://mirror/\n"})
	b.world.On("*", "^docker pull", opstest.Reply{Err: errors.New("mirror is down")})
	task := b.mustFail("build pull", "mirror is down")
	if len(task.Errors) != 3 || !strings.Contains(task.Errors[2].Error(), "because its mirror could not be filled") {
		t.Errorf("it says %v", texts(task.Errors))
	}

	b = benchWith(t, "arch: amd64")
	b.world.On("vm1", "RegistryConfig.Mirrors", opstest.Reply{Err: &ops.ExitError{Host: "vm1", Code: 1, Output: "Cannot connect to the Docker daemon"}})
	b.mustFail("build pull", "Cannot connect to the Docker daemon")

	b = benchWith(t, "arch: amd64", "[vm1, vm2]", "[vm1]", "hosts: [vm3]", "hosts: [vm1]")
	b.mustDo("build pull")
	for _, c := range b.world.Calls() {
		if strings.Contains(c.What, "Mirrors") {
			t.Error("one host alone has nobody to wait for")
		}
	}
}

func TestRegistryLoginsGoWhereTheyAreWanted(t *testing.T) {
	for _, tt := range []struct {
		name   string
		params []string
		here   bool
		there  int
	}{
		{"registry setup", nil, true, 3},
		{"registry login", []string{"skip-local", "true"}, false, 3},
		{"registry login", []string{"skip-remote", "true"}, true, 0},
		{"registry setup", []string{"skip-local", "true", "skip-remote", "true"}, false, 0},
		{"registry remove", nil, true, 3},
		{"registry logout", []string{"skip-remote", "true"}, true, 0},
		{"registry logout", []string{"skip-local", "true"}, false, 3},
	} {
		b := benchWith(t, "arch: amd64")
		b.mustDo(tt.name, tt.params...)
		here, there := 0, 0
		for _, c := range b.world.Calls() {
			switch {
			case !strings.Contains(c.What, "docker login") && !strings.Contains(c.What, "docker logout"):
			case c.Host == "":
				here++
			default:
				there++
			}
			if strings.Contains(c.What, "secret-password") {
				t.Errorf("%s carries the password: %s", tt.name, c.What)
			}
		}
		if (here == 1) != tt.here || there != tt.there {
			t.Errorf("%s %v: here %d times, on %d hosts", tt.name, tt.params, here, there)
		}
	}
}

func TestTheLocalRegistryByHand(t *testing.T) {
	b := benchWith(t, "arch: amd64", oldRegistry, localRegistry)
	b.mustDo("registry setup")
	wantInOrder(t, b, "docker --version", "docker start kamal-docker-registry || docker run --detach -p 127.0.0.1:5555:5000")
	b.world.On("", "^docker stop kamal", opstest.Reply{Err: &ops.ExitError{Code: 1, Output: "No such container"}})
	b.mustDo("registry remove")
	for _, name := range []string{"registry login", "registry logout"} {
		if _, err := b.tryPlan(name); err == nil || !strings.Contains(err.Error(), "a local registry has no login") {
			t.Errorf("%s says %v", name, err)
		}
	}
	for _, c := range b.world.Calls() {
		if c.Host != "" {
			t.Errorf("%s was asked %s", c.Host, c.What)
		}
	}
	b.world.On("", "^docker start kamal", opstest.Reply{Err: &ops.ExitError{Code: 125, Output: "port is already allocated"}})
	b.mustFail("registry setup", "does another program use port 5555")
}
