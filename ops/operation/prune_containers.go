package operation

import (
	"errors"
	"strconv"

	"binnacle/ops"
)

// PruneContainers removes stopped containers but the newest.
func PruneContainers() ops.Operation {
	return ops.Operation{
		Name: "prune containers", Group: "prune", Summary: "Remove stopped containers but the newest",
		Scope: ops.ScopeApp, Risk: ops.Change, Observe: true,
		Params: []ops.Param{{Name: "retain", Kind: ops.Number, Usage: "how many to keep (retain_containers of the configuration)"}},
		Plan: func(in ops.Input) (ops.Plan, error) {
			retain := in.Config.RetainContainers()
			if given := in.Params.Text("retain"); given != "" {
				n, err := strconv.Atoi(given)
				if err != nil || n < 1 {
					return ops.Plan{}, &ops.Error{Summary: "--retain " + given, Cause: errors.New("it must be a number of containers, at least 1")}
				}
				retain = n
			}
			return planPrune(in, "prune containers", "prune containers", retain, false), nil
		},
	}
}
