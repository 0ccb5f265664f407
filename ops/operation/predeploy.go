package operation

import (
	"cmp"
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

// Predeploy runs the checklist before a deploy, stage by stage, with one version
// from the first to the last. A stage begins when the one before it passed, and
// production when somebody agrees. What passed for a version is not run again.
func Predeploy() ops.Operation {
	return ops.Operation{
		Name: "predeploy", Group: "deploy", Summary: "Test, build, look at migrations, deploy to staging, watch it, then deploy here",
		Scope: ops.ScopeApp, Risk: ops.Change,
		Params: []ops.Param{
			{Name: "staging", Kind: ops.Text, Default: "staging", Usage: "the destination that is deployed to first"},
			{Name: "test", Kind: ops.Text, Default: defaultTest, Usage: "the command that tests the app on this machine"},
			{Name: "from", Kind: ops.Text, Usage: "the stage to begin with: " + strings.Join(stageNames(), ", ")},
			{Name: "watch", Kind: ops.Text, Default: defaultWatch, Usage: "how long staging is watched"},
			{Name: "migrate", Kind: ops.Toggle, Usage: "migrate with both deploys"},
			{Name: "yes-gates", Kind: ops.Toggle, Usage: "go on to production without asking"},
		},
		Plan: func(in ops.Input) (ops.Plan, error) { return planPredeploy(newStory(in, "predeploy")) },
	}
}

// Private

// defaultTest is how an app made by Rails is tested; where it is not there,
// nothing is.
const defaultTest = "bin/rails test"

// checklist is a predeploy while it is planned and runs.
type checklist struct {
	*story
	staging, test string
	watch         time.Duration
	passed        map[string]time.Time
	facts         []string // what is known at the gate
}

// stage is one line of the checklist.
type stage struct {
	name string
	what string
	node func(*checklist) (ops.Node, error)
}

func stages() []stage {
	return []stage{
		{"tests", "run the tests on this machine", (*checklist).tests},
		{"build", "build and push the image", (*checklist).image},
		{"migrations", "look what is pending here", (*checklist).migrations},
		{"staging", "deploy to staging", (*checklist).toStaging},
		{"watch", "watch staging", (*checklist).watchStaging},
		{"production", "ask, then deploy here", (*checklist).toProduction},
	}
}

func stageNames() []string {
	var out []string
	for _, s := range stages() {
		out = append(out, s.name)
	}
	return out
}

func planPredeploy(s *story) (ops.Plan, error) {
	c := &checklist{story: s, staging: cmp.Or(s.Params.Text("staging"), "staging"), test: cmp.Or(s.Params.Text("test"), defaultTest)}
	if err := c.check(); err != nil {
		return ops.Plan{}, err
	}
	var err error
	if c.watch, err = spanOf("watch", s.Params.Text("watch")); err != nil {
		return ops.Plan{}, err
	}
	if s.Past != nil {
		c.passed = passedStages(s.Past("predeploy"), s.version)
	}
	first, err := c.first()
	if err != nil {
		return ops.Plan{}, err
	}
	var nodes []ops.Node
	for _, st := range stages()[first:] {
		node, err := st.node(c)
		if err != nil {
			return ops.Plan{}, err
		}
		nodes = append(nodes, node)
	}
	plan := s.plan(ops.Change, "predeploy "+s.shown(), nodes...)
	plan.Effects = c.effects(first)
	return plan, nil
}

func (c *checklist) check() error {
	if err := c.needVersion(); err != nil {
		return err
	}
	switch {
	case c.staging == c.cfg.Destination():
		return &ops.Error{Summary: "predeploy", Cause: fmt.Errorf("%s is staging itself", c.staging), Hint: "give the destination that comes after it with -d, or none"}
	case c.Program == "":
		return &ops.Error{Summary: "predeploy", Cause: errors.New("the stages cannot be started from here"), Hint: "run binnacle in the project's folder: a demo fleet has no staging"}
	}
	return nil
}

// first is the stage to begin with: the one asked for, or the first that has not
// passed for this version.
func (c *checklist) first() (int, error) {
	names := stageNames()
	if from := c.Params.Text("from"); from != "" {
		i := slices.Index(names, from)
		if i < 0 {
			return 0, &ops.Error{Summary: "--from " + from, Cause: errors.New("there is no such stage"), Hint: "the stages are " + strings.Join(names, ", ")}
		}
		return i, nil
	}
	for i, name := range names {
		if c.passed[name].IsZero() {
			return i, nil
		}
	}
	return 0, &ops.Error{
		Summary: "predeploy " + c.shown(), Cause: fmt.Errorf("all stages passed, the last one at %s", timeText(c.passed["production"])),
		Hint: "--from tests begins anew",
	}
}

func (c *checklist) effects(first int) []ops.Effect {
	out := []ops.Effect{{Label: "to", Text: c.staging + ", then " + c.destinationText(), Warn: true}, {Label: "version", Text: c.shown()}}
	for i, st := range stages() {
		e := ops.Effect{Label: st.name, Text: st.what}
		switch at := c.passed[st.name]; {
		case i >= first:
		case at.IsZero():
			e.Text, e.Warn = "is left out and never passed", true
		default:
			e.Text = "passed " + timeText(at)
		}
		out = append(out, e)
	}
	return out
}

func (c *checklist) tests() (ops.Node, error) {
	step := &ops.Step{ID: "run", Title: c.test, Timeout: 2 * time.Hour, Aloud: true, Lines: []command.Line{command.New(c.test)}}
	step.Run = func(ctx context.Context, r *ops.Run) error {
		if script, _, _ := strings.Cut(c.test, " "); c.test == defaultTest && !r.World.Local().Exists(script) {
			warn(r, script+" is not here, nothing was tested: --test names the command")
			return ops.ErrSkipped
		}
		_, err := aloud(ctx, r, step.Lines[0])
		return c.stopped(err, "the tests failed", "tests")
	}
	return ops.InSequence("tests", "tests", step), nil
}

func (c *checklist) image() (ops.Node, error) {
	if c.Params.On("skip-push") {
		return nil, nil //nolint:nilnil // images are there already
	}
	return c.build(command.BuildOptions{}), nil
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
		if err == nil {
			c.facts = append(c.facts, "pending migrations: "+m.pendingText())
		}
		return c.stopped(err, "", "migrations")
	}
	return ops.InSequence("migrations", "migrations", m.image(), look, m.clear()), nil
}

func (c *checklist) toStaging() (ops.Node, error) {
	return ops.InSequence("staging", "deploy to "+c.staging, c.child("staging", "deploy "+c.shown(), c.staging, c.deployWords())), nil
}

func (c *checklist) watchStaging() (ops.Node, error) {
	step := c.child("watch", "watch "+c.staging+" for "+boundText(c.watch), c.staging, []string{"predeploy", "watch", "--for", c.watch.String()})
	step.Atomic, step.Timeout = false, c.watch+10*time.Minute
	return ops.InSequence("watch", "watch "+c.staging, step), nil
}

func (c *checklist) toProduction() (ops.Node, error) {
	return ops.InSequence("production", "deploy to "+c.destinationText(), c.gateStep(), c.child("production", "deploy "+c.shown(), c.cfg.Destination(), c.deployWords())), nil
}

// deployWords deploy exactly the image that was built.
func (c *checklist) deployWords() []string {
	words := []string{"deploy", "--skip-push"}
	if c.Params.On("migrate") {
		words = append(words, "--migrate")
	}
	if c.SkipHooks {
		words = append(words, "--skip-hooks")
	}
	if c.LockWait.Timeout > 0 {
		words = append(words, "--lock-wait", fmt.Sprintf("--lock-wait-timeout=%d", wholeSeconds(c.LockWait.Timeout)))
	}
	return words
}

// child runs this program for one stage: another destination is another
// configuration. It is waited for, since it has a lock to give back.
func (c *checklist) child(stage, title, destination string, words []string) *ops.Step {
	line := command.New(command.Quote(c.Program), "--config-file="+command.Quote(c.baseFile()))
	if destination != "" {
		line = line.With("--destination=" + command.Quote(destination))
	}
	line = line.With(words...).With("--version=" + command.Quote(c.version))
	return &ops.Step{
		ID: "run", Title: title, Timeout: 3 * time.Hour, Atomic: true, Aloud: true, Lines: []command.Line{line},
		Run: func(ctx context.Context, r *ops.Run) error {
			if r.Cancelled() {
				return ops.ErrCancelled
			}
			last, err := aloud(ctx, r, line)
			if err == nil && stage == "watch" {
				c.facts = append(c.facts, last...)
			}
			return c.stopped(err, title+" failed", stage)
		},
	}
}

// gateStep asks whether to go on to production. Who began there has said so.
func (c *checklist) gateStep() ops.Node {
	if c.Params.Text("from") == "production" {
		return nil
	}
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

func (c *checklist) gateFacts() []string {
	var lines []string
	for _, st := range stages() {
		if at := c.passed[st.name]; !at.IsZero() {
			lines = append(lines, st.name+" passed "+timeText(at))
		}
	}
	return append(lines, c.facts...)
}

// stopped is the failure of a stage, with the way back to it.
func (c *checklist) stopped(err error, what, stage string) error {
	var known *ops.Error
	if err == nil || !errors.As(err, &known) || errors.Is(err, ops.ErrCancelled) {
		return err
	}
	told := *known
	told.Summary = cmp.Or(what, told.Summary)
	told.Hint = strings.TrimPrefix(told.Hint+"; once it is put right: "+c.resume(stage), "; ")
	return &told
}

// resume is the command that goes on at a stage.
func (c *checklist) resume(stage string) string {
	words := []string{"binnacle"}
	if d := c.cfg.Destination(); d != "" {
		words = append(words, "-d", d)
	}
	return strings.Join(append(words, "predeploy --from", stage, "--version", c.version), " ")
}

// baseFile is the configuration without a destination.
func (c *checklist) baseFile() string {
	file := c.cfg.Files()[0]
	if rel, err := filepath.Rel(c.cfg.Dir(), file); err == nil && !strings.HasPrefix(rel, "..") {
		return rel
	}
	return file
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

// passedStages are the stages that passed for a version, and when: what the
// newest try of each says. A stage that failed takes those after it along.
func passedStages(tasks []ops.Task, version string) map[string]time.Time {
	passed := map[string]time.Time{}
	names := stageNames()
	for _, t := range tasks {
		if t.Version != version {
			continue
		}
		for i, name := range names {
			st, ok := t.Step(ops.StepID(name))
			switch {
			case !ok || st.Status == ops.Skipped || st.Started.IsZero():
			case st.Status == ops.Done:
				passed[name] = st.Finished
			default:
				for _, later := range names[i:] {
					delete(passed, later)
				}
			}
		}
	}
	return passed
}

func timeText(at time.Time) string { return at.UTC().Format(time.DateTime + " UTC") }
