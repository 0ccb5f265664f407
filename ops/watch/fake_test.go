package watch

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"binnacle/ops"
	"binnacle/ops/docker"
)

// machine is a host with a Docker engine of API 1.41, as far as a watch asks.
type machine struct {
	name   string
	engine *docker.Engine
	conns  chan net.Conn
	done   chan struct{}
	start  time.Time

	mu         sync.Mutex
	down       bool
	delay      time.Duration // of every answer
	containers map[string]*fakeContainer
	listeners  map[chan string]string // of events, with the container they filter by
	asked      map[string]int         // requests by kind
	output     string                 // of shell commands
	outputErr  error
	routes     string // what kamal-proxy list prints
	open       map[net.Conn]bool
}

type fakeContainer struct {
	id, name, state string
	started         time.Time
	restarts        int
	cores           float64 // that it uses all the time
}

func newMachine(t *testing.T, name string) *machine {
	t.Helper()
	m := &machine{
		name: name, conns: make(chan net.Conn), done: make(chan struct{}), start: time.Now(),
		containers: map[string]*fakeContainer{}, listeners: map[chan string]string{}, asked: map[string]int{}, open: map[net.Conn]bool{},
	}
	m.engine = docker.New(name, m.dial)
	server := &http.Server{Handler: m, ReadHeaderTimeout: time.Hour}
	served := make(chan error, 1)
	go func() { served <- server.Serve(m) }()
	t.Cleanup(func() {
		_ = m.engine.Close()
		close(m.done)
		m.cut()
		_ = server.Close()
		<-served
	})
	return m
}

func (m *machine) Accept() (net.Conn, error) {
	select {
	case c := <-m.conns:
		return c, nil
	case <-m.done:
		return nil, net.ErrClosed
	}
}

func (m *machine) Close() error   { return nil }
func (m *machine) Addr() net.Addr { return &net.UnixAddr{Name: m.name} }

func (m *machine) dial(ctx context.Context) (net.Conn, error) {
	m.mu.Lock()
	m.asked["dial"]++
	down := m.down
	m.mu.Unlock()
	if down {
		return nil, fmt.Errorf("%s: dialing: %w", m.name, syscall.ECONNREFUSED)
	}
	near, far := net.Pipe()
	m.mu.Lock()
	m.open[far] = true
	m.mu.Unlock()
	select {
	case m.conns <- far:
		return near, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// cut drops every connection, as when the network goes.
func (m *machine) cut() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for c := range m.open {
		_ = c.Close()
	}
	clear(m.open)
}

func (m *machine) Engine() *docker.Engine { return m.engine }

func (m *machine) Output(_ context.Context, shell string) (string, error) {
	kind := "lock"
	if strings.Contains(shell, "/proc/uptime") {
		kind = "system"
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.asked[kind]++
	return m.output, m.outputErr
}

func (m *machine) set(c fakeContainer) {
	m.mu.Lock()
	m.containers[c.id] = &c
	m.mu.Unlock()
}

// happen sends an event to all who listen for it.
func (m *machine) happen(kind, action, id, name, exec string) {
	event, _ := json.Marshal(map[string]any{
		"Type": kind, "Action": action, "timeNano": time.Now().UnixNano(),
		"Actor": map[string]any{"ID": id, "Attributes": map[string]string{"name": name, "execID": exec}},
	})
	m.mu.Lock()
	listeners := maps.Clone(m.listeners)
	m.mu.Unlock()
	for ch, container := range listeners {
		if wantsExecs, isExec := container != "", strings.HasPrefix(action, "exec"); wantsExecs == isExec && (container == "" || container == name) {
			ch <- string(event)
		}
	}
}

func (m *machine) count(kind string) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.asked[kind]
}

func (m *machine) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	w.Header().Set("Api-Version", "1.41")
	path := strings.TrimPrefix(q.URL.Path, "/v1.41")
	words := strings.Split(strings.Trim(path, "/"), "/")
	kind := words[len(words)-1]
	if len(words) > 1 {
		kind = words[0] + " " + kind
	}
	m.mu.Lock()
	m.asked[kind]++
	delay := m.delay
	m.mu.Unlock()
	time.Sleep(delay) // fake time
	switch kind {
	case "_ping":
	case "version":
		_, _ = io.WriteString(w, `{"Version":"20.10.24","ApiVersion":"1.41","Os":"linux","Arch":"amd64"}`)
	case "events":
		m.events(w, q)
	case "images json":
		_, _ = io.WriteString(w, `[{"Id":"sha256:1","RepoTags":["shop:v1"],"Created":1}]`)
	case "containers stats":
		m.stats(w, words[1])
	case "containers exec":
		_, _ = io.WriteString(w, `{"Id":"e1"}`)
	case "exec start":
		m.exec(w, q)
	case "exec json":
		_, _ = io.WriteString(w, `{"ID":"e1","ExitCode":0}`)
	case "containers json":
		if len(words) == 2 {
			m.list(w)
		} else {
			m.mu.Lock()
			m.asked["inspect"]++
			m.asked[kind]--
			m.mu.Unlock()
			m.inspect(w, words[1])
		}
	default:
		http.NotFound(w, q)
	}
}

func (m *machine) events(w http.ResponseWriter, q *http.Request) {
	var filters map[string]map[string]bool
	_ = json.Unmarshal([]byte(q.URL.Query().Get("filters")), &filters)
	container := strings.Join(slices.Collect(maps.Keys(filters["container"])), "")
	ch := make(chan string, 10_000)
	m.mu.Lock()
	m.listeners[ch] = container
	m.mu.Unlock()
	defer func() {
		m.mu.Lock()
		delete(m.listeners, ch)
		m.mu.Unlock()
	}()
	w.(http.Flusher).Flush()
	for {
		select {
		case e := <-ch:
			_, _ = io.WriteString(w, e)
			w.(http.Flusher).Flush()
		case <-q.Context().Done():
			return
		}
	}
}

func (m *machine) list(w io.Writer) {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := []map[string]any{}
	for _, c := range m.containers {
		all = append(all, map[string]any{"Id": c.id, "Names": []string{"/" + c.name}, "State": c.state, "Created": 1})
	}
	_ = json.NewEncoder(w).Encode(all)
}

func (m *machine) inspect(w http.ResponseWriter, id string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := m.containers[id]
	if c == nil {
		http.NotFound(w, nil)
		return
	}
	_ = json.NewEncoder(w).Encode(map[string]any{
		"Id": c.id, "Name": "/" + c.name, "RestartCount": c.restarts,
		"State": map[string]any{"Status": c.state, "StartedAt": c.started.Format(time.RFC3339Nano)},
	})
}

func (m *machine) stats(w http.ResponseWriter, id string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := m.containers[id]
	if c == nil {
		http.NotFound(w, nil)
		return
	}
	used := time.Duration(float64(time.Since(m.start)) * c.cores)
	_ = json.NewEncoder(w).Encode(map[string]any{
		"read":         time.Now(),
		"cpu_stats":    map[string]any{"cpu_usage": map[string]any{"total_usage": int64(used)}},
		"memory_stats": map[string]any{"usage": 1000},
	})
}

func (m *machine) exec(w http.ResponseWriter, q *http.Request) {
	_, _ = io.Copy(io.Discard, q.Body)
	conn, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		return
	}
	defer conn.Close()
	m.mu.Lock()
	text := m.routes
	m.mu.Unlock()
	header := make([]byte, 8)
	header[0] = 1
	binary.BigEndian.PutUint32(header[4:], uint32(len(text)))
	_, _ = io.WriteString(conn, "HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.raw-stream\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n")
	_, _ = conn.Write(append(header, text...))
}

// record keeps what a watcher emits.
type record struct {
	mu     sync.Mutex
	events []ops.Event
	times  []time.Time
}

func (r *record) emit(e ops.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events, r.times = append(r.events, e), append(r.times, time.Now())
}

func (r *record) take() []ops.Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := r.events
	r.events, r.times = nil, nil
	return out
}

// of are the events of one type, in order.
func of[E ops.Event](events []ops.Event) []E {
	var out []E
	for _, e := range events {
		if e, ok := e.(E); ok {
			out = append(out, e)
		}
	}
	return out
}

func last[E ops.Event](t *testing.T, events []ops.Event) E {
	t.Helper()
	all := of[E](events)
	if len(all) == 0 {
		t.Fatalf("no %T among %d events", *new(E), len(events))
	}
	return all[len(all)-1]
}

// exactly is a jitter that adds none.
func exactly(d time.Duration) time.Duration { return d }

func connectTo(machines ...*machine) Connect {
	return func(host string) Connection {
		for _, m := range machines {
			if m.name == host {
				return m
			}
		}
		return nil
	}
}
