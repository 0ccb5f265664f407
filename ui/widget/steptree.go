package widget

import (
	"time"

	"binnacle/ops"
	"binnacle/ui/kit"
	"binnacle/ui/theme"
)

// StepTree shows the steps of a task: groups that open and close by themselves,
// one row per host, what failed and what runs before the rest. Until somebody
// moves it, its cursor stands on what matters most now. The zero StepTree is
// ready for Sync.
type StepTree struct {
	frame  StepFrame
	list   kit.List[ops.StepID]
	manual bool // somebody moved the cursor
	turned map[ops.StepID]bool
	nodes  []stepNode // by position in the task's steps
	roots  []int
	rows   []stepRow
	at     map[ops.StepID]int // row of a step
	label  int                // cells of the labels of steps
	hosts  int                // cells of the labels of hosts
}

// StepFrame is what a StepTree draws from.
type StepFrame struct {
	Task    ops.Task
	Now     time.Time
	Width   int
	Height  int
	Theme   theme.Theme
	Focused bool
}

// Sync takes over what changed. The cursor stays on its step wherever that goes.
func (t *StepTree) Sync(frame StepFrame) {
	if t.frame.Task.ID != frame.Task.ID {
		*t = StepTree{}
	}
	t.frame = frame
	t.nodes, t.roots = buildSteps(frame.Task.Steps)
	t.layout()
	if !t.manual {
		t.show(t.focus())
	}
}

// Len is the number of rows that the tree would fill.
func (t *StepTree) Len() int { return len(t.rows) }

// Move carries out a motion; false when it is none that a tree knows.
func (t *StepTree) Move(a kit.Action) bool {
	switch a {
	case kit.Left, kit.Right:
		return t.fold(a == kit.Right)
	}
	if !t.list.Move(a) {
		return false
	}
	t.manual = true
	return true
}

// By moves the cursor by rows.
func (t *StepTree) By(rows int) {
	t.manual = true
	t.list.By(rows)
}

// At puts the cursor on a line of the window; false below the last row.
func (t *StepTree) At(line int) bool {
	if !t.list.At(line) {
		return false
	}
	t.manual = true
	return true
}

// Toggle opens or closes the group, host or rest under the cursor; false when
// there is nothing to open.
func (t *StepTree) Toggle() bool {
	row, ok := t.row()
	if !ok || !row.opens {
		return false
	}
	t.turn(row, !row.open)
	return true
}

// Follow lets the cursor go to what matters most again, by itself.
func (t *StepTree) Follow() {
	t.manual = false
	t.Sync(t.frame)
}

// Following reports that the cursor moves by itself.
func (t *StepTree) Following() bool { return !t.manual }

// Step is the step or group under the cursor; false when there are no steps.
func (t *StepTree) Step() (ops.StepState, bool) {
	row, ok := t.row()
	if !ok {
		return ops.StepState{}, false
	}
	return t.frame.Task.Steps[row.node], true
}

// Lines draws the window: at most Height lines, none wider than Width.
func (t *StepTree) Lines() []string {
	from, to := t.list.Window()
	out := make([]string, 0, to-from)
	for i := from; i < to; i++ {
		surface := theme.Plain
		if i == t.list.Index() {
			surface = theme.Marked
			if t.frame.Focused {
				surface = theme.Cursor
			}
		}
		out = append(out, t.draw(t.rows[i], surface))
	}
	return out
}

// Private

// lookAhead is how many rows below the cursor come on screen with it.
const lookAhead = 3

// show puts the cursor on a row, with some of what follows it.
func (t *StepTree) show(id ops.StepID) {
	i, ok := t.at[id]
	if !ok {
		return
	}
	ahead := min(lookAhead, max(0, t.frame.Height/2))
	t.list.Select(t.rows[min(i+ahead, len(t.rows)-1)].id)
	t.list.Select(id)
}

// row is the row under the cursor.
func (t *StepTree) row() (stepRow, bool) {
	id, ok := t.list.Key()
	if !ok {
		return stepRow{}, false
	}
	i, ok := t.at[id]
	if !ok {
		return stepRow{}, false
	}
	return t.rows[i], true
}

// fold opens or closes what is under the cursor; closing an inner step goes to
// its group.
func (t *StepTree) fold(open bool) bool {
	row, ok := t.row()
	switch {
	case !ok:
		return true
	case row.opens && row.open != open:
		t.turn(row, open)
	case !open:
		t.manual = true
		t.list.Select(t.frame.Task.Steps[row.node].Parent)
	}
	return true
}

func (t *StepTree) turn(row stepRow, open bool) {
	if t.turned == nil {
		t.turned = map[ops.StepID]bool{}
	}
	t.turned[row.id] = open
	t.manual = true
	t.layout()
	t.list.Select(row.id)
}

// focus is the row of the first failure, else of what runs, else of the last
// thing that happened.
func (t *StepTree) focus() ops.StepID {
	best, rank := ops.StepID(""), -1
	for _, r := range t.rows {
		s := &t.frame.Task.Steps[r.node]
		if r.rest || s.Group && !r.host && r.open {
			continue // what it holds is shown below it
		}
		if n := interest(s.Status); n > rank || n == rank && n == endedInterest {
			best, rank = r.id, n
		}
	}
	return best
}

// Helpers

// The interest of a step that ended well: the last one counts.
const endedInterest = 1

func interest(s ops.Status) int {
	switch s {
	case ops.Failed:
		return 4
	case ops.Running:
		return 3
	case ops.Cancelled:
		return 2
	case ops.Done:
		return endedInterest
	}
	return 0
}
