package operation_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"binnacle/config"
	"binnacle/ops"
	"binnacle/ops/opstest"
)

// atStaging is a bench whose project has tests and a staging that behaves.
func atStaging(t *testing.T) *bench {
	t.Helper()
	return staged(newBench(t, demoConfig))
}

func staged(b *bench) *bench {
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

// stagesOf are the stages of a plan.
func stagesOf(plan ops.Plan) string {
	var out []string
	for _, info := range plan.Outline() {
		if info.Depth == 0 {
			out = append(out, string(info.ID))
		}
	}
	return strings.Join(out, " ")
}

func setStatus(task *ops.Task, id ops.StepID, status ops.Status) {
	for i := range task.Steps {
		if task.Steps[i].ID == id {
			task.Steps[i].Status = status
		}
	}
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
	if _, err := b.tryPlan("predeploy"); err == nil || !strings.Contains(err.Error(), "the last stage passed at 2026-01-02") {
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
	for _, from := range []string{"", "production"} {
		before := len(b.children())
		var asked ops.Question
		b.world.Person = func(q ops.Question) ops.Answer {
			asked = q
			return ops.Answer{Choice: q.Choices[1], Given: true}
		}
		if task := b.start(b.plan("predeploy", "from", from), nil); task.Status != ops.Done {
			t.Fatal(texts(task.Errors))
		}
		if got := b.children()[before:]; !slices.Equal(got, []string{stagingWatch, productionDeploy}) {
			t.Errorf("from %q it went on with %q", from, got)
		}
		for _, fact := range []string{"tests passed 2026-01-02 03:04:05 UTC", "staging passed 2026-01-02 03:04:05 UTC", "pending migrations: 1", "s1 web serves v3, no error in its log"} {
			if !slices.Contains(asked.Lines, fact) {
				t.Errorf("from %q it asks with %q, without %q", from, asked.Lines, fact)
			}
		}
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
		then    string
	}{
		"tests":   {"^bin/rails test$", 1, "tests build migrations staging watch production"},
		"build":   {"buildx build", 2, "build migrations staging watch production"},
		"staging": {"--destination=staging deploy", 3, "migrations staging watch production"},
		"watch":   {"predeploy watch", 4, "migrations watch production"},
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
		if stage != "build" && (len(err.Evidence) != 1 || err.Evidence[0].Lines[0] != "it went wrong") || !strings.Contains(err.Hint, "binnacle predeploy --from "+stage) {
			t.Errorf("%s: %q, evidence %v", stage, err, err.Evidence)
		}
		b.in.Past = func(string) []ops.Task { return []ops.Task{task} }
		if got := stagesOf(b.plan("predeploy")); got != c.then {
			t.Errorf("after %s failed it goes on with %s", stage, got)
		}
	}
}

// What a deploy says when it is told to stop is what is said of its lock.
func TestAnInterruptStopsTheDeployThatRuns(t *testing.T) {
	for want, end := range map[string]opstest.Reply{
		"staging released": {Stdout: "\n■ deploy v3 cancelled\n  serving now   s1 web v2\n  lock          released\n", Err: errors.Join(context.Canceled, &ops.ExitError{Code: 1})},
		"":                 {Stdout: "\n■ deploy v3 cancelled\n", Err: errors.Join(context.Canceled, &ops.ExitError{Code: 1})},
		"not known: binnacle -d staging lock status": {Err: errors.Join(context.Canceled, &ops.ExitError{Signal: "killed"})},
	} {
		b := atStaging(t)
		var engine *ops.Engine
		told, checks := false, []string{}
		end.Do = func(ctx context.Context) error {
			b.store.Settle()
			task, _ := b.store.State().Task(b.in.Holder.Task)
			checks = task.Unattended()
			engine.Cancel(b.in.Holder.Task, "a test")
			told = ctx.Err() != nil
			return end.Err
		}
		b.world.On("", "--destination=staging deploy", end)
		task := b.start(b.plan("predeploy"), func(e *ops.Engine, _ ops.TaskID) { engine = e })
		if task.Status != ops.Cancelled || !told || slices.Contains(b.children(), stagingWatch) {
			t.Errorf("%s, the deploy was told to stop: %v, then %q", task.Status, told, b.children())
		}
		if task.Lock != want {
			t.Errorf("of the lock it says %q, want %q", task.Lock, want)
		}
		if !slices.Equal(checks, []string{"binnacle -d staging lock status"}) {
			t.Errorf("what it leaves is found by %q", checks)
		}
		b.in.Past = func(string) []ops.Task { return []ops.Task{task} }
		if got := stagesOf(b.plan("predeploy")); got != "migrations staging watch production" {
			t.Errorf("it goes on with %s", got)
		}
	}
}

// Whoever stopped goes on with the flags that were given, or with none of them
// where the default was meant.
func TestWhatGoesOnIsWhatStopped(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "config", "my deploy.yml"), demoConfig)
	write(t, filepath.Join(dir, "config", "my deploy.eu.yml"), "{}")
	write(t, filepath.Join(dir, ".kamal", "secrets.eu"), "TOKEN=secret-token\nPASS=secret-password\n")
	cfg, _, err := config.Load(t.Context(), config.Options{
		Dir: dir, File: "config/my deploy.yml", Destination: "eu", Version: "v3", Arch: "amd64", Env: func(string) (string, bool) { return "", false },
	})
	if err != nil {
		t.Fatal(err)
	}
	b := staged(newBenchOf(t, cfg))
	b.in.SkipHooks, b.in.Flags = true, []string{"--strict"}
	b.in.LockWait = ops.LockWait{Timeout: time.Minute, Interval: 5 * time.Second}
	task := b.start(b.plan("predeploy", "staging", "qa", "test", "bin/ci 'it'", "watch", "5m", "migrate", "true", "from", "staging"), nil)
	const want = "to go on: binnacle -d eu -c 'config/my deploy.yml' predeploy --from production --version v3 --staging qa --test 'bin/ci '\\''it'\\''' --watch 5m" +
		" --migrate --skip-hooks --lock-wait --lock-wait-timeout=60 --lock-wait-interval=5 --strict"
	if len(task.Errors) != 1 || task.Errors[0].Hint != want {
		t.Errorf("%v\nwant %s", texts(task.Errors), want)
	}
	for _, words := range []string{
		"--config-file='config/my deploy.yml' --destination=qa deploy --skip-push --migrate --skip-hooks --lock-wait --lock-wait-timeout=60 --lock-wait-interval=5 --version=v3",
		"--destination=qa predeploy watch --for 5m0s --version=v3",
	} {
		if !slices.ContainsFunc(b.world.Locally(), func(run opstest.LocalRun) bool { return strings.Contains(run.What, words) }) {
			t.Errorf("nothing ran %s", words)
		}
	}
}

// A stage passed for what it was run with, and for a day.
func TestWhatPassedIsNotTakenForAnother(t *testing.T) {
	const all = "tests build migrations staging watch production"
	for name, c := range map[string]struct {
		change func(b *bench, task *ops.Task) []string
		want   string
	}{
		"nothing":         {func(*bench, *ops.Task) []string { return nil }, "migrations watch production"},
		"the defaults":    {func(*bench, *ops.Task) []string { return []string{"staging", "staging", "watch", "9m"} }, "migrations watch production"},
		"another staging": {func(*bench, *ops.Task) []string { return []string{"staging", "qa"} }, "migrations staging watch production"},
		"a migration":     {func(*bench, *ops.Task) []string { return []string{"migrate", "true"} }, "migrations staging watch production"},
		"without hooks":   {func(b *bench, _ *ops.Task) []string { b.in.SkipHooks = true; return nil }, "migrations staging watch production"},
		"another test":    {func(*bench, *ops.Task) []string { return []string{"test", "bin/ci"} }, "tests migrations watch production"},
		"another version": {func(b *bench, _ *ops.Task) []string {
			b.in.Version = "v4"
			b.in.Config = b.cfg.WithVersion("v4")
			return nil
		}, all},
		"a day later": {func(b *bench, _ *ops.Task) []string { b.in.Now = b.in.Now.Add(24 * time.Hour); return nil }, all},
		"tests that did not run": {func(_ *bench, task *ops.Task) []string {
			setStatus(task, "tests/run", ops.Skipped)
			return nil
		}, "tests migrations watch production"},
		"a deploy that was cut off": {func(_ *bench, task *ops.Task) []string {
			setStatus(task, "staging/run", ops.Skipped)
			return nil
		}, "migrations staging watch production"},
		"an image that was to be built anew": {func(_ *bench, task *ops.Task) []string {
			setStatus(task, "build/push", ops.Failed)
			return nil
		}, "build migrations staging watch production"},
		"a stage to begin with": {func(*bench, *ops.Task) []string { return []string{"from", "staging"} }, "migrations staging watch production"},
	} {
		b := atStaging(t)
		task := b.start(b.plan("predeploy"), nil)
		params := c.change(b, &task)
		b.in.Past = func(string) []ops.Task { return []ops.Task{task} }
		if got := stagesOf(b.plan("predeploy", params...)); got != c.want {
			t.Errorf("%s: it goes on with %s, want %s", name, got, c.want)
		}
	}
}

func TestTheGateTellsWhatIsLeftOut(t *testing.T) {
	b := atStaging(t)
	var asked ops.Question
	b.world.Person = func(q ops.Question) ops.Answer { asked = q; return ops.Answer{} }
	task := b.start(b.plan("predeploy", "from", "production"), nil)
	if task.Status != ops.Failed || slices.Contains(b.children(), productionDeploy) {
		t.Errorf("%s after %q", task.Status, b.children())
	}
	for _, stage := range []string{"tests", "build", "staging"} {
		if !slices.Contains(asked.Lines, stage+" is left out, and has not passed of late") {
			t.Errorf("nothing is said of %s: %q", stage, asked.Lines)
		}
	}
}

func TestStagingThatServesAnotherVersionIsNoWayToProduction(t *testing.T) {
	b := atStaging(t)
	b.world.Person = func(ops.Question) ops.Answer { t.Error("it asks"); return ops.Answer{} }
	b.world.On("", "predeploy watch", opstest.Reply{Stdout: "s1: role web is not well: it serves v2, not v3\n", Err: &ops.ExitError{Code: 1}})
	task := b.start(b.plan("predeploy", "from", "production"), nil)
	text := strings.Join(texts(task.Errors), "\n")
	if task.Status != ops.Failed || !strings.Contains(text, "to deploy to staging again: binnacle predeploy --from staging --version v3") {
		t.Errorf("%s: %s", task.Status, text)
	}
}

func TestOneCommitIsNotBuiltUnderTheNameOfAnother(t *testing.T) {
	for name, c := range map[string]struct {
		version, asked, commit string
		stages                 []string
		want                   string
	}{
		"what is checked out": {version: "abc123", asked: "abc123", commit: "abc123\n"},
		"a name of its own":   {version: "v3", asked: "v3"},
		"another commit": {version: "def456", asked: "def456", commit: "def456\n",
			want: "version def456: it is not what is checked out here, which is abc123 (check it out: git checkout def456; or test and build what is here: binnacle predeploy --from tests --yes-gates)"},
		"another commit, built alone":  {version: "def456", asked: "def456", commit: "def456\n", stages: []string{"from", "build"}, want: "which is abc123"},
		"changes on another commit":    {version: "def456_uncommitted_1", asked: "def456_uncommitted_1", commit: "def456\n", want: "which is abc123"},
		"a commit while it was tested": {version: "def456", commit: "def456\n", want: "which is abc123"},
		"what was built before":        {version: "def456", asked: "def456", commit: "def456\n", stages: []string{"from", "staging"}},
	} {
		b := atStaging(t)
		b.in.Version, b.in.AskedVersion, b.in.Config = c.version, c.asked, b.cfg.WithVersion(c.version)
		b.world.On("", "rev-parse --verify --quiet", opstest.Reply{Err: &ops.ExitError{Code: 1}})
		if c.commit != "" {
			name, _, _ := strings.Cut(c.version, "_")
			b.world.On("", "^git rev-parse --verify --quiet '"+name+`\^\{commit\}'$`, opstest.Reply{Stdout: c.commit})
		}
		task := b.start(b.plan("predeploy", append(c.stages, "yes-gates", "true")...), nil)
		text := strings.Join(texts(task.Errors), "\n")
		if c.want == "" && task.Status != ops.Done || !strings.Contains(text, c.want) {
			t.Errorf("%s: %q, want %q", name, text, c.want)
		}
		if c.want != "" && slices.Contains(b.children(), "build") {
			t.Errorf("%s: it was built", name)
		}
	}
}

// The version that came from git is not named for a stage that takes what is
// checked out; one of its own is.
func TestTheWayBackToTheTests(t *testing.T) {
	for asked, want := range map[string]string{"": "binnacle predeploy --from tests", "v3": "binnacle predeploy --from tests --version v3"} {
		b := atStaging(t)
		b.in.AskedVersion = asked
		b.world.On("", "rev-parse --verify", opstest.Reply{Err: &ops.ExitError{Code: 1}})
		b.world.On("", "^bin/rails test$", opstest.Reply{Err: &ops.ExitError{Code: 1}})
		task := b.start(b.plan("predeploy"), nil)
		if len(task.Errors) != 1 || task.Errors[0].Hint != "once it is put right: "+want {
			t.Errorf("%v, want %s", texts(task.Errors), want)
		}
	}
}

func TestAnAppWithoutRailsHasAWayPastTheMigrations(t *testing.T) {
	for section, passes := range map[string]bool{"": true, "x-binnacle: { migrate: { role: web } }": false} {
		b := staged(newBench(t, with(section)))
		b.world.On("vm1", "db:migrate:status", opstest.Reply{Err: &ops.ExitError{Host: "vm1", Code: 127, Output: `exec: "bin/rails": no such file or directory`}})
		var asked ops.Question
		b.world.Person = func(q ops.Question) ops.Answer {
			asked = q
			return ops.Answer{Choice: q.Choices[1], Given: true}
		}
		task := b.start(b.plan("predeploy"), nil)
		if passes != (task.Status == ops.Done) || passes != slices.Contains(asked.Lines, "pending migrations: not known") {
			t.Errorf("%q: %s, %v, asked %q", section, task.Status, texts(task.Errors), asked.Lines)
		}
		if warned := strings.Contains(fmt.Sprint(b.store.State().Notices), "v3 has no bin/rails, so what is pending is not known: migrate: under x-binnacle"); warned != passes {
			t.Errorf("%q: it warns: %v", section, b.store.State().Notices)
		}
	}
}

func TestTheChecklistRefuses(t *testing.T) {
	for want, change := range map[string]func(b *bench) []string{
		"there is no such stage": func(*bench) []string { return []string{"from", "lunch"} },
		"no span of time":        func(*bench) []string { return []string{"watch", "soon"} },
		"cannot be started":      func(b *bench) []string { b.in.Program = ""; return nil },
		"leave --hosts, --roles and --primary out": func(b *bench) []string {
			var err error
			b.in.Selection, err = b.cfg.Select(config.Filter{Primary: true})
			if err != nil {
				t.Fatal(err)
			}
			return nil
		},
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
