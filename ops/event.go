package ops

import (
	"encoding/json"
	"time"
)

// Event is one fact. The set is closed: task facts, which are journalled, and
// fleet facts, which are folded and forgotten. Events carry identities and
// figures; words and colours belong to front ends.
type Event interface{ event() }

// TaskID is a ULID: unique, and sorted by start.
type TaskID string

// TaskStarted opens a task and carries its whole outline.
type TaskStarted struct {
	Task      TaskID
	At        time.Time
	App       AppID
	Operation string
	Title     string
	Version   string
	Risk      Risk
	User      string
	Host      string // machine that runs it
	PID       int
	Steps     []StepInfo
}

// StepStarted tells that a step began.
type StepStarted struct {
	Task TaskID
	Step StepID
	At   time.Time
}

// StepProgressed tells how far a step is.
type StepProgressed struct {
	Task     TaskID
	Step     StepID
	At       time.Time
	Progress Progress
}

// StepNoted adds a short remark to a step, such as the last health answer or
// what is still serving. It replaces the earlier remark.
type StepNoted struct {
	Task TaskID
	Step StepID
	At   time.Time
	Note string
}

// LineWritten is one redacted line of a step's output.
type LineWritten struct {
	Task   TaskID
	Step   StepID
	At     time.Time
	Host   string
	Stream Stream
	Text   string
}

// ResultWritten is text that the operation was asked for: it goes to standard
// output headless, and into the task view in the console.
type ResultWritten struct {
	Task TaskID
	Step StepID
	At   time.Time
	Host string
	Text string
	// Data is the same as a JSON document, redacted; nil where the text is all
	// there is.
	Data json.RawMessage
}

// StepFinished tells how a step ended.
type StepFinished struct {
	Task   TaskID
	Step   StepID
	At     time.Time
	Status Status // done, failed, skipped, cancelled
	Errors []*Error
}

// TaskCancelling tells that somebody asked the task to stop.
type TaskCancelling struct {
	Task TaskID
	At   time.Time
	By   string // who or what asked: a person, a signal
}

// TaskFinished closes a task.
type TaskFinished struct {
	Task    TaskID
	At      time.Time
	Status  Status
	Errors  []*Error
	Serving []Serving // what each place is left running, for changes
	Lock    string    // "released", "kept", or why it could not be released; "" when none was taken
}

// Serving is what one role on one host is left running.
type Serving struct {
	Role    string `json:"role"`
	Host    string `json:"host"`
	Version string `json:"version"` // "" when nothing runs
}

// AppOpened adds an app to the fleet, with its hosts.
type AppOpened struct {
	App   App
	Hosts []string
}

// HostConnecting tells that a connection is being made.
type HostConnecting struct {
	Host string
	At   time.Time
}

// HostSeen brings an engine's identity: the host is live.
type HostSeen struct {
	Host   string
	At     time.Time
	Docker DockerFacts
}

// HostLost tells that a host does not answer; its facts keep their age.
type HostLost struct {
	Host   string
	At     time.Time
	Reason string // short: "dial: refused"
}

// ContainersSeen replaces all containers of a host.
type ContainersSeen struct {
	Host       string
	At         time.Time
	Containers []Container
}

// ImagesSeen replaces all images of a host.
type ImagesSeen struct {
	Host   string
	At     time.Time
	Images []Image
}

// SystemSeen brings a host's own figures.
type SystemSeen struct {
	Host   string
	System SystemFacts
}

// Usage is one container's use of the machine.
type Usage struct {
	ID     string
	CPU    float64 // percent of one core
	Memory int64
}

// UsageSeen brings the use of a host's containers.
type UsageSeen struct {
	Host  string
	At    time.Time
	Usage []Usage
}

// RoutesSeen replaces what a host's proxy serves.
type RoutesSeen struct {
	Host   string
	At     time.Time
	Routes []Route
}

// LockSeen brings the state of an app's lock.
type LockSeen struct {
	App  AppID
	Lock Lock
}

// Noticed is something a person should know that belongs to no task.
type Noticed struct {
	At   time.Time
	Text string
	Err  bool
}

// QuestionAsked puts a question that somebody must answer.
type QuestionAsked struct{ Question Question }

// QuestionClosed takes it away: answered, or no longer of interest.
type QuestionClosed struct{ ID string }

func (TaskStarted) event()    {}
func (StepStarted) event()    {}
func (StepProgressed) event() {}
func (StepNoted) event()      {}
func (LineWritten) event()    {}
func (ResultWritten) event()  {}
func (StepFinished) event()   {}
func (TaskCancelling) event() {}
func (TaskFinished) event()   {}
func (AppOpened) event()      {}
func (HostConnecting) event() {}
func (HostSeen) event()       {}
func (HostLost) event()       {}
func (ContainersSeen) event() {}
func (ImagesSeen) event()     {}
func (SystemSeen) event()     {}
func (UsageSeen) event()      {}
func (RoutesSeen) event()     {}
func (LockSeen) event()       {}
func (Noticed) event()        {}
func (QuestionAsked) event()  {}
func (QuestionClosed) event() {}
