package operation_test

import (
	"strings"
	"testing"
	"time"

	"binnacle/ops"
	"binnacle/ops/opstest"
)

// A failed health check comes with what a person would look up next.
func TestAFailureBringsItsEvidence(t *testing.T) {
	b := newBench(t, demoConfig)
	b.world.On("vm1", "kamal-proxy deploy", opstest.Reply{Err: &ops.ExitError{Host: "vm1", Code: 1, Output: "Error: target failed to become healthy within configured timeout (20s)"}})
	b.world.On("vm1", "docker logs shop-web-v3", opstest.Reply{Stdout: "2026-01-01T10:00:00Z booting\n2026-01-01T10:00:01Z waiting for db\n2026-01-01T10:00:02Z waiting for db\n"})
	b.in.AskedVersion = "v3"
	task := b.start(b.plan("app boot"), nil)
	var found *ops.Error
	for _, e := range task.Errors {
		if e.Host == "vm1" {
			found = e
		}
	}
	if found == nil {
		t.Fatalf("no error of vm1: %v", texts(task.Errors))
	}
	text := found.Error() + "\n" + strings.Join(evidence(task), "\n")
	for _, want := range []string{
		"vm1: web v3 never became healthy", "target failed to become healthy", "v2 keeps serving", "kamal-proxy deploy shop-web",
		"shop-web-v3: running", "waiting for db  (2 times)", "health check: /up on port 80",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("it does not say %q:\n%s", want, text)
		}
	}
	if strings.Contains(text, "Error: ") {
		t.Errorf("the proxy's own prefix is repeated:\n%s", text)
	}
	for _, s := range task.Serving {
		if s.Version != "v2" && s.Host == "vm1" {
			t.Errorf("told that %+v is serving", s)
		}
	}
	if took := task.Elapsed(time.Time{}); took > time.Minute {
		t.Errorf("it took %s", took)
	}
}
