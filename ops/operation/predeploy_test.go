package operation_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"binnacle/ops"
	"binnacle/ops/opstest"
)

// atStaging is a bench whose project has tests and a staging that behaves.
func atStaging(t *testing.T) *bench {
	t.Helper()
	b := newBench(t, demoConfig)
	d := b.rails("20260101 Create users", "20260102 Add email")
	d.up = 1
	b.local()
	b.world.Present["bin/rails"] = true
	b.world.On("", "predeploy watch", opstest.Reply{Stdout: "s1 web serves v3, no error in its log\n"})
	return b
}

// children are the stages that ran as commands on this machine, in order.
func (b *bench) children() []string {
	var out []string
	for _, run := range b.world.Locally() {
		switch {
		case run.What == "bin/rails test":
			out = append(out, "tests")
		case strings.Contains(run.What, "buildx build"):
			out = append(out, "build")
		case strings.HasPrefix(run.What, "/opt/binnacle "):
			out = append(out, strings.TrimPrefix(run.What, "/opt/binnacle --config-file=config/deploy.yml "))
		}
	}
	return out
}

const (
	stagingDeploy    = "--destination=staging deploy --skip-push --version=v3"
	stagingWatch     = "--destination=staging predeploy watch --for 1m0s --version=v3"
	productionDeploy = "deploy --skip-push --version=v3"
)

func TestTheChecklistRunsStageByStageAndAsksBeforeProduction(t *testing.T) {
	b := atStaging(t)
	var asked ops.Question
	b.world.Person = func(q ops.Question) ops.Answer {
		asked = q
		return ops.Answer{Choice: q.Choices[1], Given: true}
	}
	task := b.start(b.plan("predeploy"), nil)
	if task.Status != ops.Done {
		t.Fatal(texts(task.Errors))
	}
	if got, want := b.children(), []string{"tests", "build", stagingDeploy, stagingWatch, productionDeploy}; !slices.Equal(got, want) {
		t.Errorf("ran %q, want %q", got, want)
	}
	if asked.Title != "staging serves v3" || !slices.Contains(asked.Lines, "pending migrations: 1") || !slices.Contains(asked.Lines, "s1 web serves v3, no error in its log") {
		t.Errorf("it asks %+v", asked)
	}
	b.in.Past = func(string) []ops.Task { return []ops.Task{task} }
	if _, err := b.tryPlan("predeploy"); err == nil || !strings.Contains(err.Error(), "all stages passed") {
		t.Errorf("again: %v", err)
	}
}

func TestTheChecklistStopsWhereNobodyAgreesAndGoesOnThere(t *testing.T) {
	b := atStaging(t)
	task := b.start(b.plan("predeploy"), nil)
	if text := strings.Join(texts(task.Errors), "\n"); task.Status != ops.Failed || !strings.Contains(text, "nobody is there") || !strings.Contains(text, "binnacle predeploy --from production --version v3") {
		t.Errorf("%s: %s", task.Status, text)
	}
	if got := b.children(); slices.Contains(got, productionDeploy) || !slices.Contains(got, stagingWatch) {
		t.Errorf("ran %q", got)
	}
	b.in.Past = func(string) []ops.Task { return []ops.Task{task} }
	plan := b.plan("predeploy", "yes-gates", "true")
	if top := plan.Root.Nodes; len(top) != 1 {
		t.Errorf("it goes on with %d stages", len(top))
	}
	before := len(b.children())
	if task := b.start(plan, nil); task.Status != ops.Done {
		t.Fatal(texts(task.Errors))
	}
	if got := b.children()[before:]; !slices.Equal(got, []string{productionDeploy}) {
		t.Errorf("it went on with %q", got)
	}
	b.in.Version = "v4"
	b.in.Config = b.cfg.WithVersion("v4")
	if plan := b.plan("predeploy"); len(plan.Root.Nodes) != 6 {
		t.Errorf("another version begins with %d stages", len(plan.Root.Nodes))
	}
}

func TestAStageThatFailsStopsTheChecklist(t *testing.T) {
	for stage, c := range map[string]struct {
		command string
		ran     int
	}{
		"tests": {"^bin/rails test$", 1}, "staging": {"--destination=staging deploy", 3}, "watch": {"predeploy watch", 4},
	} {
		b := atStaging(t)
		b.world.Person = func(q ops.Question) ops.Answer { return ops.Answer{Choice: q.Choices[1], Given: true} }
		b.world.On("", c.command, opstest.Reply{Stdout: "it went wrong\n", Err: &ops.ExitError{Code: 1, Output: "it went wrong"}})
		task := b.start(b.plan("predeploy"), nil)
		if task.Status != ops.Failed || len(b.children()) != c.ran {
			t.Errorf("%s: %s after %q", stage, task.Status, b.children())
			continue
		}
		err := task.Errors[0]
		if len(err.Evidence) != 1 || err.Evidence[0].Lines[0] != "it went wrong" || !strings.Contains(err.Hint, "binnacle predeploy --from "+stage) {
			t.Errorf("%s: %q, evidence %v", stage, err, err.Evidence)
		}
		b.in.Past = func(string) []ops.Task { return []ops.Task{task} }
		if first := b.plan("predeploy").Outline()[0]; string(first.ID) != stage {
			t.Errorf("after %s failed it goes on with %s", stage, first.ID)
		}
	}
}

func TestAnInterruptWaitsForTheStageThatRuns(t *testing.T) {
	b := atStaging(t)
	var engine *ops.Engine
	ended := false
	b.world.On("", "--destination=staging deploy", opstest.Reply{Do: func(ctx context.Context) error {
		engine.Cancel(b.in.Holder.Task, "a test")
		ended = ctx.Err() == nil
		return nil
	}})
	task := b.start(b.plan("predeploy"), func(e *ops.Engine, _ ops.TaskID) { engine = e })
	if task.Status != ops.Cancelled || !ended || slices.Contains(b.children(), stagingWatch) {
		t.Errorf("%s, the deploy ran to its end: %v, then %q", task.Status, ended, b.children())
	}
}

func TestTheChecklistRefuses(t *testing.T) {
	for want, change := range map[string]func(b *bench) []string{
		"there is no such stage": func(*bench) []string { return []string{"from", "lunch"} },
		"no span of time":        func(*bench) []string { return []string{"watch", "soon"} },
		"cannot be started":      func(b *bench) []string { b.in.Program = ""; return nil },
	} {
		b := atStaging(t)
		params := change(b)
		if _, err := b.tryPlan("predeploy", params...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

func TestWatchingTellsWhatIsNotWell(t *testing.T) {
	for want, change := range map[string]func(b *bench){
		"": func(*bench) {},
		"its container was restarted": func(b *bench) {
			b.world.On("vm1", "^docker inspect", opstest.Reply{Do: func(context.Context) error {
				b.world.Engine("vm1").Change("shop-web-v2", func(c *ops.Inspection) { c.Restarts++ }) // a crash loop
				return nil
			}})
		},
		"its container is unhealthy": func(b *bench) {
			b.world.Engine("vm1").Change("shop-web-v2", func(c *ops.Inspection) { c.Health = "unhealthy" })
		},
		"no container runs": func(b *bench) {
			b.world.Engine("vm3").Change("shop-job-v2", func(c *ops.Inspection) { c.State = "exited" })
		},
		"it serves v2, not v3": func(b *bench) { b.in.AskedVersion = "v3" },
		"3 of 40 requests failed with a 5xx": func(b *bench) {
			b.world.On("vm1", `"msg":"Request".*-c`, opstest.Reply{Stdout: "40\n"})
			b.world.On("vm1", `"status":5`, opstest.Reply{Stdout: "3\n"})
		},
		"connection lost": func(b *bench) { b.world.On("vm2", "^docker logs", opstest.Reply{Err: errors.New("connection lost")}) },
	} {
		b := newBench(t, demoConfig)
		change(b)
		task := b.start(b.plan("predeploy watch", "for", "900s"), nil)
		text := strings.Join(texts(task.Errors), "\n")
		if (want == "") != (task.Status == ops.Done) || !strings.Contains(text, want) {
			t.Errorf("%s: %q, want %q", task.Status, text, want)
		}
	}
}
