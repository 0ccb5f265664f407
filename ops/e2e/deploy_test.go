//go:build e2e

package e2e

import (
	"reflect"
	"strings"
	"testing"
)

// The spine: every change of version, and every one that fails, while requests
// arrive at both web hosts.
func TestVersionsChangeUnderLoad(t *testing.T) {
	fleet := freshFleet(t)
	p := newProject(t, fleet, "simple")
	p.quick(t)
	p.must(t, "setup", "-P", "--version", "v1")
	runsOnly(t, fleet, "v1")

	load := startLoad(t, fleet, "vm1", "vm2")
	p.must(t, "deploy", "-P", "--version", "v2")
	runsOnly(t, fleet, "v2")

	back := p.must(t, "rollback")
	if !strings.Contains(back.Stdout, "rollback to v1") {
		t.Errorf("the rollback does not name its version:\n%s", back.Stdout)
	}
	runsOnly(t, fleet, "v1")

	p.edit(t, "config/deploy.yml", "service: fhirlinebot\n", "service: fhirlinebot\ndeploy_timeout: 4\n")
	for version, wanted := range map[string][]string{
		"bad": {
			"web bad never became healthy", "failed to become healthy", "/up on port 80", "503",
			"could not connect to database", "v1 keeps serving", "vm1 web v1", "vm3 job v1", "lock          released",
		},
		"exits": {"exit code 3", "cannot be decrypted: wrong key", "v1 keeps serving", "vm2 web v1", "lock          released"},
	} {
		failed := p.run(t, "deploy", "-P", "--version", version)
		if failed.Exit != 1 {
			t.Errorf("deploy of %s exits %d", version, failed.Exit)
		}
		for _, text := range wanted {
			if !strings.Contains(failed.Stderr, text) {
				t.Errorf("deploy of %s does not say %q:\n%s", version, text, failed.Output())
			}
		}
		runsOnly(t, fleet, "v1")
		lockIsFree(t, fleet)
	}
	report := served(t, load)
	for _, host := range []string{"vm1", "vm2"} {
		if seen := report.Seen(host); !reflect.DeepEqual(seen, []string{"v1", "v2", "v1"}) {
			t.Errorf("%s answered with %v", host, seen)
		}
	}
}

// The role without a proxy is told with the same care: exit code and log.
func TestWorkerThatFailsIsExplainedAndLeavesTheOldOne(t *testing.T) {
	fleet := freshFleet(t)
	p := newProject(t, fleet, "simple")
	p.edit(t, "config/deploy.yml", "service: fhirlinebot\n", "service: fhirlinebot\nreadiness_delay: 2\n")
	p.must(t, "setup", "-P", "--version", "v1")
	p.edit(t, "config/deploy.yml", "cmd: /app work", "cmd: sh -c 'echo no queue at redis:6379; exit 9'")
	failed := p.run(t, "deploy", "-P", "--version", "v2")
	if failed.Exit != 1 {
		t.Errorf("exits %d", failed.Exit)
	}
	for _, text := range []string{"job is not ready", "vm3", "exit code 9", "no queue at redis:6379", "mixed versions"} {
		if !strings.Contains(failed.Stderr, text) {
			t.Errorf("it does not say %q:\n%s", text, failed.Output())
		}
	}
	if got := running(t, fleet.Host("vm3"), "fhirlinebot"); !reflect.DeepEqual(got, []string{"fhirlinebot-job-v1"}) {
		t.Errorf("vm3 runs %v", got)
	}
	lockIsFree(t, fleet)
}
