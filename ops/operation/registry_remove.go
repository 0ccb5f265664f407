package operation

import (
	"time"

	"binnacle/ops"
	"binnacle/ops/command"
)

// RegistryRemove removes the registry of this machine, or logs out of the one
// that the configuration names, here and on all hosts.
func RegistryRemove() ops.Operation {
	return ops.Operation{
		Name: "registry remove", Group: "registry", Summary: "Remove the local registry, or log out of the remote one here and on all hosts",
		Scope: ops.ScopeApp, Risk: ops.Disrupt, Params: registryParams("log out"),
		Plan: func(in ops.Input) (ops.Plan, error) {
			s := newStory(in, "registry remove")
			plan := s.plan(ops.Disrupt, "log out of "+s.registryName(), nothingToDo(s.registryRemove())...)
			plan.Effects = s.registryEffects(!s.Params.On("skip-local"), !s.Params.On("skip-remote"))
			if s.cfg.Registry().Local() {
				plan.Title = s.title("remove the local registry")
				plan.Effects = []ops.Effect{{Label: "loses", Text: "the images in " + s.cfg.Registry().Server + " that are on no host", Warn: true}}
			}
			return plan, nil
		},
	}
}

// RegistryLogout logs out of a remote registry.
func RegistryLogout() ops.Operation {
	return ops.Operation{
		Name: "registry logout", Group: "registry", Summary: "Log out of the registry here and on all hosts",
		Scope: ops.ScopeApp, Risk: ops.Change, Params: registryParams("log out"),
		Plan: func(in ops.Input) (ops.Plan, error) {
			s := newStory(in, "registry logout")
			if s.cfg.Registry().Local() {
				return ops.Plan{}, onlyRemote("logout", "registry remove removes it")
			}
			plan := s.plan(ops.Change, "log out of "+s.registryName(), nothingToDo(s.registryRemove())...)
			plan.Effects = s.registryEffects(!s.Params.On("skip-local"), !s.Params.On("skip-remote"))
			return plan, nil
		},
	}
}

// Private

// registryRemove ends what registrySetup began. That there is no local registry
// is no failure.
func (s *story) registryRemove() []ops.Node {
	here, there := !s.Params.On("skip-local"), !s.Params.On("skip-remote")
	if s.cfg.Registry().Local() {
		if !here {
			return nil
		}
		return []ops.Node{&ops.Step{
			ID: "registry", Title: "remove the local registry", Timeout: time.Minute, Soft: true,
			Lines: []command.Line{command.RemoveLocalRegistry()},
		}}
	}
	logout := command.Logout(s.cfg.Registry())
	var nodes []ops.Node
	if here {
		nodes = append(nodes, &ops.Step{ID: "logout", Title: "registry logout", Timeout: time.Minute, Lines: []command.Line{logout}})
	}
	if there {
		nodes = append(nodes, s.hook("pre-connect", s.sel.Hosts()), eachHost("hosts", "registry logout on hosts", s.sel.Hosts(), func(string) *ops.Step {
			return &ops.Step{Title: "logout", Timeout: time.Minute, Lines: []command.Line{logout}}
		}))
	}
	return nodes
}
