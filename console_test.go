//go:build unix

package main

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"
	"github.com/creack/pty"
)

// TestTheDemoInATerminal starts the real program in a real terminal, waits for
// all panes with live data, leaves with q, and looks for what it left behind.
func TestTheDemoInATerminal(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "binnacle")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, size := range []struct {
		cols, rows uint16
		panes      []string
	}{
		{80, 24, []string{"Hosts", "Containers", "Accessories", "Logs", "web-3"}},
		{120, 40, []string{"Hosts", "Containers", "Accessories", "Logs", "web-3", "redis", "Completed"}},
		{200, 50, []string{"Hosts", "Containers", "Accessories", "Logs", "web-3", "redis", "Completed"}},
	} {
		t.Run(fmt.Sprintf("%dx%d", size.cols, size.rows), func(t *testing.T) {
			t.Parallel()
			home := t.TempDir()
			began := time.Now()
			s := open(t, home, size.cols, size.rows, binary, "demo")
			s.await(t, size.panes...)
			t.Logf("all panes with data after %d ms", time.Since(began).Milliseconds())
			s.send(t, "q")
			s.ended(t)
			if left := files(t, home); len(left) > 0 {
				t.Errorf("left behind: %s", strings.Join(left, ", "))
			}
		})
	}
}

// screen is a program in a terminal.
type screen struct {
	cmd  *exec.Cmd
	tty  *os.File
	mu   sync.Mutex
	seen bytes.Buffer
	done chan struct{}
}

func open(t *testing.T, home string, cols, rows uint16, program ...string) *screen {
	t.Helper()
	s := &screen{cmd: exec.CommandContext(t.Context(), program[0], program[1:]...), done: make(chan struct{})}
	s.cmd.Dir = home
	s.cmd.Env = append(os.Environ(), "HOME="+home, "TERM=xterm-256color", "TMPDIR="+home,
		"XDG_STATE_HOME="+filepath.Join(home, "state"), "XDG_CONFIG_HOME="+filepath.Join(home, "config"))
	tty, err := pty.StartWithSize(s.cmd, &pty.Winsize{Cols: cols, Rows: rows})
	if err != nil {
		t.Fatal(err)
	}
	s.tty = tty
	t.Cleanup(func() { _ = tty.Close() })
	go func() {
		defer close(s.done)
		buf := make([]byte, 64<<10)
		for {
			n, err := tty.Read(buf)
			s.mu.Lock()
			s.seen.Write(buf[:n])
			s.mu.Unlock()
			if err != nil {
				return // the terminal closes with the program
			}
		}
	}()
	return s
}

// await waits for texts that appear fresh on the screen.
func (s *screen) await(t *testing.T, texts ...string) {
	t.Helper()
	deadline := time.After(20 * time.Second)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		s.mu.Lock()
		shown := ansi.Strip(s.seen.String())
		s.mu.Unlock()
		missing := ""
		for _, text := range texts {
			if !strings.Contains(shown, text) {
				missing = text
			}
		}
		if missing == "" {
			return
		}
		select {
		case <-deadline:
			t.Fatalf("%q did not appear; the terminal got\n%s", missing, shown)
		case <-tick.C:
		}
	}
}

func (s *screen) send(t *testing.T, keys string) {
	t.Helper()
	if _, err := s.tty.WriteString(keys); err != nil {
		t.Fatal(err)
	}
}

func (s *screen) ended(t *testing.T) {
	t.Helper()
	exit := make(chan error, 1)
	go func() { exit <- s.cmd.Wait() }()
	select {
	case err := <-exit:
		if err != nil {
			t.Errorf("exit: %v", err)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("q did not end the program")
	}
	<-s.done
}

// Helpers

// files lists what is below a folder, the state folder's own folders aside.
func files(t *testing.T, dir string) []string {
	t.Helper()
	var out []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			out = append(out, strings.TrimPrefix(path, dir))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}
