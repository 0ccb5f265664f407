package remote

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
)

// Forward is a port that a host listens on for this machine.
type Forward struct {
	listener net.Listener
	to       string
	cancel   context.CancelFunc
	running  sync.WaitGroup

	mu   sync.Mutex
	open map[net.Conn]bool
	err  error // why a connection could not be handed on, the last time
}

// Forward has the host listen on an address of its own and connects whoever
// comes to an address of this machine. ctx bounds the setting up alone. Like
// ListenTCP it ends with the SSH connection.
func (c *Client) Forward(ctx context.Context, listen, to string) (*Forward, error) {
	listener, err := c.ListenTCP(ctx, listen)
	if err != nil {
		return nil, err
	}
	f := &Forward{listener: listener, to: to, open: map[net.Conn]bool{}}
	ctx, f.cancel = context.WithCancel(context.WithoutCancel(ctx))
	f.running.Go(func() { f.accept(ctx) })
	return f, nil
}

// Close ends the listening and every connection. It returns why connections
// could not be handed on, if that happened.
func (f *Forward) Close() error {
	f.cancel()
	_ = f.listener.Close()
	f.mu.Lock()
	for conn := range f.open {
		_ = conn.Close()
	}
	f.mu.Unlock()
	f.running.Wait()
	return f.err
}

// Private

func (f *Forward) accept(ctx context.Context) {
	for {
		from, err := f.listener.Accept()
		if err != nil {
			return
		}
		f.running.Go(func() { f.relay(ctx, from) })
	}
}

func (f *Forward) relay(ctx context.Context, from net.Conn) {
	to, err := new(net.Dialer).DialContext(ctx, "tcp", f.to)
	if err != nil {
		if !errors.Is(err, context.Canceled) { // else it was closed meanwhile
			f.mu.Lock()
			f.err = err
			f.mu.Unlock()
		}
		_ = from.Close()
		return
	}
	if !f.keep(ctx, from, to) {
		return
	}
	var both sync.WaitGroup
	both.Go(func() { pass(to, from) })
	both.Go(func() { pass(from, to) })
	both.Wait()
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, conn := range []net.Conn{from, to} {
		delete(f.open, conn)
		_ = conn.Close()
	}
}

// keep remembers a pair of connections for Close; false when it is too late.
func (f *Forward) keep(ctx context.Context, pair ...net.Conn) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, conn := range pair {
		if ctx.Err() != nil {
			_ = conn.Close()
			continue
		}
		f.open[conn] = true
	}
	return ctx.Err() == nil
}

// Helpers

// pass copies one direction and tells the other side when no more will come.
func pass(to, from net.Conn) {
	_, _ = io.Copy(to, from)
	if half, ok := to.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite()
		return
	}
	_ = to.Close()
}
