package operation

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"binnacle/ops"
	"binnacle/ops/command"
)

// AppMaintenance lets the proxies answer with a maintenance page.
func AppMaintenance() ops.Operation {
	return ops.Operation{
		Name: "app maintenance", Group: "app", Summary: "Answer requests with a maintenance page",
		Scope: ops.ScopeApp, Risk: ops.Disrupt,
		Params: []ops.Param{
			{Name: "drain-timeout", Kind: ops.Number, Usage: "seconds that requests under way have to end (drain_timeout of the configuration)"},
			{Name: "message", Kind: ops.Text, Usage: "what the page says"},
		},
		Plan: func(in ops.Input) (ops.Plan, error) {
			s := newStory(in, "app maintenance")
			drain, err := drainTimeout(in.Params.Text("drain-timeout"), s.cfg.DrainTimeout())
			if err != nil {
				return ops.Plan{}, err
			}
			message := in.Params.Text("message")
			stop := s.proxiedPlaces("maintenance", "in maintenance", drain, func(a command.App) command.Line { return a.ProxyStop(drain, message) })
			plan := s.plan(ops.Disrupt, "maintenance mode", s.connect(), s.locked(stop))
			plan.Effects = []ops.Effect{
				{Label: "to", Text: s.destinationText(), Warn: s.production()},
				{Label: "hosts", Text: joined(s.sel.ProxyHosts())},
				{Label: "stops", Text: "requests get a maintenance page until " + s.byHand("app live") + ", deploys included", Warn: true},
			}
			if message != "" {
				plan.Effects = append(plan.Effects, ops.Effect{Label: "message", Text: message})
			}
			plan.Locks = true
			return plan, nil
		},
	}
}

// Private

// proxiedPlaces runs a command about each role behind a proxy, all side by
// side, and notes what it is now; each may take drain seconds.
func (s *story) proxiedPlaces(id, now string, drain int, line func(command.App) command.Line) ops.Node {
	return s.eachPlace(id, id, ops.Parallel, func(p *place) *ops.Step {
		if !p.role.Proxied() {
			return nil
		}
		told := line(p.app)
		return &ops.Step{
			Atomic: true, Timeout: stopBudget(&drain), Lines: []command.Line{told},
			Run: func(ctx context.Context, r *ops.Run) error {
				if r.Cancelled() {
					return ops.ErrCancelled
				}
				if err := r.Exec(ctx, told); err != nil {
					return err
				}
				r.Note("%s", now)
				return nil
			},
		}
	})
}

// Helpers

func drainTimeout(given string, otherwise int) (int, error) {
	if given == "" {
		return otherwise, nil
	}
	n, err := strconv.Atoi(given)
	if err != nil || n < 0 {
		return 0, &ops.Error{Summary: fmt.Sprintf("--drain-timeout %s", given), Cause: errors.New("that is no number of seconds")}
	}
	return n, nil
}
