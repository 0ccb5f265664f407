// Package docker reads and changes one host's Docker engine through its API,
// over whatever connection it is given, and decodes the answers to the types
// of ops. It decides nothing.
//
// It may import ops, config/secret, the moby client and the standard library.
package docker

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/moby/moby/client"

	"binnacle/ops"
)

// Dial opens a connection to the engine's socket.
type Dial func(ctx context.Context) (net.Conn, error)

// Engine is the Docker engine of one host. Its connections are kept open
// between calls, so that repeated reads cost one round trip. It is safe for
// concurrent use.
type Engine struct {
	host string
	dial Dial

	// turn admits one caller at a time to the first contact, in which the API
	// version is agreed.
	turn     chan struct{}
	mu       sync.Mutex
	client   *client.Client
	agree    bool
	failures int      // attempts at a first contact that failed
	failure  error    // of the last one
	spare    net.Conn // dialled by the first contact, for its first request
}

var _ ops.Docker = (*Engine)(nil)

// New makes an Engine for a host as named in deploy.yml. Nothing is dialled
// before the first call.
func New(host string, dial func(ctx context.Context) (net.Conn, error)) *Engine {
	e := &Engine{host: host, dial: dial, turn: make(chan struct{}, 1)}
	e.client = e.newClient()
	return e
}

// Host is the name that the engine was made with.
func (e *Engine) Host() string { return e.host }

// Close ends idle connections. Calls under way end with their contexts.
func (e *Engine) Close() error {
	if conn := e.takeSpare(); conn != nil {
		_ = conn.Close()
	}
	return e.api().Close()
}

// Private

// The pool of connections kept for the next call, each a channel of the
// host's one SSH connection.
const (
	idleConns = 4
	idleFor   = 2 * time.Minute
)

// How long an answer may take that the engine has at hand, and one for which
// it works on its disk.
const (
	readTimeout   = 30 * time.Second
	changeTimeout = 2 * time.Minute
)

// call runs one request with a bound, agreeing on the API version first.
// command is what a person would type for it. A bound of 0 leaves only the
// caller's context.
func (e *Engine) call(ctx context.Context, bound time.Duration, command string, request func(context.Context) error) error {
	inner, cancel := ctx, func() {}
	if bound > 0 {
		inner, cancel = context.WithTimeout(ctx, bound)
	}
	defer cancel()
	err := e.ready(inner)
	if err == nil {
		if err = request(inner); outdated(err) {
			e.renew()
		}
	}
	if err != nil && ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded) {
		err = &timeoutError{after: bound}
	}
	return e.failed(command, err)
}

// ready agrees on an API version with the engine once. Callers that waited for
// an attempt of another share its failure: a host that is down is dialled once
// for all of them.
func (e *Engine) ready(ctx context.Context) error {
	agreed, before, _ := e.contact()
	if agreed {
		return nil
	}
	select {
	case e.turn <- struct{}{}:
		defer func() { <-e.turn }()
	case <-ctx.Done():
		return ctx.Err()
	}
	agreed, failures, last := e.contact()
	switch {
	case agreed:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case failures > before && !errors.Is(last, context.Canceled):
		return last
	}
	err := e.introduce(ctx)
	e.mu.Lock()
	defer e.mu.Unlock()
	if err != nil {
		e.failures, e.failure = e.failures+1, err
		return err
	}
	e.agree, e.failure = true, nil
	return nil
}

// introduce makes the first contact. It dials by itself: the client would hide
// why a connection failed, and would try three times.
func (e *Engine) introduce(ctx context.Context) error {
	conn, err := e.dial(ctx)
	if err != nil {
		return &dialError{cause: err}
	}
	e.mu.Lock()
	e.spare = conn
	e.mu.Unlock()
	if _, err := e.api().Ping(ctx, client.PingOptions{NegotiateAPIVersion: true}); err != nil {
		if conn := e.takeSpare(); conn != nil {
			_ = conn.Close()
		}
		return err
	}
	return nil
}

// contact tells where the first contact stands.
func (e *Engine) contact() (agreed bool, failures int, last error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.agree, e.failures, e.failure
}

// newClient makes a client that has not agreed on a version yet.
func (e *Engine) newClient() *client.Client {
	transport := &http.Transport{
		MaxIdleConns:        idleConns,
		MaxIdleConnsPerHost: idleConns,
		IdleConnTimeout:     idleFor,
		DisableCompression:  true,
		// No HTTP/2: preparing for it gives the transport a TLS configuration,
		// from which the client would conclude that the socket speaks TLS.
		TLSNextProto: map[string]func(string, *tls.Conn) http.RoundTripper{},
	}
	api, err := client.New(
		client.WithHTTPClient(&http.Client{Transport: transport, CheckRedirect: client.CheckRedirect}),
		client.WithHost("unix:///var/run/docker.sock"),
		client.WithDialContext(e.connect),
		client.WithUserAgent("binnacle"),
		client.WithHTTPResponseHook(noteAnswer),
	)
	if err != nil { // only options that are constants here can fail
		e.dial = func(context.Context) (net.Conn, error) { return nil, err }
		return &client.Client{}
	}
	return api
}

func (e *Engine) api() *client.Client {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.client
}

// renew forgets the version agreed on, after the engine was replaced by one
// that does not speak it.
func (e *Engine) renew() {
	e.mu.Lock()
	before := e.client
	e.client, e.agree = e.newClient(), false
	e.mu.Unlock()
	_ = before.Close()
}

func (e *Engine) takeSpare() net.Conn {
	e.mu.Lock()
	defer e.mu.Unlock()
	conn := e.spare
	e.spare = nil
	return conn
}

func (e *Engine) connect(ctx context.Context, _, _ string) (net.Conn, error) {
	if conn := e.takeSpare(); conn != nil {
		return conn, nil
	}
	conn, err := e.dial(ctx)
	if err != nil {
		return nil, &dialError{cause: err}
	}
	return conn, nil
}
