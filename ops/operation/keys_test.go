package operation_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"binnacle/config"
	"binnacle/ops"
)

// Keys of deploy.yml that act while a deploy runs. What they do to a single command
// is held to Kamal's commands in ops/command.

func TestAssetsPagesAndCertificatesAreInPlaceBeforeTheBoot(t *testing.T) {
	b := newBenchOf(t, parse(t, with(
		"asset_path: /public/assets", "error_pages_path: public",
		"proxy: { host: shop.example.com, ssl: { certificate_pem: CERT, private_key_pem: KEY } }",
	), "TOKEN=t\nPASS=p\nCERT=\"-----BEGIN\ncert\"\nKEY=the-key\n"))
	b.world.Sources = map[string]string{"public/404.html": "none", "public/503.html": "later", "public/index.html": "no error"}
	if task := b.start(b.plan("deploy", "skip-push", "true"), nil); task.Status != ops.Done {
		t.Fatal(texts(task.Errors))
	}
	const proxied = ".kamal/proxy/apps-config/shop/"
	for path, want := range map[string]string{
		"tls/web/cert.pem": "-----BEGIN\ncert", "tls/web/key.pem": "the-key",
		"error_pages/v3/404.html": "none", "error_pages/v3/503.html": "later",
	} {
		content, mode := b.world.File("vm2", proxied+path)
		if content != want || mode != "0644" {
			t.Errorf("%s holds %q with mode %s, want %q", path, content, mode, want)
		}
		if strayed, _ := b.world.File("vm3", proxied+path); strings.HasPrefix(path, "tls") && strayed != "" {
			t.Errorf("%s is on a host without a proxy", path)
		}
	}
	if content, _ := b.world.File("vm2", proxied+"error_pages/v3/index.html"); content != "" {
		t.Error("a page for no error was uploaded")
	}
	asked := b.world.Asked("vm2")
	order := []string{"docker container cp -L shop-web-assets:/public/assets/.", "cp -rnT", "docker run", "kamal-proxy deploy", "find .kamal/apps/shop/assets", "find " + proxied + "error_pages"}
	at := -1
	for _, word := range order {
		i := slices.IndexFunc(asked, func(what string) bool { return strings.Contains(what, word) })
		if i < at || i < 0 {
			t.Errorf("%q is command %d of %q, want it in the order %q", word, i, asked, order)
		}
		at = i
	}
	deploy := asked[slices.IndexFunc(asked, func(what string) bool { return strings.Contains(what, "kamal-proxy deploy") })]
	for _, flag := range []string{"--tls ", `--tls-certificate-path="/home/kamal-proxy/.apps-config/shop/tls/web/cert.pem"`, `--error-pages="/home/kamal-proxy/.apps-config/shop/error_pages/v3"`} {
		if !strings.Contains(deploy, flag) {
			t.Errorf("%s is not in %s", flag, deploy)
		}
	}
}

func TestGroupsByPercentCountAccessoryHosts(t *testing.T) {
	// Five hosts in all: 40% are two, and web and job run on three.
	b := newBench(t, with("boot: { limit: 40% }", "accessories: { db: { image: db, hosts: [vm8, vm9] } }"))
	b.in.Hooks, b.in.AskedVersion = []string{"pre-app-boot"}, "v3"
	if task := b.start(b.plan("app boot"), nil); task.Status != ops.Done {
		t.Fatal(texts(task.Errors))
	}
	var groups []string
	for _, run := range b.world.Locally() {
		groups = append(groups, run.Env["KAMAL_HOSTS"].Reveal())
	}
	if want := []string{"vm1,vm2", "vm3"}; !slices.Equal(groups, want) {
		t.Errorf("groups %q, want %q", groups, want)
	}
}

func TestTheConfiguredPrimaryRoleOpensTheGate(t *testing.T) {
	b := newBench(t, with("primary_role: job"))
	if task := b.start(b.plan("deploy", "skip-push", "true"), nil); task.Status != ops.Done {
		t.Fatal(texts(task.Errors))
	}
	var ran []string
	for _, c := range b.world.Calls() {
		if strings.HasPrefix(c.What, "docker run ") {
			ran = append(ran, c.Host)
		}
	}
	if len(ran) != 3 || ran[0] != "vm3" {
		t.Errorf("containers started on %q, want the primary role's on vm3 first", ran)
	}
	if b.cfg.Role("web").Proxied() || !b.cfg.Role("job").Proxied() {
		t.Error("the primary role, and it alone, is behind the proxy unless the file says so")
	}
}

func TestARoleWithoutHostsIsNoObstacleWhenAllowed(t *testing.T) {
	b := newBench(t, strings.Replace(with("allow_empty_roles: true"), "job: { hosts: [vm3], cmd: work }", "job: { hosts: [], cmd: work }", 1))
	if task := b.start(b.plan("deploy", "skip-push", "true"), nil); task.Status != ops.Done {
		t.Fatal(texts(task.Errors))
	}
	if got := b.running("vm1", "web"); !slices.Equal(got, []string{"shop-web-v3"}) {
		t.Errorf("vm1 runs %v", got)
	}
}

func TestDelaysAndTimeoutsAreTheFiles(t *testing.T) {
	timed := func(lines ...string) time.Duration {
		yaml := strings.Replace(demoConfig, "readiness_delay: 1\ndeploy_timeout: 20\ndrain_timeout: 10\n", "", 1)
		b := newBench(t, yaml+strings.Join(lines, "\n")+"\n")
		b.in.AskedVersion = "v3"
		began := b.world.Now()
		if task := b.start(b.plan("app boot"), nil); task.Status != ops.Done {
			t.Fatal(texts(task.Errors))
		}
		return b.world.Now().Sub(began)
	}
	usual := timed()
	if longer := timed("readiness_delay: 17"); longer-usual < 9*time.Second || longer-usual > 12*time.Second {
		t.Errorf("a delay of 17 s takes %s longer than that of 7 s", longer-usual)
	}
	if waited := timed("boot: { wait: 4 }"); waited-usual < 4*time.Second {
		t.Errorf("a wait of 4 s takes %s longer", waited-usual)
	}
	for _, c := range []struct {
		yaml       string
		web, job   string
		drain, all string
	}{
		{"", "", "-t 10", "10s", "20s"},
		{"stop_timeout: 3", "-t 3", "-t 3", "10s", "20s"},
	} {
		b := newBench(t, with(c.yaml))
		if task := b.start(b.plan("deploy", "skip-push", "true"), nil); task.Status != ops.Done {
			t.Fatal(texts(task.Errors))
		}
		sent := strings.Join(b.world.Asked("vm1"), "\n")
		for _, flag := range []string{`--drain-timeout="` + c.drain + `"`, `--deploy-timeout="` + c.all + `"`} {
			if !strings.Contains(sent, flag) {
				t.Errorf("%q: %s is not sent:\n%s", c.yaml, flag, sent)
			}
		}
		checkStops(t, b.cfg, "web", c.web)
		checkStops(t, b.cfg, "job", c.job)
	}
}

func TestRunDirectoryHasNoEffect(t *testing.T) {
	b := newBench(t, with("run_directory: /var/kamal"))
	if task := b.start(b.plan("deploy", "skip-push", "true"), nil); task.Status != ops.Done {
		t.Fatal(texts(task.Errors))
	}
	for _, c := range b.world.Calls() {
		if strings.Contains(c.What, "/var/kamal") {
			t.Errorf("run_directory reaches %s", c.What)
		}
	}
}

// Helpers

func checkStops(t *testing.T, cfg *config.Config, role, want string) {
	t.Helper()
	got := ""
	if timeout := cfg.Role(role).DockerStopTimeout(); timeout != nil {
		got = "-t " + (time.Duration(*timeout) * time.Second).String()
		got = strings.TrimSuffix(got, "s")
	}
	if got != want {
		t.Errorf("%s stops with %q, want %q", role, got, want)
	}
}
