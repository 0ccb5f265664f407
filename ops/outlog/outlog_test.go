package outlog

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"binnacle/config"
	"binnacle/ops"
)

func TestFile(t *testing.T) {
	dir := t.TempDir()
	cfg := load(t, dir, "staging", "file: { path: log/deploys }")
	told := record(t, Options{Config: cfg, Performer: performer}, deploy("T1", "app boot", ops.Done)...)
	path := filepath.Join(dir, "log", "deploys", began().Local().Format("2006-01-02T15-04-05")+"_staging_app_boot.log")
	if len(told) != 1 || told[0] != (Report{Text: "Logs written to " + path}) {
		t.Fatalf("told %v", told)
	}
	want := strings.Join([]string{
		"# boot v3 (shop@staging)",
		at(1) + " vm1      $ docker run shop:v3",
		at(2) + " vm1      | 0123abcd",
		at(3) + " local    | a hook speaks",
		"# Completed in 12.3s", "",
	}, "\n")
	if got := read(t, path); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestFileOfAFailure(t *testing.T) {
	dir := t.TempDir()
	cfg := load(t, dir, "", "file: { path: "+filepath.Join(dir, "absolute")+" }")
	record(t, Options{Config: cfg, Performer: performer}, deploy("T1", "deploy", ops.Failed)...)
	path := filepath.Join(dir, "absolute", began().Local().Format("2006-01-02T15-04-05")+"_deploy.log")
	text := read(t, path)
	for _, want := range []string{"✕ vm1: health: connection refused", "# FAILED: TaskFailed: vm1: health: connection refused (12.3s)\n"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}

func TestFileThatCannotBeWritten(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "taken"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	cfg := load(t, dir, "", "file: { path: taken }")
	told := record(t, Options{Config: cfg, Performer: performer}, deploy("T1", "deploy", ops.Done)...)
	if len(told) != 1 || !told[0].Failed || !strings.Contains(told[0].Text, "taken") {
		t.Errorf("told %v", told)
	}
}

// TestOnlyChangesAreLogged holds what Kamal logs.
func TestOnlyChangesAreLogged(t *testing.T) {
	for name, want := range map[string]bool{
		"deploy": true, "rollback": true, "app stop": true, "accessory boot": true, "proxy reboot": true, "prune all": true,
		"server bootstrap": true, "build push": false, "registry login": false, "lock acquire": false, "app exec": false,
		"server exec": false, "proxy boot_config": false,
	} {
		if got := Logged(ops.TaskStarted{Operation: name, Risk: ops.Change}); got != want {
			t.Errorf("%s is logged: %v", name, got)
		}
	}
	if Logged(ops.TaskStarted{Operation: "app details", Risk: ops.Read}) {
		t.Error("a read is logged")
	}
	dir := t.TempDir()
	told := record(t, Options{Config: load(t, dir, "", "file: { path: log }"), Performer: performer}, deploy("T1", "build push", ops.Done)...)
	if _, err := os.Stat(filepath.Join(dir, "log")); len(told) > 0 || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("told %v, %v", told, err)
	}
}

func TestNoOutputNoRecorder(t *testing.T) {
	var none *Recorder
	if r := Start(t.Context(), nil, Options{Config: load(t, t.TempDir(), "", "")}); r != none || r.Reports("T1") != nil {
		t.Errorf("got %v", r)
	}
	none.Wait()
}

func TestOTel(t *testing.T) {
	got := &receiver{}
	server := httptest.NewServer(got)
	defer server.Close()
	cfg := load(t, t.TempDir(), "staging", "otel: { endpoint: '"+strings.Replace(server.URL, "http://", "http://me:secret@", 1)+"/' }")
	told := record(t, Options{Config: cfg, Performer: performer}, deploy("T1", "deploy", ops.Failed)...)
	if len(told) != 1 || told[0].Failed || !strings.HasPrefix(told[0].Text, "Logs sent to http://me:xxxxx@127.0.0.1") {
		t.Errorf("told %v", told)
	}
	if got.path != "/v1/logs" || got.kind != "application/json" || got.user != "me" {
		t.Errorf("path %s, content %s, user %s", got.path, got.kind, got.user)
	}
	origin := attributes(got.all[0].Resource.Attributes)
	for key, want := range map[string]string{
		"service.name": "kamal", "service.version": "2.12.0", "kamal.performer": "ana@example.com",
		"deployment.environment.name": "staging", "kamal.deploy_version": "v3", "service.namespace": "shop",
	} {
		if origin[key] != want {
			t.Errorf("%s is %v, want %s", key, origin[key], want)
		}
	}
	run, _ := origin["kamal.run_id"].(string)
	if len(run) != 36 || run[14] != '4' {
		t.Errorf("run id %q is no UUID", run)
	}
	records := got.records()
	var lines []string
	for _, r := range records {
		lines = append(lines, r.SeverityText+" "+*r.Body.String)
	}
	want := "INFO kamal.start,INFO docker run shop:v3,DEBUG 0123abcd,DEBUG a hook speaks,ERROR vm1: health: connection refused,ERROR kamal.failed"
	if text := strings.Join(lines, ","); text != want {
		t.Fatalf("got  %s\nwant %s", text, want)
	}
	if a := attributes(records[2].Attributes); a["server.address"] != "vm1" || a["log.iostream"] != "stdout" || records[2].SeverityNumber != 5 {
		t.Errorf("output: %v", a)
	}
	if r := records[0]; r.EventName != "kamal.start" || attributes(r.Attributes)["deployment.id"] != run || r.TimeUnixNano != "1795411200000000000" {
		t.Errorf("start: %+v", r)
	}
	end := attributes(records[5].Attributes)
	for key, want := range map[string]any{
		"kamal.command": "deploy", "kamal.runtime": 12.3, "exception.message": "vm1: health: connection refused",
		"deployment.status": "failed", "deployment.name": "deploy shop",
	} {
		if end[key] != want {
			t.Errorf("%s is %v, want %v", key, end[key], want)
		}
	}
}

func TestOTelThatRefuses(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }))
	defer server.Close()
	cfg := load(t, t.TempDir(), "", "otel: { endpoint: '"+server.URL+"' }")
	told := record(t, Options{Config: cfg, Performer: performer}, deploy("T1", "deploy", ops.Done)...)
	if len(told) != 1 || !told[0].Failed || !strings.HasSuffix(told[0].Text, "failed: HTTP 418 I'm a teapot") {
		t.Errorf("told %v", told)
	}
	server.Close()
	told = record(t, Options{Config: cfg, Performer: performer}, deploy("T1", "deploy", ops.Done)...)
	if len(told) != 1 || !told[0].Failed || !strings.Contains(told[0].Text, "connection refused") {
		t.Errorf("told %v", told)
	}
}

// TestOTelBatches holds that records go when there are a hundred, or when five
// seconds are over, and that a receiver which hangs does not hold up the end.
func TestOTelBatches(t *testing.T) {
	cfg := load(t, t.TempDir(), "", "otel: { endpoint: 'http://collector:4318' }")
	synctest.Test(t, func(t *testing.T) {
		got := &receiver{}
		s := newShipper(t.Context(), Options{Config: cfg, Performer: performer, Client: &http.Client{Transport: got}}, started("T1", "app boot"))
		line := ops.LineWritten{Task: "T1", At: began(), Host: "vm1", Stream: ops.Stdout, Text: "x"}
		for range 120 {
			s.write(line)
		}
		synctest.Wait()
		if n := len(got.records()); n != 100 {
			t.Errorf("%d records at once", n)
		}
		time.Sleep(batchEvery)
		synctest.Wait()
		if n := len(got.records()); n != 120 {
			t.Errorf("%d records after five seconds", n)
		}
		got.hang = true
		for range 1000 {
			s.write(line)
		}
		before := time.Now()
		told := s.close()
		if took := time.Since(before); took > shipTimeout || !told[0].Failed {
			t.Errorf("the end took %v: %v", took, told)
		}
	})
}

// Helpers

func performer() string { return "ana@example.com" }

func began() time.Time {
	return time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC).Add(5*time.Hour + 20*time.Minute)
}

func at(second int) string {
	return began().Add(time.Duration(second) * time.Second).Local().Format(time.TimeOnly)
}

func started(id ops.TaskID, operation string) ops.TaskStarted {
	return ops.TaskStarted{Task: id, At: began(), App: "shop@staging", Operation: operation, Title: "boot v3", Version: "v3", Risk: ops.Change}
}

// deploy are the events of a task of 12.34 seconds.
func deploy(id ops.TaskID, operation string, status ops.Status) []ops.Event {
	after := func(d time.Duration) time.Time { return began().Add(d) }
	events := []ops.Event{
		started(id, operation),
		ops.StepStarted{Task: id, Step: "run", At: after(time.Second)},
		ops.LineWritten{Task: id, Step: "run", At: after(time.Second), Host: "vm1", Stream: ops.Ran, Text: "docker run shop:v3"},
		ops.LineWritten{Task: id, Step: "run", At: after(2 * time.Second), Host: "vm1", Stream: ops.Stdout, Text: "0123abcd"},
		ops.LineWritten{Task: id, Step: "hook", At: after(3 * time.Second), Stream: ops.Stdout, Text: "a hook speaks"},
	}
	end := ops.TaskFinished{Task: id, At: after(12340 * time.Millisecond), Status: status}
	if status == ops.Failed {
		end.Errors = []*ops.Error{{Host: "vm1", Summary: "health", Cause: errors.New("connection refused")}}
		events = append(events, ops.StepFinished{Task: id, Step: "run", At: after(4 * time.Second), Status: status, Errors: end.Errors})
	}
	return append(events, end)
}

// record runs events through a store and returns what was told of the task.
func record(t *testing.T, o Options, events ...ops.Event) []Report {
	t.Helper()
	store := ops.NewStore(t.Context())
	r := Start(t.Context(), store.Tail, o)
	for _, e := range events {
		store.Emit(e)
	}
	told := r.Reports("T1")
	store.Close()
	r.Wait()
	return told
}

func load(t *testing.T, dir, destination, output string) *config.Config {
	t.Helper()
	text := "service: shop\nimage: shop\nservers: [ vm1 ]\nregistry: { server: localhost:5000 }\nbuilder: { arch: amd64 }\n"
	if output != "" {
		text += "output: { " + output + " }\n"
	}
	write(t, filepath.Join(dir, "config", "deploy.yml"), text)
	if destination != "" {
		write(t, filepath.Join(dir, "config", "deploy."+destination+".yml"), "labels: { a: b }\n")
	}
	cfg, _, err := config.Load(t.Context(), config.Options{Dir: dir, Destination: destination, Version: "v1"})
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func attributes(list []attribute) map[string]any {
	out := map[string]any{}
	for _, a := range list {
		switch {
		case a.Value.String != nil:
			out[a.Key] = *a.Value.String
		case a.Value.Double != nil:
			out[a.Key] = *a.Value.Double
		}
	}
	return out
}

// receiver is an OTLP receiver, behind a server or as a client's transport.
type receiver struct {
	hang bool

	mu               sync.Mutex
	path, kind, user string
	all              []resourceLogs
}

func (r *receiver) ServeHTTP(_ http.ResponseWriter, req *http.Request) { r.take(req) }

func (r *receiver) RoundTrip(req *http.Request) (*http.Response, error) {
	if r.hang {
		<-req.Context().Done()
		return nil, context.Cause(req.Context())
	}
	r.take(req)
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader("{}"))}, nil
}

func (r *receiver) take(req *http.Request) {
	var p payload
	if err := json.NewDecoder(req.Body).Decode(&p); err != nil {
		panic(err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.path, r.kind = req.URL.Path, req.Header.Get("Content-Type")
	r.user, _, _ = req.BasicAuth()
	r.all = append(r.all, p.ResourceLogs...)
}

func (r *receiver) records() []logRecord {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []logRecord
	for _, l := range r.all {
		out = append(out, l.ScopeLogs[0].LogRecords...)
	}
	return out
}
