package operation

import (
	"context"
	"errors"
	"strings"

	"binnacle/config"
	"binnacle/ops"
)

// AppStop takes the app out of the proxy and stops its containers.
func AppStop() ops.Operation {
	return ops.Operation{
		Name: "app stop", Group: "app", Summary: "Stop the app on its servers",
		Scope: ops.ScopeApp, Risk: ops.Disrupt,
		Plan: func(in ops.Input) (ops.Plan, error) { return planStop(in, "app stop") },
	}
}

// Private

func planStop(in ops.Input, name string) (ops.Plan, error) {
	s := newStory(in, name)
	stop := s.perPlace("stop", "stop", s.stopPlace)
	plan := s.plan(ops.Disrupt, "stop the app", s.connect(), s.locked(stop))
	plan.Effects = []ops.Effect{
		{Label: "to", Text: s.destinationText(), Warn: s.production()},
		{Label: "hosts", Text: joined(s.sel.AppHosts())},
		{Label: "stops", Text: s.servingText() + ": nobody is served until it is started again", Warn: true},
	}
	plan.Locks = true
	return plan, nil
}

// perPlace makes one step per role and host, hosts side by side, the roles of a
// host one after another.
func (s *story) perPlace(id, title string, run func(context.Context, *ops.Run, *place) error) ops.Node {
	g := ops.SideBySide(id, title)
	for _, host := range s.sel.AppHosts() {
		perHost := ops.InSequence("", "")
		for _, role := range s.rolesOn(host) {
			p := s.placeOf(role, host)
			perHost.Nodes = append(perHost.Nodes, &ops.Step{
				ID: role.Name() + "/" + host, Title: host + " " + role.Name(), Host: host, Timeout: stopBudget(p.app.StopTimeout()) + seconds(s.cfg.DeployTimeout()),
				Atomic: true,
				Run:    func(ctx context.Context, r *ops.Run) error { return run(ctx, r, p) },
			})
		}
		g.Nodes = append(g.Nodes, perHost)
	}
	return g
}

func (s *story) placeOf(role *config.Role, host string) *place {
	return &place{story: s, role: role, host: host, app: s.app(role, host)}
}

func (s *story) stopPlace(ctx context.Context, r *ops.Run, p *place) error {
	if r.Cancelled() {
		return ops.ErrCancelled
	}
	if err := r.Exec(ctx, s.audit(r.Now(), p.role.Name(), "Stopped app")); err != nil {
		return err
	}
	current, err := p.current(ctx, r)
	if err != nil || current.ID == "" {
		return err
	}
	if p.role.Proxied() {
		if err := r.Exec(ctx, p.app.ProxyRemove()); err != nil {
			r.Line(ops.Stderr, err.Error()) // Kamal goes on as well: the service may be gone
		}
	}
	r.Ran(p.app.StopCurrent())
	if err := r.Docker().Stop(ctx, current.ID, p.timeout()); err != nil && !errors.Is(err, ops.ErrNotFound) {
		return &ops.Error{Host: p.host, Command: p.app.StopCurrent().String(), Cause: err}
	}
	r.Note("stopped %s", versionOf(current, p.app))
	return nil
}

// current is the running container of the place; the zero Container when
// nothing runs.
func (p *place) current(ctx context.Context, r *ops.Run) (ops.Container, error) {
	running, err := p.running(ctx, r)
	if err != nil {
		return ops.Container{}, err
	}
	if len(running) < 2 {
		return first(running), nil
	}
	id, err := p.inUse(ctx, r, running)
	for _, c := range running {
		if c.ID == id {
			return c, err
		}
	}
	return ops.Container{}, err
}

func (s *story) servingText() string {
	var places []string
	for v := range s.Fleet.Versions(s.App) {
		places = append(places, v)
	}
	if len(places) == 0 {
		return "the app"
	}
	return strings.Join(places, ", ")
}

// Helpers

func first(containers []ops.Container) ops.Container {
	if len(containers) == 0 {
		return ops.Container{}
	}
	return containers[0]
}

func joined(names []string) string { return strings.Join(names, ", ") }
