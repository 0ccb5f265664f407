package operation_test

import (
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"binnacle/config"
	"binnacle/ops"
	"binnacle/ops/opstest"
)

func TestRestorePutsTheBackupInPlace(t *testing.T) {
	p := newProtectedBench(t, protectedConfig)
	p.must("backup create", "NAME", "db")
	good := p.listed()[0].ID
	p.write("users", 0)
	first := len(p.world.Calls())
	p.must("restore", "NAME", "db", "maintenance", "true")
	if got := p.tables("app"); got["users"] != 3 || got["orders"] != 5 {
		t.Errorf("the data is %v", got)
	}
	if got := p.tables("binnacle_before_01task"); got == nil || got["users"] != 0 {
		t.Errorf("the data from before is kept as %v of %v", got, p.databases())
	}
	if got := p.listed(); len(got) != 2 || !got[0].Safety || got[0].Rows != 5 {
		t.Errorf("the safety copy is not the newest of %d backups", len(got))
	}
	p.checkHeld(t, "")
	var doc struct {
		ID, Host, Safety, Kept string
		Tables                 int
		Rows                   int64
	}
	text, data := p.results()
	if err := json.Unmarshal([]byte(data), &doc); err != nil || doc.ID != good || doc.Rows != 8 || doc.Tables != 2 || doc.Safety != p.listed()[0].ID || doc.Kept != "binnacle_before_01task" {
		t.Errorf("it reports %v %s", err, data)
	}
	if !strings.HasPrefix(text, "db on vm4 is backup "+good+" now: 2 tables, 8 rows, in ") {
		t.Errorf("it says %s", text)
	}
	last := -1
	for _, what := range []string{"exec pg_restore ", "kamal-proxy stop shop-web", "lifeline pg_dump ", "binnacle_restore_01task binnacle_before_01task", "kamal-proxy resume shop-web"} {
		at := slices.IndexFunc(p.world.Calls()[first:], func(c opstest.Call) bool { return strings.Contains(c.What, what) })
		if at <= last {
			t.Errorf("%s is call %d, the one before it %d", what, at, last)
		}
		last = at
	}
}

func TestASecondRestoreReplacesWhatTheFirstKept(t *testing.T) {
	p := newProtectedBench(t, protectedConfig)
	p.must("backup create", "NAME", "db")
	p.pg.Lock()
	p.servers["shop-db"]["binnacle_before_01old"] = &database{of: "app"}
	p.servers["shop-db"]["binnacle_restore_01old"] = &database{of: "app"}
	p.servers["shop-db"]["binnacle_before_other"] = &database{of: "other"}
	p.pg.Unlock()
	p.must("restore", "NAME", "db")
	if got, want := p.databases(), []string{"app", "binnacle_before_01task", "binnacle_before_other"}; !slices.Equal(got, want) {
		t.Errorf("the server has %v, want %v", got, want)
	}
}

func TestRestoreWhereNothingIs(t *testing.T) {
	p := newProtectedBench(t, protectedConfig)
	p.must("backup create", "NAME", "db")
	p.pg.Lock()
	delete(p.servers["shop-db"], "app")
	p.pg.Unlock()
	for host := range p.routes { // before the first deploy
		clear(p.routes[host])
		p.world.Engine(host).Remove(func(c ops.Inspection) bool { return c.Labels["role"] != "" })
	}
	p.must("restore", "NAME", "db", "maintenance", "true")
	if got := p.databases(); !slices.Equal(got, []string{"app"}) || len(p.listed()) != 1 {
		t.Errorf("the server has %v, the store %d backups", got, len(p.listed()))
	}
}

func TestMaintenanceThatWasThereStays(t *testing.T) {
	p := newProtectedBench(t, protectedConfig)
	p.must("backup create", "NAME", "db")
	p.world.On("vm1", "kamal-proxy list", opstest.Reply{Answer: func(context.Context, string) (string, error) {
		return strings.ReplaceAll(p.routeTable("vm1"), "running", "stopped"), nil
	}})
	p.must("restore", "NAME", "db", "maintenance", "true")
	if asked := strings.Join(p.world.Asked("vm1"), "\n"); strings.Contains(asked, "kamal-proxy resume") || strings.Contains(asked, "kamal-proxy stop") {
		t.Error("vm1 was in maintenance before, and is taken out of it")
	}
	if !strings.Contains(strings.Join(p.world.Asked("vm2"), "\n"), "kamal-proxy resume") {
		t.Error("vm2 stays in maintenance")
	}
}

func TestWhatAKilledRestoreHeldOffWorksAgain(t *testing.T) {
	p := newProtectedBench(t, protectedConfig)
	p.must("backup create", "NAME", "db")
	p.world.On("vm1", "kamal-proxy list", opstest.Reply{Answer: func(context.Context, string) (string, error) {
		return strings.ReplaceAll(p.routeTable("vm1"), "running", "stopped"), nil
	}})
	at := strconv.FormatInt(p.world.Now().Add(-time.Minute).Unix(), 10)
	p.world.On("vm1", "^cat .kamal/held-shop-web ", opstest.Reply{Stdout: at + " maintenance\n"})
	p.world.On("vm3", "^cat .kamal/held-shop-job ", opstest.Reply{Stdout: at + " shop-job-v2 shop-job-v0\n"})
	p.world.Engine("vm3").Change("shop-job-v2", func(c *ops.Inspection) { c.State, c.Finished = "exited", p.world.Now() })
	p.must("restore", "NAME", "db", "maintenance", "true")
	for host, file := range map[string]string{"vm1": "web", "vm3": "job"} {
		if asked := p.world.Asked(host); !slices.Contains(asked, "rm -f .kamal/held-shop-"+file) {
			t.Errorf("%s: %v", host, asked)
		}
	}
	if !strings.Contains(strings.Join(p.world.Asked("vm1"), "\n"), "kamal-proxy resume shop-web") {
		t.Error("vm1 stays in maintenance")
	}
	p.checkHeld(t, "")
}

// Filters do not leave anybody writing.
func TestMaintenanceHoldsAllWritersWhateverIsSelected(t *testing.T) {
	p := newProtectedBench(t, protectedConfig)
	p.must("backup create", "NAME", "db")
	p.in.Selection = input(t, p.cfg, config.Filter{Hosts: []string{"vm4"}}).Selection
	p.must("restore", "NAME", "db", "maintenance", "true")
	for host, want := range map[string]string{"vm1": "kamal-proxy stop shop-web", "vm2": "kamal-proxy stop shop-web", "vm3": "docker stop"} {
		if !strings.Contains(strings.Join(p.world.Asked(host), "\n"), want) {
			t.Errorf("%s goes on writing", host)
		}
	}
}

func TestRestoreRefusesBeforeAnythingIsChanged(t *testing.T) {
	encrypted := strings.Replace(protectedConfig, "retain: { last: 2 }", "retain: { last: 2 }, encrypt: { recipients: [ age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj ] }", 1)
	for _, c := range []struct {
		name, config string
		prepare      func(p *protectedBench)
		params       []string
		want         string
	}{
		{"clients", protectedConfig, func(p *protectedBench) { p.clients = 4 }, nil, "4 clients are connected to app"},
		{"no such backup", protectedConfig, nil, []string{"ID", "2031"}, "there is no backup 2031 of db"},
		{"another destination's", protectedConfig, nil, []string{"from", "staging"}, "there is no good backup of db"},
		{"encrypted", encrypted, nil, nil, "the backup is encrypted, and no identity is given (--identity FILE"},
		{"wrong identity", encrypted, func(p *protectedBench) { p.world.Sources = map[string]string{"key": "nonsense"} }, []string{"identity", "key"}, "the identity cannot be used"},
		{"no identity file", encrypted, nil, []string{"identity", "typo"}, "the identity that decrypts backups of db: file does not exist"},
		{"no script", protectedConfig, nil, []string{"sql", "typo.sql"}, "reading typo.sql: file does not exist"},
		{"lock", protectedConfig, func(p *protectedBench) { p.locks["vm1"] = "" }, nil, "deploy lock found"},
		{"older server", protectedConfig, func(p *protectedBench) { p.newer() }, nil, "the backup is of postgres 17.1, the server here is 16.4"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newProtectedBench(t, c.config)
			p.must("backup create", "NAME", "db")
			if c.prepare != nil {
				c.prepare(p)
			}
			before := len(p.world.Calls())
			task := p.do("restore", append([]string{"NAME", "db"}, c.params...)...)
			if got := strings.Join(texts(task.Errors), "\n"); task.Status != ops.Failed || !strings.Contains(got, c.want) {
				t.Errorf("%s: %s, want %s", task.Status, got, c.want)
			}
			for _, call := range p.world.Calls()[before:] {
				if strings.Contains(call.What, "CREATE DATABASE") || strings.Contains(call.What, "pg_restore") || strings.Contains(call.What, "kamal-proxy stop") {
					t.Errorf("it went as far as %.80s", call.What)
				}
			}
			if held := p.held(); len(held) > 0 && c.name != "lock" {
				t.Errorf("the lock is held on %v", held)
			}
		})
	}
}

// newer makes the backup one of a newer server.
func (p *protectedBench) newer() {
	for _, key := range p.keys() {
		if strings.HasSuffix(key, "manifest.json") {
			line, _, _ := strings.Cut(string(p.kept.Content(key)), "\n")
			p.kept.Change(key, sealed(strings.Replace(line, `"engine_version":"16.4"`, `"engine_version":"17.1"`, 1)))
		}
	}
}

func TestClientsThatComeWhileItLoadsAreSeen(t *testing.T) {
	p := newProtectedBench(t, protectedConfig)
	p.must("backup create", "NAME", "db")
	p.write("users", 4)
	p.world.Interfere(func(_ context.Context, c opstest.Call) error {
		if strings.Contains(c.What, "exec pg_restore ") {
			p.pg.Lock()
			p.clients = 1
			p.pg.Unlock()
		}
		return nil
	}, nil)
	task := p.do("restore", "NAME", "db")
	if task.Status != ops.Failed || p.tables("app")["users"] != 4 || !slices.Equal(p.databases(), []string{"app"}) {
		t.Errorf("%s: %v of %v", task.Status, p.tables("app"), p.databases())
	}
}

func TestDataThatCannotBeSavedIsReplacedOnlyWhenToldSo(t *testing.T) {
	p := newProtectedBench(t, protectedConfig)
	p.must("backup create", "NAME", "db")
	p.write("users", 1)
	p.refuse("lifeline pg_dump ", &ops.ExitError{Code: 1, Output: "invalid page in block 7"})
	task := p.do("restore", "NAME", "db")
	if got := strings.Join(texts(task.Errors), "\n"); task.Status != ops.Failed || p.tables("app")["users"] != 1 || !strings.Contains(got, "--without-safety") {
		t.Errorf("%s: %s", task.Status, got)
	}
	p.must("restore", "NAME", "db", "without-safety", "true")
	if p.tables("app")["users"] != 3 || len(p.listed()) != 1 {
		t.Errorf("the data is %v, with %d backups", p.tables("app"), len(p.listed()))
	}
}

func TestAScratchCopyStays(t *testing.T) {
	p := newProtectedBench(t, protectedConfig)
	p.world.Sources = map[string]string{"anonymise.sql": "UPDATE users SET name = ''"}
	p.must("backup create", "NAME", "db")
	p.must("restore", "NAME", "db", "scratch", "true", "sql", "anonymise.sql")
	text, data := p.results()
	if want := []string{"binnacle_copy_01task"}; !slices.Equal(p.containers(), want) || !strings.Contains(text, "to be rid of it: docker rm --force --volumes binnacle_copy_01task") || !strings.Contains(data, `"container":"binnacle_copy_01task"`) {
		t.Errorf("%v are there: %s", p.containers(), text)
	}
	p.in.Alive = func(int) bool { return false }
	p.in.Holder = ops.Holder{Host: "laptop", PID: 8, Task: "01NEXT"}
	p.must("backup drill", "NAME", "db")
	if want := []string{"binnacle_copy_01task"}; !slices.Equal(p.containers(), want) {
		t.Errorf("after a drill %v are there", p.containers())
	}
}

func TestAScratchCopyThatIsGivenUpGoes(t *testing.T) {
	p := newProtectedBench(t, protectedConfig)
	p.world.Sources = map[string]string{"anonymise.sql": "UPDATE users SET name = ''"}
	p.must("backup create", "NAME", "db")
	var engine *ops.Engine
	p.world.Interfere(nil, func(_ context.Context, c opstest.Call) error {
		if strings.Contains(c.What, "exec pg_restore ") {
			engine.Cancel(p.in.Holder.Task, "a test")
		}
		return nil
	})
	task := p.follow(p.plan("restore", "NAME", "db", "scratch", "true", "sql", "anonymise.sql"), func(e *ops.Engine) { engine = e })
	if text, _ := p.results(); task.Status != ops.Cancelled || len(p.containers()) > 0 || strings.Contains(text, "is in the container") {
		t.Errorf("%s, %v are left: %s", task.Status, p.containers(), text)
	}
}
