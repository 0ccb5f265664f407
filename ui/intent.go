package ui

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	tea "charm.land/bubbletea/v2"

	"binnacle/ops"
	"binnacle/ui/dialog"
	"binnacle/ui/kit"
)

// planned brings a plan, or why there is none.
type planned struct {
	number   int
	run      kit.Run
	proposal Proposal
	err      error
}

// told brings a notice from a command.
type told kit.Tell

// planning is the plan that is being made.
type planning struct {
	number int
	name   string
	cancel context.CancelFunc
}

func (p *planning) give() {
	if p.cancel != nil {
		p.cancel()
	}
	p.cancel = nil
	p.number++
}

// Private

// carryOut is where intents become deeds.
func (m *Model) carryOut(intent kit.Intent) tea.Cmd {
	if intent == nil {
		return nil
	}
	switch in := intent.(type) {
	case kit.Run:
		return m.run(in)
	case kit.Launch:
		return m.launch(in)
	case kit.Cancel:
		return m.cancel(in.Task)
	case cancelled:
		m.options.Driver.Cancel(in.Task)
		m.tell(kit.Tell{Text: "stopping at a safe point"})
	case kit.Open:
		m.target = nonzero(in.Target, m.target)
		if in.View == kit.Task && in.Task != "" {
			m.task = in.Task
		}
		m.show(in.View)
	case kit.Point:
		m.target = in.Target
		if m.options.Look != nil && in.Target.Host != "" {
			m.options.Look(in.Target.Host)
		}
	case kit.Mark:
		m.marks[in.Pane] = in.Targets
	case kit.Answer:
		m.answered[in.Question] = true
		m.options.Driver.Answer(in.Question, in.Answer)
	case kit.Act:
		if spec, ok := m.keys.Action(in.Action); ok {
			return m.do(spec)
		}
	case kit.Filtered:
		m.filterBy(in.Text)
	case kit.Tell:
		m.tell(in)
	case kit.Back:
		m.dismiss()
	default:
		return m.outside(intent)
	}
	return nil
}

// outside carries out what reaches beyond the console.
func (m *Model) outside(intent kit.Intent) tea.Cmd {
	switch in := intent.(type) {
	case kit.Shell:
		return m.lend(Loan{Target: in.Target})
	case kit.Copy:
		m.tell(kit.Tell{Text: "copied the " + in.What})
		return tea.SetClipboard(in.Text)
	case kit.Save:
		return save(m.options.SaveDir, in)
	case kit.Refresh:
		if m.options.Refresh != nil {
			m.options.Refresh()
		}
		m.tell(kit.Tell{Text: "reading everything again"})
	case kit.Quit:
		return m.quit()
	case kit.Leave:
		return m.leaveBy(in.How)
	}
	return nil
}

// run leads to a plan: over a picker or a form when the operation needs to be
// told something.
func (m *Model) run(r kit.Run) tea.Cmd {
	op, ok := m.options.Catalog.Find(r.Operation)
	if !ok {
		m.tell(kit.Tell{Text: "no operation is called " + r.Operation, Err: true})
		return nil
	}
	if !r.Ready {
		param, hasVersion := kit.VersionParam(op)
		picker := m.restorable(op, r)
		switch {
		case op.Name == string(actRollback) && hasVersion && r.Params.Text(param) == "":
			m.open(dialog.NewRollback(r, param, m.state.Fleet, m.app))
			return nil
		case picker != nil:
			m.open(picker)
			return nil
		case r.Ask, hasVersion && op.Risk != ops.Read, needs(op, r.Params):
			m.open(dialog.NewForm(op, r))
			return nil
		}
	}
	return m.plan(op, r)
}

func (m *Model) plan(op ops.Operation, r kit.Run) tea.Cmd {
	m.planning.give()
	ctx, cancel := context.WithCancel(m.ctx)
	m.planning.cancel, m.planning.name = cancel, op.Name
	number, driver := m.planning.number, m.options.Driver
	request := Request{
		App: m.app, Operation: op.Name, Target: r.Target, Params: r.Params, Roles: r.Roles, Hosts: r.Hosts, SkipHooks: r.SkipHooks,
	}
	m.wait()
	return func() tea.Msg {
		proposal, err := driver.Plan(ctx, request)
		return planned{number: number, run: r, proposal: proposal, err: err}
	}
}

// planned shows the plan for confirmation, unless it only reads.
func (m *Model) planned(msg planned) tea.Cmd {
	if msg.number != m.planning.number {
		return nil // given up
	}
	m.planning.give()
	m.overlay = overlay{}
	plan := msg.proposal.Plan
	switch {
	case errors.Is(msg.err, context.Canceled):
		return nil
	case msg.err != nil:
		m.open(dialog.NewFailure(msg.run.Operation+" cannot be planned", ops.Describe(msg.err)))
	case plan.Risk == ops.Read:
		return m.launch(kit.Launch{Task: msg.proposal.Task, Plan: plan})
	default:
		op, _ := m.options.Catalog.Find(msg.run.Operation)
		m.surprise(dialog.NewConfirm(msg.proposal.Task, plan, msg.run, len(op.Params) > 0))
	}
	return nil
}

func (m *Model) launch(l kit.Launch) tea.Cmd {
	if err := m.options.Driver.Start(Proposal(l)); err != nil {
		m.open(dialog.NewFailure(l.Plan.Operation+" was not started", ops.Describe(err)))
		return nil
	}
	m.task = l.Task
	if l.Plan.Attach != nil {
		m.left[l.Task] = l.Plan.Attach
	}
	if m.panes[kit.Task] != nil {
		m.show(kit.Task)
	}
	return nil
}

// cancelled is a Cancel that was confirmed.
type cancelled struct{ kit.Cancel }

func (m *Model) cancel(id ops.TaskID) tea.Cmd {
	t, ok := m.state.Task(id)
	if !ok || t.Status.Ended() {
		m.tell(kit.Tell{Text: "this task has ended"})
		return nil
	}
	m.open(dialog.NewCancel(t, cancelled{kit.Cancel{Task: id}}))
	return nil
}

// handOver gives the terminal to what a task that is done left for the person.
func (m *Model) handOver() tea.Cmd {
	for id, attach := range m.left {
		t, ok := m.state.Task(id)
		if !ok || !t.Status.Ended() {
			continue
		}
		delete(m.left, id)
		if t.Status == ops.Done {
			return m.lend(Loan{Attach: attach})
		}
	}
	return nil
}

func (m *Model) lend(l Loan) tea.Cmd {
	if m.still {
		return nil
	}
	cmd, err := m.options.Driver.Lend(m.ctx, l)
	if err != nil {
		m.tell(kit.Tell{Text: err.Error(), Err: true})
		return nil
	}
	return tea.Exec(cmd, func(err error) tea.Msg {
		var exit *ops.ExitError
		switch {
		case errors.As(err, &exit) && l.Attach != nil:
			return told{Text: fmt.Sprintf("the command ended with exit code %d", exit.Code), Err: true}
		case err != nil && exit == nil:
			return told{Text: "shell: " + err.Error(), Err: true}
		}
		return stateChanged{} // a shell that ends with the code of its last command has not failed
	})
}

func (m *Model) quit() tea.Cmd {
	m.leaving = "" // asked again
	running := m.summary.changing()
	if len(running) == 0 {
		return tea.Quit
	}
	m.open(dialog.NewQuit(running))
	return nil
}

func (m *Model) leaveBy(how kit.Leaving) tea.Cmd {
	m.leaving = how
	switch how {
	case kit.LeaveRunning:
		for _, t := range m.summary.changing() {
			m.outcome.Left = append(m.outcome.Left, t.ID)
		}
		return tea.Quit
	case kit.LeaveCancel:
		for _, t := range m.summary.changing() {
			m.options.Driver.Cancel(t.ID)
		}
	}
	return m.leave()
}

// leave quits once what was waited for has ended.
func (m *Model) leave() tea.Cmd {
	switch {
	case m.leaving == "":
		return nil
	case len(m.summary.changing()) == 0:
		return tea.Quit
	}
	return nil
}

func (m *Model) tell(t kit.Tell) { m.notice, m.noticed = t, m.options.Now() }

// Helpers

func save(dir string, in kit.Save) tea.Cmd {
	return func() tea.Msg {
		path, err := write(dir, in.Name, in.Text())
		if err != nil {
			return told{Text: "saving " + in.Name + ": " + err.Error(), Err: true}
		}
		return told{Text: "saved " + path}
	}
}

// write puts text into a new file; one that exists is never touched.
func write(dir, name, text string) (string, error) {
	name = strings.Map(func(r rune) rune {
		if r == '/' || r == os.PathSeparator || r < ' ' {
			return '_'
		}
		return r
	}, name)
	ext := filepath.Ext(name)
	for i := range 1000 {
		try := name
		if i > 0 {
			try = fmt.Sprintf("%s-%d%s", strings.TrimSuffix(name, ext), i, ext)
		}
		path := filepath.Join(dir, try)
		f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		if errors.Is(err, os.ErrExist) {
			continue
		}
		if err != nil {
			return "", err
		}
		_, err = f.WriteString(text)
		return path, errors.Join(err, f.Close())
	}
	return "", errors.New("a thousand files of that name are there already")
}

func needs(op ops.Operation, given ops.Params) bool {
	for _, p := range op.Params {
		if p.Required && given[p.Name] == "" {
			return true
		}
	}
	return false
}

func nonzero(t, or kit.Target) kit.Target {
	if t == (kit.Target{}) {
		return or
	}
	return t
}
