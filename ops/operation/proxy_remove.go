package operation

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"binnacle/ops"
	"binnacle/ops/command"
)

// ProxyRemove removes the proxy with its image and directory, unless apps are
// still installed on its hosts.
func ProxyRemove() ops.Operation {
	return ops.Operation{
		Name: "proxy remove", Group: "proxy", Summary: "Remove kamal-proxy, unless apps are installed beside it",
		Scope: ops.ScopeApp, Risk: ops.Disrupt, Observe: true,
		Params: []ops.Param{{Name: "force", Kind: ops.Toggle, Usage: "remove it even though apps are installed"}},
		Plan: func(in ops.Input) (ops.Plan, error) {
			s := newStory(in, "proxy remove")
			hosts, force := s.sel.ProxyHosts(), in.Params.On("force")
			plan := s.proxyPlan(ops.Disrupt, "remove the proxy", s.connectTo(hosts), s.lockedBeside(s.removeProxy(force)))
			plan.Effects = s.proxyEffects(hosts, "nobody is served until a proxy is booted and every app deployed again")
			if !force {
				plan.Effects = append(plan.Effects, ops.Effect{Label: "keeps", Text: "everything, where an app is installed on any of these hosts"})
			}
			return plan, nil
		},
	}
}

// ProxyRemoveContainer removes the stopped proxy.
func ProxyRemoveContainer() ops.Operation {
	return proxyVerb{
		verb: "remove_container", summary: "Remove the stopped kamal-proxy", risk: ops.Change, hidden: true,
		lines: func(proxy command.Proxy) []command.Line { return []command.Line{proxy.RemoveContainer()} },
		run: func(s *story, ctx context.Context, r *ops.Run, proxy command.Proxy) error {
			return r.Exec(ctx, s.audit(r.Now(), "", "Removed proxy container"), proxy.RemoveContainer())
		},
	}.operation()
}

// ProxyRemoveImage removes the proxy's images.
func ProxyRemoveImage() ops.Operation {
	return proxyVerb{
		verb: "remove_image", summary: "Remove kamal-proxy's image", risk: ops.Change, hidden: true,
		lines: func(proxy command.Proxy) []command.Line { return []command.Line{proxy.RemoveImage()} },
		run: func(s *story, ctx context.Context, r *ops.Run, proxy command.Proxy) error {
			return r.Exec(ctx, s.audit(r.Now(), "", "Removed proxy image"), proxy.RemoveImage())
		},
	}.operation()
}

// ProxyRemoveDirectory removes the proxy's directory: its boot configuration, and
// the certificates and error pages of all apps.
func ProxyRemoveDirectory() ops.Operation {
	return proxyVerb{
		verb: "remove_proxy_directory", summary: "Remove kamal-proxy's directory", risk: ops.DataLoss, hidden: true,
		effects: func(*story) []ops.Effect {
			return []ops.Effect{{Label: "loses", Text: "boot configuration, and certificates and error pages of all apps on these hosts", Warn: true}}
		},
		lines: func(proxy command.Proxy) []command.Line { return []command.Line{proxy.RemoveDirectory()} },
		run: func(_ *story, ctx context.Context, r *ops.Run, proxy command.Proxy) error {
			return removeIfThere(ctx, r, proxy.RemoveDirectory())
		},
	}.operation()
}

// Private

// removeProxy removes the proxy from all selected hosts. It fails without having
// touched any when apps are installed on one of them, unless it is forced.
func (s *story) removeProxy(force bool) ops.Node { return s.proxyRemoval(force, true) }

// removeProxyUnlessUsed is removeProxy for a removal of the app: that other apps
// need the proxy is no failure then, and it stays.
func (s *story) removeProxyUnlessUsed() ops.Node { return s.proxyRemoval(false, false) }

func (s *story) proxyRemoval(force, must bool) ops.Node {
	hosts := s.sel.ProxyHosts()
	if len(hosts) == 0 {
		return nil
	}
	allowed := force
	check := &ops.Step{ID: "check", Title: "look for installed apps", Timeout: time.Minute, Lines: []command.Line{command.Apps(s.cfg)},
		Run: func(ctx context.Context, r *ops.Run) error {
			installed, err := s.installedApps(ctx, r.World, hosts)
			switch {
			case err != nil:
				return err
			case len(installed) == 0:
				allowed = true
			case force:
				warn(r, "removing the proxy although apps are installed: "+strings.Join(installed, ", "))
			case must:
				return &ops.Error{
					Summary: "the proxy stays", Cause: fmt.Errorf("apps are installed on its hosts: %s", strings.Join(installed, ", ")),
					Hint: "remove them first, or ignore them: " + s.byHand("proxy remove --force"),
				}
			default:
				warn(r, "the proxy stays, as other apps are installed: "+strings.Join(installed, ", "))
				r.Note("the proxy stays")
			}
			return nil
		}}
	lines := func(proxy command.Proxy) []command.Line {
		return []command.Line{proxy.Stop(), proxy.RemoveContainer(), proxy.RemoveImage(), proxy.RemoveDirectory()}
	}
	remove := s.onProxies("remove", "remove", hosts, lines, func(ctx context.Context, r *ops.Run, proxy command.Proxy) error {
		if !allowed {
			return ops.ErrSkipped
		}
		if err := s.stopProxyAudited(ctx, r, proxy); err != nil {
			return err
		}
		if err := r.Exec(ctx, s.audit(r.Now(), "", "Removed proxy container")); err != nil {
			return err
		}
		if err := s.dropProxy(ctx, r, proxy); err != nil {
			return err
		}
		if err := r.Exec(ctx, s.audit(r.Now(), "", "Removed proxy image"), proxy.RemoveImage()); err != nil {
			return err
		}
		return removeIfThere(ctx, r, proxy.RemoveDirectory())
	})
	return ops.InSequence("proxy", "remove kamal-proxy", check, remove)
}

// installedApps lists the apps that hosts know, each with its host.
func (s *story) installedApps(ctx context.Context, w ops.World, hosts []string) ([]string, error) {
	found, errs := make([][]string, len(hosts)), make([]error, len(hosts))
	var wg sync.WaitGroup
	for i, host := range hosts {
		wg.Go(func() {
			out, err := capture(ctx, w.Remote(host), command.Apps(s.cfg))
			if err != nil {
				errs[i] = &ops.Error{Host: host, Command: command.Apps(s.cfg).String(), Cause: err}
			}
			for _, app := range strings.Fields(out) {
				found[i] = append(found[i], app+" on "+host)
			}
		})
	}
	wg.Wait()
	return slices.Concat(found...), errors.Join(errs...)
}

// Helpers

// removeIfThere runs a removal whose failure means that there was nothing, as it
// does to Kamal.
func removeIfThere(ctx context.Context, r *ops.Run, line command.Line) error {
	err := r.Exec(ctx, line)
	var exit *ops.ExitError
	if errors.As(err, &exit) {
		return nil
	}
	return err
}
