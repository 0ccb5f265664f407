package operation

import (
	"context"
	"fmt"
	"strings"
	"time"

	"binnacle/ops"
	"binnacle/ops/command"
)

// AppStaleContainers shows running containers that are not the one in use, and
// stops them when asked to.
func AppStaleContainers() ops.Operation {
	return ops.Operation{
		Name: "app stale_containers", Group: "app", Summary: "Show running containers that are not in use, or stop them",
		Scope: ops.ScopeApp, Risk: ops.Change,
		Params: []ops.Param{{Name: "stop", Letter: "s", Kind: ops.Toggle, Usage: "stop what is found"}},
		Plan: func(in ops.Input) (ops.Plan, error) {
			s := newStory(in, "app stale_containers")
			if !in.Params.On("stop") {
				return s.shows("stale containers", s.eachPlace("stale", "stale containers", ops.Parallel, (*place).showStale)), nil
			}
			plan := s.plan(ops.Change, "stop stale containers", s.connect(), s.locked(s.stopStale()))
			plan.Effects = []ops.Effect{
				{Label: "to", Text: s.destinationText(), Warn: s.production()},
				{Label: "hosts", Text: joined(s.sel.AppHosts())},
				{Label: "stops", Text: "running containers of a role other than the one in use"},
			}
			plan.Locks = true
			return plan, nil
		},
	}
}

// Private

func (p *place) showStale() *ops.Step {
	return &ops.Step{Timeout: time.Minute, Lines: []command.Line{p.app.ListVersions("running", "restarting")}, Run: func(ctx context.Context, r *ops.Run) error {
		running, err := p.running(ctx, r)
		if err != nil {
			return err
		}
		stale, err := p.notInUse(ctx, r, running)
		if err != nil {
			return err
		}
		var lines []string
		for _, c := range stale {
			lines = append(lines, fmt.Sprintf("Detected stale container for role %s with version %s (use `%s` to stop)",
				p.role.Name(), versionOf(c, p.app), p.byHand("app stale_containers --stop")))
		}
		if len(lines) > 0 {
			r.Result(strings.Join(lines, "\n"))
		}
		return nil
	}}
}
