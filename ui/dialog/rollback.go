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
	picker[string]
	run      kit.Run
	param    string // name of the version parameter
	targets  []ops.RollbackTarget
	serving  map[string]int
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
	keys := make([]string, len(d.targets))
	for i, t := range d.targets {
		keys[i] = t.Version
	}
	d.sync(scene, keys)
	if first {
		d.list.Select(d.previous)
	}
	d.fill()
}

// Update handles the keys.
func (d *Rollback) Update(msg tea.Msg) (kit.Intent, tea.Cmd) {
	back, chosen := d.update(msg)
	if chosen {
		return d.choose(), nil
	}
	d.fill()
	return back, nil
}

// View is the dialog.
func (d *Rollback) View() string { return d.view() }

// Private

func (d *Rollback) choose() kit.Intent {
	version, _ := d.list.Key()
	run := d.run
	run.Ready = true
	run.Params = run.Params.With(ops.Params{d.param: version})
	return run
}

func (d *Rollback) fill() {
	if len(d.targets) == 0 {
		d.empty("No version is present for every role on every host, so there is nothing to go back to.")
		return
	}
	names := 7
	for _, t := range d.targets {
		names = max(names, kit.Width(kit.Version(t.Version)))
	}
	d.rows([]widget.Column{
		{Title: "VERSION", Min: min(names, 10), Max: min(names, 26)},
		{Title: "CREATED", Min: 9},
		{Title: "IMAGE", Min: 12, Drop: 1},
		{Title: "", Min: 14, Max: 30},
	}, func(i int) (string, widget.Row) { return d.targets[i].Version, d.row(d.targets[i]) })
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
