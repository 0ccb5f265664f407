package dialog

import (
	tea "charm.land/bubbletea/v2"

	"binnacle/ops"
	"binnacle/ui/kit"
	"binnacle/ui/theme"
	"binnacle/ui/widget"
)

// Restore offers the backups that a store holds, the newest first. What is chosen
// is planned and confirmed in a second step.
type Restore struct {
	picker[choiceKey]
	run      kit.Run
	name, id string // names of the parameters
	of       string // what is to be restored; "" for anything
	shown    []choice
	wide     int // of the names
	schema   int // of the schema versions
}

type choiceKey struct{ name, id string }

// choice is a backup to choose.
type choice struct {
	key    choiceKey
	backed *ops.Backed
	kept   *ops.Kept
}

// NewRestore makes the picker. What is chosen is put into the run's parameters of
// the two names.
func NewRestore(run kit.Run, name, id string) *Restore {
	d := &Restore{run: run, name: name, id: id, of: run.Params.Text(name)}
	d.title, d.width, d.tone = "restore", 92, theme.Accent
	if d.of != "" {
		d.title = "restore " + d.of + " from"
	}
	return d
}

// Sync takes the space there is and what is kept now; the cursor starts on the
// newest backup that nothing is known against.
func (d *Restore) Sync(scene kit.Scene) {
	first := d.scene.State == nil
	d.scene = scene
	d.collect()
	keys := make([]choiceKey, len(d.shown))
	for i, c := range d.shown {
		keys[i] = c.key
	}
	d.sync(scene, keys)
	for _, c := range d.shown {
		if first && c.kept.Problem == "" {
			d.list.Select(c.key)
			break
		}
	}
	d.fill()
}

// Update handles the keys.
func (d *Restore) Update(msg tea.Msg) (kit.Intent, tea.Cmd) {
	back, chosen := d.update(msg)
	if chosen {
		return d.choose(), nil
	}
	d.fill()
	return back, nil
}

// View is the dialog.
func (d *Restore) View() string { return d.view() }

// Private

func (d *Restore) collect() {
	d.shown, d.wide, d.schema = d.shown[:0], 4, 6
	app, _ := d.scene.State.Fleet.App(d.scene.App)
	for i := range app.Backups {
		b := &app.Backups[i]
		if d.of != "" && b.Name != d.of {
			continue
		}
		for j := range b.Kept {
			k := &b.Kept[j]
			d.shown = append(d.shown, choice{key: choiceKey{b.Name, k.ID}, backed: b, kept: k})
			d.wide, d.schema = max(d.wide, kit.Width(kit.Clean(b.Name))), max(d.schema, kit.Width(kit.Clean(k.Schema)))
		}
	}
}

func (d *Restore) choose() kit.Intent {
	key, _ := d.list.Key()
	run := d.run
	run.Ready, run.Ask = true, false
	run.Params = run.Params.With(ops.Params{d.name: key.name, d.id: key.id})
	return run
}

func (d *Restore) fill() {
	if len(d.shown) == 0 {
		of := ""
		if d.of != "" {
			of = " of " + d.of
		}
		d.empty("No backup" + of + " is kept, so there is nothing to restore. B on the accessory backs it up.")
		return
	}
	d.rows(d.columns(), func(i int) (choiceKey, widget.Row) { return d.shown[i].key, d.row(d.shown[i]) }, d.doubtful()...)
}

// doubtful are the stores that could not be read again, and the age of what is
// shown of them.
func (d *Restore) doubtful() []string {
	var out []string
	last := ""
	for _, c := range d.shown {
		if b := c.backed; b.Problem != "" && b.Name != last {
			last = b.Name
			out = append(out, kit.Clean(d.scene.Theme.Unknown+" "+b.Name+": seen "+kit.Span(d.scene.Now.Sub(b.SeenAt))+" ago, store not reached: "+b.Problem))
		}
	}
	return out[:min(len(out), 3)]
}

func (d *Restore) columns() []widget.Column {
	var out []widget.Column
	if d.of == "" {
		out = append(out, widget.Column{Title: "NAME", Min: min(d.wide, 8), Max: min(d.wide, 20)})
	}
	return append(out,
		widget.Column{Title: "AGE", Min: 4, Right: true},
		widget.Column{Title: "DATE", Min: 16, Drop: 3},
		widget.Column{Title: "SIZE", Min: 4, Right: true, Drop: 1},
		widget.Column{Title: "RUNG", Min: 12, Max: 17},
		widget.Column{Title: "SCHEMA", Min: min(d.schema, 14), Max: min(d.schema, 20), Drop: 2},
		widget.Column{Title: "", Min: 9, Max: 24, Drop: 4},
	)
}

func (d *Restore) row(c choice) widget.Row {
	th, k := d.scene.Theme, c.kept
	var cells []widget.Cell
	if d.of == "" {
		cells = append(cells, widget.Cell{Text: kit.Clean(c.key.name), Tone: theme.Strong})
	}
	cells = append(cells,
		widget.Cell{Text: kit.Short(d.scene.Now.Sub(k.At)), Tone: theme.Text},
		widget.Cell{Text: k.At.UTC().Format("2006-01-02 15:04"), Tone: theme.Dim},
		widget.Cell{Text: kit.Bytes(k.Size), Tone: theme.Text},
		widget.Rung(k.Rung, th),
		widget.Cell{Text: kit.Clean(k.Schema), Tone: theme.Dim},
		widget.Cell{Text: k.Remark(), Tone: theme.Dim},
	)
	row := widget.Row{Mark: widget.Cell{Text: th.Off, Tone: theme.Dim}, Cells: cells}
	switch {
	case k.Problem != "":
		row.Mark, row.RestFrom = widget.Cell{Text: th.Lost, Tone: theme.Bad}, len(cells)-3
		row.Rest = widget.Cell{Text: kit.Clean(k.Problem), Tone: theme.Bad}
	case c.backed.Problem != "":
		row.Mark = widget.Cell{Text: th.Unknown, Tone: theme.Warn}
	case k.Rung >= ops.Restored:
		row.Mark = widget.Cell{Text: th.Live, Tone: theme.Good}
	}
	return row
}
