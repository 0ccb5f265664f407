package pane

import (
	"fmt"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"

	"binnacle/ops"
	"binnacle/ops/logs"
	"binnacle/ui/kit"
	"binnacle/ui/theme"
	"binnacle/ui/widget"
)

// LogSource follows logs; logs.Follower does. None of its methods waits.
type LogSource interface {
	View() logs.View
	Status() logs.Status
	Select(logs.Selection, logs.Span)
	Update(ops.Fleet)
	Poke() // asks to be looked at again
}

// Logs shows the merged logs of what the person points at.
type Logs struct {
	source LogSource
	scene  kit.Scene
	list   widget.LogList
	status logs.Status
	chosen chosen
	query  string // as it was last applied
	around bool   // matches in their context rather than alone
	span   int    // of logs.Spans
	more   bool   // older lines are still being looked at
	alarms []string
}

// NewLogs makes the pane.
func NewLogs(source LogSource) *Logs { return &Logs{source: source} }

// Spec is constant.
func (p *Logs) Spec() kit.Spec {
	keys := []kit.KeySpec{
		{ID: "logs.follow", Keys: []string{"s"}, Help: "follow", Long: "scroll with new lines, or stay", Footer: 2},
		{ID: "logs.around", Keys: []string{"v"}, Help: "context", Long: "matches among their neighbours, or alone", Footer: 3},
		{ID: "logs.wrap", Keys: []string{"w"}, Help: "wrap", Long: "wrap long lines, or cut them", Footer: 4},
		{ID: "logs.times", Keys: []string{"t"}, Help: "times", Long: "time of day, full time, no time"},
		{ID: "logs.columns", Keys: []string{"e"}, Help: "columns", Long: "host, role and level, or the text alone"},
		{ID: "logs.mark", Keys: []string{"m"}, Help: "mark", Long: "draw a line under what was read"},
		{ID: "logs.copy", Keys: []string{"c"}, Help: "copy", Long: "copy the selected lines, or those on screen; space selects", Footer: 5},
		{ID: "logs.save", Keys: []string{"ctrl+s"}, Help: "save", Long: "save all lines that pass the filter to a file", Footer: 6},
		{ID: "logs.previous", Keys: []string{"p"}, Help: "previous", Long: "the containers before these: what the failed or replaced one said"},
		{ID: "logs.less", Keys: []string{"["}, Help: "less", Long: "a shorter part of the past"},
		{ID: "logs.more", Keys: []string{"]"}, Help: "more", Long: "a longer part of the past"},
	}
	for i, s := range logs.Spans() {
		k := kit.KeySpec{ID: spanAction(i), Keys: []string{fmt.Sprintf("alt+%d", i)}, Help: s.String(), Long: "the last " + s.String()}
		switch {
		case i == 0:
			k.Keys, k.Long = append(k.Keys, "0"), "a short tail of the past"
		case s.Head > 0:
			k.Long = "the oldest lines"
		}
		keys = append(keys, k)
	}
	for i := range keys {
		keys[i].Pane = kit.Logs
	}
	return kit.Spec{ID: kit.Logs, Title: "Logs", Keys: keys}
}

// Sync takes over what changed.
func (p *Logs) Sync(scene kit.Scene) {
	if p.scene.State == nil || !sameSlice(p.scene.State.Fleet.Hosts, scene.State.Fleet.Hosts) {
		p.source.Update(scene.State.Fleet)
	}
	p.scene = scene
	if p.chosen.update(scene) {
		p.choose()
	}
	p.status = p.source.Status()
	if scene.Filter.Text != p.query {
		p.search(scene.Filter.Text)
	}
	p.fit()
}

// Update handles the pane's keys, motions and the mouse.
func (p *Logs) Update(msg tea.Msg) (kit.Intent, tea.Cmd) {
	var intent kit.Intent
	switch msg := msg.(type) {
	case kit.Do:
		intent = p.do(msg.Action)
	case kit.Wheel:
		p.list.By(msg.Lines)
	case kit.Click:
		p.list.PickAt(msg.Y - len(p.alarms))
	}
	return intent, nil
}

// Head says what is followed, how fast it comes, and what is not shown.
func (p *Logs) Head() kit.Head {
	h := kit.Head{Count: -1, Bad: p.status.Count(logs.Retrying), Wants: 12}
	sep := " " + p.scene.Theme.Dot + " "
	parts := []string{p.chosen.selection.Title(p.scene.State.Fleet)}
	if p.chosen.previous {
		parts[0] = "earlier: " + parts[0]
	}
	parts = append(parts, rateText(p.status.Rate))
	if p.span > 0 {
		parts = append(parts, logs.Spans()[p.span].String())
	}
	if p.list.Following() {
		parts = append(parts, "follow")
	} else {
		parts = append(parts, fmt.Sprintf("paused, %d below", p.list.Below()))
	}
	if p.around && !p.scene.Filter.Empty() {
		parts = append(parts, kit.Plural(p.list.Matches(), "hit"))
	}
	if p.more {
		parts = append(parts, "searching")
	}
	if n := p.source.View().Dropped(); n > 0 {
		parts = append(parts, fmt.Sprintf("%d dropped", n))
	}
	if p.status.Late > 0 {
		parts = append(parts, fmt.Sprintf("%d late", p.status.Late))
	}
	h.Note = strings.Join(parts, sep)
	return h
}

// View is the window on the lines, below what is wrong with their streams.
func (p *Logs) View() string {
	lines := p.list.Lines()
	if len(lines) == 0 && len(p.alarms) == 0 {
		return p.nothing()
	}
	return kit.Fit(append(append([]string(nil), p.alarms...), lines...), p.scene.Width, p.scene.Height)
}

// Private

// choose tells the source what is wanted now.
func (p *Logs) choose() {
	p.source.Select(p.chosen.selection, logs.Spans()[p.span])
	p.list.Unpick()
	p.list.Follow(logs.Spans()[p.span].Head == 0)
	if logs.Spans()[p.span].Head > 0 {
		p.list.Move(kit.Top)
	}
}

// search applies the filter line: as a filter, or to find matches in context.
func (p *Logs) search(text string) {
	p.query = text
	q := logs.ParseQuery(text)
	if p.around {
		p.list.Filter(logs.Query{})
	} else {
		p.list.Filter(q)
	}
	p.list.Search(q)
}

// fit gives the list its frame.
func (p *Logs) fit() {
	p.alarms = p.trouble()
	sources := make([]*logs.Source, 0, len(p.status.Sources))
	for i := range p.status.Sources {
		sources = append(sources, p.status.Sources[i].Source)
	}
	p.more = !p.list.Sync(widget.LogFrame{
		View: p.source.View(), Sources: sources, Width: p.scene.Width, Height: max(0, p.scene.Height-len(p.alarms)),
		Theme: p.scene.Theme, Zone: p.scene.Now.Location(),
	})
	if p.more {
		p.source.Poke()
	}
}

// trouble says which streams were cut, on as few lines as it takes.
func (p *Logs) trouble() []string {
	var out []string
	cut := p.status.Count(logs.Retrying)
	th := p.scene.Theme
	for i := range p.status.Sources {
		s := &p.status.Sources[i]
		if s.State != logs.Retrying || s.Err == nil {
			continue
		}
		if len(out) == alarmLines || p.scene.Height < 4 {
			break
		}
		text := fmt.Sprintf(" %s %s %s: cut %s ago, trying again: %s", th.Lost, s.Source.Host(), s.Source.Label(), kit.Span(p.scene.Now.Sub(s.Since)), s.Err)
		if cut > alarmLines && len(out) == alarmLines-1 {
			text = fmt.Sprintf(" %s and %d more are cut", th.Lost, cut-alarmLines+1)
		}
		text, _, _ = strings.Cut(text, "\n")
		out = append(out, th.Paint(theme.Bad, kit.Cut(kit.Clean(text), p.scene.Width, th.Ellipsis)))
	}
	return out
}

const alarmLines = 2

func (p *Logs) nothing() string {
	title := p.chosen.selection.Title(p.scene.State.Fleet)
	switch {
	case p.more:
		return empty(kit.Scene{Width: p.scene.Width, Height: p.scene.Height, Theme: p.scene.Theme}, "searching")
	case !p.scene.Filter.Empty():
		return empty(p.scene, "")
	case p.chosen.previous && len(p.status.Sources) == 0:
		return empty(p.scene, "no earlier container is left; p goes back")
	case title == "":
		return empty(p.scene, "nothing is selected that has logs")
	case len(p.status.Sources) == 0:
		return empty(p.scene, "no container of "+title+" is known")
	}
	return empty(p.scene, "no lines of "+title+" yet")
}

func (p *Logs) do(a kit.Action) kit.Intent {
	look := p.list.Look()
	switch a {
	case "logs.follow":
		p.list.Follow(!p.list.Following())
	case "logs.wrap":
		look.Wrap = !look.Wrap
		p.list.SetLook(look)
	case "logs.times":
		look.Times = (look.Times + 1) % 3
		p.list.SetLook(look)
	case "logs.columns":
		look.Plain = !look.Plain
		p.list.SetLook(look)
	case "logs.around":
		p.around = !p.around
		p.search(p.query)
		p.fit()
	case "logs.mark":
		p.list.Mark(p.scene.Now)
	case "logs.previous":
		p.chosen.turn(p.scene)
		p.choose()
	case "logs.copy", "logs.save":
		return p.take(a)
	case "logs.less", "logs.more":
		p.reach(a)
	case kit.Next, kit.Previous:
		return p.next(a == kit.Next)
	case kit.Toggle:
		p.list.Pick()
	case kit.Unmark:
		p.list.Unpick()
	default:
		p.other(a)
	}
	return nil
}

func (p *Logs) other(a kit.Action) {
	for i := range logs.Spans() {
		if a == spanAction(i) {
			p.span = i
			p.choose()
			return
		}
	}
	p.list.Move(a)
}

// reach goes to the next longer or shorter part of the past; the head is not
// among them.
func (p *Logs) reach(a kit.Action) {
	by := 1
	if a == "logs.less" {
		by = -1
	}
	next := p.span + by
	if next >= 0 && next < len(logs.Spans()) && logs.Spans()[next].Head > 0 {
		next += by
	}
	if next < 0 || next >= len(logs.Spans()) {
		return
	}
	p.span = next
	p.choose()
}

func (p *Logs) next(forward bool) kit.Intent {
	q := logs.ParseQuery(p.query)
	if q.Empty() {
		return kit.Tell{Text: "nothing is looked for: / takes a word, v shows its matches in context"}
	}
	if !p.list.Next(forward) {
		return kit.Tell{Text: "no further match of " + p.query}
	}
	return nil
}

// take copies or saves whole lines.
func (p *Logs) take(a kit.Action) kit.Intent {
	if a == "logs.save" {
		view, q := p.source.View(), logs.ParseQuery(p.query)
		if p.around {
			q = logs.Query{}
		}
		name := fmt.Sprintf("logs-%s-%s.log", fileWord(p.chosen.selection.Title(p.scene.State.Fleet)), p.scene.Now.Format("20060102-150405"))
		return kit.Save{Name: name, Text: func() string { return exported(view, q) }}
	}
	lines := p.list.Picked()
	if lines == nil {
		lines = p.list.Visible()
	}
	if len(lines) == 0 {
		return kit.Tell{Text: "there is nothing to copy"}
	}
	p.list.Unpick()
	if len(lines) == 1 {
		return kit.Copy{Text: lines[0].Text, What: "line"}
	}
	var b strings.Builder
	for _, l := range lines {
		writeLine(&b, l)
	}
	return kit.Copy{Text: b.String(), What: kit.Plural(len(lines), "line")}
}

// Helpers

func spanAction(i int) kit.Action { return kit.Action(fmt.Sprintf("logs.span-%d", i)) }

func rateText(rate float64) string {
	switch {
	case rate <= 0:
		return "quiet"
	case rate < 10:
		return fmt.Sprintf("%.1f/s", rate)
	}
	return fmt.Sprintf("%.0f/s", rate)
}

// exported is a whole ring as text, as far as it passes a query.
func exported(view logs.View, q logs.Query) string {
	var b strings.Builder
	for seq := view.First(); seq < view.Next(); seq++ {
		if l, ok := view.Line(seq); ok && q.Match(l) {
			writeLine(&b, l)
		}
	}
	return b.String()
}

func writeLine(b *strings.Builder, l logs.Line) {
	b.WriteString(l.At.UTC().Format(time.RFC3339Nano))
	for _, word := range []string{l.Source.Host(), l.Source.Label()} {
		if word != "" {
			b.WriteString(" " + word)
		}
	}
	b.WriteString(" " + l.Text + "\n")
}
