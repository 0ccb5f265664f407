// Package kit is what panes, dialogs and the root model agree on: the Pane and
// Dialog interfaces, the Intents they return, keys as data, selection by
// identity, filters, and the text helpers that keep every line inside its
// rectangle. It may import ops, ui/theme and Bubble Tea.
//
// # How a pane works
//
// The root owns the State, the layout, the focus, the filter line and the
// clock. It calls a pane on one goroutine only:
//
//   - Sync(Scene) whenever anything in the Scene changed. All sorting, filtering
//     and formatting that can be done ahead is done here. A pane compares what
//     it got with what it had: State is immutable, so that equal slices mean
//     equal facts.
//   - Update(msg) with a Do for one of the pane's own keys or a motion, a Click
//     or a Wheel inside the pane, or a message that one of the pane's own
//     commands returned (the root brings each back to the pane that sent it).
//     What the pane wants of the rest of the program it returns as an Intent;
//     nil for nothing. A pane never calls the engine and never blocks; what can
//     take time runs in a tea.Cmd.
//   - View() draws the inside of the frame: exactly Scene.Height lines, none
//     wider than Scene.Width cells, without a trailing newline. It does no I/O
//     and no sorting. Fit makes any text keep the rule.
//   - Head() says what stands on the frame and in the strip of counts.
//
// The root draws the frame, the title, the filter chip and the footer. Keys are
// data in Spec: the root matches a key press against the focused pane's keys
// first, then the motions, then the global keys, and sends a Do with the key's
// ID. A pane never looks at a key press itself.
//
// Colours and symbols come from Scene.Theme by meaning; text that came from a
// host goes through Clean before it is measured or drawn.
package kit

import (
	"time"

	tea "charm.land/bubbletea/v2"

	"binnacle/ops"
	"binnacle/ui/theme"
)

// PaneID names a pane or a full view.
type PaneID string

// The panes and views.
const (
	Hosts       PaneID = "hosts"
	Containers  PaneID = "containers"
	Accessories PaneID = "accessories"
	Logs        PaneID = "logs"
	Tasks       PaneID = "tasks"
	Task        PaneID = "task"    // one task: steps, output; Scene.Task says which
	Details     PaneID = "details" // everything known of Scene.Target
	Notices     PaneID = "notices"
	Backups     PaneID = "backups" // what is kept of the app, or of what Scene.Target.Backup names
)

// Pane is one rectangle of the console.
type Pane interface {
	// Spec is constant.
	Spec() Spec
	// Sync takes over what changed.
	Sync(Scene)
	// Update handles a Do, Click, Wheel, or the result of an own command.
	Update(tea.Msg) (Intent, tea.Cmd)
	// Head is what the frame says.
	Head() Head
	// View is the inside of the frame.
	View() string
}

// Dialog is a box over the panes that takes all keys until it closes by
// returning Back or an intent that goes on.
type Dialog interface {
	// Sync gives the space there is; the dialog may use less.
	Sync(Scene)
	// Update handles tea.KeyPressMsg, tea.PasteMsg, Click (inside the dialog)
	// and Wheel.
	Update(tea.Msg) (Intent, tea.Cmd)
	// View is the whole dialog with its own border.
	View() string
}

// Spec is what does not change about a pane.
type Spec struct {
	ID    PaneID
	Title string
	Keys  []KeySpec // beside the motions, which every pane gets
}

// Head is what a frame's title line and the strip of counts say.
type Head struct {
	Count int    // rows; negative for none
	Shown int    // rows that the filter leaves, when there is one
	Bad   int    // rows that are lost or failed
	Warn  int    // rows that need a look
	Note  string // to the right of the title: "web+job · 212/s"; plain text
	Title string // replaces Spec.Title when not empty
	// Wants is how many lines the pane would fill, for the layout.
	Wants int
}

// Scene is everything a pane may draw from.
type Scene struct {
	State   *ops.State // never nil
	App     ops.AppID  // the app on screen
	Width   int        // cells inside the frame
	Height  int        // lines inside the frame
	Focused bool
	Theme   theme.Theme
	Now     time.Time
	Filter  Filter     // of this pane; matches everything when empty
	Target  Target     // what the person points at, across panes
	Marked  []Target   // what is marked for a bulk act, across panes
	Task    ops.TaskID // the task on screen
	Full    bool       // the pane has the whole body
}

// Target is a thing that can be pointed at. The empty Target is the app.
type Target struct {
	App       ops.AppID
	Host      string
	Role      string
	Container string // full id, together with Host
	Accessory string
	Backup    string // name of what is backed up
	Kept      string // id of one backup of it
	Task      ops.TaskID
}

// Key is the identity of the target's container.
func (t Target) Key() ops.ContainerID { return ops.ContainerID{Host: t.Host, ID: t.Container} }

// Do asks a pane for one of its actions or motions, by KeySpec.ID.
type Do struct{ Action Action }

// Click is a mouse press inside the pane; the cell counts from its top left.
type Click struct{ X, Y int }

// Wheel is the mouse wheel over the pane; positive is down. Several turns
// arrive as one.
type Wheel struct{ Lines int }
