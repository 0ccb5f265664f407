package docker

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"

	"github.com/moby/moby/api/pkg/stdcopy"
	"github.com/moby/moby/client"

	"binnacle/ops"
)

// ExecResult is what a command in a container printed and how it ended.
type ExecResult struct {
	Stdout   string
	Stderr   string
	ExitCode int
}

// Exec runs a short command in a running container and returns its output, of
// which the first megabyte is kept. A non-zero exit is an *ops.ExitError
// inside the error; the result is filled then too.
func (e *Engine) Exec(ctx context.Context, name string, argv ...string) (ExecResult, error) {
	var out ExecResult
	err := e.call(ctx, readTimeout, "docker exec "+name+" "+strings.Join(argv, " "), func(ctx context.Context) error {
		made, err := e.api().ExecCreate(ctx, name, client.ExecCreateOptions{AttachStdout: true, AttachStderr: true, Cmd: argv})
		if err != nil {
			return err
		}
		if err := e.attached(ctx, made.ID, &out); err != nil {
			return err
		}
		got, err := e.api().ExecInspect(ctx, made.ID, client.ExecInspectOptions{})
		if err != nil {
			return err
		}
		if out.ExitCode = got.ExitCode; out.ExitCode != 0 {
			return &ops.ExitError{Host: e.host, Code: out.ExitCode, Output: lastWords(out)}
		}
		return nil
	})
	return out, err
}

// Private

const execOutput = 1 << 20

func (e *Engine) attached(ctx context.Context, id string, out *ExecResult) error {
	attach, err := e.api().ExecAttach(ctx, id, client.ExecAttachOptions{})
	if err != nil {
		return err
	}
	defer attach.Close()
	// The attached connection does not know the context.
	stop := context.AfterFunc(ctx, attach.Close)
	defer stop()
	stdout, stderr := capped{left: execOutput}, capped{left: execOutput}
	_, err = stdcopy.StdCopy(&stdout, &stderr, attach.Reader)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	out.Stdout, out.Stderr = stdout.String(), stderr.String()
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// capped keeps the beginning of what is written to it.
type capped struct {
	bytes.Buffer
	left int
}

func (c *capped) Write(p []byte) (int, error) {
	keep := min(len(p), c.left)
	c.left -= keep
	c.Buffer.Write(p[:keep])
	return len(p), nil
}

// Helpers

func lastWords(r ExecResult) string {
	text := strings.TrimSpace(r.Stderr)
	if text == "" {
		text = strings.TrimSpace(r.Stdout)
	}
	lines := strings.Split(text, "\n")
	return strings.Join(lines[max(0, len(lines)-5):], "\n")
}
