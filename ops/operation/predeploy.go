package operation

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"binnacle/ops"
)

// Predeploy runs the checklist before a deploy, stage by stage, with one version
// from the first to the last. A stage begins when the one before it passed, and
// production when somebody agrees. What passed for a version is not run again,
// but for the stages that only look: what they find is wanted fresh.
func Predeploy() ops.Operation {
	return ops.Operation{
		Name: "predeploy", Group: "deploy", Summary: "Test, build, look at migrations, deploy to staging, watch it, then deploy here",
		Scope: ops.ScopeApp, Risk: ops.Change, Params: predeployParams(),
		Plan: func(in ops.Input) (ops.Plan, error) { return planPredeploy(newStory(in, "predeploy")) },
	}
}

// Private

func predeployParams() []ops.Param {
	return []ops.Param{
		{Name: "staging", Kind: ops.Text, Default: defaultStaging, Usage: "the destination that is deployed to first"},
		{Name: "test", Kind: ops.Text, Default: defaultTest, Usage: "the command that tests the app on this machine"},
		{Name: "from", Kind: ops.Text, Usage: "the stage to begin with: " + strings.Join(stageNames(), ", ")},
		{Name: "watch", Kind: ops.Text, Default: defaultWatch, Usage: "how long staging is watched"},
		{Name: "migrate", Kind: ops.Toggle, Usage: "migrate with both deploys"},
		{Name: "yes-gates", Kind: ops.Toggle, Usage: "go on to production without asking"},
	}
}

// defaultTest is how an app made by Rails is tested; where it is not there,
// nothing is.
const (
	defaultTest    = "bin/rails test"
	defaultStaging = "staging"
)

// checklist is a predeploy while it is planned and runs.
type checklist struct {
	*story
	staging, test string
	watch         time.Duration
	passed        map[string]time.Time
	runs          map[string]bool // the stages of this run
	free          bool            // the version is a name of its own, and no revision
	facts         []string        // what is known at the gate
}

// stage is one line of the checklist.
type stage struct {
	name string
	what string
	// step is the one that does the stage's work: what the work depends on stands
	// in its title. A stage without one only looks, and always runs.
	step ops.StepID
	// base says that later stages stand on what this one made.
	base bool
	node func(*checklist) (ops.Node, error)
}

func stages() []stage {
	return []stage{
		{"tests", "run the tests on this machine", "tests/run", false, (*checklist).tests},
		{"build", "build and push the image", "build/push", true, (*checklist).image},
		{"migrations", "look what is pending here", "", false, (*checklist).migrations},
		{"staging", "deploy to staging", "staging/run", true, (*checklist).toStaging},
		{"watch", "watch staging", "", false, (*checklist).watchStaging},
		{"production", "ask, then deploy here", "production/run", true, (*checklist).toProduction},
	}
}

func stageNames() []string {
	return []string{"tests", "build", "migrations", "staging", "watch", "production"}
}

func planPredeploy(s *story) (ops.Plan, error) {
	c := &checklist{story: s, staging: cmp.Or(s.Params.Text("staging"), defaultStaging), test: cmp.Or(s.Params.Text("test"), defaultTest)}
	if err := c.check(); err != nil {
		return ops.Plan{}, err
	}
	var err error
	if c.watch, err = spanOf("watch", s.Params.Text("watch")); err != nil {
		return ops.Plan{}, err
	}
	nodes := map[string]ops.Node{}
	for _, st := range stages() {
		if nodes[st.name], err = st.node(c); err != nil {
			return ops.Plan{}, err
		}
	}
	if err := c.choose(nodes); err != nil {
		return ops.Plan{}, err
	}
	var chosen []ops.Node
	for _, name := range stageNames() {
		if c.runs[name] {
			chosen = append(chosen, nodes[name])
		}
	}
	plan := s.plan(ops.Change, "predeploy "+s.shown(), chosen...)
	plan.Effects = c.effects()
	return plan, nil
}

func (c *checklist) check() error {
	if err := c.needVersion(); err != nil {
		return err
	}
	switch {
	case len(c.sel.SpecificHosts())+len(c.sel.SpecificRoles()) > 0:
		return &ops.Error{
			Summary: "predeploy", Cause: errors.New("it is about all hosts and roles, here and in " + c.staging),
			Hint: "leave --hosts, --roles and --primary out",
		}
	case c.staging == c.cfg.Destination():
		return &ops.Error{Summary: "predeploy", Cause: fmt.Errorf("%s is staging itself", c.staging), Hint: "give the destination that comes after it with -d, or none"}
	case c.Program == "":
		return &ops.Error{Summary: "predeploy", Cause: errors.New("the stages cannot be started from here"), Hint: "run binnacle in the project's folder: a demo fleet has no staging"}
	}
	return nil
}

// choose decides which stages run: those from the one that was asked for, or
// those that have not passed for this version as it would be deployed now.
func (c *checklist) choose(nodes map[string]ops.Node) error {
	var past []ops.Task
	if c.Past != nil {
		past = c.Past("predeploy")
	}
	c.passed = passedStages(past, c.version, titles(nodes), c.Now)
	c.runs = map[string]bool{}
	from := c.Params.Text("from")
	first := slices.Index(stageNames(), from)
	switch {
	case from != "" && first < 0:
		return &ops.Error{Summary: "--from " + from, Cause: errors.New("there is no such stage"), Hint: "the stages are " + strings.Join(stageNames(), ", ")}
	case from == "" && !c.passed["staging"].IsZero() && !c.passed["production"].IsZero():
		return &ops.Error{
			Summary: "predeploy " + c.shown(), Cause: fmt.Errorf("the last stage passed at %s: there is nothing left to do", timeText(c.passed["production"])),
			Hint: "to begin anew: " + c.resume("tests"),
		}
	}
	again := false
	for i, st := range stages() {
		asked := from != "" && i >= first
		missing := from == "" && (c.passed[st.name].IsZero() || again)
		c.runs[st.name] = st.step == "" || asked || missing
		again = again || st.base && c.runs[st.name]
	}
	return nil
}

func (c *checklist) effects() []ops.Effect {
	out := []ops.Effect{{Label: "to", Text: c.staging + ", then " + c.destinationText(), Warn: true}, {Label: "version", Text: c.shown()}}
	for _, st := range stages() {
		e := ops.Effect{Label: st.name, Text: st.what}
		switch at := c.passed[st.name]; {
		case c.runs[st.name]:
		case at.IsZero():
			e.Text, e.Warn = leftOut, true
		default:
			e.Text = "passed " + timeText(at)
		}
		out = append(out, e)
	}
	return out
}

// leftOut is what is said of a stage before the one that was asked for.
const leftOut = "is left out, and has not passed of late"
