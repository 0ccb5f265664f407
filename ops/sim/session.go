package sim

import (
	"context"
	"fmt"
	"io"
	"strings"

	"golang.org/x/crypto/ssh"
)

// session is one SSH session: a command, or a shell.
type session struct {
	h      *host
	ch     ssh.Channel
	env    []string
	pty    bool
	width  int
	height int
	tty    *terminal
	cancel context.CancelFunc
	signal string
	done   chan int
}

func newSession(h *host, ch ssh.Channel) *session {
	return &session{h: h, ch: ch, done: make(chan int, 1)}
}

// serve answers the session's requests until the command has ended and the channel is closed.
func (s *session) serve(ctx context.Context, requests <-chan *ssh.Request) {
	ctx, s.cancel = context.WithCancel(ctx)
	defer s.cancel()
	started := false
	for {
		select {
		case r, ok := <-requests:
			if !ok { // the client has gone; what it started is told to end
				s.cancel()
				if started {
					<-s.done
				}
				return
			}
			fine := s.request(ctx, r, &started)
			if r.WantReply {
				_ = r.Reply(fine, nil)
			}
			if fine && (r.Type == "exec" || r.Type == "shell") {
				started = true
				s.start(ctx, r)
			}
		case code := <-s.done:
			s.exit(code)
			for r := range requests {
				if r.WantReply {
					_ = r.Reply(false, nil)
				}
			}
			return
		}
	}
}

// Private

// request handles everything but the start of the command.
func (s *session) request(ctx context.Context, r *ssh.Request, started *bool) bool {
	switch r.Type {
	case "exec", "shell":
		return !*started && ctx.Err() == nil
	case "env":
		var kv struct{ Name, Value string }
		if ssh.Unmarshal(r.Payload, &kv) == nil && (strings.HasPrefix(kv.Name, "LC_") || kv.Name == "LANG" || kv.Name == "TERM") {
			s.env = append(s.env, kv.Name+"="+kv.Value)
			return true
		}
		return false
	case "pty-req":
		var p struct {
			Term          string
			Width, Height uint32
			PixelW, PixH  uint32
			Modes         string
		}
		if ssh.Unmarshal(r.Payload, &p) != nil {
			return false
		}
		s.pty, s.width, s.height = true, int(p.Width), int(p.Height)
		s.env = append(s.env, "TERM="+p.Term)
		return true
	case "window-change":
		var p struct{ Width, Height, PixelW, PixH uint32 }
		if ssh.Unmarshal(r.Payload, &p) == nil && s.tty != nil {
			s.tty.resize(int(p.Width), int(p.Height))
		}
		return true
	case "signal":
		var p struct{ Name string }
		if ssh.Unmarshal(r.Payload, &p) == nil && *started {
			s.signal = p.Name
			s.cancel()
		}
		return true
	case "auth-agent-req@openssh.com":
		return true
	}
	return false
}

// start runs the command on a goroutine of its own, which reports to done.
func (s *session) start(ctx context.Context, r *ssh.Request) {
	var cmd struct{ Line string }
	if r.Type == "exec" {
		_ = ssh.Unmarshal(r.Payload, &cmd)
	}
	if s.pty {
		s.tty = newTerminal(s.ch, s.ch, s.h.fleet)
		s.tty.resize(s.width, s.height)
	}
	s.h.fleet.spawn(func() { s.done <- s.run(ctx, r.Type == "shell", cmd.Line) })
}

func (s *session) run(ctx context.Context, shell bool, line string) int {
	env := append([]string{"SSH_CONNECTION=127.0.0.1 50000 127.0.0.1 22"}, s.env...)
	if s.tty == nil {
		if shell {
			line = "sh"
		}
		return s.h.runOnHost(ctx, line, env, nil, s.ch, s.ch, s.ch.Stderr())
	}
	defer s.tty.close()
	if shell {
		pl := place{h: s.h, files: s.h.files, name: s.h.name, tty: s.tty}
		s.tty.print(fmt.Sprintf("Linux %s %s x86_64 — a host of the demo fleet\n", s.h.name, kernelVersion))
		return pl.interactive(ctx, s.tty, append(s.h.hostEnv(), env...), homeDir)
	}
	return s.tty.run(ctx, func(ctx context.Context, in io.Reader, out io.Writer) int {
		return s.h.runOnHost(ctx, line, env, s.tty, in, out, out)
	})
}

// exit tells how the command ended and closes the channel.
func (s *session) exit(code int) {
	if s.signal != "" {
		_, _ = s.ch.SendRequest("exit-signal", false, ssh.Marshal(struct {
			Name       string
			CoreDumped bool
			Text, Lang string
		}{s.signal, false, "", ""}))
	} else {
		_, _ = s.ch.SendRequest("exit-status", false, ssh.Marshal(struct{ Code uint32 }{uint32(code)}))
	}
	_ = s.ch.Close()
}
