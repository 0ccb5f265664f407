//go:build e2e

package e2e

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"syscall"
	"testing"

	"binnacle/ops"
	"binnacle/ops/e2e/lab"
)

// Everything that is done to accessories, from the first boot to the removal of
// their data, on real hosts.
func TestAccessoriesLive(t *testing.T) {
	fleet := freshFleet(t)
	p := newProject(t, fleet, "simple")
	withAccessories(t, p)
	vm1, vm2 := fleet.Host("vm1"), fleet.Host("vm2")
	p.must(t, "proxy", "boot")

	p.must(t, "accessory", "boot", "all")
	for _, host := range []*lab.Host{vm1, vm2} {
		if got := answers(t, host, "admin.example.com"); got != http.StatusOK {
			t.Errorf("%s: the proxy answers %d for admin", host.Name, got)
		}
	}
	secret := exec(t, vm1, "sed 's/^POSTGRES_PASSWORD=//' .kamal/apps/fhirlinebot/env/accessories/db.env")
	want := "create database fhirlinebot_production; pass: " + secret + "\n755\n600"
	if got := exec(t, vm1, "cat fhirlinebot-db/init.sql; stat -c %%a fhirlinebot-db/init.sql .kamal/apps/fhirlinebot/env/accessories/db.env"); secret == "" || got != want {
		t.Errorf("the uploaded files are %q, want %q", got, want)
	}
	if again := p.must(t, "accessory", "boot", "db", "-v"); !strings.Contains(again.Stdout, "Skipping booting `db` on vm1, a container already exists") {
		t.Errorf("a second boot says:\n%s", again.Output())
	}

	p.must(t, "accessory", "stop", "admin")
	p.must(t, "accessory", "stop", "admin") // the proxy does not know it any more
	if got := answers(t, vm2, "admin.example.com"); got != http.StatusNotFound {
		t.Errorf("stopped, the proxy answers %d for admin", got)
	}
	p.must(t, "accessory", "start", "admin", "-h", "vm2")
	if one, two := answers(t, vm1, "admin.example.com"), answers(t, vm2, "admin.example.com"); one != http.StatusNotFound || two != http.StatusOK {
		t.Errorf("started on vm2 alone, the proxies answer %d and %d", one, two)
	}

	p.must(t, "accessory", "exec", "db", "--reuse", "sh -c 'echo kept > /var/lib/postgresql/data/mark; echo lost > /mark'")
	before := containerOf(t, vm1, "fhirlinebot-db")
	p.must(t, "accessory", "reboot", "db")
	if after := containerOf(t, vm1, "fhirlinebot-db"); after == before || after == "" {
		t.Errorf("rebooted, the container is %q, before %q", after, before)
	}
	if got := p.must(t, "accessory", "exec", "db", "--reuse", "--raw", "cat /var/lib/postgresql/data/mark; ls /"); !strings.HasPrefix(got.Stdout, "kept\n") {
		t.Errorf("it prints %q", got.Stdout)
	}
	if got := p.run(t, "accessory", "exec", "db", "--reuse", "cat", "/mark"); got.Exit != 1 || !strings.Contains(got.Output(), "No such file") {
		t.Errorf("what was inside the old container is read: %d %s", got.Exit, got.Output())
	}
	if got := p.must(t, "accessory", "exec", "db", "--raw", "cat", "/var/lib/postgresql/data/mark"); got.Stdout != "kept\n" {
		t.Errorf("a new container reads %q", got.Stdout)
	}

	since := containerStart(t, vm1, "fhirlinebot-db")
	p.must(t, "accessory", "restart", "db")
	if now := containerStart(t, vm1, "fhirlinebot-db"); now == since {
		t.Error("a restart did not start it again")
	}
	if got := p.must(t, "accessory", "logs", "db", "-g", "READY", "--grep-options=-i", "-T"); !strings.HasPrefix(got.Stdout, "database system is ready") {
		t.Errorf("the log is %q", got.Stdout)
	}
	follow := p.start(t, "accessory", "logs", "db", "-f")
	follow.until("a line of the log", func(rec ops.Record) bool { return strings.Contains(rec.Text, "database system is ready") })
	follow.signal(syscall.SIGINT)
	if code := follow.wait(); code != 0 {
		t.Errorf("an interrupt ends following with %d", code)
	}

	p.must(t, "accessory", "upgrade", "all", "--rolling", "-y")
	for _, host := range []*lab.Host{vm1, vm2} {
		if got := answers(t, host, "admin.example.com"); got != http.StatusOK {
			t.Errorf("%s: upgraded, the proxy answers %d for admin", host.Name, got)
		}
	}
	lockIsFree(t, fleet)
}

func TestARemovalOfAccessoriesIsAskedForAndComplete(t *testing.T) {
	fleet := freshFleet(t)
	p := newProject(t, fleet, "simple")
	withAccessories(t, p)
	vm1, vm2 := fleet.Host("vm1"), fleet.Host("vm2")
	p.must(t, "proxy", "boot")
	p.must(t, "accessory", "boot", "all")
	image := fleet.Registry() + "/myapp:v1"
	exec(t, vm1, "docker run --detach --name other %s", image)

	if got := p.run(t, "accessory", "remove", "all"); got.Exit != 1 || !strings.Contains(got.Stderr, "give -y") || !strings.Contains(got.Stderr, "~/fhirlinebot-db") {
		t.Errorf("unasked it exits %d:\n%s", got.Exit, got.Output())
	}
	if names := exec(t, vm1, "docker ps --format '{{.Names}}' | sort | tr '\\n' ' '"); names != "fhirlinebot-admin fhirlinebot-db kamal-proxy other" {
		t.Errorf("vm1 runs %s", names)
	}
	for name, want := range map[string]string{"nope": "No accessory by the name of 'nope' (options: db, admin)", "": "NAME"} {
		args := []string{"accessory", "remove", "-y"}
		if name != "" {
			args = append(args, name)
		}
		if got := p.run(t, args...); got.Exit != 1 || !strings.Contains(got.Stderr, want) {
			t.Errorf("remove %q exits %d: %s", name, got.Exit, got.Output())
		}
	}
	p.must(t, "accessory", "remove", "all", "-y")
	for _, host := range []*lab.Host{vm1, vm2} {
		if left := exec(t, host, "docker ps --all --quiet --filter label=service=fhirlinebot-db --filter label=service=fhirlinebot-admin; ls -d fhirlinebot-* 2>/dev/null || true"); left != "" {
			t.Errorf("%s still has %s", host.Name, left)
		}
		if list := exec(t, host, "docker exec kamal-proxy kamal-proxy list"); strings.Contains(list, "admin") {
			t.Errorf("the proxy of %s still knows admin:\n%s", host.Name, list)
		}
	}
	if containerOf(t, vm1, "other") == "" {
		t.Error("the other container of the same image does not run any more")
	}
	if got := exec(t, vm2, "docker images --quiet %s | wc -l", image); got != "0" {
		t.Errorf("vm2 keeps %s images", got)
	}
	p.must(t, "accessory", "remove", "db", "-y") // once more: there is nothing left
	lockIsFree(t, fleet)
}

// Helpers

// withAccessories gives the story simple a file and a template for its database,
// and an accessory behind the proxy.
func withAccessories(t *testing.T, p *project) {
	t.Helper()
	p.edit(t, "config/deploy.yml", "      - data:/var/lib/postgresql/data\n", fmt.Sprintf(`      - data:/var/lib/postgresql/data
    files:
      - config/extra.conf:/etc/extra.conf
      - config/init.sql.erb:/init.sql
  admin:
    image: %s/myapp:v1
    hosts: [vm1, vm2]
    proxy:
      host: admin.example.com
      app_port: 80
      healthcheck: { path: /up, interval: 1 }
`, p.fleet.Registry()))
	p.write(t, "config/extra.conf", "port = 5432\n", 0o600)
	p.write(t, "config/init.sql.erb", "create database <%= ENV['POSTGRES_DB'] %>; pass: <%= ENV['POSTGRES_PASSWORD'] %>\n", 0o600)
}

// answers asks the proxy of a host for a page of a site.
func answers(t *testing.T, host *lab.Host, site string) int {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, host.URL()+"/up", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Host = site
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Log(err)
		return 0
	}
	_ = response.Body.Close()
	return response.StatusCode
}

func containerOf(t *testing.T, host *lab.Host, name string) string {
	t.Helper()
	ids := strings.Fields(exec(t, host, "docker ps --quiet --filter name=^%s$", name))
	return strings.Join(slices.Compact(ids), " ")
}

func containerStart(t *testing.T, host *lab.Host, name string) string {
	t.Helper()
	return exec(t, host, "docker inspect --format '{{.State.StartedAt}}' %s", name)
}
