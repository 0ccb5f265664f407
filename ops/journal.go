package ops

import (
	"bufio"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

// recordVersion is the version of the record format.
const recordVersion = 1

// Record is one line of a journal and of `--json`: a task event with
// snake_case keys, durations in milliseconds and bytes as integers.
type Record struct {
	V         int             `json:"v"`
	Time      time.Time       `json:"time"`
	Type      string          `json:"type"`
	App       AppID           `json:"app,omitempty"`
	Task      TaskID          `json:"task,omitempty"`
	Step      StepID          `json:"step,omitempty"`
	Host      string          `json:"host,omitempty"`
	Operation string          `json:"operation,omitempty"`
	Title     string          `json:"title,omitempty"`
	Version   string          `json:"version,omitempty"`
	Risk      string          `json:"risk,omitempty"`
	User      string          `json:"user,omitempty"`
	Machine   string          `json:"machine,omitempty"`
	PID       int             `json:"pid,omitempty"`
	Steps     []StepInfo      `json:"steps,omitempty"`
	Stream    Stream          `json:"stream,omitempty"`
	Text      string          `json:"text,omitempty"`
	Data      json.RawMessage `json:"data,omitempty"`
	Status    Status          `json:"status,omitempty"`
	ElapsedMS int64           `json:"elapsed_ms,omitempty"`
	Done      int64           `json:"done,omitempty"`
	Total     int64           `json:"total,omitempty"`
	Usual     int64           `json:"usual,omitempty"`
	Unit      string          `json:"unit,omitempty"`
	Errors    []ErrorRecord   `json:"errors,omitempty"`
	Serving   []Serving       `json:"serving,omitempty"`
	Lock      string          `json:"lock,omitempty"`
	By        string          `json:"by,omitempty"`
}

// ErrorRecord is an Error as JSON.
type ErrorRecord struct {
	Summary  string     `json:"summary,omitempty"`
	Host     string     `json:"host,omitempty"`
	Command  string     `json:"command,omitempty"`
	Hint     string     `json:"hint,omitempty"`
	Cause    string     `json:"cause,omitempty"`
	Evidence []Evidence `json:"evidence,omitempty"`
}

// Recorder turns the events of one task into records; it remembers when steps
// began, to tell how long they took.
type Recorder struct {
	app     AppID
	started map[StepID]time.Time
}

// Record is the event's record; false for events that are not journalled.
func (r *Recorder) Record(e Event) (Record, bool) {
	if r.started == nil {
		r.started = map[StepID]time.Time{}
	}
	rec := Record{V: recordVersion}
	switch e := e.(type) {
	case TaskStarted:
		r.app, r.started[""] = e.App, e.At
		rec.Type, rec.Time, rec.Task = "task_started", e.At, e.Task
		rec.Operation, rec.Title, rec.Version, rec.Risk = e.Operation, e.Title, e.Version, e.Risk.String()
		rec.User, rec.Machine, rec.PID, rec.Steps = e.User, e.Host, e.PID, e.Steps
	case StepStarted:
		r.started[e.Step] = e.At
		rec.Type, rec.Time, rec.Task, rec.Step = "step_started", e.At, e.Task, e.Step
	case StepProgressed:
		rec.Type, rec.Time, rec.Task, rec.Step = "step_progress", e.At, e.Task, e.Step
		rec.Done, rec.Total, rec.Usual, rec.Unit, rec.Text = e.Progress.Done, e.Progress.Total, e.Progress.Usual, e.Progress.Unit, e.Progress.Text
	case StepNoted:
		rec.Type, rec.Time, rec.Task, rec.Step, rec.Text = "step_note", e.At, e.Task, e.Step, e.Note
	case LineWritten:
		rec.Type, rec.Time, rec.Task, rec.Step = "output", e.At, e.Task, e.Step
		rec.Host, rec.Stream, rec.Text = e.Host, e.Stream, e.Text
	case ResultWritten:
		rec.Type, rec.Time, rec.Task, rec.Step, rec.Host, rec.Text, rec.Data = "result", e.At, e.Task, e.Step, e.Host, e.Text, e.Data
	case StepFinished:
		rec.Type, rec.Time, rec.Task, rec.Step = "step_finished", e.At, e.Task, e.Step
		rec.Status, rec.Errors, rec.ElapsedMS = e.Status, errorRecords(e.Errors), r.elapsed(e.Step, e.At)
	case TaskCancelling:
		rec.Type, rec.Time, rec.Task, rec.By = "task_cancelling", e.At, e.Task, e.By
	case TaskFinished:
		rec.Type, rec.Time, rec.Task, rec.Status = "task_finished", e.At, e.Task, e.Status
		rec.Errors, rec.Serving, rec.Lock, rec.ElapsedMS = errorRecords(e.Errors), e.Serving, e.Lock, r.elapsed("", e.At)
	default:
		return Record{}, false
	}
	rec.App = r.app
	return rec, true
}

// Event is the event behind a record; false for a type it does not know.
func (rec Record) Event() (Event, bool) {
	switch rec.Type {
	case "task_started":
		return TaskStarted{
			Task: rec.Task, At: rec.Time, App: rec.App, Operation: rec.Operation, Title: rec.Title, Version: rec.Version,
			Risk: riskOf(rec.Risk), User: rec.User, Host: rec.Machine, PID: rec.PID, Steps: rec.Steps,
		}, true
	case "step_started":
		return StepStarted{Task: rec.Task, Step: rec.Step, At: rec.Time}, true
	case "step_progress":
		p := Progress{Done: rec.Done, Total: rec.Total, Usual: rec.Usual, Unit: rec.Unit, Text: rec.Text}
		return StepProgressed{Task: rec.Task, Step: rec.Step, At: rec.Time, Progress: p}, true
	case "step_note":
		return StepNoted{Task: rec.Task, Step: rec.Step, At: rec.Time, Note: rec.Text}, true
	case "output":
		return LineWritten{Task: rec.Task, Step: rec.Step, At: rec.Time, Host: rec.Host, Stream: rec.Stream, Text: rec.Text}, true
	case "result":
		return ResultWritten{Task: rec.Task, Step: rec.Step, At: rec.Time, Host: rec.Host, Text: rec.Text, Data: rec.Data}, true
	case "step_finished":
		return StepFinished{Task: rec.Task, Step: rec.Step, At: rec.Time, Status: rec.Status, Errors: errorsOf(rec.Errors)}, true
	case "task_cancelling":
		return TaskCancelling{Task: rec.Task, At: rec.Time, By: rec.By}, true
	case "task_finished":
		return TaskFinished{
			Task: rec.Task, At: rec.Time, Status: rec.Status, Errors: errorsOf(rec.Errors), Serving: rec.Serving, Lock: rec.Lock,
		}, true
	}
	return nil, false
}

// Journals is the folder that holds one file per task:
// `<dir>/<app>/<task>.jsonl`, readable by its owner alone.
type Journals struct{ Dir string }

// Create opens the journal of a new task.
func (j Journals) Create(app AppID, id TaskID) (*Journal, error) {
	dir := filepath.Join(j.Dir, string(app))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("creating the journal folder: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(dir, string(id)+".jsonl"), os.O_CREATE|os.O_EXCL|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("creating the journal: %w", err)
	}
	return &Journal{file: f, buf: bufio.NewWriter(f)}, nil
}

// Entry names a journal on disk.
type Entry struct {
	App  AppID
	Task TaskID
	Path string
}

// List names the journals of an app ("" for all), oldest first.
func (j Journals) List(app AppID) ([]Entry, error) {
	pattern := filepath.Join(j.Dir, "*", "*.jsonl")
	paths, err := filepath.Glob(pattern)
	if err != nil {
		return nil, err
	}
	var out []Entry
	for _, p := range paths {
		name := filepath.Base(p)
		e := Entry{App: AppID(filepath.Base(filepath.Dir(p))), Task: TaskID(name[:len(name)-len(".jsonl")]), Path: p}
		if app == "" || e.App == app {
			out = append(out, e)
		}
	}
	slices.SortFunc(out, func(a, b Entry) int { return cmp.Compare(a.Task, b.Task) })
	return out, nil
}

// Read replays a journal. A last line cut short, as a killed process leaves
// it, ends the replay without an error.
func (j Journals) Read(path string) ([]Event, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	return readRecords(f)
}

// Has tells whether there is a journal of a task.
func (j Journals) Has(app AppID, task TaskID) bool {
	name := string(task) + ".jsonl"
	if name != filepath.Base(name) {
		return false // it came from a file that anybody can write
	}
	_, err := os.Stat(filepath.Join(j.Dir, string(app), name))
	return err == nil
}

// Operation is the name of the operation that a journal is of: its first line
// tells.
func (j Journals) Operation(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }()
	line, err := bufio.NewReader(f).ReadBytes('\n')
	if err != nil {
		return "", fmt.Errorf("journal: %w", err)
	}
	var rec Record
	if err := json.Unmarshal(line, &rec); err != nil {
		return "", fmt.Errorf("journal: %w", err)
	}
	return rec.Operation, nil
}

// Journal is the open file of one task. It is safe for concurrent use.
type Journal struct {
	mu   sync.Mutex
	file *os.File
	buf  *bufio.Writer
	rec  Recorder
	err  error
}

// Write appends an event. Facts reach the disk at once; output is buffered
// until the next fact.
func (j *Journal) Write(e Event) {
	if j == nil {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	rec, ok := j.rec.Record(e)
	if !ok || j.err != nil {
		return
	}
	line, err := json.Marshal(rec)
	if err == nil {
		_, err = j.buf.Write(append(line, '\n'))
	}
	if _, output := e.(LineWritten); !output && err == nil {
		err = j.buf.Flush()
	}
	j.err = err
}

// Close flushes and closes the file; it returns the first error of all writes.
func (j *Journal) Close() error {
	if j == nil {
		return nil
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	return errors.Join(j.err, j.buf.Flush(), j.file.Close())
}

// Private

func (r *Recorder) elapsed(step StepID, at time.Time) int64 {
	from, ok := r.started[step]
	if !ok {
		return 0
	}
	return at.Sub(from).Milliseconds()
}

// Helpers

func readRecords(r io.Reader) ([]Event, error) {
	var out []Event
	lines := bufio.NewReader(r)
	for {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return out, err
		}
		var rec Record
		if err := json.Unmarshal(line, &rec); err != nil {
			return out, fmt.Errorf("journal line %d: %w", len(out)+1, err)
		}
		if e, ok := rec.Event(); ok {
			out = append(out, e)
		}
	}
}

func errorRecords(errs []*Error) []ErrorRecord {
	var out []ErrorRecord
	for _, e := range errs {
		rec := ErrorRecord{Summary: e.Summary, Host: e.Host, Command: e.Command, Hint: e.Hint, Evidence: e.Evidence}
		if e.Cause != nil {
			rec.Cause = e.Cause.Error()
		}
		out = append(out, rec)
	}
	return out
}

func errorsOf(recs []ErrorRecord) []*Error {
	var out []*Error
	for _, r := range recs {
		e := &Error{Summary: r.Summary, Host: r.Host, Command: r.Command, Hint: r.Hint, Evidence: r.Evidence}
		if r.Cause != "" {
			e.Cause = errors.New(r.Cause)
		}
		out = append(out, e)
	}
	return out
}

func riskOf(word string) Risk {
	for r := Read; r <= DataLoss; r++ {
		if r.String() == word {
			return r
		}
	}
	return Read
}
