//go:build e2e

package e2e

import (
	"fmt"
	"io"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"binnacle/ops"
	"binnacle/ops/e2e/lab"
)

// A log is followed line by line as it is written, whole or filtered, until an
// interrupt ends it: with exit code 0, and with nothing left on the host.
func TestLogsAreFollowedUntilInterrupted(t *testing.T) {
	fleet := freshFleet(t)
	p := newProject(t, fleet, "simple")
	p.quick(t)
	p.must(t, "setup", "-P", "--version", "v1")
	for _, args := range [][]string{
		{"app", "logs", "-f", "-r", "job"},
		{"app", "logs", "-f", "-r", "job", "-g", "version=v1", "-T"},
		{"app", "logs", "-f", "-r", "job", "-s", "1s", "-n", "1"},
	} {
		t.Run(strings.Join(args, " "), func(t *testing.T) {
			run := p.start(t, args...)
			line := func(rec ops.Record) bool { return rec.Type == "result" && strings.Contains(rec.Text, "version=v1") }
			first := run.until("a line", line)
			later := run.until("a line written later", func(rec ops.Record) bool { return line(rec) && rec.Time.Sub(first.Time) > 900*time.Millisecond })
			if later.Host != "vm3" {
				t.Errorf("it follows %s", later.Host)
			}
			run.signal(syscall.SIGINT)
			if code := run.wait(); code != 0 {
				t.Errorf("it exits %d\n%s", code, run.transcript())
			}
			if end := run.result(); end.Status != ops.Done {
				t.Errorf("the task is %s\n%s", end.Status, run.transcript())
			}
			eventually(t, "nothing follows on vm3", func() bool {
				return exec(t, fleet.Host("vm3"), "pgrep -f 'docker [l]ogs|[g]rep --line-buffered' || true") == ""
			})
		})
	}
}

func TestLogsOfEveryRoleAndOfOneContainer(t *testing.T) {
	fleet := freshFleet(t)
	p := newProject(t, fleet, "simple")
	p.quick(t)
	p.must(t, "setup", "-P", "--version", "v1")
	eventually(t, "the job has written", func() bool {
		return strings.Count(p.must(t, "app", "logs", "-r", "job", "-n", "2", "-T").Stdout, "version=v1") == 2
	})
	if got := p.must(t, "app", "logs", "-r", "job", "-g", "no such line").Stdout; !strings.Contains(got, "Nothing found") {
		t.Errorf("without a match:\n%s", got)
	}
	bad := p.run(t, "app", "logs", "-r", "job", "-g", "[")
	if bad.Exit != 1 || !strings.Contains(bad.Stderr, "vm3") {
		t.Errorf("a pattern that is none exits %d:\n%s", bad.Exit, bad.Output())
	}
	id := exec(t, fleet.Host("vm3"), "docker ps --quiet --filter name=fhirlinebot-job-v1")
	got := p.must(t, "app", "logs", "--container-id", id, "-n", "1").Stdout
	if strings.Count(got, "version=v1") != 1 || strings.Count(got, "Nothing found") != 2 {
		t.Errorf("of one container:\n%s", got)
	}
	p.must(t, "app", "stop", "-r", "job")
	got = p.must(t, "app", "logs", "-r", "job").Stdout
	if !strings.Contains(got, "no container of role job runs; the newest, fhirlinebot-job-v1, is exited") || !strings.Contains(got, "--container-id "+id) {
		t.Errorf("when nothing runs:\n%s", got)
	}
}

func TestMaintenanceAnswersWithItsMessageUntilLive(t *testing.T) {
	fleet := freshFleet(t)
	p := newProject(t, fleet, "simple")
	p.quick(t)
	p.must(t, "setup", "-P", "--version", "v1")
	p.must(t, "app", "maintenance", "--message", "back at noon", "--drain-timeout", "1")
	for _, host := range []string{"vm1", "vm2"} {
		if code, body := get(t, fleet.Host(host)); code != http.StatusServiceUnavailable || !strings.Contains(body, "back at noon") {
			t.Errorf("%s answers %d: %s", host, code, body)
		}
	}
	p.must(t, "app", "live")
	for _, host := range []string{"vm1", "vm2"} {
		if code, body := get(t, fleet.Host(host)); code != http.StatusOK {
			t.Errorf("%s answers %d: %s", host, code, body)
		}
	}
	p.must(t, "app", "stop", "-h", "vm1")
	failed := p.run(t, "app", "maintenance")
	if failed.Exit != 1 || !strings.Contains(failed.Stderr, "vm1") || !strings.Contains(failed.Stderr, "service not found") {
		t.Errorf("a service that the proxy does not know exits %d:\n%s", failed.Exit, failed.Output())
	}
	lockIsFree(t, fleet)
}

func TestStaleContainersAreFoundAndStoppedWhileTheAppServes(t *testing.T) {
	fleet := freshFleet(t)
	p := newProject(t, fleet, "simple")
	p.quick(t)
	p.must(t, "setup", "-P", "--version", "v1")
	p.must(t, "deploy", "-P", "--version", "v2")
	load := startLoad(t, fleet, "vm1", "vm2")
	exec(t, fleet.Host("vm1"), "docker start fhirlinebot-web-v1")
	exec(t, fleet.Host("vm3"), "docker start fhirlinebot-job-v1")
	found := p.must(t, "app", "stale_containers").Stdout
	for _, role := range []string{"web", "job"} {
		if !strings.Contains(found, "Detected stale container for role "+role+" with version v1") {
			t.Errorf("not found for role %s:\n%s", role, found)
		}
	}
	if got := running(t, fleet.Host("vm1"), "fhirlinebot"); len(got) != 2 {
		t.Errorf("looking left %v", got)
	}
	p.must(t, "app", "stale_containers", "--stop")
	runsOnly(t, fleet, "v2")
	if got := p.must(t, "app", "stale_containers").Stdout; got != "" {
		t.Errorf("there is still something:\n%s", got)
	}
	served(t, load)
	lockIsFree(t, fleet)
}

func TestOneVersionOrOneRoleIsRemoved(t *testing.T) {
	fleet := freshFleet(t)
	p := newProject(t, fleet, "simple")
	p.quick(t)
	p.edit(t, "config/deploy.yml", "      - vm3\n", "      - vm1\n") // both roles are on vm1
	p.must(t, "setup", "-P", "--version", "v1")
	p.must(t, "deploy", "-P", "--version", "v2")
	failed := p.run(t, "app", "remove_container", "v2")
	if failed.Exit != 1 || !strings.Contains(failed.Stderr, "vm2") {
		t.Errorf("a running version exits %d:\n%s", failed.Exit, failed.Output())
	}
	p.must(t, "app", "remove_container", "v1")
	if left := containers(t, fleet.Host("vm1")); !slices.Equal(left, []string{"fhirlinebot-job-v2", "fhirlinebot-web-v2"}) {
		t.Errorf("vm1 has %v", left)
	}
	if failed := p.run(t, "app", "remove_container", "v1"); failed.Exit != 1 || !strings.Contains(failed.Stderr, "no container of role web has version v1") {
		t.Errorf("an absent version exits %d:\n%s", failed.Exit, failed.Output())
	}

	load := startLoad(t, fleet, "vm1", "vm2")
	p.must(t, "app", "remove", "-r", "job")
	vm1 := fleet.Host("vm1")
	if left := containers(t, vm1); !slices.Equal(left, []string{"fhirlinebot-web-v2"}) {
		t.Errorf("vm1 has %v", left)
	}
	if env := exec(t, vm1, "ls .kamal/apps/fhirlinebot/env/roles"); !strings.Contains(env, "web.env") {
		t.Errorf("vm1 lost what web needs: %q", env)
	}
	served(t, load)

	p.must(t, "app", "remove")
	for _, host := range []string{"vm1", "vm2"} {
		h := fleet.Host(host)
		if left := containers(t, h); len(left) > 0 {
			t.Errorf("%s has %v", host, left)
		}
		if left := exec(t, h, "ls -d .kamal/apps/fhirlinebot 2>/dev/null; docker images --quiet --filter label=service=fhirlinebot"); left != "" {
			t.Errorf("%s keeps %s", host, left)
		}
	}
	if db := running(t, vm1, "fhirlinebot-db"); len(db) != 1 {
		t.Error("the accessory was removed with the app")
	}
	lockIsFree(t, fleet)
}

// Kamal's count of containers would leave too few of one role here.
func TestAPruneLeavesAVersionOfEveryRoleToRollBackTo(t *testing.T) {
	fleet := freshFleet(t)
	p := newProject(t, fleet, "simple")
	p.quick(t)
	p.edit(t, "config/deploy.yml", "      - vm3\n", "      - vm1\n", "service: fhirlinebot\n", "service: fhirlinebot\nretain_containers: 1\n")
	for _, version := range []string{"v1", "v2", "v3"} {
		p.must(t, "setup", "-P", "--version", version)
	}
	p.must(t, "prune", "all")
	want := []string{"fhirlinebot-job-v2", "fhirlinebot-job-v3", "fhirlinebot-web-v2", "fhirlinebot-web-v3"}
	if left := containers(t, fleet.Host("vm1")); !slices.Equal(left, want) {
		t.Errorf("vm1 has %v, want %v", left, want)
	}
	tags := strings.Fields(exec(t, fleet.Host("vm1"), "docker images --filter label=service=fhirlinebot --format '{{.Tag}}' | sort"))
	if !slices.Equal(tags, []string{"latest", "v2", "v3"}) {
		t.Errorf("vm1 has images %v", tags)
	}
	p.must(t, "rollback", "v2")
	if got := running(t, fleet.Host("vm1"), "fhirlinebot"); !slices.Equal(got, []string{"fhirlinebot-job-v2", "fhirlinebot-web-v2"}) {
		t.Errorf("after the rollback vm1 runs %v", got)
	}
}

func TestARemovalTakesAndKeepsDataAsAsked(t *testing.T) {
	fleet := freshFleet(t)
	p := newProject(t, fleet, "simple")
	p.quick(t)
	p.edit(t, "config/deploy.yml", "service: fhirlinebot\n", "service: fhirlinebot\nvolumes:\n  - uploads:/uploads\n")
	vm1 := fleet.Host("vm1")
	data := func() string {
		return exec(t, vm1, "ls -d fhirlinebot-db 2>/dev/null; docker volume ls --quiet --filter name=uploads")
	}
	keepProxyImage(t, fleet)
	p.must(t, "setup", "-P", "--version", "v1")
	refused := p.run(t, "remove")
	if refused.Exit != 1 || !strings.Contains(refused.Stderr, "give -y") || !strings.Contains(refused.Stderr, "~/fhirlinebot-db") {
		t.Errorf("without an answer it exits %d:\n%s", refused.Exit, refused.Output())
	}
	p.must(t, "remove", "-y", "--keep-data")
	if got := data(); got != "fhirlinebot-db\nuploads" {
		t.Errorf("with --keep-data vm1 keeps %q", got)
	}
	p.must(t, "setup", "-P", "--version", "v1")
	p.must(t, "remove", "-y")
	if got := data(); got != "uploads" {
		t.Errorf("vm1 keeps %q", got)
	}
	p.must(t, "setup", "-P", "--version", "v1")
	exec(t, fleet.Host("vm2"), "docker create --name other --volume uploads:/u %s/busybox:1.36", fleet.Registry())
	p.must(t, "remove", "-y", "--all")
	if got := data(); got != "" {
		t.Errorf("with --all vm1 keeps %q", got)
	}
	if got := exec(t, fleet.Host("vm2"), "docker volume ls --quiet --filter name=uploads"); got != "uploads" {
		t.Error("a volume that another container has was removed")
	}
	for _, host := range fleet.Hosts() {
		if left := containers(t, host); len(left) > 0 {
			t.Errorf("%s keeps %v", host.Name, left)
		}
	}
	lockIsFree(t, fleet)
}

func TestAnUpgradeReplacesTheProxies(t *testing.T) {
	fleet := freshFleet(t)
	p := newProject(t, fleet, "simple")
	p.quick(t)
	keepProxyImage(t, fleet)
	p.must(t, "setup", "-P", "--version", "v1")
	for _, args := range [][]string{{"upgrade", "-y"}, {"upgrade", "-y", "--rolling"}} {
		proxies := map[string]string{}
		for _, host := range []string{"vm1", "vm2"} {
			proxies[host] = exec(t, fleet.Host(host), "docker ps --quiet --no-trunc --filter name=^kamal-proxy$")
			exec(t, fleet.Host(host), "docker rm --force traefik 2>/dev/null; docker run --detach --name traefik --label org.opencontainers.image.title=Traefik %s/busybox:1.36 sleep 1000", fleet.Registry())
		}
		p.must(t, args...)
		runsOnly(t, fleet, "latest")
		for host, before := range proxies {
			after := exec(t, fleet.Host(host), "docker ps --quiet --no-trunc --filter name=^kamal-proxy$")
			if after == "" || after == before {
				t.Errorf("%v: the proxy of %s was not replaced", args, host)
			}
			if left := exec(t, fleet.Host(host), "docker ps --all --quiet --filter name=traefik"); left != "" {
				t.Errorf("%v: %s keeps Traefik", args, host)
			}
			if code, _ := get(t, fleet.Host(host)); code != http.StatusOK {
				t.Errorf("%v: %s answers %d", args, host, code)
			}
		}
		if db := running(t, fleet.Host("vm1"), "fhirlinebot-db"); len(db) != 1 {
			t.Errorf("%v: the accessory does not run", args)
		}
		lockIsFree(t, fleet)
	}
}

func TestALockThatIsHeldIsWaitedFor(t *testing.T) {
	fleet := freshFleet(t)
	p := newProject(t, fleet, "simple")
	p.quick(t)
	p.must(t, "setup", "-P", "--version", "v1")
	vm1 := fleet.Host("vm1")
	hold := func(message string) {
		details := fmt.Sprintf("Locked by: Bea at 2026-01-01T00:00:00Z\nVersion: v1\nMessage: %s", message)
		exec(t, vm1, "mkdir .kamal/lock-fhirlinebot && printf '%%s' '%s' | base64 > .kamal/lock-fhirlinebot/details", details)
	}
	wait := []string{"stop", "--lock-wait", "--lock-wait-interval", "1", "--lock-wait-timeout"}

	hold("Automatic deploy lock")
	timedOut := p.run(t, append(wait, "2")...)
	if timedOut.Exit != 1 || !strings.Contains(timedOut.Stderr, "timed out after 2s waiting for the deploy lock") {
		t.Errorf("it exits %d:\n%s", timedOut.Exit, timedOut.Output())
	}
	run := p.start(t, append(wait, "60")...)
	run.until("a second try", func(rec ops.Record) bool { return strings.HasPrefix(rec.Text, "Retrying in 1s (59s") })
	exec(t, vm1, "rm -r .kamal/lock-fhirlinebot")
	if code := run.wait(); code != 0 {
		t.Errorf("it exits %d\n%s", code, run.transcript())
	}
	if got := running(t, vm1, "fhirlinebot"); len(got) > 0 {
		t.Errorf("vm1 runs %v", got)
	}
	lockIsFree(t, fleet)

	hold("moving the database")
	began := time.Now()
	manual := p.run(t, append(wait, "60")...)
	if manual.Exit != 1 || !strings.Contains(manual.Stderr, "moving the database") || time.Since(began) > 30*time.Second {
		t.Errorf("a lock by hand: exits %d after %s:\n%s", manual.Exit, time.Since(began), manual.Output())
	}
	exec(t, vm1, "rm -r .kamal/lock-fhirlinebot")

	hold("Automatic deploy lock")
	interrupted := p.start(t, append(wait, "60")...)
	interrupted.until("the wait", func(rec ops.Record) bool { return strings.HasPrefix(rec.Text, "Retrying in 1s") })
	interrupted.signal(syscall.SIGINT)
	if code := interrupted.wait(); code != 1 || interrupted.result().Status != ops.Cancelled {
		t.Errorf("an interrupt: exits %d\n%s", code, interrupted.transcript())
	}
	if got := exec(t, vm1, "ls -d .kamal/lock-fhirlinebot"); !reflect.DeepEqual(got, ".kamal/lock-fhirlinebot") {
		t.Errorf("the lock of somebody else was released")
	}
}

// Helpers

// keepProxyImage gives the proxy's image to a container of another name, for
// hosts that cannot pull it again.
func keepProxyImage(t *testing.T, fleet *lab.Fleet) {
	t.Helper()
	for _, host := range fleet.Hosts() {
		exec(t, host, "docker create --name keeper --label org.opencontainers.image.title=kept %s", lab.ProxyImage)
	}
}

// get asks a host's proxy for the app.
func get(t *testing.T, host *lab.Host) (code int, body string) {
	t.Helper()
	answer, err := http.Get(host.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(text)
}

// containers lists the app's containers of a host, stopped ones too.
func containers(t *testing.T, host *lab.Host) []string {
	t.Helper()
	names := strings.Fields(exec(t, host, "docker ps --all --filter label=service=fhirlinebot --format '{{.Names}}'"))
	slices.Sort(names)
	return names
}
