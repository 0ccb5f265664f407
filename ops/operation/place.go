package operation

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"binnacle/config"
	"binnacle/ops"
	"binnacle/ops/command"
)

// place is one role on one host while a version boots there.
type place struct {
	*story
	role    *config.Role
	host    string
	app     command.App
	gate    *barrier // nil: nobody waits
	keeper  bool     // its health decides the gate
	newID   string
	old     []ops.Container // running containers that the new one replaces
	renamed string          // what a container of the same name was renamed to
	started bool
	serving bool // the new container has taken over
	unsure  bool // the proxy was told to switch, and neither answered nor could be asked
}

// name is the role's container of the version.
func (p *place) name() string { return p.app.ContainerName(p.version) }

// boot is the story of a place: make room, wait for the gate, run, get healthy
// and take over, then stop the old one. The last step always runs: it never
// leaves two containers where one should be.
func (p *place) boot() *ops.Group {
	g := ops.InSequence(p.role.Name()+"/"+p.host, p.host+" "+p.role.Name())
	g.Host = p.host
	g.Nodes = present([]ops.Node{
		p.guarded(p.prepare()), p.waitForGate(), p.guarded(p.run()), p.guarded(p.becomeHealthy()), p.settle(),
	})
	return g
}

// Private

func (p *place) step(id, title string, run func(context.Context, *ops.Run) error) *ops.Step {
	return &ops.Step{ID: id, Title: title, Host: p.host, Run: run}
}

// guarded closes the gate when a step of a gate place fails in any way.
func (p *place) guarded(s *ops.Step) *ops.Step {
	if !p.keeper || p.gate == nil {
		return s
	}
	body := s.Run
	s.Run = func(ctx context.Context, r *ops.Run) error {
		err := body(ctx, r)
		if err != nil && !errors.Is(err, ops.ErrSkipped) && p.gate.decide(false, p.host) {
			r.Say("First %s container is unhealthy on %s, not booting any other roles", p.role.Name(), p.host)
		}
		return err
	}
	return s
}

// prepare renames a container that has the name already, and finds what runs now.
func (p *place) prepare() *ops.Step {
	s := p.step("prepare", "prepare", func(ctx context.Context, r *ops.Run) error {
		containers, err := r.Docker().ListContainers(ctx, p.app.Labels()...)
		if err != nil {
			return &ops.Error{Host: p.host, Command: "docker container ls", Cause: err}
		}
		for i, c := range containers {
			if c.Name != p.name() {
				continue
			}
			replaced := fmt.Sprintf("%s_replaced_%s", p.version, p.Hex(16))
			p.renamed = p.app.ContainerName(replaced) // from here on it may be: an answer can be lost
			if err := p.rename(ctx, r, replaced); err != nil {
				return err
			}
			containers[i].Name = p.renamed
		}
		for _, c := range containers {
			if c.Running() {
				p.old = append(p.old, c)
			}
		}
		return nil
	})
	s.Atomic = true // between the rename and the run there is nothing to stop at
	s.Timeout = time.Minute
	return s
}

func (p *place) rename(ctx context.Context, r *ops.Run, replaced string) error {
	r.Say("Renaming container %s to %s as already deployed on %s", p.version, replaced, p.host)
	audit := p.audit(r.Now(), p.role.Name(), "Renaming container %s to %s", p.version, replaced)
	if err := r.Exec(ctx, audit); err != nil {
		return err
	}
	r.Ran(p.app.RenameContainer(p.version, replaced))
	if err := r.Docker().Rename(ctx, p.name(), p.app.ContainerName(replaced)); err != nil {
		return &ops.Error{Host: p.host, Command: p.app.RenameContainer(p.version, replaced).String(), Cause: err}
	}
	return nil
}

func (p *place) waitForGate() ops.Node {
	if p.keeper || p.gate == nil {
		return nil
	}
	s := p.step("wait", "wait for the first healthy container", func(ctx context.Context, r *ops.Run) error {
		r.Say("Waiting for the first healthy container before booting %s on %s...", p.role.Name(), p.host)
		open, err := p.gate.wait(ctx)
		if err != nil {
			return err
		}
		if !open {
			return &ops.Error{
				Host: p.host, Summary: fmt.Sprintf("%s was not booted, because the first container failed on %s", p.role.Name(), p.gate.host),
				Cause: ops.ErrHalted,
			}
		}
		return nil
	})
	s.Timeout = 24 * time.Hour // the gate is decided by steps that have bounds
	return s
}

// run writes the secrets and starts the new container.
func (p *place) run() *ops.Step {
	s := p.step("run", "run", nil)
	s.Lines = []command.Line{p.app.Run(p.version, strings.Repeat("0", 12))}
	s.Atomic, s.Timeout = true, 10*time.Minute // a docker run cut short may or may not leave a container
	s.Run = func(ctx context.Context, r *ops.Run) error {
		if r.Cancelled() {
			return ops.ErrCancelled
		}
		entries, err := p.role.Env(p.host).Resolve(ctx, p.cfg.Secrets())
		if err != nil {
			return &ops.Error{Summary: "secrets of role " + p.role.Name(), Cause: err}
		}
		audit := p.audit(r.Now(), p.role.Name(), "Booted app version %s", p.version)
		if err := r.Exec(ctx, command.And(audit, p.app.EnsureEnvDirectory())); err != nil {
			return err
		}
		if err := r.Upload(ctx, ops.File{Path: p.app.EnvFilePath(), Mode: 0o600, Content: command.EnvFile(entries)}); err != nil {
			return err
		}
		p.started = true
		id, err := r.Capture(ctx, p.app.Run(p.version, p.Hex(12)))
		if err != nil {
			return p.explain(ctx, r, err)
		}
		p.newID = strings.TrimSpace(id)
		return nil
	}
	return s
}

func (p *place) becomeHealthy() *ops.Step {
	if p.role.Proxied() {
		return p.switchProxy()
	}
	return p.awaitReadiness()
}

// settle leaves one container: the new one when it has taken over, else what
// ran before.
func (p *place) settle() *ops.Step {
	s := p.step("settle", "stop old", func(ctx context.Context, r *ops.Run) error {
		if p.keeper && p.gate != nil {
			p.gate.decide(p.serving, p.host) // nobody may wait for a gate that nobody will open
		}
		switch {
		case p.serving:
			return p.stopOld(ctx, r)
		case p.started:
			return p.stopNew(ctx, r)
		case p.renamed != "":
			return p.renameBack(ctx, r)
		}
		return ops.ErrSkipped
	})
	s.Always = true
	s.Timeout = stopBudget(p.app.StopTimeout())
	return s
}

func (p *place) stopOld(ctx context.Context, r *ops.Run) error {
	if len(p.old) == 0 {
		return ops.ErrSkipped
	}
	var stopped []string
	for _, c := range p.old {
		line := p.app.Stop(c.Name, p.app.StopTimeout())
		r.Ran(line)
		if err := r.Docker().Stop(ctx, c.ID, p.timeout()); err != nil && !errors.Is(err, ops.ErrNotFound) {
			return &ops.Error{Host: p.host, Command: line.String(), Cause: err, Hint: "both versions run; the proxy serves " + p.version}
		}
		stopped = append(stopped, versionOf(c, p.app))
	}
	r.Note("stopped %s", strings.Join(stopped, ", "))
	var clean []command.Line
	if p.role.Assets() {
		clean = append(clean, p.app.CleanUpAssets(p.version))
	}
	if p.cfg.ErrorPagesPath() != "" && p.role.Proxied() {
		clean = append(clean, p.app.CleanUpErrorPages(p.version))
	}
	return r.Exec(ctx, clean...)
}

// stopNew stops what failed, and keeps it for its logs. Kamal does the same.
func (p *place) stopNew(ctx context.Context, r *ops.Run) error {
	line := p.app.Stop(p.name(), p.app.StopTimeout())
	if p.unsure {
		target, err := p.askProxy(ctx, r.World)
		switch {
		case err != nil:
			return &ops.Error{
				Host: p.host, Summary: "nothing was stopped, because the proxy does not say which container it serves", Cause: err,
				Hint: "once " + p.host + " answers, deploy again: what is not served is stopped then",
			}
		case target == short(p.newID):
			p.serving = true
			return p.stopOld(ctx, r)
		}
	}
	r.Ran(line)
	err := r.Docker().Stop(ctx, p.name(), p.timeout())
	switch {
	case errors.Is(err, ops.ErrNotFound) && p.renamed != "":
		return p.renameBack(ctx, r)
	case err != nil && !errors.Is(err, ops.ErrNotFound):
		return &ops.Error{Host: p.host, Summary: "the container that failed may still run", Command: line.String(), Cause: err}
	}
	if len(p.old) > 0 {
		r.Note("%s still serving", versionOf(p.old[0], p.app))
	}
	return nil
}

// renameBack undoes a rename that nothing came of.
func (p *place) renameBack(ctx context.Context, r *ops.Run) error {
	r.Ran(command.New("docker", "rename", p.renamed, p.name()))
	if err := r.Docker().Rename(ctx, p.renamed, p.name()); err != nil && !errors.Is(err, ops.ErrNotFound) {
		return &ops.Error{Host: p.host, Command: "docker rename " + p.renamed + " " + p.name(), Cause: err}
	}
	return nil
}

func (p *place) timeout() *time.Duration {
	n := p.app.StopTimeout()
	if n == nil {
		return nil
	}
	d := seconds(*n)
	return &d
}

// explain adds to a failure what the host knows about the new container.
func (p *place) explain(ctx context.Context, r *ops.Run, err error) error {
	var known *ops.Error
	if !errors.As(err, &known) {
		known = &ops.Error{Host: p.host, Cause: err}
	}
	failed := *known
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	failed.Evidence = append(slices.Clone(known.Evidence), p.evidence(ctx, r)...)
	return &failed
}

// Helpers

func versionOf(c ops.Container, app command.App) string {
	return strings.TrimPrefix(c.Name, app.ContainerPrefix()+"-")
}

// stopBudget bounds a stop: Docker's own timeout, then time for it to kill.
func stopBudget(timeout *int) time.Duration {
	if timeout == nil {
		return time.Minute
	}
	return seconds(*timeout) + time.Minute
}
