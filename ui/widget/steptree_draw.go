package widget

import (
	"fmt"
	"strings"
	"time"

	"binnacle/ops"
	"binnacle/ui/kit"
	"binnacle/ui/theme"
)

// tookWidth is the column of elapsed times: "12 m 05 s".
const tookWidth = 9

func (t *StepTree) draw(r stepRow, on theme.Surface) string {
	var b strings.Builder
	p := &pen{b: &b, th: t.frame.Theme, surface: on, left: t.frame.Width}
	p.text(theme.Text, " "+kit.Space(2*r.depth))
	switch {
	case r.rest:
		t.drawRest(p, r)
	case r.host && !r.open:
		t.drawHost(p, r)
	default:
		t.drawStep(p, r)
	}
	if on != theme.Plain {
		p.text(theme.Text, kit.Space(p.left))
	}
	return b.String()
}

// drawStep is a step or group in columns: symbol, title, time, what is known.
func (t *StepTree) drawStep(p *pen, r stepRow) {
	s := &t.frame.Task.Steps[r.node]
	mark := StepMark(s.Status, t.frame.Theme)
	p.text(mark.Tone, mark.Text+" ")
	p.text(stepTone(s.Status), kit.Pad(t.title(r.node), t.label-2*r.depth, t.frame.Theme.Ellipsis)+" ")
	p.text(theme.Text, kit.PadLeft(took(s, t.frame.Now), tookWidth, "")+"  ")
	for i, c := range t.facts(r) {
		if i > 0 {
			p.text(theme.Text, "  ")
		}
		p.text(c.Tone, kit.Cut(c.Text, p.left, t.frame.Theme.Ellipsis))
	}
}

// drawHost is a host in one row: its steps side by side, those that are over
// folded when space is short.
func (t *StepTree) drawHost(p *pen, r stepRow) {
	s := &t.frame.Task.Steps[r.node]
	mark := StepMark(s.Status, t.frame.Theme)
	p.text(mark.Tone, mark.Text+" ")
	p.text(stepTone(s.Status), kit.Pad(t.title(r.node), t.hosts-2*r.depth, t.frame.Theme.Ellipsis)+"  ")
	items := t.hostItems(r.node)
	if len(items) == 0 {
		p.text(theme.Dim, stepWord(s))
	}
	for fold := 0; ; fold++ {
		line := foldItems(items, fold, t.frame.Theme)
		if fold >= len(items)-1 || itemsWidth(line) <= p.left {
			for _, c := range line {
				p.text(c.Tone, kit.Cut(c.Text, p.left, t.frame.Theme.Ellipsis))
			}
			break
		}
	}
	if note := kit.Clean(s.Note); note != "" {
		p.text(theme.Dim, kit.Cut("   "+note, p.left, t.frame.Theme.Ellipsis))
	}
}

// drawRest counts what a crowd does not show one by one.
func (t *StepTree) drawRest(p *pen, r stepRow) {
	var c stepCounts
	for _, k := range r.of {
		c.add(t.frame.Task.Steps[k].Status)
	}
	verb := "enter shows them"
	if r.open {
		verb = "enter hides them"
	}
	p.text(theme.Dim, t.frame.Theme.Waiting+" "+fmt.Sprintf("%d more: ", c.total))
	p.text(theme.Text, c.words())
	p.text(theme.Dim, "   "+verb)
}

// facts are what is known of a step beside its time, the gravest first.
func (t *StepTree) facts(r stepRow) []Cell {
	s, n := &t.frame.Task.Steps[r.node], t.nodes[r.node]
	var out []Cell
	switch {
	case len(n.kids) > 0:
		out = t.groupFacts(s, n)
	case s.Status == ops.Failed && len(s.Errors) > 0:
		out = append(out, Cell{Text: kit.Clean(errorLine(s.Errors[0])), Tone: theme.Bad})
	case s.Status == ops.Running:
		out = append(out, progressCells(s.Progress, s.Elapsed(t.frame.Now), t.frame.Theme)...)
	case s.Status == ops.Done && s.Progress.Unit == bytesUnit && s.Progress.Done > 0:
		out = append(out, Cell{Text: kit.Bytes(s.Progress.Done), Tone: theme.Dim})
	case s.Status != ops.Done:
		out = append(out, Cell{Text: stepWord(s), Tone: theme.Dim})
	}
	if s.Note != "" {
		out = append(out, Cell{Text: kit.Clean(s.Note), Tone: noteTone(s.Status)})
	}
	return out
}

func (t *StepTree) groupFacts(s *ops.StepState, n stepNode) []Cell {
	c := n.counts
	switch s.Status {
	case ops.Pending:
		return []Cell{{Text: kit.Plural(c.total, t.memberWord(n)), Tone: theme.Dim}}
	case ops.Skipped:
		return []Cell{{Text: stepWord(s), Tone: theme.Dim}}
	}
	var out []Cell
	if c.failed > 0 {
		out = append(out, Cell{Text: fmt.Sprintf("%d failed", c.failed), Tone: theme.Bad})
	}
	if s.Status != ops.Done || c.total > crowd || c.failed > 0 {
		out = append(out, Cell{Text: fmt.Sprintf("%d/%d done", c.done+c.skipped, c.total), Tone: theme.Text})
	} else {
		out = append(out, Cell{Text: kit.Plural(c.total, t.memberWord(n)), Tone: theme.Dim})
	}
	if s.Status == ops.Running {
		out = append(out, progressCells(t.together(n), s.Elapsed(t.frame.Now), t.frame.Theme)...)
	}
	if s.Status == ops.Cancelled {
		out = append(out, Cell{Text: stepWord(s), Tone: theme.Warn})
	}
	return out
}

// together adds up the bytes of a group's members; the total is known only
// when every member's is, and so is what is usual.
func (t *StepTree) together(n stepNode) ops.Progress {
	sum := ops.Progress{Unit: bytesUnit}
	known, usual := true, true
	for _, k := range n.kids {
		p := t.frame.Task.Steps[k].Progress
		if p.Unit != bytesUnit && p != (ops.Progress{}) {
			return ops.Progress{}
		}
		known = known && p.Total > 0
		sum.Done += p.Done
		sum.Total += p.Total
		usual = usual && p.Usual > 0
		sum.Usual += p.Usual
	}
	if !known {
		sum.Total = 0
	}
	if !usual {
		sum.Usual = 0
	}
	return sum
}

func (t *StepTree) memberWord(n stepNode) string {
	for _, k := range n.kids {
		if t.frame.Task.Steps[k].Host == "" {
			return "step"
		}
	}
	if n.host {
		return "step"
	}
	return "host"
}

// hostItem is one step of a host's row.
type hostItem struct {
	cells  []Cell
	done   bool
	failed bool
	took   time.Duration
}

func (t *StepTree) hostItems(node int) []hostItem {
	var out []hostItem
	for _, k := range t.nodes[node].kids {
		s := &t.frame.Task.Steps[k]
		if s.Status == ops.Pending || s.Status == ops.Skipped {
			continue
		}
		mark := StepMark(s.Status, t.frame.Theme)
		item := hostItem{done: s.Status == ops.Done, failed: s.Status == ops.Failed, took: s.Elapsed(t.frame.Now)}
		item.cells = []Cell{
			{Text: mark.Text + " ", Tone: mark.Tone}, {Text: kit.Clean(s.Title), Tone: stepTone(s.Status)},
			{Text: " " + took(s, t.frame.Now), Tone: theme.Dim},
		}
		for _, fact := range t.facts(stepRow{node: k}) {
			item.cells = append(item.cells, Cell{Text: "  " + fact.Text, Tone: fact.Tone})
		}
		out = append(out, item)
	}
	return out
}

// Helpers

const bytesUnit = "bytes"

// foldItems joins items, the first fold of them in short: their notes go, then
// they become a count.
func foldItems(items []hostItem, fold int, th theme.Theme) []Cell {
	var out []Cell
	folded, sum, over := 0, time.Duration(0), false
	for i, item := range items {
		if fold > 0 && over && item.done {
			continue // what was done after a failure is cleaning up
		}
		over = over || item.failed
		if i < fold && item.done {
			folded++
			sum += item.took
			continue
		}
		if folded > 0 {
			out = append(out, Cell{Text: th.Done + " ", Tone: theme.Good}, Cell{Text: fmt.Sprintf("%d done ", folded), Tone: theme.Text},
				Cell{Text: kit.Took(sum) + "   ", Tone: theme.Dim})
			folded, sum = 0, 0
		}
		cells := item.cells
		if item.done && fold > 0 && i < len(items)-1 {
			cells = cells[:3]
		}
		out = append(out, cells...)
		out = append(out, Cell{Text: "   "})
	}
	if n := len(out); n > 0 {
		out = out[:n-1]
	}
	return out
}

func itemsWidth(cells []Cell) int {
	sum := 0
	for _, c := range cells {
		sum += kit.Width(c.Text)
	}
	return sum
}

// words are the counts that are not zero: "140 done, 10 waiting".
func (c stepCounts) words() string {
	var parts []string
	for _, p := range []struct {
		n    int
		word string
	}{
		{c.failed, "failed"}, {c.running, "running"}, {c.done, "done"}, {c.cancelled, "cancelled"},
		{c.waiting, "waiting"}, {c.skipped, "skipped"},
	} {
		if p.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", p.n, p.word))
		}
	}
	return strings.Join(parts, ", ")
}

// progressCells show a progress as it was counted: a bar needs a total. Bytes
// come with their rate, and with the time left where there is anything to tell it by.
func progressCells(p ops.Progress, elapsed time.Duration, th theme.Theme) []Cell {
	var out []Cell
	switch {
	case p.Total > 0:
		out = append(out, Cell{Text: Bar(p.Done, p.Total, barCells, th), Tone: theme.Busy},
			Cell{Text: amount(p.Done, p.Unit) + " of " + amount(p.Total, p.Unit) + unitWord(p.Unit), Tone: theme.Text})
	case p.Done > 0:
		out = append(out, Cell{Text: amount(p.Done, p.Unit) + unitWord(p.Unit), Tone: theme.Text})
	}
	if pace := paceWords(p, elapsed, th); pace != "" {
		out = append(out, Cell{Text: pace, Tone: theme.Dim})
	}
	if p.Text != "" {
		out = append(out, Cell{Text: kit.Clean(p.Text), Tone: theme.Dim})
	}
	return out
}

// paceWords are a rate and the time left: "38M/s · about 40 s left".
func paceWords(p ops.Progress, elapsed time.Duration, th theme.Theme) string {
	rate := p.Rate(elapsed)
	if p.Unit != bytesUnit || rate == 0 || p.Total > 0 && p.Done >= p.Total {
		return ""
	}
	text := kit.Bytes(rate) + "/s"
	if left, ok := p.Left(elapsed); ok {
		text += " " + th.Dot + " about " + kit.About(left) + " left"
	}
	return text
}

const barCells = 10

// Bar is a bar of some cells, filled as far as was counted.
func Bar(done, total int64, cells int, th theme.Theme) string {
	full := 0
	if total > 0 {
		full = int(float64(min(max(done, 0), total)) / float64(total) * float64(cells))
	}
	return strings.Repeat(th.Full, full) + strings.Repeat(th.Empty, cells-full)
}

func amount(n int64, unit string) string {
	if unit == bytesUnit {
		return kit.Bytes(n)
	}
	return fmt.Sprint(n)
}

func unitWord(unit string) string {
	if unit == bytesUnit || unit == "" {
		return ""
	}
	return " " + unit
}

// StepMark is the symbol of a status.
func StepMark(s ops.Status, th theme.Theme) Cell {
	switch s {
	case ops.Running:
		return Cell{Text: th.Active, Tone: theme.Busy}
	case ops.Done:
		return Cell{Text: th.Done, Tone: theme.Good}
	case ops.Failed:
		return Cell{Text: th.Lost, Tone: theme.Bad}
	case ops.Cancelled:
		return Cell{Text: th.Alert, Tone: theme.Warn}
	case ops.Skipped:
		return Cell{Text: th.Skip, Tone: theme.Dim}
	}
	return Cell{Text: th.Waiting, Tone: theme.Dim}
}

// stepWord is a status in a word.
func stepWord(s *ops.StepState) string {
	if s.Status == ops.Pending {
		return "waiting"
	}
	return string(s.Status)
}

func stepTone(s ops.Status) theme.Tone {
	switch s {
	case ops.Running:
		return theme.Strong
	case ops.Failed:
		return theme.Bad
	case ops.Cancelled:
		return theme.Warn
	case ops.Done:
		return theme.Text
	}
	return theme.Dim
}

func noteTone(s ops.Status) theme.Tone {
	if s == ops.Running {
		return theme.Text
	}
	return theme.Dim
}

func took(s *ops.StepState, now time.Time) string {
	if s.Started.IsZero() {
		return ""
	}
	return kit.Took(s.Elapsed(now))
}

// errorLine is an error in one line: what failed and why. The host stands in
// front already.
func errorLine(e *ops.Error) string {
	text := e.Summary
	if text == "" {
		text = e.Command
	}
	if e.Cause != nil {
		cause, _, _ := strings.Cut(e.Cause.Error(), "\n")
		if text != "" {
			text += ": "
		}
		text += cause
	}
	return text
}
