//go:build e2e

package e2e

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"binnacle/ops"
	"binnacle/ops/e2e/lab"
)

// phase is a moment of a deploy: a step has begun, and a while has passed.
type phase struct {
	step  string
	after time.Duration
	late  time.Duration // the version is healthy this long after it started; 0 for at once
	slow  bool          // a request is in flight that the proxy has to drain
}

func (p phase) String() string {
	text := strings.ReplaceAll(p.step, "/", " ")
	if p.late > 0 {
		text += fmt.Sprintf(" of a version healthy %s later", (p.late - p.after).Round(time.Second))
	}
	if p.slow {
		text += " while the old version drains"
	}
	return text
}

func phases() []phase {
	return []phase{
		{step: "connect/vm1"},
		{step: "pull/vm1"},
		{step: "lock"},
		{step: "stale/vm2"},
		{step: "boot/web/vm1/run"},
		{step: "boot/web/vm1/health"},
		{step: "boot/web/vm1/health", late: 3 * time.Second, after: 3 * time.Second},
		{step: "boot/web/vm1/health", late: 3 * time.Second, after: 2 * time.Second},
		{step: "boot/web/vm1/health", late: 3 * time.Second, after: time.Second},
		{step: "boot/web/vm1/health", slow: true, after: 1500 * time.Millisecond},
		{step: "boot/web/vm1/settle"},
		{step: "prune/vm1"},
	}
}

// An interrupt in any phase stops at a safe point: the app serves, one
// container runs in each place, the lock is free, and the end says what runs.
func TestInterruptLeavesAServingApp(t *testing.T) {
	fleet := freshFleet(t)
	p := newProject(t, fleet, "simple")
	p.quick(t)
	p.must(t, "setup", "-P", "--version", "v1")
	load := startLoad(t, fleet, "vm1", "vm2")
	for n, moment := range phases() {
		t.Run(moment.String(), func(t *testing.T) {
			run := p.deployUntil(t, moment, n)
			run.signal(syscall.SIGINT)
			if code := run.wait(); code != 1 {
				t.Errorf("it exits %d\n%s", code, run.transcript())
			}
			end := run.result()
			if end.Status != ops.Cancelled {
				t.Errorf("the task ends as %s\n%s", end.Status, run.transcript())
			}
			lockIsFree(t, fleet)
			tellsWhatRuns(t, fleet, end.Serving)
			onePerPlace(t, fleet)
		})
	}
	p.must(t, "deploy", "-P", "--version", "v3")
	runsOnly(t, fleet, "v3")
	served(t, load)
}

// A killed run leaves its lock, and what the proxy was told goes on. The next
// run tells whose lock it is; once it is released, a deploy sorts out the rest.
func TestKilledRunIsExplainedAndTakenOver(t *testing.T) {
	fleet := freshFleet(t)
	p := newProject(t, fleet, "simple")
	p.quick(t)
	p.must(t, "setup", "-P", "--version", "v1")
	load := startLoad(t, fleet, "vm1", "vm2")
	for n, moment := range phases() {
		t.Run(moment.String(), func(t *testing.T) {
			run := p.deployUntil(t, moment, n)
			run.signal(syscall.SIGKILL)
			if code := run.wait(); code != -1 {
				t.Errorf("it exits %d\n%s", code, run.transcript())
			}
			pid := run.cmd.Process.Pid
			// A command that was sent before the kill still runs on the host.
			look := "for n in 1 2 3 4 5; do test -f .kamal/lock-fhirlinebot/details && echo held && exit; sleep 0.1; done"
			held := exec(t, fleet.Host("vm1"), "%s", look) == "held"
			if unlocked := moment.step == "connect/vm1" || moment.step == "pull/vm1"; held == unlocked && moment.step != "lock" {
				t.Errorf("the lock is held: %v", held)
			}
			if held {
				p.explainsAndReleases(t, fmt.Sprintf("process %d on ", pid), "dead")
			}
			p.edit(t, "config/deploy.yml", "HEALTHY_AFTER: "+p.healthyAfter(t), "HEALTHY_AFTER: 0s")
			p.must(t, "deploy", "-P", "--version", "v3")
			runsOnly(t, fleet, "v3")
			lockIsFree(t, fleet)
		})
	}
	served(t, load)
}

// A run can die between making the lock's directory and writing its details.
func TestLockWithoutDetailsIsExplained(t *testing.T) {
	fleet := freshFleet(t)
	p := newProject(t, fleet, "simple")
	p.quick(t)
	exec(t, fleet.Host("vm1"), "mkdir -p .kamal/lock-fhirlinebot")
	p.explainsAndReleases(t, "without details")
	lockIsFree(t, fleet)
}

// A worker whose readiness is awaited makes room for the one before it.
func TestInterruptedWorkerGoesBack(t *testing.T) {
	fleet := freshFleet(t)
	p := newProject(t, fleet, "simple")
	p.quick(t)
	p.must(t, "setup", "-P", "--version", "v1")
	p.edit(t, "config/deploy.yml", "readiness_delay: 0", "readiness_delay: 30")
	run := p.start(t, "deploy", "-P", "--version", "v2")
	run.until("the readiness delay", func(rec ops.Record) bool {
		return rec.Step == "boot/job/vm3/health" && strings.Contains(rec.Text, "readiness delay")
	})
	run.signal(syscall.SIGINT)
	if code := run.wait(); code != 1 {
		t.Errorf("it exits %d\n%s", code, run.transcript())
	}
	if got := running(t, fleet.Host("vm3"), "fhirlinebot"); !slices.Equal(got, []string{"fhirlinebot-job-v1"}) {
		t.Errorf("vm3 runs %v", got)
	}
	tellsWhatRuns(t, fleet, run.result().Serving)
	onePerPlace(t, fleet)
	lockIsFree(t, fleet)
}

// The other signals do the same, and a person reads how it ended.
func TestSignalsEndWithWhatHostsRun(t *testing.T) {
	fleet := freshFleet(t)
	p := newProject(t, fleet, "simple")
	p.quick(t)
	p.must(t, "setup", "-P", "--version", "v1")
	p.edit(t, "config/deploy.yml", "HEALTHY_AFTER: 0s", "HEALTHY_AFTER: 3s")
	for version, sig := range map[string]syscall.Signal{"v2": syscall.SIGTERM, "v3": syscall.SIGHUP} {
		cmd := p.command(t.Context(), "deploy", "-P", "--version", version)
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the new version waits for its health", func() bool {
			return slices.Contains(running(t, fleet.Host("vm2"), "fhirlinebot"), "fhirlinebot-web-"+version)
		})
		if err := cmd.Process.Signal(sig); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait() // its exit code is looked at
		if code := cmd.ProcessState.ExitCode(); code != 1 {
			t.Errorf("after %s it exits %d", sig, code)
		}
		for _, text := range []string{"stopping at a safe point", "deploy " + version + " cancelled", "vm2 web " + version, "vm3 job v1", "mixed versions", "lock          released"} {
			if !strings.Contains(stderr.String(), text) {
				t.Errorf("after %s it does not say %q:\n%s", sig, text, stderr.String())
			}
		}
		onePerPlace(t, fleet)
		lockIsFree(t, fleet)
	}
}

// A second interrupt does not wait: it says what is in flight and how to free
// the lock.
func TestSecondInterruptQuitsAndSaysWhatIsLeft(t *testing.T) {
	fleet := freshFleet(t)
	p := newProject(t, fleet, "simple")
	p.quick(t)
	p.must(t, "setup", "-P", "--version", "v1")
	load := startLoad(t, fleet, "vm1", "vm2")
	run := p.deployUntil(t, phase{step: "boot/web/vm1/health", late: 6 * time.Second}, 0)
	run.signal(syscall.SIGINT)
	run.until("the cancel", func(rec ops.Record) bool { return rec.Type == "task_cancelling" })
	run.signal(syscall.SIGINT)
	if code := run.wait(); code != 1 {
		t.Errorf("it exits %d", code)
	}
	for _, text := range []string{"Quitting now", "vm1", "health check and switch", "lock is still held", "binnacle lock release"} {
		if said := run.stderr.String(); !strings.Contains(said, text) {
			t.Errorf("it does not say %q: %s", text, said)
		}
	}
	p.explainsAndReleases(t, "dead")
	p.edit(t, "config/deploy.yml", "HEALTHY_AFTER: 6s", "HEALTHY_AFTER: 0s")
	p.must(t, "deploy", "-P", "--version", "v3")
	runsOnly(t, fleet, "v3")
	served(t, load)
}

// Helpers

// quick takes the waits out of the story that only make a test long.
func (p *project) quick(t *testing.T) {
	t.Helper()
	p.edit(t, "config/deploy.yml",
		"service: fhirlinebot\n", "service: fhirlinebot\nreadiness_delay: 0\n",
		"    RAILS_LOG_TO_STDOUT: true\n", "    RAILS_LOG_TO_STDOUT: true\n    HEALTHY_AFTER: 0s\n")
}

// deployUntil starts a deploy and returns at the moment.
func (p *project) deployUntil(t *testing.T, moment phase, n int) *process {
	t.Helper()
	version := []string{"v2", "v1"}[n%2]
	p.edit(t, "config/deploy.yml", "HEALTHY_AFTER: "+p.healthyAfter(t), "HEALTHY_AFTER: "+moment.late.String())
	if moment.slow {
		host := p.fleet.Host("vm1")
		go fetch(host, "/slow?ms=4000", "")
		eventually(t, "the slow request is in flight", func() bool {
			return strings.Contains(exec(t, host, "docker logs --since 5s $(docker ps --quiet --filter label=role=web) 2>&1"), "taking 4s")
		})
	}
	run := p.start(t, "deploy", "-P", "--version", version)
	run.untilStep(moment.step)
	time.Sleep(moment.after) // the phase is that long after the step began
	return run
}

func (p *project) healthyAfter(t *testing.T) string {
	t.Helper()
	return p.sh(t, "sed -n 's/.*HEALTHY_AFTER: //p' config/deploy.yml")
}

// explainsAndReleases fails the test unless a deploy and `lock status` explain
// the lock, and `lock release` frees it.
func (p *project) explainsAndReleases(t *testing.T, texts ...string) {
	t.Helper()
	refused := p.run(t, "deploy", "-P", "--version", "v3")
	if refused.Exit != 1 {
		t.Errorf("a deploy that finds the lock exits %d", refused.Exit)
	}
	status := p.must(t, "lock", "status")
	for _, text := range texts {
		if !strings.Contains(refused.Stderr, text) || !strings.Contains(status.Stdout, text) {
			t.Errorf("%q is missing. The deploy says:\n%s\nlock status says:\n%s", text, refused.Stderr, status.Stdout)
		}
	}
	if !strings.Contains(refused.Stderr, "binnacle lock release") {
		t.Errorf("the deploy does not say what to do:\n%s", refused.Stderr)
	}
	p.must(t, "lock", "release")
}

// onePerPlace fails the test unless one container runs in each place and each
// proxy sends requests to its host's.
func onePerPlace(t *testing.T, fleet *lab.Fleet) {
	t.Helper()
	for _, host := range fleet.Hosts() {
		names := running(t, host, "fhirlinebot")
		if len(names) != 1 {
			t.Errorf("%s runs %v", host.Name, names)
			continue
		}
		if strings.Contains(names[0], "-web-") {
			id := exec(t, host, "docker ps --quiet --filter name=^%s$", names[0])
			if list := exec(t, host, "docker exec kamal-proxy kamal-proxy list"); !strings.Contains(list, id) {
				t.Errorf("the proxy of %s does not point at %s (%s):\n%s", host.Name, names[0], id, list)
			}
		}
	}
}

// tellsWhatRuns holds what a task said that hosts are left running against what
// they run.
func tellsWhatRuns(t *testing.T, fleet *lab.Fleet, told []ops.Serving) {
	t.Helper()
	var said, found []string
	for _, place := range told {
		said = append(said, fmt.Sprintf("%s: fhirlinebot-%s-%s", place.Host, place.Role, place.Version))
	}
	for _, host := range fleet.Hosts() {
		for _, name := range running(t, host, "fhirlinebot") {
			found = append(found, host.Name+": "+name)
		}
	}
	slices.Sort(said)
	if !slices.Equal(said, found) {
		t.Errorf("it says that hosts run %v, they run %v", said, found)
	}
}
