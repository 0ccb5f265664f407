package operation

import "binnacle/ops"

// PruneAll removes old containers and images.
func PruneAll() ops.Operation {
	return ops.Operation{
		Name: "prune all", Group: "prune", Summary: "Remove old containers and unused images",
		Scope: ops.ScopeApp, Risk: ops.Change, Observe: true,
		Plan: func(in ops.Input) (ops.Plan, error) {
			return planPrune(in, "prune all", "prune containers and images", in.Config.RetainContainers(), true), nil
		},
	}
}

// Private

func planPrune(in ops.Input, name, title string, retain int, images bool) ops.Plan {
	s := newStory(in, name)
	plan := s.plan(ops.Change, title, s.connect(), s.locked(s.pruning("prune", retain, images)))
	plan.Effects = s.pruneEffects(retain, images)
	plan.Locks = true
	return plan
}
