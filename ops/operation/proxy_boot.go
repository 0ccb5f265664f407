package operation

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"binnacle/ops"
	"binnacle/ops/command"
)

// ProxyBoot makes sure that the proxy runs on every host that needs it.
func ProxyBoot() ops.Operation {
	return ops.Operation{
		Name: "proxy boot", Group: "proxy", Summary: "Boot kamal-proxy where it does not run", Scope: ops.ScopeApp, Risk: ops.Change,
		Plan: func(in ops.Input) (ops.Plan, error) {
			s := newStory(in, "proxy boot")
			plan := s.proxyPlan(ops.Change, "boot the proxy", s.connect(), s.lockedBeside(s.ensureProxy()))
			plan.Effects = s.proxyEffects(s.sel.ProxyHosts(), "")
			return plan, nil
		},
	}
}

// ensureProxy makes sure of the network on every host and of kamal-proxy where
// it is needed.
func (s *story) ensureProxy() ops.Node {
	proxied := map[string]bool{}
	for _, h := range s.sel.ProxyHosts() {
		proxied[h] = true
	}
	return eachHost("proxy", "network and kamal-proxy", s.sel.Hosts(), func(host string) *ops.Step {
		proxy := command.NewProxy(s.cfg, host)
		step := &ops.Step{Title: "network", Timeout: 10 * time.Minute}
		if !proxied[host] {
			step.Run = func(ctx context.Context, r *ops.Run) error { return ensureNetwork(ctx, r) }
			step.Lines = []command.Line{command.CreateNetwork()}
			return step
		}
		step.Title = "kamal-proxy"
		step.Lines = []command.Line{command.CreateNetwork(), proxy.EnsureAppsConfigDirectory(), proxy.StartOrRun()}
		step.Run = func(ctx context.Context, r *ops.Run) error { return s.ensureProxyOn(ctx, r, proxy) }
		return step
	})
}

// Private

// ensureProxyOn leaves a proxy of at least the needed version running. One that
// runs already costs two questions.
func (s *story) ensureProxyOn(ctx context.Context, r *ops.Run, proxy command.Proxy) error {
	c, err := r.Docker().InspectContainer(ctx, proxy.ContainerName())
	missing := errors.Is(err, ops.ErrNotFound)
	if err != nil && !missing {
		return &ops.Error{Host: r.Host, Command: proxy.Version().String(), Cause: err}
	}
	if !missing {
		if err := s.proxyNewEnough(r.Host, c.Image); err != nil {
			return err
		}
	}
	if err := r.Exec(ctx, proxy.EnsureAppsConfigDirectory()); err != nil {
		return err
	}
	if !missing && c.State == "running" {
		r.Note("running %s", tagOf(c.Image))
		return nil
	}
	if err := ensureNetwork(ctx, r); err != nil {
		return err
	}
	if missing {
		if err := s.login(ctx, r, s.cfg.Registry()); err != nil {
			return err
		}
	}
	if err := r.Exec(ctx, proxy.StartOrRun()); err != nil {
		return proxyStartError(r.Host, err)
	}
	r.Note("started")
	return nil
}

// Helpers

func ensureNetwork(ctx context.Context, r *ops.Run) error {
	err := r.Exec(ctx, command.CreateNetwork())
	var exit *ops.ExitError
	if errors.As(err, &exit) && strings.Contains(exit.Output, "already exists") {
		return nil
	}
	return err
}

func (s *story) proxyNewEnough(host, image string) error {
	order, ok := command.CompareVersions(tagOf(image), command.MinimumVersion)
	if !ok || order >= 0 { // a tag that is no version, such as latest, is taken on trust
		return nil
	}
	return &ops.Error{
		Host: host, Summary: fmt.Sprintf("kamal-proxy version %s is too old", tagOf(image)),
		Cause: fmt.Errorf("at least %s is needed", command.MinimumVersion), Hint: s.byHand("proxy reboot"),
	}
}

func proxyStartError(host string, err error) error {
	var known *ops.Error
	if errors.As(err, &known) && strings.Contains(err.Error(), "port is already allocated") {
		known.Hint = "another program or container on " + host + " uses port 80 or 443"
	}
	return err
}

func tagOf(image string) string {
	i := strings.LastIndexByte(image, ':')
	if i < 0 || strings.Contains(image[i:], "/") {
		return "latest"
	}
	return image[i+1:]
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	return strings.TrimSpace(line)
}
