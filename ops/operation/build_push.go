package operation

import (
	"fmt"

	"binnacle/ops"
	"binnacle/ops/command"
)

// BuildPush builds the image and pushes it to the registry.
func BuildPush() ops.Operation {
	return ops.Operation{
		Name: "build push", Group: "build", Summary: "Build the image and push it to the registry",
		Scope: ops.ScopeApp, Risk: ops.Change, Params: pushParams("registry"),
		Plan: func(in ops.Input) (ops.Plan, error) {
			s := newStory(in, "build push")
			return s.imagePlan(s.newBuild(s.pushOptions()).title(s.shown()), true, false)
		},
	}
}

// BuildPull pulls the image on the app's hosts.
func BuildPull() ops.Operation {
	return ops.Operation{
		Name: "build pull", Group: "build", Summary: "Pull the image from the registry on the app's hosts",
		Scope: ops.ScopeApp, Risk: ops.Change,
		Plan: func(in ops.Input) (ops.Plan, error) {
			s := newStory(in, "build pull")
			return s.imagePlan(fmt.Sprintf("pull %s", s.shown()), false, true)
		},
	}
}

// BuildDeliver is a push, then a pull.
func BuildDeliver() ops.Operation {
	return ops.Operation{
		Name: "build deliver", Group: "build", Summary: "Build and push the image, then pull it on the app's hosts",
		Scope: ops.ScopeApp, Risk: ops.Change, Params: pushParams("registry"),
		Plan: func(in ops.Input) (ops.Plan, error) {
			s := newStory(in, "build deliver")
			return s.imagePlan(fmt.Sprintf("build and deliver %s", s.shown()), true, true)
		},
	}
}

// Private

func (s *story) imagePlan(title string, push, pull bool) (ops.Plan, error) {
	if err := s.needVersion(); err != nil {
		return ops.Plan{}, err
	}
	nodes := []ops.Node{s.hook(preConnect, s.sel.Hosts())}
	var effects []ops.Effect
	if push {
		options := s.pushOptions()
		nodes = append(nodes, s.build(options))
		effects = append(effects, s.newBuild(options).effects()...)
	}
	if pull {
		nodes = append(nodes, s.pull())
		effects = append(effects, s.pullEffect())
	}
	plan := s.plan(ops.Change, title, nodes...)
	plan.Effects = effects
	return plan, nil
}

func (s *story) pushOptions() command.BuildOptions {
	return command.BuildOptions{Output: s.Params.Text("output"), NoCache: s.Params.On("no-cache")}
}

// Helpers

func pushParams(output string) []ops.Param {
	return []ops.Param{
		{Name: "output", Kind: ops.Text, Default: output, Usage: "where the image goes: a type that buildx --output knows"},
		{Name: "no-cache", Kind: ops.Toggle, Usage: "build without the build cache"},
	}
}
