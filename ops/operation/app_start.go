package operation

import (
	"context"
	"errors"

	"binnacle/ops"
)

// AppStart starts the stopped containers of a version and routes to them.
func AppStart() ops.Operation {
	return ops.Operation{
		Name: "app start", Group: "app", Summary: "Start the app's stopped containers",
		Scope: ops.ScopeApp, Risk: ops.Change,
		Plan: func(in ops.Input) (ops.Plan, error) {
			s := newStory(in, "app start")
			if err := s.needVersion(); err != nil {
				return ops.Plan{}, err
			}
			start := s.perPlace("start", "start", s.startPlace)
			plan := s.plan(ops.Change, "start "+s.shown(), s.connect(), s.locked(start))
			plan.Effects = s.appEffects()
			plan.Locks = true
			return plan, nil
		},
	}
}

// Private

func (s *story) startPlace(ctx context.Context, r *ops.Run, p *place) error {
	if r.Cancelled() {
		return ops.ErrCancelled
	}
	if err := r.Exec(ctx, s.audit(r.Now(), "", "Started app version %s", s.version)); err != nil {
		return err
	}
	if err := r.Exec(ctx, p.app.Start(s.version)); err != nil {
		return p.explainStart(ctx, r, err)
	}
	if !p.role.Proxied() {
		return nil
	}
	current, err := p.current(ctx, r)
	if err != nil {
		return err
	}
	if current.ID == "" {
		return &ops.Error{Host: p.host, Summary: "nothing is running after the start", Cause: errors.New("did the container exit?")}
	}
	own := *p.story // the other places may run another version
	own.version = versionOf(current, p.app)
	p.story, p.newID = &own, current.ID
	if err := r.Exec(ctx, p.app.ProxyDeploy(p.version, short(current.ID))); err != nil {
		return p.explain(ctx, r, unhealthy(p, err))
	}
	r.Note("serving %s", p.version)
	return nil
}

// explainStart says which versions could be started instead.
func (p *place) explainStart(ctx context.Context, r *ops.Run, err error) error {
	containers, lerr := r.Docker().ListContainers(ctx, p.app.Labels()...)
	var known *ops.Error
	if lerr != nil || !errors.As(err, &known) {
		return err
	}
	var have []string
	for _, c := range containers {
		have = append(have, versionOf(c, p.app))
	}
	told := *known
	told.Hint = "containers here: " + orNone(have) + "; choose one with --version"
	return &told
}
