package remote

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/ssh"
)

// Command is a command line for the login shell of the remote user.
type Command struct {
	Shell string
	// Stdin is copied to the command; nil is empty. When it has a method
	// Cancel() bool, that is called at the end, so that no Read stays behind.
	Stdin io.Reader
	// Stdout and Stderr get each chunk as it comes; calls never overlap, so
	// they may be the same writer. Nil discards. A writer that blocks holds the
	// command up. None is called after Run has returned, except that Run does
	// not wait longer than 1 s after a cancellation for a call under way.
	Stdout, Stderr io.Writer
}

// Result tells how a command or shell ended.
type Result struct {
	ExitCode int    // 128 + n when a signal ended it; -1 when it is not known
	Signal   string // such as "TERM"; empty when it exited by itself
	Duration time.Duration
}

const stderrTail = 4 << 10

// Run runs a command without a terminal. The error is an *ExitError when it
// exited with another code than 0, and a *ConnError when the host could not
// be reached, was lost meanwhile or ctx ended.
//
// When ctx ends, SIGTERM is sent to the command's process group and, 2 s
// later, the session is closed. Run returns then at the latest, whether or not
// the process on the host has ended; one that ignores SIGTERM goes on.
func (c *Client) Run(ctx context.Context, cmd Command) (Result, error) {
	start := time.Now()
	s, err := c.openSession(ctx)
	if err != nil {
		return Result{ExitCode: -1}, err
	}
	result, err := s.run(ctx, job{
		stdin: cmd.Stdin, stdout: cmd.Stdout, stderr: cmd.Stderr,
		shell: cmd.Shell, start: func() error { return s.start(cmd.Shell) }, signal: ssh.SIGTERM,
	})
	result.Duration = time.Since(start)
	return result, err
}

// Output runs a command and returns what it wrote to stdout. An *ExitError
// carries the end of what it wrote to stderr.
func (c *Client) Output(ctx context.Context, shell string) (string, error) {
	var stdout bytes.Buffer
	stderr := tail{limit: stderrTail}
	_, err := c.Run(ctx, Command{Shell: shell, Stdout: &stdout, Stderr: &stderr})
	var exit *ExitError
	if errors.As(err, &exit) {
		exit.Stderr = stderr.String()
	}
	if err != nil && exit == nil {
		return "", err // a cancelled command may still be writing
	}
	return stdout.String(), err
}

// Private

// session is an open session channel and its slot.
type session struct {
	client *Client
	link   *link
	ch     *ssh.Session
}

// job is what happens on a session.
type job struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	start          func() error
	shell          string                     // the command line that start sends, if it runs without a terminal
	signal         ssh.Signal                 // asks it to end
	beside         func(over <-chan struct{}) // runs along, such as forwarding of sizes; ends with over
}

// openSession takes a slot and opens a session, on a further connection where
// the server allows no more on the first.
func (c *Client) openSession(ctx context.Context) (*session, error) {
	for wait, alone := 20*time.Millisecond, 0; ; {
		l, err := c.acquire(ctx, true)
		if err != nil {
			return nil, err
		}
		ch, err := c.newSession(ctx, l)
		if err == nil {
			return &session{client: c, link: l, ch: ch}, nil
		}
		var refused *ssh.OpenChannelError
		switch {
		case ctx.Err() != nil:
			return nil, c.gaveUp(ctx, "opening a session")
		case errors.As(err, &refused):
			if c.refused(l) {
				alone++
			}
			if alone > 5 {
				return nil, &ConnError{Host: c.name, Kind: Refused, Op: "opening a session", Err: err, Hint: "look at MaxSessions and ForceCommand in the host's sshd_config"}
			}
			if err := sleep(ctx, wait); err != nil {
				return nil, c.gaveUp(ctx, "opening a session")
			}
			wait = min(2*wait, time.Second)
		case alone > 5:
			return nil, c.lost("opening a session", err)
		default:
			// The connection had died unnoticed; dial again.
			alone++
			l.stop()
			<-l.down
		}
	}
}

// newSession opens the channel; a refusal or ctx's end gives the slot back.
func (c *Client) newSession(ctx context.Context, l *link) (*ssh.Session, error) {
	c.counts.sessions.Add(1)
	c.counts.waits.Add(1)
	ch, err := open(ctx, c, l.conn.NewSession, func(late *ssh.Session) { _ = late.Close() })
	if err != nil {
		c.release(l, false)
		return nil, err
	}
	c.mu.Lock()
	l.open++
	c.mu.Unlock()
	if l.forwardsAgent {
		c.counts.request(false)
		_, _ = ch.SendRequest("auth-agent-req@openssh.com", false, nil)
	}
	return ch, nil
}

// refused learns the server's limit; true when no session was open, so that
// waiting for one to end is of no use.
func (c *Client) refused(l *link) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	l.limit = max(1, min(l.limit, l.open))
	return l.open == 0
}

// run starts the job, copies its streams and waits for its end or ctx's.
func (s *session) run(ctx context.Context, j job) (Result, error) {
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	ended := make(chan error, 1)
	done := make(chan struct{})
	output := newGate()
	if !s.client.pool.spawn(func() {
		defer close(done)
		err := s.converse(j, output, fail)
		_ = s.ch.Close()
		s.client.release(s.link, true)
		ended <- err
	}) {
		_ = s.ch.Close()
		s.client.release(s.link, true)
		return Result{ExitCode: -1}, s.client.lost("running a command", errPoolClosed)
	}
	var input *inputError
	select {
	case err := <-ended:
		if !errors.As(context.Cause(ctx), &input) {
			return s.client.result(err)
		}
	case <-ctx.Done():
		s.end(j, done)
		output.shut()
	}
	if errors.As(context.Cause(ctx), &input) {
		return Result{ExitCode: -1}, fmt.Errorf("%s: running a command: %w", s.client.name, input)
	}
	return Result{ExitCode: -1}, s.client.gaveUp(ctx, "running a command, which may go on")
}

// converse is the whole life of the command, up to the end of its output.
func (s *session) converse(j job, output *gate, fail func(error)) error {
	stdin, err := s.ch.StdinPipe()
	if err != nil {
		return err
	}
	stdout, err := s.ch.StdoutPipe()
	if err != nil {
		return err
	}
	stderr, err := s.ch.StderrPipe()
	if err != nil {
		return err
	}
	if err := j.start(); err != nil {
		return err
	}
	var beside sync.WaitGroup
	beside.Go(func() { drain(output.to(j.stdout), stdout) })
	beside.Go(func() { drain(output.to(j.stderr), stderr) })
	over := make(chan struct{})
	if j.beside != nil {
		beside.Go(func() { j.beside(over) })
	}
	fed := feed(stdin, j.stdin, over, fail)
	err = s.ch.Wait()
	close(over)
	stopFeeding(j.stdin, fed)
	beside.Wait()
	return err
}

// start sends the command line. x/crypto/ssh puts it into the error of a
// refusal, where it must not be: it may hold anything.
func (s *session) start(shell string) error {
	s.client.counts.request(true)
	err := s.ch.Start(shell)
	if err != nil && strings.HasPrefix(err.Error(), "ssh: command ") {
		return errExecRefused
	}
	return err
}

// result translates the end of a session.
func (c *Client) result(err error) (Result, error) {
	var exit *ssh.ExitError
	var missing *ssh.ExitMissingError
	switch {
	case err == nil:
		return Result{}, nil
	case errors.As(err, &exit):
		result := Result{ExitCode: exit.ExitStatus(), Signal: exit.Signal()}
		return result, &ExitError{Host: c.name, Code: result.ExitCode, Signal: result.Signal}
	case errors.Is(err, errExecRefused):
		return Result{ExitCode: -1}, &ConnError{Host: c.name, Kind: Refused, Op: "running a command", Err: err, Hint: "look at ForceCommand in the host's sshd_config"}
	case errors.As(err, &missing):
		err = errLost
	}
	return Result{ExitCode: -1}, c.lost("running a command, which may go on", err)
}

func (c *Client) lost(op string, err error) *ConnError {
	kind := Lost
	if c.pool.ctx.Err() != nil {
		kind = Closed
	}
	return &ConnError{Host: c.name, Kind: kind, Op: op, Err: lossCause(err)}
}

// Helpers

// open makes a blocking call of x/crypto/ssh end with ctx; what comes too late
// is discarded.
func open[T any](ctx context.Context, c *Client, call func() (T, error), discard func(T)) (T, error) {
	type outcome struct {
		value T
		err   error
	}
	var none T
	came := make(chan outcome, 1)
	if !c.pool.spawn(func() {
		value, err := call()
		came <- outcome{value, err}
	}) {
		return none, errPoolClosed
	}
	select {
	case o := <-came:
		return o.value, o.err
	case <-ctx.Done():
		c.pool.spawn(func() {
			if o := <-came; o.err == nil {
				discard(o.value)
			}
		})
		return none, context.Cause(ctx)
	}
}

// feed copies to a command's stdin; a reader that fails fails the command,
// which must not take what it got for the whole, unless it is over.
func feed(to io.WriteCloser, from io.Reader, over <-chan struct{}, fail func(error)) <-chan struct{} {
	fed := make(chan struct{})
	if from == nil {
		_ = to.Close()
		close(fed)
		return fed
	}
	go func() {
		defer close(fed)
		source := &noted{r: from}
		_, _ = io.Copy(to, source)
		if source.err != nil {
			select {
			case <-over: // the reader was told to stop
			default:
				fail(&inputError{source.err})
			}
			return
		}
		_ = to.Close()
	}()
	return fed
}

// stopFeeding ends the copying where the reader can be told to stop. A Read
// that blocks and cannot be interrupted is left to the reader's owner.
func stopFeeding(from io.Reader, fed <-chan struct{}) {
	if c, ok := from.(interface{ Cancel() bool }); ok && c.Cancel() {
		<-fed
	}
}

// noted keeps the error of its reader apart from the writer's.
type noted struct {
	r   io.Reader
	err error
}

func (n *noted) Read(b []byte) (int, error) {
	count, err := n.r.Read(b)
	if err != nil && !errors.Is(err, io.EOF) {
		n.err = err
	}
	return count, err
}

// drain copies all of r; what w refuses is dropped, for output that nobody
// takes would stop the command.
func drain(w io.Writer, r io.Reader) {
	if _, err := io.Copy(w, r); err != nil {
		_, _ = io.Copy(io.Discard, r)
	}
}

// inputError is the failure of a reader that the caller gave.
type inputError struct{ err error }

func (e *inputError) Error() string { return "reading the input: " + e.err.Error() }
func (e *inputError) Unwrap() error { return e.err }

// errExecRefused is a server's no to a command.
var errExecRefused = errors.New("the server refuses to run commands")

// gate passes writes on, one at a time, until it is shut.
type gate struct {
	turn chan struct{}
	over atomic.Bool
}

// shutPatience is how long shut waits for a write under way.
const shutPatience = time.Second

func newGate() *gate { return &gate{turn: make(chan struct{}, 1)} }

func (g *gate) shut() {
	g.over.Store(true)
	timer := time.NewTimer(shutPatience)
	defer timer.Stop()
	select {
	case g.turn <- struct{}{}:
		<-g.turn
	case <-timer.C:
	}
}

func (g *gate) to(w io.Writer) io.Writer {
	if w == nil {
		return io.Discard
	}
	return gated{gate: g, w: w}
}

type gated struct {
	gate *gate
	w    io.Writer
}

func (g gated) Write(b []byte) (int, error) {
	g.gate.turn <- struct{}{}
	defer func() { <-g.gate.turn }()
	if g.gate.over.Load() {
		return len(b), nil
	}
	return g.w.Write(b)
}

// tail keeps the last limit bytes.
type tail struct {
	limit int
	kept  []byte
}

func (t *tail) Write(b []byte) (int, error) {
	t.kept = append(t.kept, b...)
	if over := len(t.kept) - t.limit; over > 0 {
		t.kept = append(t.kept[:0], t.kept[over:]...)
	}
	return len(b), nil
}

func (t *tail) String() string { return strings.ToValidUTF8(string(t.kept), "�") }
