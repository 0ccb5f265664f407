//go:build e2e

package e2e

import (
	"strings"
	"testing"

	"binnacle/ops/e2e/lab"
)

// The parts of removals and boots that Kamal lets people type one by one.
func TestEachPartOfARemovalByItself(t *testing.T) {
	fleet := freshFleet(t)
	p := newProject(t, fleet, "simple")
	p.quick(t)
	keepProxyImage(t, fleet)
	p.must(t, "setup", "-P", "--version", "v1")
	vm1 := fleet.Host("vm1")
	has := func(host *lab.Host, shell string) bool {
		t.Helper()
		return exec(t, host, "%s", shell+" 2>/dev/null || true") != ""
	}
	appContainers := `docker ps --all --quiet --filter label=service=fhirlinebot`
	appImages := `docker images --quiet --filter label=service=fhirlinebot`
	database := `docker ps --all --quiet --filter name=fhirlinebot-db`
	databaseImage := `docker images --quiet ` + fleet.Registry() + `/postgres:16`
	proxy := `docker ps --all --quiet --filter name=^kamal-proxy$`
	for _, step := range []struct{ command, gone, kept string }{
		{"app stop", `docker ps --quiet --filter label=service=fhirlinebot`, appContainers},
		{"app remove_containers", appContainers, appImages},
		{"app remove_images", appImages, "ls -d .kamal/apps/fhirlinebot"},
		{"app remove_app_directories", "ls -d .kamal/apps/fhirlinebot", proxy},
		{"accessory stop db", `docker ps --quiet --filter name=fhirlinebot-db`, database},
		{"accessory remove_container db", database, databaseImage},
		{"accessory remove_image db", databaseImage, "ls -d fhirlinebot-db"},
		{"accessory remove_service_directory db", "ls -d fhirlinebot-db", proxy},
		{"accessory pull_image db", "", databaseImage},
		{"proxy stop", `docker ps --quiet --filter name=^kamal-proxy$`, proxy},
		{"proxy remove_container", proxy, "ls -d .kamal/proxy"},
		{"proxy remove_proxy_directory", "ls -d .kamal/proxy", ""},
		{"proxy remove_image", "", "docker ps --all --quiet --filter name=keeper"},
	} {
		p.must(t, strings.Fields(step.command)...)
		if step.gone != "" && has(vm1, step.gone) {
			t.Errorf("after %s there is still something at: %s", step.command, step.gone)
		}
		if step.kept != "" && !has(vm1, step.kept) {
			t.Errorf("after %s there is nothing at: %s", step.command, step.kept)
		}
	}
	lockIsFree(t, fleet)
}
