package widget

import (
	"binnacle/ops/logs"
	"binnacle/ui/kit"
)

// Move carries out a motion; false when it is none that a log knows.
func (l *LogList) Move(a kit.Action) bool {
	page := max(l.frame.Height-1, 1)
	switch a {
	case kit.Up:
		l.step(-1)
	case kit.Down:
		l.step(1)
	case kit.PageUp:
		l.By(-page)
	case kit.PageDown:
		l.By(page)
	case kit.HalfUp:
		l.By(-max(page/2, 1))
	case kit.HalfDown:
		l.By(max(page/2, 1))
	case kit.Top:
		l.loose, l.top = true, anchor{}
		l.settle()
	case kit.Bottom:
		l.Follow(true)
	case kit.Left:
		l.slide(-shiftCells)
	case kit.Right:
		l.slide(shiftCells)
	default:
		return false
	}
	return true
}

// By scrolls by rows. Going up stops following; reaching the end goes on with it.
func (l *LogList) By(rows int) {
	if rows == 0 || l.Len() == 0 {
		return
	}
	end := l.end()
	l.top = l.moved(l.top, rows)
	l.loose = rows < 0 || l.top.before(end)
	if rows < 0 && !l.top.before(end) {
		l.loose = false // everything fits on the screen
	}
	l.settle()
}

// Next goes to the next match of the search, or to the previous one. Without a
// current match it begins at what is on screen. It reports false when there is
// none further.
func (l *LogList) Next(forward bool) bool {
	if l.search == nil {
		return false
	}
	for !l.search.Scan(l.frame.View, scanBudget) {
	}
	i := l.search.Search(l.from(forward))
	if !forward {
		i--
	}
	for ; i >= 0 && i < l.search.Len(); i += sign(forward) {
		seq := l.search.At(i)
		if line, ok := l.frame.View.Line(seq); !ok || l.filter != nil && !l.filter.Query().Match(line) {
			continue
		}
		l.hit = &seq
		l.reveal(seq)
		return true
	}
	return false
}

// Pick begins a selection at the current match or the last line on screen;
// motions extend it. A second Pick begins anew.
func (l *LogList) Pick() {
	rows := l.window()
	if len(rows) == 0 {
		return
	}
	seq := rows[len(rows)-1].seq
	if l.hit != nil {
		seq = *l.hit
	}
	l.pick = pick{on: true, from: seq, to: seq}
	l.loose = true
	l.settle()
}

// PickAt selects the line at a row of the window; false when there is none.
func (l *LogList) PickAt(row int) bool {
	rows := l.window()
	if row < 0 || row >= len(rows) {
		return false
	}
	l.pick = pick{on: true, from: rows[row].seq, to: rows[row].seq}
	l.loose = true
	l.settle()
	return true
}

// Unpick takes the selection away; false when there was none.
func (l *LogList) Unpick() bool {
	had := l.pick.on
	l.pick = pick{}
	return had
}

// Picked are the selected lines, whole; none without a selection.
func (l *LogList) Picked() []logs.Line {
	if !l.pick.on {
		return nil
	}
	var out []logs.Line
	low, high := min(l.pick.from, l.pick.to), max(l.pick.from, l.pick.to)
	for i := l.index(low); i < l.Len() && l.seqAt(i) <= high; i++ {
		if line, ok := l.frame.View.Line(l.seqAt(i)); ok {
			out = append(out, line)
		}
	}
	return out
}

// Private

// shiftCells is how far one step to the side goes.
const shiftCells = 8

// position is one row on screen.
type position = anchor

func (a anchor) before(b anchor) bool { return a.seq < b.seq || a.seq == b.seq && a.sub < b.sub }

// step moves the end of a selection, or scrolls.
func (l *LogList) step(by int) {
	if !l.pick.on {
		l.By(by)
		return
	}
	i := l.index(l.pick.to) + by
	if i < 0 || i >= l.Len() {
		return
	}
	l.pick.to = l.seqAt(i)
	l.reveal(l.pick.to)
}

func (l *LogList) slide(by int) {
	if l.look.Wrap {
		return
	}
	longest := 0
	for _, line := range l.Visible() {
		longest = max(longest, len(line.Text))
	}
	l.shift = max(0, min(l.shift+by, longest-1))
	l.drawn.check(l.stamp())
}

// settle puts the window where it belongs: at the end while following, and
// never so far down that its end stays empty.
func (l *LogList) settle() {
	if l.Len() == 0 {
		return
	}
	end := l.end()
	if !l.loose || !l.top.before(end) {
		l.top = end
		return
	}
	i := l.index(l.top.seq)
	if seq := l.seqAt(i); seq != l.top.seq { // dropped or filtered away
		l.top = anchor{seq: seq}
	}
	l.top.sub = min(l.top.sub, len(l.rows(l.top.seq))-1)
}

// end is the anchor that shows the last row at the bottom.
func (l *LogList) end() anchor {
	left := max(l.frame.Height, 1)
	for i := l.Len() - 1; i >= 0; i-- {
		seq := l.seqAt(i)
		h := len(l.rows(seq))
		if h >= left || i == 0 {
			return anchor{seq: seq, sub: max(0, h-left)}
		}
		left -= h
	}
	return anchor{}
}

// moved is an anchor some rows further, within the list.
func (l *LogList) moved(a anchor, rows int) anchor {
	i := min(l.index(a.seq), l.Len()-1)
	a.seq = l.seqAt(i)
	a.sub += rows
	for a.sub < 0 && i > 0 {
		i--
		a.seq = l.seqAt(i)
		a.sub += len(l.rows(a.seq))
	}
	for i < l.Len()-1 && a.sub >= len(l.rows(a.seq)) {
		a.sub -= len(l.rows(a.seq))
		i++
		a.seq = l.seqAt(i)
	}
	a.sub = max(0, min(a.sub, len(l.rows(a.seq))-1))
	return a
}

// window is what is on screen, row by row.
func (l *LogList) window() []position {
	if l.Len() == 0 || l.frame.Height <= 0 || l.frame.Width <= 0 {
		return nil
	}
	out := make([]position, 0, l.frame.Height)
	at := l.top
	for i := l.index(at.seq); i < l.Len() && len(out) < l.frame.Height; i++ {
		seq := l.seqAt(i)
		sub := 0
		if seq == at.seq {
			sub = at.sub
		}
		for n := len(l.rows(seq)); sub < n && len(out) < l.frame.Height; sub++ {
			out = append(out, position{seq: seq, sub: sub})
		}
	}
	return out
}

// reveal scrolls to a line only when it is not on screen, and then puts it in
// the middle.
func (l *LogList) reveal(seq uint64) {
	l.loose = true
	for _, r := range l.window() {
		if r.seq == seq {
			l.settle()
			return
		}
	}
	l.top = l.moved(anchor{seq: seq}, -l.frame.Height/2)
	l.settle()
}

// from is where the search for the next match begins: matches at or after it
// come next, those before it were passed.
func (l *LogList) from(forward bool) uint64 {
	switch {
	case l.hit != nil && forward:
		return *l.hit + 1
	case l.hit != nil:
		return *l.hit
	}
	rows := l.window()
	switch {
	case len(rows) == 0:
		return 0
	case forward:
		return rows[0].seq
	}
	return rows[len(rows)-1].seq + 1
}

// Helpers

func sign(forward bool) int {
	if forward {
		return 1
	}
	return -1
}
