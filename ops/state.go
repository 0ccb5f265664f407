package ops

import (
	"slices"
	"time"
)

// State is everything a screen can show, as one immutable value.
type State struct {
	Version   uint64 // grows with every change
	Fleet     Fleet
	Tasks     []Task // oldest first
	Notices   []Notice
	Questions []Question
}

// Status is where a task or a step stands.
type Status string

// The statuses.
const (
	Pending   Status = "pending"
	Running   Status = "running"
	Done      Status = "done"
	Failed    Status = "failed"
	Skipped   Status = "skipped"
	Cancelled Status = "cancelled"
)

// Ended reports a status that does not change any more.
func (s Status) Ended() bool { return s != Pending && s != Running }

// Task is a plan that runs or ran.
type Task struct {
	ID         TaskID
	App        AppID
	Operation  string
	Title      string
	Version    string
	Risk       Risk
	User       string
	Host       string
	PID        int
	Status     Status
	Cancelling bool
	Started    time.Time
	Finished   time.Time
	Steps      []StepState // outline order
	Errors     []*Error
	Serving    []Serving
	Lock       string
	Lines      uint64 // lines of output so far: the version of its output
}

// StepState is a step or group of a running plan.
type StepState struct {
	StepInfo
	Status   Status
	Started  time.Time
	Finished time.Time
	Progress Progress
	Note     string
	Lines    uint64
	Errors   []*Error
}

// Elapsed is how long the step took, or has taken so far.
func (s StepState) Elapsed(now time.Time) time.Duration { return elapsed(s.Started, s.Finished, now) }

// Elapsed is how long the task took, or has taken so far.
func (t Task) Elapsed(now time.Time) time.Duration { return elapsed(t.Started, t.Finished, now) }

// Step finds a step by its path.
func (t Task) Step(id StepID) (StepState, bool) {
	i := slices.IndexFunc(t.Steps, func(s StepState) bool { return s.ID == id })
	if i < 0 {
		return StepState{}, false
	}
	return t.Steps[i], true
}

// Unattended are the checks of the steps that run: what is left of them is not
// known once nobody waits for their end.
func (t Task) Unattended() []string {
	var checks []string
	for _, s := range t.Steps {
		if s.Status == Running && s.Check != "" {
			checks = append(checks, s.Check)
		}
	}
	return checks
}

// Notice is something to know that belongs to no task.
type Notice struct {
	At   time.Time
	Text string
	Err  bool
}

// Question is something only a person can decide, such as an unknown host key.
type Question struct {
	ID      string
	Title   string
	Lines   []string // facts to decide by, fingerprints for instance
	Secret  bool     // the answer is typed and must not be shown (a passphrase)
	Choices []string // the first is the safe one; empty for a typed answer
}

// Answer is what the person said.
type Answer struct {
	Choice string
	Text   string // typed answers
	Given  bool   // false: dismissed
}

// Task finds a task.
func (s *State) Task(id TaskID) (Task, bool) {
	i := slices.IndexFunc(s.Tasks, func(t Task) bool { return t.ID == id })
	if i < 0 {
		return Task{}, false
	}
	return s.Tasks[i], true
}

// RunningTasks lists tasks that have not ended.
func (s *State) RunningTasks() []Task {
	var out []Task
	for _, t := range s.Tasks {
		if !t.Status.Ended() {
			out = append(out, t)
		}
	}
	return out
}

// Helpers

func elapsed(from, to, now time.Time) time.Duration {
	switch {
	case from.IsZero():
		return 0
	case to.IsZero():
		return max(0, now.Sub(from))
	}
	return max(0, to.Sub(from))
}
