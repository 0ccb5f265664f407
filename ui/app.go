package ui

import (
	"context"
	"maps"
	"slices"
	"time"

	tea "charm.land/bubbletea/v2"

	"binnacle/ops"
	"binnacle/ui/kit"
	"binnacle/ui/pane"
	"binnacle/ui/theme"
	"binnacle/ui/widget"
)

// Model is the root: size, focus, the views over the overview, the dialog on
// top, and the newest State.
type Model struct {
	options  Options
	ctx      context.Context //nolint:containedctx // of the program: commands need one that we own
	stop     func()          // ends the store's subscription
	bridge   bridge
	outcome  Outcome
	still    bool // no clock and no bridge: a Stage
	finished bool

	state   *ops.State
	app     ops.AppID
	summary summary
	now     time.Time
	sent    time.Time     // last state message
	touched time.Time     // last key
	resizes int           // sizes so far
	ticking time.Duration // pace of the clock that runs
	clock   int           // its number

	theme  theme.Theme
	keys   kit.Keymap
	panes  map[kit.PaneID]kit.Pane
	frames frames

	width, height int
	layout        layout
	focus         kit.PaneID   // in the overview
	views         []kit.PaneID // over the overview, topmost last
	last          kit.PaneID   // the view before this one, for -
	full          bool
	mouseOff      bool
	blurred       bool // the terminal is not in front

	target    kit.Target
	marks     map[kit.PaneID][]kit.Target
	task      ops.TaskID
	filters   map[kit.PaneID]kit.Filter
	filtering *widget.Input

	overlay  overlay
	planning planning
	left     map[ops.TaskID]*ops.Attach // what tasks leave for the person when they are done
	answered map[string]bool            // questions whose answer is under way
	notice   kit.Tell
	noticed  time.Time
	leaving  kit.Leaving
	history  []string

	content string
	stale   bool
}

// New makes the model; an error tells of clashing keys.
func New(ctx context.Context, o Options) (*Model, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	panes := []kit.Pane{
		pane.NewHosts(), pane.NewContainers(), pane.NewAccessories(), pane.NewTasks(), pane.NewDetails(), pane.NewNotices(), pane.NewBackups(),
	}
	panes = append(panes, o.Panes...)
	keys, err := keymap(panes, o.Catalog, o.Keys)
	if err != nil {
		return nil, err
	}
	m := &Model{
		options: o, ctx: ctx, keys: keys, panes: map[kit.PaneID]kit.Pane{}, focus: kit.Hosts, last: kit.Containers,
		answered: map[string]bool{}, left: map[ops.TaskID]*ops.Attach{}, marks: map[kit.PaneID][]kit.Target{}, filters: map[kit.PaneID]kit.Filter{}, history: o.History, width: 80, height: 24,
	}
	for _, p := range panes {
		m.panes[p.Spec().ID] = p
	}
	var dirty <-chan struct{}
	dirty, m.stop = o.Source.Dirty()
	m.bridge = bridge{state: dirty, panes: o.Changed}
	m.touched = o.Now() // somebody has just asked for it
	m.take()
	for id, p := range m.panes { // every pane has a scene before it is asked anything
		p.Sync(m.scene(region{id: id}))
	}
	m.sync()
	return m, nil
}

// Init starts the bridge and asks for the terminal's background.
func (m *Model) Init() tea.Cmd {
	if m.still {
		return nil
	}
	cmds := []tea.Cmd{m.bridge.wait(m.ctx, m.sent, floor), m.tick()}
	if !m.options.FixedTheme {
		cmds = append(cmds, tea.RequestBackgroundColor)
	}
	return tea.Batch(cmds...)
}

// Update takes one message and says what has to be done.
func (m *Model) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	cmd := m.handle(msg)
	m.sync()
	if tick := m.tick(); tick != nil {
		cmd = tea.Batch(cmd, tick)
	}
	return m, cmd
}

// View is the frame with the terminal's modes.
func (m *Model) View() tea.View {
	if m.stale {
		m.content = m.draw()
		m.stale = false
	}
	v := tea.NewView(m.content)
	v.AltScreen, v.ReportFocus = true, true
	v.WindowTitle = m.windowTitle()
	v.ProgramStatus = m.programStatus()
	v.MouseMode = tea.MouseModeCellMotion
	if m.mouseOff {
		v.MouseMode = tea.MouseModeNone
	}
	return v
}

// Private

func (m *Model) handle(msg tea.Msg) tea.Cmd {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		return m.resized(msg)
	case rested:
		return m.rested(msg)
	case tea.BackgroundColorMsg:
		if !m.options.FixedTheme {
			m.options.Theme.Dark = msg.IsDark()
		}
	case tea.ColorProfileMsg:
		m.profile(msg.Profile)
	case tea.FocusMsg:
		m.blurred = false
	case tea.BlurMsg:
		m.blurred = true
	case stateChanged:
		return m.changed()
	case clockTicked:
		return m.ticked(msg)
	case tea.KeyPressMsg:
		m.touched = m.options.Now()
		return m.press(msg)
	case tea.PasteMsg:
		return m.paste(msg)
	case tea.MouseMsg:
		return m.mouse(msg)
	case forPane:
		return m.toPane(msg.pane, msg.msg)
	case planned:
		return m.planned(msg)
	case told:
		m.tell(kit.Tell(msg))
	}
	return nil
}

// take looks at the newest state.
func (m *Model) take() {
	m.state, m.now = m.options.Source.State(), m.options.Now()
	m.app = m.options.App
	if m.app == "" && len(m.state.Fleet.Apps) > 0 {
		m.app = m.state.Fleet.Apps[0].ID
	}
	m.summary.update(m.state, m.app)
	m.paint()
}

func (m *Model) changed() tea.Cmd {
	m.sent = time.Now()
	before := m.state
	m.take()
	m.announce(before)
	m.questions()
	if cmd := m.leave(); cmd != nil || m.still {
		return cmd
	}
	return tea.Batch(m.bridge.wait(m.ctx, m.sent, m.least()), m.handOver())
}

// sync brings panes and the dialog up to date with everything.
func (m *Model) sync() {
	m.stale = true
	m.paint()
	wants := m.wants()
	for range 2 { // what a pane would fill can change the layout once
		m.layout = arrange(m.width, m.height, m.focus, m.alone(), wants)
		for _, r := range m.layout.regions() {
			if p, ok := m.panes[r.id]; ok {
				p.Sync(m.scene(r))
			}
		}
		m.settle()
		now := m.wants()
		if maps.Equal(now, wants) {
			break
		}
		wants = now
	}
	if m.overlay.dialog != nil {
		m.overlay.dialog.Sync(m.wholeScene())
	}
}

// settle gives panes that are not on screen the state, for their counts.
func (m *Model) settle() {
	shown := m.layout.regions()
	for _, id := range overview() {
		if slices.ContainsFunc(shown, func(r region) bool { return r.id == id }) {
			continue
		}
		if p, ok := m.panes[id]; ok {
			p.Sync(m.scene(region{id: id}))
		}
	}
}

func (m *Model) wants() map[kit.PaneID]int {
	out := make(map[kit.PaneID]int, len(m.panes))
	for id, p := range m.panes {
		out[id] = p.Head().Wants
	}
	return out
}

func (m *Model) scene(r region) kit.Scene {
	s := m.wholeScene()
	s.Width, s.Height = r.w, r.h
	s.Focused = r.id == m.current()
	s.Filter = m.filters[r.id]
	s.Full = m.alone() == r.id
	return s
}

func (m *Model) wholeScene() kit.Scene {
	return kit.Scene{
		State: m.state, App: m.app, Width: m.width, Height: m.height, Theme: m.theme, Now: m.now,
		Target: m.target, Marked: m.marked(), Task: m.task,
	}
}

// marked are the marks of all panes.
func (m *Model) marked() []kit.Target {
	var out []kit.Target
	for _, id := range overview() {
		out = append(out, m.marks[id]...)
	}
	return out
}

// current is the pane that gets the keys.
func (m *Model) current() kit.PaneID {
	if n := len(m.views); n > 0 {
		return m.views[n-1]
	}
	return m.focus
}

// alone is the pane that has the whole body; "" for the overview.
func (m *Model) alone() kit.PaneID {
	if len(m.views) > 0 || m.full {
		return m.current()
	}
	return ""
}

func (m *Model) close() {
	if !m.finished {
		m.finished = true
		m.stop()
	}
}
