package backup_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"binnacle/config"
	"binnacle/ops"
	"binnacle/ops/backup"
)

func retained(id string, at time.Time) backup.Entry {
	return backup.Entry{Manifest: backup.Manifest{ID: id, At: at}, Rung: ops.Stored}
}

func ids(verdicts []backup.Verdict) []string {
	out := []string{}
	for _, v := range verdicts {
		out = append(out, v.ID)
	}
	return out
}

func TestRetain(t *testing.T) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC) // a Monday
	at := func(days int) backup.Entry {
		return retained(fmt.Sprintf("d%d", days), now.AddDate(0, 0, -days))
	}
	bad := func(e backup.Entry) backup.Entry { e.ID += "!"; e.Problem = "damaged"; return e }
	newer := func(e backup.Entry) backup.Entry { e.V = 2; return e }
	safety := func(e backup.Entry) backup.Entry { e.ID += "s"; e.Safety = true; return e }
	rung := func(e backup.Entry, r ops.Rung) backup.Entry { e.Rung = r; return e }
	for _, tt := range []struct {
		name    string
		rule    config.Retain
		entries []backup.Entry
		keep    map[string]string // reasons, joined
	}{
		{"nothing", config.Retain{Last: 3}, nil, map[string]string{}},
		{"no rule", config.Retain{}, []backup.Entry{at(0), bad(at(99))}, map[string]string{"d0": "no rule, newest good one, newest that is stored", "d99!": "no rule"}},
		{"last", config.Retain{Last: 2}, []backup.Entry{at(0), at(1), at(2)}, map[string]string{
			"d0": "newest good one, newest that is stored, last 1 of 2", "d1": "last 2 of 2",
		}},
		{"damaged ones do not count", config.Retain{Last: 2}, []backup.Entry{at(0), bad(at(1)), at(2), at(3)}, map[string]string{
			"d0": "newest good one, newest that is stored, last 1 of 2", "d2": "last 2 of 2",
		}},
		{"the newest good one stays whatever its age", config.Retain{Daily: 1}, []backup.Entry{bad(at(0)), at(400)}, map[string]string{
			"d0!": "newer than the newest good one, daily 2026-11-23", "d400": "newest good one, newest that is stored",
		}},
		{"the newest that was drilled stays", config.Retain{Last: 1}, []backup.Entry{at(0), rung(at(20), ops.Checked), rung(at(30), ops.Checked)}, map[string]string{
			"d0": "newest good one, last 1 of 1", "d20": "newest that is checked",
		}},
		{"a newer program's", config.Retain{Last: 1}, []backup.Entry{at(0), newer(bad(at(9)))}, map[string]string{
			"d0": "newest good one, newest that is stored, last 1 of 1", "d9!": "written by a newer Binnacle",
		}},
		{"safety copies", config.Retain{Last: 1}, []backup.Entry{safety(at(0)), at(1), safety(at(6)), safety(at(8))}, map[string]string{
			"d0s": "safety copy younger than 7 d, newest that is stored", "d1": "newest good one, last 1 of 1", "d6s": "safety copy younger than 7 d",
		}},
		{"weeks and months", config.Retain{Weekly: 2, Monthly: 2}, []backup.Entry{at(0), at(1), at(2), at(22), at(23), at(60)}, map[string]string{
			"d0": "newest good one, newest that is stored, weekly 2026-W48, monthly 2026-11", "d1": "weekly 2026-W47", "d23": "monthly 2026-10",
		}},
		{"a day's good one before its newest", config.Retain{Daily: 2}, []backup.Entry{
			retained("today", now), bad(retained("late", now.Add(-20*time.Hour))), retained("early", now.Add(-30*time.Hour)), at(2),
		}, map[string]string{"today": "newest good one, newest that is stored, daily 2026-11-23", "early": "daily 2026-11-22"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			keep, drop := backup.Retain(tt.entries, tt.rule, now)
			got := map[string]string{}
			for _, v := range keep {
				got[v.ID] = strings.Join(v.Reasons, ", ")
			}
			if diff := cmp.Diff(tt.keep, got); diff != "" {
				t.Error(diff)
			}
			if len(keep)+len(drop) != len(tt.entries) {
				t.Errorf("%d kept and %d dropped of %d", len(keep), len(drop), len(tt.entries))
			}
		})
	}
}

// TestRetainAlways tries what must hold for every rule and every store.
func TestRetainAlways(t *testing.T) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	for seed := range uint64(400) {
		r := rand.New(rand.NewPCG(seed, 1))
		var entries []backup.Entry
		for i := range r.IntN(60) {
			e := retained(fmt.Sprintf("e%02d", i), now.Add(-time.Duration(r.IntN(120*24*60))*time.Minute))
			e.Rung = ops.Rung(r.IntN(int(ops.Fresh)))
			e.Safety = r.IntN(8) == 0
			if r.IntN(4) == 0 {
				e.Problem = "damaged"
			}
			entries = append(entries, e)
		}
		rule := config.Retain{Last: 1 + r.IntN(9), Daily: r.IntN(9), Weekly: r.IntN(9), Monthly: r.IntN(4)}
		keep, drop := backup.Retain(entries, rule, now)

		all := slices.Sorted(slices.Values(append(ids(keep), ids(drop)...)))
		want := []string{}
		for _, e := range entries {
			want = append(want, e.ID)
		}
		if !slices.Equal(all, want) {
			t.Fatalf("seed %d: kept and dropped are not all: %v of %v", seed, all, want)
		}
		shuffled := slices.Clone(entries)
		r.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		if again, _ := backup.Retain(shuffled, rule, now); !slices.Equal(ids(again), ids(keep)) {
			t.Errorf("seed %d: the order matters: %v, %v", seed, ids(again), ids(keep))
		}
		var kept []backup.Entry
		for _, v := range keep {
			kept = append(kept, v.Entry)
		}
		if _, more := backup.Retain(kept, rule, now); len(more) > 0 {
			t.Errorf("seed %d: the same rule drops %v of what it kept", seed, ids(more))
		}
		wider := config.Retain{Last: rule.Last + r.IntN(3), Daily: rule.Daily + r.IntN(3), Weekly: rule.Weekly + r.IntN(3), Monthly: rule.Monthly + r.IntN(3)}
		widely, _ := backup.Retain(entries, wider, now)
		for _, id := range ids(keep) {
			if !slices.Contains(ids(widely), id) {
				t.Errorf("seed %d: %+v keeps %s and %+v does not", seed, rule, id, wider)
			}
		}
		good := func(vs []backup.Verdict) (newest time.Time, highest ops.Rung) {
			for _, v := range vs {
				if v.Problem == "" && !v.Safety && v.At.After(newest) {
					newest = v.At
				}
				if v.Problem == "" {
					highest = max(highest, v.Rung)
				}
			}
			return newest, highest
		}
		keptAt, keptRung := good(keep)
		if at, rung := good(drop); at.After(keptAt) || rung > keptRung {
			t.Errorf("seed %d: the best one is dropped", seed)
		}
	}
}

func TestCompare(t *testing.T) {
	was := backup.Facts{Schema: "20261101120000", Tables: []backup.Table{{Name: "orders", Rows: 7}, {Name: "users", Rows: 42}}}
	if diffs := backup.Compare(was, was); len(diffs) != 0 {
		t.Errorf("the same: %v", diffs)
	}
	is := backup.Facts{Tables: []backup.Table{{Name: "users", Rows: 41}, {Name: "audits", Rows: 1}}}
	want := []string{
		"schema version none instead of 20261101120000", "orders is missing, with 7 in it",
		"users: 41 instead of 42", "audits was not there, with 1 in it",
	}
	if diff := cmp.Diff(want, backup.Compare(was, is)); diff != "" {
		t.Error(diff)
	}
}
