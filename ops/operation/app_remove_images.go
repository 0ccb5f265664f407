package operation

import (
	"context"

	"binnacle/ops"
)

// AppRemoveImages removes the app's images that no container has.
func AppRemoveImages() ops.Operation {
	return ops.Operation{
		Name: "app remove_images", Group: "app", Summary: "Remove the app's images that no container has",
		Scope: ops.ScopeApp, Risk: ops.Change, Hidden: true,
		Plan: func(in ops.Input) (ops.Plan, error) {
			s := newStory(in, "app remove_images")
			plan := s.plan(ops.Change, "remove unused images", s.connect(), s.locked(s.removeImages()))
			plan.Effects = []ops.Effect{
				{Label: "to", Text: s.destinationText(), Warn: s.production()},
				{Label: "hosts", Text: joined(s.hostsRemovedWhole())},
				{Label: "loses", Text: "images of " + s.cfg.Service() + " that no container has, of all destinations"},
			}
			plan.Locks = true
			return plan, nil
		},
	}
}

// Private

func (s *story) removeImages() ops.Node {
	return eachHost("images", "remove images", s.hostsRemovedWhole(), func(host string) *ops.Step {
		line := s.app(nil, host).RemoveImages()
		return removing("remove images", func(ctx context.Context, r *ops.Run) error {
			return r.Exec(ctx, s.audit(r.Now(), "", "Removed all app images"), line)
		}, line)
	})
}
