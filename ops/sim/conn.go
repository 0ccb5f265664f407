package sim

import (
	"context"
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// streamConn makes a connection with deadlines out of any pair of streams: an SSH channel, or a command's
// standard input and output.
type streamConn struct {
	w      io.Writer
	hangUp func() error
	closed chan struct{}
	once   sync.Once
	chunks chan []byte
	rest   []byte

	mu    sync.Mutex
	until time.Time
	moved chan struct{} // closed and replaced when the read deadline moves
}

// newStreamConn starts to read from r. The reading ends when r does, when the connection is closed or when ctx
// ends; hangUp, if given, must unblock a pending read of r.
func newStreamConn(ctx context.Context, r io.Reader, w io.Writer, hangUp func() error, f *Fleet) *streamConn {
	c := &streamConn{w: w, hangUp: hangUp, closed: make(chan struct{}), chunks: make(chan []byte), moved: make(chan struct{})}
	f.spawn(func() {
		defer close(c.chunks)
		buf := make([]byte, 16<<10)
		for {
			n, err := r.Read(buf)
			if n > 0 {
				select {
				case c.chunks <- append([]byte(nil), buf[:n]...):
				case <-c.closed:
					return
				case <-ctx.Done():
					return
				}
			}
			if err != nil {
				return
			}
		}
	})
	return c
}

// Read waits for data, the end or the deadline.
func (c *streamConn) Read(p []byte) (int, error) {
	for {
		if len(c.rest) > 0 {
			n := copy(p, c.rest)
			c.rest = c.rest[n:]
			return n, nil
		}
		c.mu.Lock()
		until, moved := c.until, c.moved
		c.mu.Unlock()
		var late <-chan time.Time
		var timer *time.Timer
		if !until.IsZero() {
			left := time.Until(until)
			if left <= 0 {
				return 0, os.ErrDeadlineExceeded
			}
			timer = time.NewTimer(left)
			late = timer.C
		}
		var err error
		select {
		case chunk, ok := <-c.chunks:
			if !ok {
				err = io.EOF
			}
			c.rest = chunk
		case <-late:
			err = os.ErrDeadlineExceeded
		case <-moved:
		case <-c.closed:
			err = net.ErrClosed
		}
		if timer != nil {
			timer.Stop()
		}
		if err != nil {
			return 0, err
		}
	}
}

// Write passes on to the stream.
func (c *streamConn) Write(p []byte) (int, error) { return c.w.Write(p) }

// Close ends both directions.
func (c *streamConn) Close() error {
	var err error
	c.once.Do(func() {
		close(c.closed)
		if c.hangUp != nil {
			err = c.hangUp()
		}
	})
	return err
}

// SetReadDeadline bounds pending and later reads.
func (c *streamConn) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.until = t
	close(c.moved)
	c.moved = make(chan struct{})
	return nil
}

// SetDeadline bounds reads; writes end with the stream.
func (c *streamConn) SetDeadline(t time.Time) error { return c.SetReadDeadline(t) }

// SetWriteDeadline does nothing.
func (*streamConn) SetWriteDeadline(time.Time) error { return nil }

// LocalAddr is the engine's socket.
func (*streamConn) LocalAddr() net.Addr { return socketAddr{} }

// RemoteAddr is the engine's socket as well.
func (*streamConn) RemoteAddr() net.Addr { return socketAddr{} }

// slowConn is the server's end of a TCP connection. While the host is slow, what is written arrives late, and
// in order.
type slowConn struct {
	net.Conn
	h     *host
	mu    sync.Mutex
	queue chan latePacket
	gone  chan struct{}
	once  sync.Once
}

type latePacket struct {
	at   time.Time
	data []byte
}

func newSlowConn(c net.Conn, h *host) *slowConn {
	return &slowConn{Conn: c, h: h, gone: make(chan struct{})}
}

// Write sends at once, or queues when the host is slow or was a moment ago.
func (c *slowConn) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	slow := c.h.faults.has(SlowHost)
	if c.queue == nil {
		if !slow {
			return c.Conn.Write(p)
		}
		c.queue = make(chan latePacket, 256)
		c.h.fleet.spawn(c.deliver)
	}
	packet := latePacket{c.h.now(), append([]byte(nil), p...)}
	if slow {
		packet.at = packet.at.Add(slowBy)
	}
	select {
	case c.queue <- packet:
		return len(p), nil
	case <-c.gone:
		return 0, net.ErrClosed
	}
}

// Close ends the connection; what is queued is lost.
func (c *slowConn) Close() error {
	c.once.Do(func() { close(c.gone) })
	return c.Conn.Close()
}

// deliver writes the queue out, each packet at its time.
func (c *slowConn) deliver() {
	for {
		select {
		case packet := <-c.queue:
			_ = sleep(c.h.fleet.ctx, c.h.fleet.clock, packet.at.Sub(c.h.now()))
			if _, err := c.Conn.Write(packet.data); err != nil {
				_ = c.Close()
				return
			}
		case <-c.gone:
			return
		}
	}
}

// Helpers

// contextWithClock ends after d of fleet time.
func contextWithClock(parent context.Context, f *Fleet, d time.Duration) (context.Context, func()) {
	ctx, cancel := context.WithCancel(parent)
	done := make(chan struct{})
	f.spawn(func() {
		defer close(done)
		if sleep(ctx, f.clock, d) == nil {
			cancel()
		}
	})
	return ctx, func() { cancel(); <-done }
}
