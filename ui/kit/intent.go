package kit

import "binnacle/ops"

// Intent is what a pane or dialog wants to happen. Imperatives; the set is
// closed, and only the root carries them out.
type Intent interface{ intent() }

// Run asks for an operation: it is planned, confirmed according to its risk,
// and started.
type Run struct {
	Operation string // name in the catalog
	Target    Target
	Params    ops.Params
	Roles     []string // narrow to these roles
	Hosts     []string // narrow to these hosts
	SkipHooks bool
	Ready     bool // the params are complete: do not ask for them in a form
	Ask       bool // ask for them even where the defaults would do
}

// Launch starts a plan that somebody has seen.
type Launch struct {
	Task ops.TaskID
	Plan ops.Plan
}

// Cancel asks a running task to stop at a safe point.
type Cancel struct{ Task ops.TaskID }

// Open shows a pane or a view: it gets the focus, and Task and Details fill the body.
type Open struct {
	View   PaneID
	Target Target
	Task   ops.TaskID
}

// Point tells that the cursor moved to another thing; Logs follow it.
type Point struct{ Target Target }

// Mark tells which things are marked for a bulk act now.
type Mark struct {
	Pane    PaneID
	Targets []Target
}

// Answer answers one of the State's questions.
type Answer struct {
	Question string
	Answer   ops.Answer
}

// Shell opens a shell on a host, or in a container when Target names one.
type Shell struct{ Target Target }

// Copy puts text on the clipboard, over OSC 52, so that it works through ssh.
type Copy struct {
	Text string
	What string // for the notice: "line", "command"
}

// Save writes text to a new file in the working folder.
type Save struct {
	Name string // file name without folder, such as "web-1.log"
	Text func() string
}

// Tell shows a short notice at the bottom.
type Tell struct {
	Text string
	Err  bool
}

// Act presses a key by its ID: what help and the palette return.
type Act struct{ Action Action }

// Filtered sets the filter of the focused pane.
type Filtered struct{ Text string }

// Refresh reads everything again.
type Refresh struct{}

// Back closes the topmost thing.
type Back struct{}

// Leave answers the quit dialog.
type Leave struct{ How Leaving }

// Leaving is how the console is left while a change runs.
type Leaving string

// The ways to leave.
const (
	LeaveNow     Leaving = "now"     // nothing runs
	LeaveWait    Leaving = "wait"    // when the running tasks have ended
	LeaveCancel  Leaving = "cancel"  // cancel them, then leave
	LeaveRunning Leaving = "running" // without them: they go on without a screen
)

// Quit asks to leave the console.
type Quit struct{}

func (Run) intent()      {}
func (Launch) intent()   {}
func (Cancel) intent()   {}
func (Open) intent()     {}
func (Point) intent()    {}
func (Mark) intent()     {}
func (Answer) intent()   {}
func (Shell) intent()    {}
func (Copy) intent()     {}
func (Save) intent()     {}
func (Tell) intent()     {}
func (Act) intent()      {}
func (Filtered) intent() {}
func (Refresh) intent()  {}
func (Back) intent()     {}
func (Leave) intent()    {}
func (Quit) intent()     {}
