package live

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"time"

	"github.com/muesli/cancelreader"
	"golang.org/x/term"

	"binnacle/ops"
	"binnacle/ops/remote"
)

// Shell is an interactive session on a host, or in a container there, that
// borrows the terminal while it runs.
type Shell struct {
	ctx    context.Context //nolint:containedctx // the caller's shape has no room for one
	host   string
	client *remote.Client
	cmd    string
	in     io.Reader
	out    io.Writer
	err    io.Writer
	pause  bool // what was printed is gone once the console is back
}

// containerShell opens the best shell that a container has.
const containerShell = `docker exec -it %s sh -c 'command -v bash >/dev/null && exec bash || exec sh'`

// Shell makes an interactive session: in a container when id is given, else the
// login shell of the host.
func (w *World) Shell(ctx context.Context, host, containerID string) *Shell {
	if containerID == "" {
		return w.onTerminal(ctx, host, "")
	}
	return w.onTerminal(ctx, host, fmt.Sprintf(containerShell, containerID))
}

// Lend makes an interactive session of a command that a plan left for the
// person.
func (w *World) Lend(ctx context.Context, a ops.Attach) *Shell {
	s := w.onTerminal(ctx, a.Host, a.Line.Shell())
	s.pause = true
	return s
}

// SetStdin says where keys come from.
func (s *Shell) SetStdin(r io.Reader) { s.in = r }

// SetStdout says where the session is shown.
func (s *Shell) SetStdout(w io.Writer) { s.out = w }

// SetStderr says where its errors are shown.
func (s *Shell) SetStderr(w io.Writer) { s.err = w }

// Run lends the terminal to the session until it ends. The terminal is raw
// meanwhile and comes back as it was.
func (s *Shell) Run() error {
	pty := remote.Pty{Term: os.Getenv("TERM"), Stdin: s.in, Stdout: s.out, Stderr: s.err}
	resize := make(chan remote.Size, 1)
	pty.Resize = resize
	if file, ok := s.in.(*os.File); ok && term.IsTerminal(int(file.Fd())) {
		before, err := term.MakeRaw(int(file.Fd()))
		if err != nil {
			return err
		}
		defer func() { _ = term.Restore(int(file.Fd()), before) }()
		keys, err := cancelreader.NewReader(file) // so that no key press is swallowed after the session
		if err != nil {
			return err
		}
		defer func() { _ = keys.Close() }()
		stop := followSize(file, resize)
		defer stop()
		pty.Stdin, pty.Size = keys, sizeOf(file)
	}
	began := time.Now()
	_, err := s.client.Shell(s.ctx, pty, s.cmd)
	err = outcome(s.host, err)
	if s.pause && s.ctx.Err() == nil && (err != nil || time.Since(began) < brief) {
		s.waitForKey(err)
	}
	return err
}

// Private

// brief is a session so short that somebody may want to read what it printed.
const brief = 10 * time.Second

func (s *Shell) waitForKey(err error) {
	how := "The command has ended"
	if err != nil {
		how += ": " + err.Error()
	}
	_, _ = fmt.Fprintf(s.out, "\r\n[%s. Press a key to go back.]", how)
	var key [1]byte
	_, _ = s.in.Read(key[:])
}

// onTerminal is a session of a command, or of the login shell for none.
func (w *World) onTerminal(ctx context.Context, host, cmd string) *Shell {
	return &Shell{ctx: ctx, host: host, client: w.Host(host).client, cmd: cmd, in: os.Stdin, out: os.Stdout, err: os.Stderr}
}

// Helpers

func sizeOf(file *os.File) remote.Size {
	width, height, err := term.GetSize(int(file.Fd()))
	if err != nil {
		return remote.Size{}
	}
	return remote.Size{Width: width, Height: height}
}

// followSize tells the session when the terminal changes its size.
func followSize(file *os.File, resize chan<- remote.Size) (stop func()) {
	changed := make(chan os.Signal, 1)
	notifyResize(changed)
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-changed:
			case <-done:
				return
			}
			select {
			case resize <- sizeOf(file):
			case <-done:
				return
			}
		}
	}()
	return func() {
		signal.Stop(changed)
		close(done)
		<-ended
	}
}
