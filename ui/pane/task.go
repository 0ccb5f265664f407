package pane

import (
	"fmt"
	"slices"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"

	"binnacle/ops"
	"binnacle/ui/kit"
	"binnacle/ui/theme"
	"binnacle/ui/widget"
)

// Transcripts gives the output of tasks; ops.Store does.
type Transcripts interface {
	// Output is nil for a task that wrote nothing.
	Output(ops.TaskID) *ops.Output
}

// Task shows one task: how it stands, its steps, and the output of the step
// under the cursor. Of a task that failed it gives the answer first.
type Task struct {
	transcripts Transcripts
	scene       kit.Scene
	task        ops.Task
	known       bool
	tree        widget.StepTree
	output      taskOutput
	full        bool // output alone
	proof       bool // evidence alone
	scroll      int  // of the evidence
	top         int  // line of the pane where the tree begins
	rows        int  // lines of the tree
	lines       []string
}

// NewTask makes the pane.
func NewTask(transcripts Transcripts) *Task { return &Task{transcripts: transcripts} }

// Spec is constant.
func (p *Task) Spec() kit.Spec {
	return kit.Spec{ID: kit.Task, Title: "Task", Keys: []kit.KeySpec{
		{ID: "task.cancel", Keys: []string{"x"}, Help: "cancel", Long: "stop the task at a safe point", Pane: kit.Task, Footer: 2},
		{ID: "task.logs", Keys: []string{"l"}, Help: "logs", Long: "logs of the host or container of the step", Pane: kit.Task, Footer: 3},
		{ID: "task.output", Keys: []string{"v"}, Help: "output", Long: "the output alone, and back", Pane: kit.Task, Footer: 4},
		{ID: "task.evidence", Keys: []string{"e"}, Help: "evidence", Long: "all that was found out about the failure, and back", Pane: kit.Task, Footer: 5},
		{ID: "task.follow", Keys: []string{"s"}, Help: "follow", Long: "let the cursor go to what runs, and the output to its end", Pane: kit.Task},
		{ID: "task.copy", Keys: []string{"c"}, Help: "copy", Long: "copy the output of the step", Pane: kit.Task},
		{ID: "task.command", Keys: []string{"y"}, Help: "copy command", Long: "copy the commands of the step", Pane: kit.Task},
		{ID: "task.save", Keys: []string{"ctrl+s"}, Help: "save", Long: "save the output of the task to a file", Pane: kit.Task},
	}}
}

// Sync takes over what changed.
func (p *Task) Sync(scene kit.Scene) {
	before := p.task.ID
	p.scene = scene
	p.task, p.known = scene.State.Task(scene.Task)
	if p.task.ID != before {
		p.full, p.proof, p.scroll = false, false, 0
		p.output = taskOutput{}
	}
	p.arrange()
}

// Update handles the pane's keys, motions and the mouse.
func (p *Task) Update(msg tea.Msg) (kit.Intent, tea.Cmd) {
	if !p.known {
		return nil, nil
	}
	var intent kit.Intent
	switch msg := msg.(type) {
	case kit.Do:
		intent = p.do(msg.Action)
	case kit.Wheel:
		p.wheel(msg.Lines)
	case kit.Click:
		p.click(msg.Y)
	}
	p.arrange()
	return intent, nil
}

// Head names the task.
func (p *Task) Head() kit.Head {
	if !p.known {
		return kit.Head{Count: -1}
	}
	note := string(p.task.ID)
	if p.task.User != "" {
		note = "by " + kit.Clean(p.task.User)
	}
	return kit.Head{Count: -1, Title: kit.Clean(p.task.Title), Note: note, Wants: p.tree.Len() + 12}
}

// View is what Sync laid out.
func (p *Task) View() string {
	if !p.known {
		return empty(p.scene, "no task is open; enter on a task opens it")
	}
	return kit.Fit(p.lines, p.scene.Width, p.scene.Height)
}

// Private

// arrange lays out the answer, the tree and the output.
func (p *Task) arrange() {
	if !p.known {
		return
	}
	h := p.scene.Height
	p.lines = append(p.lines[:0], p.status())
	if p.proof && len(p.task.Errors) > 0 {
		p.evidence(h - 1)
		return
	}
	if !p.full {
		most := max(0, h/2)
		answer := p.answer(most)
		p.lines = append(p.lines, answer[:min(len(answer), most)]...)
	}
	left := h - len(p.lines)
	p.top, p.rows = len(p.lines), 0
	if !p.full {
		p.rows = left
		if left >= 8 {
			p.rows = max(4, left*3/5)
		}
	}
	p.tree.Sync(p.frame(p.rows))
	if n := p.tree.Len(); n < p.rows {
		p.rows = n
		p.tree.Sync(p.frame(n))
	}
	if p.rows > 0 {
		p.lines = append(p.lines, p.tree.Lines()...)
	}
	if left = h - len(p.lines); left >= 2 {
		p.below(left)
	}
}

func (p *Task) frame(rows int) widget.StepFrame {
	return widget.StepFrame{
		Task: p.task, Now: p.scene.Now, Width: p.scene.Width, Height: rows, Theme: p.scene.Theme, Focused: p.scene.Focused,
	}
}

// below is the output of the step under the cursor, with a rule that says so.
func (p *Task) below(height int) {
	s, _ := p.tree.Step()
	p.output.sync(p.transcript(), s, height-1)
	p.lines = append(p.lines, p.output.rule(p.scene, s))
	p.lines = append(p.lines, p.output.lines(p.scene, s)...)
}

func (p *Task) transcript() *ops.Output { return p.transcripts.Output(p.task.ID) }

func (p *Task) do(a kit.Action) kit.Intent {
	switch a {
	case kit.Enter, kit.Toggle:
		p.tree.Toggle()
		return nil
	case kit.PageUp, kit.PageDown, kit.HalfUp, kit.HalfDown:
		page := max(1, p.output.height-1)
		if p.proof {
			page = max(1, p.scene.Height-2)
		}
		if a == kit.HalfUp || a == kit.HalfDown {
			page = max(1, page/2)
		}
		if a == kit.PageUp || a == kit.HalfUp {
			page = -page
		}
		p.wheel(page)
		return nil
	case "task.cancel":
		if p.task.Status.Ended() {
			return kit.Tell{Text: "this task has ended"}
		}
		return kit.Cancel{Task: p.task.ID}
	case "task.logs":
		return kit.Open{View: kit.Logs, Target: p.target()}
	case "task.output":
		p.full, p.proof = !p.full, false
	case "task.evidence":
		if len(p.task.Errors) == 0 {
			return kit.Tell{Text: "nothing failed: there is no evidence to show"}
		}
		p.proof, p.scroll = !p.proof, 0
	case "task.follow":
		p.tree.Follow()
		p.output.end()
	case "task.copy", "task.command", "task.save":
		return p.take(a)
	default:
		return p.motion(a)
	}
	return nil
}

// motion moves what has the screen: the evidence, the output, or the tree.
func (p *Task) motion(a kit.Action) kit.Intent {
	if !p.proof && !p.full {
		if p.tree.Move(a) {
			p.output.end()
		}
		return nil
	}
	switch a {
	case kit.Up:
		p.wheel(-1)
	case kit.Down:
		p.wheel(1)
	case kit.Top:
		p.wheel(-heldLines)
	case kit.Bottom:
		p.scroll += heldLines
		p.output.end()
	}
	return nil
}

func (p *Task) wheel(lines int) {
	if p.proof {
		p.scroll = max(0, p.scroll+lines)
		return
	}
	p.output.scroll(p.transcript(), lines)
}

func (p *Task) click(y int) {
	if line := y - p.top; line >= 0 && line < p.rows {
		before, _ := p.tree.Step()
		if p.tree.At(line) {
			if after, _ := p.tree.Step(); after.ID == before.ID {
				p.tree.Toggle()
			}
			p.output.end()
		}
	}
}

// take copies or saves.
func (p *Task) take(a kit.Action) kit.Intent {
	s, _ := p.tree.Step()
	switch a {
	case "task.command":
		commands := p.commands(s)
		if len(commands) == 0 {
			return kit.Tell{Text: "this step runs no command of its own"}
		}
		return kit.Copy{Text: strings.Join(commands, "\n"), What: kit.Plural(len(commands), "command")}
	case "task.copy":
		lines := p.transcript().Last(s.ID, heldLines)
		if len(lines) == 0 {
			return kit.Tell{Text: "this step wrote nothing"}
		}
		return kit.Copy{Text: plainOutput(lines), What: kit.Plural(len(lines), "line")}
	}
	transcript, id := p.transcript(), p.task.ID
	return kit.Save{Name: fmt.Sprintf("%s-%s.log", fileWord(p.task.Operation), id), Text: func() string {
		lines, _, _ := transcript.Window("", 0, 1<<31)
		return plainOutput(lines)
	}}
}

// commands are those that the step ran, or else will run.
func (p *Task) commands(s ops.StepState) []string {
	var out []string
	for _, l := range p.transcript().Last(s.ID, heldLines) {
		if l.Stream == ops.Ran {
			out = append(out, l.Text)
		}
	}
	if len(out) == 0 {
		return s.Commands
	}
	return out
}

// target is what the logs of the step are: the container of the task's version
// on the step's host, or all of the host.
func (p *Task) target() kit.Target {
	host := ""
	if s, ok := p.tree.Step(); ok {
		host = s.Host
	}
	if host == "" && len(p.task.Errors) > 0 {
		host = p.task.Errors[0].Host
	}
	t := kit.Target{App: p.task.App, Host: host, Task: p.task.ID}
	if host == "" {
		return t
	}
	h, _ := p.scene.State.Fleet.Host(host)
	var newest ops.Container
	for _, c := range h.Containers {
		if c.App == p.task.App && c.Kind == ops.KindApp && c.Version == p.task.Version && c.Created.After(newest.Created) {
			newest = c
		}
	}
	t.Container, t.Role = newest.ID, newest.Role
	return t
}

// status is the first line: how the task stands.
func (p *Task) status() string {
	th, t := p.scene.Theme, &p.task
	mark := widget.StepMark(t.Status, th)
	parts := []widget.Cell{{Text: " " + mark.Text + " " + statusWord(t, p.scene.Now), Tone: mark.Tone}}
	if t.Status == ops.Running {
		if usual := usually(p.scene.State.Tasks, t); usual > 0 {
			parts = append(parts, widget.Cell{Text: "usually " + kit.Took(usual), Tone: theme.Dim})
		}
	}
	if t.Cancelling && t.Status == ops.Running {
		parts = append(parts, widget.Cell{Text: "stopping at a safe point", Tone: theme.Warn})
	}
	done, all := finishedSteps(t)
	parts = append(parts, widget.Cell{Text: fmt.Sprintf("%d of %d steps", done, all), Tone: theme.Dim})
	if !p.tree.Following() && t.Status == ops.Running {
		parts = append(parts, widget.Cell{Text: "cursor stays", Tone: theme.Dim})
	}
	var b strings.Builder
	left := p.scene.Width
	for i, c := range parts {
		text := c.Text
		if i > 0 {
			text = " " + th.Dot + " " + text
		}
		text = kit.Cut(text, left, th.Ellipsis)
		left -= kit.Width(text)
		b.WriteString(th.Paint(c.Tone, text))
	}
	return b.String()
}

// Helpers

func statusWord(t *ops.Task, now time.Time) string {
	took := kit.Took(t.Elapsed(now))
	switch t.Status {
	case ops.Running:
		return "running " + took
	case ops.Done:
		return "done in " + took
	case ops.Failed:
		return "failed after " + took
	case ops.Cancelled:
		return "cancelled after " + took
	}
	return string(t.Status)
}

// usually is the median of how long the same operation took on the same app
// before; 0 when it never ended well.
func usually(tasks []ops.Task, t *ops.Task) time.Duration {
	var all []time.Duration
	for i := range tasks {
		o := &tasks[i]
		if o.ID != t.ID && o.App == t.App && o.Operation == t.Operation && o.Status == ops.Done {
			all = append(all, o.Elapsed(o.Finished))
		}
	}
	if len(all) == 0 {
		return 0
	}
	slices.Sort(all)
	return all[len(all)/2]
}

func finishedSteps(t *ops.Task) (done, all int) {
	for i := range t.Steps {
		if t.Steps[i].Group {
			continue
		}
		all++
		if t.Steps[i].Status == ops.Done || t.Steps[i].Status == ops.Skipped {
			done++
		}
	}
	return done, all
}

// fileWord makes a word that can stand in a file name.
func fileWord(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '.', r == '_', r == '+', r == '-':
			return r
		}
		return '-'
	}, text)
}
