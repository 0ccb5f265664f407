package operation

import (
	"context"
	"errors"
	"slices"
	"strings"

	"binnacle/config"
	"binnacle/ops"
	"binnacle/ops/command"
)

// Remove removes the app, the proxy where no other app needs it, the
// accessories with their data, and the login to the registry.
func Remove() ops.Operation {
	return ops.Operation{
		Name: "remove", Group: "deploy", Summary: "Remove everything: app, proxy, accessories with their data, registry login",
		Question: "This will remove all containers and images. Are you sure?",
		Scope:    ops.ScopeApp, Risk: ops.DataLoss, Observe: true,
		Params: []ops.Param{
			{Name: "keep-data", Kind: ops.Toggle, Usage: "keep the data directories of accessories"},
			{Name: "all", Kind: ops.Toggle, Usage: "remove named volumes of the app and of accessories as well"},
		},
		Plan: planRemove,
	}
}

// Private

func planRemove(in ops.Input) (ops.Plan, error) {
	s := newStory(in, "remove")
	r := removal{story: s, keepData: in.Params.On("keep-data"), volumes: in.Params.On("all")}
	if r.keepData && r.volumes {
		return ops.Plan{}, &ops.Error{Summary: "--keep-data and --all", Cause: errors.New("one keeps data, the other removes it: give one of them")}
	}
	plan := s.plan(ops.DataLoss, "remove everything", s.connect(), s.locked(r.nodes()...))
	plan.Effects, plan.Locks, plan.Confirm = r.effects(), true, s.cfg.Service()
	return plan, nil
}

// removal is what a removal of everything takes away.
type removal struct {
	*story
	keepData bool // data directories of accessories stay
	volumes  bool // named volumes go
}

// nodes goes in Kamal's order, but for accessories behind the proxy: they leave
// it while it is still there.
func (m removal) nodes() []ops.Node {
	var proxied, others []*config.Accessory
	for _, acc := range m.cfg.Accessories() {
		if acc.Proxied() {
			proxied = append(proxied, acc)
		} else {
			others = append(others, acc)
		}
	}
	return []ops.Node{
		m.removeApp(), m.accessories("proxied", "remove accessories behind the proxy", proxied), m.removeProxyUnlessUsed(),
		m.accessories("accessories", "remove accessories", others), m.removeVolumes(), m.logout(),
	}
}

func (m removal) accessories(id, title string, accs []*config.Accessory) ops.Node {
	g := ops.InSequence(id, title)
	for _, acc := range accs {
		if len(m.sel.AccessoryHostsFor(acc)) > 0 {
			g.Nodes = append(g.Nodes, m.accessory(acc))
		}
	}
	return g
}

func (m removal) accessory(acc *config.Accessory) ops.Node {
	if !m.keepData {
		return m.removeAccessory(acc, acc.Name(), "remove "+acc.Name())
	}
	lines := func(a command.Accessory) []command.Line {
		return []command.Line{a.Stop(), a.RemoveContainer(), a.RemoveImage()}
	}
	return m.onAccessory(acc, acc.Name(), "remove "+acc.Name(), lines, func(ctx context.Context, r *ops.Run, a command.Accessory) error {
		if err := m.stopAccessory(ctx, r, acc, a); err != nil {
			return err
		}
		if err := m.removeAccessoryContainer(ctx, r, acc, a); err != nil {
			return err
		}
		return m.removeAccessoryImage(ctx, r, acc, a)
	})
}

// logout logs the hosts out of a remote registry.
func (m removal) logout() ops.Node {
	own := *m.story
	own.Params, own.SkipHooks = ops.Params{"skip-local": "true"}, true
	return ops.InSequence("registry", "registry logout", present(own.registryRemove())...)
}

// removeVolumes removes named volumes that no container has any more.
func (m removal) removeVolumes() ops.Node {
	if !m.volumes {
		return nil
	}
	hosts := slices.DeleteFunc(m.sel.Hosts(), func(host string) bool { return len(m.volumesOn(host)) == 0 })
	return eachHost("volumes", "remove volumes", hosts, func(host string) *ops.Step {
		var lines []command.Line
		for _, name := range m.volumesOn(host) {
			lines = append(lines, command.New("docker", "volume", "rm", name))
		}
		return removing("remove volumes", func(ctx context.Context, r *ops.Run) error {
			for i, name := range m.volumesOn(host) {
				err := r.Exec(ctx, lines[i])
				var exit *ops.ExitError
				switch {
				case errors.As(err, &exit) && strings.Contains(strings.ToLower(exit.Output), "no such volume"):
				case errors.As(err, &exit) && strings.Contains(exit.Output, "volume is in use"):
					r.Note("kept %s: another container has it", name)
				case err != nil:
					return err
				}
			}
			return nil
		}, lines...)
	})
}

// volumesOn are the named volumes of what is removed from a host.
func (m removal) volumesOn(host string) []string {
	var mounts []string
	if slices.Contains(m.hostsRemovedWhole(), host) {
		mounts = append(mounts, m.cfg.Volumes()...)
		for _, role := range m.rolesOn(host) {
			mounts = append(mounts, volumeOptions(role.Options())...)
		}
	}
	for _, acc := range m.cfg.Accessories() {
		if slices.Contains(m.sel.AccessoryHostsFor(acc), host) {
			mounts = append(append(mounts, acc.Volumes()...), volumeOptions(acc.Options())...)
		}
	}
	return namedVolumes(mounts)
}

// effects names all that goes, and what stays.
func (m removal) effects() []ops.Effect {
	effects := append([]ops.Effect{
		{Label: "to", Text: m.destinationText(), Warn: m.production()},
		{Label: "hosts", Text: joined(m.sel.Hosts())},
	}, m.removeAppEffects()...)
	for _, acc := range m.cfg.Accessories() {
		hosts := m.sel.AccessoryHostsFor(acc)
		if len(hosts) == 0 {
			continue
		}
		effects = append(effects, ops.Effect{Label: "accessory", Text: acc.Name() + " (" + acc.Image() + ") on " + joined(hosts), Warn: true})
		if m.keepData {
			effects = append(effects, ops.Effect{Label: "keeps", Text: "~/" + acc.ServiceName()})
			continue
		}
		effects = append(effects, losesAccessory(acc)...)
	}
	if m.volumes {
		effects = slices.DeleteFunc(effects, func(e ops.Effect) bool { return e.Label == "keeps" && strings.HasPrefix(e.Text, "volumes ") })
		for _, host := range m.sel.Hosts() {
			if names := m.volumesOn(host); len(names) > 0 {
				effects = append(effects, ops.Effect{Label: "loses", Text: "volumes " + joined(names) + " on " + host, Warn: true})
			}
		}
	}
	if m.cfg.Destination() != "" && len(m.sel.AccessoryHosts()) > 0 {
		effects = append(effects, ops.Effect{Label: "also", Text: "accessories are those of all destinations of " + m.cfg.Service(), Warn: true})
	}
	if hosts := m.sel.ProxyHosts(); len(hosts) > 0 {
		effects = append(effects, ops.Effect{Label: "proxy", Text: "goes from " + joined(hosts) + ", unless another app is installed there"})
	}
	if l := m.lockEffect(); l.Text != "" {
		effects = append(effects, l)
	}
	return effects
}

// Helpers

// volumeOptions are the mounts among options for docker run.
func volumeOptions(options config.Pairs) []string {
	var mounts []string
	for _, o := range options {
		if o.Name != "volume" && o.Name != "v" {
			continue
		}
		if list := o.Value.List(); len(list) > 0 {
			for _, v := range list {
				mounts = append(mounts, v.String())
			}
			continue
		}
		mounts = append(mounts, o.Value.String())
	}
	return mounts
}

// namedVolumes are the volumes among mounts: what is no path of the host.
func namedVolumes(mounts []string) []string {
	var names []string
	for _, mount := range mounts {
		name, _, found := strings.Cut(mount, ":")
		if found && name != "" && !strings.ContainsAny(name, "/.~$\\ ") && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}
