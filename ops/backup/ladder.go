package backup

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/docker/go-units"

	"binnacle/config"
	"binnacle/ops"
)

// Describe is what a front end shows of one thing that is backed up, from its
// store's entries, newest first, as they are at that time.
func Describe(app ops.AppID, of config.Backup, location string, entries []Entry, now time.Time) ops.Backed {
	b := ops.Backed{
		Name: of.Name, App: app, Engine: string(of.Engine), Accessory: of.Accessory, Role: of.Role, Host: of.Host,
		Store: location, SeenAt: now, MaxAge: of.Check.MaxAge, Alarm: alarm(of.Check, entries, now),
	}
	for _, e := range entries {
		b.Kept = append(b.Kept, e.kept(of.Check, now))
	}
	if newest, ok := b.Newest(); ok {
		b.Rung = newest.Rung
	} else if len(b.Kept) > 0 {
		b.Rung = b.Kept[0].Rung
	}
	return b
}

// Unseen is Describe for a store that could not be read, with the reason.
func Unseen(app ops.AppID, of config.Backup, location, reason string) ops.Backed {
	return ops.Backed{
		Name: of.Name, App: app, Engine: string(of.Engine), Accessory: of.Accessory, Role: of.Role, Host: of.Host,
		Store: location, Problem: reason, MaxAge: of.Check.MaxAge,
	}
}

// Sane fails when the size of a dump, in bytes, is suspicious against those of
// good ones before it, newest first: less than half of what is usual, or next to
// nothing.
func Sane(size int64, history []int64) error {
	if len(history) == 0 {
		return nil
	}
	sorted := slices.Sorted(slices.Values(history))
	usual := sorted[len(sorted)/2]
	switch {
	case size < tiny && sorted[0] >= tiny:
		return errors.New("next to nothing was dumped: " + bytesOf(size) + ", usually " + bytesOf(usual))
	case size < usual/2:
		return errors.New("less than half of the usual size was dumped: " + bytesOf(size) + ", usually " + bytesOf(usual))
	}
	return nil
}

// Private

const (
	tiny   = 1 << 10 // bytes
	median = 5       // of how many backups the usual size is made
)

// climb is the entry after those checks. A check that failed leaves the rungs
// from its own upwards unproven, and is known against the backup until that rung,
// or one above it, is reached again. A suspicious size is known against it until
// it has been restored: then little is all there was.
func (e Entry) climb(checks []Check) Entry {
	e.Checks = slices.Clone(checks)
	slices.SortStableFunc(e.Checks, func(a, b Check) int { return a.At.Compare(b.At) })
	e.Rung, e.CheckedAt, e.Problem = ops.Stored, e.At.Add(e.Took), ""
	sized, failed := e.Sized, ops.NoRung
	for _, c := range e.Checks {
		if c.Problem != "" {
			failed, e.Problem = c.Rung, c.Problem
			e.fall(max(c.Rung-1, ops.NoRung), c.At)
			continue
		}
		if c.Rung >= failed {
			failed, e.Problem = ops.NoRung, ""
		}
		sized = sized || c.Rung >= ops.Restored
		if c.Rung >= e.Rung {
			e.Rung, e.CheckedAt = c.Rung, c.At
		}
	}
	if !sized {
		e.fall(ops.Dumped, e.At.Add(e.Took))
		e.Problem = cmp.Or(e.Problem, e.Remark)
	}
	if e.lacks != "" {
		e.fall(ops.Sized, e.At.Add(e.Took))
		e.Problem = e.lacks
	}
	return e
}

// fall takes the entry down to a rung, if it stands higher.
func (e *Entry) fall(to ops.Rung, at time.Time) {
	if e.Rung > to {
		e.Rung, e.CheckedAt = to, at
	}
}

// kept is the entry for front ends.
func (e Entry) kept(check config.BackupCheck, now time.Time) ops.Kept {
	k := ops.Kept{
		ID: e.ID, At: e.At, Took: e.Took, Size: e.Size, Plain: e.Plain, EngineVersion: e.EngineVersion, Schema: e.Schema,
		Tables: e.Tables, Rows: e.Rows, Encrypted: e.Encrypted, Safety: e.Safety, By: e.By,
		Rung: e.Rung, CheckedAt: e.CheckedAt, Problem: e.Problem,
	}
	if e.Rung == ops.Checked && e.Problem == "" && (check.MaxAge <= 0 || now.Sub(e.At) <= check.MaxAge) {
		k.Rung = ops.Fresh
	}
	return k
}

// Helpers

// alarm says what has to be done about entries, newest first; "" when all is well.
func alarm(check config.BackupCheck, entries []Entry, now time.Time) string {
	entries = slices.DeleteFunc(slices.Clone(entries), func(e Entry) bool { return e.Safety })
	if len(entries) == 0 {
		return "never backed up"
	}
	if newest := entries[0]; newest.Problem != "" {
		if newest.Rung < ops.Sized || newest.Remark == newest.Problem {
			return newest.Problem
		}
		return "damaged: " + newest.Problem
	}
	if age := now.Sub(entries[0].At); check.MaxAge > 0 && age > check.MaxAge {
		return fmt.Sprintf("%s old, at most %s", span(age), span(check.MaxAge))
	}
	// Where nothing was ever restored, the time runs from the first backup.
	since := entries[len(entries)-1].At
	for _, e := range entries {
		for _, c := range e.Checks {
			if c.Problem == "" && c.Rung >= ops.Restored && c.At.After(since) {
				since = c.At
			}
		}
	}
	if age := now.Sub(since); check.Drill > 0 && age > check.Drill {
		return "no drill for " + span(age)
	}
	return ""
}

// history is the sizes that a new dump is compared with, newest first: of good
// backups, back to the last one that was restored.
func history(entries []Entry) []int64 {
	var sizes []int64
	for _, e := range entries {
		if e.Problem != "" {
			continue
		}
		sizes = append(sizes, e.Plain)
		if len(sizes) == median || !e.Sized {
			break
		}
	}
	return sizes
}

func bytesOf(n int64) string { return units.HumanSize(float64(n)) }

// span is a duration in the largest unit that tells enough.
func span(d time.Duration) string {
	if d < 72*time.Hour {
		return fmt.Sprintf("%d h", int(d.Hours()))
	}
	return fmt.Sprintf("%d d", int(d.Hours()/24))
}
