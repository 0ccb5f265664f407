package remote

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os/exec"
	"strings"
	"sync"
	"time"
)

// proxyConn is the standard input and output of a ProxyCommand.
type proxyConn struct {
	stdout  *io.PipeReader
	stdin   io.WriteCloser
	stderr  *lockedTail
	command *exec.Cmd
	once    sync.Once
	exited  chan struct{}
	ending  error // valid after exited
}

// startProxy runs a ProxyCommand through the user's shell, as ssh does.
func startProxy(p *Pool, line string) (net.Conn, error) {
	shell := p.local.Getenv("SHELL")
	cmd := shellCommand(shell, line)
	cmd.Dir = p.local.Dir
	detach(cmd)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, in := io.Pipe()
	conn := &proxyConn{stdout: out, stdin: stdin, command: cmd, stderr: &lockedTail{tail: tail{limit: 1 << 10}}, exited: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = in, conn.stderr
	cmd.WaitDelay = time.Second
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting the ProxyCommand: %w", err)
	}
	if !p.spawn(func() {
		defer close(conn.exited)
		err := cmd.Wait()
		if text := strings.TrimSpace(conn.stderr.String()); text != "" && err != nil {
			err = fmt.Errorf("the ProxyCommand failed: %s: %w", text, err)
		}
		conn.ending = err
		if err == nil {
			err = io.EOF
		}
		_ = in.CloseWithError(err)
	}) {
		kill(cmd)
		_ = cmd.Wait()
		return nil, errPoolClosed
	}
	return conn, nil
}

// Read fails with what the command said when it ended.
func (c *proxyConn) Read(b []byte) (int, error) { return c.stdout.Read(b) }

// Write, like Read, rather tells why the command ended than that it has.
func (c *proxyConn) Write(b []byte) (int, error) {
	n, err := c.stdin.Write(b)
	if err != nil && waitFor(c.exited, time.Second) && c.ending != nil {
		err = c.ending
	}
	return n, err
}

// Close ends the command and what it started.
func (c *proxyConn) Close() error {
	c.once.Do(func() {
		_ = c.stdin.Close()
		_ = c.stdout.CloseWithError(net.ErrClosed)
		kill(c.command)
	})
	return nil
}

// The remaining methods make it a net.Conn.

func (c *proxyConn) LocalAddr() net.Addr              { return proxyAddr{} }
func (c *proxyConn) RemoteAddr() net.Addr             { return proxyAddr{} }
func (c *proxyConn) SetDeadline(time.Time) error      { return errNoDeadline }
func (c *proxyConn) SetReadDeadline(time.Time) error  { return errNoDeadline }
func (c *proxyConn) SetWriteDeadline(time.Time) error { return errNoDeadline }

var errNoDeadline = errors.New("a ProxyCommand has no deadlines")

// proxyAddr has the form that host key checks expect of an address.
type proxyAddr struct{}

func (proxyAddr) Network() string { return "proxycommand" }
func (proxyAddr) String() string  { return "0.0.0.0:0" }

// lockedTail is a tail that is read while it is written.
type lockedTail struct {
	mu sync.Mutex
	tail
}

func (t *lockedTail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.tail.Write(b)
}

func (t *lockedTail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.tail.String()
}
