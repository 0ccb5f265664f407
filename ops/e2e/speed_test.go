//go:build e2e

package e2e

import (
	"fmt"
	"os"
	osexec "os/exec"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"binnacle/ops/e2e/lab"
)

// rounds is how often each way is measured; the medians are compared.
const rounds = 5

// TestSpeed measures when BINNACLE_BENCH is set: a deploy of two web hosts
// against the floor, which is plain ssh running just the docker commands that
// must run, hosts side by side; and against the gem where there is one.
func TestSpeed(t *testing.T) {
	if os.Getenv("BINNACLE_BENCH") == "" {
		t.Skip("measures only with BINNACLE_BENCH=1")
	}
	fleet := freshFleet(t)
	p := newProject(t, fleet, "simple")
	p.quick(t)
	p.must(t, "setup", "-P", "--version", "v1")
	p.must(t, "deploy", "-P", "--version", "v2")
	var ours, floor, details, theirs []time.Duration
	var last lab.Result
	for range rounds {
		ours = append(ours, took(func() { last = p.must(t, "deploy", "-P", "-r", "web", "--version", "v1", "-v") }))
		floor = append(floor, took(func() { deployPlainly(t, fleet, "v2") }))
		details = append(details, took(func() { p.must(t, "details") }))
		theirs = append(theirs, took(func() { plainly(t, fleet, "docker ps; docker ps --filter name=kamal-proxy") }))
	}
	trips := regexp.MustCompile(`SSH round trips: \d+`).FindString(last.Stdout)
	t.Logf("deploy -P -r web  %s, floor %s, ratio %.2f (%s)", median(ours), median(floor), ratio(ours, floor), trips)
	t.Logf("details           %s, plain ssh %s, ratio %.2f", median(details), median(theirs), ratio(details, theirs))
	t.Logf("where a deploy's time goes:\n%s", slowSteps(last.Stdout))
	if most := 1.3; ratio(ours, floor) > most {
		t.Errorf("a deploy takes %.2f of the floor, more than %.1f", ratio(ours, floor), most)
	}
	compareWithGem(t, p, ours, details)
}

// TestSpeedOfTheConsole measures, when BINNACLE_BENCH is set, from the
// console's start until it names the hosts, and until it lists what runs on all
// of them.
func TestSpeedOfTheConsole(t *testing.T) {
	if os.Getenv("BINNACLE_BENCH") == "" {
		t.Skip("measures only with BINNACLE_BENCH=1")
	}
	fleet := freshFleet(t)
	p := newProject(t, fleet, "simple")
	p.quick(t)
	p.must(t, "setup", "-P", "--version", "v1")
	var ids []string
	for _, host := range fleet.Hosts() {
		ids = append(ids, exec(t, host, "docker ps --quiet --filter label=service=fhirlinebot"))
	}
	var named, listed []time.Duration
	for range rounds {
		first, all := consoleShows(t, p, []string{"vm1", "vm2", "vm3"}, ids)
		named, listed = append(named, first), append(listed, all)
	}
	t.Logf("the console       names the hosts after %s, lists what runs on all three after %s", median(named), median(listed))
	if most := 400 * time.Millisecond; median(named) > most {
		t.Errorf("the console names three hosts after %s, later than %s", median(named), most)
	}
}

// Helpers

// consoleShows starts the console in a terminal and returns when it has drawn
// all of the first texts, and when all of the second.
func consoleShows(t *testing.T, p *project, first, second []string) (early, late time.Duration) {
	t.Helper()
	begun := time.Now()
	s := newScreen(t, p, 200, 50)
	for late == 0 {
		shown := s.frame()
		took, has := time.Since(begun), func(text string) bool { return strings.Contains(shown, text) }
		if early == 0 && !slices.ContainsFunc(first, func(text string) bool { return !has(text) }) {
			early = took
		}
		if !slices.ContainsFunc(second, func(text string) bool { return !has(text) }) {
			late = took
		}
		if took > 20*time.Second {
			t.Fatalf("it shows\n%s", shown)
		}
	}
	s.keys("q")
	s.gone()
	return early, late
}

// deployPlainly is the floor of a deploy: nothing is asked, checked or logged.
func deployPlainly(t *testing.T, fleet *lab.Fleet, version string) {
	t.Helper()
	image := fleet.Registry() + "/myapp:"
	plainly(t, fleet, fmt.Sprintf(`set -e
		old=$(docker ps --quiet --filter label=service=fhirlinebot --filter label=role=web)
		docker pull --quiet %[2]s%[1]s
		new=$(docker run --detach --restart unless-stopped --name fhirlinebot-web-%[1]s-$$ --network kamal --env HEALTHY_AFTER=0s \
			--log-opt max-size=10m --label service=fhirlinebot --label role=web --label destination= %[2]s%[1]s)
		docker exec kamal-proxy kamal-proxy deploy fhirlinebot-web --target=$(echo $new | cut -c1-12):80 --deploy-timeout=30s --drain-timeout=30s --health-check-interval=1s
		docker stop $old
		docker tag %[2]s%[1]s %[2]slatest
		docker ps --quiet --all --filter label=service=fhirlinebot --filter status=exited | tail -n +6 | xargs -r docker rm
		docker image prune --force --filter label=service=fhirlinebot`, version, image))
}

// plainly runs a script on both web hosts at once through ssh(1).
func plainly(t *testing.T, fleet *lab.Fleet, script string) {
	t.Helper()
	var hosts sync.WaitGroup
	for _, name := range []string{"vm1", "vm2"} {
		hosts.Go(func() {
			if result, err := fleet.Host(name).SSH(t.Context(), script); err != nil || result.Exit != 0 {
				t.Errorf("%s: %v %+v", name, err, result)
			}
		})
	}
	hosts.Wait()
}

// compareWithGem measures the gem in the same run where it is installed.
func compareWithGem(t *testing.T, p *project, ours, details []time.Duration) {
	t.Helper()
	if _, err := osexec.LookPath("kamal"); err != nil {
		t.Log("the gem is not installed here")
		return
	}
	var deploy, look []time.Duration
	gem := func(args string) func() { return func() { p.sh(t, "kamal "+args) } }
	for n := range 3 {
		deploy = append(deploy, took(gem(fmt.Sprintf("deploy -q -P -r web --version v%d", 2-n%2))))
		look = append(look, took(gem("details -q")))
	}
	t.Logf("the gem           deploy %s, ratio %.2f; details %s, ratio %.2f", median(deploy), ratio(ours, deploy), median(look), ratio(details, look))
	if most := 0.45; ratio(ours, deploy) > most {
		t.Errorf("a deploy takes %.2f of the gem's time, more than %.2f", ratio(ours, deploy), most)
	}
	if most := 0.25; ratio(details, look) > most {
		t.Errorf("details takes %.2f of the gem's time, more than %.2f", ratio(details, look), most)
	}
}

func took(work func()) time.Duration {
	begun := time.Now()
	work()
	return time.Since(begun)
}

func median(times []time.Duration) time.Duration {
	sorted := slices.Sorted(slices.Values(times))
	return sorted[len(sorted)/2].Round(time.Millisecond)
}

func ratio(a, b []time.Duration) float64 { return float64(median(a)) / float64(median(b)) }

// slowSteps are the lines of a transcript that tell a step and its time.
func slowSteps(transcript string) string {
	return strings.Join(regexp.MustCompile(`(?m)^  [✓·✕].* [0-9.]+ s.*$`).FindAllString(transcript, -1), "\n")
}
