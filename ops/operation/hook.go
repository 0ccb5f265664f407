package operation

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"binnacle/config/secret"
	"binnacle/ops"
	"binnacle/ops/command"
)

// preConnect is the hook that Kamal runs before it connects to any host.
const preConnect = "pre-connect"

// PreConnect runs the pre-connect hook alone: for those who look at hosts before
// they can plan, see Input.Connected. The hook is told the command that was typed.
func PreConnect(command string) ops.Operation {
	return ops.Operation{
		Name: preConnect, Summary: "Run the hook that comes before connecting", Scope: ops.ScopeApp, Risk: ops.Read,
		Plan: func(in ops.Input) (ops.Plan, error) {
			s := newStory(in, command)
			return s.plan(ops.Read, "hook pre-connect", s.hook(preConnect, s.sel.Hosts())), nil
		},
	}
}

// Private

// hook runs a hook of the project on this machine, if it exists. hosts are
// what KAMAL_HOSTS lists.
func (s *story) hook(name string, hosts []string) *ops.Step {
	if s.SkipHooks || !slices.Contains(s.Hooks, name) || s.Connected && name == preConnect {
		return nil
	}
	return &ops.Step{
		ID: name, Title: "hook " + name,
		Lines: []command.Line{command.Hook(s.cfg, name)},
		Run: func(ctx context.Context, r *ops.Run) error {
			env, err := s.hookEnv(ctx, r, name, hosts)
			if err != nil {
				return err
			}
			err = r.Locally(ctx, "", env, command.Hook(s.cfg, name))
			if err != nil {
				return &ops.Error{Summary: fmt.Sprintf("hook `%s` failed", name), Cause: err, Hint: "fix the hook, or skip hooks with -H"}
			}
			return nil
		},
	}
}

func (s *story) hookEnv(ctx context.Context, r *ops.Run, name string, hosts []string) (map[string]secret.Value, error) {
	details := command.HookDetails{
		RecordedAt: r.Now(), Performer: s.Performer, Version: s.version, Hosts: hosts,
		Command: s.command, Subcommand: s.subcommand, Locked: s.lock.held,
	}
	if s.Params.Text("roles") != "" {
		details.Roles = strings.Split(s.Params.Text("roles"), ",")
	}
	if name == "post-deploy" {
		runtime := r.Now().Sub(s.began)
		details.Runtime = &runtime
	}
	if !command.HookGetsSecrets(name) {
		return details.Env(s.cfg, nil), nil
	}
	all, err := s.cfg.Secrets().All(ctx)
	if err != nil {
		return nil, err
	}
	return details.Env(s.cfg, all), nil
}
