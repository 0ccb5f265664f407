//go:build e2e

package e2e

import (
	"strings"
	"sync"
	"testing"

	"binnacle/ops/e2e/golden"
	"binnacle/ops/e2e/lab"
	"binnacle/ops/e2e/snapshot"
)

// The commands that the gem ran must leave on this fleet the state that they
// left on the gem's. Where this fails, the fleet or the comparison is wrong,
// not the program.
func TestRecordedCommandsLeaveTheRecordedStates(t *testing.T) {
	fleet := freshFleet(t)
	for _, step := range []string{"01", "02", "03", "04", "05", "06", "07", "08", "12", "13", "14", "15", "16", "19", "20"} {
		replay(t, fleet, step)
		leaves(t, fleet, step)
	}
}

// The gem and binnacle take turns: the gem's are its recorded commands, so it is
// not needed. The state after each turn is the one that the gem alone left.
func TestTurnsWithTheRecordedGem(t *testing.T) {
	story := stories()[0]
	for _, first := range []string{"the gem", "binnacle"} {
		t.Run(first+" first", func(t *testing.T) {
			fleet := freshFleet(t)
			p := newProject(t, fleet, story.name)
			p.edit(t, "config/deploy.yml", "service: fhirlinebot\n", "service: fhirlinebot\nreadiness_delay: 0\n")
			gem := first == "the gem"
			for _, step := range story.steps {
				if _, err := golden.Commands(step.number); err != nil {
					continue // it only shows something
				}
				if gem {
					replay(t, fleet, step.number)
				} else {
					p.must(t, words(step.command)...)
				}
				leaves(t, fleet, step.number)
				gem = !gem
			}
			for _, command := range []string{"details", "audit"} {
				p.must(t, words(command)...)
			}
			if changes := p.sh(t, "git status --porcelain"); changes != " M config/deploy.yml" && changes != "M config/deploy.yml" {
				t.Errorf("the repository is changed: %s", changes)
			}
		})
	}
}

// A lock of one is a lock for the other.
func TestTheRecordedGemsLockIsRespected(t *testing.T) {
	fleet := freshFleet(t)
	p := newProject(t, fleet, "simple")
	p.quick(t)
	replay(t, fleet, "01")
	replay(t, fleet, "13")
	says(t, p.run(t, "deploy", "-P", "--version", "v2"), "message: testing", "locked by: ops at 2026-11-23T00:58:39Z")
	says(t, p.must(t, "lock", "status"), "testing", "2026-11-23T00:58:39Z")
	runsOnly(t, fleet, "v1")
	p.must(t, "lock", "release")
	p.must(t, "lock", "acquire", "-m", "held by binnacle")
	held := stateOf(t, fleet)
	replay(t, fleet, "13") // its mkdir finds the folder
	if report := snapshot.Report(snapshot.Diff(held, stateOf(t, fleet))); report != "" {
		t.Errorf("the gem's commands took a lock that was held:\n%s", report)
	}
	replay(t, fleet, "15")
	lockIsFree(t, fleet)
}

// Helpers

// leaves compares the hosts with what the gem left when it took every turn.
func leaves(t *testing.T, fleet *lab.Fleet, step string) {
	t.Helper()
	want, err := snapshot.Golden("simple", step)
	if err != nil {
		t.Fatal(err)
	}
	if report := snapshot.Report(snapshot.Diff(want, stateOf(t, fleet))); report != "" {
		t.Fatalf("after step %s:\n%s", step, report)
	}
}

// replay runs the commands of a step over ssh, hosts side by side and each
// host's in one session. Some of the gem's commands fail, as it expects; the
// state they leave is what counts.
func replay(t *testing.T, fleet *lab.Fleet, step string) {
	t.Helper()
	commands, err := golden.Commands(step)
	if err != nil {
		t.Fatal(err)
	}
	scripts := map[string]string{}
	for _, command := range commands {
		scripts[command.Host] += "(" + strings.ReplaceAll(command.Shell, "registry:5000", fleet.Registry()) + "\n)\n"
	}
	var hosts sync.WaitGroup
	for name, script := range scripts {
		hosts.Go(func() {
			if _, err := fleet.Host(name).SSH(t.Context(), script); err != nil {
				t.Error(err)
			}
		})
	}
	hosts.Wait()
}
