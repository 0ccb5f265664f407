package remote

import (
	"context"
	"io"
	"time"

	"golang.org/x/crypto/ssh"
)

// Size of a terminal in cells.
type Size struct{ Width, Height int }

// Pty is the terminal that an interactive session is shown on.
type Pty struct {
	Term    string // TERM, such as xterm-256color, which is the default
	Size    Size   // 80x24 when zero
	Resize  <-chan Size
	Signals <-chan string // names such as "INT", sent to the foreground of the session
	// Stdin, Stdout, Stderr are as in Command. A terminal merges both outputs,
	// so Stderr stays empty with most servers.
	Stdin          io.Reader
	Stdout, Stderr io.Writer
}

// Shell runs cmd on a terminal, or the login shell when cmd is empty. Errors
// are as in Run; when ctx ends, the session gets SIGHUP and is closed.
func (c *Client) Shell(ctx context.Context, pty Pty, cmd string) (Result, error) {
	start := time.Now()
	s, err := c.openSession(ctx)
	if err != nil {
		return Result{ExitCode: -1}, err
	}
	result, err := s.run(ctx, job{
		stdin: pty.Stdin, stdout: pty.Stdout, stderr: pty.Stderr,
		start:  func() error { return s.startShell(pty, cmd) },
		signal: ssh.SIGHUP,
		beside: func(over <-chan struct{}) { s.relay(pty, over) },
	})
	result.Duration = time.Since(start)
	return result, err
}

// Private

func (s *session) startShell(pty Pty, cmd string) error {
	term, size := pty.Term, pty.Size
	if term == "" {
		term = "xterm-256color"
	}
	if size == (Size{}) {
		size = Size{Width: 80, Height: 24}
	}
	s.client.counts.request(true)
	modes := ssh.TerminalModes{ssh.ECHO: 1, ssh.TTY_OP_ISPEED: 38400, ssh.TTY_OP_OSPEED: 38400}
	if err := s.ch.RequestPty(term, size.Height, size.Width, modes); err != nil {
		return err
	}
	if cmd != "" {
		return s.start(cmd)
	}
	s.client.counts.request(true)
	return s.ch.Shell()
}

// relay passes on sizes and signals until the session is over.
func (s *session) relay(pty Pty, over <-chan struct{}) {
	for {
		select {
		case <-over:
			return
		case size, ok := <-pty.Resize:
			if !ok {
				pty.Resize = nil
				continue
			}
			s.client.counts.request(false)
			_ = s.ch.WindowChange(size.Height, size.Width)
		case name, ok := <-pty.Signals:
			if !ok {
				pty.Signals = nil
				continue
			}
			s.client.counts.request(false)
			_ = s.ch.Signal(ssh.Signal(name))
		}
	}
}
