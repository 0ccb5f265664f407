package operation

import (
	"binnacle/ops"
	"binnacle/ops/command"
)

// AppLive ends the maintenance mode.
func AppLive() ops.Operation {
	return ops.Operation{
		Name: "app live", Group: "app", Summary: "End the maintenance mode",
		Scope: ops.ScopeApp, Risk: ops.Change,
		Plan: func(in ops.Input) (ops.Plan, error) {
			s := newStory(in, "app live")
			resume := s.proxiedPlaces("live", "live", 0, command.App.ProxyResume)
			plan := s.plan(ops.Change, "live mode", s.connect(), s.locked(resume))
			plan.Effects = []ops.Effect{
				{Label: "to", Text: s.destinationText(), Warn: s.production()},
				{Label: "hosts", Text: joined(s.sel.ProxyHosts())},
			}
			plan.Locks = true
			return plan, nil
		},
	}
}
