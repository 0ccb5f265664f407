package ops_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"binnacle/ops"
)

// everyTaskEvent is one of each kind that is journalled, with every field set.
func everyTaskEvent() []ops.Event {
	failed := []*ops.Error{{Summary: "no", Host: "vm1", Command: "docker run", Hint: "try again", Cause: errors.New("exit status 1"), Evidence: []ops.Evidence{{Title: "log", Lines: []string{"a", "b"}}}}}
	return []ops.Event{
		ops.TaskStarted{Task: "T", At: at(0), App: "shop", Operation: "deploy", Title: "deploy v2", Version: "v2", Risk: ops.Disrupt, User: "ana", Host: "laptop", PID: 7,
			Steps: []ops.StepInfo{{ID: "boot", Title: "boot", Group: true, Mode: ops.Parallel}, {ID: "boot/run", Parent: "boot", Title: "run", Host: "vm1", Depth: 1, Commands: []string{"docker run"}, Always: true}}},
		ops.StepStarted{Task: "T", Step: "boot/run", At: at(1)},
		ops.StepProgressed{Task: "T", Step: "boot/run", At: at(1), Progress: ops.Progress{Done: 1, Total: 2, Unit: "bytes", Text: "layer", Usual: 3}},
		ops.StepNoted{Task: "T", Step: "boot/run", At: at(1), Note: "half"},
		ops.LineWritten{Task: "T", Step: "boot/run", At: at(1), Host: "vm1", Stream: ops.Stderr, Text: "<warning> & more"},
		ops.ResultWritten{Task: "T", Step: "boot/run", At: at(1), Host: "vm1", Text: "result"},
		ops.StepFinished{Task: "T", Step: "boot/run", At: at(2), Status: ops.Failed, Errors: failed},
		ops.TaskCancelling{Task: "T", At: at(2), By: "SIGTERM"},
		ops.TaskFinished{Task: "T", At: at(3), Status: ops.Failed, Errors: failed, Serving: []ops.Serving{{Role: "web", Host: "vm1", Version: "v1"}}, Lock: "released"},
	}
}

func TestEveryEventSurvivesTheJournal(t *testing.T) {
	journals := ops.Journals{Dir: t.TempDir()}
	path := written(t, journals, everyTaskEvent()...)
	got, err := journals.Read(path)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range everyTaskEvent() {
		if i >= len(got) {
			t.Fatalf("%d events, want %d", len(got), len(everyTaskEvent()))
		}
		if !reflect.DeepEqual(flat(got[i]), flat(want)) {
			t.Errorf("event %d\n got %+v\nwant %+v", i, got[i], want)
		}
	}
}

func TestHasAJournal(t *testing.T) {
	journals := ops.Journals{Dir: t.TempDir()}
	path := written(t, journals, everyTaskEvent()...)
	app := ops.AppID(filepath.Base(filepath.Dir(path)))
	for task, want := range map[ops.TaskID]bool{"T": true, "U": false, "": false, "../" + ops.TaskID(app) + "/T": false} {
		if got := journals.Has(app, task); got != want {
			t.Errorf("task %q: %v", task, got)
		}
	}
}

// Keys are snake_case, durations are milliseconds, and facts of the fleet are not
// written.
func TestRecords(t *testing.T) {
	var recorder ops.Recorder
	snake := regexp.MustCompile(`^[a-z]+(_[a-z]+)*$`)
	for _, e := range everyTaskEvent() {
		rec, ok := recorder.Record(e)
		if !ok {
			t.Fatalf("%T has no record", e)
		}
		data, err := json.Marshal(rec)
		if err != nil {
			t.Fatal(err)
		}
		var keys map[string]any
		if err := json.Unmarshal(data, &keys); err != nil {
			t.Fatal(err)
		}
		for _, k := range []string{"v", "time", "type", "app", "task"} {
			if keys[k] == nil {
				t.Errorf("%s has no %s", rec.Type, k)
			}
		}
		for k := range keys {
			if !snake.MatchString(k) {
				t.Errorf("%s: key %s", rec.Type, k)
			}
		}
		if rec.Type == "step_finished" && rec.ElapsedMS != 60_000 || rec.Type == "task_finished" && rec.ElapsedMS != 180_000 {
			t.Errorf("%s took %d ms", rec.Type, rec.ElapsedMS)
		}
	}
	for _, e := range []ops.Event{ops.HostSeen{}, ops.ContainersSeen{}, ops.Noticed{}, ops.QuestionAsked{}, ops.LockSeen{}} {
		if _, ok := recorder.Record(e); ok {
			t.Errorf("%T is journalled", e)
		}
	}
	if _, ok := (ops.Record{Type: "from_the_future"}).Event(); ok {
		t.Error("a type that nobody knows is an event")
	}
}

func TestAJournalThatWasCutOff(t *testing.T) {
	tests := []struct {
		name   string
		change func(text string) string
		events int
		err    string
	}{
		{"whole", func(s string) string { return s }, 9, ""},
		{"in the middle of the last line", func(s string) string { return s[:len(s)-20] }, 8, ""},
		{"before the last line break", func(s string) string { return s[:len(s)-1] }, 8, ""},
		{"empty", func(string) string { return "" }, 0, ""},
		{"records of a later version between", func(s string) string { return `{"v":2,"type":"weather"}` + "\n" + s }, 9, ""},
		{"damaged in the middle", func(s string) string { return strings.Replace(s, `"type":"step_note"`, `"type":"step_n`, 1) }, 3, "journal line 4"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			journals := ops.Journals{Dir: t.TempDir()}
			path := written(t, journals, everyTaskEvent()...)
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(tt.change(string(text))), 0o600); err != nil {
				t.Fatal(err)
			}
			events, err := journals.Read(path)
			if len(events) != tt.events || (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
				t.Errorf("%d events, %v, want %d, %q", len(events), err, tt.events, tt.err)
			}
		})
	}
}

func TestJournalsAreTheirOwnersAlone(t *testing.T) {
	journals := ops.Journals{Dir: filepath.Join(t.TempDir(), "tasks")}
	for _, path := range []string{written(t, journals), filepath.Dir(written2(t, journals))} {
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s: %v, %v", path, info.Mode(), err)
		}
	}
	if _, err := journals.Create("shop", "T"); err == nil {
		t.Error("a second journal of a task took the place of the first")
	}
	entries, err := journals.List("")
	if err != nil || len(entries) != 2 || entries[0].Task != "T" || entries[1].App != "shop@staging" {
		t.Errorf("entries %+v, %v", entries, err)
	}
	if entries, _ := journals.List("blog"); len(entries) != 0 {
		t.Errorf("another app has %v", entries)
	}
	if entries, err := (ops.Journals{Dir: filepath.Join(t.TempDir(), "none")}).List(""); err != nil || len(entries) != 0 {
		t.Errorf("no folder: %v, %v", entries, err)
	}
}

// Helpers

func written(t *testing.T, journals ops.Journals, events ...ops.Event) (path string) {
	t.Helper()
	return writtenAs(t, journals, "shop", "T", events...)
}

func written2(t *testing.T, journals ops.Journals) (path string) {
	t.Helper()
	return writtenAs(t, journals, "shop@staging", "U")
}

func writtenAs(t *testing.T, journals ops.Journals, app ops.AppID, id ops.TaskID, events ...ops.Event) string {
	t.Helper()
	j, err := journals.Create(app, id)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range events {
		j.Write(e)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(journals.Dir, string(app), string(id)+".jsonl")
}

// flat is an event as comparable data: an error's cause is its text.
func flat(e ops.Event) string {
	var recorder ops.Recorder
	rec, _ := recorder.Record(e)
	data, _ := json.Marshal(rec)
	return string(data)
}
