package operation

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"binnacle/ops"
	"binnacle/ops/command"
)

// followTime bounds a log that is followed: it ends with its container, or when
// somebody stops it.
const followTime = 365 * 24 * time.Hour

// logParams are the flags of every command that shows logs.
func logParams() []ops.Param {
	return []ops.Param{
		{Name: "since", Letter: "s", Kind: ops.Text, Usage: "lines since a time (2026-01-02T13:23:37Z) or an age (42m)"},
		{Name: "lines", Letter: "n", Kind: ops.Number, Usage: "how many lines from the end of each log (100, or 10 to follow)"},
		{Name: "grep", Letter: "g", Kind: ops.Text, Usage: "lines that match this pattern only"},
		{Name: "grep-options", Kind: ops.Text, Usage: "more options for grep, such as -i"},
		{Name: "follow", Letter: "f", Kind: ops.Toggle, Usage: "follow the log on one host until interrupted"},
		{Name: "skip-timestamps", Letter: "T", Kind: ops.Toggle, Usage: "leave out Docker's time before each line"},
	}
}

// logOptions are the lines that somebody asked for with logParams. How many is
// limited unless something else limits them.
func logOptions(p ops.Params) (command.LogOptions, error) {
	o := command.LogOptions{
		Since: p.Text("since"), Lines: p.Text("lines"), Grep: p.Text("grep"), GrepOptions: p.Text("grep-options"),
		Follow: p.On("follow"), Timestamps: !p.On("skip-timestamps"),
	}
	if n, err := strconv.Atoi(o.Lines); o.Lines != "" && (err != nil || n < 0) {
		return o, &ops.Error{Summary: fmt.Sprintf("--lines %s", o.Lines), Cause: errors.New("that is no number of lines")}
	}
	switch {
	case o.Lines != "" || o.Since != "" || o.Grep != "":
	case o.Follow:
		o.Lines = "10"
	default:
		o.Lines = "100"
	}
	return o, nil
}

// logStep shows the log that a Line prints on a host. Callers that follow set
// Plan.Stream.
func logStep(host string, line command.Line, o command.LogOptions) *ops.Step {
	s := &ops.Step{
		ID: host, Title: "logs", Host: host, Lines: []command.Line{line},
		Run: func(ctx context.Context, r *ops.Run) error { return showLog(ctx, r, line, o) },
	}
	if o.Follow {
		s.Timeout = followTime
	}
	return s
}

// showLog makes the log that a Line prints the step's result. One that is
// followed comes line by line until it ends or somebody stops it, which is no
// failure; a pattern that is not found is one, as with Kamal.
func showLog(ctx context.Context, r *ops.Run, line command.Line, o command.LogOptions) error {
	if o.Follow {
		err := r.EachLine(ctx, line, func(_ ops.Stream, text string) { r.Result(text) })
		if r.Cancelled() || o.Grep != "" && noMatch(err) {
			return nil
		}
		return err
	}
	out, err := r.Capture(ctx, line)
	if err != nil {
		if o.Grep != "" && noMatch(err) {
			return &ops.Error{Host: r.Host, Summary: "nothing found", Command: line.String(), Cause: err}
		}
		return err
	}
	r.Result(strings.TrimRight(out, "\n"))
	return nil
}

// Helpers

// noMatch reports a grep that found nothing.
func noMatch(err error) bool {
	var exit *ops.ExitError
	return errors.As(err, &exit) && exit.Code == 1
}
