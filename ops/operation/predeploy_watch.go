package operation

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"binnacle/ops"
	"binnacle/ops/command"
)

// PredeployWatch watches what serves for a while, and fails when it is not well.
func PredeployWatch() ops.Operation {
	return ops.Operation{
		Name: "predeploy watch", Group: "deploy", Summary: "Watch what serves for a while: version, health, restarts, failed requests",
		Scope: ops.ScopeApp, Risk: ops.Read,
		Params: []ops.Param{{Name: "for", Kind: ops.Text, Default: defaultWatch, Usage: "how long, such as 90s or 5m"}},
		Plan: func(in ops.Input) (ops.Plan, error) {
			s := newStory(in, "predeploy watch")
			span, err := spanOf("for", s.Params.Text("for"))
			if err != nil {
				return ops.Plan{}, err
			}
			w := watching{story: s, span: span}
			return s.plan(ops.Read, "watch what serves for "+boundText(span), w.hosts()), nil
		},
	}
}

// Private

const (
	defaultWatch = "60s"
	watchEvery   = 5 * time.Second
)

// watching is a look at what serves that lasts.
type watching struct {
	*story
	span time.Duration
}

func (w watching) hosts() ops.Node {
	return eachHost("watch", "watch", w.sel.AppHosts(), func(string) *ops.Step {
		return &ops.Step{Title: "watch", Timeout: w.span + 5*time.Minute, Run: w.on}
	})
}

func (w watching) on(ctx context.Context, r *ops.Run) error {
	began, restarts := r.Now(), map[string]int{}
	for {
		for _, role := range w.rolesOn(r.Host) {
			if err := w.well(ctx, r, w.placeOf(role, r.Host), restarts); err != nil {
				return err
			}
		}
		left := w.span - r.Now().Sub(began)
		if left <= 0 {
			break
		}
		r.Note("well so far, %s left", boundText(left.Round(time.Second)))
		if err := r.Pause(ctx, min(left, watchEvery)); err != nil {
			return err
		}
	}
	var failed error
	for _, role := range w.rolesOn(r.Host) {
		text, err := w.count(ctx, r, w.placeOf(role, r.Host), r.Now().Sub(began))
		failed = errors.Join(failed, err)
		if text != "" {
			r.Result(text)
		}
	}
	return failed
}

// well fails when a place does not run what it should, or not steadily.
func (w watching) well(ctx context.Context, r *ops.Run, p *place, restarts map[string]int) error {
	now, err := p.current(ctx, r)
	if err != nil {
		return err
	}
	if now.ID == "" {
		return w.unwell(ctx, r, p, "", "no container runs")
	}
	version := versionOf(now, p.app)
	if w.AskedVersion != "" && version != w.AskedVersion {
		return w.unwell(ctx, r, p, now.ID, fmt.Sprintf("it serves %s, not %s", version, w.AskedVersion))
	}
	c, err := r.Docker().InspectContainer(ctx, now.ID)
	if err != nil {
		return &ops.Error{Host: p.host, Command: "docker inspect " + now.Name, Cause: err}
	}
	before, known := restarts[p.role.Name()]
	switch {
	case c.State != "running":
		return w.unwell(ctx, r, p, now.ID, "its container is "+c.State)
	case c.Health == "unhealthy":
		return w.unwell(ctx, r, p, now.ID, "its container is unhealthy")
	case known && c.Restarts > before:
		return w.unwell(ctx, r, p, now.ID, "its container was restarted")
	}
	restarts[p.role.Name()] = c.Restarts
	return nil
}

// count reads from the logs what went wrong meanwhile: requests by the proxy's
// log, errors by the app's own.
func (w watching) count(ctx context.Context, r *ops.Run, p *place, span time.Duration) (string, error) {
	now, err := p.current(ctx, r)
	if err != nil {
		return "", err
	}
	since := fmt.Sprintf("%ds", wholeSeconds(span)+1)
	log := command.New("docker", "logs", "--since", since, now.Name, "2>&1")
	errs, err := countLines(ctx, r, log, "ERROR|FATAL|Exception")
	if err != nil {
		return "", err
	}
	text := fmt.Sprintf("%s %s serves %s, %s in its log", p.host, p.role.Name(), versionOf(now, p.app), counted(errs, "error"))
	if !p.role.Proxied() {
		return text, nil
	}
	log = command.NewProxy(w.cfg, p.host).Logs(command.LogOptions{Since: since})
	own := []string{`"msg":"Request"`, `"service":"` + p.app.ContainerPrefix() + `"`}
	requests, err := countLines(ctx, r, log, own...)
	if err != nil || requests == 0 {
		return text + ", no request", err
	}
	bad, err := countLines(ctx, r, log, append(own, `"status":5[0-9][0-9]`)...)
	if err != nil {
		return text, err
	}
	failed := fmt.Sprintf("%d of %s failed", bad, counted(requests, "request"))
	if bad > 0 {
		err = w.unwell(ctx, r, p, now.ID, failed+" with a 5xx status")
	}
	return text + ", " + failed, err
}

// unwell is the failure of a place, with the end of its log.
func (w watching) unwell(ctx context.Context, r *ops.Run, p *place, id, what string) error {
	failed := &ops.Error{Host: p.host, Summary: "role " + p.role.Name() + " is not well", Cause: errors.New(what)}
	if id == "" {
		return failed
	}
	if lines, err := r.Docker().Tail(ctx, id, lastKept); err == nil && len(lines) > 0 {
		failed.Evidence = []ops.Evidence{{Title: "the end of its log", Lines: lines}}
	}
	return failed
}

// Helpers

// countLines counts, on the host, the lines of a log that match all patterns.
func countLines(ctx context.Context, r *ops.Run, log command.Line, patterns ...string) (int, error) {
	line := log
	for i, pattern := range patterns {
		grep := command.New("grep", "-E")
		if i == len(patterns)-1 {
			grep = grep.With("-c")
		}
		line = command.Pipe(line, grep.With(command.Quote(pattern)))
	}
	out, err := r.Capture(ctx, line)
	n, bad := strconv.Atoi(strings.TrimSpace(out))
	if bad == nil {
		return n, nil // grep fails where it finds nothing, and says 0
	}
	return 0, err
}

// spanOf reads a parameter that is a span of time: 90s, 5m, or seconds.
func spanOf(name, text string) (time.Duration, error) {
	if n, err := strconv.Atoi(text); err == nil {
		text = fmt.Sprintf("%ds", n)
	}
	span, err := time.ParseDuration(cmp.Or(text, defaultWatch))
	if err != nil || span <= 0 {
		return 0, &ops.Error{Summary: "--" + name + " " + text, Cause: errors.New("that is no span of time"), Hint: "write it as 90s or 5m"}
	}
	return span, nil
}
