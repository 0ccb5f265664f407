package dialog

import (
	tea "charm.land/bubbletea/v2"

	"binnacle/ui/kit"
	"binnacle/ui/theme"
	"binnacle/ui/widget"
)

// picker is a card with a table to choose a row of.
type picker[K comparable] struct {
	card
	list  kit.List[K]
	table widget.Table[K]
}

// sync takes the space there is and the rows, by key.
func (p *picker[K]) sync(scene kit.Scene, keys []K) {
	p.scene = scene
	p.list.Sync(keys, max(min(len(keys), scene.Height-7), 1))
}

// update moves the cursor, and tells what was asked for otherwise: chosen for a
// row, or the way back.
func (p *picker[K]) update(msg tea.Msg) (back kit.Intent, chosen bool) {
	switch msg := msg.(type) {
	case kit.Wheel:
		p.list.By(msg.Lines)
	case kit.Click:
		p.list.At(msg.Y - 2)
	case tea.KeyPressMsg:
		switch msg.String() {
		case "esc", "q":
			return kit.Back{}, false
		case "j", "down":
			p.list.By(1)
		case "k", "up":
			p.list.By(-1)
		case "g", "home":
			p.list.Move(kit.Top)
		case "G", "end":
			p.list.Move(kit.Bottom)
		case "pgdown", "ctrl+d":
			p.list.Move(kit.PageDown)
		case "pgup", "ctrl+u":
			p.list.Move(kit.PageUp)
		case "enter":
			if _, any := p.list.Key(); !any {
				return kit.Back{}, false
			}
			return nil, true
		}
	}
	return nil, false
}

// empty says in the card why there is nothing to choose.
func (p *picker[K]) empty(why string) {
	th := p.scene.Theme
	p.body = wrapped(th, why, p.inner(), theme.Warn)
	p.foot = []string{"", th.Paint(theme.Dim, "esc closes")}
}

// rows draws those that are in sight, with remarks below.
func (p *picker[K]) rows(columns []widget.Column, row func(i int) (K, widget.Row), remarks ...string) {
	th, w := p.scene.Theme, p.inner()
	p.table.Layout(columns, w, th)
	p.body = []string{p.table.Header(th)}
	from, to := p.list.Window()
	for i := from; i < to; i++ {
		on := theme.Plain
		if i == p.list.Index() {
			on = theme.Cursor
		}
		key, cells := row(i)
		p.body = append(p.body, p.table.Draw(key, cells, on, th))
	}
	p.foot = []string{""}
	for _, remark := range remarks {
		p.foot = append(p.foot, th.Paint(theme.Warn, kit.Cut(remark, w, th.Ellipsis)))
	}
	p.foot = append(p.foot, th.Paint(theme.Dim, "enter shows what it would do, esc closes"))
}
