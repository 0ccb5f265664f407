package operation

import (
	"context"
	"strings"
	"time"

	"binnacle/ops"
	"binnacle/ops/command"
)

// AppContainers shows all containers of the app, stopped ones too.
func AppContainers() ops.Operation {
	return ops.Operation{
		Name: "app containers", Group: "app", Summary: "Show the app's containers, stopped ones too",
		Scope: ops.ScopeApp, Risk: ops.Read,
		Plan: func(in ops.Input) (ops.Plan, error) {
			s := newStory(in, "app containers")
			return s.shows("containers of the app", eachHost("containers", "containers", s.sel.AppHosts(), func(host string) *ops.Step {
				return showing("containers", s.app(nil, host).ListContainers())
			})), nil
		},
	}
}

// Private

// shows plans what prints something of the app on each host.
func (s *story) shows(title string, nodes ...ops.Node) ops.Plan {
	plan := s.plan(ops.Read, title, nodes...)
	plan.Heading = "App"
	return plan
}

// showing is a step whose result is what a Line prints.
func showing(title string, line command.Line) *ops.Step {
	return &ops.Step{Title: title, Timeout: time.Minute, Lines: []command.Line{line}, Run: func(ctx context.Context, r *ops.Run) error {
		out, err := r.Capture(ctx, line)
		if err != nil {
			return err
		}
		r.Result(strings.TrimRight(out, "\n"))
		return nil
	}}
}
