package sim

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"

	"golang.org/x/crypto/ssh"
)

// sshd is the SSH server of one host.
type sshd struct {
	h      *host
	config *ssh.ServerConfig
	addr   string

	mu       sync.Mutex
	listener net.Listener
	conns    map[net.Conn]struct{}
}

// newSSHD prepares a server that takes the fleet's key for any user.
func newSSHD(h *host) (*sshd, error) {
	s := &sshd{h: h, conns: map[net.Conn]struct{}{}, addr: "127.0.0.1:0"}
	s.config = &ssh.ServerConfig{
		ServerVersion: "SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u6",
		MaxAuthTries:  6,
		PublicKeyCallback: func(_ ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
			if h.faults.has(RefusedKey) || !bytes.Equal(key.Marshal(), h.fleet.keys.client.PublicKey().Marshal()) {
				return nil, errors.New("key not allowed")
			}
			return &ssh.Permissions{}, nil
		},
	}
	s.config.AddHostKey(h.fleet.keys.host)
	return s, s.listen()
}

// listen opens the port, the same one as before if there was one.
func (s *sshd) listen() error {
	l, err := net.Listen("tcp", s.addr)
	if err != nil {
		return fmt.Errorf("listening for SSH to %s: %w", s.h.name, err)
	}
	s.mu.Lock()
	s.listener, s.addr = l, l.Addr().String()
	s.mu.Unlock()
	s.h.fleet.spawn(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			s.h.fleet.spawn(func() { s.serve(conn) })
		}
	})
	return nil
}

// close stops listening and drops everybody.
func (s *sshd) close() {
	s.mu.Lock()
	l := s.listener
	s.listener = nil
	s.mu.Unlock()
	if l != nil {
		_ = l.Close()
	}
	s.dropAll()
}

// dropAll cuts every connection.
func (s *sshd) dropAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		_ = c.Close()
	}
}

// Private

func (s *sshd) serve(raw net.Conn) {
	conn := newSlowConn(raw, s.h)
	s.mu.Lock()
	open := s.listener != nil
	if open {
		s.conns[conn] = struct{}{}
	}
	s.mu.Unlock()
	defer func() {
		_ = conn.Close()
		s.mu.Lock()
		delete(s.conns, conn)
		s.mu.Unlock()
	}()
	if !open {
		return
	}
	server, channels, requests, err := ssh.NewServerConn(conn, s.config)
	if err != nil {
		return
	}
	ctx, cancel := context.WithCancel(s.h.fleet.ctx)
	var work sync.WaitGroup
	defer work.Wait()
	defer cancel()
	work.Go(func() { answerRequests(requests) })
	work.Go(func() { <-ctx.Done(); _ = server.Close() })
	for incoming := range channels {
		work.Go(func() { s.channel(ctx, incoming) })
	}
}

// answerRequests lets keepalives be answered and refuses the rest.
func answerRequests(requests <-chan *ssh.Request) {
	for r := range requests {
		if r.WantReply {
			_ = r.Reply(strings.HasPrefix(r.Type, "keepalive@"), nil)
		}
	}
}

func (s *sshd) channel(ctx context.Context, incoming ssh.NewChannel) {
	switch incoming.ChannelType() {
	case "session":
		ch, requests, err := incoming.Accept()
		if err == nil {
			newSession(s.h, ch).serve(ctx, requests)
		}
	case "direct-streamlocal@openssh.com":
		s.socket(ctx, incoming)
	case "direct-tcpip":
		s.forward(ctx, incoming)
	default:
		_ = incoming.Reject(ssh.UnknownChannelType, "unknown channel type")
	}
}

// socket joins a channel to a Unix socket of the host; there is one.
func (s *sshd) socket(ctx context.Context, incoming ssh.NewChannel) {
	var want struct {
		Path      string
		Reserved0 string
		Reserved1 uint32
	}
	if err := ssh.Unmarshal(incoming.ExtraData(), &want); err != nil || want.Path != "/var/run/docker.sock" && want.Path != "/run/docker.sock" {
		_ = incoming.Reject(ssh.ConnectionFailed, "open failed")
		return
	}
	ch, requests, err := incoming.Accept()
	if err != nil {
		return
	}
	conn := newStreamConn(ctx, ch, ch, ch.Close, s.h.fleet)
	if !s.h.fleet.api.take(ctx, s.h, conn) {
		_ = conn.Close()
	}
	ssh.DiscardRequests(requests)
}

// forward joins a channel to a TCP port of the host; the proxy's port is the one that answers.
func (s *sshd) forward(ctx context.Context, incoming ssh.NewChannel) {
	var want struct {
		Host     string
		Port     uint32
		FromHost string
		FromPort uint32
	}
	local := ssh.Unmarshal(incoming.ExtraData(), &want) == nil && (want.Host == "localhost" || want.Host == "127.0.0.1" || want.Host == "::1" || want.Host == s.h.name)
	if !local || want.Port != 80 || s.h.front == nil {
		_ = incoming.Reject(ssh.ConnectionFailed, "Connection refused")
		return
	}
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", s.h.front.listener.Addr().String())
	if err != nil {
		_ = incoming.Reject(ssh.ConnectionFailed, "Connection refused")
		return
	}
	ch, requests, err := incoming.Accept()
	if err != nil {
		_ = conn.Close()
		return
	}
	var both sync.WaitGroup
	both.Go(func() { ssh.DiscardRequests(requests) })
	both.Go(func() {
		_, _ = io.Copy(conn, ch)
		if tcp, ok := conn.(*net.TCPConn); ok {
			_ = tcp.CloseWrite()
		}
	})
	_, _ = io.Copy(ch, conn)
	_ = conn.Close()
	_ = ch.Close()
	both.Wait()
}
