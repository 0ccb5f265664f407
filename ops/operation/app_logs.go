package operation

import (
	"context"
	"errors"
	"fmt"
	"time"

	"binnacle/ops"
	"binnacle/ops/command"
)

// AppLogs shows log lines of the container in use of every role, or follows
// that of the primary role on the primary host.
func AppLogs() ops.Operation {
	return ops.Operation{
		Name: "app logs", Group: "app", Summary: "Show or follow the app's logs",
		Scope: ops.ScopeApp, Risk: ops.Read,
		Params: append(logParams(), ops.Param{Name: "container-id", Kind: ops.Text, Usage: "the log of this container instead"}),
		Plan:   planAppLogs,
	}
}

// Private

func planAppLogs(in ops.Input) (ops.Plan, error) {
	s := newStory(in, "app logs")
	o, err := logOptions(in.Params)
	if err != nil {
		return ops.Plan{}, err
	}
	o.Container = in.Params.Text("container-id")
	if !o.Follow {
		if o.Container != "" {
			return s.shows("logs of "+o.Container, s.containerLogs(o)), nil
		}
		return s.shows("logs of the app", s.eachPlace("logs", "logs", ops.Parallel, func(p *place) *ops.Step { return p.logs(o) })), nil
	}
	role, host := s.sel.PrimaryRole(), s.sel.PrimaryHost()
	if role == nil {
		return ops.Plan{}, &ops.Error{Summary: "nothing to follow", Cause: errors.New("no role runs on the selected hosts")}
	}
	step := s.placeOf(role, host).logs(o)
	step.ID, step.Title, step.Host = "logs", host+" "+role.Name(), host
	plan := s.plan(ops.Read, "logs of "+role.Name()+" on "+host, step)
	plan.Stream = true
	return plan, nil
}

// containerLogs looks for one container on every host.
func (s *story) containerLogs(o command.LogOptions) ops.Node {
	return eachHost("logs", "logs", s.sel.AppHosts(), func(host string) *ops.Step {
		line := command.NewApp(s.cfg, nil, host).Logs(o)
		return &ops.Step{Title: "logs", Timeout: 5 * time.Minute, Lines: []command.Line{line}, Run: func(ctx context.Context, r *ops.Run) error {
			_, err := r.Docker().InspectContainer(ctx, o.Container)
			switch {
			case errors.Is(err, ops.ErrNotFound):
				r.Result("Nothing found")
				return nil
			case err != nil:
				return &ops.Error{Host: host, Command: "docker inspect " + o.Container, Cause: err}
			}
			return showAppLog(ctx, r, line, o)
		}}
	})
}

func (p *place) logs(o command.LogOptions) *ops.Step {
	step := logStep(p.host, p.app.Logs(o), o)
	if o.Container != "" {
		return step
	}
	step.Run = func(ctx context.Context, r *ops.Run) error {
		current, err := p.current(ctx, r)
		if err != nil {
			return err
		}
		if current.ID == "" {
			return p.tellNothingRuns(ctx, r)
		}
		own := o
		own.Container = short(current.ID)
		return showAppLog(ctx, r, p.app.Logs(own), own)
	}
	return step
}

// showAppLog is showLog for the app, where Kamal takes a pattern that is not
// found for an answer.
func showAppLog(ctx context.Context, r *ops.Run, line command.Line, o command.LogOptions) error {
	err := showLog(ctx, r, line, o)
	if o.Grep != "" && noMatch(err) {
		r.Result("Nothing found")
		return nil
	}
	return err
}

// tellNothingRuns names the newest container, whose log tells more than the
// lack of one that runs.
func (p *place) tellNothingRuns(ctx context.Context, r *ops.Run) error {
	containers, err := r.Docker().ListContainers(ctx, p.app.Labels()...)
	if err != nil {
		return &ops.Error{Host: p.host, Command: p.app.ListContainers().String(), Cause: err}
	}
	text := "Nothing found: no container of role " + p.role.Name() + " runs"
	var newest ops.Container
	for _, c := range containers {
		if c.Created.After(newest.Created) {
			newest = c
		}
	}
	if newest.ID != "" {
		text += fmt.Sprintf("; the newest, %s, is %s: --container-id %s", newest.Name, stateText(newest), short(newest.ID))
	}
	r.Result(text)
	return nil
}
