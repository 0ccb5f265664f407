//go:build e2e

package e2e

import (
	"cmp"
	"os"
	osexec "os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"binnacle/ops/e2e/lab"
	"binnacle/ops/e2e/snapshot"
)

// TestTurnsWithTheGem lets the gem and binnacle take turns on the same hosts
// and the same project. It needs the gem: `kamal`, or what BINNACLE_GEM names.
// TestTurnsWithTheRecordedGem does without.
func TestTurnsWithTheGem(t *testing.T) {
	name := cmp.Or(os.Getenv("BINNACLE_GEM"), "kamal")
	if _, err := osexec.LookPath(name); err != nil {
		t.Skip("the gem is not installed here")
	}
	fleet := freshFleet(t)
	p := newProject(t, fleet, "simple")
	p.edit(t, "config/deploy.yml", "service: fhirlinebot\n", "service: fhirlinebot\nreadiness_delay: 0\n")
	p.sh(t, "git commit --quiet --all --message 'Quick'")
	pair := &turns{project: p, gem: name, spent: map[string]time.Duration{}}

	pair.theGem(t, 0, "setup -P --version v1")
	leaves(t, fleet, "01")
	pair.ours(t, 0, "deploy -P --version v2")
	leaves(t, fleet, "02")
	pair.theGem(t, 0, "rollback v1")
	leaves(t, fleet, "03")
	pair.ours(t, 0, "rollback v2")
	runsOnly(t, fleet, "v2")
	pair.theGem(t, 0, "redeploy -P --version v1")
	runsOnly(t, fleet, "v1")
	pair.ours(t, 0, "redeploy -P --version v2")
	runsOnly(t, fleet, "v2")

	t.Run("locks", pair.locks)
	t.Run("hooks", pair.hooks)
	t.Run("maintenance", pair.maintenance)
	t.Run("accessories", pair.accessories)
	t.Run("audit", pair.audits)
	t.Run("remove", pair.removes)

	if changes := p.sh(t, "git status --porcelain"); changes != "" {
		t.Errorf("the repository is changed: %s", changes)
	}
	t.Logf("the gem took %s in all, binnacle %s", pair.spent["gem"].Round(time.Second), pair.spent["ours"].Round(time.Second))
}

// turns are a project and the two programs that run in it.
type turns struct {
	*project
	gem   string
	spent map[string]time.Duration
}

func (p *turns) theGem(t *testing.T, exit int, command string) lab.Result {
	t.Helper()
	begun := time.Now()
	result, err := p.fleet.Run(t.Context(), p.dir, p.gem, words(command)...)
	p.spent["gem"] += time.Since(begun)
	if err != nil || result.Exit != exit {
		t.Fatalf("kamal %s exits %d, not %d: %v\n%s", command, result.Exit, exit, err, result.Output())
	}
	t.Logf("kamal %s: %.1f s, exit %d", command, time.Since(begun).Seconds(), result.Exit)
	return result
}

func (p *turns) ours(t *testing.T, exit int, command string) lab.Result {
	t.Helper()
	begun := time.Now()
	result := p.run(t, words(command)...)
	p.spent["ours"] += time.Since(begun)
	if result.Exit != exit {
		t.Fatalf("binnacle %s exits %d, not %d:\n%s", command, result.Exit, exit, result.Output())
	}
	t.Logf("binnacle %s: %.1f s, exit %d", command, time.Since(begun).Seconds(), result.Exit)
	return result
}

// locks: what one holds the other respects, shows and can release.
func (p *turns) locks(t *testing.T) {
	p.theGem(t, 0, `lock acquire -m "held by the gem"`)
	says(t, p.ours(t, 1, "deploy -P --version v1"), "held by the gem", "ops")
	says(t, p.ours(t, 0, "lock status"), "held by the gem", "ops")
	p.ours(t, 0, "lock release")
	p.ours(t, 0, `lock acquire -m "held by us"`)
	says(t, p.theGem(t, 1, "deploy -P --version v1"), "held by us", "Locked by: ops")
	says(t, p.theGem(t, 0, "lock status"), "held by us", "Locked by: ops")
	p.theGem(t, 0, "lock release")
	lockIsFree(t, p.fleet)
	runsOnly(t, p.fleet, "v2")
}

// hooks see the same environment from both, but for a known difference: the gem
// leaves KAMAL_SUBCOMMAND out.
func (p *turns) hooks(t *testing.T) {
	seen := filepath.Join(t.TempDir(), "seen")
	hooks := []string{"docker-setup", "pre-connect", "pre-build", "pre-deploy", "pre-app-boot", "post-app-boot", "post-deploy", "pre-proxy-reboot", "post-proxy-reboot"}
	for _, name := range hooks {
		p.write(t, ".kamal/hooks/"+name, "#!/bin/sh\n{ echo "+name+"; env | grep -e ^KAMAL_ -e ^POSTGRES -e ^RAILS | grep -v -e ^KAMAL_RECORDED_AT= -e ^KAMAL_RUNTIME= | sort; } >> "+seen+"\n", 0o700)
	}
	defer p.sh(t, "rm -r .kamal/hooks")
	for _, command := range []string{"deploy -P --version v2", "deploy -P --version v1 -r web", "redeploy -P --version v2 -h vm1", "rollback v1", "app boot --version v2", "proxy reboot -y", "app stop", "app start --version v2"} {
		p.theGem(t, 0, command)
		want := p.sh(t, "cat "+seen+"; rm "+seen)
		p.ours(t, 0, command)
		got := p.sh(t, "grep -v ^KAMAL_SUBCOMMAND= "+seen+"; rm "+seen)
		if want != got {
			t.Errorf("%s: with the gem the hooks saw\n%s\nand with binnacle\n%s", command, want, got)
			continue
		}
		t.Logf("%s: the hooks saw %d lines, the same from both", command, strings.Count(want, "\n")+1)
	}
}

// maintenance of one ends with live of the other.
func (p *turns) maintenance(t *testing.T) {
	answer := func(want string) {
		t.Helper()
		for _, host := range p.fleet.Hosts()[:2] {
			if got := fetch(host, "/", ""); !strings.HasPrefix(got, want+" ") {
				t.Errorf("%s answers %s, want %s", host.Name, got, want)
			}
		}
	}
	p.theGem(t, 0, "app maintenance")
	answer("503")
	p.ours(t, 0, "app live")
	answer("200")
	p.ours(t, 0, `app maintenance --message "back at noon"`)
	answer("503")
	p.theGem(t, 0, "app live")
	answer("200")
}

// accessories: what one boots, the other shows, stops and starts.
func (p *turns) accessories(t *testing.T) {
	p.theGem(t, 0, "accessory reboot db")
	says(t, p.ours(t, 0, "accessory details db"), "fhirlinebot-db", "Up")
	first := stateOf(t, p.fleet)
	p.ours(t, 0, "accessory reboot db")
	says(t, p.theGem(t, 0, "accessory details db"), "fhirlinebot-db", "Up")
	if report := snapshot.Report(snapshot.Diff(first.WithoutAuditLogs(), stateOf(t, p.fleet).WithoutAuditLogs())); report != "" {
		t.Errorf("a reboot by binnacle differs from one by the gem:\n%s", report)
	}
	p.ours(t, 0, "accessory stop db")
	p.theGem(t, 0, "accessory start db")
	p.theGem(t, 0, "accessory remove db -y")
	p.ours(t, 0, "accessory boot db")
	if report := snapshot.Report(snapshot.Diff(first.WithoutAuditLogs(), stateOf(t, p.fleet).WithoutAuditLogs())); report != "" {
		t.Errorf("removed by the gem and booted by binnacle it differs:\n%s", report)
	}
}

// audits: both tell all lines, whoever wrote them.
func (p *turns) audits(t *testing.T) {
	theirs, ours := p.theGem(t, 0, "audit -q"), p.ours(t, 0, "audit")
	for _, way := range []struct{ of, in string }{{theirs.Stdout, ours.Stdout}, {ours.Stdout, theirs.Stdout}} {
		facts := snapshot.Facts(way.of)
		if missing := snapshot.Missing(facts, way.in, ""); len(missing) > 0 || len(facts) < 60 {
			t.Errorf("%d facts, of which one does not tell %v", len(facts), missing)
		}
	}
}

// removes: each takes away what the other set up, and leaves the same.
func (p *turns) removes(t *testing.T) {
	want, err := snapshot.Golden("simple", "20")
	if err != nil {
		t.Fatal(err)
	}
	want = want.WithoutAuditLogs()
	p.theGem(t, 0, "remove -y")
	if report := snapshot.Report(snapshot.Diff(want, stateOf(t, p.fleet).WithoutAuditLogs())); report != "" {
		t.Errorf("after kamal remove:\n%s", report)
	}
	if err := p.fleet.Reset(t.Context()); err != nil {
		t.Fatal(err)
	}
	p.theGem(t, 0, "setup -P --version v1")
	p.ours(t, 0, "remove -y")
	if report := snapshot.Report(snapshot.Diff(want, stateOf(t, p.fleet).WithoutAuditLogs())); report != "" {
		t.Errorf("after binnacle remove:\n%s", report)
	}
}

// Helpers

// says fails the test unless the output holds every text.
func says(t *testing.T, result lab.Result, texts ...string) {
	t.Helper()
	missing := slices.DeleteFunc(slices.Clone(texts), func(text string) bool { return strings.Contains(result.Output(), text) })
	if len(missing) > 0 {
		t.Errorf("it does not say %q:\n%s", missing, result.Output())
	}
}
