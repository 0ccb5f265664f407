package live

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"binnacle/config/secret"
	"binnacle/ops"
	"binnacle/ops/command"
)

// Local runs commands on this machine, in the project's folder.
type Local struct {
	dir string
	env []string
	// patience is how long a command that was interrupted is waited for.
	patience time.Duration
}

// NewLocal runs in dir, with env as `KEY=value` over the process environment.
func NewLocal(dir string, env ...string) *Local {
	return &Local{dir: dir, env: env, patience: 5 * time.Second}
}

// Run runs a Line through sh. A cancel interrupts the command's whole process
// group, and kills it when it does not end within a few seconds, or within the
// Line's own grace.
func (l *Local) Run(ctx context.Context, line command.Line, dir string, env map[string]secret.Value, sink ops.Sink) error {
	cmd := exec.CommandContext(ctx, "/bin/sh", "-c", shellText(line))
	cmd.Dir = l.dir
	if dir != "" {
		cmd.Dir = dir
	}
	cmd.Env = append(os.Environ(), l.env...)
	for k, v := range env {
		cmd.Env = append(cmd.Env, k+"="+v.Reveal())
	}
	if !line.Stdin().Empty() {
		cmd.Stdin = strings.NewReader(line.Stdin().Reveal())
	}
	last := &tail{}
	cmd.Stdout = &stream{sink: sink, kind: ops.Stdout, tail: last}
	cmd.Stderr = &stream{sink: sink, kind: ops.Stderr, tail: last}
	inOwnGroup(cmd)
	cmd.WaitDelay = max(line.Grace(), l.patience)
	err := cmd.Run()
	failed := exitOf(err, last)
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil && failed != nil && line.Grace() > 0:
		return errors.Join(ctx.Err(), failed) // how it ended once it was told to
	case ctx.Err() != nil:
		return ctx.Err()
	case failed != nil:
		return failed
	}
	return err
}

// Exists reports a file, relative to the project.
func (l *Local) Exists(path string) bool {
	_, err := os.Stat(l.at(path))
	return err == nil
}

// ReadFile reads a file, relative to the project.
func (l *Local) ReadFile(path string) ([]byte, error) { return os.ReadFile(l.at(path)) }

// Glob lists the files that match a pattern, relative to the project.
func (l *Local) Glob(pattern string) ([]string, error) { return filepath.Glob(l.at(pattern)) }

// TempDir is where clones are kept.
func (l *Local) TempDir() string { return os.TempDir() }

// Private

func (l *Local) at(path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(l.dir, path)
}

// stream hands one output of a process on.
type stream struct {
	sink ops.Sink
	kind ops.Stream
	tail *tail
}

func (s *stream) Write(p []byte) (int, error) {
	if s.sink != nil {
		s.sink.Write(s.kind, p)
	}
	s.tail.add(s.kind, p)
	return len(p), nil
}

// tailBytes is how much output an error carries.
const tailBytes = 2000

// tail keeps the end of what a command printed, standard error apart.
type tail struct {
	mu       sync.Mutex
	out, err []byte
}

func (t *tail) add(kind ops.Stream, p []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if kind == ops.Stderr {
		t.err = keep(t.err, p)
		return
	}
	t.out = keep(t.out, p)
}

// text prefers standard error: that is where commands say why they failed.
func (t *tail) text() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if text := strings.TrimSpace(string(t.err)); text != "" {
		return text
	}
	return strings.TrimSpace(string(t.out))
}

// Helpers

// shellText is what the shell is given. One whose command has a grace stays, to tell
// how that ended, when the group is told to stop.
func shellText(line command.Line) string {
	if line.Grace() > 0 {
		return "trap : TERM; " + line.Shell()
	}
	return line.Shell()
}

// exitOf is how a process ended that failed; nil for every other error.
func exitOf(err error, last *tail) *ops.ExitError {
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return nil
	}
	failed := &ops.ExitError{Code: exit.ExitCode(), Output: last.text()}
	if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		failed.Signal = status.Signal().String()
	}
	return failed
}

func keep(have, more []byte) []byte {
	have = append(have, more...)
	if len(have) > tailBytes {
		have = have[len(have)-tailBytes:]
	}
	return have
}
