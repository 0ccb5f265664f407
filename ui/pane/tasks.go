package pane

import (
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"

	"binnacle/ops"
	"binnacle/ui/kit"
	"binnacle/ui/theme"
	"binnacle/ui/widget"
)

// Tasks lists what runs and what was run, newest first.
type Tasks struct {
	rows[ops.TaskID]
	seen []ops.Task
	app  ops.AppID
	all  []ops.TaskID
	kept []ops.TaskID
	at   map[ops.TaskID]int
	head kit.Head
	wide int
}

// NewTasks makes the pane.
func NewTasks() *Tasks { return &Tasks{} }

// Spec is constant.
func (p *Tasks) Spec() kit.Spec {
	return kit.Spec{ID: kit.Tasks, Title: "Tasks", Keys: []kit.KeySpec{
		{ID: "tasks.details", Keys: []string{"d", "l"}, Help: "steps", Long: "the steps and the output of the task", Pane: kit.Tasks, Footer: 2},
		{ID: "tasks.cancel", Keys: []string{"x"}, Help: "cancel", Long: "stop a running task at a safe point", Pane: kit.Tasks, Footer: 3},
		{ID: "tasks.copy", Keys: []string{"c"}, Help: "copy", Long: "copy the task's identifier", Pane: kit.Tasks},
	}}
}

// Sync takes over what changed.
func (p *Tasks) Sync(scene kit.Scene) {
	if !sameSlice(p.seen, scene.State.Tasks) || p.app != scene.App {
		p.index(scene.State.Tasks, scene.App)
	}
	p.scene = scene
	p.kept = make([]ops.TaskID, 0, len(p.all))
	for _, id := range p.all {
		t := p.task(id)
		if scene.Filter.Match(joinWords(t.Title, string(t.Status), t.User, taskNote(t))) {
			p.kept = append(p.kept, id)
		}
	}
	p.fit(p.columns(), p.kept, p.row)
	p.head.Shown = len(p.kept)
}

// Update handles the pane's keys and the mouse.
func (p *Tasks) Update(msg tea.Msg) (kit.Intent, tea.Cmd) {
	_, _, opened := p.update(msg)
	id, ok := p.list.Key()
	if !ok {
		return nil, nil
	}
	if opened {
		return kit.Open{View: kit.Task, Task: id}, nil
	}
	do, is := msg.(kit.Do)
	if !is {
		return nil, nil
	}
	switch do.Action {
	case "tasks.details":
		return kit.Open{View: kit.Task, Task: id}, nil
	case "tasks.cancel":
		if p.task(id).Status.Ended() {
			return kit.Tell{Text: "this task has ended"}, nil
		}
		return kit.Cancel{Task: id}, nil
	case "tasks.copy":
		return kit.Copy{Text: string(id), What: "task identifier"}, nil
	}
	return nil, nil
}

// Head counts the tasks and those that failed last.
func (p *Tasks) Head() kit.Head { return p.head }

// View is the table.
func (p *Tasks) View() string { return p.view("nothing was run yet") }

// Private

func (p *Tasks) index(tasks []ops.Task, app ops.AppID) {
	p.seen, p.app, p.head, p.wide = tasks, app, kit.Head{}, 4
	p.all, p.at = p.all[:0], map[ops.TaskID]int{}
	running := 0
	for i := len(tasks) - 1; i >= 0; i-- {
		t := &tasks[i]
		if t.App != app && app != "" && t.App != "" {
			continue
		}
		p.all = append(p.all, t.ID)
		p.at[t.ID] = i
		p.wide = max(p.wide, kit.Width(shortTitle(t)))
		if !t.Status.Ended() {
			running++
		}
	}
	if len(p.all) > 0 && p.task(p.all[0]).Status == ops.Failed {
		p.head.Bad = 1
	}
	if running > 0 {
		p.head.Note = kit.Plural(running, "task") + " running"
	}
	p.head.Count = len(p.all)
	p.head.Wants = len(p.all) + 1
}

func (p *Tasks) task(id ops.TaskID) *ops.Task { return &p.seen[p.at[id]] }

func (p *Tasks) columns() []widget.Column {
	return []widget.Column{
		{Title: "TASK", Min: min(p.wide, 16), Max: min(p.wide, 44)},
		{Title: "TOOK", Min: 8, Right: true},
		{Title: "BY", Min: 5, Max: 12, Drop: 4},
		{Title: "WHEN", Min: 9, Drop: 2},
		{Title: "WHAT", Min: 16, Max: 60, Drop: 3},
	}
}

func (p *Tasks) row(id ops.TaskID) widget.Row {
	t, th := p.task(id), p.scene.Theme
	when := widget.Cell{Text: "now", Tone: theme.Busy}
	if t.Status.Ended() {
		when = widget.Cell{Text: ago(p.scene.Now, t.Finished), Tone: theme.Dim}
	}
	title, note := theme.Text, theme.Dim
	switch t.Status {
	case ops.Failed:
		note = theme.Bad
	case ops.Running:
		title, note = theme.Strong, theme.Busy
	}
	return widget.Row{Mark: statusMark(t.Status, th), Cells: []widget.Cell{
		{Text: kit.Clean(shortTitle(t)), Tone: title},
		{Text: kit.Took(t.Elapsed(p.scene.Now)), Tone: theme.Text},
		{Text: kit.Clean(t.User), Tone: theme.Dim},
		when,
		{Text: kit.Clean(taskNote(t)), Tone: note},
	}}
}

// Helpers

// shortTitle leaves out the destination, which the status line says.
func shortTitle(t *ops.Task) string {
	return strings.TrimSuffix(t.Title, " → "+t.App.Destination())
}

// statusMark is the symbol of a task's or step's status.
func statusMark(s ops.Status, th theme.Theme) widget.Cell {
	switch s {
	case ops.Running:
		return widget.Cell{Text: th.Active, Tone: theme.Busy}
	case ops.Done:
		return widget.Cell{Text: th.Done, Tone: theme.Good}
	case ops.Failed:
		return widget.Cell{Text: th.Lost, Tone: theme.Bad}
	case ops.Cancelled:
		return widget.Cell{Text: th.Alert, Tone: theme.Warn}
	case ops.Skipped:
		return widget.Cell{Text: th.Skip, Tone: theme.Dim}
	}
	return widget.Cell{Text: th.Waiting, Tone: theme.Dim}
}

// taskNote says where a task is, or why it ended as it did.
func taskNote(t *ops.Task) string {
	switch {
	case t.Status == ops.Running && t.Cancelling:
		return "stopping at a safe point"
	case t.Status == ops.Running:
		return runningStep(t)
	case t.Status == ops.Failed && len(t.Errors) > 0:
		return headline(t.Errors[0])
	case t.Status == ops.Done:
		return ""
	}
	return string(t.Status)
}

// runningStep is the innermost step at work: "web-1: pull".
func runningStep(t *ops.Task) string {
	var names []string
	for i := range t.Steps {
		s := &t.Steps[i]
		if s.Group || s.Status != ops.Running {
			continue
		}
		name := s.Title
		if s.Host != "" {
			name = s.Host + ": " + name
		}
		names = append(names, name)
	}
	return strings.Join(names, ", ")
}

// headline is an error in one line: host, what, cause.
func headline(e *ops.Error) string {
	var parts []string
	for _, s := range []string{e.Host, e.Summary} {
		if s != "" {
			parts = append(parts, s)
		}
	}
	if e.Cause != nil {
		parts = append(parts, e.Cause.Error())
	}
	return strings.Join(parts, ": ")
}

func ago(now, at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return kit.Span(now.Sub(at)) + " ago"
}
