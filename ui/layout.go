package ui

import (
	"binnacle/ui/kit"
)

// rect is a rectangle of cells.
type rect struct{ x, y, w, h int }

// holds reports a cell inside.
func (r rect) holds(x, y int) bool { return x >= r.x && x < r.x+r.w && y >= r.y && y < r.y+r.h }

// region is where the inside of a pane is.
type region struct {
	id kit.PaneID
	rect
}

// column is a box of panes over each other that share their borders.
type column struct {
	x, w  int
	panes []region
}

// layout is where everything is. Rows are counted from the top; -1 is nowhere.
type layout struct {
	width, height int
	status, strip int
	footer        int
	body          rect
	columns       []column // framed panes
	bare          region   // one pane without a frame; empty id for none
}

// The sizes from which panes stand side by side or over each other.
const (
	wideFrom  = 100
	tallFrom  = 18
	stackFrom = 40
)

// arrange lays out a screen: the full pane alone, or the overview as far as
// there is room for it. wants are the lines that panes would fill.
func arrange(width, height int, focus, full kit.PaneID, wants map[kit.PaneID]int) layout {
	l := layout{width: width, height: height, status: -1, strip: -1, footer: -1}
	l.rows()
	framed := width >= wideFrom && height >= tallFrom
	switch {
	case full != "" && framed:
		l.columns = []column{stack(l.body, []kit.PaneID{full}, []int{l.body.h - 2})}
	case full != "":
		l.withStrip() // its title
		l.bare = region{id: full, rect: l.body}
	case framed:
		l.sideBySide(wants)
	case height >= stackFrom && width >= 40:
		l.overEachOther(wants)
	default:
		l.withStrip()
		l.bare = region{id: focus, rect: l.body}
	}
	return l
}

// regions lists the panes on screen.
func (l *layout) regions() []region {
	var out []region
	for _, c := range l.columns {
		out = append(out, c.panes...)
	}
	if l.bare.id != "" {
		out = append(out, l.bare)
	}
	return out
}

// at finds the pane under a cell, frame included.
func (l *layout) at(x, y int) (region, bool) {
	for _, r := range l.regions() {
		grown := rect{r.x - 1, r.y - 1, r.w + 2, r.h + 1}
		if r.holds(x, y) || l.bare.id == "" && grown.holds(x, y) {
			return r, true
		}
	}
	return region{}, false
}

// Private

// rows gives the status line and the footer their places; the body has priority
// when there is hardly any height.
func (l *layout) rows() {
	top, bottom := 0, l.height
	if l.height >= 2 {
		l.status, top = 0, 1
	}
	if l.height >= 4 {
		l.footer, bottom = l.height-1, l.height-1
	}
	l.body = rect{0, top, l.width, max(bottom-top, 0)}
}

func (l *layout) withStrip() {
	if l.body.h >= 2 {
		l.strip = l.body.y
		l.body.y++
		l.body.h--
	}
}

func (l *layout) sideBySide(wants map[kit.PaneID]int) {
	left := max(40, min(l.width*36/100, 92))
	h := l.body.h
	inner := h - 4
	tasks := between(wants[kit.Tasks], 3, max(inner/4, 3))
	accessories := between(wants[kit.Accessories], 2, max(inner/4, 2))
	hosts := between(wants[kit.Hosts], 1, max(inner-tasks-accessories, 1))
	tasks = max(inner-hosts-accessories, 1) // what is left over shows history
	ids, heights := []kit.PaneID{kit.Hosts, kit.Accessories, kit.Tasks}, []int{hosts, accessories, tasks}
	if room := tasks - max(wants[kit.Tasks], 6); wants[kit.Notices] > 1 && room >= 5 {
		notices := between(wants[kit.Notices], 3, room-1)
		heights[2] = tasks - notices - 1
		ids, heights = append(ids, kit.Notices), append(heights, notices)
	}
	l.columns = append(l.columns, stack(rect{0, l.body.y, left, h}, ids, heights))
	inner = h - 3
	containers := between(wants[kit.Containers], 4, max(inner*45/100, 4))
	l.columns = append(l.columns, stack(rect{left, l.body.y, l.width - left, h},
		[]kit.PaneID{kit.Containers, kit.Logs}, []int{containers, max(inner-containers, 1)}))
}

func (l *layout) overEachOther(wants map[kit.PaneID]int) {
	inner := l.body.h - 6
	hosts := between(wants[kit.Hosts], 3, inner/4)
	containers := between(wants[kit.Containers], 4, inner/4)
	accessories := between(wants[kit.Accessories], 2, inner/8)
	tasks := between(wants[kit.Tasks], 3, inner/6)
	logs := inner - hosts - containers - accessories - tasks
	l.columns = append(l.columns, stack(l.body,
		[]kit.PaneID{kit.Hosts, kit.Containers, kit.Accessories, kit.Logs, kit.Tasks},
		[]int{hosts, containers, accessories, logs, tasks}))
}

// Helpers

// stack puts panes over each other in one box; heights are those of the insides.
func stack(box rect, ids []kit.PaneID, heights []int) column {
	c := column{x: box.x, w: box.w}
	y := box.y + 1
	for i, id := range ids {
		c.panes = append(c.panes, region{id: id, rect: rect{box.x + 1, y, max(box.w-2, 0), max(heights[i], 0)}})
		y += heights[i] + 1
	}
	return c
}

func between(n, least, most int) int { return max(least, min(n, most)) }
