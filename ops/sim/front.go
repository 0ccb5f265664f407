package sim

import (
	"errors"
	"fmt"
	"html"
	"io"
	"log"
	"net"
	"net/http"
	"sort"
	"strings"
	"time"
)

// proxyFront is the real HTTP port of one host's kamal-proxy.
type proxyFront struct {
	h        *host
	listener net.Listener
	server   *http.Server
}

// openFront starts to listen on a loopback port that the system chooses.
func openFront(h *host) (*proxyFront, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listening for the proxy of %s: %w", h.name, err)
	}
	f := &proxyFront{h: h, listener: l}
	f.server = &http.Server{Handler: f, ReadHeaderTimeout: 10 * time.Second, ErrorLog: log.New(io.Discard, "", 0)}
	h.fleet.spawn(func() { _ = f.server.Serve(l) })
	return f, nil
}

// ServeHTTP routes a real request as the proxy would.
func (f *proxyFront) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := f.h
	h.mu.Lock()
	c := h.proxy.container()
	if c == nil || h.faults.has(DeadHost) {
		h.mu.Unlock()
		panic(http.ErrAbortHandler) // nobody listens: the connection just ends
	}
	v := f.visitor(r)
	got := visited{visitor: v, status: http.StatusNotFound, took: 200 * time.Microsecond}
	rt := h.proxy.match(r.Host, r.URL.Path)
	body, done := f.serve(rt, &got)
	if got.reached && r.URL.Path != "/up" {
		got.target.planned = append(got.target.planned, got.appLines()...)
	}
	h.mu.Unlock()
	if got.reached {
		_ = sleep(r.Context(), h.fleet.clock, got.took)
	}
	h.mu.Lock()
	done()
	got.size = len(body)
	h.advanceLocked(h.now())
	h.traffic.count(got, 1)
	h.sayLocked(c, got.proxyLine())
	h.mu.Unlock()
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("X-Request-Id", got.id())
	w.WriteHeader(got.status)
	_, _ = io.WriteString(w, body)
}

// match finds the service for a host and path: exact host, then wildcard, then any; the longest path wins. The
// lock is held.
func (p *proxy) match(hostHeader, path string) *route {
	name := hostHeader
	if h, _, err := net.SplitHostPort(hostHeader); err == nil {
		name = h
	}
	_, parent, _ := strings.Cut(name, ".")
	for _, want := range []string{name, "*." + parent, ""} {
		var best *route
		length := -1
		for _, r := range p.sorted() {
			for _, host := range orBlank(r.hosts) {
				for _, prefix := range r.paths {
					if host == want && underPrefix(path, prefix) && len(prefix) > length {
						best, length = r, len(prefix)
					}
				}
			}
		}
		if best != nil {
			return best
		}
	}
	return nil
}

// metrics is the text of the proxy's metrics page.
func (p *proxy) metrics() string {
	p.h.mu.Lock()
	defer p.h.mu.Unlock()
	p.h.advanceLocked(p.h.now())
	var b strings.Builder
	b.WriteString("# HELP kamal_proxy_http_requests_total HTTP requests processed, labeled by service, status code and method.\n# TYPE kamal_proxy_http_requests_total counter\n")
	for _, k := range p.h.traffic.requestCounts() {
		fmt.Fprintf(&b, "kamal_proxy_http_requests_total{method=%q,service=%q,status=\"%d\"} %d\n", k.method, k.service, k.status, p.h.traffic.counts[k])
	}
	return b.String()
}

// Private

// serve answers for the app; the lock is held. done gives the target free again.
func (f *proxyFront) serve(r *route, got *visited) (body string, done func()) {
	done = func() {}
	if r == nil {
		return page("404 Not Found", "There is no service for this host."), done
	}
	got.route, got.address = r.name, r.target
	if r.state != running {
		got.status = http.StatusServiceUnavailable
		text := r.message
		if text == "" {
			text = "The service is down for maintenance."
		}
		return page("503 Service Unavailable", html.EscapeString(text)), done
	}
	got.target = f.h.proxy.resolve(r.target)
	status := f.h.answerLocked(got.target, f.h.now())
	if status == 0 {
		got.status = http.StatusBadGateway
		return page("502 Bad Gateway", "The app cannot be reached."), done
	}
	got.status, got.reached, got.took = status, true, min(tookFor(got.visitor), 120*time.Millisecond)
	target := r.target
	r.busy[target]++
	version := got.target.envValue("KAMAL_VERSION")
	if status != 200 {
		return page(fmt.Sprint(status), "ActiveRecord::ConnectionNotEstablished"), func() { r.busy[target]--; f.h.signal() }
	}
	if got.path == "/up" {
		return `<!DOCTYPE html><html><body style="background-color: green"></body></html>`, func() { r.busy[target]--; f.h.signal() }
	}
	return page(r.name+" "+version, fmt.Sprintf("%s answered from %s.", version, f.h.name)), func() { r.busy[target]--; f.h.signal() }
}

func (f *proxyFront) visitor(r *http.Request) visitor {
	addr, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		addr = r.RemoteAddr
	}
	now := f.h.now()
	return visitor{k: now.UnixNano(), seed: f.h.traffic.seed ^ 0xfeed, at: now, method: r.Method, path: r.URL.Path, host: r.Host, addr: addr, agent: r.UserAgent()}
}

func (f *proxyFront) close() error {
	if err := f.server.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}

// Helpers

func page(title, text string) string {
	return "<!DOCTYPE html><html><head><title>" + title + "</title></head><body><h1>" + title + "</h1><p>" + text + "</p></body></html>\n"
}

func underPrefix(path, prefix string) bool {
	prefix = strings.TrimSuffix(prefix, "/")
	return prefix == "" || path == prefix || strings.HasPrefix(path, prefix+"/")
}

func sortedKeys[V any](m map[string]V) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	sort.Strings(out)
	return out
}
