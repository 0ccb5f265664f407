// Package live is the World of real hosts: SSH, the Docker Engine API through
// it, and processes of this machine. It may import ops and what is below it,
// ops/remote, ops/docker and ops/watch.
package live

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"time"

	"binnacle/config"
	"binnacle/ops"
	"binnacle/ops/command"
	"binnacle/ops/docker"
	"binnacle/ops/remote"
)

// dockerSocket is where an engine listens on a host.
const dockerSocket = "/var/run/docker.sock"

// World runs operations on the hosts of a pool.
type World struct {
	pool    *remote.Pool
	outside *remote.Pool // for machines that deploy.yml's ssh section does not speak of
	local   *Local
	stores  *stores
	asker   Asker // nil: nobody is there

	mu    sync.Mutex
	hosts map[string]*Host
}

// NewWorld makes a world over this machine and two SSH pools: one for the hosts
// of deploy.yml, and one for machines that only a URL names, such as a remote
// builder. Close it before the pools.
func NewWorld(pool, outside *remote.Pool, local *Local, backups Backups) *World {
	return &World{
		pool: pool, outside: outside, local: local, hosts: map[string]*Host{},
		stores: &stores{backups: backups, open: map[config.Store]*opened{}},
	}
}

// Remote is the server with that name.
func (w *World) Remote(host string) ops.Remote { return w.Host(host) }

// Host is the server with that name, with all that it can do.
func (w *World) Host(name string) *Host {
	w.mu.Lock()
	defer w.mu.Unlock()
	h := w.hosts[name]
	if h == nil {
		client := w.client(name)
		h = &Host{name: name, client: client}
		h.engine = docker.New(name, func(ctx context.Context) (net.Conn, error) {
			return client.DialUnix(ctx, dockerSocket)
		})
		w.hosts[name] = h
	}
	return h
}

// Ask asks whoever is in front.
func (w *World) Ask(ctx context.Context, q ops.Question) (ops.Answer, error) {
	if w.asker == nil {
		return ops.Answer{}, ops.ErrNobody
	}
	return w.asker.Ask(ctx, q)
}

// Local is this machine.
func (w *World) Local() ops.Local { return w.local }

// Now is the time.
func (w *World) Now() time.Time { return time.Now() }

// Sleep waits, or returns the context's error.
func (w *World) Sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Trips sums what was asked of all hosts over SSH so far.
func (w *World) Trips() map[string]remote.Stats { return w.pool.Stats() }

// Close ends the connections to the engines and the stores.
func (w *World) Close() {
	_ = w.stores.close()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, h := range w.hosts {
		_ = h.engine.Close()
	}
}

// Host is one server.
type Host struct {
	name   string
	client *remote.Client
	engine *docker.Engine
}

// Run runs a Line and streams its output.
func (h *Host) Run(ctx context.Context, line command.Line, sink ops.Sink) error {
	last := &tail{}
	cmd := remote.Command{
		Shell:  line.Shell(),
		Stdout: &stream{sink: sink, kind: ops.Stdout, tail: last},
		Stderr: &stream{sink: sink, kind: ops.Stderr, tail: last},
	}
	if !line.Stdin().Empty() {
		cmd.Stdin = strings.NewReader(line.Stdin().Reveal())
	}
	_, err := h.client.Run(ctx, cmd)
	var exit *remote.ExitError
	if errors.As(err, &exit) {
		return &ops.ExitError{Host: h.name, Code: exit.Code, Signal: exit.Signal, Output: last.text()}
	}
	return told(h.name, err)
}

// Stream runs a Line with bytes going in and out unchanged.
func (h *Host) Stream(ctx context.Context, line command.Line, stdin io.Reader, stdout io.Writer) error {
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	last := &tail{}
	cmd := remote.Command{Shell: line.Shell(), Stdin: stdin, Stderr: &stream{kind: ops.Stderr, tail: last}}
	if !line.Stdin().Empty() {
		cmd.Stdin = strings.NewReader(line.Stdin().Reveal())
		if stdin != nil {
			cmd.Stdin = io.MultiReader(cmd.Stdin, stdin)
		}
	}
	out := &strict{w: stdout, fail: fail}
	if stdout != nil {
		cmd.Stdout = out
	}
	_, err := h.client.Run(ctx, cmd)
	if lost := out.failure(); lost != nil {
		return lost
	}
	var exit *remote.ExitError
	if errors.As(err, &exit) {
		return &ops.ExitError{Host: h.name, Code: exit.Code, Signal: exit.Signal, Output: last.text()}
	}
	return told(h.name, err)
}

// Upload writes a file, complete or not at all.
func (h *Host) Upload(ctx context.Context, file ops.File) error {
	content := file.Content.Reveal()
	return told(h.name, h.client.Upload(ctx, strings.NewReader(content), int64(len(content)), file.Path, file.Mode))
}

// Forward lets the host reach an address of this machine.
func (h *Host) Forward(ctx context.Context, listen, to string) (io.Closer, error) {
	forward, err := h.client.Forward(ctx, listen, to)
	if err != nil {
		return nil, told(h.name, err)
	}
	return forward, nil
}

// Docker is the engine.
func (h *Host) Docker() ops.Docker { return h.engine }

// Output runs a shell command and returns its standard output.
func (h *Host) Output(ctx context.Context, shell string) (string, error) {
	out, err := h.client.Output(ctx, shell)
	return out, told(h.name, err)
}

// Engine is the engine with all that the console reads from it.
func (h *Host) Engine() *docker.Engine { return h.engine }

// Client is the SSH connection.
func (h *Host) Client() *remote.Client { return h.client }

// Private

func (w *World) client(name string) *remote.Client {
	if strings.HasPrefix(name, "ssh://") {
		return w.outside.Plain(name)
	}
	return w.pool.Host(name)
}

// Helpers

// told turns a connection's failure into an Error for people.
func told(host string, err error) error {
	var conn *remote.ConnError
	if !errors.As(err, &conn) {
		return err
	}
	return &ops.Error{Host: host, Summary: conn.Op, Cause: cause(conn), Hint: conn.Hint}
}

// connCause keeps the kind findable while showing only what went wrong.
type connCause struct{ conn *remote.ConnError }

func (c connCause) Error() string {
	if c.conn.Err == nil {
		return string(c.conn.Kind)
	}
	return c.conn.Err.Error()
}

func (c connCause) Unwrap() error { return c.conn }

func cause(conn *remote.ConnError) error { return connCause{conn} }
