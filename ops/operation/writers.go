package operation

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"binnacle/ops"
	"binnacle/ops/command"
)

// writers are the app's containers while data is swapped under them: those
// behind a proxy answer with a maintenance page, the others are stopped.
type writers struct {
	*story
	spared func() string // the container that has the data itself goes on
	mu     sync.Mutex
	was    map[string]held
}

// held is what of one place was held off.
type held struct {
	page    bool // of maintenance
	stopped []string
}

// page is the word for the page in the file that tells of a place what was held.
const page = "maintenance"

// hold keeps all of them from writing. What does not write anyway stays as it is,
// also afterwards, unless a run that was killed held it off: a file on the host
// tells.
func (w *writers) hold() ops.Node {
	drain := w.cfg.DrainTimeout()
	return w.eachPlace("hold", "hold writers off", ops.Parallel, func(p *place) *ops.Step {
		step := &ops.Step{Atomic: true, Timeout: stopBudget(p.app.StopTimeout()), Lines: []command.Line{p.app.StopCurrent()}}
		hold := w.stop
		if p.role.Proxied() {
			step.Timeout, step.Lines = stopBudget(&drain), []command.Line{p.app.ProxyStop(drain, "")}
			hold = w.maintain
		}
		step.Run = func(ctx context.Context, r *ops.Run) error {
			running, err := p.running(ctx, r)
			if err != nil {
				return err
			}
			left, err := r.Capture(ctx, command.New("cat", heldFile(p), "2>/dev/null", "||", "true"))
			switch {
			case err != nil:
				return err
			case r.Cancelled():
				return ops.ErrCancelled
			case len(running) == 0:
				r.Note("nothing runs")
				return w.adopt(ctx, r, p, strings.Fields(left))
			case strings.TrimSpace(left) == page:
				w.note(p, func(was *held) { was.page = true })
			}
			return hold(ctx, r, p, running)
		}
		return step
	})
}

// let gives everything that was held back to its work, whatever happened.
func (w *writers) let() ops.Node {
	return w.eachPlace("let", "let writers on", ops.Parallel, func(p *place) *ops.Step {
		return &ops.Step{
			Always: true, Timeout: 2 * time.Minute,
			Run: func(ctx context.Context, r *ops.Run) error {
				was := w.of(p)
				if !was.page && len(was.stopped) == 0 {
					return ops.ErrSkipped
				}
				var failed []error
				if was.page {
					failed = append(failed, stillHeld(r.Exec(ctx, p.app.ProxyResume()), "binnacle app live"))
				}
				for _, name := range was.stopped {
					start := command.New("docker", "start", name)
					failed = append(failed, stillHeld(r.Exec(ctx, start), "on "+p.host+": "+start.String()))
				}
				if err := errors.Join(failed...); err != nil {
					return err
				}
				return r.Exec(ctx, command.New("rm", "-f", heldFile(p)))
			},
		}
	})
}

// Private

// maintain has the proxy answer in the app's place.
func (w *writers) maintain(ctx context.Context, r *ops.Run, p *place, _ []ops.Container) error {
	table, err := r.Capture(ctx, command.NewProxy(p.cfg, p.host).List())
	if err != nil {
		return err
	}
	routes := ops.ParseRoutes(table)
	i := slices.IndexFunc(routes, func(route ops.Route) bool { return route.Service == p.app.ContainerPrefix() })
	switch {
	case i < 0:
		r.Note("not behind the proxy yet")
		return ops.ErrSkipped
	case routes[i].State == "stopped":
		r.Note("in maintenance already")
		return ops.ErrSkipped
	}
	if err := r.Exec(ctx, markHeld(p, page)); err != nil {
		return err
	}
	w.note(p, func(was *held) { was.page = true }) // before it is asked for: an answer can be lost
	r.Note("in maintenance")
	return r.Exec(ctx, p.app.ProxyStop(p.cfg.DrainTimeout(), ""))
}

// stop stops every container of the place, of an old version too.
func (w *writers) stop(ctx context.Context, r *ops.Run, p *place, running []ops.Container) error {
	var versions, names []string
	running = slices.DeleteFunc(running, func(c ops.Container) bool { return c.Name == w.spared() }) // the data is in it
	for _, c := range running {
		names = append(names, c.Name)
	}
	if len(names) == 0 {
		r.Note("goes on: the data is in it")
		return ops.ErrSkipped
	}
	if err := r.Exec(ctx, markHeld(p, names...)); err != nil {
		return err
	}
	for _, c := range running {
		w.note(p, func(was *held) { was.stopped = append(was.stopped, c.Name) })
		line := p.app.Stop(c.Name, p.app.StopTimeout())
		r.Ran(line)
		if err := r.Docker().Stop(ctx, c.ID, p.timeout()); err != nil {
			return &ops.Error{Host: p.host, Command: line.String(), Cause: err}
		}
		versions = append(versions, versionOf(c, p.app))
	}
	r.Note("stopped %s", strings.Join(versions, ", "))
	return nil
}

// adopt takes over what a run that was killed has stopped, as far as it is there.
func (w *writers) adopt(ctx context.Context, r *ops.Run, p *place, names []string) error {
	if len(names) == 0 {
		return ops.ErrSkipped
	}
	all, err := r.Docker().ListContainers(ctx, p.app.Labels()...)
	if err != nil {
		return &ops.Error{Host: p.host, Command: p.app.Info().String(), Cause: err}
	}
	for _, c := range all {
		if slices.Contains(names, c.Name) {
			w.note(p, func(was *held) { was.stopped = append(was.stopped, c.Name) })
			r.Say("%s was stopped by a restore that did not end", c.Name)
		}
	}
	return nil
}

func (w *writers) note(p *place, change func(*held)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.was == nil {
		w.was = map[string]held{}
	}
	key := p.role.Name() + "/" + p.host
	was := w.was[key]
	change(&was)
	w.was[key] = was
}

func (w *writers) of(p *place) held {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.was[p.role.Name()+"/"+p.host]
}

// Helpers

// heldFile tells, for a run after one that is killed, what was held off.
func heldFile(p *place) string { return ".kamal/held-" + p.app.ContainerPrefix() }

func markHeld(p *place, words ...string) command.Line {
	return command.New("echo").With(words...).With(">", heldFile(p))
}

// stillHeld adds to a failure what gives the app back by hand.
func stillHeld(err error, by string) error {
	var known *ops.Error
	if !errors.As(err, &known) {
		return err
	}
	told := *known
	told.Summary, told.Hint = "it is still held off", by
	return &told
}
