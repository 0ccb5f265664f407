package operation_test

import (
	"context"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"binnacle/config"
	"binnacle/ops"
	"binnacle/ops/backup"
	"binnacle/ops/opstest"
)

// An accessory's container has no destination in its name: staging may have
// production's.
func TestAnotherDestinationsBackupDoesNotGoWhereItWasTakenFrom(t *testing.T) {
	p := newProtectedBench(t, protectedConfig)
	p.in.App = "shop@production"
	p.must("backup create", "NAME", "db")
	p.write("users", 99)
	p.in.App = "shop@staging"
	task := p.do("restore", "NAME", "db", "from", "production", "maintenance", "true")
	got := strings.Join(texts(task.Errors), "\n")
	if task.Status != ops.Failed || p.tables("app")["users"] != 99 || !strings.Contains(got, "shop-db is the database of shop@production itself, which shop@staging shares") {
		t.Errorf("%s, it has %v: %s", task.Status, p.tables("app"), got)
	}
}

// elsewhere is a bench whose database has another name, with production's backup of
// the first in the store that both use.
func elsewhere(t *testing.T, yaml string) *protectedBench {
	t.Helper()
	production := newProtectedBench(t, protectedConfig)
	production.in.App = "shop@production"
	production.must("backup create", "NAME", "db")
	p := newProtectedBench(t, strings.Replace(yaml, "POSTGRES_DB: app", "POSTGRES_DB: trial", 1))
	p.in.App = "shop@staging"
	p.servers["shop-db"]["trial"] = &database{tables: map[string]int64{"users": 1}}
	for _, key := range production.keys() {
		p.kept.Change(key, production.kept.Content(key))
	}
	return p
}

func TestAnotherDestinationsStoreIsOnlyRead(t *testing.T) {
	p := elsewhere(t, strings.Replace(protectedConfig, `"*": {`, `db: { check: { sql: "SELECT false" } }
    "*": {`, 1))
	const half = "shop@production/db/20200101T000000Z-0001/database.dump.zst"
	p.kept.Change(half, []byte("half"))
	before := strings.Join(p.keys(), "\n")
	p.first = "f"
	task := p.do("restore", "NAME", "db", "from", "production", "scratch", "true")
	if got := strings.Join(texts(task.Errors), "\n"); task.Status != ops.Failed || !strings.Contains(got, "it answers f") {
		t.Errorf("%s: %s", task.Status, got)
	}
	if after := strings.Join(p.keys(), "\n"); after != before {
		t.Errorf("the store had\n%s\nand has\n%s", before, after)
	}
	entries, err := backup.NewShelf(p.kept, "shop@production", "db", backup.Keys{}).List(t.Context())
	if err != nil || len(entries) != 1 || entries[0].Problem != "" {
		t.Errorf("production's backups are %+v, %v", entries, err)
	}
}

func TestAnotherDestinationsBackupThatIsNotThere(t *testing.T) {
	p := newProtectedBench(t, protectedConfig)
	task := p.do("restore", "NAME", "db", "from", "production")
	got := strings.Join(texts(task.Errors), "\n")
	if !strings.Contains(got, "/kept: there is no good backup of db") || !strings.Contains(got, "backups of shop@production in ") || !strings.Contains(got, "name the other's store") || strings.Contains(got, "backup create") {
		t.Errorf("%s: %s", task.Status, got)
	}
}

func TestASharedAccessoryIsShownBeforeARestore(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "config/deploy.yml"), protectedConfig)
	write(t, filepath.Join(dir, "config/deploy.staging.yml"), "retain_containers: 3\n")
	write(t, filepath.Join(dir, ".kamal/secrets-common"), "TOKEN=secret-token\nPASS=secret-password\n")
	for destination, want := range map[string]bool{"": false, "staging": true} {
		cfg, _, err := config.Load(t.Context(), config.Options{Dir: dir, Version: "v3", Arch: "amd64", Destination: destination})
		if err != nil {
			t.Fatal(err)
		}
		b := newBenchOf(t, cfg)
		shown := ""
		for _, e := range b.plan("restore", "NAME", "db").Effects {
			shown += e.Label + ": " + e.Text + "\n"
		}
		if got := strings.Contains(shown, "shared: its container serves every destination"); got != want {
			t.Errorf("%q: %s", destination, shown)
		}
	}
}

// Also without a safety copy, and until the very swap.
func TestClientsThatComeLateAreSeen(t *testing.T) {
	for _, params := range [][]string{{"without-safety", "true"}, nil} {
		p := newProtectedBench(t, protectedConfig)
		p.must("backup create", "NAME", "db")
		p.write("users", 4)
		last := "exec pg_restore "
		if params == nil {
			last = "lifeline pg_dump "
		}
		p.world.Interfere(nil, func(_ context.Context, c opstest.Call) error {
			if strings.Contains(c.What, last) {
				p.pg.Lock()
				p.clients = 1
				p.pg.Unlock()
			}
			return nil
		})
		task := p.do("restore", append([]string{"NAME", "db"}, params...)...)
		if task.Status != ops.Failed || p.tables("app")["users"] != 4 || !strings.Contains(strings.Join(texts(task.Errors), "\n"), "1 clients are connected") {
			t.Errorf("%v: %s, it has %v: %v", params, task.Status, p.tables("app"), texts(task.Errors))
		}
	}
}

func TestMaintenanceDoesNotStopTheWayToTheDatabase(t *testing.T) {
	yaml := strings.Replace(protectedConfig, `"*": {`, `far: { engine: postgres, role: job, url: DATABASE_URL }
    "*": {`, 1)
	p := newProtectedBench(t, yaml)
	if _, err := p.tryPlan("restore", "NAME", "far", "maintenance", "true"); err == nil || !strings.Contains(err.Error(), "reached through the containers of role job, which would be stopped") {
		t.Errorf("got %v", err)
	}
}

// What was stopped by a restore that was killed works again afterwards; what
// somebody started since and stopped on purpose, or replaced, does not.
func TestOnlyWhatAKilledRestoreStoppedIsStarted(t *testing.T) {
	for name, c := range map[string]struct {
		started, finished time.Duration // after the mark
		newer             bool
		want              bool
	}{
		"stopped then":               {-time.Hour, time.Second, false, true},
		"started since":              {time.Hour, 2 * time.Hour, false, false},
		"stopped before":             {-2 * time.Hour, -time.Hour, false, false},
		"another version came since": {-time.Hour, time.Second, true, false},
	} {
		p := newProtectedBench(t, protectedConfig)
		p.must("backup create", "NAME", "db")
		at := p.world.Now().Add(-24 * time.Hour).Truncate(time.Second)
		p.world.On("vm3", "^cat .kamal/held-shop-job ", opstest.Reply{Stdout: strconv.FormatInt(at.Unix(), 10) + " shop-job-v2\n"})
		p.world.Engine("vm3").Change("shop-job-v2", func(c2 *ops.Inspection) {
			c2.State, c2.Started, c2.Finished = "exited", at.Add(c.started), at.Add(c.finished)
		})
		if c.newer {
			p.world.Engine("vm3").Add(ops.Inspection{Container: ops.Container{
				ID: "new", Name: "shop-job-v3", State: "exited", Created: p.world.Now(),
				Labels: map[string]string{"service": "shop", "role": "job", "destination": ""},
			}})
		}
		p.must("restore", "NAME", "db", "maintenance", "true")
		if got := len(p.running("vm3", "job")) == 1; got != c.want {
			t.Errorf("%s: it runs %v", name, got)
		}
	}
}
