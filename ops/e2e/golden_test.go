//go:build e2e

package e2e

import (
	"strings"
	"testing"

	"binnacle/ops/e2e/snapshot"
)

// What a command leaves on hosts is what the gem leaves, without exception. The
// known differences that ARCHITECTURE.md lists are not of this kind.
func TestStateEqualsTheGems(t *testing.T) {
	for _, story := range []struct {
		name  string
		steps []goldenStep
	}{
		{"simple", []goldenStep{
			{"01", "setup --skip-push --version v1"},
			{"02", "deploy --skip-push --version v2"},
			{"03", "rollback v1"},
			{"04", "redeploy --skip-push --version v2"},
			{"07", "app stop"},
			{"08", "app start --version v2"},
			{"13", "lock acquire -m testing"},
			{"14", "lock status"},
			{"15", "lock release"},
		}},
		{"rich", []goldenStep{
			{"01", "setup --skip-push --version v1"},
			{"02", "deploy --skip-push --version v2"},
		}},
	} {
		t.Run(story.name, func(t *testing.T) {
			fleet := freshFleet(t)
			p := newProject(t, fleet, story.name)
			if story.name == "simple" {
				p.edit(t, "config/deploy.yml", "service: fhirlinebot\n", "service: fhirlinebot\nreadiness_delay: 0\n")
			}
			for _, step := range story.steps {
				p.must(t, strings.Fields(step.command)...)
				want, err := snapshot.Golden(story.name, step.number)
				if err != nil {
					t.Fatal(err)
				}
				const skipped = "Rebooted proxy" // step 12
				differences := snapshot.Diff(want.WithoutAudit(skipped), stateOf(t, fleet))
				if report := snapshot.Report(differences); report != "" {
					t.Errorf("after %s:\n%s", step.command, report)
				}
			}
		})
	}
}

type goldenStep struct{ number, command string }
