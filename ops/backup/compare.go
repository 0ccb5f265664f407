package backup

import (
	"cmp"
	"fmt"
	"slices"
)

// Compare says for people how data differs from what it was: tables that are
// missing or new, how much is in them, the schema's version. Nothing when it does
// not, or may not, as far as counts are sure.
func Compare(was, is Facts) []string {
	var out []string
	if was.Schema != is.Schema {
		out = append(out, fmt.Sprintf("schema version %s instead of %s", cmp.Or(is.Schema, "none"), cmp.Or(was.Schema, "none")))
	}
	same := func(table string, before, now int64) bool {
		return now <= before+was.Unsure[table] && before <= now+is.Unsure[table]
	}
	unsure := func(table string) bool { return was.Unsure[table]+is.Unsure[table] > 0 }
	left := map[string]int64{}
	for _, t := range is.Tables {
		left[t.Name] = t.Rows
	}
	for _, t := range was.Tables {
		rows, ok := left[t.Name]
		delete(left, t.Name)
		switch {
		case !ok && unsure(t.Name) && same(t.Name, t.Rows, 0):
		case !ok:
			out = append(out, fmt.Sprintf("%s is missing, with %d in it", t.Name, t.Rows))
		case !same(t.Name, t.Rows, rows):
			out = append(out, fmt.Sprintf("%s: %d instead of %d", t.Name, rows, t.Rows))
		}
	}
	for _, t := range slices.SortedFunc(slices.Values(is.Tables), func(a, b Table) int { return cmp.Compare(a.Name, b.Name) }) {
		if _, ok := left[t.Name]; ok && (!unsure(t.Name) || !same(t.Name, 0, t.Rows)) {
			out = append(out, fmt.Sprintf("%s was not there, with %d in it", t.Name, t.Rows))
		}
	}
	return out
}
