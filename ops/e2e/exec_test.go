//go:build e2e

package e2e

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	osexec "os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
)

// TestCommandsInTheApp runs commands in every way that Kamal has, and in ours.
func TestCommandsInTheApp(t *testing.T) {
	fleet := freshFleet(t)
	p := newProject(t, fleet, "simple")
	p.must(t, "setup", "-P", "--version", "v1")

	out := p.must(t, "app", "exec", "cat", "/version").Stdout
	if want := "App Host: vm1\nv1\n\nApp Host: vm2\nv1\n\nApp Host: vm3\nv1\n\n"; out != want {
		t.Errorf("a new container everywhere: %q", out)
	}
	if got := exec(t, fleet.Host("vm1"), "tail -n 1 .kamal/fhirlinebot-audit.log"); !strings.HasSuffix(got, "Executed cmd 'cat /version' on app version latest") {
		t.Errorf("the audit log ends with %q", got)
	}
	if out := p.must(t, "app", "exec", "--reuse", "-p", "hostname").Stdout; !strings.HasPrefix(out, "App Host: vm1\nvm1-") {
		t.Errorf("in the container that runs: %q", out)
	}
	if got := exec(t, fleet.Host("vm1"), "tail -n 1 .kamal/fhirlinebot-audit.log"); !strings.HasSuffix(got, "[web] Executed cmd 'hostname' on app version v1") {
		t.Errorf("the audit log ends with %q", got)
	}
	if got := p.run(t, "app", "exec", "-p", "sh -c 'echo out; echo trouble >&2; exit 42'"); got.Exit != 1 || !strings.Contains(got.Stdout, "out") || !strings.Contains(got.Stderr, "trouble") {
		t.Errorf("a failure: %+v", got)
	}
	if out := p.must(t, "app", "exec", "-p", "-e", "A:1", "B:2", "--shell", "echo $A$B").Stdout; out != "12\n" {
		t.Errorf("with variables: %q", out)
	}
	warned := p.must(t, "app", "exec", "-p", "echo $RAILS_MASTER_KEY")
	if !strings.Contains(warned.Stderr, "$RAILS_MASTER_KEY is not set on vm1") || !strings.Contains(warned.Stderr, "--shell") {
		t.Errorf("a variable of the container that the host expands: %q", warned.Stderr)
	}
	p.must(t, "app", "exec", "-p", "--detach", "sleep 300")
	if names := exec(t, fleet.Host("vm1"), "docker ps --format '{{.Names}}' | grep -c -e '-exec-latest-'"); names != "1" {
		t.Errorf("%s containers run detached", names)
	}
	if left := exec(t, fleet.Host("vm2"), "docker ps --all --format '{{.Names}}' | grep -c -e '-exec-' || true"); left != "0" {
		t.Errorf("%s containers are left", left)
	}

	if out := p.must(t, "server", "exec", "-h", "vm3", "hostname").Stdout; out != "App Host: vm3\nvm3\n\n" {
		t.Errorf("on the server: %q", out)
	}
	p.must(t, "server", "bootstrap")
	if state := p.must(t, "lock", "status").Stdout; !strings.Contains(state, "no deploy lock") {
		t.Errorf("bootstrap left the lock: %s", state)
	}
}

// TestBytesPassUnchanged sends a megabyte through a command in the container and
// takes a megabyte from one, as a dump and its restoring do.
func TestBytesPassUnchanged(t *testing.T) {
	p := newProject(t, freshFleet(t), "simple")
	p.must(t, "setup", "-P", "--version", "v1")
	data := make([]byte, 1<<20)
	_, _ = rand.Read(data)
	file := filepath.Join(t.TempDir(), "data")
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	sum := fmt.Sprintf("%x", sha256.Sum256(data))
	for name, args := range map[string][]string{
		"new container": {"app", "exec", "--shell"}, "running container": {"app", "exec", "--reuse", "--shell"}, "server": {"server", "exec", "-i"},
	} {
		t.Run(name, func(t *testing.T) {
			in, err := os.Open(file)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = in.Close() }()
			cmd := p.command(t.Context(), append(args, "sha256sum")...)
			cmd.Stdin = in
			if out, err := cmd.Output(); err != nil || !strings.HasPrefix(string(out), sum) {
				t.Errorf("from a file: %q %v", out, err)
			}
			cmd = p.command(t.Context(), append(args, "cat")...)
			cmd.Stdin = bytes.NewReader(data) // a pipe
			if out, err := cmd.Output(); err != nil || !bytes.Equal(out, data) {
				t.Errorf("there and back through pipes: %d bytes, %v", len(out), err)
			}
			cmd = p.command(t.Context(), append(args, "cat >/dev/null; exit 42")...)
			cmd.Stdin = bytes.NewReader(data)
			var exit *osexec.ExitError
			if err := cmd.Run(); !errors.As(err, &exit) || exit.ExitCode() != 42 {
				t.Errorf("the exit code: %v", err)
			}
		})
	}
}

// TestAttachedToATerminal is a person at a terminal: their size, their keys and
// the exit code of what they ran.
func TestAttachedToATerminal(t *testing.T) {
	p := newProject(t, freshFleet(t), "simple")
	p.must(t, "setup", "-P", "--version", "v1")
	for name, args := range map[string][]string{
		"new container": {"app", "exec", "-i", "sh"}, "running container": {"app", "exec", "-i", "--reuse", "sh"},
		"server": {"server", "exec", "-i", "sh"}, "login shell": {"server", "exec", "-i"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSeat(t, p, args...)
			s.keys("echo rea''dy\r")
			s.await("ready")
			s.awaitRepeating("stty size\r", "31 97") // docker passes the size on once the container runs
			s.resize(40, 121)
			s.keys("stty size\r")
			s.awaitRepeating("stty size\r", "40 121")
			s.keys("sleep 600; echo af''ter\r")
			time.Sleep(300 * time.Millisecond) // for the shell to start it
			s.keys("\x03")
			s.keys("echo code $?\r")
			s.await("code 130")
			s.keys("head -c 786432 /dev/urandom > /tmp/b; echo sum=$(sha256sum < /tmp/b | cut -c 1-64); base64 /tmp/b; echo E-N''-D\r")
			s.await("E-N-D")
			s.intact()
			s.keys("exit 42\r")
			if code := s.ended(); code != 42 {
				shown := s.shown()
				t.Errorf("exit code %d: %q", code, shown[max(0, len(shown)-300):])
			}
		})
	}
}

// TestTerminalComesBack ends a session from outside: the terminal must be as it
// was.
func TestTerminalComesBack(t *testing.T) {
	p := newProject(t, freshFleet(t), "simple")
	s := newSeat(t, p, "server", "exec", "-i", "sh")
	s.keys("echo rea''dy\r")
	s.await("ready")
	if mode := s.stty(); strings.Contains(mode, " icanon") {
		t.Errorf("the terminal is not raw: %s", mode)
	}
	if err := s.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if code := s.ended(); code != 130 {
		t.Errorf("exit code %d", code)
	}
	if mode := s.stty(); !strings.Contains(mode, " icanon") || !strings.Contains(mode, " echo ") {
		t.Errorf("the terminal stayed raw: %s", mode)
	}
}

// TestTheConsoleLendsItsScreen opens a shell and an interactive command from the
// console, resizes meanwhile, and finds the console whole afterwards.
func TestTheConsoleLendsItsScreen(t *testing.T) {
	if _, err := osexec.LookPath("tmux"); err != nil {
		t.Skip("tmux is not installed")
	}
	p := newProject(t, freshFleet(t), "simple")
	p.must(t, "setup", "-P", "--version", "v1")
	s := newScreen(t, p, 120, 34)
	s.await("vm3", "live", "db")
	s.keys(":")
	s.tmux("send-keys", "-t", "console", "-l", "app exec --interactive --reuse sh")
	s.keys("Enter")
	s.await("Cancel", "docker exec fhirlinebot-web-")
	s.choose("App exec")
	s.await("#")
	s.tmux("send-keys", "-t", "console", "-l", "echo on $(cat /version) $((6*7)); stty size")
	s.keys("Enter")
	s.await("on v1 42", "34 120")
	s.resize(100, 30)
	s.tmux("send-keys", "-t", "console", "-l", "until stty size | grep -q '^30 100'; do sleep 0.1; done; echo re''sized")
	s.keys("Enter")
	s.await("resized")
	s.tmux("send-keys", "-t", "console", "-l", "sleep 1000; echo inter''rupted")
	s.keys("Enter")
	s.await("sleep 1000")
	s.keys("C-c")
	s.tmux("send-keys", "-t", "console", "-l", "echo af''ter $?")
	s.keys("Enter")
	s.await("after 130")
	s.tmux("send-keys", "-t", "console", "-l", "exit 42")
	s.keys("Enter")
	s.await("Press a key")
	s.keys("x")
	s.await("exit code 42")
	s.keys("Escape") // the notice goes first
	s.resize(120, 34)
	s.await("R roll back", "make ready")
	s.keys("Escape")
	s.await("├─ 3 Accessories 1", "├─ 4 Logs")
	s.keys("s")
	s.await("#")
	s.tmux("send-keys", "-t", "console", "-l", "echo he''re")
	s.keys("Enter")
	s.await("here")
	s.keys("C-d")
	s.await("├─ 3 Accessories 1", "├─ 4 Logs")
	s.keys("q")
	s.gone()
}

// seat is somebody at a terminal that runs binnacle.
type seat struct {
	t    *testing.T
	cmd  *osexec.Cmd
	pty  *os.File
	tty  *os.File // our own end of it stays open, to look at its modes
	done chan struct{}

	mu   sync.Mutex
	text []byte
}

func newSeat(t *testing.T, p *project, args ...string) *seat {
	t.Helper()
	ptmx, tty, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	s := &seat{t: t, pty: ptmx, tty: tty, done: make(chan struct{})}
	s.resize(31, 97)
	s.cmd = p.command(t.Context(), args...)
	s.cmd.Env = append(s.cmd.Env, "TERM=xterm-256color")
	s.cmd.Stdin, s.cmd.Stdout, s.cmd.Stderr = tty, tty, tty
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(s.done)
		buf := make([]byte, 64<<10)
		for {
			n, err := ptmx.Read(buf)
			s.mu.Lock()
			s.text = append(s.text, buf[:n]...)
			s.mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	t.Cleanup(func() { _ = ptmx.Close(); _ = tty.Close(); <-s.done })
	return s
}

func (s *seat) keys(text string) {
	s.t.Helper()
	if _, err := s.pty.WriteString(text); err != nil {
		s.t.Fatal(err)
	}
}

func (s *seat) resize(rows, cols uint16) {
	s.t.Helper()
	if err := pty.Setsize(s.pty, &pty.Winsize{Rows: rows, Cols: cols}); err != nil {
		s.t.Fatal(err)
	}
}

func (s *seat) shown() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return string(s.text)
}

func (s *seat) await(text string) { s.t.Helper(); s.awaitRepeating("", text) }

// awaitRepeating presses keys again from time to time: a resize takes its way.
func (s *seat) awaitRepeating(keys, text string) {
	s.t.Helper()
	deadline, again := time.Now().Add(60*time.Second), time.Now().Add(time.Second)
	for !strings.Contains(s.shown(), text) {
		if time.Now().After(deadline) {
			shown := s.shown()
			s.t.Fatalf("%q did not appear:\n%s", text, shown[max(0, len(shown)-2000):])
		}
		if keys != "" && time.Now().After(again) {
			s.keys(keys)
			again = time.Now().Add(time.Second)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// intact compares a megabyte of base64 with the sum that stands above it.
func (s *seat) intact() {
	s.t.Helper()
	m := regexp.MustCompile(`(?s)sum=([0-9a-f]{64})\n(.*?)\nE-N-D`).FindStringSubmatch(strings.ReplaceAll(s.shown(), "\r", ""))
	if m == nil {
		s.t.Fatal("the sum and the data are not there")
	}
	data, _ := base64.StdEncoding.DecodeString(strings.ReplaceAll(m[2], "\n", "")) // what cannot be read has another sum
	got := sha256.Sum256(data)
	if len(data) != 786432 || hex.EncodeToString(got[:]) != m[1] {
		s.t.Errorf("%d bytes with sum %x, want %s", len(data), got, m[1])
	}
}

func (s *seat) ended() int {
	s.t.Helper()
	timer := time.AfterFunc(60*time.Second, func() { _ = s.cmd.Process.Kill() })
	defer timer.Stop()
	_ = s.cmd.Wait()
	return s.cmd.ProcessState.ExitCode()
}

func (s *seat) stty() string {
	s.t.Helper()
	cmd := osexec.CommandContext(s.t.Context(), "stty", "-a")
	cmd.Stdin = s.tty
	out, err := cmd.Output()
	if err != nil {
		s.t.Fatal(err)
	}
	return strings.ReplaceAll(string(out), ";", " ")
}
