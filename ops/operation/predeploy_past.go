package operation

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"binnacle/ops"
	"binnacle/ops/command"
)

// passedFor is how long a stage that passed need not run again.
const passedFor = 24 * time.Hour

// passedStages are the stages that passed for a version, and when: what the
// newest try of each says, if its work had the title that it would have now. A
// try of a stage takes along what stood on the one before.
func passedStages(tasks []ops.Task, version string, titles map[ops.StepID]string, now time.Time) map[string]time.Time {
	passed := map[string]time.Time{}
	names := stageNames()
	for _, t := range tasks {
		if t.Version != version {
			continue
		}
		for i, st := range stages() {
			step, ok := t.Step(st.step)
			if !ok || step.Started.IsZero() {
				continue
			}
			delete(passed, st.name)
			if st.base {
				for _, later := range names[i:] {
					delete(passed, later)
				}
			}
			if step.Status == ops.Done && step.Title == titles[st.step] && now.Sub(step.Finished) < passedFor {
				passed[st.name] = step.Finished
			}
		}
	}
	return passed
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
	if stage == "watch" {
		told.Hint += "; to deploy to " + c.staging + " again: " + c.resume("staging")
	}
	return &told
}

// resume is the command that goes on at a stage, with all that this one was given.
// What is tested and built anew is what is checked out then: a version that came
// from git is not named.
func (c *checklist) resume(stage string) string {
	words := []string{"predeploy", "--from", stage}
	if built := stage == "tests" || stage == "build"; !built || c.free {
		words = append(words, "--version", c.version)
	}
	for _, p := range predeployParams() {
		switch value := c.Params.Text(p.Name); {
		case p.Name == "from" || value == "" || value == p.Default:
		case p.Kind == ops.Toggle:
			if c.Params.On(p.Name) {
				words = append(words, "--"+p.Name)
			}
		case strings.HasPrefix(value, "-"):
			words = append(words, "--"+p.Name+"="+value)
		default:
			words = append(words, "--"+p.Name, value)
		}
	}
	words = append(words, c.passedOn()...)
	if c.Agreed {
		words = append(words, "-y")
	}
	words = append(words, c.Flags...)
	for i, word := range words {
		words[i] = command.Quote(word)
	}
	return c.byHand(strings.Join(words, " "))
}

// passedOn are the flags that deploys of this checklist have in common with it.
func (c *checklist) passedOn() []string {
	var words []string
	if c.SkipHooks {
		words = append(words, "--skip-hooks")
	}
	if c.LockWait.Timeout > 0 {
		words = append(words, "--lock-wait", fmt.Sprintf("--lock-wait-timeout=%g", c.LockWait.Timeout.Seconds()))
		words = append(words, fmt.Sprintf("--lock-wait-interval=%g", c.LockWait.Interval.Seconds()))
	}
	return words
}

// gateFacts are what is known when somebody is asked to go on.
func (c *checklist) gateFacts() []string {
	var lines []string
	for _, st := range stages() {
		switch at := c.passed[st.name]; {
		case c.runs[st.name]:
		case at.IsZero():
			lines = append(lines, st.name+" "+leftOut)
		default:
			lines = append(lines, st.name+" passed "+timeText(at))
		}
	}
	return append(lines, c.facts...)
}

// Helpers

// titles are the titles of all steps of some nodes.
func titles(nodes map[string]ops.Node) map[ops.StepID]string {
	out := map[ops.StepID]string{}
	for _, n := range nodes {
		plan := ops.Plan{Root: ops.InSequence("", "", present([]ops.Node{n})...)}
		for _, info := range plan.Outline() {
			out[info.ID] = info.Title
		}
	}
	return out
}

// aimAt is a command of this program about another destination.
func (c *checklist) aimAt(destination, words string) string {
	flags := c.aim(c.shownFile())
	if c.cfg.Destination() != "" {
		flags = flags[2:]
	}
	if destination != "" {
		flags = slices.Insert(flags, 0, "-d", destination)
	}
	typed := []string{"binnacle"}
	for _, flag := range flags {
		typed = append(typed, command.Quote(flag))
	}
	return strings.Join(append(typed, words), " ")
}

func timeText(at time.Time) string { return at.UTC().Format(time.DateTime + " UTC") }
