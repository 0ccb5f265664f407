package operation

import (
	"context"
	"errors"
	"fmt"

	"binnacle/config"
	"binnacle/ops"
	"binnacle/ops/command"
)

// AccessoryExec runs a command in an accessory's containers, or in new ones like
// them.
func AccessoryExec() ops.Operation {
	return ops.Operation{
		Name: "accessory exec", Group: "accessory", Summary: "Run a command in an accessory's container, or in a new one like it",
		Scope: ops.ScopeAccessory, Risk: ops.Change,
		Params: append([]ops.Param{accessoryParam(false)}, execParams(
			ops.Param{Name: "reuse", Kind: ops.Toggle, Usage: "run it in the container that runs now, not in a new one"},
			ops.Param{Name: "shell", Kind: ops.Toggle, Usage: "run it in a shell of the container: $VAR, | and > are the container's"},
		)...),
		Plan: func(in ops.Input) (ops.Plan, error) { return newStory(in, "accessory exec").accessoryExec() },
	}
}

// Private

func (s *story) accessoryExec() (ops.Plan, error) {
	accs, err := s.accessoriesCalled(s.Params.Text(nameParam), false)
	if err != nil {
		return ops.Plan{}, err
	}
	if err := s.execConflicts(); err != nil {
		return ops.Plan{}, err
	}
	x, err := s.newExecution()
	if err != nil {
		return ops.Plan{}, err
	}
	acc, where := accs[0], "a new container like"
	if s.Params.On("reuse") {
		where = "the container of"
	}
	for _, host := range s.sel.AccessoryHostsFor(acc) {
		x.spots = append(x.spots, s.accessorySpot(x, acc, host))
	}
	plan, err := x.planned(fmt.Sprintf("accessory exec %s in %s %s", quoted(x.words), where, acc.Name()))
	plan.Version = ""
	return plan, err
}

func (s *story) accessorySpot(x *execution, acc *config.Accessory, host string) spot {
	words, reuse := x.words, s.Params.On("reuse")
	if x.shell {
		words = inShell(words)
	}
	a := command.NewAccessory(s.cfg, acc, host)
	return spot{
		id: host, host: host, role: acc.Name(),
		line: func(o command.ExecOptions) command.Line {
			if reuse {
				return a.ExecExisting(words, o)
			}
			return a.ExecNew(words, o)
		},
		ready: func(ctx context.Context, r *ops.Run, attended bool) error {
			if !reuse {
				if err := s.ensureAccessoryImage(ctx, r, acc); err != nil {
					return err
				}
			}
			if attended { // Kamal writes no line for those either
				return nil
			}
			return r.Exec(ctx, s.audit(r.Now(), "", "Executed cmd '%s' on %s accessory", x.words, acc.Name()))
		},
		explain: func(err error) error {
			err = withHint(err, "No such container", s.byHand("accessory boot "+acc.Name()))
			err = withHint(err, "is not running", s.byHand("accessory start "+acc.Name()))
			return withHint(err, acc.Name()+".env: no such file", "its env file is missing: "+s.byHand("accessory reboot "+acc.Name()))
		},
	}
}

// ensureAccessoryImage fetches an accessory's image where the host has it not.
func (s *story) ensureAccessoryImage(ctx context.Context, r *ops.Run, acc *config.Accessory) error {
	_, err := r.Docker().InspectImage(ctx, acc.Image())
	switch {
	case errors.Is(err, ops.ErrNotFound):
		return s.pullAccessoryImage(ctx, r, acc)
	case err != nil:
		return &ops.Error{Host: r.Host, Command: "docker image inspect " + acc.Image(), Cause: err}
	}
	return nil
}
