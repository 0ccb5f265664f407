package operation

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"binnacle/ops"
	"binnacle/ops/command"
)

// switchProxy hands the new container to kamal-proxy, which blocks until it is
// healthy and the old one is drained. Once told, the proxy goes on by itself:
// the step is waited for, and when its answer is lost the proxy's own list
// tells what it did.
func (p *place) switchProxy() *ops.Step {
	limit := seconds(p.cfg.DeployTimeout() + p.cfg.DrainTimeout())
	s := p.step("health", "health check and switch", nil)
	s.Atomic, s.Timeout = true, limit+30*time.Second
	s.Lines = []command.Line{p.app.ProxyDeploy(p.version, "CONTAINER")}
	s.Run = func(ctx context.Context, r *ops.Run) error {
		if r.Cancelled() {
			return ops.ErrCancelled
		}
		if p.newID == "" {
			return p.explain(ctx, r, &ops.Error{
				Host: p.host, Summary: fmt.Sprintf("failed to get the endpoint of %s", p.role.Name()),
				Cause: errors.New("did the container boot?"),
			})
		}
		r.Note("%s%s", p.healthPath(), p.stillServing())
		err := r.Exec(ctx, p.app.ProxyDeploy(p.version, short(p.newID)))
		if err != nil && !p.tookOver(ctx, r, err, limit) {
			return p.explain(ctx, r, unhealthy(p, err))
		}
		return p.takeOver(r, "switched")
	}
	return s
}

func (p *place) takeOver(r *ops.Run, note string) error {
	p.serving = true
	r.Note("%s", note)
	if p.keeper && p.gate != nil && p.gate.decide(true, p.host) {
		r.Say("First %s container is healthy on %s, booting any other roles", p.role.Name(), p.host)
	}
	return nil
}

// tookOver asks the proxy itself when its answer did not arrive. A plain
// refusal is an answer.
func (p *place) tookOver(ctx context.Context, r *ops.Run, err error, limit time.Duration) bool {
	var exit *ops.ExitError
	if errors.As(err, &exit) && exit.Signal == "" && exit.Code != 137 {
		return false
	}
	r.Say("the proxy's answer was lost; asking %s what it serves", p.host)
	deadline := r.Now().Add(limit)
	if ctx.Err() != nil { // the answer was waited for until the step's end: ask once
		deadline = r.Now()
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), 20*time.Second)
		defer cancel()
	}
	for {
		target, err := p.askProxy(ctx, r.World)
		p.unsure = err != nil
		if err == nil && target == short(p.newID) {
			return true
		}
		if !r.Now().Before(deadline) || r.World.Sleep(ctx, time.Second) != nil {
			return false
		}
	}
}

// askProxy is the container that the proxy sends the role to; "" when it does
// not know the role.
func (p *place) askProxy(ctx context.Context, w ops.World) (string, error) {
	out, err := capture(ctx, w.Remote(p.host), command.NewProxy(p.cfg, p.host).List())
	if err != nil {
		return "", err
	}
	return ops.TargetOf(ops.ParseRoutes(out), p.app.ContainerPrefix()), nil
}

// awaitReadiness polls a container that no proxy checks: healthy by its own
// HEALTHCHECK, or running without a restart through the readiness delay. Kamal
// asks at its end alone, and takes one that has just been restarted for ready.
// One that exited will not come back, so it fails at once.
func (p *place) awaitReadiness() *ops.Step {
	limit := seconds(p.cfg.DeployTimeout())
	s := p.step("health", "readiness", func(ctx context.Context, r *ops.Run) error {
		deadline := r.Now().Add(limit)
		restarts := -1 // when the readiness delay began; -1 before that
		for attempt := 1; ; attempt++ {
			c, err := r.Docker().InspectContainer(ctx, p.name())
			if err != nil {
				return &ops.Error{Host: p.host, Command: p.app.StatusForVersion(p.version).String(), Cause: err}
			}
			switch status := readiness(c); {
			case status == "healthy":
				r.Say("Container is healthy!")
				return p.takeOver(r, "healthy")
			case status == "running" && (restarts == c.Restarts || p.cfg.ReadinessDelay() == 0):
				return p.takeOver(r, "ready")
			case status == "running" && c.Restarts <= mostRestarts && r.Now().Before(deadline):
				restarts = c.Restarts // one that ended meanwhile has to last for another delay
				r.Say("Container is running, waiting for readiness delay of %d seconds", p.cfg.ReadinessDelay())
				r.Note("running, %d s readiness delay%s", p.cfg.ReadinessDelay(), p.stillServing())
				if err := r.World.Sleep(ctx, seconds(p.cfg.ReadinessDelay())); err != nil {
					return err
				}
				continue
			case c.State == "exited" || c.State == "dead" || c.Restarts > mostRestarts || !r.Now().Before(deadline):
				return p.explain(ctx, r, &ops.Error{
					Host: p.host, Summary: p.role.Name() + " is not ready",
					Cause: fmt.Errorf("%s after %s", describeState(c), r.Now().Sub(deadline.Add(-limit)).Round(time.Second)),
				})
			default:
				r.Note("%s, attempt %d%s", status, attempt, p.stillServing())
			}
			wait := min(seconds(attempt), max(0, deadline.Sub(r.Now())))
			if err := r.World.Sleep(ctx, wait); err != nil {
				return err
			}
		}
	})
	s.Timeout = limit + seconds(p.cfg.ReadinessDelay()) + time.Minute
	return s
}

// evidence is what a person would look up next: state, exit code, memory, the
// last health answers and the last log lines.
func (p *place) evidence(ctx context.Context, r *ops.Run) []ops.Evidence {
	var out []ops.Evidence
	c, err := p.inspectEnded(ctx, r)
	if err != nil {
		return out
	}
	facts := []string{p.name() + ": " + describeState(c)}
	if c.Error != "" {
		facts = append(facts, "engine: "+c.Error)
	}
	if p.role.Proxied() {
		facts = append(facts, "health check: "+p.healthURL()+" "+p.healthAnswer(ctx, r))
	}
	out = append(out, ops.Evidence{Title: "container", Lines: facts})
	if n := len(c.HealthLog); n > 0 {
		last := c.HealthLog[n-1]
		out = append(out, ops.Evidence{Title: "HEALTHCHECK", Lines: []string{
			fmt.Sprintf("exit %d: %s", last.ExitCode, strings.TrimSpace(last.Output)),
		}})
	}
	if lines, err := r.Docker().Tail(ctx, p.name(), evidenceLines); err == nil && len(lines) > 0 {
		out = append(out, ops.Evidence{Title: "last log lines", Lines: folded(lines)})
	}
	return out
}

// Private

// inspectEnded looks at the container; one that keeps restarting and happens to
// run is looked at again for a while, because only its end has an exit code.
func (p *place) inspectEnded(ctx context.Context, r *ops.Run) (ops.Inspection, error) {
	const looks, pause = 20, 150 * time.Millisecond
	for n := 1; ; n++ {
		c, err := r.Docker().InspectContainer(ctx, p.name())
		if err != nil || c.State != "running" || c.Restarts == 0 || n == looks || r.World.Sleep(ctx, pause) != nil {
			return c, err
		}
	}
}

// mostRestarts is how often a container may end before it is given up.
const mostRestarts = 2

// evidenceLines is how many log lines a failure carries.
const evidenceLines = 20

func (p *place) healthPath() string {
	if path := p.role.Proxy().Healthcheck.Path; path != "" {
		return "GET " + path
	}
	return "GET /up"
}

func (p *place) healthURL() string {
	return strings.TrimPrefix(p.healthPath(), "GET ") + " on port " + strconv.Itoa(p.role.Proxy().AppPort)
}

// healthAnswer is what the proxy said of the last failed check in its log.
func (p *place) healthAnswer(ctx context.Context, r *ops.Run) string {
	lines, err := r.Docker().Tail(ctx, "kamal-proxy", 200)
	if err != nil {
		return ""
	}
	return lastHealthAnswer(lines, short(p.newID))
}

func (p *place) stillServing() string {
	if len(p.old) == 0 {
		return ""
	}
	return " · " + versionOf(p.old[0], p.app) + " still serving"
}

// Helpers

func unhealthy(p *place, err error) error {
	failed := &ops.Error{
		Host: p.host, Summary: fmt.Sprintf("%s %s did not take over", p.role.Name(), p.version), Cause: err,
		Hint: "its log is below",
	}
	var exit *ops.ExitError
	if errors.As(err, &exit) {
		failed.Cause = &ops.ExitError{Host: exit.Host, Code: exit.Code, Signal: exit.Signal, Output: strings.TrimPrefix(exit.Output, "Error: ")}
		failed.Evidence = []ops.Evidence{{Title: "ran", Lines: []string{p.app.ProxyDeploy(p.version, short(p.newID)).String()}}}
	}
	if strings.Contains(err.Error(), "failed to become healthy") {
		failed.Summary = fmt.Sprintf("%s %s never became healthy", p.role.Name(), p.version)
	}
	if len(p.old) > 0 {
		failed.Hint += "; " + versionOf(p.old[0], p.app) + " keeps serving"
	}
	return failed
}

// folded joins lines that differ in their timestamps alone: a log that says one
// thing again and again says it once, with a count.
func folded(lines []string) []string {
	var out []string
	count := 1
	for i, line := range lines {
		if i+1 < len(lines) && message(lines[i+1]) == message(line) {
			count++
			continue
		}
		if count > 1 {
			line += fmt.Sprintf("  (%d times)", count)
		}
		out, count = append(out, line), 1
	}
	return out
}

// message is a log line without the timestamp that Docker put before it.
func message(line string) string {
	stamp, rest, ok := strings.Cut(line, " ")
	if _, err := time.Parse(time.RFC3339Nano, stamp); ok && err == nil {
		return rest
	}
	return line
}

// readiness is what Kamal's poller asks for: the health if there is one, else
// the state.
func readiness(c ops.Inspection) string {
	if c.HasHealth && c.Health != "" {
		return c.Health
	}
	return c.State
}

func describeState(c ops.Inspection) string {
	text := c.State
	if c.State == "exited" || c.State == "dead" || c.State == "restarting" {
		text += fmt.Sprintf(" with exit code %d", c.ExitCode)
	}
	if c.OOMKilled {
		text += ", killed for lack of memory (OOM)"
	}
	if c.Restarts > 0 {
		text += fmt.Sprintf(", restarted %d times", c.Restarts)
	}
	if c.HasHealth && c.Health != "" {
		text += ", " + c.Health
	}
	return text
}

// short is a container id as Docker prints it.
func short(id string) string {
	if len(id) > 12 {
		return id[:12]
	}
	return id
}
