package ui_test

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"

	"binnacle/ops"
	"binnacle/ui"
	"binnacle/ui/theme"
)

func TestRollbackPicksThenConfirms(t *testing.T) {
	w := newWorld(scenes()["live"]...)
	w.plan = ops.Plan{Title: "roll back to v1 → production", Risk: ops.Change, Effects: []ops.Effect{{Label: "stops", Text: "v2 on 4 places"}}}
	s := w.stage(t, 100, 30)
	s.Press("R")
	has(t, s, "roll back to", "v1", "serving now")
	s.Press("enter") // the cursor starts on the newest version that does not serve
	has(t, s, "[ Cancel ]", "v2 on 4 places", "shop, production")
	if len(w.requests) != 1 || w.requests[0].Operation != "rollback" || w.requests[0].Params.Text("VERSION") != "v1" {
		t.Fatalf("planned %+v", w.requests)
	}
	w.now = w.now.Add(time.Second)
	s.Press("enter")
	if len(w.started) != 0 {
		t.Fatal("enter on a fresh dialog started the rollback")
	}
	hasNot(t, s, "[ Cancel ]")
	s.Press("R")
	s.Press("enter")
	w.now = w.now.Add(time.Second)
	s.Press("shift+tab")
	s.Press("enter")
	if len(w.started) != 1 || w.started[0].Plan.Title != "roll back to v1 → production" {
		t.Fatalf("started %+v", w.started)
	}
}

func TestDeployAsksForTheVersion(t *testing.T) {
	w := newWorld(scenes()["live"]...)
	w.plan = ops.Plan{Title: "deploy v3 → production", Risk: ops.Change}
	s := w.stage(t, 100, 30)
	s.Press("D")
	has(t, s, "deploy: build, push and boot a version", "skip-push", "roles", "hosts")
	s.Type("v3")
	s.Press("tab")
	s.Press("space")
	s.Press("tab")
	s.Type("web")
	s.Press("ctrl+s")
	r := w.requests[0]
	if r.Params.Text("version") != "v3" || !r.Params.On("skip-push") || len(r.Roles) != 1 || r.Roles[0] != "web" || r.App != app {
		t.Fatalf("planned %+v", r)
	}
	has(t, s, "deploy v3 → production", "[ Cancel ]", "Options")
}

func TestSurprisesTakeNoKeys(t *testing.T) {
	w := newWorld(scenes()["live"]...)
	s := w.stage(t, 100, 30)
	w.happen(ops.QuestionAsked{Question: ops.Question{ID: "q1", Title: "unknown host key of web-9", Lines: []string{"SHA256:abcdef"}, Choices: []string{"refuse", "accept"}}})
	s.Refresh()
	has(t, s, "SHA256:abcdef", "[ refuse ]")
	s.Press("enter")
	if len(w.answers) != 0 {
		t.Fatal("a key that was under way answered the question")
	}
	w.now = w.now.Add(time.Second)
	s.Press("tab")
	s.Press("enter")
	if a := w.answers["q1"]; !a.Given || a.Choice != "accept" {
		t.Fatalf("answered %+v", a)
	}
	s.Refresh() // the state still has the question until the answer was taken
	hasNot(t, s, "SHA256:abcdef")
}

func TestPassphraseIsNotShown(t *testing.T) {
	w := newWorld(scenes()["live"]...)
	s := w.stage(t, 100, 30)
	w.happen(ops.QuestionAsked{Question: ops.Question{ID: "q2", Title: "passphrase of id_ed25519", Secret: true}})
	s.Refresh()
	w.now = w.now.Add(time.Second)
	s.Type("hunter2")
	hasNot(t, s, "hunter2", "*******")
	s.Press("enter")
	if a := w.answers["q2"]; a.Text != "hunter2" {
		t.Fatalf("answered %+v", a)
	}
}

func TestDataLossWantsTheNameTyped(t *testing.T) {
	w := newWorld(scenes()["live"]...)
	w.plan = ops.Plan{Title: "remove → production", Risk: ops.DataLoss, Operation: "remove"}
	s := w.stage(t, 100, 30)
	s.Press(":")
	s.Type("remove")
	s.Press("enter")
	w.now = w.now.Add(time.Second)
	has(t, s, "type production to go on")
	s.Type("prod")
	hasNot(t, s, "  Remove  ")
	s.Press("tab")
	s.Press("enter") // wraps to Cancel
	if len(w.started) != 0 {
		t.Fatal("started without the name")
	}
	s.Press(":")
	s.Type("remove")
	s.Press("enter")
	w.now = w.now.Add(time.Second)
	s.Type("production")
	s.Press("tab")
	s.Press("enter")
	if len(w.started) != 1 {
		t.Fatalf("started %+v", w.started)
	}
}

func TestQuitAsksWhileAChangeRuns(t *testing.T) {
	w := newWorld(scenes()["deploying"]...)
	s := w.stage(t, 100, 30)
	s.Press("q")
	has(t, s, "leave while a change runs?", "[ Stay ]", "Leave it running")
	s.Press("enter")
	if s.Quit() {
		t.Fatal("the first button left")
	}
	s.Press("q")
	s.Press("tab")
	s.Press("enter") // wait
	if s.Quit() {
		t.Fatal("did not wait")
	}
	w.happen(ops.TaskFinished{Task: "T2", At: noon(), Status: ops.Done})
	s.Refresh()
	if !s.Quit() || len(s.Outcome().Left) != 0 {
		t.Fatal("did not leave when the task had ended")
	}
}

func TestQuitCanLeaveAChangeRunning(t *testing.T) {
	w := newWorld(scenes()["deploying"]...)
	s := w.stage(t, 100, 30)
	for _, k := range []string{"q", "shift+tab", "enter"} {
		s.Press(k)
	}
	if left := s.Outcome().Left; !s.Quit() || len(left) != 1 || left[0] != "T2" {
		t.Fatalf("left %v, quit %v", left, s.Quit())
	}
}

func TestEscNeverQuits(t *testing.T) {
	s := newWorld(scenes()["live"]...).stage(t, 100, 30)
	s.Press("d")
	has(t, s, "web-1", "Docker")
	for range 5 {
		s.Press("esc")
	}
	if s.Quit() {
		t.Fatal("esc left the console")
	}
	s.Press("q")
	if !s.Quit() {
		t.Fatal("q did not leave the console")
	}
}

func TestFilterIsAChip(t *testing.T) {
	s := newWorld(scenes()["live"]...).stage(t, 140, 40)
	s.Press("/")
	s.Type("web-[12]")
	s.Press("enter")
	has(t, s, " /web-[12] ")
	if n := strings.Count(plain(s.Frame()), "● web-"); n != 2 {
		t.Errorf("%d hosts match", n)
	}
	s.Press("/")
	for range 8 {
		s.Press("backspace")
	}
	s.Type("!web")
	s.Press("enter")
	has(t, s, "● job-1")
	hasNot(t, s, "● web-1 ")
	s.Press("esc")
	has(t, s, "● web-1 ")
}

func TestCancelIsAskedFirst(t *testing.T) {
	w := newWorld(scenes()["deploying"]...)
	s := w.stage(t, 100, 30)
	s.Press("5")
	s.Press("x")
	has(t, s, "stop deploy v3", "[ Let it run ]")
	s.Press("tab")
	s.Press("enter")
	if len(w.cancelled) != 1 || w.cancelled[0] != "T2" {
		t.Fatalf("cancelled %v", w.cancelled)
	}
}

func TestLockIsExplainedAndReleased(t *testing.T) {
	w := newWorld(scenes()["deadlock"]...)
	w.plan = ops.Plan{Title: "release the lock", Risk: ops.Change}
	s := w.stage(t, 100, 30)
	s.Press("L")
	has(t, s, "deploy lock: held", "bo", "pid 99 on this machine is gone", "3 h ago")
	s.Press("tab")
	s.Press("enter")
	if len(w.requests) != 1 || w.requests[0].Operation != "lock release" {
		t.Fatalf("planned %+v", w.requests)
	}
	has(t, s, "release the lock", "[ Cancel ]")
}

func TestHelpAndPaletteRun(t *testing.T) {
	s := newWorld(scenes()["live"]...).stage(t, 100, 30)
	s.Press("?")
	s.Type("go to tasks")
	s.Press("enter")
	has(t, s, "5 Tasks")
	s.Press(":")
	s.Type("containers")
	s.Press("enter")
	s.Press("d")
	has(t, s, "shop-web-production-v2")
}

func TestPaletteTakesParameters(t *testing.T) {
	w := newWorld(scenes()["live"]...)
	s := w.stage(t, 100, 30)
	s.Press(":")
	s.Type("deploy v9 skip-push")
	s.Press("enter")
	if r := w.requests[0]; r.Params.Text("version") != "v9" || !r.Params.On("skip-push") {
		t.Fatalf("planned %+v", r)
	}
}

func TestOperationsOnAnAccessoryAreAimedAtItsRow(t *testing.T) {
	name := ops.Param{Name: "NAME", Kind: ops.Text, Positional: true, Required: true}
	o := newWorld(scenes()["live"]...)
	options := o.options()
	options.Catalog = append(options.Catalog,
		ops.Operation{Name: "accessory restart", Scope: ops.ScopeAccessory, Risk: ops.Disrupt, Params: []ops.Param{name}},
		ops.Operation{Name: "accessory exec", Scope: ops.ScopeAccessory, Risk: ops.Change, Params: []ops.Param{name, {Name: "CMD", Kind: ops.Words, Positional: true, Required: true}}},
		ops.Operation{Name: "accessory upload", Summary: "put files in place", Scope: ops.ScopeAccessory, Risk: ops.Change, Hidden: true, Params: []ops.Param{name}},
	)
	s, err := ui.NewStage(t.Context(), options, 140, 40)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	asked := func(want string) {
		t.Helper()
		if len(o.requests) == 0 {
			t.Fatalf("nothing was planned:\n%s", plain(s.Frame()))
		}
		r := o.requests[len(o.requests)-1]
		if got := r.Operation + " " + r.Params.Text("NAME") + " " + r.Params.Text("CMD"); strings.TrimSpace(got) != want {
			t.Errorf("planned %q, want %q", got, want)
		}
		s.Press("esc")
	}
	s.Press("3")
	s.Press("T")
	asked("accessory restart db")
	s.Press("j")
	s.Press(":")
	s.Type("accessory restart")
	s.Press("enter")
	asked("accessory restart redis")
	s.Press(":")
	s.Type("accessory restart db")
	s.Press("enter")
	asked("accessory restart db")
	s.Press(":")
	s.Type("accessory exec CMD=info")
	s.Press("enter")
	asked("accessory exec redis info")
	s.Press(":")
	s.Type("accessory upload")
	hasNot(t, s, "put files in place") // it is hidden
	s.Press("esc")
	s.Press("esc")
	s.Press("1")
	s.Press(":")
	s.Type("accessory restart")
	s.Press("enter")
	has(t, s, "NAME") // a host is no accessory
}

func TestASwitchThatIsOnByItselfCanBeSwitchedOff(t *testing.T) {
	w := newWorld(scenes()["live"]...)
	options := w.options()
	options.Catalog = append(options.Catalog, ops.Operation{Name: "configure", Risk: ops.Change, Params: []ops.Param{
		{Name: "SUBCOMMAND", Kind: ops.Text, Required: true}, {Name: "publish", Kind: ops.Toggle, Default: "true"},
	}})
	s, err := ui.NewStage(t.Context(), options, 100, 30)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	s.Press(":")
	s.Type("configure")
	s.Press("enter")
	s.Type("set")
	s.Press("tab")
	s.Press("space")
	s.Press("ctrl+s")
	if len(w.requests) != 1 || w.requests[0].Params.Text("publish") != "false" {
		t.Fatalf("planned %+v", w.requests)
	}
}

func TestFailuresAreExplained(t *testing.T) {
	w := newWorld(scenes()["live"]...)
	w.planError = &ops.Error{Summary: "no such version", Host: "web-2", Cause: errors.New("image not found"), Hint: "R lists what is there"}
	s := w.stage(t, 100, 30)
	s.Press("R")
	s.Press("enter")
	has(t, s, "rollback cannot be planned", "no such version", "web-2", "image not found", "R lists what is there")
}

func TestMouse(t *testing.T) {
	s := newWorld(scenes()["live"]...).stage(t, 140, 40)
	s.Send(tea.MouseClickMsg{X: 80, Y: 5, Button: tea.MouseLeft}) // the third container
	s.Press("d")
	has(t, s, "shop-web-production-v2", "web-3")
	s.Press("esc")
	s.Send(tea.MouseWheelMsg{X: 80, Y: 5, Button: tea.MouseWheelDown})
	s = newWorld(scenes()["live"]...).stage(t, 80, 24)
	s.Send(tea.MouseClickMsg{X: 24, Y: 1, Button: tea.MouseLeft})
	has(t, s, "[2 Containers")
}

func TestKeysYAML(t *testing.T) {
	w := newWorld(scenes()["live"]...)
	o := w.options()
	o.Keys = map[string][]string{"deploy": {"Z"}, "rollback": {}}
	s, err := ui.NewStage(t.Context(), o, 100, 30)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	s.Press("R")
	hasNot(t, s, "roll back to")
	s.Press("Z")
	has(t, s, "deploy: build")
	for name, keys := range map[string]map[string][]string{
		"clash":   {"deploy": {"R"}},
		"unknown": {"nonsense": {"z"}},
		"motion":  {"deploy": {"ctrl+d"}},
		"enter":   {"rollback": {"enter"}},
	} {
		o.Keys = keys
		if _, err := ui.NewStage(t.Context(), o, 80, 24); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
}

func TestProductionLooksDifferent(t *testing.T) {
	w := newWorld(fleet()...)
	o := w.options()
	prod, err := ui.Render(t.Context(), o, 100, 30)
	if err != nil {
		t.Fatal(err)
	}
	staging := shop()
	staging.App.ID, staging.App.Destination = "shop@staging", "staging"
	w2 := newWorld(staging)
	o = w2.options()
	o.App = "shop@staging"
	other, err := ui.Render(t.Context(), o, 100, 30)
	if err != nil {
		t.Fatal(err)
	}
	tint := theme.New(theme.Options{Dark: true, Production: true}).On(theme.Tint, theme.Brand, " production ")
	if !strings.Contains(prod, tint) {
		t.Error("production has no tint")
	}
	if strings.Contains(other, theme.New(theme.Options{Dark: true}).On(theme.Tint, theme.Brand, "staging")) {
		t.Error("staging has a tint")
	}
}

func TestEarlierCommandsComeBack(t *testing.T) {
	w := newWorld(scenes()["live"]...)
	var kept []string
	o := w.options()
	o.History = []string{"notices"}
	o.Remember = func(line string) { kept = append(kept, line) }
	s, err := ui.NewStage(t.Context(), o, 100, 30)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	s.Press(":")
	s.Press("up")
	s.Press("enter")
	has(t, s, "nothing happened yet")
	if len(kept) != 0 {
		t.Errorf("kept %v again", kept)
	}
	s.Press(":")
	s.Type("tasks")
	s.Press("enter")
	if len(kept) != 1 || kept[0] != "tasks" {
		t.Errorf("kept %v", kept)
	}
}

func has(t *testing.T, s *ui.Stage, texts ...string) {
	t.Helper()
	frame := plain(s.Frame())
	for _, text := range texts {
		if !strings.Contains(frame, text) {
			t.Fatalf("%q is not on screen:\n%s", text, frame)
		}
	}
}

func hasNot(t *testing.T, s *ui.Stage, texts ...string) {
	t.Helper()
	frame := plain(s.Frame())
	for _, text := range texts {
		if strings.Contains(frame, text) {
			t.Fatalf("%q is on screen:\n%s", text, frame)
		}
	}
}

func TestQuestionsComeThroughWhilePlanning(t *testing.T) {
	w := newWorld(scenes()["live"]...)
	w.plan = ops.Plan{Title: "roll back to v1", Risk: ops.Change}
	s := w.stage(t, 100, 30)
	w.during = func() {
		w.happen(ops.QuestionAsked{Question: ops.Question{ID: "q1", Title: "unknown host key", Choices: []string{"refuse", "accept"}}})
		s.Refresh()
		has(t, s, "unknown host key")
		w.now = w.now.Add(time.Second)
		s.Press("tab")
		s.Press("enter")
		has(t, s, "planning rollback")
	}
	s.Press("R")
	s.Press("enter")
	if a := w.answers["q1"]; a.Choice != "accept" {
		t.Fatalf("answered %+v", a)
	}
	has(t, s, "roll back to v1", "[ Cancel ]")
}

func TestPlanningCanBeGivenUp(t *testing.T) {
	w := newWorld(scenes()["live"]...)
	w.plan = ops.Plan{Title: "roll back to v1", Risk: ops.Change}
	s := w.stage(t, 100, 30)
	w.during = func() { s.Press("esc") }
	s.Press("R")
	s.Press("enter")
	hasNot(t, s, "[ Cancel ]", "planning")
}

func TestTasksThatEndElsewhereAreAnnounced(t *testing.T) {
	w := newWorld(scenes()["deploying"]...)
	s := w.stage(t, 120, 34)
	w.happen(ops.TaskFinished{Task: "T2", At: noon(), Status: ops.Failed})
	s.Refresh()
	has(t, s, "deploy v3 → production: failed after 18 s")
	s.Press("esc")
	hasNot(t, s, "failed after 18 s")
	w.happen(ops.Noticed{At: noon(), Text: "the link to web-2 flaps", Err: true})
	s.Refresh()
	has(t, s, "the link to web-2 flaps")
}

func TestMarkedHostsNarrowADeploy(t *testing.T) {
	w := newWorld(scenes()["live"]...)
	s := w.stage(t, 140, 40)
	s.Press("space")
	s.Press("space")
	s.Press("D")
	has(t, s, "web-1,web-2")
	s.Press("ctrl+s")
	if r := w.requests[0]; len(r.Hosts) != 2 || r.Hosts[1] != "web-2" {
		t.Fatalf("planned %+v", r)
	}
}

func TestDialogsTakeTheMouse(t *testing.T) {
	w := newWorld(scenes()["deploying"]...)
	s := w.stage(t, 100, 30)
	s.Press("q")
	for y, line := range strings.Split(plain(s.Frame()), "\n") {
		if before, _, found := strings.Cut(line, "Leave it running"); found {
			s.Send(tea.MouseClickMsg{X: len([]rune(before)) + 3, Y: y, Button: tea.MouseLeft})
		}
	}
	if !s.Quit() || len(s.Outcome().Left) != 1 {
		t.Fatal("the click did not leave it running")
	}
}

func TestLogsFollowWhatIsPointedAt(t *testing.T) {
	w := newWorld(scenes()["live"]...)
	s := w.stage(t, 140, 40)
	all := w.logs.selected
	s.Press("j")
	if w.logs.selected.Equal(all) {
		t.Error("the logs do not follow the host under the cursor")
	}
	s.Press("esc")
	if !w.logs.selected.Equal(all) {
		t.Error("the logs do not follow the whole app after esc")
	}
	s.Press("2")
	s.Press("l")
	has(t, s, "4 Logs")
	if w.logs.selected.Equal(all) {
		t.Error("l on a container follows everything")
	}
}

func TestSavedFilesAreNew(t *testing.T) {
	w := newWorld(scenes()["live"]...)
	w.saves = t.TempDir()
	s := w.stage(t, 140, 40)
	s.Press("4")
	s.Press("ctrl+s")
	has(t, s, "saved ")
	s.Press("ctrl+s")
	files, err := os.ReadDir(w.saves)
	if err != nil || len(files) != 2 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	if info, err := files[0].Info(); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}
