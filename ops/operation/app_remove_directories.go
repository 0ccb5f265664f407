package operation

import (
	"context"

	"binnacle/ops"
	"binnacle/ops/command"
)

// AppRemoveDirectories removes what the app has in the run directory.
func AppRemoveDirectories() ops.Operation {
	return ops.Operation{
		Name: "app remove_app_directories", Group: "app", Summary: "Remove the app's directories on its servers",
		Scope: ops.ScopeApp, Risk: ops.Disrupt, Hidden: true,
		Plan: func(in ops.Input) (ops.Plan, error) {
			s := newStory(in, "app remove_app_directories")
			plan := s.plan(ops.Disrupt, "remove the app's directories", s.connect(), s.locked(s.removeDirectories()))
			plan.Effects = []ops.Effect{
				{Label: "to", Text: s.destinationText(), Warn: s.production()},
				{Label: "hosts", Text: joined(s.hostsRemovedWhole())},
				{Label: "loses", Text: s.cfg.AppDirectory() + " and " + s.cfg.ProxyAppDirectory() + ": env files, assets, error pages and certificates until the next boot", Warn: true},
			}
			plan.Locks = true
			return plan, nil
		},
	}
}

// Private

// removeDirectories removes directories that may not be there.
func (s *story) removeDirectories() ops.Node {
	return eachHost("directories", "remove directories", s.hostsRemovedWhole(), func(host string) *ops.Step {
		app, proxy := command.RemoveAppDirectory(s.cfg), s.app(nil, host).RemoveProxyAppDirectory()
		return removing("remove directories", func(ctx context.Context, r *ops.Run) error {
			if err := softly(ctx, r, app); err != nil {
				return err
			}
			if err := r.Exec(ctx, s.audit(r.Now(), "", "Removed %s", s.cfg.AppDirectory())); err != nil {
				return err
			}
			return softly(ctx, r, proxy)
		}, app, proxy)
	})
}
