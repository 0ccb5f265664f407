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
	for _, step := range []string{"01", "02", "03", "04", "07", "08", "13", "14", "15"} {
		commands, err := golden.Commands(step)
		if err != nil {
			t.Fatal(err)
		}
		replay(t, fleet, commands)
		want, err := snapshot.Golden("simple", step)
		if err != nil {
			t.Fatal(err)
		}
		skipped := "Rebooted proxy" // step 12
		if report := snapshot.Report(snapshot.Diff(want.WithoutAudit(skipped), stateOf(t, fleet))); report != "" {
			t.Fatalf("after step %s:\n%s", step, report)
		}
	}
}

// Helpers

// replay runs the commands over ssh, hosts side by side. Some of the gem's
// commands fail, as it expects; the state they leave is what counts.
func replay(t *testing.T, fleet *lab.Fleet, commands []golden.Command) {
	t.Helper()
	var hosts sync.WaitGroup
	for _, host := range fleet.Hosts() {
		hosts.Go(func() {
			for _, command := range commands {
				if command.Host != host.Name {
					continue
				}
				shell := strings.ReplaceAll(command.Shell, "registry:5000", fleet.Registry())
				if _, err := host.SSH(t.Context(), shell); err != nil {
					t.Error(err)
				}
			}
		})
	}
	hosts.Wait()
}
