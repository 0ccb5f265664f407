package ui

import (
	"fmt"
	"strings"

	"binnacle/ui/kit"
	"binnacle/ui/theme"
)

// title is what a pane's frame and its place in the strip say.
type title struct {
	number  int // 0 for none
	text    string
	head    kit.Head
	filter  string
	focused bool
}

// count is the number of rows, of those that the filter leaves when there is one.
func (t title) count() string {
	if t.filter != "" {
		return fmt.Sprintf("%d/%d", t.head.Shown, t.head.Count)
	}
	return fmt.Sprint(t.head.Count)
}

// frames draws boxes of panes; it keeps the padded lines of each pane, because
// most panes do not change from one frame to the next.
type frames struct {
	kept map[kit.PaneID]padded
}

type padded struct {
	view  string
	w, h  int
	lines []string
}

// lines are a pane's lines, filled to its width.
func (f *frames) lines(id kit.PaneID, view string, w, h int) []string {
	if p, ok := f.kept[id]; ok && p.view == view && p.w == w && p.h == h {
		return p.lines
	}
	lines := make([]string, h)
	rest := view
	for i := range lines {
		var one string
		one, rest, _ = strings.Cut(rest, "\n")
		lines[i] = kit.Pad(one, w, "")
	}
	if f.kept == nil {
		f.kept = map[kit.PaneID]padded{}
	}
	f.kept[id] = padded{view: view, w: w, h: h, lines: lines}
	return lines
}

// column draws a box of panes that share their borders, line by line.
func (f *frames) column(c column, height int, titles map[kit.PaneID]title, view func(kit.PaneID) string, th theme.Theme) []string {
	out := make([]string, 0, height)
	for i, r := range c.panes {
		t := titles[r.id]
		left, right := th.Border.TeeLeft, th.Border.TeeRight
		if i == 0 {
			left, right = th.Border.TopLeft, th.Border.TopRight
		}
		out = append(out, titleLine(t, left, right, c.w, th))
		side := th.Paint(borderTone(t.focused), th.Border.Vertical)
		for _, line := range f.lines(r.id, view(r.id), r.w, r.h) {
			out = append(out, side+line+side)
		}
	}
	last := titles[c.panes[len(c.panes)-1].id]
	bottom := th.Border.BottomLeft + strings.Repeat(th.Border.Horizontal, max(c.w-2, 0)) + th.Border.BottomRight
	out = append(out, th.Paint(borderTone(last.focused), bottom))
	return out[:min(len(out), height)]
}

// stripLine is the row of counts that stands for the panes which are not shown.
func stripLine(titles []title, th theme.Theme, width int) string {
	draw := func(short bool) (string, int) {
		var b strings.Builder
		w := 0
		for _, t := range titles {
			text, tone, surface := stripText(t, th, short), theme.Dim, theme.Plain
			switch {
			case t.focused:
				text, tone, surface = "["+text+"]", theme.Strong, theme.Marked
			case t.head.Bad > 0:
				tone = theme.Bad
			case t.head.Warn > 0:
				tone = theme.Warn
			}
			if !t.focused {
				text = " " + text + " "
			}
			b.WriteString(th.On(surface, tone, text))
			w += kit.Width(text)
		}
		return b.String(), w
	}
	text, w := draw(false)
	if w > width {
		text, _ = draw(true)
	}
	for _, t := range titles {
		if t.focused && t.filter != "" {
			text = kit.Cut(text, width-kit.Width(t.filter)-4, "") + " " + th.On(theme.Chip, theme.Text, " /"+kit.Clean(t.filter)+" ")
		}
	}
	return kit.Cut(text, width, "")
}

// stripCell is the cells that a title takes in the strip, for clicks.
func stripCell(t title, th theme.Theme, short bool) int {
	return kit.Width(stripText(t, th, short)) + 2
}

// stripIsShort reports a width that has no room for the words.
func stripIsShort(titles []title, th theme.Theme, width int) bool {
	w := 0
	for _, t := range titles {
		w += stripCell(t, th, false)
	}
	return w > width
}

// Private

func titleLine(t title, left, right string, w int, th theme.Theme) string {
	tone := borderTone(t.focused)
	name := theme.Dim
	if t.focused {
		name = theme.Strong
	}
	pieces := []piece{{theme.Plain, tone, left + th.Border.Horizontal + " "}}
	if t.number > 0 {
		pieces = append(pieces, piece{theme.Plain, theme.Faint, fmt.Sprint(t.number, " ")})
	}
	pieces = append(pieces, piece{theme.Plain, name, kit.Clean(t.text)})
	if t.head.Count >= 0 {
		pieces = append(pieces, piece{theme.Plain, theme.Dim, " " + t.count()})
	}
	if t.head.Bad > 0 {
		pieces = append(pieces, piece{theme.Plain, theme.Bad, fmt.Sprint(" ", th.Lost, t.head.Bad)})
	}
	if t.head.Warn > 0 {
		pieces = append(pieces, piece{theme.Plain, theme.Warn, fmt.Sprint(" ", th.Alert, t.head.Warn)})
	}
	if t.head.Note != "" {
		pieces = append(pieces, piece{theme.Plain, theme.Dim, "  " + kit.Clean(t.head.Note)})
	}
	if t.filter != "" {
		pieces = append(pieces, piece{theme.Plain, theme.Text, " "}, piece{theme.Chip, theme.Text, " /" + kit.Clean(t.filter) + " "})
	}
	pieces = append(pieces, piece{theme.Plain, tone, " "})
	var b strings.Builder
	room := w - kit.Width(right)
	for _, p := range pieces {
		text := kit.Cut(p.text, room, th.Ellipsis)
		room -= kit.Width(text)
		b.WriteString(th.On(p.surface, p.tone, text))
	}
	b.WriteString(th.Paint(tone, strings.Repeat(th.Border.Horizontal, max(room, 0))+right))
	return b.String()
}

func stripText(t title, th theme.Theme, short bool) string {
	text := t.text
	if short {
		text = ""
	}
	if t.number > 0 {
		text = strings.TrimRight(fmt.Sprint(t.number, " ", text), " ")
	}
	if t.head.Count >= 0 && !short {
		text += " " + t.count()
	}
	if t.head.Bad > 0 {
		text += fmt.Sprint(" ", th.Lost, t.head.Bad)
	}
	if t.head.Warn > 0 {
		text += fmt.Sprint(" ", th.Alert, t.head.Warn)
	}
	return text
}

func borderTone(focused bool) theme.Tone {
	if focused {
		return theme.Accent
	}
	return theme.Faint
}
