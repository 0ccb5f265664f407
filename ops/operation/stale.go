package operation

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"binnacle/config"
	"binnacle/ops"
	"binnacle/ops/command"
)

// stopStale stops running containers of a role that are not the one in use.
// Kamal goes by the latest tag and the age alone; after an interrupted run that
// can be the very container that serves. So where there are several, the
// proxy's own list decides.
func (s *story) stopStale() ops.Node {
	return eachHost("stale", "stop stale containers", s.sel.AppHosts(), func(host string) *ops.Step {
		return &ops.Step{Title: "stale", Timeout: 5 * time.Minute, Run: func(ctx context.Context, r *ops.Run) error {
			found := false
			for _, role := range s.rolesOn(host) {
				stopped, err := s.stopStaleOf(ctx, r, role)
				if err != nil {
					return err
				}
				found = found || stopped
			}
			if !found {
				return ops.ErrSkipped
			}
			return nil
		}}
	})
}

// Private

func (s *story) stopStaleOf(ctx context.Context, r *ops.Run, role *config.Role) (bool, error) {
	p := s.placeOf(role, r.Host)
	running, err := p.running(ctx, r)
	if err != nil || len(running) < 2 {
		return false, err
	}
	if p.role.Proxied() {
		p.awaitProxy(ctx, r)
	}
	stale, err := p.notInUse(ctx, r, running)
	if err != nil {
		return false, err
	}
	for _, c := range stale {
		version := versionOf(c, p.app)
		r.Say("Stopping stale container for role %s with version %s", role.Name(), version)
		line := p.app.Stop(c.Name, p.app.StopTimeout())
		r.Ran(line)
		if err := r.Docker().Stop(ctx, c.ID, p.timeout()); err != nil && !errors.Is(err, ops.ErrNotFound) {
			return true, &ops.Error{Host: r.Host, Command: line.String(), Cause: err}
		}
	}
	return true, nil
}

// running lists the containers of the place that run.
func (p *place) running(ctx context.Context, r *ops.Run) ([]ops.Container, error) {
	containers, err := r.Docker().ListContainers(ctx, p.app.Labels()...)
	if err != nil {
		return nil, &ops.Error{Host: p.host, Command: p.app.Info().String(), Cause: err}
	}
	return slices.DeleteFunc(containers, func(c ops.Container) bool { return !c.Running() }), nil
}

// notInUse are the running containers of the place other than the one in use.
func (p *place) notInUse(ctx context.Context, r *ops.Run, running []ops.Container) ([]ops.Container, error) {
	if len(running) < 2 {
		return nil, nil
	}
	inUse, err := p.inUse(ctx, r, running)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(slices.Clone(running), func(c ops.Container) bool { return c.ID == inUse }), nil
}

// awaitProxy waits for the end of a switch that a run which was cut off left
// under way in the proxy: until then nobody can tell which container is going
// to serve. Where processes cannot be listed there is nothing to wait for.
func (p *place) awaitProxy(ctx context.Context, r *ops.Run) {
	line := command.New("docker", "top", command.NewProxy(p.cfg, p.host).ContainerName())
	deadline := r.Now().Add(seconds(p.cfg.DeployTimeout() + p.cfg.DrainTimeout()))
	for told := false; ; told = true {
		processes, err := capture(ctx, r.Remote(), line)
		if err != nil || !strings.Contains(processes, "kamal-proxy deploy "+p.app.ContainerPrefix()+" ") || r.Now().After(deadline) {
			return
		}
		if !told {
			r.Say("The proxy is still at work on a deploy of %s that was cut off; waiting for its end", p.role.Name())
			r.Note("waiting for the proxy to end what was cut off")
		}
		if r.World.Sleep(ctx, 500*time.Millisecond) != nil {
			return
		}
	}
}

// inUse is the id of the container that serves: the proxy's target where there
// is a proxy, else what Kamal calls current.
func (p *place) inUse(ctx context.Context, r *ops.Run, running []ops.Container) (string, error) {
	if p.role.Proxied() {
		out, err := r.Capture(ctx, command.NewProxy(p.cfg, p.host).List())
		if err != nil {
			return "", err
		}
		target := ops.TargetOf(ops.ParseRoutes(out), p.app.ContainerPrefix())
		for _, c := range running {
			if target != "" && short(c.ID) == target {
				return c.ID, nil
			}
		}
	}
	images, err := r.Docker().InspectImage(ctx, p.cfg.LatestImage())
	if err != nil && !errors.Is(err, ops.ErrNotFound) {
		return "", &ops.Error{Host: r.Host, Command: "docker image inspect " + p.cfg.LatestImage(), Cause: err}
	}
	best := running[0]
	for _, c := range running[1:] {
		cLatest, bestLatest := c.ImageID == images.ID, best.ImageID == images.ID
		if cLatest && !bestLatest || cLatest == bestLatest && c.Created.After(best.Created) {
			best = c
		}
	}
	return best.ID, nil
}
