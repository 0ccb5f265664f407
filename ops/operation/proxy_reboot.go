package operation

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"binnacle/ops"
	"binnacle/ops/command"
)

// ProxyReboot replaces the proxy's container by a new one.
func ProxyReboot() ops.Operation {
	return ops.Operation{
		Name: "proxy reboot", Group: "proxy", Summary: "Replace kamal-proxy's container by a new one, of the version that is configured",
		Question: "This will cause a brief outage on each host. Are you sure?", Scope: ops.ScopeApp, Risk: ops.Disrupt, Observe: true,
		Params: []ops.Param{rollingParam()},
		Plan: func(in ops.Input) (ops.Plan, error) {
			s := newStory(in, "proxy reboot")
			hosts := s.sel.ProxyHosts()
			plan := s.proxyPlan(ops.Disrupt, "reboot the proxy", s.connectTo(hosts), s.lockedBeside(s.rebootProxy(in.Params.On("rolling"))))
			plan.Effects = append(s.proxyEffects(hosts, "nobody is served for a moment on each host"), s.proxyImages(hosts)...)
			return plan, nil
		},
	}
}

func rollingParam() ops.Param {
	return ops.Param{Name: "rolling", Kind: ops.Toggle, Usage: "one host after another, not all at once"}
}

// Private

// rebootProxy replaces the proxy on all hosts at once, or on one after another.
func (s *story) rebootProxy(rolling bool) ops.Node {
	groups := inGroups(s.sel.ProxyHosts(), rolling)
	lines := func(proxy command.Proxy) []command.Line {
		return []command.Line{proxy.Stop(), proxy.RemoveContainer(), proxy.EnsureAppsConfigDirectory(), proxy.Run()}
	}
	if len(groups) == 1 {
		hosts := groups[0]
		return ops.InSequence("", "", present([]ops.Node{
			s.hook("pre-proxy-reboot", hosts), s.onProxies("reboot", "reboot", hosts, lines, s.replaceProxy), s.hook("post-proxy-reboot", hosts),
		})...)
	}
	g := ops.InSequence("reboot", "reboot host by host")
	for _, hosts := range groups {
		g.Nodes = append(g.Nodes, ops.InSequence(joined(hosts), joined(hosts), present([]ops.Node{
			s.hook("pre-proxy-reboot", hosts), s.onProxies("reboot", "reboot", hosts, lines, s.replaceProxy), s.hook("post-proxy-reboot", hosts),
		})...))
	}
	return g
}

func (s *story) replaceProxy(ctx context.Context, r *ops.Run, proxy command.Proxy) error {
	if err := s.ensureProxyImage(ctx, r, proxy); err != nil {
		return err
	}
	if err := ensureNetwork(ctx, r); err != nil {
		return err
	}
	if err := r.Exec(ctx, s.audit(r.Now(), "", "Rebooted proxy")); err != nil {
		return err
	}
	if err := s.stopProxy(ctx, r, proxy); err != nil {
		return err
	}
	if err := s.dropProxy(ctx, r, proxy); err != nil {
		return err
	}
	if err := r.Exec(ctx, proxy.EnsureAppsConfigDirectory(), proxy.Run()); err != nil {
		return s.proxyGone(proxyStartError(r.Host, err))
	}
	return s.proxyAnswers(ctx, r, proxy)
}

// ensureProxyImage fetches the image before the proxy is stopped: what cannot be
// had must not cost the proxy that runs, and what takes long must not be outage.
func (s *story) ensureProxyImage(ctx context.Context, r *ops.Run, proxy command.Proxy) error {
	image := proxy.Image()
	if image == "" {
		out, err := r.Capture(ctx, proxy.BootImageName())
		if err != nil {
			return err
		}
		image = firstLine(out)
	}
	_, err := r.Docker().InspectImage(ctx, image)
	switch {
	case err == nil:
		return nil
	case !errors.Is(err, ops.ErrNotFound):
		return &ops.Error{Host: r.Host, Command: "docker image inspect " + image, Cause: err}
	}
	if err := s.login(ctx, r, s.cfg.Registry()); err != nil {
		return err
	}
	return r.Exec(ctx, command.New("docker", "pull", image))
}

// proxyImages tells which image replaces which, where deploy.yml says it.
func (s *story) proxyImages(hosts []string) []ops.Effect {
	on := map[string][]string{}
	var changes []string
	for _, name := range hosts {
		to := command.NewProxy(s.cfg, name).Image()
		if to == "" {
			continue
		}
		change := to
		h, _ := s.Fleet.Host(name)
		for _, c := range h.Containers {
			if c.Kind == ops.KindProxy && c.Image != to {
				change = fmt.Sprintf("%s in place of %s", to, c.Image)
			}
		}
		if on[change] == nil {
			changes = append(changes, change)
		}
		on[change] = append(on[change], name)
	}
	slices.Sort(changes)
	var effects []ops.Effect
	for _, change := range changes {
		effects = append(effects, ops.Effect{Label: "image", Text: change + " on " + joined(on[change])})
	}
	return effects
}

// Helpers

// inGroups is all hosts at once, or each alone.
func inGroups(hosts []string, rolling bool) [][]string {
	size := len(hosts)
	if rolling {
		size = 1
	}
	return slices.Collect(slices.Chunk(hosts, max(size, 1)))
}

// proxyGone tells how the proxy comes back on a host that lost it.
func (s *story) proxyGone(err error) error {
	var known *ops.Error
	if !errors.As(err, &known) {
		return err
	}
	told := *known
	told.Hint = "this host has no proxy now; when that is mended: " + s.byHand("proxy boot")
	if known.Hint != "" {
		told.Hint = known.Hint + "; " + told.Hint
	}
	return &told
}
