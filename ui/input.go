package ui

import (
	"slices"
	"strings"

	tea "charm.land/bubbletea/v2"

	"binnacle/ops"
	"binnacle/ui/kit"
	"binnacle/ui/widget"
)

// forPane brings the result of a pane's command back to it.
type forPane struct {
	pane kit.PaneID
	msg  tea.Msg
}

// Private

func (m *Model) press(msg tea.KeyPressMsg) tea.Cmd {
	switch {
	case m.overlay.dialog != nil:
		return m.toDialog(msg)
	case m.filtering != nil:
		return m.typeFilter(msg)
	}
	spec, ok := m.keys.Find(m.current(), msg.String())
	if !ok {
		return nil
	}
	return m.do(spec)
}

func (m *Model) paste(msg tea.PasteMsg) tea.Cmd {
	switch {
	case m.overlay.dialog != nil:
		return m.toDialog(msg)
	case m.filtering != nil:
		m.filtering.Update(msg)
		m.filterBy(m.filtering.Text())
	}
	return nil
}

// do carries out a key: an operation, an action of the root, or of the pane.
func (m *Model) do(spec kit.KeySpec) tea.Cmd {
	if spec.Operation != "" {
		return m.carryOut(m.aimed(spec.Operation))
	}
	if rest, ok := strings.CutPrefix(string(spec.ID), actViewPrefix); ok && spec.ID != actLastView {
		return m.carryOut(m.view(kit.PaneID(rest)))
	}
	switch spec.ID {
	case actQuit:
		return m.carryOut(kit.Quit{})
	case actHelp, actPalette, actLock:
		return m.ask(spec.ID)
	case actFilter:
		in := widget.NewInput(m.filters[m.current()].Text)
		m.filtering = &in
	case actBack:
		return m.back()
	case actNextPane:
		m.walk(1)
	case actPrevPane:
		m.walk(-1)
	case actLastView:
		return m.carryOut(kit.Open{View: m.last, Target: m.target})
	case actFull:
		m.full = !m.full
	case actRefresh:
		return m.carryOut(kit.Refresh{})
	case actRedraw:
		return tea.ClearScreen
	case actSuspend:
		return tea.Suspend
	case actMouse:
		m.mouseOff = !m.mouseOff
		m.tell(kit.Tell{Text: map[bool]string{true: "the mouse is the terminal's now: select text", false: "the mouse is on"}[m.mouseOff]})
	case kit.Left, kit.Right:
		if m.sideways(spec.ID) {
			return nil
		}
		return m.toPane(m.current(), kit.Do{Action: spec.ID})
	default:
		return m.toPane(m.current(), kit.Do{Action: spec.ID})
	}
	return nil
}

// view opens a pane on what is pointed at; the backups on all that are kept.
func (m *Model) view(id kit.PaneID) kit.Intent {
	target := m.target
	if id == kit.Backups {
		target.Backup, target.Kept = "", ""
	}
	return kit.Open{View: id, Target: target}
}

// sideways goes to the pane beside a table, which has no use for the motion;
// false where the motion belongs to the pane.
func (m *Model) sideways(a kit.Action) bool {
	at := m.current()
	if m.alone() != "" || at == kit.Logs {
		return false
	}
	switch {
	case m.layout.bare.id != "":
		m.walk(map[kit.Action]int{kit.Left: -1, kit.Right: 1}[a])
	case len(m.layout.columns) > 1 && a == kit.Right && at != kit.Containers:
		m.show(kit.Containers)
	case len(m.layout.columns) > 1 && a == kit.Left && at == kit.Containers:
		m.show(kit.Hosts)
	}
	return true
}

// pointing is a pane that tells what its cursor is on, moved or not.
type pointing interface {
	Pointed() (kit.Target, bool)
}

// aim is what an operation is aimed at: what the focused pane points at.
func (m *Model) aim() kit.Target {
	t := m.target
	if p, ok := m.panes[m.current()].(pointing); ok {
		if at, any := p.Pointed(); any {
			t = at
		}
	}
	t.App = m.app
	return t
}

// aimed is a run of an operation at what is pointed at, narrowed to the marked hosts.
func (m *Model) aimed(operation string) kit.Run {
	r := kit.Run{Operation: operation, Target: m.aim()}
	op, _ := m.options.Catalog.Find(operation)
	if kit.Narrows(op) {
		for _, t := range m.marks[kit.Hosts] {
			r.Hosts = append(r.Hosts, t.Host)
		}
	}
	if _, _, ok := kit.BackupParams(op); ok {
		r.Params = m.backupParams(op, r.Target)
		return r
	}
	name, ok := kit.AccessoryParam(op)
	shown := slices.Contains([]kit.PaneID{kit.Accessories, kit.Details, kit.Logs}, m.current())
	if ok && shown && r.Target.Accessory != "" {
		r.Params = ops.Params{name: r.Target.Accessory}
	}
	return r
}

func (m *Model) toPane(id kit.PaneID, msg tea.Msg) tea.Cmd {
	p, ok := m.panes[id]
	if !ok {
		return nil
	}
	intent, cmd := p.Update(msg)
	if cmd != nil {
		inner := cmd
		cmd = func() tea.Msg {
			if out := inner(); out != nil {
				return forPane{id, out}
			}
			return nil
		}
	}
	return tea.Batch(cmd, m.carryOut(intent))
}

// walk goes through the panes of the overview.
func (m *Model) walk(by int) {
	if len(m.views) > 0 {
		m.views = nil
		return
	}
	ids := m.present()
	i := slices.Index(ids, m.focus)
	m.show(ids[(i+by+len(ids))%len(ids)])
}

// present lists the overview's panes that there are.
func (m *Model) present() []kit.PaneID {
	return slices.DeleteFunc(overview(), func(id kit.PaneID) bool { return m.panes[id] == nil })
}

// show brings a pane or view up and remembers the one before.
func (m *Model) show(id kit.PaneID) {
	before := m.current()
	if before == id {
		return
	}
	m.last = before
	if slices.Contains(overview(), id) {
		m.views, m.focus = nil, id
		return
	}
	m.views = append(slices.DeleteFunc(m.views, func(v kit.PaneID) bool { return v == id }), id)
}

// back closes what is on top: a notice, a filter, a view, the full screen, what
// is pointed at. At the bottom it does nothing: esc never quits.
func (m *Model) back() tea.Cmd {
	switch id := m.current(); {
	case m.notice.Text != "":
		m.notice = kit.Tell{}
	case m.filters[id].Text != "":
		delete(m.filters, id)
	case len(m.views) > 0:
		m.last = id
		m.views = m.views[:len(m.views)-1]
	case m.full:
		m.full = false
	case m.target != kit.Target{}:
		m.target = kit.Target{} // logs follow the whole app again
	}
	return nil
}

func (m *Model) typeFilter(msg tea.KeyPressMsg) tea.Cmd {
	switch msg.String() {
	case "enter":
		m.filtering = nil
	case "esc", "ctrl+c":
		m.filtering = nil
		m.filterBy("")
	case "up", "down", "pgup", "pgdown":
		if spec, ok := m.keys.Find(m.current(), msg.String()); ok {
			return m.toPane(m.current(), kit.Do{Action: spec.ID})
		}
	default:
		m.filtering.Update(msg)
		m.filterBy(m.filtering.Text())
	}
	return nil
}

func (m *Model) filterBy(text string) {
	id := m.current()
	if text == "" {
		delete(m.filters, id)
		return
	}
	m.filters[id] = kit.NewFilter(text)
}

func (m *Model) mouse(msg tea.MouseMsg) tea.Cmd {
	at := msg.Mouse()
	var inside tea.Msg
	switch msg.(type) {
	case tea.MouseWheelMsg:
		lines, ok := map[tea.MouseButton]int{tea.MouseWheelUp: -3, tea.MouseWheelDown: 3}[at.Button]
		if !ok {
			return nil
		}
		inside = kit.Wheel{Lines: lines}
	case tea.MouseClickMsg:
		if at.Button != tea.MouseLeft {
			return nil
		}
		inside = kit.Click{}
	default:
		return nil
	}
	if m.overlay.dialog != nil {
		return m.mouseOnDialog(at, inside)
	}
	if _, click := inside.(kit.Click); click && at.Y == m.layout.strip && m.alone() == "" {
		m.clickStrip(at.X)
		return nil
	}
	r, ok := m.layout.at(at.X, at.Y)
	if !ok {
		return nil
	}
	if _, click := inside.(kit.Click); click {
		defer m.show(r.id)
		if !r.holds(at.X, at.Y) {
			return nil
		}
		inside = kit.Click{X: at.X - r.x, Y: at.Y - r.y}
	}
	return m.toPane(r.id, inside)
}

func (m *Model) mouseOnDialog(at tea.Mouse, inside tea.Msg) tea.Cmd {
	r := m.overlay.rect
	if m.overlay.early(m.options.Now()) || !r.holds(at.X, at.Y) {
		return nil
	}
	if _, click := inside.(kit.Click); click {
		inside = kit.Click{X: at.X - r.x, Y: at.Y - r.y}
	}
	return m.toDialog(inside)
}

func (m *Model) clickStrip(x int) {
	titles := m.stripTitles()
	short := stripIsShort(titles, m.theme, m.width)
	from := 0
	for i, t := range titles {
		w := stripCell(t, m.theme, short)
		if x >= from && x < from+w && m.panes[overview()[i]] != nil {
			m.show(overview()[i])
			return
		}
		from += w
	}
}
