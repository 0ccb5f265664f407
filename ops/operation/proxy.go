package operation

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"binnacle/ops"
	"binnacle/ops/command"
)

// proxyVerb is an operation that does one thing to kamal-proxy on every host
// that has it.
type proxyVerb struct {
	verb    string // as typed behind "proxy": "stop"
	summary string
	risk    ops.Risk
	hidden  bool
	outage  string // what the apps behind it notice, "" for nothing
	effects func(s *story) []ops.Effect
	lines   func(command.Proxy) []command.Line
	run     func(s *story, ctx context.Context, r *ops.Run, proxy command.Proxy) error
}

func (v proxyVerb) operation() ops.Operation {
	title := strings.ReplaceAll(v.verb, "_", " ")
	return ops.Operation{
		Name: "proxy " + v.verb, Group: "proxy", Summary: v.summary, Hidden: v.hidden,
		Scope: ops.ScopeApp, Risk: v.risk, Observe: v.outage != "",
		Plan: func(in ops.Input) (ops.Plan, error) {
			s := newStory(in, "proxy "+v.verb)
			hosts := s.sel.ProxyHosts()
			plan := s.proxyPlan(v.risk, title+" the proxy", s.connectTo(hosts), s.lockedBeside(
				s.onProxies(v.verb, title, hosts, v.lines, func(ctx context.Context, r *ops.Run, proxy command.Proxy) error { return v.run(s, ctx, r, proxy) })))
			plan.Effects = s.proxyEffects(hosts, v.outage)
			if v.effects != nil {
				plan.Effects = append(plan.Effects, v.effects(s)...)
			}
			return plan, nil
		},
	}
}

// Private

// proxyPlan is the plan of a change of kamal-proxy itself.
func (s *story) proxyPlan(risk ops.Risk, title string, nodes ...ops.Node) ops.Plan {
	plan := s.plan(risk, title, nodes...)
	plan.Version, plan.Locks = "", true
	return plan
}

// onProxies makes a step per host, side by side, which is not interrupted: half
// a reboot would leave no proxy.
func (s *story) onProxies(id, title string, hosts []string, lines func(command.Proxy) []command.Line, run func(context.Context, *ops.Run, command.Proxy) error) *ops.Group {
	return eachHost(id, title, hosts, func(host string) *ops.Step {
		proxy := command.NewProxy(s.cfg, host)
		return &ops.Step{
			Title: title, Atomic: true, Timeout: 15 * time.Minute, Lines: lines(proxy),
			Run: func(ctx context.Context, r *ops.Run) error {
				if r.Cancelled() {
					return ops.ErrCancelled
				}
				return run(ctx, r, proxy)
			},
		}
	})
}

func (s *story) startProxy(ctx context.Context, r *ops.Run, proxy command.Proxy) error {
	if err := r.Exec(ctx, s.audit(r.Now(), "", "Started proxy")); err != nil {
		return err
	}
	if err := r.Exec(ctx, proxy.Start()); err != nil {
		return proxyStartError(r.Host, withHint(err, "No such container", s.byHand("proxy boot")))
	}
	return s.proxyAnswers(ctx, r, proxy)
}

// stopProxy stops the proxy's container, unless it is stopped or not there.
func (s *story) stopProxy(ctx context.Context, r *ops.Run, proxy command.Proxy) error {
	r.Ran(proxy.Stop())
	err := r.Docker().Stop(ctx, proxy.ContainerName(), nil)
	switch {
	case errors.Is(err, ops.ErrNotFound):
		r.Note("no container")
	case err != nil:
		return &ops.Error{Host: r.Host, Command: proxy.Stop().String(), Cause: err}
	}
	return nil
}

// dropProxy removes the stopped container. An image that somebody built may lack
// the label that Kamal goes by, and its container would then be in the way.
func (s *story) dropProxy(ctx context.Context, r *ops.Run, proxy command.Proxy) error {
	if err := r.Exec(ctx, proxy.RemoveContainer()); err != nil {
		return err
	}
	_, err := r.Docker().InspectContainer(ctx, proxy.ContainerName())
	switch {
	case errors.Is(err, ops.ErrNotFound):
		return nil
	case err != nil:
		return &ops.Error{Host: r.Host, Command: "docker inspect " + proxy.ContainerName(), Cause: err}
	}
	return r.Exec(ctx, command.New("docker", "container", "rm", proxy.ContainerName()))
}

// proxyStart is how long a proxy that was started may take to answer.
const proxyStart = 15 * time.Second

// proxyAnswers waits until a proxy that was just started tells what it serves:
// one that dies of its options does so after docker reported success.
func (s *story) proxyAnswers(ctx context.Context, r *ops.Run, proxy command.Proxy) error {
	deadline := r.Now().Add(proxyStart)
	for {
		out, err := capture(ctx, r.Remote(), proxy.List())
		var exit *ops.ExitError
		switch {
		case err == nil:
			r.Note("services: %d", len(ops.ParseRoutes(out)))
			return nil
		case !errors.As(err, &exit):
			return &ops.Error{Host: r.Host, Command: proxy.List().String(), Cause: err}
		case !r.Now().Before(deadline):
			failed := &ops.Error{Host: r.Host, Summary: "kamal-proxy was started and does not answer", Command: proxy.List().String(), Cause: err, Hint: s.byHand("proxy logs")}
			if lines, terr := r.Docker().Tail(ctx, proxy.ContainerName(), evidenceLines); terr == nil && len(lines) > 0 {
				failed.Evidence = []ops.Evidence{{Title: "log of " + proxy.ContainerName(), Lines: lines}}
			}
			return failed
		}
		if err := r.World.Sleep(ctx, 250*time.Millisecond); err != nil {
			return err
		}
	}
}

// proxyEffects is the blast radius of a change of the proxy: everything that is
// behind it, whoever deployed it.
func (s *story) proxyEffects(hosts []string, outage string) []ops.Effect {
	effects := []ops.Effect{
		{Label: "to", Text: s.destinationText(), Warn: s.production()},
		{Label: "hosts", Text: orNone(hosts)},
	}
	if outage != "" {
		effects = append(effects, ops.Effect{Label: "outage", Text: outage, Warn: true})
		if others := s.othersBehind(hosts); len(others) > 0 {
			effects = append(effects, ops.Effect{Label: "also", Text: joined(others) + ": of other apps, behind the same proxy", Warn: true})
		}
	}
	if l := s.lockEffect(); l.Text != "" {
		effects = append(effects, l)
	}
	return effects
}

// othersBehind lists the services of other apps that the proxies of some hosts
// serve, with their hosts.
func (s *story) othersBehind(hosts []string) []string {
	own := map[string]bool{}
	for _, role := range s.cfg.Roles() {
		own[role.ContainerPrefix()] = true
	}
	for _, acc := range s.cfg.Accessories() {
		own[acc.ServiceName()] = true
	}
	on := map[string][]string{}
	var services []string
	for _, name := range hosts {
		h, _ := s.Fleet.Host(name)
		for _, route := range h.Routes {
			if own[route.Service] {
				continue
			}
			if on[route.Service] == nil {
				services = append(services, route.Service)
			}
			on[route.Service] = append(on[route.Service], name)
		}
	}
	slices.Sort(services)
	for i, service := range services {
		services[i] = fmt.Sprintf("%s (%s)", service, joined(on[service]))
	}
	return services
}
