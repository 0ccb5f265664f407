//go:build e2e

package e2e

import (
	"strings"
	"testing"
)

func TestRegistryLoginsOnHosts(t *testing.T) {
	fleet := freshFleet(t)
	p := newProject(t, fleet, "simple")
	p.sh(t, "sed -i 's/^KAMAL_REGISTRY_PASSWORD=.*/KAMAL_REGISTRY_PASSWORD=pass-8841-by-stdin/' .kamal/secrets && grep -q pass-8841 .kamal/secrets")
	watch, err := fleet.WatchCommandLines(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	p.must(t, "registry", "setup")
	for host, lines := range watch.Stop() {
		if all := strings.Join(lines, "\n"); strings.Contains(all, "pass-8841") || !strings.Contains(all, "--password-stdin") {
			t.Errorf("%s: the password stands in a command line, or nobody logged in:\n%s", host, all)
		}
	}
	logins := func() (count int) {
		for _, host := range fleet.Hosts() {
			if strings.Contains(exec(t, host, "cat .docker/config.json 2>/dev/null || true"), fleet.Registry()) {
				count++
			}
		}
		return count
	}
	if n := logins(); n != 3 {
		t.Errorf("%d hosts are logged in", n)
	}
	p.must(t, "registry", "logout", "-R")
	if n := logins(); n != 3 {
		t.Errorf("with -R the logins of hosts were touched: %d are left", n)
	}
	p.must(t, "registry", "remove", "-L", "-h", "vm1")
	if n := logins(); n != 2 {
		t.Errorf("%d hosts are logged in after one was logged out", n)
	}
	p.must(t, "registry", "logout", "--skip-local")
	if n := logins(); n != 0 {
		t.Errorf("%d hosts are still logged in", n)
	}
}
