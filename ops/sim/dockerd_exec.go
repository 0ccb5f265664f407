package sim

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/moby/moby/api/types/common"
	capi "github.com/moby/moby/api/types/container"
)

// execution is one command that the API was asked to run in a container.
type execution struct {
	id      string
	c       *container
	request capi.ExecCreateRequest
	running bool
	ran     bool
	code    int
	tty     *terminal
}

func (c apiCall) routeExec(parts []string) func() {
	if len(parts) != 2 {
		return nil
	}
	c.e.h.mu.Lock()
	x := c.e.execs[parts[0]]
	c.e.h.mu.Unlock()
	if x == nil {
		return func() { c.fail(&engineError{404, "No such exec instance: " + parts[0]}) }
	}
	switch c.r.Method + " " + parts[1] {
	case "POST start":
		return func() { c.execStart(x) }
	case "GET json":
		return func() { c.execInspect(x) }
	case "POST resize":
		return func() { c.execResize(x) }
	}
	return nil
}

// Private

func (c apiCall) execCreate(id string) {
	var req capi.ExecCreateRequest
	if !c.body(&req) {
		return
	}
	if len(req.Cmd) == 0 {
		c.fail(&engineError{400, "No exec command specified"})
		return
	}
	have, err := c.e.runningForExec(id)
	if err != nil {
		c.fail(err)
		return
	}
	c.e.h.mu.Lock()
	c.e.serial++
	x := &execution{id: hash("exec", have.id, fmt.Sprint(c.e.serial)), c: have, request: req}
	c.e.execs[x.id] = x
	c.e.h.mu.Unlock()
	c.send(http.StatusCreated, common.IDResponse{ID: x.id})
}

func (c apiCall) execStart(x *execution) {
	var req capi.ExecStartRequest
	if !c.body(&req) {
		return
	}
	c.e.h.mu.Lock()
	again := x.ran || x.running
	x.running = true
	c.e.h.mu.Unlock()
	if again {
		c.fail(&engineError{409, fmt.Sprintf("exec command %s has already run", x.id)})
		return
	}
	spec := execSpec{argv: x.request.Cmd, env: x.request.Env, dir: x.request.WorkingDir}
	if req.Detach {
		c.w.WriteHeader(http.StatusOK)
		f := c.e.h.fleet
		f.spawn(func() {
			c.finish(x, c.e.execNow(f.ctx, x.c, spec, strings.NewReader(""), io.Discard, io.Discard))
		})
		return
	}
	hj, ok := c.w.(http.Hijacker)
	if !ok {
		c.fail(&engineError{500, "the connection cannot be taken over"})
		return
	}
	conn, buf, err := hj.Hijack()
	if err != nil {
		c.fail(err)
		return
	}
	defer func() { _ = conn.Close() }()
	kind := "application/vnd.docker.raw-stream"
	if !req.Tty {
		kind = "application/vnd.docker.multiplexed-stream"
	}
	_, _ = fmt.Fprintf(conn, "HTTP/1.1 101 UPGRADED\r\nContent-Type: %s\r\nConnection: Upgrade\r\nUpgrade: tcp\r\nApi-Version: %s\r\n\r\n", kind, apiVersion)
	c.finish(x, c.hijacked(x, spec, buf, conn, req.Tty))
}

// hijacked runs the command on a raw connection.
func (c apiCall) hijacked(x *execution, spec execSpec, in io.Reader, conn io.Writer, tty bool) int {
	ctx, cancel := context.WithCancel(c.e.h.fleet.ctx)
	defer cancel()
	if tty {
		t := newTerminal(in, conn, c.e.h.fleet)
		defer t.close()
		c.e.h.mu.Lock()
		x.tty = t
		c.e.h.mu.Unlock()
		spec.tty = t
		return t.run(ctx, func(ctx context.Context, in io.Reader, out io.Writer) int {
			return c.e.execNow(ctx, x.c, spec, in, out, out)
		})
	}
	if !x.request.AttachStdin {
		in = strings.NewReader("")
	}
	return c.e.execNow(ctx, x.c, spec, in, frameWriter{conn, false}, frameWriter{conn, true})
}

func (c apiCall) finish(x *execution, code int) {
	c.e.h.mu.Lock()
	defer c.e.h.mu.Unlock()
	x.running, x.ran, x.code = false, true, code
}

func (c apiCall) execInspect(x *execution) {
	c.e.h.mu.Lock()
	out := capi.ExecInspectResponse{ID: x.id, Running: x.running, ContainerID: x.c.id, OpenStdin: x.request.AttachStdin, OpenStdout: true, OpenStderr: true, Pid: x.c.pid + 7}
	if x.ran {
		code := x.code
		out.ExitCode = &code
	}
	out.ProcessConfig = &capi.ExecProcessConfig{Tty: x.request.Tty, Entrypoint: x.request.Cmd[0], Arguments: x.request.Cmd[1:]}
	c.e.h.mu.Unlock()
	c.send(200, out)
}

func (c apiCall) execResize(x *execution) {
	c.e.h.mu.Lock()
	t := x.tty
	c.e.h.mu.Unlock()
	var w, h int
	_, _ = fmt.Sscan(c.query("w"), &w)
	_, _ = fmt.Sscan(c.query("h"), &h)
	if t != nil {
		t.resize(w, h)
	}
	c.w.WriteHeader(http.StatusOK)
}

// Helpers

// frameWriter frames everything written for one of the two streams.
type frameWriter struct {
	w      io.Writer
	stderr bool
}

// Write sends one frame.
func (f frameWriter) Write(p []byte) (int, error) {
	if _, err := f.w.Write(frame(f.stderr, p)); err != nil {
		return 0, err
	}
	return len(p), nil
}
