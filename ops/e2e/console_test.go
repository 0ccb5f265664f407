//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"os"
	osexec "os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestTheConsoleByItsKeys deploys and rolls back from the console in a real
// terminal, tmux, by keys alone. BINNACLE_FRAMES names a folder that keeps the
// frames.
func TestTheConsoleByItsKeys(t *testing.T) {
	if _, err := osexec.LookPath("tmux"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("tmux is not installed")
		}
		t.Skip("tmux is not installed")
	}
	fleet := freshFleet(t)
	p := newProject(t, fleet, "simple")
	p.must(t, "setup", "-P", "--version", "v1")

	s := newScreen(t, p, 120, 34)
	s.await("vm3", "live", "db")
	s.shot("overview-120x34")
	s.resize(80, 24)
	s.await("[1 Hosts 3")
	s.shot("overview-80x24")
	s.resize(200, 50)
	s.await("├─ 3 Accessories 1", "├─ 4 Logs", strings.Repeat("─", 100))
	s.shot("overview-200x50")
	s.resize(120, 34)
	s.await("├─ 3 Accessories 1", "├─ 4 Logs")
	s.keys("D")
	s.await("skip-push")
	s.keys("v", "2", "Down", "Space", "C-s")
	s.await("v2 in place of v1", "Cancel")
	s.shot("confirm")
	s.choose("Deploy")
	s.await("health check and switch")
	s.shot("deploying")
	s.await("done in", "lock free", " v2 · ") // hosts agree
	s.shot("deployed")
	p.serves(t, "v2")

	s.keys("Escape")
	s.await("Hosts 3")
	s.keys("R")
	s.await("roll back to", "v1")
	s.shot("picker")
	s.keys("Enter")
	s.await("v1 in place of v2", "Cancel")
	s.choose("Rollback")
	s.await("rollback to v1", "done in", "lock free")
	s.shot("rolled-back")
	s.resize(80, 24)
	s.shot("rolled-back-80x24")
	p.serves(t, "v1")
	s.keys("q")
	s.gone()
}

// serves checks what every web host answers.
func (p *project) serves(t *testing.T, version string) {
	t.Helper()
	for _, h := range p.fleet.Hosts()[:2] {
		out, err := h.Exec(t.Context(), "docker ps --format '{{.Names}}' --filter label=role=web")
		if err != nil || strings.TrimSpace(out) != "fhirlinebot-web-"+version {
			t.Errorf("%s runs %q (%v), want version %s alone", h.Name, out, err, version)
		}
	}
}

// screen is the console in tmux.
type screen struct {
	t      *testing.T
	socket string
}

func newScreen(t *testing.T, p *project, width, height int) *screen {
	t.Helper()
	s := &screen{t: t, socket: filepath.Join(t.TempDir(), "tmux")}
	program := p.command(t.Context())
	env := []string{}
	for _, e := range program.Env {
		if strings.HasPrefix(e, "DOCKER_CONFIG=") || strings.HasPrefix(e, "XDG_") {
			env = append(env, "-e", e)
		}
	}
	args := append([]string{"new-session", "-d", "-s", "console", "-x", fmt.Sprint(width), "-y", fmt.Sprint(height), "-c", p.dir}, env...)
	s.tmux(append(args, program.Path)...)
	s.t.Cleanup(func() {
		_ = osexec.CommandContext(context.WithoutCancel(t.Context()), "tmux", "-S", s.socket, "kill-server").Run() // gone already after q
	})
	return s
}

func (s *screen) tmux(args ...string) string {
	s.t.Helper()
	cmd := osexec.CommandContext(s.t.Context(), "tmux", append([]string{"-f", "/dev/null", "-u", "-S", s.socket}, args...)...)
	cmd.Env = append(os.Environ(), "LANG=C.UTF-8", "TERM=xterm-256color")
	out, err := cmd.CombinedOutput()
	if err != nil {
		s.t.Fatalf("tmux %s: %v: %s", args[0], err, out)
	}
	return string(out)
}

func (s *screen) frame() string { return s.tmux("capture-pane", "-p", "-t", "console") }

func (s *screen) keys(keys ...string) {
	s.t.Helper()
	for _, k := range keys {
		s.tmux("send-keys", "-t", "console", k)
	}
}

// choose moves to a button and presses it. A dialog that has just opened takes
// no keys, so it looks where the cursor is.
func (s *screen) choose(button string) {
	s.t.Helper()
	for range 40 {
		if strings.Contains(s.frame(), "[ "+button+" ]") {
			s.keys("Enter")
			return
		}
		s.keys("Tab")
		time.Sleep(100 * time.Millisecond)
	}
	s.t.Fatalf("no button %s on\n%s", button, s.frame())
}

func (s *screen) resize(width, height int) {
	s.tmux("resize-window", "-t", "console", "-x", fmt.Sprint(width), "-y", fmt.Sprint(height))
}

// await waits until the screen shows all texts at once.
func (s *screen) await(texts ...string) {
	s.t.Helper()
	deadline := time.Now().Add(90 * time.Second)
	for {
		frame := s.frame()
		missing := ""
		for _, text := range texts {
			if !strings.Contains(frame, text) {
				missing = text
			}
		}
		if missing == "" {
			return
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("%q did not appear on\n%s", missing, frame)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// gone waits for the program's end, which ends tmux too.
func (s *screen) gone() {
	s.t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for osexec.CommandContext(s.t.Context(), "tmux", "-S", s.socket, "has-session", "-t", "console").Run() == nil {
		if time.Now().After(deadline) {
			s.t.Fatalf("q did not end the console:\n%s", s.frame())
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// shot keeps a frame for people, plain and with its colours.
func (s *screen) shot(name string) {
	s.t.Helper()
	dir := os.Getenv("BINNACLE_FRAMES")
	if dir == "" {
		return
	}
	for suffix, text := range map[string]string{".txt": s.frame(), ".ansi": s.tmux("capture-pane", "-e", "-p", "-t", "console")} {
		if err := os.WriteFile(filepath.Join(dir, name+suffix), []byte(text), 0o600); err != nil {
			s.t.Fatal(err)
		}
	}
}
