package live

import (
	"context"
	"errors"
	"io"
	"os"
	"sync"

	"github.com/muesli/cancelreader"

	"binnacle/ops"
	"binnacle/ops/remote"
)

// Attach connects a person's streams to a command until it ends. On a terminal
// the local one is raw meanwhile; without one, bytes pass unchanged in both
// directions, and the input's end is the command's. An exit code other than 0
// is an *ops.ExitError.
func (w *World) Attach(ctx context.Context, a ops.Attach, stdin io.Reader, stdout, stderr io.Writer) error {
	shell := a.Line.Shell()
	if a.TTY {
		s := w.onTerminal(ctx, a.Host, shell)
		s.in, s.out, s.err = stdin, stdout, stderr
		return s.Run()
	}
	if shell == "" {
		shell = `exec "${SHELL:-sh}"`
	}
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	out, errOut := &strict{w: stdout, fail: fail}, &strict{w: stderr, fail: fail}
	cmd := remote.Command{Shell: shell, Stdout: out, Stderr: errOut}
	if a.Stdin {
		input, release := interruptible(stdin)
		defer release()
		cmd.Stdin = input
	}
	_, err := w.Host(a.Host).client.Run(ctx, cmd)
	if lost := errors.Join(out.failure(), errOut.failure()); lost != nil {
		return &ops.Error{Host: a.Host, Summary: "what the command printed could not be written", Command: a.Line.String(), Cause: lost}
	}
	return outcome(a.Host, err)
}

// Private

// strict keeps the first failure of a writer and ends the command with it: an
// output that is cut short must not pass for a whole one.
type strict struct {
	w    io.Writer
	fail func(error)

	mu  sync.Mutex
	err error
}

func (s *strict) Write(b []byte) (int, error) {
	n, err := s.w.Write(b)
	if err != nil {
		s.mu.Lock()
		s.err = errors.Join(s.err, err)
		s.mu.Unlock()
		s.fail(err)
	}
	return n, err
}

func (s *strict) failure() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// Helpers

// interruptible lets a read that waits be given up when the command has ended.
// Regular files need that not, and pipes of this process cannot.
func interruptible(stdin io.Reader) (io.Reader, func()) {
	file, ok := stdin.(*os.File)
	if !ok {
		return stdin, func() {}
	}
	reader, err := cancelreader.NewReader(file)
	if err != nil {
		return stdin, func() {}
	}
	return reader, func() { _ = reader.Close() }
}

// outcome translates how a command on a host ended.
func outcome(host string, err error) error {
	var exit *remote.ExitError
	if errors.As(err, &exit) {
		return &ops.ExitError{Host: host, Code: exit.Code, Signal: exit.Signal}
	}
	return told(host, err)
}
