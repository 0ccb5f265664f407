package operation

import (
	"context"

	"binnacle/ops"
)

// AppRemoveContainers removes all stopped containers of the app.
func AppRemoveContainers() ops.Operation {
	return ops.Operation{
		Name: "app remove_containers", Group: "app", Summary: "Remove the app's stopped containers",
		Scope: ops.ScopeApp, Risk: ops.DataLoss, Hidden: true,
		Plan: func(in ops.Input) (ops.Plan, error) {
			s := newStory(in, "app remove_containers")
			plan := s.plan(ops.DataLoss, "remove stopped containers", s.connect(), s.locked(s.removeContainers()))
			plan.Effects = []ops.Effect{
				{Label: "to", Text: s.destinationText(), Warn: s.production()},
				{Label: "hosts", Text: joined(s.sel.AppHosts())},
				{Label: "loses", Text: "all stopped containers of the app with their logs: nothing to roll back to", Warn: true},
			}
			plan.Locks = true
			return plan, nil
		},
	}
}

// Private

// removeContainers goes role by role on a host: Docker prunes one at a time.
func (s *story) removeContainers() ops.Node {
	return s.eachPlace("containers", "remove containers", ops.Serial, func(p *place) *ops.Step {
		return removing("remove containers", func(ctx context.Context, r *ops.Run) error {
			if err := r.Exec(ctx, s.audit(r.Now(), p.role.Name(), "Removed all app containers"), p.app.RemoveContainers()); err != nil {
				return err
			}
			r.Note("removed its containers")
			return nil
		}, p.app.RemoveContainers())
	})
}
