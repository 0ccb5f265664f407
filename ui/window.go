package ui

import (
	"strings"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/colorprofile"

	"binnacle/ops"
	"binnacle/ui/kit"
	"binnacle/ui/theme"
)

// Private

// paint makes the theme anew when what it depends on has changed: the
// terminal's background and colours, and the destination.
func (m *Model) paint() {
	o := m.options.Theme
	d := m.app.Destination()
	o.Production = m.app != "" && (d == "" || strings.Contains(d, "prod"))
	if m.theme.Options != o || m.theme.Live == "" {
		m.theme = theme.New(o)
	}
}

// profile takes over how many colours the terminal has.
func (m *Model) profile(p colorprofile.Profile) {
	if m.options.FixedTheme {
		return
	}
	m.options.Theme.Basic = p == colorprofile.ANSI
	m.options.Theme.NoColor = m.options.Theme.NoColor || p == colorprofile.ASCII
}

// announce tells what somebody may not be looking at: a task that ended, an
// error that belongs to no task.
func (m *Model) announce(before *ops.State) {
	for _, t := range before.RunningTasks() {
		now, ok := m.state.Task(t.ID)
		if ok && now.Status.Ended() && now.Risk != ops.Read && (m.current() != kit.Task || m.task != t.ID) {
			m.tell(kit.Tell{Text: now.Title + ": " + string(now.Status) + " after " + kit.Took(now.Elapsed(m.now)), Err: now.Status == ops.Failed})
		}
	}
	if same(before.Notices, m.state.Notices) || len(m.state.Notices) == 0 {
		return
	}
	if last := m.state.Notices[len(m.state.Notices)-1]; last.Err {
		m.tell(kit.Tell{Text: last.Text, Err: true})
	}
}

func (m *Model) windowTitle() string {
	parts := []string{"binnacle"}
	if m.app != "" {
		parts = append(parts, kit.Clean(string(m.app)))
	}
	for _, t := range m.summary.running {
		parts = append(parts, kit.Clean(t.Title))
	}
	return strings.Join(parts, " - ")
}

// programStatus tells terminals that show it whether we work or wait.
func (m *Model) programStatus() *tea.ProgramStatus {
	s := &tea.ProgramStatus{App: "binnacle", State: tea.ProgramStateIdle}
	switch {
	case len(m.state.Questions) > 0:
		s.State, s.Kind, s.Message = tea.ProgramStateBlocked, tea.ProgramStatusKindQuestion, kit.Clean(m.state.Questions[0].Title)
	case len(m.summary.running) > 0:
		s.State, s.Message = tea.ProgramStateWorking, kit.Clean(m.summary.running[0].Title)
	}
	return s
}
