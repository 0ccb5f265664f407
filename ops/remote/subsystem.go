package remote

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync"
)

// subsystemBuffer takes a packet of SFTP with what stands around it.
const subsystemBuffer = 64 << 10

// Subsystem starts a subsystem of the host's sshd, such as sftp, and returns its
// standard input and output. It holds a session until it is closed; Close does not
// wait for the host, and ends what reads or writes. ctx bounds the start alone.
func (c *Client) Subsystem(ctx context.Context, name string) (io.ReadWriteCloser, error) {
	op := "starting the subsystem " + name
	s, err := c.openSession(ctx)
	if err != nil {
		return nil, err
	}
	t := &subsystem{session: s}
	c.counts.request(true)
	_, err = open(ctx, c, func() (struct{}, error) { return struct{}{}, t.start(name) }, func(struct{}) {})
	if err == nil {
		return t, nil
	}
	_ = t.Close()
	switch {
	case ctx.Err() != nil:
		return nil, c.gaveUp(ctx, op)
	case strings.HasPrefix(err.Error(), "ssh: subsystem request failed"):
		return nil, &ConnError{Host: c.name, Kind: Refused, Op: op, Err: errors.New("the server does not have it"),
			Hint: "look at Subsystem and ForceCommand in the host's sshd_config"}
	}
	return nil, c.lost(op, err)
}

// Private

// subsystem copies between pipes and the channel, for a channel's own Read and
// Write cannot be interrupted while the host is silent.
type subsystem struct {
	session *session
	mu      sync.Mutex
	in      *io.PipeWriter
	out     *io.PipeReader
	forget  func() bool
	closed  bool
}

func (t *subsystem) start(name string) error {
	ch := t.session.ch
	stdin, err := ch.StdinPipe()
	if err != nil {
		return err
	}
	stdout, err := ch.StdoutPipe()
	if err != nil {
		return err
	}
	stderr, err := ch.StderrPipe()
	if err != nil {
		return err
	}
	if err := ch.RequestSubsystem(name); err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return io.ErrClosedPipe
	}
	fromCaller, in := io.Pipe()
	out, toCaller := io.Pipe()
	t.in, t.out = in, out
	spawn := t.session.client.pool.spawn
	running := spawn(func() { drain(io.Discard, stderr) })
	running = running && spawn(func() {
		_, err := io.CopyBuffer(struct{ io.Writer }{stdin}, struct{ io.Reader }{fromCaller}, make([]byte, subsystemBuffer))
		_ = fromCaller.CloseWithError(err)
		_ = stdin.Close()
	})
	running = running && spawn(func() {
		_, err := io.Copy(toCaller, stdout)
		_ = toCaller.CloseWithError(err)
		_ = fromCaller.CloseWithError(io.ErrClosedPipe)
	})
	if !running {
		return errPoolClosed
	}
	t.forget = context.AfterFunc(t.session.client.pool.ctx, func() { _ = t.Close() })
	return nil
}

func (t *subsystem) Read(b []byte) (int, error)  { return t.out.Read(b) }
func (t *subsystem) Write(b []byte) (int, error) { return t.in.Write(b) }

func (t *subsystem) Close() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return nil
	}
	t.closed = true
	if t.in != nil {
		_ = t.in.Close()
		_ = t.out.Close()
	}
	if t.forget != nil {
		t.forget()
	}
	end := func() {
		_ = t.session.ch.Close()
		t.session.client.release(t.session.link, true)
	}
	if !t.session.client.pool.spawn(end) {
		end()
	}
	return nil
}
