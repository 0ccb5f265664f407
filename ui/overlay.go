package ui

import (
	"time"

	tea "charm.land/bubbletea/v2"

	"binnacle/ops"
	"binnacle/ui/dialog"
	"binnacle/ui/kit"
)

// grace is how long a dialog that nobody asked for just now takes no keys: a
// key that was on its way must not answer it.
const grace = 400 * time.Millisecond

// overlay is the dialog on top and where it was drawn.
type overlay struct {
	dialog   kit.Dialog
	rect     rect
	opened   time.Time
	surprise bool
	waiting  bool // only says that something is being looked up
}

// Private

// open puts a dialog on top because somebody asked for it.
func (m *Model) open(d kit.Dialog) { m.overlay = overlay{dialog: d, opened: m.options.Now()} }

// surprise puts a dialog on top that comes by itself.
func (m *Model) surprise(d kit.Dialog) {
	m.overlay = overlay{dialog: d, opened: m.options.Now(), surprise: true}
}

// wait says what is being looked up.
func (m *Model) wait() {
	m.open(dialog.NewWaiting("planning " + m.planning.name))
	m.overlay.waiting = true
}

// dismiss takes the dialog away; a question that waits comes up next.
func (m *Model) dismiss() {
	m.overlay = overlay{}
	m.planning.give()
	m.questions()
}

// early reports a key that came before the dialog could be seen.
func (o *overlay) early(now time.Time) bool { return o.surprise && now.Sub(o.opened) < grace }

func (o *overlay) place(w, h, width, height int) {
	o.rect = rect{x: max((width-w)/2, 0), y: max((height-h)/2, 0), w: min(w, width), h: min(h, height)}
}

// questions shows the first open question, and takes one away that was
// answered elsewhere.
func (m *Model) questions() {
	open, isQuestion := m.overlay.dialog.(*dialog.Question)
	if isQuestion && !asked(m.state.Questions, open.ID()) {
		m.overlay = overlay{}
	}
	if m.overlay.dialog != nil && !m.overlay.waiting {
		return
	}
	for _, q := range m.state.Questions {
		if !m.answered[q.ID] {
			m.surprise(dialog.NewQuestion(q))
			return
		}
	}
	if m.planning.cancel != nil && m.overlay.dialog == nil {
		m.wait() // the answer was what the plan waited for
	}
}

func (m *Model) toDialog(msg tea.Msg) tea.Cmd {
	if _, key := msg.(tea.KeyPressMsg); key && m.overlay.early(m.options.Now()) {
		return nil
	}
	at := m.overlay.dialog
	intent, cmd := at.Update(msg)
	if f, ok := at.(*dialog.Finder); ok && intent != nil {
		m.remember(f.Typed(), intent)
	}
	if intent != nil {
		m.overlay = overlay{}
	}
	deed := m.carryOut(intent)
	if m.overlay.dialog == nil {
		m.questions()
	}
	return tea.Batch(cmd, deed)
}

// Helpers

func asked(questions []ops.Question, id string) bool {
	for _, q := range questions {
		if q.ID == id {
			return true
		}
	}
	return false
}
