package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"
)

// Result is what a finished command left behind.
type Result struct {
	Stdout string
	Stderr string
	Exit   int
}

// Output returns stdout followed by stderr.
func (r Result) Output() string { return r.Stdout + r.Stderr }

// ErrNoDocker tells that no Docker engine answers on this machine.
var ErrNoDocker = errors.New("no Docker engine answers here: install and start Docker, or set DOCKER_HOST")

// Reachable returns ErrNoDocker, with the reason, unless an engine answers.
func Reachable(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if _, err := docker(ctx, "version", "--format", "{{.Server.Version}}"); err != nil {
		return fmt.Errorf("%w (%w)", ErrNoDocker, err)
	}
	return nil
}

// Private

// docker runs the docker CLI against this machine's engine.
func docker(ctx context.Context, args ...string) (string, error) {
	return output(ctx, command{name: "docker", args: args})
}

type command struct {
	name  string
	args  []string
	dir   string
	env   []string // added to the environment
	stdin io.Reader
}

// output runs a command that must succeed and returns its stdout, trimmed.
func output(ctx context.Context, c command) (string, error) {
	result, err := run(ctx, c)
	if err != nil {
		return "", err
	}
	if result.Exit != 0 {
		said := strings.TrimSpace(result.Output())
		return "", fmt.Errorf("%s %s: exit %d: %s", c.name, clip(strings.Join(c.args, " "), 200), result.Exit, clip(said, 2000))
	}
	return strings.TrimSpace(result.Stdout), nil
}

// run runs a command; an exit code is a result, not an error.
func run(ctx context.Context, c command) (Result, error) {
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, c.name, c.args...)
	cmd.Dir, cmd.Stdin, cmd.Stdout, cmd.Stderr = c.dir, c.stdin, &stdout, &stderr
	cmd.Env = append(os.Environ(), c.env...)
	cmd.WaitDelay = time.Second
	err := cmd.Run()
	result := Result{Stdout: stdout.String(), Stderr: stderr.String(), Exit: cmd.ProcessState.ExitCode()}
	var exit *exec.ExitError
	if ctx.Err() != nil {
		return result, fmt.Errorf("%s %s: %w", c.name, clip(strings.Join(c.args, " "), 200), ctx.Err())
	}
	if err != nil && !errors.As(err, &exit) {
		return result, fmt.Errorf("running %s: %w", c.name, err)
	}
	return result, nil
}

// Helpers

func clip(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return s[:most] + "…"
}
