package ops

import (
	"errors"
	"fmt"
	"strings"
)

// Error is a failure told for a person: what failed, on which host, running
// what, why, and what to do next. Front ends get it with Describe.
type Error struct {
	Summary  string     // what failed, in a few words; may be empty when Command says it
	Host     string     // host as written in deploy.yml; empty for the local machine
	Command  string     // the command as a person could paste it, redacted
	Cause    error      // the underlying error
	Hint     string     // what to do next
	Evidence []Evidence // facts gathered at the time of the failure
}

// Evidence is one block of facts under a failure, such as the last log lines
// of a container or the answer of its health check.
type Evidence struct {
	Title string   `json:"title"`
	Lines []string `json:"lines"`
}

// Error reads `host: what: cause (hint)`; evidence is left to front ends.
func (e *Error) Error() string {
	parts := make([]string, 0, 4)
	for _, p := range []string{e.Host, e.Summary, e.Command} {
		if p != "" {
			parts = append(parts, p)
		}
	}
	if e.Cause != nil {
		parts = append(parts, e.Cause.Error())
	}
	text := strings.Join(parts, ": ")
	if e.Hint != "" {
		text += " (" + e.Hint + ")"
	}
	return text
}

// Unwrap gives the cause to errors.Is and errors.As.
func (e *Error) Unwrap() error { return e.Cause }

// Describe finds the Errors inside err, in order, so that a front end can show
// each failed host; an error of another kind becomes one Error with its text.
func Describe(err error) []*Error {
	if err == nil {
		return nil
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var all []*Error
		for _, e := range joined.Unwrap() {
			all = append(all, Describe(e)...)
		}
		return all
	}
	if one := new(Error); errors.As(err, &one) {
		return []*Error{one}
	}
	return []*Error{{Summary: err.Error()}}
}

// Error tells the exit code and the last output.
func (e *ExitError) Error() string {
	what := fmt.Sprintf("exit status %d", e.Code)
	if e.Signal != "" {
		what = "killed by signal " + e.Signal
	}
	if e.Output != "" {
		return e.Output + " (" + what + ")"
	}
	return what
}

// ErrNotFound is returned for a container or image that is not there.
var ErrNotFound = errors.New("not found")

// ErrCancelled ends a task that somebody stopped.
var ErrCancelled = errors.New("cancelled")

// ErrNobody is the answer to a question that nobody is there to be asked.
var ErrNobody = errors.New("nobody is there to be asked")

// ErrSkipped ends a step whose work was not needed; the step counts as done.
var ErrSkipped = errors.New("skipped")
