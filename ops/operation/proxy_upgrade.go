package operation

import (
	"context"
	"time"

	"binnacle/ops"
	"binnacle/ops/command"
)

// ProxyUpgrade replaces the proxy of Kamal 1, Traefik, by kamal-proxy, and boots
// the app again behind it.
func ProxyUpgrade() ops.Operation {
	return ops.Operation{
		Name: "proxy upgrade", Group: "proxy", Summary: "Replace the Traefik of Kamal 1 by kamal-proxy, and boot the app behind it",
		Question: "This will cause a brief outage on each host. Are you sure?", Hidden: true,
		Scope: ops.ScopeApp, Risk: ops.Disrupt, Observe: true, Params: []ops.Param{rollingParam()},
		Plan: func(in ops.Input) (ops.Plan, error) {
			s := newStory(in, "proxy upgrade")
			plan := s.proxyPlan(ops.Disrupt, "upgrade the proxy", s.secrets(), s.connect(), s.locked(s.upgradeProxy(in.Params.On("rolling"))))
			plan.Effects = append(s.proxyEffects(s.sel.Hosts(), "nobody is served until the app is booted behind the new proxy"), s.proxyImages(s.sel.ProxyHosts())...)
			return plan, nil
		},
	}
}

// Private

// upgradeProxy replaces whatever proxy the selected hosts have, boots the latest
// image of the app behind it, and prunes: all hosts at once, or one after
// another. It is the part of `upgrade` that concerns the app.
func (s *story) upgradeProxy(rolling bool) ops.Node {
	groups := inGroups(s.sel.Hosts(), rolling)
	g := ops.InSequence("upgrade", "upgrade the proxy")
	for _, hosts := range groups {
		nodes := s.upgradeProxyOn(hosts)
		if len(groups) == 1 {
			g.Nodes = nodes
			break
		}
		g.Nodes = append(g.Nodes, ops.InSequence(joined(hosts), joined(hosts), nodes...))
	}
	return g
}

func (s *story) upgradeProxyOn(hosts []string) []ops.Node {
	own := s.narrowed(hosts...)
	own.become(s.cfg.LatestTag())
	fetch := eachHost("fetch", "fetch the new proxy", own.sel.ProxyHosts(), func(host string) *ops.Step {
		proxy := command.NewProxy(s.cfg, host)
		return &ops.Step{Title: "fetch the new proxy", Timeout: 15 * time.Minute, Run: func(ctx context.Context, r *ops.Run) error {
			return s.ensureProxyImage(ctx, r, proxy)
		}}
	})
	lines := func(proxy command.Proxy) []command.Line {
		return []command.Line{proxy.CleanUpTraefik(), proxy.Stop(), proxy.RemoveContainer()}
	}
	clear := s.onProxies("clear", "remove the old proxy", hosts, lines, func(ctx context.Context, r *ops.Run, proxy command.Proxy) error {
		if err := r.Exec(ctx, s.audit(r.Now(), "", "Rebooted proxy"), proxy.CleanUpTraefik()); err != nil {
			return err
		}
		if err := s.stopProxy(ctx, r, proxy); err != nil {
			return err
		}
		return s.dropProxy(ctx, r, proxy)
	})
	// Kamal removes the images first, and fetches what it needs of them again.
	images := eachHost("images", "remove old images of the proxy", hosts, func(host string) *ops.Step {
		return &ops.Step{Title: "remove old images of the proxy", Lines: []command.Line{command.NewProxy(s.cfg, host).RemoveImage()}}
	})
	return present([]ops.Node{
		s.hook("pre-proxy-reboot", hosts), fetch, clear, own.ensureProxy(), images, own.bootApp(), own.pruneAll(), s.hook("post-proxy-reboot", hosts),
	})
}
