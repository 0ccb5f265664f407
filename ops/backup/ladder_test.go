package backup_test

import (
	"testing"
	"time"

	"binnacle/config"
	"binnacle/ops"
	"binnacle/ops/backup"
)

func TestChecksClimbTheLadder(t *testing.T) {
	pass := func(r ops.Rung) backup.Check { return backup.Check{Rung: r} }
	fail := func(r ops.Rung) backup.Check { return backup.Check{Rung: r, Problem: "bad " + r.String()} }
	for _, tt := range []struct {
		name    string
		checks  []backup.Check
		rung    ops.Rung
		problem string
	}{
		{"none", nil, ops.Stored, ""},
		{"read back", []backup.Check{pass(ops.Matched)}, ops.Matched, ""},
		{"drilled", []backup.Check{pass(ops.Matched), pass(ops.Checked)}, ops.Checked, ""},
		{"read back after a drill", []backup.Check{pass(ops.Checked), pass(ops.Matched)}, ops.Checked, ""},
		{"damaged after a drill", []backup.Check{pass(ops.Checked), fail(ops.Matched)}, ops.Stored, "bad matched"},
		{"damaged, then not", []backup.Check{pass(ops.Checked), fail(ops.Matched), pass(ops.Matched)}, ops.Matched, ""},
		{"drill failed, bytes match", []backup.Check{fail(ops.Restored), pass(ops.Matched)}, ops.Matched, "bad restored"},
		{"drill failed, then passed", []backup.Check{fail(ops.Checked), pass(ops.Checked)}, ops.Checked, ""},
		{"drill failed at the last rung", []backup.Check{pass(ops.Matched), fail(ops.Checked)}, ops.Matched, "bad checked"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := newDesk(t, backup.Keys{})
			e := d.write(t, small())
			var at time.Time
			for _, c := range tt.checks {
				d.now = d.now.Add(time.Minute)
				c.At = d.now
				if c.Problem != "" || c.Rung >= e.Rung {
					at = c.At
				}
				var err error
				if e, err = d.Record(t.Context(), e, c); err != nil {
					t.Fatal(err)
				}
			}
			listed := d.list(t)[0]
			for _, e := range []backup.Entry{e, listed} {
				if e.Rung != tt.rung || e.Problem != tt.problem {
					t.Errorf("%v, %q", e.Rung, e.Problem)
				}
			}
			if !listed.CheckedAt.Equal(e.CheckedAt) || len(tt.checks) == 1 && !e.CheckedAt.Equal(at) && tt.problem == "" {
				t.Errorf("checked at %v, listed with %v", e.CheckedAt, listed.CheckedAt)
			}
		})
	}
}

func TestDescribe(t *testing.T) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	ago := func(d time.Duration) backup.Manifest { return backup.Manifest{ID: "id", At: now.Add(-d)} }
	drilled := func(d time.Duration) []backup.Check { return []backup.Check{{Rung: ops.Checked, At: now.Add(-d)}} }
	const day = 24 * time.Hour
	for _, tt := range []struct {
		name, alarm string
		rung        ops.Rung
		entries     []backup.Entry
	}{
		{"never", "never backed up", ops.NoRung, nil},
		{"well", "", ops.Matched, []backup.Entry{{Manifest: ago(20 * time.Hour), Rung: ops.Matched}}},
		{"fresh", "", ops.Fresh, []backup.Entry{{Manifest: ago(20 * time.Hour), Rung: ops.Checked, Checks: drilled(time.Hour)}}},
		{"too old", "41 h old, at most 26 h", ops.Checked, []backup.Entry{{Manifest: ago(41*time.Hour + time.Minute), Rung: ops.Checked}}},
		{"far too old", "5 d old, at most 26 h", ops.Stored, []backup.Entry{{Manifest: ago(5 * day), Rung: ops.Stored}}},
		{"damaged", "damaged: part dump is gone", ops.Stored, []backup.Entry{
			{Manifest: ago(time.Hour), Rung: ops.Stored, Problem: "part dump is gone"}, {Manifest: ago(25 * time.Hour), Rung: ops.Stored},
		}},
		{"suspicious", "next to nothing", ops.Dumped, []backup.Entry{
			{Manifest: backup.Manifest{At: now.Add(-time.Hour), Remark: "next to nothing"}, Rung: ops.Dumped, Problem: "next to nothing"},
		}},
		{"never drilled, young", "", ops.Stored, []backup.Entry{{Manifest: ago(time.Hour), Rung: ops.Stored}, {Manifest: ago(29 * day), Rung: ops.Stored}}},
		{"never drilled", "no drill for 45 d", ops.Stored, []backup.Entry{{Manifest: ago(time.Hour), Rung: ops.Stored}, {Manifest: ago(45 * day), Rung: ops.Stored}}},
		{"drilled once", "", ops.Stored, []backup.Entry{
			{Manifest: ago(time.Hour), Rung: ops.Stored}, {Manifest: ago(45 * day), Rung: ops.Checked, Checks: drilled(10 * day)},
		}},
		{"drilled long ago", "no drill for 40 d", ops.Stored, []backup.Entry{
			{Manifest: ago(time.Hour), Rung: ops.Stored}, {Manifest: ago(45 * day), Rung: ops.Checked, Checks: drilled(40 * day)},
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			of := config.Backup{Name: "db", Engine: config.MySQL, Check: config.BackupCheck{MaxAge: 26 * time.Hour, Drill: 30 * day}}
			b := backup.Describe(app, of, "s3://bucket", tt.entries, now)
			if b.Alarm != tt.alarm || b.Rung != tt.rung || len(b.Kept) != len(tt.entries) || b.Store != "s3://bucket" || b.Engine != "mysql" {
				t.Errorf("%+v", b)
			}
		})
	}
}

func TestSane(t *testing.T) {
	for _, tt := range []struct {
		size    int64
		history []int64
		sane    bool
	}{
		{1, nil, true},
		{500, []int64{600, 700}, true}, // always been small
		{500, []int64{5000}, false},
		{1 << 20, []int64{2 << 20, 3 << 20, 1 << 20}, true},
		{1<<20 - 1, []int64{2 << 20, 2 << 20, 2 << 20}, false},
		{1 << 20, []int64{1 << 30, 2 << 20, 1 << 20, 1 << 20, 1 << 20}, true}, // one outlier
		{9 << 30, []int64{1 << 20}, true},
	} {
		if err := backup.Sane(tt.size, tt.history); (err == nil) != tt.sane {
			t.Errorf("%d after %v: %v", tt.size, tt.history, err)
		}
	}
}
