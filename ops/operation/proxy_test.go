package operation_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"binnacle/ops"
	"binnacle/ops/opstest"
)

// newProxyBench makes a fleet whose hosts can start, run and remove a proxy.
func newProxyBench(t *testing.T, yaml string) *bench {
	t.Helper()
	b := newBench(t, yaml)
	for _, host := range b.cfg.ProxyHosts() {
		engine := b.world.Engine(host)
		engine.AddImage(ops.Image{ID: "sha256:proxy", Tags: []string{"basecamp/kamal-proxy:v0.9.2"}})
		b.world.On(host, `^echo \$\(cat .kamal/proxy/image `, opstest.Reply{Stdout: "basecamp/kamal-proxy:v0.9.2\n"})
		b.world.On(host, "^docker container start kamal-proxy$", opstest.Reply{Do: func(context.Context) error {
			engine.Change("kamal-proxy", func(c *ops.Inspection) { c.State = "running" })
			return nil
		}})
		b.world.On(host, "^docker container prune .*title=kamal-proxy$", opstest.Reply{Do: func(context.Context) error {
			engine.Remove(func(c ops.Inspection) bool { return c.Name == "kamal-proxy" && !c.Running() })
			return nil
		}})
		b.world.On(host, "docker run --name kamal-proxy ", opstest.Reply{Do: func(context.Context) error {
			if b.has(host, "kamal-proxy") {
				return &ops.ExitError{Host: host, Code: 125, Output: "Conflict. The container name is already in use"}
			}
			engine.Add(ops.Inspection{Container: ops.Container{ID: "fresh", Name: "kamal-proxy", State: "running"}})
			return nil
		}})
	}
	return b
}

func TestAProxyIsRebootedAtOnceOrHostByHost(t *testing.T) {
	b := newProxyBench(t, demoConfig)
	b.in.Hooks = []string{"pre-proxy-reboot", "post-proxy-reboot"}
	b.must("proxy reboot")
	wantInOrder(t, b, "mkdir .kamal/lock-", "pre-proxy-reboot", "Rebooted proxy", "docker stop kamal-proxy", "docker container prune", "mkdir -p .kamal/proxy/apps-config", "docker run --name kamal-proxy", "kamal-proxy list", "post-proxy-reboot", "rm .kamal/lock-")
	b.must("proxy reboot", "rolling", "true")
	var hosts []string
	for _, run := range b.world.Locally() {
		hosts = append(hosts, run.Env["KAMAL_HOSTS"].Reveal())
	}
	if want := []string{"vm1,vm2", "vm1,vm2", "vm1", "vm1", "vm2", "vm2"}; !slices.Equal(hosts, want) {
		t.Errorf("hooks were told of %q, want %q", hosts, want)
	}
	for _, host := range []string{"vm1", "vm2"} {
		if got := b.state(host, "kamal-proxy"); got != "running" {
			t.Errorf("the proxy of %s is %q", host, got)
		}
	}
	if asked := b.world.Asked("vm3"); len(asked) > 0 {
		t.Errorf("vm3 has no proxy and was asked %q", asked)
	}
}

func TestAProxyIsNotStoppedForAnImageThatCannotBeHad(t *testing.T) {
	b := newProxyBench(t, with("proxy: { run: { version: v0.9.9 } }"))
	b.world.On("vm2", "^docker pull basecamp/kamal-proxy:v0.9.9", opstest.Reply{Err: &ops.ExitError{Code: 1, Output: "manifest unknown"}})
	if text := b.fails("proxy reboot", "rolling", "true"); !strings.Contains(text, "vm2: docker pull") {
		t.Error(text)
	}
	wantInOrder(t, b, "docker login", "docker pull basecamp/kamal-proxy:v0.9.9", "docker stop kamal-proxy")
	if asked := strings.Join(b.world.Asked("vm2"), "\n"); strings.Contains(asked, "docker stop") || strings.Contains(asked, "Rebooted") {
		t.Errorf("vm2 was asked:\n%s", asked)
	}
}

func TestAProxyThatDoesNotComeBackIsToldWithWhatToDo(t *testing.T) {
	b := newProxyBench(t, demoConfig)
	b.world.On("vm1", "docker run --name kamal-proxy ", opstest.Reply{Err: &ops.ExitError{Code: 125, Output: "Bind for 0.0.0.0:80 failed: port is already allocated"}})
	b.world.On("vm2", "kamal-proxy list", opstest.Reply{Err: &ops.ExitError{Code: 1, Output: "connect: no such file or directory"}})
	b.world.On("vm2", "docker logs kamal-proxy", opstest.Reply{Stdout: "unknown flag: --bogus\n"})
	began := b.world.Now()
	task := b.start(b.plan("proxy reboot"), nil)
	text := strings.Join(texts(task.Errors), "\n")
	for _, want := range []string{"vm1 uses port 80 or 443; this host has no proxy now", "binnacle proxy boot", "vm2: kamal-proxy was started and does not answer"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in:\n%s", want, text)
		}
	}
	if !slices.Contains(evidence(task), "unknown flag: --bogus") {
		t.Errorf("evidence %q", evidence(task))
	}
	if took := b.world.Now().Sub(began); took.Seconds() < 10 || took.Seconds() > 30 {
		t.Errorf("it was waited for %s", took)
	}
}

// An image without the label that Kamal goes by leaves its container behind.
func TestAProxyOfAnUnlabelledImageIsReplacedToo(t *testing.T) {
	b := newProxyBench(t, demoConfig)
	b.world.On("vm1", "^docker container prune", opstest.Reply{})
	b.world.On("vm1", "^docker container rm kamal-proxy$", opstest.Reply{Do: func(context.Context) error {
		b.world.Engine("vm1").Remove(func(c ops.Inspection) bool { return c.Name == "kamal-proxy" })
		return nil
	}})
	b.must("proxy reboot")
	if got := b.state("vm1", "kamal-proxy"); got != "running" {
		t.Errorf("the proxy is %q", got)
	}
}

func TestTheProxyStopsStartsAndRestarts(t *testing.T) {
	b := newProxyBench(t, demoConfig)
	b.must("proxy stop")
	b.must("proxy stop")
	if got := b.state("vm1", "kamal-proxy"); got != "exited" {
		t.Errorf("the proxy is %q", got)
	}
	b.must("proxy start")
	b.must("proxy restart")
	if got := b.state("vm1", "kamal-proxy"); got != "running" {
		t.Errorf("the proxy is %q", got)
	}
	if got, want := b.audits("vm2"), []string{"Stopped proxy", "Stopped proxy", "Started proxy", "Stopped proxy", "Started proxy"}; !slices.Equal(got, want) {
		t.Errorf("vm2 wrote %q", got)
	}
	b.world.On("vm2", "^docker container start", opstest.Reply{Err: &ops.ExitError{Code: 1, Output: "Error: No such container: kamal-proxy"}})
	if text := b.fails("proxy start"); !strings.Contains(text, "binnacle proxy boot") {
		t.Error(text)
	}
}

func TestTheProxyStaysWhileAppsAreInstalled(t *testing.T) {
	b := newProxyBench(t, demoConfig)
	b.world.On("vm2", "^ls .kamal/apps ", opstest.Reply{Stdout: "blog\nshop\n"})
	text := b.fails("proxy remove")
	if !strings.Contains(text, "blog on vm2, shop on vm2") || !strings.Contains(text, "--force") {
		t.Error(text)
	}
	for _, host := range []string{"vm1", "vm2"} {
		if got := b.state(host, "kamal-proxy"); got != "running" {
			t.Errorf("the proxy of %s is %q", host, got)
		}
	}
	b.must("proxy remove", "force", "true")
	for _, host := range []string{"vm1", "vm2"} {
		if got := b.state(host, "kamal-proxy"); got != "" {
			t.Errorf("the proxy of %s is %q", host, got)
		}
		if got, want := b.audits(host), []string{"Stopped proxy", "Removed proxy container", "Removed proxy image"}; !slices.Equal(got, want) {
			t.Errorf("%s wrote %q", host, got)
		}
	}
	wantInOrder(t, b, "docker container prune", "docker image prune --all --force --filter label=org.opencontainers.image.title=kamal-proxy", "rm -r .kamal/proxy")

	b = newProxyBench(t, demoConfig)
	b.world.On("*", "^rm -r .kamal/proxy", opstest.Reply{Err: &ops.ExitError{Code: 1, Output: "No such file or directory"}})
	b.must("proxy remove")
	if got := b.state("vm1", "kamal-proxy"); got != "" {
		t.Errorf("without apps the proxy is %q", got)
	}
}

func TestChangesOfTheProxyNameTheAppsBehindIt(t *testing.T) {
	b := newProxyBench(t, with("proxy: { run: { version: v0.9.9 } }"))
	for _, host := range []string{"vm1", "vm2"} {
		b.in.Fleet = b.in.Fleet.WithHost(ops.Host{
			Name: host, Routes: []ops.Route{{Service: "shop-web"}, {Service: "blog-web"}},
			Containers: []ops.Container{{Name: "kamal-proxy", Kind: ops.KindProxy, Image: "basecamp/kamal-proxy:v0.9.2"}},
		})
	}
	for _, name := range []string{"proxy stop", "proxy restart", "proxy reboot", "proxy remove", "proxy upgrade"} {
		i := slices.IndexFunc(b.plan(name).Effects, func(e ops.Effect) bool { return e.Label == "also" })
		if i < 0 || b.plan(name).Effects[i].Text != "blog-web (vm1, vm2): of other apps, behind the same proxy" || !b.plan(name).Effects[i].Warn {
			t.Errorf("%s: %+v", name, b.plan(name).Effects)
		}
	}
	want := ops.Effect{Label: "image", Text: "basecamp/kamal-proxy:v0.9.9 in place of basecamp/kamal-proxy:v0.9.2 on vm1, vm2"}
	if got := b.plan("proxy reboot").Effects; !slices.Contains(got, want) {
		t.Errorf("a reboot says %+v", got)
	}
}

func TestTheBootConfigurationIsWrittenAndReset(t *testing.T) {
	b := newProxyBench(t, demoConfig)
	b.must("proxy boot_config", "SUBCOMMAND", "set",
		"http-port", "8080", "https-port", "443", "log-max-size", "5m", "publish-host-ip", "::1", "registry", "ghcr.io", "image-version", "v0.9.3",
		"debug", "true", "metrics-port", "9090", "docker-options", "label=a=b\x00memory=1g")
	for name, want := range map[string]string{
		"options": "--publish [::1]:8080:80 --publish [::1]:443:443 --log-opt max-size=5m --expose=9090 --label=a=b --memory=1g",
		"image":   "ghcr.io/basecamp/kamal-proxy", "image_version": "v0.9.3", "run_command": `kamal-proxy run --debug --metrics-port "9090"`,
	} {
		if got, mode := b.world.File("vm2", ".kamal/proxy/"+name); got != want || mode != "0640" {
			t.Errorf("%s is %q, mode %s, want %q", name, got, mode, want)
		}
	}
	if held := strings.Join(b.world.Asked("vm1"), "\n"); strings.Contains(held, "lock-") {
		t.Error("Kamal takes no lock for it")
	}

	b = newProxyBench(t, demoConfig)
	b.world.On("*", "^rm ", opstest.Reply{Err: &ops.ExitError{Code: 1, Output: "No such file or directory"}})
	b.must("proxy boot_config", "SUBCOMMAND", "reset")
	b.must("proxy boot_config", "SUBCOMMAND", "set", "http-port", "80", "log-max-size", "10m")
	for _, name := range []string{"options", "image", "image_version", "run_command"} {
		wantInOrder(t, b, "rm .kamal/proxy/"+name, "mkdir -p .kamal/proxy", "rm .kamal/proxy/")
	}
	b.must("proxy boot_config", "SUBCOMMAND", "set", "publish", "false", "log-max-size", "1m")
	if got, _ := b.world.File("vm1", ".kamal/proxy/options"); got != "--log-opt max-size=1m" {
		t.Errorf("without ports the options are %q", got)
	}
	for _, wrong := range [][]string{
		{"http-port", "eighty"}, {"metrics-port", "70000"}, {"publish-host-ip", "300.1.1.1"}, {"SUBCOMMAND", "frob"}, {"SUBCOMMAND", ""},
	} {
		if _, err := b.tryPlan("proxy boot_config", append([]string{"SUBCOMMAND", "set"}, wrong...)...); err == nil {
			t.Errorf("%q is taken", wrong)
		}
	}
}

func TestTheBootConfigurationIsShownAsItIsRead(t *testing.T) {
	b := newProxyBench(t, with("proxy: { run: { http_port: 81 } }"))
	b.world.On("*", `^echo .*run_command`, opstest.Reply{Stdout: "--publish 8080:80 basecamp/kamal-proxy:v0.9.2\n"})
	plan := b.plan("proxy boot_config", "SUBCOMMAND", "get")
	if plan.Risk != ops.Read {
		t.Errorf("the risk is %s", plan.Risk)
	}
	if got := b.result("proxy boot_config", "SUBCOMMAND", "get"); !strings.Contains(got, "--publish 8080:80 basecamp/kamal-proxy:v0.9.2") {
		t.Errorf("it shows %q", got)
	}
}

func TestAnUpgradeReplacesTraefikAndBootsTheAppBehindTheProxy(t *testing.T) {
	b := newProxyBench(t, demoConfig)
	b.in.Hooks = []string{"pre-proxy-reboot", "post-proxy-reboot"}
	b.world.Engine("vm1").AddImage(ops.Image{ID: "sha256:latest", Tags: []string{b.cfg.AbsoluteImage("latest")}, Labels: map[string]string{"service": "shop"}})
	b.must("proxy upgrade")
	wantInOrder(t, b, "mkdir .kamal/lock-", "pre-proxy-reboot", "docker image inspect basecamp/kamal-proxy", "docker container stop traefik", "docker stop kamal-proxy", "docker container prune",
		"docker container start kamal-proxy || ", "docker image prune --all", "docker run --detach --restart unless-stopped --name shop-web-latest", "kamal-proxy deploy shop-web", "Pruned", "post-proxy-reboot", "rm .kamal/lock-")
}

func TestTheProxysLogIsFollowedWhereTheProxyIs(t *testing.T) {
	b := newProxyBench(t, demoConfig)
	plan := b.plan("proxy logs", "follow", "true")
	if hosts := plan.Hosts(); !slices.Equal(hosts, []string{"vm1"}) || !plan.Stream {
		t.Errorf("follows %v, stream: %v", hosts, plan.Stream)
	}
	if got := b.plan("proxy logs", "lines", "3").Steps()[1].Lines[0].String(); got != "docker logs kamal-proxy --tail 3 --timestamps 2>&1" {
		t.Error(got)
	}
}
