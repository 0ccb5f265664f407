//go:build e2e

package e2e

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"testing"

	"binnacle/ops/e2e/golden"
	"binnacle/ops/e2e/lab"
	"binnacle/ops/e2e/snapshot"
)

// What a command leaves on hosts is what the gem leaves, it exits with the
// gem's code, and it tells a person the facts that the gem tells. The known
// differences that ARCHITECTURE.md lists are not of this kind.
func TestStateEqualsTheGems(t *testing.T) {
	for _, story := range stories() {
		t.Run(story.name, func(t *testing.T) {
			fleet := freshFleet(t)
			p := newProject(t, fleet, story.name)
			if story.name == "simple" {
				p.edit(t, "config/deploy.yml", "service: fhirlinebot\n", "service: fhirlinebot\nreadiness_delay: 0\n")
			}
			revision := p.sh(t, "git rev-parse HEAD")
			for _, step := range story.steps {
				printed, exit, err := golden.Printed(story.name, step.number)
				if err != nil {
					t.Fatal(err)
				}
				if strings.Contains(step.command, " details") {
					judged(t, fleet) // the gem took long enough to begin
				}
				result := p.run(t, words(step.command)...)
				if result.Exit != exit {
					t.Errorf("%s: %s exits %d, the gem %d:\n%s", step.number, step.command, result.Exit, exit, result.Output())
				}
				if missing := snapshot.Missing(step.facts(printed), result.Output(), fleet.Registry()); len(missing) > 0 {
					t.Errorf("%s: %s does not tell %v\n%s", step.number, step.command, missing, result.Output())
				}
				if step.fails {
					onlyLogsAreLeft(t, fleet)
					continue
				}
				want, err := snapshot.Golden(story.name, cmp.Or(step.settles, step.number))
				if err != nil {
					t.Fatal(err)
				}
				compare := func() string {
					got, err := stateOf(t, fleet).Replaced(revision, golden.Revision)
					if err != nil {
						t.Fatal(err)
					}
					return snapshot.Report(snapshot.Diff(want.WithoutAudit(story.unwritten...), got))
				}
				if step.settles != "" {
					eventually(t, "what "+step.command+" began has ended", func() bool { return compare() == "" })
				} else if report := compare(); report != "" {
					t.Errorf("after %s: %s:\n%s", step.number, step.command, report)
				}
			}
		})
	}
}

// judged waits until no container is still being looked at for its health.
func judged(t *testing.T, fleet *lab.Fleet) {
	t.Helper()
	for _, host := range fleet.Hosts() {
		eventually(t, "containers on "+host.Name+" are healthy or not", func() bool {
			return exec(t, host, "docker ps -q --filter health=starting") == ""
		})
	}
}

// goldenStep is a step of a recorded story.
type goldenStep struct {
	number, command string

	tells   func(printed string) []snapshot.Fact // where not all that the gem printed is a fact
	fails   bool                                 // in the gem, halfway: what it leaves is no model
	settles string                               // it begins what ends by itself before this step
}

func (s goldenStep) facts(printed string) []snapshot.Fact {
	if s.tells != nil {
		return s.tells(printed)
	}
	return snapshot.Facts(printed)
}

type goldenStory struct {
	name      string
	steps     []goldenStep
	unwritten []string // audit lines of the gem about what did not happen
}

func stories() []goldenStory {
	common := []goldenStep{
		{number: "01", command: "setup --skip-push --version v1"},
		{number: "02", command: "deploy --skip-push --version v2"},
		{number: "03", command: "rollback v1"},
		{number: "04", command: "redeploy --skip-push --version v2"},
		{number: "05", command: "app maintenance"},
		{number: "06", command: "app live"},
		{number: "07", command: "app stop"},
		{number: "08", command: "app start --version v2"},
		{number: "09", command: "app details"},
		{number: "10", command: "app containers"},
		{number: "11", command: "app version"},
		{number: "12", command: "proxy reboot -y"},
		{number: "13", command: "lock acquire -m testing", tells: telling("Acquired")},
		{number: "14", command: "lock status"},
		{number: "15", command: "lock release", tells: telling("Released")},
		{number: "16", command: "prune all"},
		{number: "17", command: "audit"},
		{number: "18", command: "accessory details all"},
	}
	simple := append(common[:len(common):len(common)],
		goldenStep{number: "19", command: "accessory reboot db"},
		goldenStep{number: "20", command: "remove -y"},
	)
	rich := append(common[:len(common):len(common)],
		goldenStep{number: "19", command: "accessory reboot cache"},
		goldenStep{number: "20", command: "remove -y", fails: true},
	)
	return []goldenStory{
		{name: "simple", steps: simple},
		{name: "rich", steps: rich},
		{name: "commands", steps: commandSteps(), unwritten: []string{"Removed app container with version v1"}},
	}
}

func commandSteps() []goldenStep {
	return []goldenStep{
		{number: "01", command: "setup"},
		{number: "02", command: "build details", tells: telling("default", "running")},
		{number: "03", command: "build push"},
		{number: "04", command: "build deliver"},
		{number: "05", command: "app exec hostname"},
		{number: "06", command: "app exec --reuse cat /commit"},
		{number: "07", command: "app exec -p --env A:1 B:2 -- env"},
		{number: "08", command: `app exec --reuse -p "sh -c 'exit 42'"`, tells: telling("42")},
		{number: "09", command: "app exec --detach -r web -p sleep 1", settles: "10"},
		{number: "10", command: "app logs -n 3"},
		{number: "11", command: "app logs --since 1m -g version -r job", tells: telling("job N", "job N", "job N", "job N", "job N")},
		{number: "12", command: "app logs -p -T"},
		{number: "13", command: "app images"},
		{number: "14", command: "app stale_containers"},
		{number: "15", command: "app containers"},
		{number: "16", command: "sh ls /"},
		{number: "17", command: "uname"},
		{number: "18", command: "accessory stop db"},
		{number: "19", command: "accessory start db"},
		{number: "20", command: "accessory restart db"},
		{number: "21", command: "accessory logs db -n 5", tells: telling("database system is ready to accept connections")},
		{number: "22", command: "accessory exec db --reuse hostname"},
		{number: "23", command: "accessory upload db"},
		{number: "24", command: "accessory directories db"},
		{number: "25", command: "accessory details db"},
		{number: "26", command: "proxy details"},
		{number: "27", command: "proxy logs -n 3"},
		{number: "28", command: "proxy boot_config get"},
		{number: "29", command: "proxy boot_config set --http-port 8080 --log-max-size 5m"},
		{number: "30", command: "proxy boot_config get"},
		{number: "31", command: "proxy boot_config reset"},
		{number: "32", command: "proxy restart"},
		{number: "33", command: "proxy stop"},
		{number: "34", command: "proxy start"},
		{number: "35", command: "proxy boot"},
		{number: "36", command: "registry login"},
		{number: "37", command: "registry logout"},
		{number: "38", command: "prune containers"},
		{number: "39", command: "prune images"},
		{number: "40", command: `server exec "uptime | wc -l"`},
		{number: "41", command: "server bootstrap"},
		{number: "42", command: "secrets print"},
		{number: "43", command: "secrets extract POSTGRES_PASSWORD {}", tells: telling("POSTGRES_PASSWORD")},
		{number: "44", command: "lock release", tells: telling("lock")},
		{number: "45", command: "app boot"},
		{number: "46", command: "app version"},
		{number: "47", command: "app remove_container v1", tells: telling("v1")},
		{number: "48", command: "app remove"},
		{number: "49", command: "accessory remove db -y"},
		{number: "50", command: "proxy remove"},
		{number: "51", command: "details"},
	}
}

// Helpers

// onlyLogsAreLeft is what a removal leaves: no container, no image of the app or
// an accessory, no file but the audit log.
func onlyLogsAreLeft(t *testing.T, fleet *lab.Fleet) {
	t.Helper()
	for name, host := range stateOf(t, fleet) {
		files := slices.DeleteFunc(slices.Sorted(maps.Keys(host.Files)), func(path string) bool {
			return path == "./.kamal" || path == "./.kamal/apps" || strings.HasSuffix(path, "-audit.log")
		})
		if len(host.Containers)+len(host.Images)+len(files) > 0 {
			t.Errorf("%s still has containers %v, images %v, files %v", name, host.Containers, host.Images, files)
		}
	}
}

// telling wants each text in a line of its own, whatever the gem's words were.
func telling(texts ...string) func(string) []snapshot.Fact {
	return func(string) []snapshot.Fact {
		var facts []snapshot.Fact
		for _, text := range texts {
			facts = append(facts, snapshot.Fact{Needs: [][]string{{text}}})
		}
		return facts
	}
}

// words splits a command line at spaces that no double quotes hold.
func words(line string) []string {
	var out []string
	for i, part := range strings.Split(line, `"`) {
		if i%2 == 1 {
			out = append(out, part)
			continue
		}
		out = append(out, strings.Fields(part)...)
	}
	return out
}
