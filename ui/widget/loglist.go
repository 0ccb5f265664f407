package widget

import (
	"time"

	"binnacle/ops/logs"
	"binnacle/ui/theme"
)

// LogList is a window on a ring of log lines. It is anchored to a line and a
// row of it, so that lines that come or are dropped never move what is read;
// only what is on the screen is measured and drawn. The zero LogList shows
// nothing; it follows once Sync was called.
type LogList struct {
	frame  LogFrame
	look   LogLook
	filter *logs.Index // nil: every line
	search *logs.Index // nil: nothing is looked for
	top    anchor
	loose  bool // does not follow
	shift  int  // cells scrolled to the right
	hit    *uint64
	pick   pick
	marks  map[uint64]time.Time
	gutter gutter
	drawn  drawnLogs
}

// LogFrame is what a LogList draws from.
type LogFrame struct {
	View    logs.View
	Sources []*logs.Source // all that may occur: they fix the columns' widths
	Width   int
	Height  int
	Theme   theme.Theme
	Zone    *time.Location // of the times shown; nil is UTC
}

// LogLook is how lines are shown.
type LogLook struct {
	Wrap  bool
	Times LogTimes
	Plain bool // without columns for source and level
}

// LogTimes is how times are shown.
type LogTimes int

// The ways to show times.
const (
	TimeOfDay LogTimes = iota
	FullTimes          // with day and milliseconds
	NoTimes
)

// anchor is the row at the top of the window.
type anchor struct {
	seq uint64
	sub int // row within the line
}

// pick is a range of lines that a person selected.
type pick struct {
	on       bool
	from, to uint64
}

// Sync takes over what changed and keeps the window where it is, or at the end
// when it follows. It reports false while older lines are still to be looked at
// for the filter; another Sync goes on.
func (l *LogList) Sync(frame LogFrame) bool {
	if frame.Zone == nil {
		frame.Zone = time.UTC
	}
	l.frame = frame
	l.gutter = newGutter(frame, l.look)
	done := true
	if l.filter != nil {
		done = l.filter.Scan(frame.View, scanBudget)
	}
	if l.search != nil {
		done = l.search.Scan(frame.View, scanBudget) && done
	}
	l.forget()
	l.drawn.check(l.stamp())
	l.settle()
	return done
}

// Look is how lines are shown now.
func (l *LogList) Look() LogLook { return l.look }

// SetLook changes how lines are shown.
func (l *LogList) SetLook(look LogLook) {
	l.look, l.shift = look, 0
	l.Sync(l.frame)
}

// Filter keeps the lines that match; what is read stays where it is as far as
// it matches. An empty query shows all lines.
func (l *LogList) Filter(q logs.Query) {
	if q.Empty() {
		l.filter = nil
	} else if l.filter == nil || l.filter.Query().String() != q.String() {
		l.filter = logs.NewIndex(q)
	}
	l.Sync(l.frame)
}

// Search highlights a query and gives Next and Previous their aim.
func (l *LogList) Search(q logs.Query) {
	switch {
	case q.Empty():
		l.search, l.hit = nil, nil
	case l.search == nil || l.search.Query().String() != q.String():
		l.search, l.hit = logs.NewIndex(q), nil
	}
	l.Sync(l.frame)
}

// Matches is the number of lines that the search found so far.
func (l *LogList) Matches() int {
	if l.search == nil {
		return 0
	}
	return l.search.Len()
}

// Len is the number of lines that pass the filter.
func (l *LogList) Len() int {
	if l.filter != nil {
		return l.filter.Len()
	}
	return l.frame.View.Len()
}

// Following reports that new lines scroll the window.
func (l *LogList) Following() bool { return !l.loose }

// Follow switches following on or off.
func (l *LogList) Follow(on bool) {
	l.loose = !on
	l.settle()
}

// Below is the number of lines after the last one on screen.
func (l *LogList) Below() int {
	rows := l.window()
	if len(rows) == 0 {
		return 0
	}
	return l.Len() - 1 - l.index(rows[len(rows)-1].seq)
}

// Mark draws a rule with the time under the last line on screen, or takes it
// away when there is one.
func (l *LogList) Mark(now time.Time) {
	rows := l.window()
	if len(rows) == 0 {
		return
	}
	seq := rows[len(rows)-1].seq
	if _, ok := l.marks[seq]; ok {
		delete(l.marks, seq)
	} else {
		if l.marks == nil {
			l.marks = map[uint64]time.Time{}
		}
		l.marks[seq] = now
	}
	l.drawn.drop(seq)
	if now := l.window(); l.loose && len(now) == l.frame.Height && now[len(now)-1] == rows[len(rows)-1] {
		l.top = l.moved(l.top, 1) // the rule came below the edge
	}
	l.settle()
}

// Visible are the lines on screen, whole.
func (l *LogList) Visible() []logs.Line {
	var out []logs.Line
	for _, r := range l.window() {
		if line, ok := l.frame.View.Line(r.seq); ok && (len(out) == 0 || out[len(out)-1].Seq != r.seq) {
			out = append(out, line)
		}
	}
	return out
}

// All are all lines that pass the filter, for saving.
func (l *LogList) All() []logs.Line {
	out := make([]logs.Line, 0, l.Len())
	for i := range l.Len() {
		if line, ok := l.frame.View.Line(l.seqAt(i)); ok {
			out = append(out, line)
		}
	}
	return out
}

// Lines draws the window: at most Height lines, none wider than Width.
func (l *LogList) Lines() []string {
	rows := l.window()
	out := make([]string, 0, len(rows))
	for _, r := range rows {
		out = append(out, l.rows(r.seq)[r.sub])
	}
	return out
}

// Private

// scanBudget is how many older lines one Sync looks at.
const scanBudget = 25_000

// seqAt is the line at a position of the list.
func (l *LogList) seqAt(i int) uint64 {
	if l.filter != nil {
		return l.filter.At(i)
	}
	return l.frame.View.First() + uint64(i)
}

// index is the position of the first line at or after a sequence number.
func (l *LogList) index(seq uint64) int {
	if l.filter != nil {
		return l.filter.Search(seq)
	}
	v := l.frame.View
	return int(min(max(seq, v.First()), v.Next()) - v.First())
}

// forget drops marks and hits that the ring has dropped.
func (l *LogList) forget() {
	first := l.frame.View.First()
	for seq := range l.marks {
		if seq < first {
			delete(l.marks, seq)
		}
	}
	if l.hit != nil && *l.hit < first {
		l.hit = nil
	}
	if l.pick.on && max(l.pick.from, l.pick.to) < first {
		l.pick = pick{}
	}
}
