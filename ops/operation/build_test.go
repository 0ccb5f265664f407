package operation_test

import (
	"encoding/base64"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"binnacle/ops"
	"binnacle/ops/opstest"
)

// local makes this machine a clean git repository with a Dockerfile.
func (b *bench) local() {
	b.world.Present["Dockerfile"] = true
	b.world.On("", "rev-parse --show-toplevel", opstest.Reply{Stdout: "/src/shop\n"})
	b.world.On("", "rev-parse HEAD", opstest.Reply{Stdout: "abc123\n"})
}

func TestTheImageIsBuiltFromACleanCloneBeforeTheLock(t *testing.T) {
	b := newBench(t, demoConfig)
	b.local()
	b.in.Hooks = []string{"pre-connect", "pre-build"}
	task := b.start(b.plan("deploy"), nil)
	if task.Status != ops.Done {
		t.Fatal(texts(task.Errors))
	}
	wantInOrder(t, b, "pre-connect", "docker buildx version", "docker login", "pre-build", " clone ", "docker buildx inspect", "docker buildx build", "docker pull", "mkdir .kamal/lock-")
	for _, run := range b.world.Locally() {
		if strings.Contains(run.What, "buildx build") && !strings.Contains(run.Dir, "kamal-clones") {
			t.Errorf("built in %q, want the clone", run.Dir)
		}
		if strings.Contains(run.What, "secret-") {
			t.Errorf("a command carries a secret: %s", run.What)
		}
	}
}

func TestAnOldCloneIsBroughtToHead(t *testing.T) {
	b := newBench(t, demoConfig)
	b.local()
	b.world.On("", " clone ", opstest.Reply{Err: &ops.ExitError{Code: 128, Output: "fatal: destination path 'shop' already exists and is not an empty directory."}})
	if task := b.start(b.plan("deploy"), nil); task.Status != ops.Done {
		t.Fatal(texts(task.Errors))
	}
	wantInOrder(t, b, " clone ", "fetch origin", "reset --hard abc123", "clean -fdx", "docker buildx build")
	for _, what := range b.world.Asked("") {
		if strings.HasPrefix(what, "rm ") {
			t.Errorf("a clone that could be used was removed: %s", what)
		}
	}
}

func TestABrokenCloneIsDeletedAndTriedOnceMore(t *testing.T) {
	b := newBench(t, demoConfig)
	b.local()
	b.world.Once("", " clone ", opstest.Reply{Err: &ops.ExitError{Code: 128, Output: "fatal: corrupt"}})
	if task := b.start(b.plan("deploy"), nil); task.Status != ops.Done {
		t.Fatal(texts(task.Errors))
	}
	wantInOrder(t, b, " clone ", "rm -rf", " clone ", "docker buildx build")

	b = newBench(t, demoConfig)
	b.local()
	b.world.On("", "kamal-clones.* rev-parse HEAD", opstest.Reply{Stdout: "another\n"})
	task := b.start(b.plan("deploy"), nil)
	if text := strings.Join(texts(task.Errors), "\n"); !strings.Contains(text, "is not clean at abc123") {
		t.Errorf("the error says %q", text)
	}
	for _, c := range b.world.Calls() {
		if strings.Contains(c.What, "buildx build") || strings.HasPrefix(c.What, "docker pull") {
			t.Errorf("went on to %s", c.What)
		}
	}
}

func TestBuildsThatCannotBegin(t *testing.T) {
	b := newBench(t, demoConfig)
	b.world.On("", "docker --version", opstest.Reply{Err: &ops.ExitError{Code: 127, Output: "docker: not found"}})
	if text := failure(b); !strings.Contains(text, "install Docker with the buildx plugin here, or deploy an image that is built already: -P") {
		t.Errorf("no docker: %q", text)
	}
	b = newBench(t, demoConfig)
	if text := failure(b); !strings.Contains(text, "missing Dockerfile (builder.dockerfile names another file)") {
		t.Errorf("no Dockerfile: %q", text)
	}
}

func TestAMissingBuilderIsCreated(t *testing.T) {
	b := newBench(t, demoConfig)
	b.local()
	b.world.On("", "docker buildx inspect", opstest.Reply{Err: &ops.ExitError{Code: 1, Output: "no builder"}})
	b.world.On("", "docker buildx rm", opstest.Reply{Err: &ops.ExitError{Code: 1, Output: "no builder"}})
	if task := b.start(b.plan("deploy"), nil); task.Status != ops.Done {
		t.Fatal(texts(task.Errors))
	}
	wantInOrder(t, b, "docker buildx inspect", "docker buildx rm", "docker buildx create", "docker buildx build")
}

// The records are what buildx wrote for one build that worked and one whose
// Dockerfile copies a file that is not there.
func TestABuildIsFollowedByItsRecords(t *testing.T) {
	for _, tt := range []struct {
		file   string
		status ops.Status
		done   int64
		says   string
	}{
		{"done", ops.Done, 5, ""},
		{"failed", ops.Failed, 5, `build: "/missing" not found`},
	} {
		records, err := os.ReadFile("testdata/build/" + tt.file + ".jsonl")
		if err != nil {
			t.Fatal(err)
		}
		b := newBench(t, demoConfig)
		b.local()
		reply := opstest.Reply{Stdout: string(records)}
		if tt.status == ops.Failed {
			reply.Err = &ops.ExitError{Code: 1, Output: "ERROR: failed to build"}
		}
		b.world.On("", "docker buildx build", reply)
		task := b.start(b.plan("deploy"), nil)
		step, _ := task.Step("build/push")
		if task.Status != tt.status || step.Progress.Done != tt.done || step.Progress.Total != tt.done || step.Progress.Unit != "steps" {
			t.Errorf("%s: %s at %+v, want %s at %d", tt.file, task.Status, step.Progress, tt.status, tt.done)
		}
		if text := strings.Join(texts(task.Errors), "\n"); !strings.Contains(text, tt.says) {
			t.Errorf("%s: the error says %q, want %q", tt.file, text, tt.says)
		}
	}
}

// What the build printed last stands under its failure, and a record may be
// longer than any line that is shown.
func TestAFailedBuildShowsItsOutput(t *testing.T) {
	var vertexes []string
	for i := range 2000 {
		vertexes = append(vertexes, fmt.Sprintf(`{"digest":"sha256:%064d","name":"[%d/2000] RUN step"}`, i, i))
	}
	var out strings.Builder
	out.WriteString(`{"vertexes":[` + strings.Join(vertexes, ",") + "]}\n")
	for i := range 30 {
		fmt.Fprintf(&out, `{"logs":[{"vertex":"sha256:%064d","stream":1,"data":%q,"timestamp":"2026-01-01T00:00:00Z"}]}`+"\n",
			1, base64.StdEncoding.EncodeToString(fmt.Appendf(nil, "line %d\nand more\n", i)))
	}
	out.WriteString("ERROR: bundle install failed\n")
	b := newBench(t, demoConfig)
	b.local()
	b.world.On("", "docker buildx build", opstest.Reply{Stdout: out.String(), Err: &ops.ExitError{Code: 1, Output: "ERROR"}})
	task := b.start(b.plan("deploy"), nil)
	if step, _ := task.Step("build/push"); step.Progress.Total != 2000 {
		t.Errorf("a long record was not read: %+v", step.Progress)
	}
	lines := evidence(task)
	if len(lines) != 20 || lines[19] != "ERROR: bundle install failed" || !slices.Contains(lines, "line 29") {
		t.Errorf("evidence %q", lines)
	}
}

// Helpers

func failure(b *bench) string {
	b.t.Helper()
	task := b.start(b.plan("deploy"), nil)
	if task.Status != ops.Failed {
		b.t.Errorf("the task is %s", task.Status)
	}
	return strings.Join(texts(task.Errors), "\n")
}

// wantInOrder holds that commands came one after another, others in between.
func wantInOrder(t *testing.T, b *bench, parts ...string) {
	t.Helper()
	var all []string
	for _, c := range b.world.Calls() {
		all = append(all, c.What)
	}
	rest := all
	for _, part := range parts {
		i := slices.IndexFunc(rest, func(what string) bool { return strings.Contains(what, part) })
		if i < 0 {
			t.Errorf("no %q, or too early, in:\n%s", part, strings.Join(all, "\n"))
			return
		}
		rest = rest[i+1:]
	}
}
