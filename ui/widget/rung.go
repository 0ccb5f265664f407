package widget

import (
	"fmt"

	"binnacle/ops"
	"binnacle/ui/kit"
	"binnacle/ui/theme"
)

// Rung is how far a backup can be trusted: a bar with its word, the word alone,
// or the number where there is hardly any room.
func Rung(r ops.Rung, th theme.Theme) Cell {
	tone := theme.Text
	switch {
	case r >= ops.Restored:
		tone = theme.Good
	case r < ops.Stored:
		tone = theme.Warn
	}
	number := fmt.Sprintf("%d/%d", r, ops.Fresh)
	word := kit.Pad(r.String(), rungWord, th.Ellipsis) // all are as wide, so that a column shows all in one way
	return Cell{Text: RungBar(r, th) + " " + word, Tone: tone, Shorter: [2]string{number + " " + word, number}}
}

// rungWord is the width of the longest word for a rung.
const rungWord = 8

// RungBar is a backup's place on the ladder of trust, a cell for each rung.
func RungBar(r ops.Rung, th theme.Theme) string {
	return Bar(int64(r), int64(ops.Fresh), int(ops.Fresh), th)
}
