package ui

import (
	"strings"

	"binnacle/ui/kit"
	"binnacle/ui/theme"
	"binnacle/ui/widget"
)

// footerLine puts alerts or a notice on the left, the keys of the focused pane
// on the right.
func footerLine(alerts []string, notice kit.Tell, keys []kit.KeySpec, th theme.Theme, width int) string {
	left := alertText(alerts, th, width)
	tone := theme.Warn
	if notice.Text != "" {
		left, tone = kit.Clean(notice.Text), theme.Text
		if notice.Err {
			left, tone = th.Lost+" "+left, theme.Bad
		}
	}
	least := min(kit.Width(left), max(width*2/5, 12))
	if width < wideFrom && notice.Text == "" && len(alerts) > 0 {
		least = min(least, 12) // the strip says where the alerts are
	}
	shown := fitKeys(keys, width-least-4)
	right := drawKeys(shown, th)
	room := width - 2 - keysWidth(shown) - 2
	if len(shown) == 0 {
		room = width - 2
	}
	if notice.Text == "" && kit.Width(left) > room && room < 24 && len(alerts) > 0 {
		left = th.Alert + " " + kit.Plural(len(alerts), "alert")
	}
	left = kit.Pad(left, max(room, 0), th.Ellipsis)
	return kit.Cut(" "+th.Paint(tone, left)+"  "+right, width, "")
}

// filterLine is the footer while a filter is typed.
func filterLine(input *widget.Input, th theme.Theme, width int) string {
	const hint = "a word or a regular expression, ! inverts   enter keeps it, esc clears"
	shown := hint
	if width < 110 {
		shown = "enter keeps it, esc clears"
	}
	room := max(width-kit.Width(shown)-6, 8)
	return kit.Cut(" "+th.Paint(theme.Accent, "/")+input.View(th, room, true)+"  "+th.Paint(theme.Dim, shown), width, "")
}

// Private

// alertText lists the alerts as far as there is room, their count in any case.
func alertText(alerts []string, th theme.Theme, width int) string {
	if len(alerts) == 0 {
		return ""
	}
	count := th.Alert + " " + kit.Plural(len(alerts), "alert")
	full := count + ": " + strings.Join(alerts, " "+th.Dot+" ")
	if kit.Width(full) <= width*3/5 {
		return kit.Clean(full)
	}
	if width >= 60 {
		return kit.Cut(kit.Clean(full), width*3/5, th.Ellipsis)
	}
	return count
}

// fitKeys drops the keys that matter least until the rest fits.
func fitKeys(keys []kit.KeySpec, width int) []kit.KeySpec {
	for len(keys) > 0 && keysWidth(keys) > width {
		drop := 0
		for i := range keys {
			if footerRank(keys[i]) > footerRank(keys[drop]) {
				drop = i
			}
		}
		keys = append(keys[:drop:drop], keys[drop+1:]...)
	}
	return keys
}

// footerRank says what goes first: help stays longest.
func footerRank(k kit.KeySpec) int {
	if k.ID == actHelp {
		return 0
	}
	return k.Footer
}

func keysWidth(keys []kit.KeySpec) int {
	w := 0
	for i, k := range keys {
		if i > 0 {
			w += 2
		}
		w += kit.Width(kit.KeyName(k.Keys[0])) + 1 + kit.Width(k.Help)
	}
	return w
}

func drawKeys(keys []kit.KeySpec, th theme.Theme) string {
	var b strings.Builder
	for i, k := range keys {
		if i > 0 {
			b.WriteString("  ")
		}
		b.WriteString(th.Paint(theme.Accent, kit.KeyName(k.Keys[0])))
		b.WriteString(" " + th.Paint(theme.Dim, k.Help))
	}
	return b.String()
}
