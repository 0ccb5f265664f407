package operation

import (
	"context"
	"errors"
	"slices"
	"strconv"
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
			text, err := r.Capture(ctx, command.New("cat", heldFile(p), "2>/dev/null", "||", "true"))
			left := parseMark(text)
			switch {
			case err != nil:
				return err
			case r.Cancelled():
				return ops.ErrCancelled
			case len(running) == 0:
				r.Note("nothing runs")
				return w.adopt(ctx, r, p, left)
			case slices.Contains(left.what, page) && r.Now().Sub(left.at) < 2*longest: // an older one is somebody's own
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
					failed = append(failed, stillHeld(r.Exec(ctx, p.app.ProxyResume()), w.byHand("app live")))
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
// What was started since is somebody else's to start, and so is the place of what
// has a successor.
func (w *writers) adopt(ctx context.Context, r *ops.Run, p *place, left mark) error {
	if len(left.what) == 0 {
		return ops.ErrSkipped
	}
	all, err := r.Docker().ListContainers(ctx, p.app.Labels()...)
	if err != nil {
		return &ops.Error{Host: p.host, Command: p.app.Info().String(), Cause: err}
	}
	was := func(c ops.Container) bool { return slices.Contains(left.what, c.Name) }
	newest := slices.MaxFunc(append(all, ops.Container{}), func(a, b ops.Container) int { return a.Created.Compare(b.Created) })
	if !was(newest) {
		return ops.ErrSkipped
	}
	for _, c := range slices.DeleteFunc(all, func(c ops.Container) bool { return !was(c) }) {
		found, err := r.Docker().InspectContainer(ctx, c.ID)
		if err != nil {
			return &ops.Error{Host: p.host, Command: "docker inspect " + c.Name, Cause: err}
		}
		if found.Running() || found.Started.After(left.at) || found.Finished.Before(left.at) {
			continue
		}
		w.note(p, func(was *held) { was.stopped = append(was.stopped, c.Name) })
		r.Say("%s was stopped by a restore that did not end", c.Name)
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

// markHeld writes it, with the host's own time: that of its containers.
func markHeld(p *place, words ...string) command.Line {
	return command.New("echo", "$(date +%s)").With(words...).With(">", heldFile(p))
}

// mark is what such a file says.
type mark struct {
	at   time.Time
	what []string
}

func parseMark(text string) mark {
	words := strings.Fields(text)
	if len(words) == 0 {
		return mark{}
	}
	seconds, err := strconv.ParseInt(words[0], 10, 64)
	if err != nil {
		return mark{}
	}
	return mark{time.Unix(seconds, 0), words[1:]}
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
