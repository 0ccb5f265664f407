package sim

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"time"
)

// apiServer serves the Engine API of every host: connections come from the hosts' sockets.
type apiServer struct {
	server *http.Server
	queue  chan net.Conn
	done   chan struct{}
	once   sync.Once
}

type hostKey struct{}

// newAPIServer starts the one server that all hosts share.
func newAPIServer(f *Fleet) *apiServer {
	s := &apiServer{queue: make(chan net.Conn), done: make(chan struct{})}
	s.server = &http.Server{
		Handler: http.HandlerFunc(serveEngine), ReadHeaderTimeout: time.Minute, ErrorLog: log.New(io.Discard, "", 0),
		BaseContext: func(net.Listener) context.Context { return f.ctx },
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			if hc, ok := c.(*hostConn); ok {
				return context.WithValue(ctx, hostKey{}, hc.h)
			}
			return ctx
		},
	}
	f.spawn(func() { _ = s.server.Serve(s) })
	return s
}

// hostConn is a connection to the engine of one host.
type hostConn struct {
	net.Conn
	h *host
}

// take hands a connection to the server; it is false when the server is gone.
func (s *apiServer) take(ctx context.Context, h *host, c net.Conn) bool {
	select {
	case s.queue <- &hostConn{c, h}:
		return true
	case <-s.done:
	case <-ctx.Done():
	}
	return false
}

// Accept is for net/http.
func (s *apiServer) Accept() (net.Conn, error) {
	select {
	case c := <-s.queue:
		return c, nil
	case <-s.done:
		return nil, net.ErrClosed
	}
}

// Close is for net/http.
func (s *apiServer) Close() error {
	s.once.Do(func() { close(s.done) })
	return nil
}

// Addr is the name of the socket.
func (*apiServer) Addr() net.Addr { return socketAddr{} }

func (s *apiServer) stop() { _ = s.server.Close() }

type socketAddr struct{}

// Network is unix.
func (socketAddr) Network() string { return "unix" }

// String is the path of the socket.
func (socketAddr) String() string { return "/var/run/docker.sock" }

// Private

// apiCall is one request to a host's engine.
type apiCall struct {
	w http.ResponseWriter
	r *http.Request
	e *engine
}

// serveEngine strips the version from the path and finds the call.
func serveEngine(w http.ResponseWriter, r *http.Request) {
	h, ok := r.Context().Value(hostKey{}).(*host)
	if !ok {
		http.Error(w, "no engine", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Api-Version", apiVersion)
	w.Header().Set("Docker-Experimental", "false")
	w.Header().Set("Ostype", "linux")
	w.Header().Set("Server", "Docker/"+engineVersion+" (linux)")
	c := apiCall{w, r, h.engine}
	path := r.URL.Path
	if m := versionPath.FindStringSubmatch(path); m != nil {
		path = m[1]
	}
	parts := strings.Split(strings.Trim(path, "/"), "/")
	run := c.route(parts)
	if run == nil {
		c.fail(&engineError{404, "page not found"})
		return
	}
	run()
}

var versionPath = regexp.MustCompile(`^/v\d+\.\d+(/.*)$`)

func (c apiCall) route(parts []string) func() {
	rest := parts[1:]
	switch parts[0] {
	case "_ping":
		return func() { c.w.Header().Set("Content-Type", "text/plain; charset=utf-8"); _, _ = c.w.Write([]byte("OK")) }
	case "version":
		return c.version
	case "info":
		return func() { c.send(200, c.e.info()) }
	case "events":
		return c.events
	case "auth":
		return c.auth
	case "system":
		if len(rest) == 1 && rest[0] == "df" {
			return c.systemDf
		}
	case "containers":
		return c.routeContainers(rest)
	case "exec":
		return c.routeExec(rest)
	case "images":
		return c.routeImages(rest)
	case "networks":
		return c.routeNetworks(rest)
	case "volumes":
		return c.routeVolumes(rest)
	}
	return nil
}

// send answers with JSON.
func (c apiCall) send(status int, v any) {
	c.w.Header().Set("Content-Type", "application/json")
	c.w.WriteHeader(status)
	_ = json.NewEncoder(c.w).Encode(v)
}

// fail answers with the engine's error document.
func (c apiCall) fail(err error) {
	status := http.StatusInternalServerError
	var refused *engineError
	if errors.As(err, &refused) {
		status = refused.status
	}
	c.send(status, map[string]string{"message": err.Error()})
}

// done answers 204, or with the error.
func (c apiCall) done(err error) {
	if err != nil {
		c.fail(err)
		return
	}
	c.w.WriteHeader(http.StatusNoContent)
}

func (c apiCall) query(name string) string { return c.r.URL.Query().Get(name) }

// flag reads a boolean of the query as the engine does.
func (c apiCall) flag(name string) bool {
	switch strings.ToLower(c.query(name)) {
	case "", "0", "false", "no", "none":
		return false
	}
	return true
}

func (c apiCall) filters() (filters, bool) {
	f, err := parseFilters(c.query("filters"))
	if err != nil {
		c.fail(err)
		return nil, false
	}
	return f, true
}

// body decodes the request; an empty one is allowed.
func (c apiCall) body(v any) bool {
	if c.r.ContentLength == 0 {
		return true
	}
	if err := json.NewDecoder(c.r.Body).Decode(v); err != nil {
		c.fail(&engineError{400, "invalid JSON: " + err.Error()})
		return false
	}
	return true
}

// flush sends what was written so far.
func (c apiCall) flush() {
	if f, ok := c.w.(http.Flusher); ok {
		f.Flush()
	}
}
