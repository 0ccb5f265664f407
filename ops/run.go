package ops

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"binnacle/config/secret"
	"binnacle/ops/command"
)

// Run is what a step's body works with: its host, and the ways to tell what it
// is doing. Everything written through it is redacted first.
type Run struct {
	World World
	Task  TaskID
	ID    StepID
	Host  string

	x     *execution
	mu    sync.Mutex
	sinks []*lineSink
}

// Remote is the step's own host.
func (r *Run) Remote() Remote { return r.World.Remote(r.Host) }

// Docker is the engine of the step's own host.
func (r *Run) Docker() Docker { return r.Remote().Docker() }

// Now is the world's clock.
func (r *Run) Now() time.Time { return r.World.Now() }

// Exec runs Lines one after another on the step's host, streaming their output
// into the transcript. The first failure ends it, told with host and command.
func (r *Run) Exec(ctx context.Context, lines ...command.Line) error {
	for _, line := range lines {
		if line.Empty() {
			continue
		}
		r.Ran(line)
		sink := r.sink(nil)
		err := r.Remote().Run(ctx, line, sink)
		sink.flush()
		if err != nil {
			return r.failed(line, err)
		}
	}
	return nil
}

// Capture runs a Line on the step's host and returns its standard output.
// Standard error goes to the transcript.
func (r *Run) Capture(ctx context.Context, line command.Line) (string, error) {
	r.Ran(line)
	var out bytes.Buffer
	sink := r.sink(&out)
	err := r.Remote().Run(ctx, line, sink)
	sink.flush()
	if err != nil {
		return out.String(), r.failed(line, err)
	}
	return out.String(), nil
}

// EachLine runs a Line on the step's host and hands its output on line by line
// as it comes, instead of writing it to the transcript.
func (r *Run) EachLine(ctx context.Context, line command.Line, each func(Stream, string)) error {
	r.Ran(line)
	sink := &lineSink{run: r, part: map[Stream]string{}, each: each}
	err := r.Remote().Run(ctx, line, sink)
	sink.flush()
	if err != nil {
		return r.failed(line, err)
	}
	return nil
}

// Locally runs Lines on this machine, in dir or else in the project.
func (r *Run) Locally(ctx context.Context, dir string, env map[string]secret.Value, lines ...command.Line) error {
	for _, line := range lines {
		if line.Empty() {
			continue
		}
		r.Ran(line)
		sink := r.sink(nil)
		err := r.World.Local().Run(ctx, line, dir, env, sink)
		sink.flush()
		if err != nil {
			return &Error{Command: line.String(), Cause: err}
		}
	}
	return nil
}

// CaptureLocally runs a Line on this machine and returns its standard output.
func (r *Run) CaptureLocally(ctx context.Context, dir string, env map[string]secret.Value, line command.Line) (string, error) {
	r.Ran(line)
	var out bytes.Buffer
	sink := r.sink(&out)
	err := r.World.Local().Run(ctx, line, dir, env, sink)
	sink.flush()
	if err != nil {
		return out.String(), &Error{Command: line.String(), Cause: err}
	}
	return out.String(), nil
}

// EachLineLocally runs a Line on this machine and hands its output on line by
// line instead of writing it to the transcript.
func (r *Run) EachLineLocally(ctx context.Context, dir string, env map[string]secret.Value, line command.Line, each func(Stream, string)) error {
	r.Ran(line)
	sink := &lineSink{run: r, part: map[Stream]string{}, each: each}
	err := r.World.Local().Run(ctx, line, dir, env, sink)
	sink.flush()
	if err != nil {
		return &Error{Command: line.String(), Cause: err}
	}
	return nil
}

// Upload writes a file on the step's host.
func (r *Run) Upload(ctx context.Context, file File) error {
	r.Line(Ran, fmt.Sprintf("# write %s (mode %04o)", file.Path, file.Mode.Perm()))
	if err := r.Remote().Upload(ctx, file); err != nil {
		return &Error{Host: r.Host, Summary: "writing " + file.Path, Cause: err}
	}
	return nil
}

// Ran records a command in the transcript as a person could paste it.
func (r *Run) Ran(line command.Line) { r.Line(Ran, line.String()) }

// Line writes one line of the transcript.
func (r *Run) Line(stream Stream, text string) {
	r.x.emit(LineWritten{Task: r.Task, Step: r.ID, At: r.Now(), Host: r.Host, Stream: stream, Text: r.x.engine.redact(text)})
}

// Say writes lines that Kamal would print.
func (r *Run) Say(format string, args ...any) {
	for _, l := range splitLines(fmt.Sprintf(format, args...)) {
		r.Line(Stdout, l)
	}
}

// Progress tells how far the step is.
func (r *Run) Progress(p Progress) {
	r.x.emit(StepProgressed{Task: r.Task, Step: r.ID, At: r.Now(), Progress: p})
}

// Note replaces the step's remark.
func (r *Run) Note(format string, args ...any) {
	r.x.emit(StepNoted{Task: r.Task, Step: r.ID, At: r.Now(), Note: r.x.engine.redact(fmt.Sprintf(format, args...))})
}

// Result writes text that the operation was asked for.
func (r *Run) Result(text string) {
	r.x.emit(ResultWritten{Task: r.Task, Step: r.ID, At: r.Now(), Host: r.Host, Text: r.x.engine.redact(text)})
}

// Report is Result with the same as a JSON document beside it. A document that
// cannot be written is a programmer's mistake, told as an error.
func (r *Run) Report(text string, document any) error {
	data, err := json.Marshal(document)
	if err != nil {
		return fmt.Errorf("writing a result as JSON: %w", err)
	}
	r.x.emit(ResultWritten{
		Task: r.Task, Step: r.ID, At: r.Now(), Host: r.Host, Text: r.x.engine.redact(text), Data: json.RawMessage(r.x.engine.redact(string(data))),
	})
	return nil
}

// Fact emits something learnt about the fleet.
func (r *Run) Fact(e Event) { r.x.engine.store.Emit(e) }

// Serving tells what places are left running.
func (r *Run) Serving(places ...Serving) {
	r.x.mu.Lock()
	r.x.serving = append(r.x.serving, places...)
	r.x.mu.Unlock()
}

// LockState tells how the deploy lock was left.
func (r *Run) LockState(text string) {
	r.x.mu.Lock()
	r.x.lock = text
	r.x.mu.Unlock()
}

// Cancelled reports that somebody asked the task to stop, for steps that wait
// on a context which outlives it.
func (r *Run) Cancelled() bool { return r.x.ctx.Err() != nil }

// Pause waits, but no longer than until somebody asks the task to stop.
func (r *Run) Pause(ctx context.Context, d time.Duration) error {
	ctx, wake := context.WithCancel(ctx)
	defer wake()
	defer context.AfterFunc(r.x.ctx, wake)()
	err := r.World.Sleep(ctx, d)
	if r.Cancelled() {
		return ErrCancelled
	}
	return err
}

// Failed reports that a step of the task has failed already.
func (r *Run) Failed() bool {
	r.x.mu.Lock()
	defer r.x.mu.Unlock()
	return len(r.x.errors) > 0
}

// Private

func (r *Run) failed(line command.Line, err error) error {
	var known *Error
	if errors.As(err, &known) {
		return err
	}
	return &Error{Host: r.Host, Command: line.String(), Cause: err}
}

func (r *Run) flush() {
	r.mu.Lock()
	sinks := r.sinks
	r.sinks = nil
	r.mu.Unlock()
	for _, s := range sinks {
		s.flush()
	}
}

func (r *Run) sink(stdout *bytes.Buffer) *lineSink {
	s := &lineSink{run: r, stdout: stdout, part: map[Stream]string{}}
	r.mu.Lock()
	r.sinks = append(r.sinks, s)
	r.mu.Unlock()
	return s
}

// lineSink cuts output into lines; captured standard output is kept instead.
type lineSink struct {
	run    *Run
	stdout *bytes.Buffer
	each   func(Stream, string) // instead of the transcript
	mu     sync.Mutex
	part   map[Stream]string
}

// longestLine bounds one line of output; a longer one is cut into several.
// longestRecord does so for lines that are read rather than shown: a build tells
// of all its steps in one.
const (
	longestLine   = 64 << 10
	longestRecord = 8 << 20
)

// Write takes output as it comes.
func (s *lineSink) Write(stream Stream, text []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if stream == Stdout && s.stdout != nil {
		s.stdout.Write(text)
		return
	}
	rest := s.part[stream] + string(text)
	for {
		line, after, found := strings.Cut(rest, "\n")
		if !found && len(rest) < s.longest() {
			break
		}
		if !found {
			line, after = rest[:s.longest()], rest[s.longest():]
		}
		s.line(stream, line)
		rest = after
	}
	s.part[stream] = rest
}

func (s *lineSink) longest() int {
	if s.each != nil {
		return longestRecord
	}
	return longestLine
}

func (s *lineSink) flush() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for stream, rest := range s.part {
		if rest != "" {
			s.line(stream, rest)
		}
		delete(s.part, stream)
	}
}

func (s *lineSink) line(stream Stream, text string) {
	if s.each != nil {
		s.each(stream, text)
		return
	}
	s.run.Line(stream, lastFrame(text))
}

// Helpers

// lastFrame keeps what a terminal would show of a line that redraws itself.
func lastFrame(line string) string {
	line = strings.TrimRight(line, "\r")
	if i := strings.LastIndexByte(line, '\r'); i >= 0 {
		line = line[i+1:]
	}
	return line
}

func splitLines(text string) []string {
	return strings.Split(strings.TrimRight(text, "\n"), "\n")
}
