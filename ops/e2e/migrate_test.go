//go:build e2e

package e2e

import (
	"context"
	osexec "os/exec"
	"strings"
	"testing"

	"binnacle/ops/e2e/lab"
)

// migrated lists the versions that migrations have written, once for each run.
func (p *protectedProject) migrated(t *testing.T) string {
	t.Helper()
	return strings.Join(strings.Fields(postgresThing().run(t, p, "SELECT right(version, 1) FROM migrated ORDER BY id")), " ")
}

// runsEverywhere fails the test unless all three hosts run that version alone.
func (p *protectedProject) runsEverywhere(t *testing.T, version string) {
	t.Helper()
	for _, host := range p.fleet.Hosts() {
		if got := running(t, host, "fhirlinebot"); strings.Join(got, " ") != "fhirlinebot-web-"+version {
			if names := exec(t, host, "docker ps --filter label=role=web --format '{{.Names}}'"); names != "fhirlinebot-web-"+version {
				t.Errorf("%s runs %s, want %s", host.Name, names, version)
			}
		}
		if !up(host) {
			t.Errorf("%s does not serve the app", host.Name)
		}
	}
}

// A migration runs once however many hosts there are, before the first container
// of the new version; one that fails stops the deploy with the old version
// serving, and the next run completes.
func TestMigrationsRunOnce(t *testing.T) {
	p := newProtectedProject(t, "      - vm2\n", "      - vm2\n      - vm3\n")
	if status := p.must(t, "migrate", "status"); !strings.Contains(status.Stdout, "does not exist yet") {
		t.Errorf("migrate status of an empty database:\n%s", status.Output())
	}
	if plan := p.must(t, "migrate", "--plan"); !strings.Contains(plan.Output(), "never migrated") {
		t.Errorf("migrate --plan of an empty database:\n%s", plan.Output())
	}
	if tables := postgresThing().run(t, p, `\d`); strings.Contains(tables, "migrated") {
		t.Errorf("migrate --plan migrated:\n%s", tables)
	}
	p.must(t, "migrate", "-y")
	p.must(t, "migrate", "-y")
	if got := p.migrated(t); got != "1" {
		t.Errorf("after migrate twice: %q", got)
	}
	if plan := p.must(t, "migrate", "--plan", "--version", "v2"); !strings.Contains(plan.Output(), "20260102000002") {
		t.Errorf("migrate --plan does not list what is pending:\n%s", plan.Output())
	}
	p.must(t, "deploy", "-P", "--version", "v2", "--migrate", "-y")
	if got := p.migrated(t); got != "1 2" {
		t.Errorf("after deploy --migrate: %q", got)
	}
	p.runsEverywhere(t, "v2")

	broken := p.run(t, "deploy", "-P", "--version", "broken", "--migrate", "-y")
	if broken.Exit != 1 || !strings.Contains(broken.Output(), `relation "nobody" does not exist`) {
		t.Errorf("a failing migration: exit %d\n%s", broken.Exit, broken.Output())
	}
	if got := p.migrated(t); got != "1 2" {
		t.Errorf("after a failing migration: %q", got)
	}
	p.runsEverywhere(t, "v2")

	p.must(t, "deploy", "-P", "--version", "v3", "--migrate", "-y")
	if got := p.migrated(t); got != "1 2 3" {
		t.Errorf("after the next deploy: %q", got)
	}
	p.runsEverywhere(t, "v3")

	p.must(t, "migrate", "rollback", "--step", "2", "-y")
	if got := p.migrated(t); got != "1" {
		t.Errorf("after migrate rollback --step 2: %q", got)
	}
	t.Run("waiting for a lock", p.lockWait)
	t.Run("without a backup", p.gate)
}

// lockWait migrates while somebody holds the table.
func (p *protectedProject) lockWait(t *testing.T) {
	const section = "x-binnacle:\n"
	p.edit(t, "config/deploy.yml", section, section+"  migrate:\n    lock_timeout: 1s\n")
	defer p.edit(t, "config/deploy.yml", "    lock_timeout: 1s\n", "    backup_within: 1h\n    backup: db\n")
	ctx, release := context.WithCancel(t.Context())
	defer release()
	holder := osexec.CommandContext(ctx, "ssh", "-F", p.fleet.SSHConfig(), "vm1",
		"docker exec -i fhirlinebot-db psql -U postgres -d "+lab.BackupDatabase)
	stdin, err := holder.StdinPipe()
	if err == nil {
		err = holder.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = stdin.Close(); _ = holder.Wait() }()
	if _, err := stdin.Write([]byte("BEGIN; LOCK TABLE people;\n")); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the table is locked", func() bool {
		return postgresThing().run(t, p, "SELECT count(*) FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND relation = 'people'::regclass") == "1"
	})
	result := p.run(t, "migrate", "--version", "v3", "-y")
	if result.Exit != 1 || !strings.Contains(result.Output(), "lock_timeout") {
		t.Errorf("a migration that waits for a lock: exit %d\n%s", result.Exit, result.Output())
	}
	if got := p.migrated(t); got != "1" {
		t.Errorf("after a migration that waited for a lock: %q", got)
	}
}

// gate migrates where the configuration wants a young backup.
func (p *protectedProject) gate(t *testing.T) {
	p.fails(t, []string{"backup"}, "migrate", "--version", "v3", "-y")
	if got := p.migrated(t); got != "1" {
		t.Errorf("after a migration that was refused: %q", got)
	}
	p.must(t, "migrate", "--backup", "--version", "v3", "-y")
	if got := p.migrated(t); got != "1 2 3" {
		t.Errorf("after migrate --backup: %q", got)
	}
	kept := p.kept(t, "db")
	if len(kept) != 1 {
		t.Fatalf("migrate --backup leaves %d backups", len(kept))
	}
	p.must(t, "restore", "db", kept[0].ID, "-y")
	if got := p.migrated(t); got != "1" {
		t.Errorf("the backup that was taken before holds %q", got)
	}
}

// TestCommandsOfTheChecklist runs what people have in their checklists, as it is
// typed there, on an app container that has the tools.
func TestCommandsOfTheChecklist(t *testing.T) {
	p := newProtectedProject(t, "      - vm2\n", "")
	d := postgresThing()
	p.must(t, "migrate", "-y")
	d.run(t, p, "INSERT INTO people (name) SELECT 'Größe ' || n FROM generate_series(1, 5000) n")
	want := d.text(t, p)

	p.typed(t, `binnacle app exec --shell 'pg_dump $DATABASE_URL' > backup.sql`)
	d.run(t, p, "DROP TABLE people, migrated, schema_migrations")
	p.typed(t, `binnacle app exec --shell 'psql $DATABASE_URL' < backup.sql`)
	same(t, "after pg_dump and psql", d.text(t, p), want)
	for line, words := range map[string][]string{
		`binnacle migrate -y`:                                             nil,
		`binnacle migrate status`:                                         {"20260101000001"},
		`binnacle app exec "bundle exec rails db:version"`:                {"Current version: 20260101000001"},
		`binnacle app exec --reuse "bundle exec rails db:migrate:status"`: {"up", "20260101000001", "Create people"},
	} {
		out := p.typed(t, line)
		for _, word := range words {
			if !strings.Contains(out.Stdout, word) {
				t.Errorf("%s does not print %q:\n%s", line, word, out.Output())
			}
		}
	}
	p.typed(t, `binnacle migrate rollback -y`)
	if tables := d.run(t, p, `\dt`); strings.Contains(tables, "people") {
		t.Errorf("migrate rollback leaves\n%s", tables)
	}

	for _, line := range []string{
		`binnacle app exec --hosts "${PRIMARY_WEB_HOST:-vm1}" "pg_dump \$DATABASE_URL > /tmp/backup_before_migrate.sql"`,
		`binnacle app exec --hosts "${PRIMARY_WEB_HOST:-vm1}" "psql \$DATABASE_URL < /tmp/restore.sql"`,
	} {
		out := p.shell(t, line)
		if !strings.Contains(out.Stderr, "DATABASE_URL is not set on vm1") || !strings.Contains(out.Stderr, "--shell") {
			t.Errorf("%s does not tell what to type:\n%s", line, out.Output())
		}
	}
}

// typed runs a line of a shell, in which binnacle is the program, and fails the
// test unless it exits 0.
func (p *protectedProject) typed(t *testing.T, line string) lab.Result {
	t.Helper()
	result := p.shell(t, line)
	if result.Exit != 0 {
		t.Fatalf("%s exits %d:\n%s", line, result.Exit, result.Output())
	}
	return result
}

func (p *protectedProject) shell(t *testing.T, line string) lab.Result {
	t.Helper()
	var stdout, stderr strings.Builder
	cmd := osexec.CommandContext(t.Context(), "sh", "-c", "binnacle() { '"+binnacle+"' \"$@\"; }; "+line)
	cmd.Dir, cmd.Env = p.dir, p.command(t.Context()).Env
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	_ = cmd.Run() // its exit code is in the result
	return lab.Result{Stdout: stdout.String(), Stderr: stderr.String(), Exit: cmd.ProcessState.ExitCode()}
}
