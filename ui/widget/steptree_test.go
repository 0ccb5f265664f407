package widget

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"
	"github.com/charmbracelet/x/exp/golden"

	"binnacle/ops"
	"binnacle/ui/kit"
	"binnacle/ui/theme"
)

var stepStart = time.Date(2026, 11, 23, 14, 2, 0, 0, time.UTC)

func sec(s float64) time.Time { return stepStart.Add(time.Duration(s * float64(time.Second))) }

func step(id, title, host string, status ops.Status, from, to float64) ops.StepState {
	parent := ""
	if i := strings.LastIndexByte(id, '/'); i >= 0 {
		parent = id[:i]
	}
	s := ops.StepState{StepInfo: ops.StepInfo{ID: ops.StepID(id), Parent: ops.StepID(parent), Title: title, Host: host}, Status: status}
	if status != ops.Pending && status != ops.Skipped {
		s.Started = sec(from)
	}
	if status.Ended() && status != ops.Skipped {
		s.Finished = sec(to)
	}
	return s
}

func stepGroup(id, title, host string, status ops.Status, from, to float64) ops.StepState {
	s := step(id, title, host, status, from, to)
	s.Group = true
	return s
}

func noted(s ops.StepState, note string) ops.StepState { s.Note = note; return s }

func progressed(s ops.StepState, p ops.Progress) ops.StepState { s.Progress = p; return s }

func failedWith(s ops.StepState, e *ops.Error) ops.StepState { s.Errors = []*ops.Error{e}; return s }

// place is what a deploy does on one host.
func deployPlace(host string, group ops.Status, parts ...ops.StepState) []ops.StepState {
	g := stepGroup("boot/web_"+host, host+" web", host, group, 9, 16)
	g.Parent = "boot"
	out := []ops.StepState{g}
	for _, p := range parts {
		p.Parent = g.ID
		p.ID = g.ID + "/" + p.ID
		p.Host = host
		out = append(out, p)
	}
	return out
}

func runningDeploy() ops.Task {
	t := ops.Task{ID: "01", App: "app@production", Operation: "deploy", Title: "deploy v3 → production", Status: ops.Running, Started: sec(0)}
	t.Steps = append(t.Steps,
		stepGroup("build", "build and push", "", ops.Done, 0, 6.2),
		step("build/clone", "git clone", "", ops.Done, 0, 1),
		step("build/push", "build and push app:v3", "", ops.Done, 1, 6.2),
		noted(step("lock", "lock", "web-1", ops.Done, 6.2, 6.3), "held by you"),
		stepGroup("pull", "pull app:v3", "", ops.Running, 6.3, 0),
		progressed(step("pull/web-1", "pull", "web-1", ops.Done, 6.3, 8.4), ops.Progress{Done: 84 << 20, Total: 84 << 20, Unit: "bytes"}),
		progressed(step("pull/web-2", "pull", "web-2", ops.Running, 6.3, 0), ops.Progress{Done: 42 << 20, Total: 84 << 20, Unit: "bytes", Text: "extracting"}),
		progressed(step("pull/job-1", "pull", "job-1", ops.Running, 6.3, 0), ops.Progress{Done: 12 << 20, Unit: "bytes"}),
		stepGroup("boot", "boot", "", ops.Running, 9, 0),
	)
	t.Steps = append(t.Steps, deployPlace("web-1", ops.Running,
		step("prepare", "prepare", "", ops.Done, 9, 9.3), step("run", "run", "", ops.Done, 9.3, 10),
		noted(step("health", "health check and switch", "", ops.Running, 14, 0), "GET /up → 503 503 503, v2 still serving"),
		step("settle", "settle", "", ops.Pending, 0, 0))...)
	t.Steps = append(t.Steps, deployPlace("web-2", ops.Running,
		step("prepare", "prepare", "", ops.Done, 9, 9.3), step("run", "run", "", ops.Done, 9.3, 9.9),
		noted(step("health", "health check and switch", "", ops.Done, 9.9, 11.7), "switched"),
		noted(step("settle", "drain", "", ops.Running, 11.7, 0), "12 in flight"))...)
	t.Steps = append(t.Steps, deployPlace("job-1", ops.Pending, step("prepare", "prepare", "", ops.Pending, 0, 0))...)
	t.Steps = append(t.Steps,
		stepGroup("prune", "prune", "", ops.Pending, 0, 0),
		step("prune/web-1", "prune", "web-1", ops.Pending, 0, 0), step("prune/web-2", "prune", "web-2", ops.Pending, 0, 0),
		step("unlock", "release lock", "web-1", ops.Pending, 0, 0))
	return t
}

func failedDeploy() ops.Task {
	t := ops.Task{ID: "02", Title: "deploy v3", Status: ops.Failed, Started: sec(0), Finished: sec(48)}
	t.Steps = append(t.Steps,
		stepGroup("pull", "pull app:v3", "", ops.Done, 0, 8), step("pull/web-1", "pull", "web-1", ops.Done, 0, 8),
		stepGroup("boot", "boot", "", ops.Failed, 9, 47))
	t.Steps = append(t.Steps, deployPlace("web-1", ops.Failed,
		step("prepare", "prepare", "", ops.Done, 9, 9.3), step("run", "run", "", ops.Done, 9.3, 10),
		failedWith(step("health", "health check and switch", "", ops.Failed, 14, 44),
			&ops.Error{Host: "web-1", Summary: "web never became healthy", Cause: errors.New("GET /up → 503")}),
		step("settle", "settle", "", ops.Done, 44, 46))...)
	t.Steps = append(t.Steps, deployPlace("web-2", ops.Cancelled, step("prepare", "prepare", "", ops.Cancelled, 9, 9.1))...)
	t.Steps = append(t.Steps, stepGroup("prune", "prune", "", ops.Skipped, 0, 0), step("prune/web-1", "prune", "web-1", ops.Skipped, 0, 0),
		step("unlock", "release lock", "web-1", ops.Done, 47, 47.2))
	return t
}

// crowdedDeploy has 200 hosts: 2 failed, 3 run, 8 wait.
func crowdedDeploy() ops.Task {
	t := ops.Task{ID: "03", Title: "deploy v3", Status: ops.Running, Started: sec(0)}
	t.Steps = append(t.Steps, stepGroup("boot", "boot", "", ops.Running, 0, 0))
	for i := range 200 {
		host, status := fmt.Sprintf("web-%03d", i), ops.Done
		health := step("health", "health check and switch", "", ops.Done, 3, 5)
		switch {
		case i == 40 || i == 150:
			status = ops.Failed
			health = failedWith(step("health", "health check and switch", "", ops.Failed, 3, 33), &ops.Error{Host: host, Summary: "web never became healthy"})
		case i >= 189 && i < 192:
			status, health = ops.Running, noted(step("health", "health check and switch", "", ops.Running, 3, 0), "GET /up")
		case i >= 192:
			status, health = ops.Pending, step("health", "health check and switch", "", ops.Pending, 0, 0)
		}
		t.Steps = append(t.Steps, deployPlace(host, status, health)...)
	}
	return t
}

func stepFrame(task ops.Task, w, h int) StepFrame {
	return StepFrame{Task: task, Now: sec(18), Width: w, Height: h, Theme: logTheme, Focused: true}
}

func stepText(t *StepTree) string {
	var out []string
	for _, l := range t.Lines() {
		out = append(out, strings.TrimRight(ansi.Strip(l), " "))
	}
	return strings.Join(out, "\n") + "\n"
}

func TestStepTree(t *testing.T) {
	for _, c := range []struct {
		name string
		task ops.Task
		w, h int
		act  func(*StepTree)
	}{
		{"running wide", runningDeploy(), 140, 20, nil},
		{"running narrow", runningDeploy(), 78, 20, nil},
		{"running opened", runningDeploy(), 100, 24, func(t *StepTree) { t.Toggle(); t.Move(kit.Up); t.Move(kit.Top); t.Toggle() }},
		{"failed", failedDeploy(), 120, 20, nil},
		{"failed narrow", failedDeploy(), 60, 20, nil},
		{"crowded", crowdedDeploy(), 120, 20, nil},
		{"crowded rest opened", crowdedDeploy(), 100, 14, func(t *StepTree) { t.Move(kit.Bottom); t.Toggle() }},
		{"ascii", runningDeploy(), 100, 20, func(t *StepTree) { t.frame.Theme = theme.New(theme.Options{ASCII: true, NoColor: true}) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			var tree StepTree
			tree.Sync(stepFrame(c.task, c.w, c.h))
			if c.act != nil {
				c.act(&tree)
			}
			golden.RequireEqual(t, []byte(stepText(&tree)))
		})
	}
}

func TestStepTreeCursor(t *testing.T) {
	at := func(tree *StepTree) ops.StepID { s, _ := tree.Step(); return s.ID }
	var tree StepTree
	tree.Sync(stepFrame(runningDeploy(), 120, 20))
	if got := at(&tree); got != "pull/web-2" {
		t.Errorf("the cursor begins on %q, want what runs first", got)
	}
	tree.Sync(stepFrame(failedDeploy(), 120, 20))
	if got := at(&tree); got != "boot/web_web-1" {
		t.Errorf("after a failure the cursor is on %q", got)
	}
	tree.Move(kit.Top)
	tree.Sync(stepFrame(failedDeploy(), 120, 20))
	if got := at(&tree); got != "pull" || tree.Following() {
		t.Errorf("a moved cursor stays: %q", got)
	}
	tree.Follow()
	if got := at(&tree); got != "boot/web_web-1" {
		t.Errorf("following again: %q", got)
	}
}

func TestStepTreeShowsWhatFollowsTheCursor(t *testing.T) {
	var tree StepTree
	tree.Sync(stepFrame(runningDeploy(), 120, 6))
	at, _ := tree.Step()
	text := stepText(&tree)
	if at.ID != "pull/web-2" || !strings.Contains(text, "web-2") || !strings.Contains(text, "web-1 web") {
		t.Errorf("cursor on %s of\n%s", at.ID, text)
	}
}

func TestStepTreeOpensAndCloses(t *testing.T) {
	task := runningDeploy()
	var tree StepTree
	tree.Sync(stepFrame(task, 120, 40))
	rows := tree.Len()
	tree.Move(kit.Top)
	if s, _ := tree.Step(); s.ID != "build" {
		t.Fatalf("first row is %q", s.ID)
	}
	tree.Move(kit.Right)
	if tree.Len() != rows+2 {
		t.Errorf("a finished group is closed and opens on demand: %d rows, were %d", tree.Len(), rows)
	}
	tree.Move(kit.Down)
	tree.Move(kit.Left)
	if s, _ := tree.Step(); s.ID != "build" {
		t.Errorf("left goes to the group, not to %q", s.ID)
	}
	tree.Move(kit.Left)
	if tree.Len() != rows {
		t.Errorf("%d rows after closing, were %d", tree.Len(), rows)
	}
	for i := range task.Steps {
		if strings.HasPrefix(string(task.Steps[i].ID), "pull") {
			task.Steps[i].Status = ops.Done
			task.Steps[i].Finished = sec(18)
		}
	}
	tree.Sync(stepFrame(task, 120, 40))
	if tree.Len() != rows-3 {
		t.Errorf("a group that finished closes by itself: %d rows, were %d", tree.Len(), rows)
	}
}

// Bytes tell their rate, and how long they take where a total was counted or is
// usual; a bar is drawn of what was counted alone.
func TestStepTreePace(t *testing.T) {
	for _, c := range []struct {
		p       ops.Progress
		elapsed time.Duration
		want    string
	}{
		{ops.Progress{Done: 412 << 20, Usual: 1900 << 20, Unit: "bytes"}, 11 * time.Second, "412M 37M/s · about 40 s left"},
		{ops.Progress{Done: 412 << 20, Unit: "bytes"}, 11 * time.Second, "412M 37M/s"},
		{ops.Progress{Done: 412 << 20, Usual: 400 << 20, Unit: "bytes"}, 11 * time.Second, "412M 37M/s"},
		{ops.Progress{Done: 50 << 20, Total: 100 << 20, Usual: 9 << 30, Unit: "bytes"}, 5 * time.Second, "▮▮▮▮▮▯▯▯▯▯ 50M of 100M 10M/s · about 5 s left"},
		{ops.Progress{Done: 1 << 30, Usual: 61 << 30, Unit: "bytes"}, 20 * time.Second, "1.0G 51M/s · about 20 m left"},
		{ops.Progress{Done: 100, Total: 100, Unit: "bytes"}, 5 * time.Second, "▮▮▮▮▮▮▮▮▮▮ 100B of 100B"},
		{ops.Progress{Done: 9 << 20, Usual: 100 << 20, Unit: "bytes"}, 900 * time.Millisecond, "9M"},
		{ops.Progress{Done: 3, Total: 14, Unit: "steps"}, time.Minute, "▮▮▯▯▯▯▯▯▯▯ 3 of 14 steps"},
	} {
		var parts []string
		for _, cell := range progressCells(c.p, c.elapsed, logTheme) {
			parts = append(parts, cell.Text)
		}
		if got := strings.Join(parts, " "); got != c.want {
			t.Errorf("%+v after %s shows %q, want %q", c.p, c.elapsed, got, c.want)
		}
	}
}

// A bar is drawn only where a total was counted.
func TestStepTreeBarsAreFacts(t *testing.T) {
	for _, c := range []struct {
		p    ops.Progress
		want string
	}{
		{ops.Progress{}, ""},
		{ops.Progress{Done: 12 << 20, Unit: "bytes"}, "12M"},
		{ops.Progress{Done: 42 << 20, Total: 84 << 20, Unit: "bytes"}, "▮▮▮▮▮▯▯▯▯▯ 42M of 84M"},
		{ops.Progress{Done: 99, Total: 84, Unit: "bytes"}, "▮▮▮▮▮▮▮▮▮▮ 99B of 84B"},
		{ops.Progress{Done: 3, Total: 14, Unit: "steps", Text: "RUN bundle"}, "▮▮▯▯▯▯▯▯▯▯ 3 of 14 steps RUN bundle"},
		{ops.Progress{Text: "waiting for the registry"}, "waiting for the registry"},
	} {
		var parts []string
		for _, cell := range progressCells(c.p, 0, logTheme) {
			parts = append(parts, cell.Text)
		}
		if got := strings.Join(parts, " "); got != c.want {
			t.Errorf("%+v shows %q, want %q", c.p, got, c.want)
		}
	}
}

// Whatever the task and the size: never more rows than asked for, none wider.
func TestStepTreeExactSize(t *testing.T) {
	random := rand.New(rand.NewPCG(10, 11))
	tasks := []ops.Task{runningDeploy(), failedDeploy(), crowdedDeploy(), {}}
	statuses := []ops.Status{ops.Pending, ops.Running, ops.Done, ops.Failed, ops.Skipped, ops.Cancelled}
	for i := range 80 {
		task := tasks[random.IntN(len(tasks))]
		task.Steps = append([]ops.StepState(nil), task.Steps...)
		for n := range task.Steps {
			if random.IntN(10) == 0 {
				task.Steps[n].Title = nasty[random.IntN(len(nasty))]
				task.Steps[n].Note = nasty[random.IntN(len(nasty))]
				task.Steps[n].Status = statuses[random.IntN(len(statuses))]
				task.Steps[n].Progress = ops.Progress{Done: random.Int64N(1 << 40), Total: random.Int64N(2) * random.Int64N(1<<40), Unit: "bytes", Text: "日本語"}
			}
		}
		w, h := 1+random.IntN(210), 1+random.IntN(50)
		frame := stepFrame(task, w, h)
		frame.Theme = themes[i%len(themes)]
		var tree StepTree
		tree.Sync(frame)
		for range 5 {
			switch random.IntN(3) {
			case 0:
				tree.Toggle()
			default:
				tree.Move([]kit.Action{kit.Up, kit.Down, kit.PageDown, kit.Top, kit.Bottom, kit.Left, kit.Right}[random.IntN(7)])
			}
			lines := tree.Lines()
			if len(lines) > h || tree.Len() >= h && len(lines) != h {
				t.Fatalf("%dx%d: %d lines of %d rows", w, h, len(lines), tree.Len())
			}
			for _, l := range lines {
				if got := ansi.StringWidth(l); got > w || strings.Contains(l, "\n") {
					t.Fatalf("%dx%d: line of %d cells: %q", w, h, got, l)
				}
			}
		}
	}
}

func BenchmarkStepTree200Hosts(b *testing.B) {
	task := crowdedDeploy()
	var tree StepTree
	for b.Loop() {
		tree.Sync(stepFrame(task, 200, 50))
		tree.Lines()
	}
}
