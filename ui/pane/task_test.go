package pane

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"
	"github.com/charmbracelet/x/exp/golden"

	"binnacle/ops"
	"binnacle/ui/kit"
	"binnacle/ui/theme"
)

var taskStart = time.Date(2026, 11, 23, 14, 2, 0, 0, time.UTC)

func after(seconds float64) time.Time {
	return taskStart.Add(time.Duration(seconds * float64(time.Second)))
}

// stepOf makes a step from a line: `id|title|host|status|from|to|note`; an id
// that ends with / is a group.
func stepOf(line string) ops.StepState {
	f := strings.Split(line, "|")
	id, group := strings.CutSuffix(f[0], "/")
	s := ops.StepState{StepInfo: ops.StepInfo{ID: ops.StepID(id), Title: f[1], Host: f[2], Group: group}, Status: ops.Status(f[3])}
	if i := strings.LastIndexByte(id, '/'); i >= 0 {
		s.Parent = ops.StepID(id[:i])
	}
	var from, to float64
	_, _ = fmt.Sscan(f[4], &from)
	_, _ = fmt.Sscan(f[5], &to)
	if from > 0 {
		s.Started = after(from)
	}
	if to > 0 {
		s.Finished = after(to)
	}
	s.Note = f[6]
	return s
}

func stepsOf(text string) []ops.StepState {
	var out []ops.StepState
	for line := range strings.SplitSeq(strings.TrimSpace(text), "\n") {
		out = append(out, stepOf(strings.TrimSpace(line)))
	}
	return out
}

const appID = ops.AppID("fhirlinebot@production")

func taskOf(id, operation string, status ops.Status, to float64, steps string) ops.Task {
	t := ops.Task{
		ID: ops.TaskID(id), App: appID, Operation: operation, Title: operation + " v3 → production", Version: "v3",
		User: "ana", Status: status, Started: after(0), Steps: stepsOf(steps),
	}
	if to > 0 {
		t.Finished = after(to)
	}
	return t
}

func runningTask() ops.Task {
	t := taskOf("T1", "deploy", ops.Running, 0, `
		build/|build and push||done|0.1|6.2|
		build/push|build and push registry:5000/fhirlinebot:v3||done|1|6.2|
		lock|lock|web-1|done|6.2|6.3|held by you
		pull/|pull registry:5000/fhirlinebot:v3||running|6.3||
		pull/web-1|pull|web-1|done|6.3|8.4|
		pull/web-2|pull|web-2|running|6.3||
		boot/|boot||running|9||
		boot/web-1/|web-1 web|web-1|running|9||
		boot/web-1/run|run|web-1|done|9.3|10|
		boot/web-1/health|health check and switch|web-1|running|14||GET /up → 503 503 503, v2 still serving
		boot/web-2/|web-2 web|web-2|pending|||
		boot/web-2/run|run|web-2|pending|||
		prune/|prune||pending|||
		prune/web-1|prune|web-1|pending|||
		unlock|release lock|web-1|pending|||`)
	t.Steps[5].Progress = ops.Progress{Done: 42 << 20, Total: 84 << 20, Unit: "bytes"}
	t.Steps[11].Commands = []string{"docker run --detach --restart unless-stopped --name fhirlinebot-web-v3 registry:5000/fhirlinebot:v3"}
	return t
}

func failedTask() ops.Task {
	t := taskOf("T2", "deploy", ops.Failed, 48, `
		pull/|pull||done|1|8|
		pull/web-1|pull|web-1|done|1|8|
		boot/|boot||failed|9|47|
		boot/web-1/|web-1 web|web-1|failed|9|47|
		boot/web-1/run|run|web-1|done|9.3|10|
		boot/web-1/health|health check and switch|web-1|failed|14|44|v2 still serving
		boot/web-2/|web-2 web|web-2|done|9|20|
		boot/web-2/run|run|web-2|done|9.3|10|
		boot/web-2/health|health check and switch|web-2|done|10|12|switched
		prune/|prune||skipped|||
		prune/web-1|prune|web-1|skipped|||
		unlock|release lock|web-1|done|47|47.2|`)
	e := &ops.Error{
		Host: "web-1", Summary: "web never became healthy", Cause: errors.New("GET /up → 503 for 30 s"),
		Command: "docker exec kamal-proxy kamal-proxy deploy fhirlinebot-web --target=1f2e3d:80",
		Hint:    "read the last lines of the container, mend the image and deploy again",
		Evidence: []ops.Evidence{
			{Title: "container", Lines: []string{"state running, exit code 0"}},
			{Title: "last log lines", Lines: []string{
				"=> Booting Puma", "ERROR PG::ConnectionBad: could not connect to server: Connection refused (10.0.0.4:5432)", "GET /up 503",
				"E, [2026-11-23T14:02:40.5 #1] ERROR -- : [db5db79a-b84d] PG::ConnectionBad: could not connect to server: Connection refused (10.0.0.4:5432)",
				"E, [2026-11-23T14:02:40.5 #1] ERROR -- : [db5db79a-b84d] app/controllers/health_controller.rb:7:in 'show'",
			}},
		},
	}
	t.Errors = []*ops.Error{e, {Host: "web-3", Summary: e.Summary, Cause: e.Cause}, {Host: "job-1", Summary: "halted at barrier"}, {Host: "job-2", Summary: "halted at barrier"}}
	t.Steps[5].Errors = t.Errors[:1]
	t.Serving = []ops.Serving{{Role: "web", Host: "web-1", Version: "v2"}, {Role: "web", Host: "web-2", Version: "v3"}, {Role: "job", Host: "job-1", Version: "v2"}}
	t.Lock = "released"
	return t
}

func cancelledTask() ops.Task {
	t := taskOf("T3", "deploy", ops.Cancelled, 12, `
		pull/|pull||cancelled|1|11|
		pull/web-1|pull|web-1|cancelled|1|11|
		unlock|release lock|web-1|done|11|12|`)
	t.Serving = []ops.Serving{{Role: "web", Host: "web-1", Version: "v2"}, {Role: "job", Host: "web-1"}}
	t.Lock = "could not be released: web-1 does not answer"
	return t
}

func doneTask() ops.Task {
	t := taskOf("T4", "deploy", ops.Done, 55, `
		pull/|pull||done|1|8|
		pull/web-1|pull|web-1|done|1|8|
		unlock|release lock|web-1|done|54|55|`)
	t.Serving = []ops.Serving{{Role: "web", Host: "web-1", Version: "v3"}}
	t.Lock = "released"
	return t
}

func crowdedTask() ops.Task {
	t := taskOf("T5", "deploy", ops.Failed, 90, "boot/|boot||failed|1|90|")
	for i := range 200 {
		host, status, version := fmt.Sprintf("web-%03d", i), "done", "v3"
		if i == 40 || i == 150 {
			status, version = "failed", "v2"
		}
		t.Steps = append(t.Steps, stepOf("boot/"+host+"/|"+host+" web|"+host+"|"+status+"|2|40|"),
			stepOf("boot/"+host+"/health|health check and switch|"+host+"|"+status+"|3|40|"))
		t.Serving = append(t.Serving, ops.Serving{Role: "web", Host: host, Version: version})
		if status == "failed" {
			t.Errors = append(t.Errors, &ops.Error{Host: host, Summary: "web never became healthy"})
		}
	}
	return t
}

// outputs gives every task a transcript with a few commands and lines.
func outputs(t *testing.T, tasks ...ops.Task) *ops.Store {
	t.Helper()
	s := ops.NewStore(t.Context())
	for _, task := range tasks {
		for i, step := range task.Steps {
			if step.Group || step.Started.IsZero() {
				continue
			}
			line := func(stream ops.Stream, text string) {
				s.Emit(ops.LineWritten{Task: task.ID, Step: step.ID, At: after(float64(i)), Host: step.Host, Stream: stream, Text: text})
			}
			line(ops.Ran, "docker "+step.Title+" --name fhirlinebot-web-v3")
			for n := range 30 {
				line(ops.Stdout, fmt.Sprintf("\x1b[32moutput\x1b[0m\t%d of %s", n, step.ID))
			}
			line(ops.Stderr, "ERROR PG::ConnectionBad: could not connect to server")
		}
	}
	s.Close()
	return s
}

func taskScene(w, h int, id ops.TaskID, tasks ...ops.Task) kit.Scene {
	state := &ops.State{Tasks: tasks}
	state.Fleet = state.Fleet.WithHost(ops.Host{Name: "web-1", Containers: []ops.Container{
		{Host: "web-1", ID: "old", Kind: ops.KindApp, App: appID, Role: "web", Version: "v2", Created: after(-100)},
		{Host: "web-1", ID: "new", Kind: ops.KindApp, App: appID, Role: "web", Version: "v3", Created: after(9)},
	}})
	return kit.Scene{
		State: state, App: appID, Width: w, Height: h, Focused: true, Task: id, Now: after(18),
		Theme: theme.New(theme.Options{Dark: true}),
	}
}

func bare(view string) string {
	var out []string
	for l := range strings.SplitSeq(ansi.Strip(view), "\n") {
		out = append(out, strings.TrimRight(l, " "))
	}
	return strings.Join(out, "\n") + "\n"
}

func TestTaskFrames(t *testing.T) {
	done := doneTask()
	for _, c := range []struct {
		name string
		task ops.Task
		w, h int
		keys []kit.Action
	}{
		{"running 80x24", runningTask(), 78, 22, nil},
		{"running 200x50", runningTask(), 198, 48, nil},
		{"failed 80x24", failedTask(), 78, 22, nil},
		{"failed 120x34", failedTask(), 118, 32, nil},
		{"failed evidence", failedTask(), 78, 22, []kit.Action{"task.evidence"}},
		{"cancelled 80x24", cancelledTask(), 78, 22, nil},
		{"done 80x24", done, 78, 22, nil},
		{"crowded 80x24", crowdedTask(), 78, 22, nil},
		{"will run", runningTask(), 100, 24, []kit.Action{kit.Top, kit.Down, kit.Down, kit.Down, kit.Down, kit.Down, kit.Down, kit.Down, kit.Toggle, kit.Down}},
		{"output alone, scrolled back", runningTask(), 78, 12, []kit.Action{"task.output", kit.Up, kit.PageUp}},
		{"tiny", runningTask(), 30, 5, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := NewTask(outputs(t, c.task))
			p.Sync(taskScene(c.w, c.h, c.task.ID, done, c.task))
			for _, k := range c.keys {
				p.Update(kit.Do{Action: k})
			}
			golden.RequireEqual(t, []byte(bare(p.View())))
		})
	}
}

func TestTaskIntents(t *testing.T) {
	running, failed := runningTask(), failedTask()
	store := outputs(t, running, failed)
	act := func(task ops.Task, keys ...kit.Action) kit.Intent {
		p := NewTask(store)
		p.Sync(taskScene(100, 30, task.ID, task))
		var intent kit.Intent
		for _, k := range keys {
			intent, _ = p.Update(kit.Do{Action: k})
		}
		return intent
	}
	if got := act(running, "task.cancel"); got != (kit.Cancel{Task: "T1"}) {
		t.Errorf("x on a running task: %#v", got)
	}
	if _, ok := act(failed, "task.cancel").(kit.Tell); !ok {
		t.Error("x on a task that ended must say so")
	}
	want := kit.Open{View: kit.Logs, Target: kit.Target{App: appID, Host: "web-1", Role: "web", Container: "new", Task: "T2"}}
	if got := act(failed, "task.logs"); got != want {
		t.Errorf("l after a failure: %#v, want the new container's logs", got)
	}
	copied, _ := act(failed, "task.copy").(kit.Copy)
	if !strings.Contains(copied.Text, "web-1 $ docker run") || strings.Contains(copied.Text, "\x1b") {
		t.Errorf("copied %q", copied.Text)
	}
	copied, _ = act(failed, "task.command").(kit.Copy)
	if got := copied.Text; !strings.Contains(got, "docker health check") || strings.Contains(got, "output") {
		t.Errorf("copied commands %q", got)
	}
	save, _ := act(failed, "task.save").(kit.Save)
	if save.Name != "deploy-T2.log" || strings.Count(save.Text(), "\n") < 150 {
		t.Errorf("saves %d lines as %q", strings.Count(save.Text(), "\n"), save.Name)
	}
	if _, ok := act(running, "task.evidence").(kit.Tell); !ok {
		t.Error("there is no evidence without a failure, and that is said")
	}
}

func TestTaskOutputHoldsStillWhileRead(t *testing.T) {
	task := runningTask()
	store := ops.NewStore(t.Context())
	defer store.Close()
	write := func(from, to int) {
		for i := from; i < to; i++ {
			store.Emit(ops.LineWritten{Task: task.ID, Step: "pull/web-2", Text: fmt.Sprintf("n%03d", i), Stream: ops.Stdout})
		}
		for deadline := time.Now().Add(5 * time.Second); ; {
			if last := store.Output(task.ID).Last("", 1); len(last) == 1 && last[0].Text == fmt.Sprintf("n%03d", to-1) {
				return
			}
			if time.Now().After(deadline) {
				t.Fatal("the lines did not arrive")
			}
		}
	}
	write(0, 100)
	p := NewTask(store)
	scene := taskScene(80, 11, task.ID, task)
	p.Sync(scene)
	p.Update(kit.Do{Action: "task.output"})
	p.Update(kit.Wheel{Lines: -50})
	before := p.View()
	if !strings.Contains(before, "n041") || strings.Contains(before, "n099") {
		t.Fatalf("scrolled back by 50:\n%s", bare(before))
	}
	write(100, 150)
	p.Sync(scene)
	if p.View() != before {
		t.Errorf("new output moved what is read:\n%s", bare(p.View()))
	}
	p.Update(kit.Do{Action: kit.Bottom})
	if !strings.Contains(p.View(), "n149") {
		t.Errorf("the end does not follow:\n%s", bare(p.View()))
	}
}

func TestTaskUsually(t *testing.T) {
	ended := func(id string, seconds float64, status ops.Status) ops.Task {
		return ops.Task{ID: ops.TaskID(id), App: appID, Operation: "deploy", Status: status, Started: after(0), Finished: after(seconds)}
	}
	now := runningTask()
	if got := usually([]ops.Task{ended("a", 50, ops.Done), ended("b", 60, ops.Done), ended("c", 1, ops.Failed), ended("d", 90, ops.Done), now}, &now); got != time.Minute {
		t.Errorf("usually %v, want the median of what ended well", got)
	}
	if got := usually([]ops.Task{now}, &now); got != 0 {
		t.Errorf("nothing to compare with, and still %v", got)
	}
}

// exactly checks the rule of every pane: h lines, none wider than w.
func exactly(t *testing.T, view string, w, h int) {
	t.Helper()
	lines := strings.Split(view, "\n")
	if h > 0 && len(lines) != h {
		t.Fatalf("%dx%d: %d lines", w, h, len(lines))
	}
	for _, l := range lines {
		if got := ansi.StringWidth(l); got > w {
			t.Fatalf("%dx%d: a line of %d cells: %q", w, h, got, l)
		}
	}
}

func TestTaskExactSize(t *testing.T) {
	random := rand.New(rand.NewPCG(12, 13))
	tasks := []ops.Task{runningTask(), failedTask(), cancelledTask(), doneTask(), crowdedTask(), {ID: "none"}}
	tasks[1].Errors[0].Evidence[0].Lines = append(tasks[1].Errors[0].Evidence[0].Lines, "日本語 \x1b[31m\ttab 👩‍🚀", strings.Repeat("long ", 400))
	store := outputs(t, tasks...)
	keys := []kit.Action{kit.Up, kit.Down, kit.Top, kit.Bottom, kit.PageUp, kit.PageDown, kit.Toggle, kit.Left, kit.Right, "task.output", "task.evidence", "task.follow"}
	for range 60 {
		w, h := 1+random.IntN(200), 1+random.IntN(50)
		task := tasks[random.IntN(len(tasks))]
		p := NewTask(store)
		p.Sync(taskScene(w, h, task.ID, tasks...))
		for range 6 {
			var msg tea.Msg = kit.Do{Action: keys[random.IntN(len(keys))]}
			switch random.IntN(4) {
			case 0:
				msg = kit.Wheel{Lines: random.IntN(9) - 4}
			case 1:
				msg = kit.Click{X: 1, Y: random.IntN(h)}
			}
			p.Update(msg)
			exactly(t, p.View(), w, h)
		}
	}
	p := NewTask(store)
	p.Sync(taskScene(80, 24, "unknown"))
	exactly(t, p.View(), 80, 24)
}

func BenchmarkTask200Hosts(b *testing.B) {
	task := crowdedTask()
	store := ops.NewStore(b.Context())
	store.Close()
	p := NewTask(store)
	scene := taskScene(198, 48, task.ID, task)
	for b.Loop() {
		p.Sync(scene)
		p.View()
	}
}
