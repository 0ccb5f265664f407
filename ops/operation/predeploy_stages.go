package operation

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"binnacle/ops"
	"binnacle/ops/command"
)

func (c *checklist) tests() (ops.Node, error) {
	step := &ops.Step{ID: "run", Title: c.test, Timeout: 2 * time.Hour, Aloud: true, Lines: []command.Line{command.New(c.test)}}
	step.Run = func(ctx context.Context, r *ops.Run) error {
		if script, _, _ := strings.Cut(c.test, " "); c.test == defaultTest && !r.World.Local().Exists(script) {
			warn(r, script+" is not here, nothing was tested: --test names the command")
			c.facts = append(c.facts, "nothing was tested")
			return ops.ErrSkipped
		}
		_, err := aloud(ctx, r, step.Lines[0])
		return c.stopped(err, "the tests failed", "tests")
	}
	return ops.InSequence("tests", "tests", c.checkedOut(), step), nil
}

func (c *checklist) image() (ops.Node, error) {
	if c.Params.On("skip-push") {
		return nil, nil //nolint:nilnil // images are there already
	}
	build := c.build(command.BuildOptions{})
	build.Nodes = append([]ops.Node{c.checkedOut()}, build.Nodes...)
	return c.guided(build, "build"), nil
}

// checkedOut refuses to test and to build one commit under the name of another.
func (c *checklist) checkedOut() *ops.Step {
	return &ops.Step{ID: "version", Title: "the version is what is checked out", Run: func(ctx context.Context, r *ops.Run) error {
		name, _, _ := strings.Cut(c.version, "_uncommitted_")
		head, err := r.CaptureLocally(ctx, "", nil, command.GitRevision())
		if err != nil {
			c.free = c.AskedVersion != ""
			return ops.ErrSkipped // no repository, or one without a commit
		}
		head, commit := strings.TrimSpace(head), ""
		if out, err := r.CaptureLocally(ctx, "", nil, command.GitCommit(name)); err == nil {
			commit = strings.TrimSpace(out)
		}
		switch commit {
		case "":
			c.free = c.AskedVersion != ""
			return nil
		case head:
			return nil
		}
		return &ops.Error{
			Summary: "version " + c.shown(), Cause: fmt.Errorf("it is not what is checked out here, which is %.7s", head),
			Hint: "check it out: git checkout " + command.Quote(name) + "; or test and build what is here: " + c.resume("tests"),
		}
	}}
}

// migrations lists what is pending where production is.
func (c *checklist) migrations() (ops.Node, error) {
	m, err := c.newMigration()
	if err != nil {
		return nil, err
	}
	m.reads = true
	look := m.lookStep()
	body := look.Run
	look.Run = func(ctx context.Context, r *ops.Run) error {
		err := body(ctx, r)
		switch {
		case err == nil:
			c.facts = append(c.facts, "pending migrations: "+m.pendingText())
			return nil
		case m.how.Assumed && noSuchCommand(err):
			tool, _, _ := strings.Cut(m.how.Status, " ")
			warn(r, fmt.Sprintf("%s has no %s, so what is pending is not known: migrate: under x-binnacle names the app's own commands", m.versionText(), tool))
			err = ops.ErrSkipped
		}
		if errors.Is(err, ops.ErrSkipped) {
			c.facts = append(c.facts, "pending migrations: not known")
		}
		return err
	}
	return c.guided(ops.InSequence("migrations", "migrations", m.image(), look, m.clear()), "migrations"), nil
}

func (c *checklist) toStaging() (ops.Node, error) {
	return ops.InSequence("staging", "deploy to "+c.staging, c.deploy("staging", c.staging, c.staging)), nil
}

func (c *checklist) watchStaging() (ops.Node, error) {
	step := c.child("watch", "watch "+c.staging+" for "+boundText(c.watch), c.staging, []string{"predeploy", "watch", "--for", c.watch.String()})
	step.Timeout = c.watch + 10*time.Minute
	return ops.InSequence("watch", "watch "+c.staging, step), nil
}

func (c *checklist) toProduction() (ops.Node, error) {
	return ops.InSequence("production", "deploy to "+c.destinationText(), c.gateStep(), c.deploy("production", c.destinationText(), c.cfg.Destination())), nil
}

// deploy is the deploy of exactly the image that was built. Its title says all
// that makes it another deploy.
func (c *checklist) deploy(stage, to, destination string) *ops.Step {
	words, title := []string{"deploy", "--skip-push"}, "deploy "+c.shown()+" to "+to
	if c.Params.On("migrate") {
		words, title = append(words, "--migrate"), title+" and migrate"
	}
	if c.SkipHooks {
		title += ", without hooks"
	}
	if file := filepath.ToSlash(c.shownFile()); file != "config/deploy.yml" {
		title += ", by " + file
	}
	step := c.child(stage, title, destination, append(words, c.passedOn()...))
	step.Check = c.aimAt(destination, "lock status")
	return step
}

// childGrace is how long a stage may take to come to a safe point.
const childGrace = 30 * time.Minute

// child runs this program for one stage: another destination is another
// configuration. On a cancel it is told to stop, and waited for, since it has a
// lock to give back.
func (c *checklist) child(stage, title, destination string, words []string) *ops.Step {
	line := command.New(command.Quote(c.Program), "--config-file="+command.Quote(c.shownFile())).WithGrace(childGrace)
	if destination != "" {
		line = line.With("--destination=" + command.Quote(destination))
	}
	line = line.With(words...).With("--version=" + command.Quote(c.version))
	step := &ops.Step{ID: "run", Title: title, Timeout: 3 * time.Hour, Aloud: true, Lines: []command.Line{line}}
	step.Run = func(ctx context.Context, r *ops.Run) error {
		last, err := aloud(ctx, r, line)
		switch {
		case err == nil && stage == "watch":
			c.facts = append(c.facts, seenIn(last)...)
		case killed(err) && step.Check != "":
			r.LockState("not known: " + step.Check)
		case ctx.Err() != nil:
			r.LockState(lockSaid(last, destination))
		}
		if err != nil && ctx.Err() != nil {
			err = &ops.Error{Command: line.String(), Cause: ctx.Err(), Evidence: []ops.Evidence{{Title: "its last lines", Lines: last}}}
		}
		return c.stopped(err, title+" failed", stage)
	}
	return step
}

// gateStep asks whether to go on to production. Staging was watched just before,
// which fails where another version serves there.
func (c *checklist) gateStep() ops.Node {
	return &ops.Step{ID: "gate", Title: "go on?", Timeout: gateTime, Run: func(ctx context.Context, r *ops.Run) error {
		if c.Agreed || c.Params.On("yes-gates") {
			r.Note("agreed to beforehand")
			return nil
		}
		choices := []string{"Stop here", "Deploy " + c.shown() + " to " + c.destinationText()}
		answer, err := r.World.Ask(ctx, ops.Question{Title: c.staging + " serves " + c.shown(), Lines: c.gateFacts(), Choices: choices})
		if err == nil && answer.Given && answer.Choice == choices[1] {
			r.Note("agreed to")
			return nil
		}
		if err == nil {
			err = errors.New("nobody agreed to it")
		}
		return &ops.Error{
			Summary: "stopped before " + c.destinationText(), Cause: err,
			Hint: "to go on: " + c.resume("production"),
		}
	}}
}

// gateTime is how long somebody may think about it.
const gateTime = 24 * time.Hour

// guided tells the way back to a stage with every failure of a node.
func (c *checklist) guided(n ops.Node, stage string) ops.Node {
	switch n := n.(type) {
	case *ops.Group:
		for i := range n.Nodes {
			n.Nodes[i] = c.guided(n.Nodes[i], stage)
		}
	case *ops.Step:
		if body := n.Run; body != nil && !n.Always {
			n.Run = func(ctx context.Context, r *ops.Run) error { return c.stopped(body(ctx, r), "", stage) }
		}
	}
	return n
}

// Helpers

// aloud runs a Line on this machine and returns the last lines that it printed.
func aloud(ctx context.Context, r *ops.Run, line command.Line) ([]string, error) {
	last := &lastLines{keep: lastKept}
	err := r.EachLineLocally(ctx, "", nil, line, func(stream ops.Stream, text string) {
		text = strings.TrimRight(text, "\r")
		last.add(text)
		r.Line(stream, text)
	})
	return last.all(), withLines(err, last.all())
}

// seenIn are the lines of a watch that say something: each names its host, so that
// the headings are not needed.
func seenIn(lines []string) []string {
	return slices.DeleteFunc(lines, func(l string) bool { return l == "" || strings.HasPrefix(l, "Host: ") })
}

// lockSaid is what a deploy that was told to stop said of its lock; "" when it had
// none.
func lockSaid(lines []string, destination string) string {
	for _, l := range lines {
		if said, ok := strings.CutPrefix(strings.TrimSpace(l), "lock  "); ok {
			return strings.TrimSpace(destination + " " + strings.TrimSpace(said))
		}
	}
	return ""
}

// killed reports a command that did not end by itself.
func killed(err error) bool {
	var exit *ops.ExitError
	return errors.As(err, &exit) && exit.Signal != ""
}
