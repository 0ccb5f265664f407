package remote

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"time"
)

var errDraft = errors.New("being written")

type Pool struct{}

// NewPool: ctx bounds the life of every connection; Close ends it too. ask and log may be nil.
func NewPool(ctx context.Context, settings Settings, local Local, ask Asker, log *slog.Logger) *Pool {
	return nil
}
func (p *Pool) Host(name string) *Client                          { return nil }
func (p *Pool) Prewarm(ctx context.Context, hosts []string) error { return errDraft }
func (p *Pool) Stats() map[string]Stats                           { return nil }
func (p *Pool) Close() error                                      { return errDraft }

type Stats struct {
	Dials, Sessions, Tunnels, Requests, GlobalRequests int64
}

type Client struct{}

type Phase string

const (
	Idle       Phase = "idle"
	Connecting Phase = "connecting"
	Connected  Phase = "connected"
	Failed     Phase = "failed"
)

type State struct {
	Phase   Phase
	Since   time.Time
	Err     error           // of the last dial or loss
	Changed <-chan struct{} // closed when the state is no longer this one
}

type Command struct {
	Shell          string
	Stdin          io.Reader
	Stdout, Stderr io.Writer
}

type Result struct {
	ExitCode int
	Signal   string
	Duration time.Duration
}

type Size struct{ Width, Height int }

type Pty struct {
	Term           string
	Size           Size
	Resize         <-chan Size
	Stdin          io.Reader
	Stdout, Stderr io.Writer
}

func (c *Client) Name() string                      { return "" }
func (c *Client) State() State                      { return State{} }
func (c *Client) Connect(ctx context.Context) error { return errDraft }

// Run: err is *ExitError when the command exited with another code than 0, *ConnError otherwise.
func (c *Client) Run(ctx context.Context, cmd Command) (Result, error) { return Result{}, errDraft }
func (c *Client) Output(ctx context.Context, shell string) (string, error) {
	return "", errDraft
}
func (c *Client) Upload(ctx context.Context, r io.Reader, size int64, path string, mode fs.FileMode) error {
	return errDraft
}
func (c *Client) Shell(ctx context.Context, pty Pty, cmd string) (Result, error) {
	return Result{}, errDraft
}
func (c *Client) DialUnix(ctx context.Context, path string) (net.Conn, error) { return nil, errDraft }
func (c *Client) DialTCP(ctx context.Context, addr string) (net.Conn, error)  { return nil, errDraft }
func (c *Client) ListenTCP(ctx context.Context, addr string) (net.Listener, error) {
	return nil, errDraft
}
