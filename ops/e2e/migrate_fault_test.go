//go:build e2e

package e2e

import (
	"fmt"
	"io"
	"os"
	osexec "os/exec"
	"strings"
	"syscall"
	"testing"

	"binnacle/ops/e2e/lab"
)

// What can go wrong with a migration on three web hosts costs no request, runs
// nothing twice and leaves nothing behind.
func TestMigrationsThatGoWrong(t *testing.T) {
	p := newMigratedProject(t)
	t.Run("killed", p.killedMigration)
	t.Run("with another password", p.changedSecret)
	t.Run("failing under load", p.failingMigration)
}

// killedMigration kills the program while the database works on a migration: the
// migration goes on, and whoever comes next is told so instead of starting
// another one.
func (p *protectedProject) killedMigration(t *testing.T) {
	release := p.holdPeople(t)
	run := p.start(t, "migrate", "--version", "v2", "-y")
	eventually(t, "the migration waits for the table", func() bool { return p.waiting(t) == "1" })
	run.signal(syscall.SIGKILL)
	if code := run.wait(); code != -1 {
		t.Fatalf("it ended before it was killed, with %d:\n%s", code, run.transcript())
	}
	left := p.migrations(t)
	if len(strings.Fields(left)) != 1 {
		t.Fatalf("containers that migrate after the kill: %q", left)
	}
	process := fmt.Sprintf("process %d on ", run.cmd.Process.Pid)
	p.explainsAndReleases(t, process, "dead")
	for _, args := range [][]string{{"migrate", "--version", "v2", "-y"}, {"deploy", "-P", "--version", "v2", "--migrate", "-y"}} {
		refused := p.run(t, args...)
		if refused.Exit != 1 {
			t.Errorf("%s exits %d beside a migration", args[0], refused.Exit)
		}
		for _, text := range []string{"a migration still runs", left, process, "which is gone", "docker stop " + left} {
			if !strings.Contains(refused.Stderr, text) {
				t.Errorf("%s does not say %q:\n%s", args[0], text, refused.Output())
			}
		}
		if now := p.migrations(t); now != left {
			t.Errorf("after %s these migrate: %q, want %q", args[0], now, left)
		}
		lockIsFree(t, p.fleet)
	}
	if plan := p.must(t, "migrate", "--plan", "--version", "v2"); !strings.Contains(plan.Stdout, "a migration still runs in "+left) {
		t.Errorf("migrate --plan does not tell of it:\n%s", plan.Output())
	}
	p.runsEverywhere(t, "v1")

	release()
	eventually(t, "the migration ends", func() bool { return p.migrations(t) == "" })
	p.must(t, "migrate", "--version", "v2", "-y")
	if got := p.migrated(t); got != "1 2" {
		t.Errorf("after a migration that was killed and the next: %q", got)
	}
}

// changedSecret migrates with a secret that no deploy has brought to the hosts.
func (p *protectedProject) changedSecret(t *testing.T) {
	postgresThing().run(t, p, "ALTER USER postgres PASSWORD 'changed'")
	refused := p.run(t, "migrate", "rollback", "--step", "1", "--version", "v2", "-y")
	if refused.Exit != 1 || !strings.Contains(refused.Output(), "password authentication failed") {
		t.Errorf("with the old password: exit %d\n%s", refused.Exit, refused.Output())
	}
	p.sh(t, `sed -i 's|postgres://postgres:[^@]*@|postgres://postgres:changed@|' .kamal/secrets`)
	p.must(t, "migrate", "rollback", "--step", "1", "--version", "v2", "-y")
	if got := p.migrated(t); got != "1" {
		t.Errorf("after a rollback with the new password: %q", got)
	}
	p.must(t, "migrate", "--version", "v2", "-y")
	if got := p.migrated(t); got != "1 2" {
		t.Errorf("after a migration with the new password: %q", got)
	}
}

// failingMigration deploys a version whose migration fails, then one that is
// fixed, while requests arrive at all hosts.
func (p *protectedProject) failingMigration(t *testing.T) {
	load := startLoad(t, p.fleet, "vm1", "vm2", "vm3")
	broken := p.run(t, "deploy", "-P", "--version", "broken", "--migrate", "-y")
	if broken.Exit != 1 {
		t.Errorf("it exits %d", broken.Exit)
	}
	for _, text := range []string{`relation "nobody" does not exist`, "v1", "lock          released"} {
		if !strings.Contains(broken.Stderr, text) {
			t.Errorf("it does not say %q:\n%s", text, broken.Output())
		}
	}
	p.runsEverywhere(t, "v1")
	if got := p.migrated(t); got != "1 2" {
		t.Errorf("after a migration that failed: %q", got)
	}
	lockIsFree(t, p.fleet)
	if left := p.migrations(t); left != "" {
		t.Errorf("these are left: %s", left)
	}

	p.must(t, "deploy", "-P", "--version", "v3", "--migrate", "-y")
	p.runsEverywhere(t, "v3")
	if got := p.migrated(t); got != "1 2 3" {
		t.Errorf("after the next deploy: %q", got)
	}
	report := served(t, load)
	for _, host := range p.fleet.Hosts() {
		if seen := strings.Join(report.Seen(host.Name), " "); seen != "v1 v3" {
			t.Errorf("%s answered with %s", host.Name, seen)
		}
	}
}

// newMigratedProject deploys v1 of the project to three web hosts, with its
// PostgreSQL alone, and runs its migration.
func newMigratedProject(t *testing.T) *protectedProject {
	t.Helper()
	fleet := freshFleet(t)
	dir, err := fleet.BackupProject(t.Context(), lab.BackupOptions{})
	if err != nil {
		t.Fatal(err)
	}
	p := &protectedProject{project: &project{fleet: fleet, dir: dir, state: t.TempDir()}, store: "local"}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	p.sh(t, `sed -i '/^  mysql:$/,/^x-binnacle:$/{/^x-binnacle:$/!d}; /^    ledger:$/,$d' config/deploy.yml`)
	p.edit(t, "config/deploy.yml", "      - vm2\n", "      - vm2\n      - vm3\n")
	p.must(t, "setup", "-P", "--version", "v1")
	postgresThing().await(t, p)
	p.must(t, "migrate", "--version", "v1", "-y")
	if got := p.migrated(t); got != "1" {
		t.Fatalf("the first migration on three hosts ran as %q", got)
	}
	return p
}

// Private

// holdPeople locks the table that all migrations change, until it is released.
func (p *protectedProject) holdPeople(t *testing.T) (release func()) {
	t.Helper()
	holder := osexec.CommandContext(t.Context(), "ssh", "-F", p.fleet.SSHConfig(), "vm1",
		"docker exec -i fhirlinebot-db psql -U postgres -d "+lab.BackupDatabase)
	stdin, err := holder.StdinPipe()
	if err == nil {
		err = holder.Start()
	}
	if err == nil {
		_, err = io.WriteString(stdin, "BEGIN; LOCK TABLE people;\n")
	}
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the table is locked", func() bool {
		return postgresThing().run(t, p, "SELECT count(*) FROM pg_locks WHERE granted AND mode = 'AccessExclusiveLock' AND relation = 'people'::regclass") == "1"
	})
	release = func() {
		_ = stdin.Close() // psql takes the transaction back
		_ = holder.Wait()
	}
	t.Cleanup(release)
	return release
}

// waiting counts the sessions that wait for a lock.
func (p *protectedProject) waiting(t *testing.T) string {
	t.Helper()
	return postgresThing().run(t, p, "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
}

// migrations lists the containers of migrations on all hosts.
func (p *protectedProject) migrations(t *testing.T) string {
	t.Helper()
	var names []string
	for _, host := range p.fleet.Hosts() {
		names = append(names, strings.Fields(exec(t, host, "docker ps --all --filter label=binnacle.migration --format '{{.Names}}'"))...)
	}
	return strings.Join(names, " ")
}
