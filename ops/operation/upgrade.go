package operation

import (
	"slices"

	"binnacle/config"
	"binnacle/ops"
)

// Upgrade brings an app of Kamal 1 to Kamal 2: kamal-proxy in place of Traefik,
// and accessories in the network that it needs.
func Upgrade() ops.Operation {
	return ops.Operation{
		Name: "upgrade", Group: "deploy", Summary: "Upgrade from Kamal 1: replace Traefik by kamal-proxy, and reboot accessories",
		Question: "This will replace Traefik with kamal-proxy and restart all accessories",
		Scope:    ops.ScopeApp, Risk: ops.Disrupt, Observe: true,
		Params: []ops.Param{{Name: "rolling", Kind: ops.Toggle, Usage: "upgrade one host at a time"}},
		Plan: func(in ops.Input) (ops.Plan, error) {
			s := newStory(in, "upgrade")
			plan := s.plan(ops.Disrupt, "upgrade from Kamal 1", s.secrets(), s.accessorySources(s.cfg.Accessories()),
				s.connect(), s.locked(s.upgradeAll(in.Params.On("rolling"))))
			plan.Effects = s.proxyEffects(s.sel.Hosts(), "nobody is served until the app is booted behind the new proxy")
			for _, acc := range s.cfg.Accessories() {
				if len(s.sel.AccessoryHostsFor(acc)) > 0 {
					plan.Effects = append(plan.Effects, replacesAccessory(s, acc, nil)...)
				}
			}
			plan.Locks = true
			return plan, nil
		},
	}
}

// Private

// upgradeAll upgrades all hosts at once, or one after another.
func (s *story) upgradeAll(rolling bool) ops.Node {
	if !rolling {
		return s.upgradeHosts("hosts", "upgrade all hosts")
	}
	g := ops.InSequence("hosts", "upgrade host by host")
	for _, host := range s.sel.Hosts() {
		g.Nodes = append(g.Nodes, s.narrowed(host).upgradeHosts(host, "upgrade "+host))
	}
	return g
}

// upgradeHosts upgrades all hosts of the selection, the app before what it uses
// as Kamal does.
func (s *story) upgradeHosts(id, title string) ops.Node {
	g := ops.InSequence(id, title)
	if len(s.sel.AppHosts()) > 0 {
		g.Nodes = append(g.Nodes, ops.InSequence("app", "app and proxy", s.upgradeProxy(false)))
	}
	accs := slices.DeleteFunc(s.cfg.Accessories(), func(acc *config.Accessory) bool { return len(s.sel.AccessoryHostsFor(acc)) == 0 })
	if len(accs) > 0 {
		g.Nodes = append(g.Nodes, ops.InSequence("accessories", "accessories", s.upgradeAccessories(accs, false)))
	}
	return g
}
