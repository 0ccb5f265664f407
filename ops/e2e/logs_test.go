//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// logged is a line of `logs --json`.
type logged struct{ Host, Role, Version, Text string }

// Following goes over from one version to the next while it is deployed, and
// ends well when it is interrupted.
func TestLogsFollowADeploy(t *testing.T) {
	fleet := freshFleet(t)
	p := newProject(t, fleet, "simple")
	p.quick(t)
	p.must(t, "setup", "-P", "--version", "v1")

	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	cmd := p.command(ctx, "logs", "-f", "--json", "--since", "10m")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	seen := &places{changed: make(chan struct{}, 1), of: map[string]bool{}}
	var reading sync.WaitGroup
	reading.Go(func() { seen.read(out) })
	seen.wait(ctx, t, "vm1 web v1", "vm2 web v1", "vm3 job v1")
	p.must(t, "deploy", "-P", "--version", "v2")
	seen.wait(ctx, t, "vm1 web v2", "vm2 web v2", "vm3 job v2")
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	reading.Wait()
	if err := cmd.Wait(); err != nil {
		t.Errorf("an interrupted logs -f ends with %v\n%s", err, stderr.String())
	}

	past := p.must(t, "logs", "-n", "1")
	if lines := strings.Split(strings.TrimSpace(past.Stdout), "\n"); len(lines) != 3 {
		t.Errorf("one line of each container is %d lines:\n%s", len(lines), past.Stdout)
	}
	view := p.must(t, "monitor", "--once").Stdout
	for _, want := range []string{"lock free", "web  vm1   v2", "web  vm2   v2", "job  vm3   v2"} {
		if !strings.Contains(view, want) {
			t.Errorf("monitor does not show %q:\n%s", want, view)
		}
	}
}

// Helpers

// places are host, role and version of what has logged something.
type places struct {
	mu      sync.Mutex
	of      map[string]bool
	changed chan struct{}
}

func (s *places) read(r io.Reader) {
	for decoder := json.NewDecoder(r); ; {
		var l logged
		if decoder.Decode(&l) != nil {
			return
		}
		s.mu.Lock()
		s.of[l.Host+" "+l.Role+" "+l.Version] = true
		s.mu.Unlock()
		select {
		case s.changed <- struct{}{}:
		default:
		}
	}
}

func (s *places) wait(ctx context.Context, t *testing.T, wanted ...string) {
	t.Helper()
	for {
		s.mu.Lock()
		missing := ""
		for _, w := range wanted {
			if !s.of[w] {
				missing = w
			}
		}
		s.mu.Unlock()
		if missing == "" {
			return
		}
		select {
		case <-s.changed:
		case <-ctx.Done():
			t.Fatalf("nothing was logged by %s", missing)
		}
	}
}
