package pane

import (
	"strings"

	tea "charm.land/bubbletea/v2"

	"binnacle/ui/kit"
	"binnacle/ui/theme"
	"binnacle/ui/widget"
)

// rows is what the panes that are tables have in common: a cursor by identity,
// marks, an order, and a drawn window.
type rows[K comparable] struct {
	scene  kit.Scene
	list   kit.List[K]
	table  widget.Table[K]
	order  int
	turned bool // the order is reversed
	orders []string
	lines  []string // the header and the window, drawn
}

// fit takes the identities in their order and draws the window.
func (r *rows[K]) fit(columns []widget.Column, keys []K, row func(K) widget.Row) {
	height := r.scene.Height - 1
	header := r.scene.Height >= 3 || r.scene.Height > len(keys)
	if !header {
		height = r.scene.Height
	}
	r.list.Sync(keys, height)
	r.table.Layout(columns, r.scene.Width, r.scene.Theme)
	r.lines = r.lines[:0]
	if header {
		r.lines = append(r.lines, r.table.Header(r.scene.Theme))
	}
	from, to := r.list.Window()
	for i := from; i < to; i++ {
		k := keys[i]
		content := row(k)
		if r.list.IsMarked(k) {
			content.Mark.Text = r.scene.Theme.Mark
			content.Mark.Tone = theme.Accent
		}
		on := surface(i == r.list.Index(), r.scene.Focused, r.list.IsMarked(k))
		r.lines = append(r.lines, r.table.Draw(k, content, on, r.scene.Theme))
	}
}

// view is the drawn window.
func (r *rows[K]) view(nothing string) string {
	if r.list.Len() == 0 {
		return empty(r.scene, nothing)
	}
	return kit.Fit(r.lines, r.scene.Width, r.scene.Height)
}

// update handles what all tables do the same way. moved tells that the cursor
// may be on another row, marked that the marks changed, opened that the row
// was asked for.
func (r *rows[K]) update(msg tea.Msg) (moved, marked, opened bool) {
	switch msg := msg.(type) {
	case kit.Do:
		return r.do(msg.Action)
	case kit.Wheel:
		r.list.By(msg.Lines)
		return true, false, false
	case kit.Click:
		line := msg.Y
		if r.scene.Height >= 3 {
			line--
		}
		before, had := r.list.Key()
		if line < 0 || !r.list.At(line) {
			return false, false, false
		}
		after, _ := r.list.Key()
		return true, false, had && before == after && r.scene.Focused
	}
	return false, false, false
}

func (r *rows[K]) do(a kit.Action) (moved, marked, opened bool) {
	switch {
	case r.list.Move(a):
		return true, false, false
	case a == kit.Toggle:
		r.list.Toggle()
		return true, true, false
	case a == kit.Unmark:
		r.list.Unmark()
		return false, true, false
	case a == kit.Enter:
		return false, false, true
	case a == kit.Order && len(r.orders) > 0:
		r.order = (r.order + 1) % len(r.orders)
		return true, false, false
	case a == kit.Reverse:
		r.turned = !r.turned
		return true, false, false
	}
	return false, false, false
}

// orderNote says what the rows are sorted by, when it is not the usual order.
func (r *rows[K]) orderNote() string {
	if r.order == 0 && !r.turned || len(r.orders) == 0 {
		return ""
	}
	note := "by " + r.orders[r.order]
	if r.turned {
		note += ", reversed"
	}
	return note
}

// Helpers

func joinWords(words ...string) string {
	var out []string
	for _, w := range words {
		if w != "" {
			out = append(out, w)
		}
	}
	return strings.Join(out, " ")
}
