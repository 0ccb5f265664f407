package operation

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"binnacle/config/secret"
	"binnacle/ops"
	"binnacle/ops/command"
)

// RegistrySetup starts the registry of this machine, or logs in to the one that
// the configuration names, here and on all hosts.
func RegistrySetup() ops.Operation {
	return ops.Operation{
		Name: "registry setup", Group: "registry", Summary: "Start the local registry, or log in to the remote one here and on all hosts",
		Scope: ops.ScopeApp, Risk: ops.Change, Params: registryParams("log in"),
		Plan: func(in ops.Input) (ops.Plan, error) { return newStory(in, "registry setup").registrySetup(), nil },
	}
}

// RegistryLogin logs in to a remote registry.
func RegistryLogin() ops.Operation {
	return ops.Operation{
		Name: "registry login", Group: "registry", Summary: "Log in to the registry here and on all hosts",
		Scope: ops.ScopeApp, Risk: ops.Change, Params: registryParams("log in"),
		Plan: func(in ops.Input) (ops.Plan, error) {
			s := newStory(in, "registry login")
			if s.cfg.Registry().Local() {
				return ops.Plan{}, onlyRemote("login", "registry setup starts it")
			}
			return s.registrySetup(), nil
		},
	}
}

// Private

func (s *story) registrySetup() ops.Plan {
	var nodes []ops.Node
	here, there := !s.Params.On("skip-local"), !s.Params.On("skip-remote")
	if here {
		nodes = append(nodes, checkDocker())
	}
	if s.cfg.Registry().Local() {
		if here {
			nodes = append(nodes, s.startLocalRegistry())
		}
		plan := s.plan(ops.Change, "set up the local registry", nothingToDo(nodes)...)
		plan.Effects = []ops.Effect{{Label: "registry", Text: s.cfg.Registry().Server + " on this machine"}}
		return plan
	}
	if here {
		nodes = append(nodes, s.loginHere())
	}
	if there {
		nodes = append(nodes, s.hook("pre-connect", s.sel.Hosts()), s.loginOnHosts())
	}
	plan := s.plan(ops.Change, "log in to "+s.registryName(), nothingToDo(nodes)...)
	plan.Effects = s.registryEffects(here, there)
	return plan
}

// startLocalRegistry starts the registry of this machine where it does not run.
func (s *story) startLocalRegistry() *ops.Step {
	line := command.SetupLocalRegistry(s.cfg.Registry().LocalPort())
	return &ops.Step{
		ID: "registry", Title: "local registry", Timeout: 10 * time.Minute, Lines: []command.Line{line},
		Run: func(ctx context.Context, r *ops.Run) error {
			if err := r.Locally(ctx, "", nil, line); err != nil {
				return &ops.Error{
					Summary: "starting the local registry", Command: line.String(), Cause: errors.Unwrap(err),
					Hint: fmt.Sprintf("does another program use port %d of this machine? can it pull registry:3?", s.cfg.Registry().LocalPort()),
				}
			}
			return nil
		},
	}
}

// loginHere logs this machine in, the password by standard input.
func (s *story) loginHere() *ops.Step {
	return &ops.Step{ID: "login", Title: "registry login", Timeout: time.Minute, Run: func(ctx context.Context, r *ops.Run) error {
		auth, err := s.auth(ctx, s.cfg.Registry())
		if err != nil {
			return err
		}
		return r.Locally(ctx, "", nil, command.Login(s.cfg.Registry(), secret.New(auth.Username), auth.Password))
	}}
}

func (s *story) loginOnHosts() ops.Node {
	return eachHost("hosts", "registry login on hosts", s.sel.Hosts(), func(string) *ops.Step {
		return &ops.Step{Title: "login", Timeout: time.Minute, Run: func(ctx context.Context, r *ops.Run) error {
			return s.login(ctx, r, s.cfg.Registry())
		}}
	})
}

func (s *story) registryName() string {
	if server := s.cfg.Registry().Server; server != "" {
		return server
	}
	return "Docker Hub"
}

func (s *story) registryEffects(here, there bool) []ops.Effect {
	effects := []ops.Effect{{Label: "registry", Text: s.registryName()}}
	if here {
		effects = append(effects, ops.Effect{Label: "here", Text: "the login of this machine"})
	}
	if there {
		effects = append(effects, ops.Effect{Label: "hosts", Text: strings.Join(s.sel.Hosts(), ", ")})
	}
	return effects
}

// Helpers

func registryParams(verb string) []ops.Param {
	return []ops.Param{
		{Name: "skip-local", Letter: "L", Kind: ops.Toggle, Usage: "do not " + verb + " on this machine"},
		{Name: "skip-remote", Letter: "R", Kind: ops.Toggle, Usage: "do not " + verb + " on hosts"},
	}
}

func checkDocker() *ops.Step {
	line := command.LocallyInstalled()
	return &ops.Step{ID: "check", Title: "docker and buildx here", Timeout: time.Minute, Lines: []command.Line{line}, Run: func(ctx context.Context, r *ops.Run) error {
		if err := r.Locally(ctx, "", nil, line); err != nil {
			return missingDocker(line, err)
		}
		return nil
	}}
}

// nothingToDo gives a plan that skips everything a step to say so.
func nothingToDo(nodes []ops.Node) []ops.Node {
	if len(present(nodes)) > 0 {
		return nodes
	}
	return []ops.Node{&ops.Step{ID: "nothing", Title: "nothing to do", Run: func(context.Context, *ops.Run) error { return ops.ErrSkipped }}}
}

func onlyRemote(verb, instead string) error {
	return &ops.Error{
		Summary: "registry " + verb, Cause: errors.New("a local registry has no login"), Hint: "binnacle " + instead,
	}
}
