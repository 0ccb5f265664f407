package operation

import (
	"context"
	"errors"
	"slices"

	"binnacle/ops"
)

// AppRemoveContainer removes the stopped containers of one version.
func AppRemoveContainer() ops.Operation {
	return ops.Operation{
		Name: "app remove_container", Group: "app", Summary: "Remove the app's stopped containers of a version",
		Scope: ops.ScopeApp, Risk: ops.DataLoss, Hidden: true,
		Params: []ops.Param{{Name: "VERSION", Kind: ops.Version, Positional: true, Required: true, Usage: "the version whose containers go"}},
		Plan: func(in ops.Input) (ops.Plan, error) {
			s := newStory(in, "app remove_container")
			version := in.Params.Text("VERSION")
			if version == "" {
				return ops.Plan{}, &ops.Error{Summary: "which version?", Cause: errors.New("no VERSION was given"), Hint: s.byHand("app containers") + " lists what is there"}
			}
			remove := s.eachPlace("containers", "remove containers", ops.Parallel, func(p *place) *ops.Step { return p.removeContainer(version) })
			plan := s.plan(ops.DataLoss, "remove containers of "+version, s.connect(), s.locked(remove))
			plan.Effects = []ops.Effect{
				{Label: "to", Text: s.destinationText(), Warn: s.production()},
				{Label: "hosts", Text: joined(s.sel.AppHosts())},
				{Label: "loses", Text: "the stopped containers of " + version + " with their logs: no rollback to it", Warn: true},
			}
			plan.Locks = true
			return plan, nil
		},
	}
}

// Private

func (p *place) removeContainer(version string) *ops.Step {
	line := p.app.RemoveContainer(version)
	return removing("remove container", func(ctx context.Context, r *ops.Run) error {
		containers, err := r.Docker().ListContainers(ctx, p.app.Labels()...)
		if err != nil {
			return &ops.Error{Host: p.host, Command: p.app.ListContainers().String(), Cause: err}
		}
		var have []string
		for _, c := range containers {
			have = append(have, versionOf(c, p.app))
		}
		if !slices.Contains(have, version) {
			return &ops.Error{Host: p.host, Summary: "no container of role " + p.role.Name() + " has version " + version, Cause: errors.New("it has " + orNone(have))}
		}
		if err := r.Exec(ctx, p.audit(r.Now(), p.role.Name(), "Removed app container with version %s", version), line); err != nil {
			return err
		}
		r.Note("removed %s", p.app.ContainerName(version))
		return nil
	}, line)
}
