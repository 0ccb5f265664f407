//go:build e2e

package e2e

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"binnacle/ops/e2e/lab"
)

// Everything that is done to the proxy itself while an app is behind it.
func TestTheProxyIsRunByItsCommands(t *testing.T) {
	fleet := freshFleet(t)
	p := newProject(t, fleet, "simple")
	p.quick(t)
	for _, hook := range []string{"pre-proxy-reboot", "post-proxy-reboot"} {
		p.write(t, ".kamal/hooks/"+hook, "#!/bin/sh\necho \"${0##*/} $KAMAL_HOSTS\" >> hooks.log\n", 0o700)
	}
	vm1, vm2 := fleet.Host("vm1"), fleet.Host("vm2")
	p.must(t, "setup", "-P", "--version", "v1")
	serves := func(when string, want int, hosts ...*lab.Host) {
		t.Helper()
		for _, host := range hosts {
			if got := answers(t, host, "any.example.com"); got != want {
				t.Errorf("%s %s answers %d, want %d", when, host.Name, got, want)
			}
		}
	}

	before := containerOf(t, vm1, "kamal-proxy") + containerOf(t, vm2, "kamal-proxy")
	p.must(t, "proxy", "reboot", "--rolling", "-y")
	serves("rebooted,", http.StatusOK, vm1, vm2)
	if after := containerOf(t, vm1, "kamal-proxy") + containerOf(t, vm2, "kamal-proxy"); after == before {
		t.Error("the proxies are the same")
	}
	hooks, err := os.ReadFile(filepath.Join(p.dir, "hooks.log"))
	if want := "pre-proxy-reboot vm1\npost-proxy-reboot vm1\npre-proxy-reboot vm2\npost-proxy-reboot vm2\n"; err != nil || string(hooks) != want {
		t.Errorf("the hooks were %q, %v", hooks, err)
	}

	p.must(t, "proxy", "stop")
	serves("stopped,", 0, vm1, vm2)
	p.must(t, "proxy", "start")
	serves("started,", http.StatusOK, vm1, vm2)
	p.must(t, "proxy", "restart", "-h", "vm2")
	serves("restarted,", http.StatusOK, vm1, vm2)

	// Two apps on one proxy: each change says whom it concerns.
	exec(t, vm1, "docker exec kamal-proxy kamal-proxy deploy blog-web --target $(docker ps --quiet --filter label=role=web):80 --host blog.example.com")
	if got := p.must(t, "proxy", "stop", "--dry-run"); !strings.Contains(got.Stdout, "blog-web (vm1)") {
		t.Errorf("a stop does not name the other app:\n%s", got.Stdout)
	}
	if got := p.run(t, "proxy", "remove"); got.Exit != 1 || !strings.Contains(got.Stderr, "fhirlinebot on vm1") {
		t.Errorf("a removal exits %d:\n%s", got.Exit, got.Output())
	}
	serves("not removed,", http.StatusOK, vm1, vm2)

	p.must(t, "proxy", "boot_config", "set", "--http-port", "8088", "--docker-options", "label=a=b", "label=c=d")
	if got := p.must(t, "proxy", "boot_config", "get"); !strings.Contains(got.Stdout, "--publish 8088:80 --publish 443:443 --log-opt max-size=10m --label=a=b --label=c=d") {
		t.Errorf("it is shown as:\n%s", got.Output())
	}
	p.must(t, "proxy", "reboot", "-y", "-h", "vm2")
	if got := exec(t, vm2, `docker inspect --format '{{.HostConfig.PortBindings}} {{.Config.Labels.a}}{{.Config.Labels.c}}' kamal-proxy`); !strings.Contains(got, "8088") || !strings.HasSuffix(got, "bd") {
		t.Errorf("the proxy of vm2 runs with %s", got)
	}
	p.must(t, "proxy", "boot_config", "reset")
	p.must(t, "proxy", "reboot", "-y", "-h", "vm2")
	serves("reset,", http.StatusOK, vm1, vm2)

	// An image that cannot be had leaves the proxy that runs.
	p.edit(t, "config/deploy.yml", "proxy:\n", "proxy:\n  run: { registry: "+fleet.Registry()+", repository: kamal-proxy, version: v0.9.9 }\n")
	if got := p.run(t, "proxy", "reboot", "-y"); got.Exit != 1 || !strings.Contains(got.Output(), "kamal-proxy:v0.9.9") {
		t.Errorf("it exits %d:\n%s", got.Exit, got.Output())
	}
	serves("after a failed reboot,", http.StatusOK, vm1, vm2)

	p.must(t, "proxy", "remove", "--force")
	for _, host := range []*lab.Host{vm1, vm2} {
		if left := exec(t, host, "docker ps --all --quiet --filter name=^kamal-proxy$; ls -d .kamal/proxy 2>/dev/null || true"); left != "" {
			t.Errorf("%s still has %s", host.Name, left)
		}
	}
	lockIsFree(t, fleet)
}

// Kamal 1 left Traefik on the ports. An upgrade fetches the proxy, here from the
// fleet's own registry, and boots the app behind it.
func TestAnUpgradeReplacesTheProxyOfKamal1(t *testing.T) {
	fleet := freshFleet(t)
	p := newProject(t, fleet, "simple")
	p.quick(t)
	vm1, vm2 := fleet.Host("vm1"), fleet.Host("vm2")
	own := fleet.Registry() + "/kamal-proxy:v0.9.2"
	exec(t, vm1, "docker tag %s %s && docker push --quiet %s", lab.ProxyImage, own, own)
	p.must(t, "setup", "-P", "--version", "v1")
	for _, host := range []*lab.Host{vm1, vm2} {
		exec(t, host, "docker stop kamal-proxy && docker run --detach --name traefik --label org.opencontainers.image.title=Traefik --publish 80:80 %s/myapp:v1", fleet.Registry())
	}
	p.edit(t, "config/deploy.yml", "proxy:\n", "proxy:\n  run: { registry: "+fleet.Registry()+", repository: kamal-proxy }\n")
	p.must(t, "proxy", "upgrade", "--rolling", "-y")
	for _, host := range []*lab.Host{vm1, vm2} {
		if got := exec(t, host, "docker ps --all --filter name=traefik --quiet; docker inspect --format '{{.Config.Image}}' kamal-proxy"); got != own {
			t.Errorf("%s has %s", host.Name, got)
		}
		if got := answers(t, host, "any.example.com"); got != http.StatusOK {
			t.Errorf("%s answers %d", host.Name, got)
		}
		if got := running(t, host, "fhirlinebot"); len(got) != 1 || got[0] != "fhirlinebot-web-latest" {
			t.Errorf("%s runs %v", host.Name, got)
		}
	}
	lockIsFree(t, fleet)
}
