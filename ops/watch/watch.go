// Package watch turns what happens on hosts into facts: per host it follows
// Docker's events, reads slowly what sends no events, and finds back to a host
// that was lost.
//
// It may import ops, ops/command, ops/docker, golang.org/x/sync and the
// standard library.
package watch

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"binnacle/ops"
	"binnacle/ops/command"
	"binnacle/ops/docker"
)

// Connection is how a host is reached.
type Connection interface {
	// Engine is the host's Docker engine.
	Engine() *docker.Engine
	// Output runs a shell command and returns its standard output.
	Output(ctx context.Context, shell string) (string, error)
}

// Connect gives the connection to a host as named in deploy.yml. It does not
// wait for anything.
type Connect func(host string) Connection

// Lock is an app's lock and how to look at it, see ops.LockProbe.
type Lock struct {
	App   ops.AppID
	Host  string
	Probe command.Line
}

// Options are what a Watcher knows of this machine. All may be left empty.
type Options struct {
	// Machine is this machine's name, and Alive tells whether a process runs
	// on it: they judge the holder of a lock.
	Machine string
	Alive   func(pid int) bool
	// Reason puts the loss of a host in a few words; "" leaves it to the watcher.
	Reason func(error) string
	// Jitter spreads a wait, so that hosts are not all asked at once. nil
	// spreads by a fifth in both directions.
	Jitter func(time.Duration) time.Duration
}

// Watcher watches hosts until it is closed. Its methods may be called from
// anywhere and do not wait for a host.
type Watcher struct {
	connect Connect
	emit    func(ops.Event)
	options Options

	mu      sync.Mutex
	ctx     context.Context // of Start, for hosts that are added later
	stop    context.CancelFunc
	hosts   map[string]*host
	locks   map[string][]Lock
	focused map[string]bool
	wg      sync.WaitGroup
}

// New makes a Watcher that hands facts to emit, which must not wait.
func New(connect Connect, emit func(ops.Event), options Options) *Watcher {
	return &Watcher{
		connect: connect, emit: emit, options: options,
		hosts: map[string]*host{}, locks: map[string][]Lock{}, focused: map[string]bool{},
	}
}

// Start watches hosts until the context ends or Close is called.
func (w *Watcher) Start(ctx context.Context, hosts ...string) {
	w.mu.Lock()
	w.ctx, w.stop = context.WithCancel(ctx)
	w.mu.Unlock()
	w.Add(hosts...)
}

// Add watches more hosts; those that are watched already are left alone.
func (w *Watcher) Add(hosts ...string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, name := range hosts {
		if w.hosts[name] != nil || w.ctx == nil || w.ctx.Err() != nil {
			continue
		}
		h := newHost(w, name)
		w.hosts[name] = h
		w.wg.Add(1)
		go func(ctx context.Context) {
			defer w.wg.Done()
			h.run(ctx)
		}(w.ctx)
	}
}

// Follow watches the locks of apps as well; an app followed before is replaced.
func (w *Watcher) Follow(locks ...Lock) {
	for _, l := range locks {
		w.mu.Lock()
		for host, others := range w.locks {
			w.locks[host] = without(others, l.App)
		}
		w.locks[l.Host] = append(w.locks[l.Host], l)
		h := w.hosts[l.Host]
		w.mu.Unlock()
		if h != nil {
			h.locks.poke()
		}
	}
}

// Focus names the hosts that somebody looks at: in a large fleet only these are
// asked for the use of containers, and more often for their own figures.
func (w *Watcher) Focus(hosts ...string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	before := w.focused
	w.focused = map[string]bool{}
	for _, name := range hosts {
		w.focused[name] = true
		if h := w.hosts[name]; h != nil && !before[name] {
			h.system.poke()
			h.usage.poke()
		}
	}
}

// Refresh reads everything anew on the given hosts, or on all, and tries lost
// ones at once.
func (w *Watcher) Refresh(hosts ...string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(hosts) == 0 {
		for _, h := range w.hosts {
			h.refresh()
		}
	}
	for _, name := range hosts {
		if h := w.hosts[name]; h != nil {
			h.refresh()
		}
	}
}

// Close ends the watch and waits for it.
func (w *Watcher) Close() {
	w.mu.Lock()
	stop := w.stop
	w.mu.Unlock()
	if stop != nil {
		stop()
	}
	w.wg.Wait()
}

// Private

// locksOn are the locks to look at on a host. The slice is not changed later.
func (w *Watcher) locksOn(host string) []Lock {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.locks[host]
}

func (w *Watcher) isFocused(host string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.focused[host]
}

func (w *Watcher) size() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.hosts)
}

func (o Options) jitter(d time.Duration) time.Duration {
	if o.Jitter != nil {
		return o.Jitter(d)
	}
	return d*4/5 + rand.N(d*2/5+1) //nolint:gosec // spreads load
}

func (o Options) judged(l ops.Lock) ops.Lock {
	if o.Alive == nil {
		return l
	}
	return l.Judged(o.Machine, o.Alive)
}

// Helpers

func without(locks []Lock, app ops.AppID) []Lock {
	var out []Lock
	for _, l := range locks {
		if l.App != app {
			out = append(out, l)
		}
	}
	return out
}
