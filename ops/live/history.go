package live

import (
	"errors"
	"slices"
	"strings"

	"binnacle/ops"
)

// History replays the newest tasks of the app from their journals, oldest
// first. A task whose process is gone before it ended was cut off; one that
// runs in another process is left out.
func (s *Session) History(most int) []ops.Event {
	journals := s.journals()
	if journals.Dir == "" {
		return nil
	}
	entries, err := journals.List(s.App)
	if err != nil {
		return nil
	}
	if len(entries) > most {
		entries = entries[len(entries)-most:]
	}
	var out []ops.Event
	for _, e := range entries {
		events, err := journals.Read(e.Path)
		if err != nil || len(events) == 0 {
			continue // a damaged journal is no reason to stop: tasks show names it
		}
		out = append(out, ended(events)...)
	}
	return out
}

// Private

// past tells the newest tasks of one operation, oldest first.
func (s *Session) past(operation string) []ops.Task {
	journals := s.journals()
	if journals.Dir == "" {
		return nil
	}
	entries, err := journals.List(s.App)
	if err != nil {
		return nil
	}
	var found [][]ops.Event
	for _, e := range slices.Backward(entries[max(0, len(entries)-pastLooked):]) {
		if name, err := journals.Operation(e.Path); err != nil || name != operation {
			continue
		}
		if events, err := journals.Read(e.Path); err == nil {
			found = append(found, ended(events))
		}
		if len(found) == pastKept {
			break
		}
	}
	state := ops.State{}
	for _, events := range slices.Backward(found) {
		for _, e := range events {
			if _, output := e.(ops.LineWritten); !output {
				state = ops.Fold(state, e)
			}
		}
	}
	return state.Tasks
}

// own tells whether a task was started on this machine, as far as its state folder knows.
func (s *Session) own(task ops.TaskID) bool {
	journals := s.journals()
	return journals.Dir == "" || journals.Has(s.App, task)
}

// Helpers

// pastLooked is how many tasks are looked at for those of one operation, and
// pastKept how many of these are told.
const (
	pastLooked = 500
	pastKept   = 20
)

// ended closes a task that was cut off, and drops one that still runs.
func ended(events []ops.Event) []ops.Event {
	started, ok := events[0].(ops.TaskStarted)
	if !ok {
		return nil
	}
	if _, ok := events[len(events)-1].(ops.TaskFinished); ok {
		return events
	}
	if started.Host == machine() && Alive(started.PID) {
		return nil
	}
	cut := &ops.Error{
		Summary: "the process that ran it ended before it did", Cause: errors.New("cut off"),
		Hint: strings.Join(append([]string{"what it left: the deploy lock, and what hosts run"}, unattended(events)...), "; "),
	}
	return append(events, ops.TaskFinished{Task: started.Task, At: started.At, Status: ops.Failed, Errors: []*ops.Error{cut}})
}

// unattended are the checks of what ran when a task was cut off.
func unattended(events []ops.Event) []string {
	var state ops.State
	for _, e := range events {
		if _, output := e.(ops.LineWritten); !output {
			state = ops.Fold(state, e)
		}
	}
	var checks []string
	for _, t := range state.Tasks {
		checks = append(checks, t.Unattended()...)
	}
	return checks
}
