package backup

import (
	"fmt"
	"slices"
	"time"

	"binnacle/config"
	"binnacle/ops"
)

// Verdict is what a retention rule says of one backup.
type Verdict struct {
	Entry
	Reasons []string // why it stays: "last 1 of 7", "weekly 2026-W47"; none when it goes
}

// Retain splits entries into those that a rule keeps and those that it lets go,
// both newest first. Days, ISO weeks and months are in UTC, and each is kept by
// its newest backup that nothing is known against. Whatever the rule says, these
// stay: the newest good backup, safety copies aside, and bad ones after it, the newest of the highest
// rung, what a newer Binnacle wrote, and safety copies for a week; older safety
// copies hold no other place. A rule without numbers keeps everything.
func Retain(entries []Entry, rule config.Retain, now time.Time) (keep, drop []Verdict) {
	r := retention{now: now, reasons: map[string][]string{}}
	r.entries = slices.Clone(entries)
	slices.SortFunc(r.entries, newestFirst)
	if rule == (config.Retain{}) {
		r.every("no rule")
	}
	r.always()
	r.last(rule.Last)
	r.slots(rule.Daily, func(t time.Time) string { return t.Format("daily 2006-01-02") })
	r.slots(rule.Weekly, func(t time.Time) string {
		year, week := t.ISOWeek()
		return fmt.Sprintf("weekly %d-W%02d", year, week)
	})
	r.slots(rule.Monthly, func(t time.Time) string { return t.Format("monthly 2006-01") })
	for _, e := range r.entries {
		v := Verdict{Entry: e, Reasons: r.reasons[e.ID]}
		if len(v.Reasons) > 0 {
			keep = append(keep, v)
		} else {
			drop = append(drop, v)
		}
	}
	return keep, drop
}

// Private

// safetyStays is how long a safety copy is kept.
const safetyStays = 7 * 24 * time.Hour

// retention collects why each entry stays.
type retention struct {
	now     time.Time
	entries []Entry // newest first
	reasons map[string][]string
}

func (r *retention) keep(e Entry, reason string) { r.reasons[e.ID] = append(r.reasons[e.ID], reason) }

func (r *retention) every(reason string) {
	for _, e := range r.entries {
		r.keep(e, reason)
	}
}

// always keeps what no rule may let go.
func (r *retention) always() {
	good := slices.IndexFunc(r.entries, func(e Entry) bool { return e.good() && !e.Safety })
	if good < 0 {
		good = slices.IndexFunc(r.entries, Entry.good)
	}
	if good >= 0 {
		r.keep(r.entries[good], "newest good one")
	}
	highest := ops.NoRung
	for i, e := range r.entries {
		if e.Problem != "" && i < good {
			r.keep(e, "newer than the newest good one")
		}
		if e.V > manifestVersion {
			r.keep(e, "written by a newer Binnacle")
		}
		if e.Problem == "" {
			highest = max(highest, e.Rung)
		}
		if e.Safety && r.now.Sub(e.At) < safetyStays {
			r.keep(e, "safety copy younger than 7 d")
		}
	}
	for _, e := range r.entries {
		if e.good() && e.Rung == highest {
			r.keep(e, "newest that is "+highest.String())
			return
		}
	}
}

// last keeps the newest, good ones before others.
func (r *retention) last(n int) {
	ordered := slices.DeleteFunc(slices.Clone(r.entries), func(e Entry) bool { return e.Safety })
	slices.SortStableFunc(ordered, goodFirst)
	for i, e := range ordered[:max(0, min(n, len(ordered)))] {
		r.keep(e, fmt.Sprintf("last %d of %d", i+1, n))
	}
}

// slots keeps one backup of each of the newest n spans that hold any.
func (r *retention) slots(n int, span func(time.Time) string) {
	best := map[string]Entry{}
	var order []string
	for _, e := range r.entries {
		if e.Safety {
			continue
		}
		name := span(e.At.UTC())
		kept, ok := best[name]
		if !ok {
			order = append(order, name)
		}
		if !ok || goodFirst(e, kept) < 0 {
			best[name] = e
		}
	}
	for _, name := range order[:max(0, min(n, len(order)))] {
		r.keep(best[name], name)
	}
}

// Helpers

func (e Entry) good() bool { return e.Problem == "" }

func goodFirst(a, b Entry) int {
	switch {
	case a.good() == b.good():
		return 0
	case a.good():
		return -1
	}
	return 1
}
