package operation

import (
	"context"
	"strings"
	"time"

	"binnacle/ops"
	"binnacle/ops/command"
)

// BuildCreate creates the builder on this machine.
func BuildCreate() ops.Operation {
	return ops.Operation{
		Name: "build create", Group: "build", Summary: "Create the builder that the configuration asks for",
		Scope: ops.ScopeApp, Risk: ops.Change,
		Plan: func(in ops.Input) (ops.Plan, error) {
			s := newStory(in, "build create")
			b := s.newBuild(command.BuildOptions{})
			nodes := []ops.Node{}
			if remote := b.cfg.Builder().Remote; strings.HasPrefix(remote, "ssh://") {
				nodes = append(nodes, s.hook("pre-connect", s.sel.Hosts()), &ops.Step{
					ID: "reach", Title: "reach " + remote, Timeout: time.Minute,
					Run: b.reachBuilder,
				})
			}
			plan := s.plan(ops.Change, "create the builder", append(nodes, b.onBuilder("create", "create the builder", b.builder.Create()))...)
			plan.Effects = []ops.Effect{{Label: "builder", Text: b.describe()}}
			return plan, nil
		},
	}
}

// BuildRemove removes the builder from this machine, its cache included.
func BuildRemove() ops.Operation {
	return ops.Operation{
		Name: "build remove", Group: "build", Summary: "Remove the builder, with its build cache",
		Scope: ops.ScopeApp, Risk: ops.Change,
		Plan: func(in ops.Input) (ops.Plan, error) {
			s := newStory(in, "build remove")
			b := s.newBuild(command.BuildOptions{})
			plan := s.plan(ops.Change, "remove the builder", b.onBuilder("remove", "remove the builder", b.builder.Remove()))
			plan.Effects = []ops.Effect{{Label: "builder", Text: b.describe()}, {Label: "loses", Text: "the builder's build cache", Warn: true}}
			return plan, nil
		},
	}
}

// BuildDetails shows the builders of this machine.
func BuildDetails() ops.Operation {
	return ops.Operation{
		Name: "build details", Group: "build", Summary: "Show the builder and what else builds here",
		Scope: ops.ScopeApp, Risk: ops.Read,
		Plan: func(in ops.Input) (ops.Plan, error) {
			s := newStory(in, "build details")
			b := s.newBuild(command.BuildOptions{})
			line := b.builder.Info()
			return s.plan(ops.Read, "builder", &ops.Step{
				ID: "details", Title: "builders here", Timeout: time.Minute, Lines: []command.Line{line},
				Run: func(ctx context.Context, r *ops.Run) error {
					text, err := r.CaptureLocally(ctx, "", nil, line)
					if err != nil {
						return err
					}
					r.Result("Builder: " + string(b.builder.Mode()) + "\n" + strings.TrimRight(text, "\n"))
					return nil
				},
			}), nil
		},
	}
}

// Private

// onBuilder runs a command on the builder; there is none to run where Docker
// itself or pack builds.
func (b *build) onBuilder(id, title string, line command.Line) *ops.Step {
	step := &ops.Step{ID: id, Title: title, Timeout: 10 * time.Minute}
	if line.Empty() {
		step.Run = func(_ context.Context, r *ops.Run) error {
			r.Note("%s needs no builder", b.describe())
			return ops.ErrSkipped
		}
		return step
	}
	step.Lines = []command.Line{line}
	return step
}
