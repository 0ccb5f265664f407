// Package outlog sends what changes did to where the output section of
// deploy.yml says: a file for each, or an OTLP receiver. It reads the store's
// events, which are redacted, and knows no terminal. It may import config and
// ops.
package outlog

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"binnacle/config"
	"binnacle/ops"
)

// Options say where logs go and what they tell of their origin.
type Options struct {
	Config    *config.Config
	Performer func() string // who runs tasks, as the audit log names them
	Client    *http.Client  // for the OTLP receiver; nil for a usual one
	Report    func(Report)  // is told of every log, as well as Reports; may be nil
}

// Report is a sentence about a log: where it went, or why it did not.
type Report struct {
	Text   string
	Failed bool
}

// Recorder follows tasks and logs those that change hosts.
type Recorder struct {
	options Options
	tail    *ops.Tail
	done    chan struct{}
	tasks   map[ops.TaskID]*recording

	mu    sync.Mutex
	ended map[ops.TaskID]*ending
}

// Start follows the tail until it ends. Nil when the configuration wants no logs;
// the methods of a nil Recorder do nothing.
func Start(ctx context.Context, tail func() *ops.Tail, o Options) *Recorder {
	out := o.Config.Output()
	if out.FilePath == "" && out.OTelEndpoint == "" {
		return nil
	}
	r := &Recorder{
		options: o, tail: tail(), done: make(chan struct{}),
		tasks: map[ops.TaskID]*recording{}, ended: map[ops.TaskID]*ending{},
	}
	go r.loop(context.WithoutCancel(ctx))
	return r
}

// Reports waits until a finished task's logs are complete and tells about them.
func (r *Recorder) Reports(id ops.TaskID) []Report {
	if r == nil {
		return nil
	}
	e := r.ending(id)
	select {
	case <-e.done:
		return e.reports
	case <-r.done:
		return nil
	}
}

// Wait waits until the tail has ended and all logs are complete.
func (r *Recorder) Wait() {
	if r != nil {
		<-r.done
	}
}

// Private

// sink takes one task's events.
type sink interface {
	write(e ops.Event)
	// close completes the log.
	close() []Report
}

type recording struct{ sinks []sink }

// ending is how a task's logs ended.
type ending struct {
	done    chan struct{}
	reports []Report
}

func (r *Recorder) loop(ctx context.Context) {
	defer close(r.done)
	for {
		events, ok := r.tail.Next(ctx)
		if !ok {
			for id := range r.tasks {
				r.end(id)
			}
			return
		}
		for _, e := range events {
			r.take(ctx, e)
		}
	}
}

func (r *Recorder) take(ctx context.Context, e ops.Event) {
	switch e := e.(type) {
	case ops.TaskStarted:
		if Logged(e) {
			r.begin(ctx, e)
		}
	case ops.LineWritten:
		r.write(e.Task, e)
	case ops.ResultWritten:
		r.write(e.Task, e)
	case ops.StepFinished:
		r.write(e.Task, e)
	case ops.TaskFinished:
		r.write(e.Task, e)
		r.end(e.Task)
	}
}

func (r *Recorder) begin(ctx context.Context, e ops.TaskStarted) {
	out := r.options.Config.Output()
	rec := &recording{}
	if out.FilePath != "" {
		file, err := openFile(r.options.Config, e)
		if err != nil {
			r.report(e.Task, Report{Text: "the log file cannot be written: " + err.Error(), Failed: true})
		} else {
			rec.sinks = append(rec.sinks, file)
		}
	}
	if out.OTelEndpoint != "" {
		rec.sinks = append(rec.sinks, newShipper(ctx, r.options, e))
	}
	r.tasks[e.Task] = rec
	r.write(e.Task, e)
}

func (r *Recorder) write(id ops.TaskID, e ops.Event) {
	rec, ok := r.tasks[id]
	if !ok {
		return
	}
	for _, s := range rec.sinks {
		s.write(e)
	}
}

func (r *Recorder) end(id ops.TaskID) {
	if rec, ok := r.tasks[id]; ok {
		for _, s := range rec.sinks {
			r.report(id, s.close()...)
		}
		delete(r.tasks, id)
	}
	e := r.ending(id)
	if r.options.Report != nil {
		for _, report := range e.reports {
			r.options.Report(report)
		}
	}
	close(e.done)
}

func (r *Recorder) report(id ops.TaskID, reports ...Report) {
	e := r.ending(id)
	e.reports = append(e.reports, reports...)
}

func (r *Recorder) ending(id ops.TaskID) *ending {
	r.mu.Lock()
	defer r.mu.Unlock()
	e := r.ended[id]
	if e == nil {
		e = &ending{done: make(chan struct{})}
		r.ended[id] = e
	}
	return e
}

// Helpers

// Logged tells whether a task is one whose output Kamal logs: what changes hosts,
// but not builds, sessions, the lock by hand, nor commands of one's own.
func Logged(e ops.TaskStarted) bool {
	words := strings.Fields(e.Operation)
	if e.Risk == ops.Read || len(words) == 0 {
		return false
	}
	return !slices.Contains([]string{"build", "registry", "lock", "secrets"}, words[0]) &&
		!slices.Contains([]string{"exec", "boot_config"}, words[len(words)-1])
}

// entry is one event as a line of a log.
type entry struct {
	at     time.Time
	failed bool
	detail bool // output of a command, rather than what was done
	host   string
	stream ops.Stream
	text   string
}

// entries are the lines that an event gives a log.
func entries(e ops.Event) []entry {
	switch e := e.(type) {
	case ops.LineWritten:
		return []entry{{at: e.At, detail: e.Stream != ops.Ran, host: e.Host, stream: e.Stream, text: e.Text}}
	case ops.ResultWritten:
		var out []entry
		for line := range strings.Lines(e.Text) {
			out = append(out, entry{at: e.At, host: e.Host, stream: ops.Stdout, text: strings.TrimRight(line, "\r\n")})
		}
		return out
	case ops.StepFinished:
		var out []entry
		for _, err := range e.Errors {
			for line := range strings.Lines(err.Error()) {
				out = append(out, entry{at: e.At, failed: true, host: err.Host, text: strings.TrimRight(line, "\r\n")})
			}
		}
		return out
	}
	return nil
}

// failure is why a task did not end well.
func failure(e ops.TaskFinished) (kind, text string) {
	if e.Status == ops.Cancelled {
		return "TaskCancelled", "cancelled"
	}
	if len(e.Errors) == 0 {
		return "TaskFailed", string(e.Status)
	}
	text, _, _ = strings.Cut(e.Errors[0].Error(), "\n")
	if more := len(e.Errors) - 1; more > 0 {
		text += fmt.Sprintf(" (and %d more)", more)
	}
	return "TaskFailed", text
}

func seconds(d time.Duration) float64 { return d.Round(100 * time.Millisecond).Seconds() }
