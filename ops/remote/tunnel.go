package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/ssh"
)

// DockerSocket is where Docker listens unless it is told otherwise.
const DockerSocket = "/var/run/docker.sock"

// DialUnix connects to a socket on the host. Where the server does not
// forward sockets, `docker system dial-stdio` carries the connection instead,
// so that is only of use for Docker's. A deadline on the connection closes it
// when it passes; it cannot be used again afterwards.
func (c *Client) DialUnix(ctx context.Context, path string) (net.Conn, error) {
	if !c.usesStdio() {
		conn, err := c.dialChannel(ctx, "unix", path)
		var refused *ssh.OpenChannelError
		if !errors.As(err, &refused) {
			return conn, err
		}
		// OpenSSH says the same whether it may not forward or nothing
		// listens; dial-stdio finds out which, and says so.
	}
	return c.dialStdio(ctx, path)
}

// DialTCP connects to an address as seen from the host.
func (c *Client) DialTCP(ctx context.Context, address string) (net.Conn, error) {
	conn, err := c.dialChannel(ctx, "tcp", address)
	var refused *ssh.OpenChannelError
	if errors.As(err, &refused) {
		hint := "is it listening, as seen from " + c.name + "?"
		if refused.Reason == ssh.Prohibited {
			hint = "look at AllowTcpForwarding in the sshd_config of " + c.name
		}
		return nil, &ConnError{Host: c.name, Kind: Refused, Op: "forwarding to " + address, Err: errors.New(refused.Message), Hint: hint}
	}
	return conn, err
}

// ListenTCP has the host listen on address and hands its connections over. It
// ends with the SSH connection; it does not come back by itself.
func (c *Client) ListenTCP(ctx context.Context, address string) (net.Listener, error) {
	l, err := c.acquire(ctx, false)
	if err != nil {
		return nil, err
	}
	c.counts.globals.Add(1)
	c.counts.waits.Add(1)
	listener, err := open(ctx, c,
		func() (net.Listener, error) { return l.conn.Listen("tcp", address) },
		func(late net.Listener) { _ = late.Close() })
	switch {
	case err == nil:
		return listener, nil
	case ctx.Err() != nil:
		return nil, c.gaveUp(ctx, "listening on "+address)
	case isClosed(l.down):
		return nil, c.lost("listening on "+address, err)
	}
	return nil, &ConnError{Host: c.name, Kind: Refused, Op: "listening on " + address, Err: err,
		Hint: "is the port taken, or AllowTcpForwarding off in sshd_config?"}
}

// Private

// dialChannel opens a forwarding channel; these do not count as sessions.
func (c *Client) dialChannel(ctx context.Context, network, address string) (net.Conn, error) {
	for retried := false; ; retried = true {
		l, err := c.acquire(ctx, false)
		if err != nil {
			return nil, err
		}
		c.counts.tunnels.Add(1)
		c.counts.waits.Add(1)
		conn, err := open(ctx, c,
			func() (net.Conn, error) { return l.conn.Dial(network, address) },
			func(late net.Conn) { _ = late.Close() })
		var refused *ssh.OpenChannelError
		switch {
		case err == nil:
			return newTunnel(conn), nil
		case ctx.Err() != nil:
			return nil, c.gaveUp(ctx, "forwarding to "+address)
		case errors.As(err, &refused):
			return nil, err
		case retried:
			return nil, c.lost("forwarding to "+address, err)
		}
		l.stop()
		<-l.down
	}
}

func (c *Client) usesStdio() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.stdio
}

// dialStdio runs docker's own bridge to its socket.
func (c *Client) dialStdio(ctx context.Context, path string) (net.Conn, error) {
	s, err := c.openSession(ctx)
	if err != nil {
		return nil, err
	}
	shell := "docker system dial-stdio"
	if path != DockerSocket {
		shell = "docker -H " + quote("unix://"+path) + " system dial-stdio"
	}
	b := &bridge{session: s, errs: &lockedTail{tail: tail{limit: 1 << 10}}}
	if _, err := open(ctx, c, func() (struct{}, error) { return struct{}{}, b.start(shell) }, func(struct{}) { _ = b.Close() }); err != nil {
		_ = b.Close()
		if ctx.Err() != nil {
			return nil, c.gaveUp(ctx, "running docker system dial-stdio")
		}
		return nil, c.lost("running docker system dial-stdio", err)
	}
	return newTunnel(b), nil
}

// bridge is the standard input and output of a remote command as a stream.
type bridge struct {
	session *session
	stdin   io.WriteCloser
	stdout  io.Reader
	errs    *lockedTail
	once    sync.Once
	ended   chan struct{} // closed when the command has ended
	err     error         // valid after ended
}

func (b *bridge) start(shell string) (err error) {
	if b.stdin, err = b.session.ch.StdinPipe(); err != nil {
		return err
	}
	if b.stdout, err = b.session.ch.StdoutPipe(); err != nil {
		return err
	}
	stderr, err := b.session.ch.StderrPipe()
	if err != nil {
		return err
	}
	if err := b.session.start(shell); err != nil {
		return err
	}
	b.ended = make(chan struct{})
	if !b.session.client.pool.spawn(func() {
		defer close(b.ended)
		drain(b.errs, stderr)
		b.err = b.session.ch.Wait()
	}) {
		return errPoolClosed
	}
	return nil
}

// Read says at the end of the stream why the command failed, if it did.
func (b *bridge) Read(p []byte) (int, error) {
	n, err := b.stdout.Read(p)
	c := b.session.client
	if n > 0 {
		c.mu.Lock()
		c.stdio = true
		c.mu.Unlock()
	}
	if err != nil && waitFor(b.ended, cancelGrace) {
		if text := strings.TrimSpace(b.errs.String()); text != "" && b.err != nil {
			return n, &ConnError{Host: c.name, Kind: Refused, Op: "running docker system dial-stdio", Err: errors.New(text),
				Hint: "is Docker running, and may this user use it?"}
		}
	}
	return n, err
}

func (b *bridge) Write(p []byte) (int, error) { return b.stdin.Write(p) }
func (b *bridge) CloseWrite() error           { return b.stdin.Close() }

func (b *bridge) Close() error {
	b.once.Do(func() {
		_ = b.session.ch.Close()
		b.session.client.release(b.session.link, true)
	})
	return nil
}

// tunnel is a stream with the remaining methods of a net.Conn, and CloseWrite.
type tunnel struct {
	io.ReadWriteCloser
	mu      sync.Mutex
	timer   *time.Timer
	expired atomic.Bool
}

func newTunnel(stream io.ReadWriteCloser) *tunnel { return &tunnel{ReadWriteCloser: stream} }

// Read reads, or fails with os.ErrDeadlineExceeded once a deadline has passed.
func (t *tunnel) Read(b []byte) (int, error) {
	n, err := t.ReadWriteCloser.Read(b)
	return n, t.verdict(err)
}

// Write is like Read.
func (t *tunnel) Write(b []byte) (int, error) {
	n, err := t.ReadWriteCloser.Write(b)
	return n, t.verdict(err)
}

// CloseWrite tells the other side that no more will come.
func (t *tunnel) CloseWrite() error {
	if half, ok := t.ReadWriteCloser.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return fmt.Errorf("closing one direction: %w", errors.ErrUnsupported)
}

// Close closes the stream.
func (t *tunnel) Close() error {
	t.mu.Lock()
	if t.timer != nil {
		t.timer.Stop()
	}
	t.mu.Unlock()
	if err := t.ReadWriteCloser.Close(); !errors.Is(err, io.EOF) {
		return err
	}
	return nil // the other side was first
}

// SetDeadline closes the stream at that time; the zero time takes it back.
func (t *tunnel) SetDeadline(at time.Time) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.timer != nil {
		t.timer.Stop()
		t.timer = nil
	}
	if !at.IsZero() {
		t.timer = time.AfterFunc(time.Until(at), func() {
			t.expired.Store(true)
			_ = t.ReadWriteCloser.Close()
		})
	}
	return nil
}

// SetReadDeadline is SetDeadline: a channel cannot give up one direction.
func (t *tunnel) SetReadDeadline(at time.Time) error { return t.SetDeadline(at) }

// SetWriteDeadline is SetDeadline: a channel cannot give up one direction.
func (t *tunnel) SetWriteDeadline(at time.Time) error { return t.SetDeadline(at) }

// LocalAddr has no meaning within SSH.
func (t *tunnel) LocalAddr() net.Addr { return proxyAddr{} }

// RemoteAddr has no meaning within SSH.
func (t *tunnel) RemoteAddr() net.Addr { return proxyAddr{} }

func (t *tunnel) verdict(err error) error {
	if err != nil && t.expired.Load() {
		return os.ErrDeadlineExceeded
	}
	return err
}

// Helpers

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
