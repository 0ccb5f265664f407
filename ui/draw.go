package ui

import (
	"slices"
	"strings"

	"github.com/charmbracelet/x/ansi"

	"binnacle/ui/kit"
	"binnacle/ui/theme"
)

// Private

// draw composes the frame: exactly the height in lines, none wider than the width.
func (m *Model) draw() string {
	l := &m.layout
	lines := make([]string, max(l.height, 0))
	put := func(y int, text string) {
		if y >= 0 && y < len(lines) {
			lines[y] = text
		}
	}
	if l.status >= 0 {
		put(l.status, statusLine(&m.summary, m.theme, m.now, l.width, leavingWords(m.leaving)))
	}
	switch {
	case l.strip < 0:
	case m.alone() != "":
		rule := m.theme.Border.Horizontal
		put(l.strip, titleLine(m.title(m.alone()), rule, rule, l.width, m.theme))
	default:
		put(l.strip, stripLine(m.stripTitles(), m.theme, l.width))
	}
	m.drawBody(put)
	if l.footer >= 0 {
		put(l.footer, m.footer())
	}
	if m.overlay.dialog != nil {
		m.drawOverlay(lines)
	}
	return m.finish(lines)
}

func (m *Model) drawBody(put func(int, string)) {
	l := &m.layout
	if l.bare.id != "" {
		for i, line := range m.frames.lines(l.bare.id, m.paneView(l.bare.id), l.bare.w, l.bare.h) {
			put(l.bare.y+i, line)
		}
		return
	}
	titles := m.titles()
	columns := make([][]string, len(l.columns))
	for i, c := range l.columns {
		columns[i] = m.frames.column(c, l.body.h, titles, m.paneView, m.theme)
	}
	var b strings.Builder
	for y := range l.body.h {
		b.Reset()
		for i, c := range columns {
			if y < len(c) {
				b.WriteString(c[y])
			} else {
				b.WriteString(kit.Space(l.columns[i].w))
			}
		}
		put(l.body.y+y, b.String())
	}
}

func (m *Model) paneView(id kit.PaneID) string {
	if p, ok := m.panes[id]; ok {
		return p.View()
	}
	return ""
}

func (m *Model) titles() map[kit.PaneID]title {
	out := map[kit.PaneID]title{}
	for _, r := range m.layout.regions() {
		out[r.id] = m.title(r.id)
	}
	return out
}

func (m *Model) title(id kit.PaneID) title {
	t := title{focused: id == m.current(), filter: m.filters[id].Text, head: kit.Head{Count: -1}, text: strings.ToUpper(string(id[:1])) + string(id[1:])}
	if p, ok := m.panes[id]; ok {
		t.head, t.text = p.Head(), p.Spec().Title
		if t.head.Title != "" {
			t.text = t.head.Title
		}
	}
	for i, o := range overview() {
		if o == id {
			t.number = i + 1
		}
	}
	return t
}

func (m *Model) stripTitles() []title {
	out := make([]title, 0, 5)
	for _, id := range overview() {
		out = append(out, m.title(id))
	}
	return out
}

func (m *Model) footer() string {
	if m.filtering != nil {
		return filterLine(m.filtering, m.theme, m.width)
	}
	keys := m.keys.Footer(m.current())
	if m.current() == kit.Details {
		keys = slices.DeleteFunc(keys, func(k kit.KeySpec) bool { return k.ID == kit.Enter })
	}
	return footerLine(m.summary.alerts, m.notice, keys, m.theme, m.width)
}

// drawOverlay lays the dialog over the lines, in the middle.
func (m *Model) drawOverlay(lines []string) {
	box := strings.Split(m.overlay.dialog.View(), "\n")
	w := 0
	for _, line := range box {
		w = max(w, kit.Width(line))
	}
	m.overlay.place(w, len(box), m.width, m.height)
	r := m.overlay.rect
	for i := range lines { // what lies behind steps back
		lines[i] = m.theme.Paint(theme.Faint, ansi.Strip(lines[i]))
	}
	for i, line := range box {
		y := r.y + i
		if y < 0 || y >= len(lines) {
			continue
		}
		left := kit.Pad(ansi.Cut(lines[y], 0, r.x), r.x, "")
		right := ""
		if r.x+r.w < m.width {
			right = ansi.Cut(lines[y], r.x+r.w, m.width)
		}
		lines[y] = left + kit.Pad(line, r.w, "") + right
	}
}

func (m *Model) finish(lines []string) string {
	var b strings.Builder
	for i, line := range lines {
		if i > 0 {
			b.WriteByte('\n')
		}
		if framed := m.layout.bare.id == "" && m.overlay.dialog == nil && i >= m.layout.body.y && i < m.layout.body.y+m.layout.body.h; !framed {
			line = kit.Cut(line, m.width, "") // frames are exact, and measuring costs
		}
		if m.theme.ASCII {
			line = sevenBit(line)
		}
		b.WriteString(line)
	}
	return b.String()
}

// Helpers

// sevenBit replaces what an ASCII terminal cannot show, cell by cell.
func sevenBit(line string) string {
	if strings.IndexFunc(line, func(r rune) bool { return r > 0x7e }) < 0 {
		return line
	}
	var b strings.Builder
	for _, r := range line {
		switch {
		case r <= 0x7e:
			b.WriteRune(r)
		case r == '→':
			b.WriteByte('>')
		case r == '…':
			b.WriteByte('~')
		case r == '–', r == '—':
			b.WriteByte('-')
		default:
			b.WriteString(strings.Repeat("?", kit.Width(string(r))))
		}
	}
	return b.String()
}

func leavingWords(l kit.Leaving) string {
	switch l {
	case kit.LeaveWait:
		return "then leaving"
	case kit.LeaveCancel:
		return "leaving once it stopped"
	}
	return ""
}
