package operation

import (
	"context"
	"errors"
	"time"

	"binnacle/config"
	"binnacle/ops"
	"binnacle/ops/command"
)

// AccessoryReboot replaces accessories' containers by new ones, of a fresh image.
func AccessoryReboot() ops.Operation {
	return accessoryVerb{
		verb: "reboot", summary: "Replace an accessory's container by a new one", risk: ops.Disrupt, all: true, sources: true,
		effects: replacesAccessory,
		node: func(s *story, acc *config.Accessory, id, title string) ops.Node {
			return s.rebootAccessory(acc, id, title)
		},
	}.operation()
}

// AccessoryUpgrade reboots accessories of Kamal 1, so that they join the network
// of Kamal 2.
func AccessoryUpgrade() ops.Operation {
	return ops.Operation{
		Name: "accessory upgrade", Group: "accessory", Summary: "Upgrade accessories from Kamal 1: reboot them in the kamal network",
		Question: "This will restart all accessories", Scope: ops.ScopeAccessory, Risk: ops.Disrupt,
		Params: []ops.Param{
			accessoryParam(true),
			{Name: "rolling", Kind: ops.Toggle, Usage: "upgrade one host at a time"},
		},
		Plan: func(in ops.Input) (ops.Plan, error) {
			s := newStory(in, "accessory upgrade")
			accs, err := s.accessoriesCalled(in.Params.Text(nameParam), true)
			if err != nil {
				return ops.Plan{}, err
			}
			plan := s.accessoryPlan(ops.Disrupt, "upgrade", accs, s.accessorySources(accs), s.upgradeAccessories(accs, in.Params.On("rolling")))
			plan.Effects = s.accessoryEffects(accs, replacesAccessory)
			return plan, nil
		},
	}
}

// AccessoryPullImage fetches accessories' images.
func AccessoryPullImage() ops.Operation {
	return accessoryVerb{
		verb: "pull_image", summary: "Pull an accessory's image", risk: ops.Change, hidden: true,
		node: (*story).pullAccessory,
	}.operation()
}

// Private

// upgradeAccessories reboots accessories on all their selected hosts at once, or
// on one host after another. It is the part of `upgrade` that concerns them.
func (s *story) upgradeAccessories(accs []*config.Accessory, rolling bool) ops.Node {
	reboot := func(s *story) ops.Node {
		g := ops.InSequence("", "")
		for _, acc := range accs {
			if len(s.sel.AccessoryHostsFor(acc)) > 0 {
				g.Nodes = append(g.Nodes, s.rebootAccessory(acc, acc.Name(), "reboot "+acc.Name()))
			}
		}
		return g
	}
	hosts := s.hostsOf(accs)
	if !rolling {
		return ops.InSequence("upgrade", "upgrade accessories", reboot(s))
	}
	g := ops.InSequence("upgrade", "upgrade accessories host by host")
	for _, host := range hosts {
		g.Nodes = append(g.Nodes, ops.InSequence(host, host, reboot(s.narrowed(host))))
	}
	return g
}

// rebootAccessory pulls an accessory's image on every selected host, and once
// that went well replaces the containers, each host in one go.
func (s *story) rebootAccessory(acc *config.Accessory, id, title string) ops.Node {
	lines := func(a command.Accessory) []command.Line {
		return []command.Line{a.Stop(), a.RemoveContainer(), a.Run()}
	}
	replace := s.onAccessory(acc, "replace", "replace "+acc.Name(), lines, func(ctx context.Context, r *ops.Run, a command.Accessory) error {
		if err := ensureNetwork(ctx, r); err != nil {
			return err
		}
		if err := s.stopAccessory(ctx, r, acc, a); err != nil {
			return err
		}
		if err := s.removeAccessoryContainer(ctx, r, acc, a); err != nil {
			return err
		}
		return s.accessoryDown(acc, s.runAccessory(ctx, r, acc, a))
	})
	return ops.InSequence(id, title, present([]ops.Node{s.pullAccessory(acc, "pull", "pull "+acc.Name()), replace})...)
}

func (s *story) pullAccessory(acc *config.Accessory, id, title string) ops.Node {
	return eachHost(id, title, s.sel.AccessoryHostsFor(acc), func(host string) *ops.Step {
		builder := command.NewAccessory(s.cfg, acc, host)
		return &ops.Step{
			Title: title, Timeout: 30 * time.Minute, Lines: []command.Line{builder.PullImage()},
			Run: func(ctx context.Context, r *ops.Run) error {
				if err := r.Exec(ctx, s.audit(r.Now(), "", "Pull %s accessory image", acc.Name())); err != nil {
					return err
				}
				return s.pullAccessoryImage(ctx, r, acc)
			},
		}
	})
}

// pullAccessoryImage fetches the image with the registry's credentials in the
// request: the host itself need not be logged in.
func (s *story) pullAccessoryImage(ctx context.Context, r *ops.Run, acc *config.Accessory) error {
	auth, err := s.auth(ctx, s.registryOf(acc))
	if err != nil {
		return err
	}
	r.Ran(command.NewAccessory(s.cfg, acc, r.Host).PullImage())
	if err := r.Docker().Pull(ctx, acc.Image(), auth, r.Progress); err != nil {
		return registryError(r.Host, acc.Image(), err)
	}
	return nil
}

func replacesAccessory(_ *story, acc *config.Accessory, _ []string) []ops.Effect {
	return []ops.Effect{
		{Label: "stops", Text: acc.Name() + " until its new container runs", Warn: true},
		{Label: "loses", Text: "what " + acc.Name() + " wrote inside its container, outside of volumes and directories", Warn: true},
	}
}

// Helpers

// accessoryDown tells how an accessory comes back whose old container is gone.
func (s *story) accessoryDown(acc *config.Accessory, err error) error {
	var known *ops.Error
	if !errors.As(err, &known) || known.Hint != "" {
		return err
	}
	told := *known
	told.Hint = acc.Name() + " is down there; when that is mended: " + s.byHand("accessory boot "+acc.Name())
	return &told
}
