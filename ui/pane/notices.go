package pane

import (
	"fmt"

	tea "charm.land/bubbletea/v2"

	"binnacle/ops"
	"binnacle/ui/kit"
	"binnacle/ui/theme"
	"binnacle/ui/widget"
)

// Notices lists what happened beside the tasks, newest first.
type Notices struct {
	rows[int]
	seen []ops.Notice
	kept []int
}

// NewNotices makes the pane.
func NewNotices() *Notices { return &Notices{} }

// Spec is constant.
func (p *Notices) Spec() kit.Spec {
	return kit.Spec{ID: kit.Notices, Title: "Notices", Keys: []kit.KeySpec{
		{ID: "notices.copy", Keys: []string{"c"}, Help: "copy", Long: "copy the notice", Pane: kit.Notices, Footer: 2},
	}}
}

// Sync takes over what changed.
func (p *Notices) Sync(scene kit.Scene) {
	p.scene, p.seen = scene, scene.State.Notices
	p.kept = make([]int, 0, len(p.seen))
	for i := len(p.seen) - 1; i >= 0; i-- {
		if scene.Filter.Match(p.seen[i].Text) {
			p.kept = append(p.kept, i)
		}
	}
	p.fit([]widget.Column{{Title: "TIME", Min: 8}, {Title: "NOTICE", Min: 10, Max: 400}}, p.kept, p.row)
}

// Update handles the pane's keys and the mouse.
func (p *Notices) Update(msg tea.Msg) (kit.Intent, tea.Cmd) {
	p.update(msg)
	if do, is := msg.(kit.Do); is && do.Action == "notices.copy" {
		if i, ok := p.list.Key(); ok {
			return kit.Copy{Text: p.seen[i].Text, What: "notice"}, nil
		}
	}
	return nil, nil
}

// Head counts the notices.
func (p *Notices) Head() kit.Head {
	return kit.Head{Count: len(p.seen), Shown: len(p.kept), Wants: len(p.seen) + 1}
}

// View is the table.
func (p *Notices) View() string { return p.view("nothing happened yet") }

// Private

func (p *Notices) row(i int) widget.Row {
	n, th := p.seen[i], p.scene.Theme
	mark, tone := widget.Cell{Text: th.Dot, Tone: theme.Dim}, theme.Text
	if n.Err {
		mark, tone = widget.Cell{Text: th.Lost, Tone: theme.Bad}, theme.Bad
	}
	when := fmt.Sprintf("%02d:%02d:%02d", n.At.Hour(), n.At.Minute(), n.At.Second())
	return widget.Row{Mark: mark, Cells: []widget.Cell{{Text: when, Tone: theme.Dim}, {Text: kit.Clean(n.Text), Tone: tone}}}
}
