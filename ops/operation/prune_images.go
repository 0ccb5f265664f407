package operation

import "binnacle/ops"

// PruneImages removes images that no container has.
func PruneImages() ops.Operation {
	return ops.Operation{
		Name: "prune images", Group: "prune", Summary: "Remove the app's images that no container has",
		Scope: ops.ScopeApp, Risk: ops.Change,
		Plan: func(in ops.Input) (ops.Plan, error) {
			return planPrune(in, "prune images", "prune images", 0, true), nil
		},
	}
}
