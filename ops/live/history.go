package live

import (
	"errors"

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

// Helpers

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
		Hint: "what it left: the deploy lock, and what hosts run",
	}
	return append(events, ops.TaskFinished{Task: started.Task, At: started.At, Status: ops.Failed, Errors: []*ops.Error{cut}})
}
