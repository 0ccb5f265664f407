package dialog

import (
	"strings"

	tea "charm.land/bubbletea/v2"

	"binnacle/ops"
	"binnacle/ui/kit"
	"binnacle/ui/theme"
	"binnacle/ui/widget"
)

// Rollback offers the versions that every role still has on every host. What
// is chosen is confirmed in a second step.
type Rollback struct {
	card
	run      kit.Run
	param    string // name of the version parameter
	targets  []ops.RollbackTarget
	serving  map[string]int
	list     kit.List[string]
	table    widget.Table[string]
	previous string // the version that it starts on
}

// NewRollback makes the picker. The version that is chosen is put into the
// run's parameter.
func NewRollback(run kit.Run, param string, fleet ops.Fleet, app ops.AppID) *Rollback {
	d := &Rollback{run: run, param: param, targets: fleet.RollbackTargets(app), serving: fleet.Versions(app)}
	if t, ok := fleet.PreviousVersion(app); ok {
		d.previous = t.Version
	}
	d.title, d.width, d.tone = "roll back to", 84, theme.Accent
	d.buttons = nil
	return d
}

// Sync takes the space there is; the cursor starts where a rollback without a
// version would go.
func (d *Rollback) Sync(scene kit.Scene) {
	first := d.scene.State == nil
	d.scene = scene
	keys := make([]string, len(d.targets))
	for i, t := range d.targets {
		keys[i] = t.Version
	}
	d.list.Sync(keys, max(min(len(keys), scene.Height-7), 1))
	if first {
		d.list.Select(d.previous)
	}
	d.fill()
}

// Update handles the keys.
func (d *Rollback) Update(msg tea.Msg) (kit.Intent, tea.Cmd) {
	switch msg := msg.(type) {
	case kit.Wheel:
		d.list.By(msg.Lines)
	case kit.Click:
		d.list.At(msg.Y - 2)
	case tea.KeyPressMsg:
		return d.press(msg.String()), nil
	}
	d.fill()
	return nil, nil
}

// View is the dialog.
func (d *Rollback) View() string { return d.view() }

// Private

func (d *Rollback) press(k string) kit.Intent {
	switch k {
	case "esc", "q":
		return kit.Back{}
	case "j", "down":
		d.list.By(1)
	case "k", "up":
		d.list.By(-1)
	case "g", "home":
		d.list.Move(kit.Top)
	case "G", "end":
		d.list.Move(kit.Bottom)
	case "pgdown", "ctrl+d":
		d.list.Move(kit.PageDown)
	case "pgup", "ctrl+u":
		d.list.Move(kit.PageUp)
	case "enter":
		return d.choose()
	}
	d.fill()
	return nil
}

func (d *Rollback) choose() kit.Intent {
	version, ok := d.list.Key()
	if !ok {
		return kit.Back{}
	}
	run := d.run
	run.Ready = true
	run.Params = ops.Params{d.param: version}
	for k, v := range d.run.Params {
		if k != d.param {
			run.Params[k] = v
		}
	}
	return run
}

func (d *Rollback) fill() {
	th, w := d.scene.Theme, d.inner()
	d.body, d.foot = nil, nil
	if len(d.targets) == 0 {
		d.body = wrapped(th, "No version is present for every role on every host, so there is nothing to go back to.", w, theme.Warn)
		d.foot = []string{"", th.Paint(theme.Dim, "esc closes")}
		return
	}
	names := 7
	for _, t := range d.targets {
		names = max(names, kit.Width(kit.Version(t.Version)))
	}
	d.table.Layout([]widget.Column{
		{Title: "VERSION", Min: min(names, 10), Max: min(names, 26)},
		{Title: "CREATED", Min: 9},
		{Title: "IMAGE", Min: 12, Drop: 1},
		{Title: "", Min: 14, Max: 30},
	}, w, th)
	d.body = append(d.body, d.table.Header(th))
	from, to := d.list.Window()
	for i := from; i < to; i++ {
		on := theme.Plain
		if i == d.list.Index() {
			on = theme.Cursor
		}
		d.body = append(d.body, d.table.Draw(d.targets[i].Version, d.row(d.targets[i]), on, th))
	}
	d.foot = []string{"", th.Paint(theme.Dim, "enter shows what it would do, esc closes")}
}

func (d *Rollback) row(t ops.RollbackTarget) widget.Row {
	th := d.scene.Theme
	mark, note := widget.Cell{Text: th.Off, Tone: theme.Dim}, widget.Cell{Text: "on every host", Tone: theme.Dim}
	if t.Serving {
		mark, note = widget.Cell{Text: th.Live, Tone: theme.Good}, widget.Cell{Text: "serving now", Tone: theme.Good}
	}
	if n := d.serving[t.Version]; n > 0 && !t.Serving {
		mark, note = widget.Cell{Text: th.Active, Tone: theme.Busy}, widget.Cell{Text: "serving on " + kit.Plural(n, "place"), Tone: theme.Busy}
	}
	if t.Mixed {
		mark, note = widget.Cell{Text: th.Alert, Tone: theme.Warn}, widget.Cell{Text: "hosts have different images", Tone: theme.Warn}
	}
	image := strings.TrimPrefix(t.Digest, "sha256:")
	if image == "" {
		image = strings.TrimPrefix(t.Image, "sha256:")
	}
	return widget.Row{Mark: mark, Cells: []widget.Cell{
		{Text: kit.Clean(kit.Version(t.Version)), Tone: theme.Strong},
		{Text: kit.Span(d.scene.Now.Sub(t.Created)) + " ago", Tone: theme.Text},
		{Text: image[:min(12, len(image))], Tone: theme.Dim},
		note,
	}}
}
