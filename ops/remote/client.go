package remote

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"
)

// Client is one host. All methods may be called at the same time; they share
// one connection, which is opened at first use and again after a loss. Only
// when a server's limit of sessions is reached are further connections opened.
type Client struct {
	pool     *Pool
	name     string
	to       destination
	unusable error // the name cannot be read
	counts   counters

	mu       sync.Mutex
	links    []*link
	attempt  *attempt
	failures int       // in a row
	retryAt  time.Time // not before
	state    State
	changed  chan struct{} // closed at each change of state
	freed    chan struct{} // closed when a session slot may have come free
	stdio    bool          // the server forwards no sockets; use dial-stdio
}

// Phase is where a Client's connection stands.
type Phase string

// The phases of a Client.
const (
	Idle       Phase = "idle"       // never used
	Connecting Phase = "connecting" // dialing, or waiting before it dials again
	Connected  Phase = "connected"
	Failed     Phase = "failed" // the dial failed or the connection was lost; the next use dials again
)

// State is a snapshot of a Client's connection.
type State struct {
	Phase   Phase
	Since   time.Time       // of this phase; zero when Idle
	Err     error           // why the last dial failed or the connection was lost; nil when Connected
	Changed <-chan struct{} // closed when this snapshot no longer holds
}

const (
	sessionsPerLink = 8 // OpenSSH's MaxSessions is 10; two for sessions that the server is still clearing away
	maxLinks        = 4
	firstBackoff    = 500 * time.Millisecond
	maxBackoff      = 15 * time.Second
)

// Name returns the host as deploy.yml writes it.
func (c *Client) Name() string { return c.name }

// State tells whether the host is connected, since when, and what went wrong.
func (c *Client) State() State {
	c.mu.Lock()
	defer c.mu.Unlock()
	state := c.state
	state.Changed = c.changed
	return state
}

// Connect dials if there is no connection. After failures in a row it waits
// before it dials again, at most 15 s.
func (c *Client) Connect(ctx context.Context) error {
	_, err := c.acquire(ctx, false)
	return err
}

// Private

// link is one SSH connection.
type link struct {
	conn *ssh.Client
	down chan struct{} // closed when the connection has ended
	stop func()        // ends the connection and what carries it

	forwardsAgent bool

	// Guarded by the Client's mutex.
	limit int // sessions the server allows, as far as known
	inUse int // slots taken
	open  int // sessions the server has opened
}

// attempt is a dial that several callers wait for.
type attempt struct {
	done    chan struct{}
	err     error // valid after done
	cancel  context.CancelFunc
	waiters int
}

func newClient(p *Pool, name string, d destination) *Client {
	return &Client{pool: p, name: name, to: d, state: State{Phase: Idle}, changed: make(chan struct{}), freed: make(chan struct{})}
}

// acquire returns a live connection, dialing if needed; with session it also
// takes a session slot, which release gives back.
func (c *Client) acquire(ctx context.Context, session bool) (*link, error) {
	if c.unusable != nil {
		return nil, &ConnError{Host: c.name, Kind: Misconfigured, Op: "reading the host's name", Err: c.unusable}
	}
	for {
		c.mu.Lock()
		if l := c.pick(session); l != nil {
			c.mu.Unlock()
			return l, nil
		}
		var a *attempt
		if len(c.links) < maxLinks {
			a = c.startAttempt()
		}
		freed, alone := c.freed, len(c.links) == 0
		c.mu.Unlock()
		if alone && a == nil {
			return nil, &ConnError{Host: c.name, Kind: Closed, Op: "connecting", Err: errPoolClosed}
		}
		if err := c.await(ctx, a, freed, alone); err != nil {
			return nil, err
		}
	}
}

// pick chooses among the live links. Called with the mutex held.
func (c *Client) pick(session bool) *link {
	for _, l := range c.links {
		if !session {
			return l
		}
		if l.inUse < l.limit {
			l.inUse++
			return l
		}
	}
	return nil
}

// await waits for the attempt, or for a slot where there are links already.
func (c *Client) await(ctx context.Context, a *attempt, freed <-chan struct{}, alone bool) error {
	var done <-chan struct{}
	if a != nil {
		done = a.done
		defer c.leave(a)
	}
	select {
	case <-done:
		if a.err == nil || !alone {
			if a.err != nil {
				return c.awaitSlot(ctx, freed)
			}
			return nil
		}
		return a.err
	case <-freed:
		return nil
	case <-ctx.Done():
		return c.gaveUp(ctx, "connecting")
	}
}

// awaitSlot waits for a session to end when no further connection can be had.
func (c *Client) awaitSlot(ctx context.Context, freed <-chan struct{}) error {
	select {
	case <-freed:
		return nil
	case <-ctx.Done():
		return c.gaveUp(ctx, "waiting for a free session")
	}
}

// leave cancels a first dial that nobody waits for any more.
func (c *Client) leave(a *attempt) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if a.waiters--; a.waiters > 0 || len(c.links) > 0 {
		return
	}
	a.cancel()
	if c.attempt == a {
		c.attempt = nil // nobody is to join it now
	}
}

// startAttempt joins the dial under way or starts one; nil when the Pool is
// closed. Called with the mutex held.
func (c *Client) startAttempt() *attempt {
	if c.attempt != nil {
		c.attempt.waiters++
		return c.attempt
	}
	ctx, cancel := context.WithCancel(c.pool.ctx)
	a := &attempt{done: make(chan struct{}), cancel: cancel, waiters: 1}
	wait := time.Until(c.retryAt)
	if !c.pool.spawn(func() { c.run(ctx, a, wait) }) {
		cancel()
		return nil
	}
	c.attempt = a
	if len(c.links) == 0 {
		c.enter(Connecting, c.state.Err)
	}
	return a
}

// run waits out the backoff, dials, records the outcome and stays with the
// connection until it ends.
func (c *Client) run(ctx context.Context, a *attempt, wait time.Duration) {
	defer a.cancel()
	if wait > 0 {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
		}
	}
	l, err := c.dial(ctx)
	c.mu.Lock()
	if c.attempt == a {
		c.attempt = nil
	}
	switch {
	case err == nil:
		c.failures, c.retryAt = 0, time.Time{}
		c.links = append(c.links, l)
		c.enter(Connected, nil)
	case ctx.Err() != nil:
		if len(c.links) == 0 && c.attempt == nil {
			c.enter(Failed, err)
		}
	default:
		c.failures++
		c.retryAt = time.Now().Add(c.pool.jitter(backoff(c.failures)))
		if len(c.links) == 0 {
			c.enter(Failed, err)
		}
		c.pool.log.Info("ssh dial failed", "host", c.name, "err", err, "failures", c.failures)
	}
	a.err = err
	c.mu.Unlock()
	close(a.done)
	if err == nil {
		c.watch(l)
	}
}

// watch waits for the end of a link and takes it out of use.
func (c *Client) watch(l *link) {
	defer context.AfterFunc(c.pool.ctx, l.stop)()
	err := l.conn.Wait()
	l.stop()
	close(l.down)
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, other := range c.links {
		if other == l {
			c.links = append(c.links[:i:i], c.links[i+1:]...)
			break
		}
	}
	if len(c.links) == 0 {
		c.stdio = false
		c.enter(Failed, &ConnError{Host: c.name, Kind: Lost, Op: "keeping the connection", Err: lossCause(err)})
	}
	c.signalFreed()
	c.pool.log.Info("ssh connection ended", "host", c.name, "err", err)
}

// release gives a session slot back; opened tells whether the server had
// opened the session.
func (c *Client) release(l *link, opened bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	l.inUse--
	if opened {
		l.open--
	}
	c.signalFreed()
}

// enter changes the state. Called with the mutex held.
func (c *Client) enter(phase Phase, err error) {
	if phase == Connected && c.state.Phase == Connected {
		return
	}
	c.state = State{Phase: phase, Since: time.Now(), Err: err}
	close(c.changed)
	c.changed = make(chan struct{})
}

// signalFreed wakes whoever waits for a slot. Called with the mutex held.
func (c *Client) signalFreed() {
	close(c.freed)
	c.freed = make(chan struct{})
}

// gaveUp is the error of a caller whose context ended; it carries what was
// wrong with the host, if anything was.
func (c *Client) gaveUp(ctx context.Context, op string) error {
	kind, cause := Canceled, context.Cause(ctx)
	if errors.Is(cause, context.DeadlineExceeded) {
		kind = Timeout
	}
	if last := c.State().Err; last != nil && kind == Timeout {
		cause = fmt.Errorf("%w; %w", cause, last)
	}
	return &ConnError{Host: c.name, Kind: kind, Op: op, Err: cause}
}

// Helpers

func backoff(failures int) time.Duration {
	return min(firstBackoff<<min(failures-1, 10), maxBackoff)
}

// jitter spreads d over [d/2, d], so that hosts which failed together do not
// come back together.
func jitter(d time.Duration) time.Duration {
	return d/2 + rand.N(d/2+1) //nolint:gosec // nothing is kept secret by it
}
