package operation_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"binnacle/ops"
)

const gatedConfig = protectedConfig + "  migrate: { backup_within: 90m }\n"

func TestTheGateWantsAYoungBackup(t *testing.T) {
	for _, c := range []struct {
		name    string
		prepare func(p *protectedBench)
		params  []string
		want    string // in the error; "" for a migration
	}{
		{"none", func(*protectedBench) {}, nil, "no fresh backup: there is no good backup of db (--backup takes one first)"},
		{"young", func(p *protectedBench) { p.must("backup create", "NAME", "db") }, nil, ""},
		{"old", func(p *protectedBench) {
			p.must("backup create", "NAME", "db")
			_ = p.world.Sleep(t.Context(), time.Hour)
		}, nil, "the newest good backup of db is 2h old, at most 1h30m are allowed"},
		{"taken", func(*protectedBench) {}, []string{"backup", "true"}, ""},
		{"suspicious", func(p *protectedBench) { p.big(); p.must("backup create", "NAME", "db"); p.small() }, []string{"backup", "true"}, "no good backup: "},
		{"not taken", func(p *protectedBench) {
			p.kept.Fail = func(_ context.Context, call, _ string) error {
				if call == "put" {
					return errors.New("expired credential")
				}
				return nil
			}
		}, []string{"backup", "true"}, "expired credential"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newProtectedBench(t, gatedConfig)
			schema := p.rails("20260101 Create users")
			c.prepare(p)
			task := p.do("migrate", c.params...)
			got := strings.Join(texts(task.Errors), "\n")
			if (c.want == "") != (task.Status == ops.Done) || !strings.Contains(got, c.want) {
				t.Errorf("%s: %s, want %q", task.Status, got, c.want)
			}
			if migrated := schema.up == 1; migrated != (c.want == "") {
				t.Errorf("migrated: %t", migrated)
			}
			if held := p.held(); len(held) > 0 {
				t.Errorf("the lock is held on %v", held)
			}
		})
	}
}

// big gives the database so much that little is suspicious afterwards.
func (p *protectedBench) big() {
	for i := range 300 {
		p.write(strings.Repeat("t", i+1), 1)
	}
}

func (p *protectedBench) small() {
	p.pg.Lock()
	defer p.pg.Unlock()
	p.servers["shop-db"]["app"].tables = map[string]int64{"users": 1}
}
