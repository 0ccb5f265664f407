package operation

import "binnacle/ops"

// Stop is app stop by a shorter name.
func Stop() ops.Operation {
	op := AppStop()
	op.Name, op.Group = "stop", "deploy"
	op.Plan = func(in ops.Input) (ops.Plan, error) { return planStop(in, "stop") }
	return op
}
