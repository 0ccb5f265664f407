package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/rpc"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// DeployRequest is what `deploy` asks for. Requests are exported because
// net/rpc takes no others.
type DeployRequest struct {
	Service       string
	Targets       []string
	Options       serviceOptions
	TargetOptions targetOptions
	DeployTimeout time.Duration
	DrainTimeout  time.Duration
	Force         bool
}

// GateRequest is what `pause`, `stop` and `resume` ask for.
type GateRequest struct {
	Service      string
	DrainTimeout time.Duration
	FailAfter    time.Duration
	Message      string
}

// Control is the server's side of the commands. A deploy belongs to the
// server, not to the client that asked: it runs on when the client is gone.
type Control struct {
	ctx   context.Context
	proxy *proxy
}

// Deploy waits until the targets are healthy, swaps them in and drains the old.
func (c *Control) Deploy(request DeployRequest, done *bool) error {
	*done = true
	return c.proxy.deploy(c.ctx, request)
}

// Remove forgets a service.
func (c *Control) Remove(service string, done *bool) error {
	*done = true
	return c.proxy.remove(service)
}

// Pause makes requests wait.
func (c *Control) Pause(request GateRequest, done *bool) error {
	*done = true
	return c.proxy.gate(c.ctx, request, gatePaused)
}

// Stop answers requests with a maintenance message.
func (c *Control) Stop(request GateRequest, done *bool) error {
	*done = true
	return c.proxy.gate(c.ctx, request, gateStopped)
}

// Resume ends a pause or a stop.
func (c *Control) Resume(service string, done *bool) error {
	*done = true
	return c.proxy.gate(c.ctx, GateRequest{Service: service}, gateRunning)
}

// List returns the services by name.
func (c *Control) List(_ bool, rows *[]listRow) error {
	*rows = c.proxy.list()
	return nil
}

// serveControl answers commands until ctx ends, and waits for none of them:
// what they were doing ends with the process.
func serveControl(ctx context.Context, p *proxy) error {
	path := socketPath()
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	listener, err := net.Listen("unix", path)
	if err != nil {
		return fmt.Errorf("listening on %s: %w", path, err)
	}
	server := rpc.NewServer()
	if err := server.RegisterName("kamal-proxy", &Control{ctx: ctx, proxy: p}); err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { _ = listener.Close() })
	defer stop()

	var open sync.WaitGroup
	defer open.Wait()
	for {
		conn, err := listener.Accept()
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		open.Go(func() {
			closing := context.AfterFunc(ctx, func() { _ = conn.Close() })
			defer closing()
			server.ServeConn(conn)
		})
	}
}

func call(method string, request, reply any) error {
	client, err := rpc.Dial("unix", socketPath())
	if err != nil {
		return err
	}
	defer func() { _ = client.Close() }()
	return client.Call("kamal-proxy."+method, request, reply)
}

// Helpers

func socketPath() string {
	folder := os.Getenv("XDG_RUNTIME_DIR")
	if folder == "" {
		folder = os.TempDir()
	}
	return filepath.Join(folder, "kamal-proxy.sock")
}
