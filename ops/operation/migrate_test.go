package operation_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"binnacle/config"
	"binnacle/ops"
	"binnacle/ops/operation"
	"binnacle/ops/opstest"
)

// rails is a database and the app's commands that migrate it, on every host of a
// bench: a container that goes once its command has ended, unless the command is
// cut off.
type rails struct {
	bench *bench
	files []string // "ID Name" in order
	fails string   // what a migration prints before it fails; "" for none
	hangs bool     // it runs until somebody stops it

	mu  sync.Mutex
	up  int // so many have run
	ran map[string]int
}

func (b *bench) rails(files ...string) *rails {
	d := &rails{bench: b, files: files, ran: map[string]int{}}
	b.schema = d
	for _, host := range b.cfg.AllHosts() {
		b.world.On(host, `^(cat \| )?docker run .*--name \S+-exec-`, opstest.Reply{Answer: func(ctx context.Context, what string) (string, error) {
			return d.run(ctx, host, what)
		}})
		b.world.On(host, `^docker exec .*db:migrate:status`, opstest.Reply{Answer: func(context.Context, string) (string, error) {
			return d.status(), nil
		}})
		b.world.On(host, `^docker container rm --force`, opstest.Reply{Answer: func(_ context.Context, what string) (string, error) {
			b.world.Engine(host).Remove(func(c ops.Inspection) bool { return strings.HasSuffix(what, " "+c.Name) })
			return "", nil
		}})
	}
	return d
}

func (d *rails) run(ctx context.Context, host, what string) (string, error) {
	c := ops.Inspection{Container: ops.Container{
		Name: regexp.MustCompile(`--name (\S+)`).FindStringSubmatch(what)[1], State: "running", Labels: map[string]string{}, Created: d.bench.world.Now(),
	}}
	c.ID = c.Name
	for _, l := range regexp.MustCompile(`--label (\S+)=(\S+)`).FindAllStringSubmatch(what, -1) {
		c.Labels[l[1]] = l[2]
	}
	engine := d.bench.world.Engine(host)
	engine.Add(c)
	if d.hangs && !strings.Contains(what, "status") {
		<-ctx.Done()
	}
	if ctx.Err() != nil {
		return "", ctx.Err() // docker's client is gone, the container is not
	}
	defer engine.Remove(func(have ops.Inspection) bool { return have.ID == c.ID })
	if strings.Contains(what, "db:migrate:status") {
		return d.status(), nil
	}
	return d.change(host, what)
}

func (d *rails) change(host, what string) (string, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.fails != "" {
		return d.fails, &ops.ExitError{Host: host, Code: 1}
	}
	if strings.Contains(what, "db:rollback") {
		d.up--
		return "reverted\n", nil
	}
	out := ""
	for ; d.up < len(d.files); d.up++ {
		d.ran[d.files[d.up]]++
		out += "== " + d.files[d.up] + ": migrated\n"
	}
	return out, nil
}

func (d *rails) status() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	out := "\ndatabase: shop_production\n\n Status   Migration ID    Migration Name\n--------------------------------------------------\n"
	for i, f := range d.files {
		state := "down"
		if i < d.up {
			state = "up"
		}
		id, name, _ := strings.Cut(f, " ")
		out += fmt.Sprintf("  %-4s     %s  %s\n", state, id, name)
	}
	return out
}

// left lists the containers that work on the schema and are still there.
func (b *bench) left() []string {
	var out []string
	for _, host := range b.cfg.AllHosts() {
		for _, c := range b.world.Engine(host).Containers() {
			if c.Labels["binnacle.task"] != "" {
				out = append(out, host+" "+c.Name)
			}
		}
	}
	return out
}

// checkMigrations holds that nothing was migrated twice and nothing is left.
func (b *bench) checkMigrations(t *testing.T) {
	t.Helper()
	if b.schema == nil {
		return
	}
	for file, times := range b.schema.ran {
		if times > 1 {
			t.Errorf("%s ran %d times", file, times)
		}
	}
	if left := b.left(); len(left) > 0 {
		t.Errorf("containers are left: %v", left)
	}
}

// ranAt lists the hosts that ran a command, in order.
func (b *bench) ranAt(part string) []string {
	var out []string
	for _, c := range b.world.Calls() {
		if strings.Contains(c.What, part) {
			out = append(out, c.Host)
		}
	}
	return out
}

func TestMigrationRunsOnceBeforeTheFirstNewContainer(t *testing.T) {
	b := newBench(t, demoConfig)
	d := b.rails("20260101 Create users", "20260102 Add email")
	d.up = 1
	task := b.start(b.plan("deploy", "skip-push", "true", "migrate", "true"), nil)
	if task.Status != ops.Done {
		t.Fatal(texts(task.Errors))
	}
	if want := map[string]int{"20260102 Add email": 1}; !maps.Equal(d.ran, want) {
		t.Errorf("ran %v, want %v", d.ran, want)
	}
	if at := b.ranAt("bin/rails db:migrate "); len(at) > 0 { // the command is the last word
		t.Errorf("ran with more words on %v", at)
	}
	order := []string{"upload .kamal/apps/shop/env/roles/web.env", "db:migrate:status", "--label binnacle.migration=shop", "Migrated with app version v3", "docker run --detach"}
	at := 0
	for _, c := range b.world.Calls() {
		text := c.What
		if at < len(order) && strings.Contains(text, order[at]) {
			at++
		}
	}
	if at != len(order) {
		t.Errorf("%q did not come in its turn", order[at])
	}
	if step, _ := task.Step("migrate/pending"); step.Note != "1 pending" {
		t.Errorf("the look says %q", step.Note)
	}
}

func TestNothingPendingIsSaidAndNotRun(t *testing.T) {
	for _, force := range []string{"false", "true"} {
		b := newBench(t, demoConfig)
		d := b.rails("20260101 Create users")
		d.up = 1
		task := b.start(b.plan("migrate", "force", force), nil)
		step, _ := task.Step("migrate/run")
		if want := map[string]ops.Status{"false": ops.Skipped, "true": ops.Done}[force]; task.Status != ops.Done || step.Status != want {
			t.Errorf("force %s: the task is %s, the run %s: %v", force, task.Status, step.Status, texts(task.Errors))
		}
	}
}

func TestAFailingMigrationStopsTheDeployAndTheNextRunCompletes(t *testing.T) {
	b := newBench(t, demoConfig)
	d := b.rails("20260101 Create users")
	d.fails = "== CreateUsers: migrating ==\nrails aborted!\nPG::DuplicateTable: users\n"
	task := b.start(b.plan("deploy", "skip-push", "true", "migrate", "true"), nil)
	if task.Status != ops.Failed || len(b.held()) > 0 {
		t.Fatalf("the task is %s, the lock held on %v", task.Status, b.held())
	}
	err := task.Errors[0]
	if !strings.Contains(err.Error(), "the migration failed") || !strings.Contains(err.Error(), "exit status 1") || !strings.Contains(err.Hint, "serves on") {
		t.Errorf("the error says %q", err)
	}
	if len(err.Evidence) != 1 || !slices.Contains(err.Evidence[0].Lines, "PG::DuplicateTable: users") {
		t.Errorf("its evidence is %v", err.Evidence)
	}
	for _, place := range task.Serving {
		if place.Version != "v2" {
			t.Errorf("%s on %s serves %s", place.Role, place.Host, place.Version)
		}
	}
	if at := b.ranAt("docker run --detach"); len(at) > 0 {
		t.Errorf("containers were booted on %v", at)
	}
	d.fails = ""
	b.in.Holder.Task = "02TASK"
	if task := b.start(b.plan("deploy", "skip-push", "true", "migrate", "true"), nil); task.Status != ops.Done || d.up != 1 {
		t.Errorf("the second run is %s: %v", task.Status, texts(task.Errors))
	}
	b.checkMigrations(t)
}

func TestAMigrationThatTakesTooLongIsStoppedAndRemoved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { tryTooLong(t) })
}

func tryTooLong(t *testing.T) {
	b := newBench(t, with("x-binnacle: { migrate: { timeout: 90s } }"))
	b.rails("20260101 Create users").hangs = true
	task := b.start(b.plan("migrate"), nil)
	if text := strings.Join(texts(task.Errors), "\n"); task.Status != ops.Failed || !strings.Contains(text, "timed out after 1m30s") || !strings.Contains(text, "timeout: under migrate:") {
		t.Errorf("%s: %s", task.Status, text)
	}
	if at := b.ranAt("docker stop shop-web-exec-v3"); len(at) != 1 {
		t.Errorf("its container was stopped on %v", at)
	}
	if len(b.held()) > 0 {
		t.Error("the lock is kept")
	}
	b.checkMigrations(t)
}

func TestAMigrationThatAKilledRunLeftIsNotStartedTwice(t *testing.T) {
	b := newBench(t, demoConfig)
	d := b.rails("20260101 Create users")
	engine := b.world.Engine("vm1")
	engine.Add(ops.Inspection{Container: ops.Container{
		ID: "left", Name: "shop-web-exec-v3-left", State: "running", Created: b.world.Now().Add(-time.Minute),
		Labels: map[string]string{"binnacle.migration": "shop", "binnacle.holder": "laptop/99"},
	}})
	task := b.start(b.plan("migrate"), nil)
	text := strings.Join(texts(task.Errors), "\n")
	for _, want := range []string{"a migration still runs", "shop-web-exec-v3-left, started 1m0s ago by process 99 on laptop, which is gone", "docker stop shop-web-exec-v3-left"} {
		if !strings.Contains(text, want) {
			t.Errorf("the error says %q, want %q", text, want)
		}
	}
	if len(d.ran) > 0 || len(b.held()) > 0 {
		t.Errorf("ran %v, lock on %v", d.ran, b.held())
	}
	asked := 0
	b.world.On("vm1", "^docker ps --all --filter label=binnacle.migration", opstest.Reply{Do: func(context.Context) error {
		if asked++; asked == 3 {
			engine.Remove(func(c ops.Inspection) bool { return c.ID == "left" })
		}
		return nil
	}})
	b.in.LockWait, b.in.Holder.Task = ops.LockWait{Timeout: time.Minute, Interval: time.Second}, "02TASK"
	if task := b.start(b.plan("migrate"), nil); task.Status != ops.Done || d.up != 1 || asked != 3 {
		t.Errorf("waiting: %s after %d looks: %v", task.Status, asked, texts(task.Errors))
	}
}

// The connection can be lost while a migration runs: its container tells how it
// ended.
func TestAMigrationWhoseConnectionIsLostIsWaitedFor(t *testing.T) {
	for code, want := range map[string]ops.Status{"0": ops.Done, "1": ops.Failed} {
		b := newBench(t, demoConfig)
		b.rails("20260101 Create users")
		b.world.On("vm1", "--label binnacle.migration=shop", opstest.Reply{Err: errors.New("connection lost")})
		b.world.On("vm1", "^docker wait shop-web-exec-v3-", opstest.Reply{Stdout: code + "\n"})
		task := b.start(b.plan("migrate"), nil)
		if task.Status != want {
			t.Errorf("exit %s: the task is %s: %v", code, task.Status, texts(task.Errors))
		}
	}
}

func TestRollbackNamesWhatItUndoes(t *testing.T) {
	b := newBench(t, demoConfig)
	d := b.rails("20260101 Create users", "20260102 Add email", "20260103 Drop name")
	d.up = 3
	plan := b.plan("migrate rollback", "step", "2")
	if plan.Risk != ops.DataLoss || plan.Confirm != "shop" {
		t.Errorf("risk %s, to be typed %q", plan.Risk, plan.Confirm)
	}
	task := b.start(plan, nil)
	if task.Status != ops.Done {
		t.Fatal(texts(task.Errors))
	}
	said := b.said("migrate/pending")
	if want := []string{"Undoing 2 migrations:", "  20260103  Drop name", "  20260102  Add email"}; !slices.Equal(said, want) {
		t.Errorf("said %q, want %q", said, want)
	}
	if at := b.ranAt("shop:v2 bin/rails db:rollback STEP=2"); !slices.Equal(at, []string{"vm1"}) {
		t.Errorf("the version that serves undid it on %v", at)
	}
}

func TestRollbackWantsTheFiles(t *testing.T) {
	b := newBench(t, demoConfig)
	d := b.rails("20260101 Create users", "20260102 ********** NO FILE **********")
	d.up = 2
	task := b.start(b.plan("migrate rollback"), nil)
	if text := strings.Join(texts(task.Errors), "\n"); !strings.Contains(text, "migration 20260102 cannot be undone") || !strings.Contains(text, "--version names the version that brought it") {
		t.Errorf("%s: %s", task.Status, text)
	}
	if d.up != 2 {
		t.Error("something was undone")
	}
}

func TestMigrateStatusAsksTheContainerThatRuns(t *testing.T) {
	b := newBench(t, demoConfig)
	b.rails("20260101 Create users")
	task := b.start(b.plan("migrate status"), nil)
	if at := b.ranAt("docker exec shop-web-v2 bin/rails db:migrate:status"); task.Status != ops.Done || !slices.Equal(at, []string{"vm1"}) {
		t.Errorf("%s, asked on %v: %v", task.Status, at, texts(task.Errors))
	}
	b = newBench(t, demoConfig)
	b.rails("20260101 Create users")
	b.in.AskedVersion = "v3"
	task = b.start(b.plan("migrate status"), nil)
	if at := b.ranAt("cat | docker run --rm --name shop-web-exec-v3-"); task.Status != ops.Done || !slices.Equal(at, []string{"vm1"}) {
		t.Errorf("%s, asked on %v: %v", task.Status, at, texts(task.Errors))
	}
	for _, c := range b.world.Calls() {
		if strings.HasPrefix(c.What, "upload") || strings.Contains(c.What, "secret-token") {
			t.Errorf("a look did %q", c.What)
		}
	}
}

func TestMigratePlanChangesNothing(t *testing.T) {
	b := newBench(t, demoConfig)
	d := b.rails("20260101 Create users")
	plan := b.plan("migrate", "plan", "true")
	task := b.start(plan, nil)
	if plan.Risk != ops.Read || task.Status != ops.Done || len(d.ran) > 0 {
		t.Fatalf("risk %s, %s, ran %v: %v", plan.Risk, task.Status, d.ran, texts(task.Errors))
	}
	for _, c := range b.world.Calls() {
		if strings.HasPrefix(c.What, "upload") || strings.HasPrefix(c.What, "mkdir") || strings.Contains(c.What, "audit") {
			t.Errorf("a look did %q", c.What)
		}
	}
	text := strings.Join(b.said("pending"), "\n")
	if !strings.Contains(text, "would run 1 migration:\n  20260101  Create users") {
		t.Errorf("it says %q", text)
	}
}

// An entrypoint that migrates would answer the question by doing it.
func TestAMereQuestionLeavesOutAnEntrypointThatMigrates(t *testing.T) {
	for script, bare := range map[string]bool{
		"#!/bin/bash\nset -e\nbundle exec rails db:prepare\nexec \"$@\"\n": true,
		"#!/bin/sh\nexec \"$@\"\n": false,
		"\x7fELF db:prepare":       false,
	} {
		b := newBench(t, demoConfig)
		b.rails("20260101 Create users")
		b.world.On("vm1", "^docker image inspect --format", opstest.Reply{Stdout: "/app/bin/docker-entrypoint\n"})
		b.world.On("vm1", "^docker run .*--entrypoint cat .*/app/bin/docker-entrypoint", opstest.Reply{Stdout: script})
		if task := b.start(b.plan("migrate"), nil); task.Status != ops.Done {
			t.Fatal(texts(task.Errors))
		}
		for _, asked := range b.world.Asked("vm1") {
			if got := strings.Contains(asked, "--entrypoint ''"); strings.HasSuffix(asked, "db:migrate:status") && got != bare || strings.HasSuffix(asked, "db:migrate") && got {
				t.Errorf("%q: %s", script, asked)
			}
		}
	}
}

func TestADatabaseThatWasNeverMigrated(t *testing.T) {
	b := newBench(t, demoConfig)
	d := b.rails("20260101 Create users")
	b.world.On("vm1", "db:migrate:status", opstest.Reply{
		Stderr: "Schema migrations table does not exist yet.\n", Err: &ops.ExitError{Code: 1, Output: "Schema migrations table does not exist yet."},
	})
	b.world.On("vm1", "--entrypoint ls registry:5000/shop:v3 db/migrate", opstest.Reply{Stdout: "20260101_create_users.rb\nconcerns\n"})
	if task := b.start(b.plan("migrate"), nil); task.Status != ops.Done || d.up != 1 {
		t.Errorf("%s: %v", task.Status, texts(task.Errors))
	}
	if said := b.said("migrate/pending"); len(said) < 2 || said[len(said)-1] != "  20260101  create users" {
		t.Errorf("it says %q", said)
	}
	b = newBench(t, demoConfig)
	d = b.rails("20260101 Create users")
	b.world.On("vm1", "db:migrate:status", opstest.Reply{Err: &ops.ExitError{Code: 1, Output: "could not connect to server"}})
	task := b.start(b.plan("migrate"), nil)
	if text := strings.Join(texts(task.Errors), "\n"); task.Status != ops.Failed || d.up != 0 || !strings.Contains(text, "the state of the schema is not known") {
		t.Errorf("%s: %s", task.Status, text)
	}
}

func TestWhatAMigrationWaitsForIsBounded(t *testing.T) {
	const accessory = "accessories: { db: { image: %s, host: vm3, env: { clear: { POSTGRES_DB: shop, MYSQL_DATABASE: shop } } } }\n"
	postgres, mysql := fmt.Sprintf(accessory, "postgres:16"), fmt.Sprintf(accessory, "mysql:8.4")
	options := func(text string) string {
		return strings.Replace(demoConfig, "env: { secret: [TOKEN] }", "env: { secret: [TOKEN], clear: { PGOPTIONS: "+text+" } }", 1)
	}
	secretly := strings.Replace(demoConfig, "[TOKEN]", "[TOKEN, PGOPTIONS]", 1)
	const set = "x-binnacle: { migrate: { lock_timeout: 5s } }\n"
	tests := []struct{ name, yaml, given, told string }{
		{"by itself", demoConfig + postgres, `"-c lock_timeout=30000"`, "fails when it waits longer than 30s for a lock of the database"},
		{"as set", demoConfig + postgres + set, `"-c lock_timeout=5000"`, "fails when it waits longer than 5s for a lock of the database"},
		{"switched off", demoConfig + postgres + "x-binnacle: { migrate: { lock_timeout: 0 } }", "", ""},
		{"a database that is not known", demoConfig, `"-c lock_timeout=30000"`, "fails when it waits longer than 30s for a lock, if the database is PostgreSQL"},
		{"longer than it can be", demoConfig + postgres + "x-binnacle: { migrate: { lock_timeout: 30d } }", `"-c lock_timeout=2147483647"`, "fails when it waits longer than 720h for a lock of the database"},
		{"MySQL", demoConfig + mysql, "", ""},
		{"MySQL, asked for", demoConfig + mysql + set, "", "lock_timeout is not given: this database takes none from the environment; set lock_wait_timeout in the app's own configuration"},
		{"SQLite", demoConfig + "x-binnacle: { backups: { main: { engine: sqlite, database: /data/p } } }", "", ""},
		{"the app's own options", options("-c search_path=shop") + postgres, `"-c search_path=shop -c lock_timeout=30000"`, "fails when it waits longer than 30s for a lock of the database"},
		{"the app's own limit", options("-c lock_timeout=1s") + postgres, "", ""},
		{"its own options in secret", secretly + postgres, "", ""},
		{"in secret, asked for", secretly + postgres + set, "", "lock_timeout is not given: PGOPTIONS is a secret, which stays as it is; write -c lock_timeout there"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			b := newBenchOf(t, parse(t, test.yaml, "TOKEN=secret-token\nPASS=secret-password\nPGOPTIONS=x\n"))
			b.rails("20260101 Create users")
			plan := b.plan("migrate")
			told := ""
			for _, e := range plan.Effects {
				if e.Label == "locks" {
					told = e.Text
				}
			}
			if told != test.told {
				t.Errorf("the plan says %q, want %q", told, test.told)
			}
			if task := b.start(plan, nil); task.Status != ops.Done {
				t.Fatal(texts(task.Errors))
			}
			asked := strings.Join(b.world.Asked("vm1"), "\n")
			if test.given == "" && strings.Contains(asked, "-c lock_timeout=3") || test.given == "" && strings.Contains(asked, "-c lock_timeout=5") {
				t.Errorf("a limit is given:\n%s", asked)
			}
			if test.given != "" && strings.Count(asked, "--env PGOPTIONS="+test.given) != 2 {
				t.Errorf("%s is not given to both:\n%s", test.given, asked)
			}
		})
	}
}

// The reason may stand long before the last lines.
func TestAMigrationThatWaitedForALockSaysWhatToDo(t *testing.T) {
	for yaml, want := range map[string]string{
		demoConfig: "somebody holds a lock that it needs, and it waited 30s: see pg_stat_activity for who, try again when less goes on, or let it wait longer: lock_timeout: under migrate: of x-binnacle. fix it",
		with("x-binnacle: { migrate: { lock_timeout: 0 } }"): "somebody holds a lock that it needs: try again when less goes on; how long it waits is set in the app's own configuration. fix it",
	} {
		b := newBench(t, yaml)
		b.rails("20260101 Create users").fails = "ERROR:  canceling statement due to lock timeout\n" + strings.Repeat("from somewhere\n", 50)
		task := b.start(b.plan("migrate"), nil)
		if task.Status != ops.Failed || !strings.HasPrefix(task.Errors[0].Hint, want) {
			t.Errorf("%s, %q", task.Status, task.Errors[0].Hint)
		}
	}
}

// A pooler refuses what it does not know, and with it the connection.
func TestAPoolerThatTakesNoLimit(t *testing.T) {
	const set = "x-binnacle: { migrate: { lock_timeout: 5s%s } }"
	for _, test := range []struct{ name, yaml, hint string }{
		{"by itself", demoConfig, ""},
		{"as set", with(fmt.Sprintf(set, "")), "lock_timeout: 0 under migrate: of x-binnacle leaves it out"},
		{"without a status", with(fmt.Sprintf(set, ", command: bin/migrate")), "lock_timeout: 0 under migrate: of x-binnacle leaves it out"},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := newBench(t, test.yaml)
			d := b.rails("20260101 Create users")
			b.world.On("vm1", "docker run .*PGOPTIONS", opstest.Reply{
				Stderr: "FATAL:  unsupported startup parameter: options\n", Err: &ops.ExitError{Code: 1, Output: "FATAL:  unsupported startup parameter: options"},
			})
			task := b.start(b.plan("migrate"), nil)
			if test.hint != "" {
				if task.Status != ops.Failed || d.up != 0 || !strings.Contains(task.Errors[0].Hint, test.hint) {
					t.Errorf("%s: %v", task.Status, texts(task.Errors))
				}
				return
			}
			if task.Status != ops.Done || d.up != 1 {
				t.Errorf("%s: %v", task.Status, texts(task.Errors))
			}
			notices := b.store.State().Notices
			if len(notices) != 1 || !strings.Contains(notices[0].Text, "wait for a lock of the database at any length") {
				t.Errorf("says %v", notices)
			}
		})
	}
}

func TestMigrateRefuses(t *testing.T) {
	for want, params := range map[string][]string{
		"give --migrate as well":        {"deploy", "backup", "true"},
		"--backup and --without-backup": {"migrate", "backup", "true", "without-backup", "true"},
		"that is no number":             {"migrate rollback", "step", "none"},
	} {
		b := newBench(t, demoConfig)
		if _, err := b.tryPlan(params[0], params[1:]...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v, want %q", params, err, want)
		}
	}
	b := newBench(t, with("x-binnacle: { migrate: { command: bin/migrate } }"))
	for want, name := range map[string]string{"no status command is known": "migrate status", "no command is known": "migrate rollback"} {
		if _, err := b.tryPlan(name); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
	}
	if _, ok := operation.Catalog().Find("migrate"); !ok {
		t.Error("migrate is not in the catalog")
	}
}

// What a migration adds to plans, as text.
func TestMigrationPlans(t *testing.T) {
	cfg := load(t, filepath.Join("testdata", "rich"), "v3")
	for name, params := range map[string]ops.Params{
		"deploy-with-migration": {"migrate": "true", "skip-push": "true", "without-backup": "true"},
		"migrate-plan":          {"plan": "true"},
		"migrate-with-backup":   {"backup": "true"},
		"predeploy-stages":      {"migrate": "true"},
	} {
		in := input(t, cfg, config.Filter{})
		in.Fleet, in.Params = fleetOf(cfg), params
		verb, _, _ := strings.Cut(name, "-")
		op, _ := operation.Catalog().Find(verb)
		plan, err := op.Plan(in)
		golden(t, filepath.Join("testdata", "rich", "plans", name+".txt"), render(cfg, plan, err))
		holdPlan(t, op, plan)
	}
}
