package operation

import (
	"context"
	"errors"
	"slices"
	"time"

	"binnacle/ops"
	"binnacle/ops/command"
)

// AppRemove stops the app and removes its containers, images and directories.
func AppRemove() ops.Operation {
	return ops.Operation{
		Name: "app remove", Group: "app", Summary: "Remove the app's containers, images and directories",
		Scope: ops.ScopeApp, Risk: ops.DataLoss,
		Plan: func(in ops.Input) (ops.Plan, error) {
			s := newStory(in, "app remove")
			plan := s.plan(ops.DataLoss, "remove the app", s.connect(), s.locked(s.removeApp()))
			plan.Effects = append([]ops.Effect{
				{Label: "to", Text: s.destinationText(), Warn: s.production()},
				{Label: "hosts", Text: joined(s.sel.AppHosts())},
			}, s.removeAppEffects()...)
			plan.Locks = true
			return plan, nil
		},
	}
}

// Private

// removeApp stops every place of the app and removes what it has on its hosts.
func (s *story) removeApp() ops.Node {
	return ops.InSequence("app", "remove the app", present([]ops.Node{
		s.perPlace("stop", "stop", s.stopPlace), s.removeContainers(), s.removeImages(), s.removeDirectories(),
	})...)
}

func (s *story) removeAppEffects() []ops.Effect {
	effects := []ops.Effect{
		{Label: "stops", Text: s.servingText() + ": nobody is served any more", Warn: true},
		{Label: "loses", Text: "all containers of the app with their logs: nothing to roll back to", Warn: true},
	}
	if hosts := s.hostsRemovedWhole(); len(hosts) > 0 {
		effects = append(effects, ops.Effect{
			Label: "loses", Text: s.cfg.AppDirectory() + " and unused images of " + s.cfg.Service() + " on " + joined(hosts), Warn: true,
		})
	}
	return effects
}

// hostsRemovedWhole are the hosts that lose all their roles; what roles share is
// removed there only.
func (s *story) hostsRemovedWhole() []string {
	return slices.DeleteFunc(s.sel.AppHosts(), func(host string) bool {
		return len(s.rolesOn(host)) < len(s.cfg.RolesOn(host))
	})
}

// Helpers

// softly runs a Line whose failure on the host does not matter; a host that
// does not answer still does.
func softly(ctx context.Context, r *ops.Run, line command.Line) error {
	err := r.Exec(ctx, line)
	if exit := new(ops.ExitError); errors.As(err, &exit) {
		return nil
	}
	return err
}

// removing is a step that takes things away: once begun it goes to its end.
func removing(title string, run func(context.Context, *ops.Run) error, lines ...command.Line) *ops.Step {
	return &ops.Step{
		Title: title, Atomic: true, Timeout: 5 * time.Minute, Lines: lines,
		Run: func(ctx context.Context, r *ops.Run) error {
			if r.Cancelled() {
				return ops.ErrCancelled
			}
			return run(ctx, r)
		},
	}
}
