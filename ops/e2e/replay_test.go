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

// replay runs the commands over ssh, hosts side by side and each host's in one
// session. Some of the gem's commands fail, as it expects; the state they
// leave is what counts.
func replay(t *testing.T, fleet *lab.Fleet, commands []golden.Command) {
	t.Helper()
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
