package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/crypto/ssh"
)

// maxDropped is how often a handshake is tried again that the server cut
// before it began, as sshd does beyond its MaxStartups.
const maxDropped = 3

// maxHops ends a loop of ProxyJump settings.
const maxHops = 8

// errHandshakeTimeout ends a handshake that took too long.
var errHandshakeTimeout = errors.New("no answer in time")

// Private

// dial opens one connection: it settles the host key with a person if need
// be, and tries again where that can help.
func (c *Client) dial(ctx context.Context) (*link, error) {
	e, err := c.pool.endpoint(c.to)
	if err != nil {
		return nil, &ConnError{Host: c.name, Kind: Misconfigured, Op: "reading the SSH settings", Err: err}
	}
	outwaited := false
	for dropped, asked := 0, 0; ; {
		l, err := c.dialOnce(ctx, e)
		if err == nil {
			return l, nil
		}
		var unknown *unknownKeyError
		switch {
		case ctx.Err() != nil:
			return nil, c.dialError(e, context.Cause(ctx))
		case errors.As(err, &unknown) && asked == 0:
			asked++
			if err := c.settleHostKey(ctx, e, unknown); err != nil {
				return nil, err
			}
		case errors.Is(err, errOutwaited) && !outwaited:
			outwaited = true
		case errors.Is(err, errDropped) && dropped < maxDropped:
			dropped++
			if err := sleep(ctx, c.pool.jitter(firstBackoff<<dropped)); err != nil {
				return nil, c.dialError(e, err)
			}
		default:
			return nil, c.dialError(e, err)
		}
	}
}

// dialOnce connects and logs in.
func (c *Client) dialOnce(ctx context.Context, e *endpoint) (*link, error) {
	// The way there comes first: a jump host's own start must not wait for
	// this one's.
	open, err := c.route(ctx, e)
	if err != nil {
		return nil, err
	}
	if err := c.pool.starts.Acquire(ctx, 1); err != nil {
		return nil, err
	}
	defer c.pool.starts.Release(1)
	within, clock := newClock(ctx, e.timeout)
	defer clock.stop()
	raw, err := open(within)
	if err != nil {
		if cause := context.Cause(within); cause != nil {
			return nil, cause
		}
		return nil, err
	}
	c.counts.dials.Add(1)
	return c.handshake(within, clock, raw, e)
}

// route returns how to open the transport: directly, through a jump host
// (which is connected first) or through a command.
func (c *Client) route(ctx context.Context, e *endpoint) (func(context.Context) (net.Conn, error), error) {
	if len(e.jumps) > 0 {
		last := e.jumps[len(e.jumps)-1]
		if len(e.jumps) > 1 {
			last.via = e.jumps[:len(e.jumps)-1]
		}
		if last.hops = c.to.hops + 1; last.hops > maxHops {
			return nil, &routeError{errors.New("the ProxyJump settings form a loop")}
		}
		jump := c.pool.client(last.host, last, nil)
		if err := jump.Connect(ctx); err != nil {
			return nil, &routeError{err}
		}
		return func(ctx context.Context) (net.Conn, error) {
			conn, err := jump.DialTCP(ctx, e.address())
			if err != nil {
				return nil, &routeError{err}
			}
			return conn, nil
		}, nil
	}
	if e.proxyCommand != "" {
		return func(ctx context.Context) (net.Conn, error) { return startProxy(c.pool, e.proxyCommand) }, nil
	}
	return func(ctx context.Context) (net.Conn, error) { return c.dialTCP(ctx, e) }, nil
}

// dialTCP connects, trying again where only the name could not be resolved.
func (c *Client) dialTCP(ctx context.Context, e *endpoint) (net.Conn, error) {
	retries := 3
	if c.pool.settings.DNSRetries != nil {
		retries = *c.pool.settings.DNSRetries
	}
	for wait := 100 * time.Millisecond; ; wait = min(2*wait, 2*time.Second) {
		conn, err := c.pool.dialNet(ctx, e.network, e.address())
		var dns *net.DNSError
		if err == nil || retries <= 0 || !errors.As(err, &dns) {
			return conn, err
		}
		retries--
		if err := sleep(ctx, wait+c.pool.jitter(100*time.Millisecond)); err != nil {
			return nil, err
		}
	}
}

// handshake speaks SSH over raw until logged in.
func (c *Client) handshake(ctx context.Context, clock *clock, raw net.Conn, e *endpoint) (*link, error) {
	release := context.AfterFunc(ctx, func() { _ = raw.Close() })
	defer release()
	keys, err := c.pool.hostKeys(c.name, e)
	if err != nil {
		_ = raw.Close()
		return nil, err
	}
	login := c.newLogin(ctx, clock, e)
	heard := &greeted{Conn: raw}
	conn, chans, reqs, err := ssh.NewClientConn(heard, e.address(), &ssh.ClientConfig{
		User:              e.user,
		Auth:              []ssh.AuthMethod{ssh.PublicKeysCallback(login.signers)},
		AuthCallback:      login.next,
		HostKeyCallback:   keys.check,
		HostKeyAlgorithms: keys.algorithms(),
		ClientVersion:     "SSH-2.0-Binnacle",
	})
	if err != nil {
		login.close()
		_ = raw.Close()
		if keys.err != nil {
			return nil, keys.err
		}
		if cause := context.Cause(ctx); cause != nil {
			return nil, cause
		}
		return nil, login.explain(err, e)
	}
	l := &link{conn: ssh.NewClient(conn, chans, reqs), down: make(chan struct{}), limit: sessionsPerLink}
	l.stop = func() {
		_ = conn.Close()
		_ = raw.Close()
	}
	if !release() {
		l.stop()
		login.close()
		return nil, context.Cause(ctx)
	}
	if e.forwardAgent && e.agentSocket != "" {
		c.serveAgent(l, e.agentSocket)
	}
	login.close()
	if e.keepAlive > 0 {
		c.pool.spawn(func() { c.keepAlive(l, heard, e.keepAlive, e.aliveTimeout) })
	}
	return l, nil
}

// keepAlive asks for a sign of life when there was none for an interval, and
// hangs up when none comes.
func (c *Client) keepAlive(l *link, heard *greeted, interval, patience time.Duration) {
	timer := time.NewTimer(interval)
	defer timer.Stop()
	for {
		select {
		case <-l.down:
			return
		case <-timer.C:
		}
		if time.Since(heard.last()) < interval {
			timer.Reset(together(heard.last().Add(interval), interval/6))
			continue
		}
		watchdog := time.AfterFunc(patience, l.stop)
		c.counts.globals.Add(1)
		_, _, err := l.conn.SendRequest("keepalive@openssh.com", true, nil)
		watchdog.Stop()
		if err != nil {
			l.stop()
			return
		}
		timer.Reset(interval)
	}
}

// Helpers

// together is the time until at, put off by less than a step so that the links
// of many hosts wake the program up at once and not one by one.
func together(at time.Time, step time.Duration) time.Duration {
	if next := at.Truncate(step); next.Before(at) {
		at = next.Add(step)
	}
	return time.Until(at)
}

// clock bounds a handshake; it stands still while a person is asked.
type clock struct {
	limit time.Duration
	timer *time.Timer
	stop  func()
}

func newClock(ctx context.Context, limit time.Duration) (context.Context, *clock) {
	ctx, cancel := context.WithCancelCause(ctx)
	timer := time.AfterFunc(limit, func() { cancel(errHandshakeTimeout) })
	return ctx, &clock{limit: limit, timer: timer, stop: func() {
		timer.Stop()
		cancel(nil)
	}}
}

// pause stops the clock and returns what starts it anew.
func (c *clock) pause() (resume func()) {
	c.timer.Stop()
	return func() { c.timer.Reset(c.limit) }
}

// greeted remembers whether the other side ever spoke, which tells a server
// that turns connections away from one that broke off later, and when it last did.
type greeted struct {
	net.Conn
	at      atomic.Int64 // of the last read that brought something, in Unix nanoseconds
	heard   bool
	midLine bool
}

// errDropped marks a connection that ended before the server's greeting.
var errDropped = errors.New("the server closed the connection before its greeting")

func (g *greeted) Read(b []byte) (int, error) {
	n, err := g.Conn.Read(b)
	if n > 0 {
		g.at.Store(time.Now().UnixNano())
	}
	if !g.heard && n > 0 {
		// The greeting "SSH-2.0-…", before which other lines may come, is read
		// byte by byte.
		g.heard = !g.midLine && b[0] == 'S'
		g.midLine = b[n-1] != '\n'
	}
	if n == 0 && err != nil && !g.heard && (errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET)) {
		return 0, fmt.Errorf("%w: %w", errDropped, err)
	}
	return n, err
}

func (g *greeted) last() time.Time { return time.Unix(0, g.at.Load()) }

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
