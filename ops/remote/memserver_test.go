package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
)

// memServer is an SSH server within the test, for what OpenSSH cannot be
// brought to do, and for tests on a clock of their own.
type memServer struct {
	t        *testing.T
	key      ssh.Signer
	maxOpen  int // sessions at once; below 0 is none at all
	exec     func(command string, ch ssh.Channel, signals <-chan string) (exit int, refuse bool)
	mu       sync.Mutex
	open     int
	conns    []*memConn
	running  sync.WaitGroup
	keepings int // keepalives that were answered
}

// newMemBench is a bench whose Pool dials s for every address.
func newMemBench(t *testing.T) (*bench, *memServer) {
	t.Helper()
	b := newBench(t)
	s := &memServer{t: t, maxOpen: 10}
	s.key, _ = newKey(t)
	writeFile(t, b.path("known_hosts"), knownLine("*", false, s.key.PublicKey())+"\n")
	s.exec = func(string, ssh.Channel, <-chan string) (int, bool) { return 0, false }
	return b, s
}

func (s *memServer) dial(context.Context, string, string) (net.Conn, error) {
	client, server := memPipe()
	s.mu.Lock()
	s.conns = append(s.conns, server)
	s.mu.Unlock()
	s.running.Go(func() { s.serve(server) })
	return client, nil
}

func (s *memServer) serve(conn net.Conn) {
	config := &ssh.ServerConfig{PublicKeyCallback: func(ssh.ConnMetadata, ssh.PublicKey) (*ssh.Permissions, error) { return nil, nil }}
	config.AddHostKey(s.key)
	server, channels, requests, err := ssh.NewServerConn(conn, config)
	if err != nil {
		_ = conn.Close()
		return
	}
	s.running.Go(func() {
		for request := range requests {
			s.mu.Lock()
			s.keepings++
			s.mu.Unlock()
			_ = request.Reply(request.Type == "keepalive@openssh.com", nil)
		}
	})
	for channel := range channels {
		if channel.ChannelType() != "session" {
			_ = channel.Reject(ssh.UnknownChannelType, "unknown channel type")
			continue
		}
		s.mu.Lock()
		full := s.open >= s.maxOpen
		if !full {
			s.open++
		}
		s.mu.Unlock()
		if full {
			_ = channel.Reject(ssh.ConnectionFailed, "open failed")
			continue
		}
		ch, requests, err := channel.Accept()
		if err != nil {
			continue
		}
		s.running.Go(func() { s.session(ch, requests) })
	}
	_ = server.Wait()
}

func (s *memServer) session(ch ssh.Channel, requests <-chan *ssh.Request) {
	signals := make(chan string, 10)
	defer func() {
		s.mu.Lock()
		s.open--
		s.mu.Unlock()
	}()
	var body sync.WaitGroup
	defer body.Wait()
	defer close(signals)
	for request := range requests {
		var text struct{ Text string }
		switch request.Type {
		case "exec":
			_ = ssh.Unmarshal(request.Payload, &text)
			exit, refuse := 0, false
			done := make(chan struct{})
			body.Go(func() {
				defer close(done)
				exit, refuse = s.exec(text.Text, ch, signals)
				if !refuse {
					_, _ = ch.SendRequest("exit-status", false, ssh.Marshal(struct{ Status uint32 }{uint32(exit)}))
					_ = ch.Close()
				}
			})
			if text.Text == "refuse me: hunter22" {
				<-done
				_ = request.Reply(false, nil)
				continue
			}
			_ = request.Reply(true, nil)
		case "signal":
			_ = ssh.Unmarshal(request.Payload, &text)
			signals <- text.Text
		default:
			_ = request.Reply(true, nil)
		}
	}
	_ = ch.Close()
}

// freeze makes every connection fall silent without breaking it.
func (s *memServer) freeze() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, conn := range s.conns {
		conn.in.freeze()
	}
}

func (s *memServer) answered() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.keepings
}

// stop ends all connections and waits for the server's goroutines.
func (s *memServer) stop() {
	s.mu.Lock()
	conns := append([]*memConn(nil), s.conns...)
	s.mu.Unlock()
	for _, conn := range conns {
		_ = conn.Close()
	}
	s.running.Wait()
}

// memConn is one end of a connection in memory with room for what is sent.
type memConn struct {
	in, out *memBuffer
	net.Conn
}

func memPipe() (client, server *memConn) {
	a, b := newMemBuffer(), newMemBuffer()
	return &memConn{in: a, out: b}, &memConn{in: b, out: a}
}

func (c *memConn) Read(b []byte) (int, error)  { return c.in.read(b) }
func (c *memConn) Write(b []byte) (int, error) { return c.out.write(b) }
func (c *memConn) LocalAddr() net.Addr         { return proxyAddr{} }
func (c *memConn) RemoteAddr() net.Addr        { return proxyAddr{} }
func (c *memConn) Close() error {
	c.in.close()
	c.out.close()
	return nil
}

type memBuffer struct {
	mu     sync.Mutex
	more   *sync.Cond
	bytes  []byte
	closed bool
	frozen bool
}

func newMemBuffer() *memBuffer {
	m := &memBuffer{}
	m.more = sync.NewCond(&m.mu)
	return m
}

func (m *memBuffer) read(b []byte) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for (len(m.bytes) == 0 || m.frozen) && !m.closed {
		m.more.Wait()
	}
	if m.closed && (len(m.bytes) == 0 || m.frozen) {
		return 0, io.EOF
	}
	n := copy(b, m.bytes)
	m.bytes = m.bytes[n:]
	return n, nil
}

func (m *memBuffer) write(b []byte) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return 0, net.ErrClosed
	}
	m.bytes = append(m.bytes, b...)
	m.more.Broadcast()
	return len(b), nil
}

func (m *memBuffer) freeze() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.frozen = true
}

func (m *memBuffer) close() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	m.more.Broadcast()
}

// slowAsker takes its time to answer.
type slowAsker struct {
	scriptedAsker
	takes time.Duration
}

func (a *slowAsker) Passphrase(ctx context.Context, path string, again bool) ([]byte, error) {
	if err := sleep(ctx, a.takes); err != nil {
		return nil, err
	}
	return a.scriptedAsker.Passphrase(ctx, path, again)
}

func wantKind(t *testing.T, err error, kind Kind) {
	t.Helper()
	var conn *ConnError
	if !errors.As(err, &conn) || conn.Kind != kind {
		t.Errorf("got %v (%s), want %s", err, kindOf(err), kind)
	}
}

func kindOf(err error) string {
	var conn *ConnError
	if errors.As(err, &conn) {
		return string(conn.Kind)
	}
	return fmt.Sprintf("%T", err)
}
