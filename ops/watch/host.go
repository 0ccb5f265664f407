package watch

import (
	"context"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"binnacle/ops"
	"binnacle/ops/docker"
)

// How often facts are read that events do not bring, and how long events
// gather before what they changed is read.
const (
	containersEvery = 30 * time.Second
	imagesEvery     = 5 * time.Minute
	routesEvery     = time.Minute
	systemEvery     = 7 * time.Second
	usageEvery      = 5 * time.Second
	locksEvery      = 5 * time.Second
	never           = 24 * time.Hour // for what is not wanted until poked

	containersSettle = 150 * time.Millisecond
	imagesSettle     = time.Second
	routesSettle     = 300 * time.Millisecond
	soon             = 10 * time.Millisecond
)

// largeFleet is the number of hosts above which only those in focus are asked
// for the use of their containers, and from which periods grow.
const largeFleet = 20

// The waits between attempts to reach a lost host.
const (
	firstRetry = time.Second
	lastRetry  = 30 * time.Second
)

// host is the watch of one host.
type host struct {
	w      *Watcher
	name   string
	conn   Connection
	engine *docker.Engine
	wake   chan struct{} // ends the wait for the next attempt

	containers, images, system, usage, routes, locks *poll

	known *known // containers; guards itself
	rates rates  // of the usage poll alone

	mu    sync.Mutex
	execs map[string]bool // running execs that change routes
}

func newHost(w *Watcher, name string) *host {
	conn := w.connect(name)
	h := &host{
		w: w, name: name, conn: conn, engine: conn.Engine(), wake: make(chan struct{}, 1),
		known: newKnown(), rates: rates{}, execs: map[string]bool{},
	}
	every := func(d time.Duration) func() time.Duration {
		return func() time.Duration { return w.options.jitter(d) }
	}
	h.containers = newPoll(containersSettle, h.spread(containersEvery), h.readContainers)
	h.images = newPoll(imagesSettle, every(imagesEvery), h.readImages)
	h.routes = newPoll(routesSettle, h.spread(routesEvery), h.readRoutes)
	h.system = newPoll(soon, h.spread(systemEvery), h.readSystem)
	h.usage = newPoll(soon, h.usagePeriod, h.readUsage)
	h.locks = newPoll(soon, h.locksPeriod, h.readLocks)
	return h
}

// run watches the host until the context ends, however often it is lost.
func (h *host) run(ctx context.Context) {
	retry := firstRetry
	for {
		h.w.emit(ops.HostConnecting{Host: h.name, At: time.Now()})
		live, err := h.session(ctx)
		if ctx.Err() != nil {
			return
		}
		h.w.emit(ops.HostLost{Host: h.name, At: time.Now(), Reason: h.w.options.reason(err)})
		if live {
			retry = firstRetry
		}
		if !h.rest(ctx, h.w.options.jitter(retry)) {
			return
		}
		retry = min(2*retry, lastRetry)
	}
}

// refresh reads everything soon, or tries a lost host at once.
func (h *host) refresh() {
	for _, p := range []*poll{h.containers, h.images, h.system, h.usage, h.routes, h.locks} {
		p.poke()
	}
	select {
	case h.wake <- struct{}{}:
	default:
	}
}

// Private

// session watches a host that answers until it does not any more. It returns
// whether the host was live, and why it is not.
func (h *host) session(ctx context.Context) (live bool, err error) {
	h.forgetExecs()
	group, ctx := errgroup.WithContext(ctx)
	events, execs := make(chan struct{}), make(chan struct{})
	group.Go(func() error {
		return h.engine.Events(ctx, changes(), func() { close(events) }, h.changed)
	})
	group.Go(func() error {
		return h.engine.Events(ctx, proxyExecs(), func() { close(execs) }, h.executed)
	})
	group.Go(func() error {
		facts, err := h.engine.Facts(ctx)
		if err != nil {
			return err
		}
		// What is read once the streams are open cannot miss a change.
		for _, opened := range []chan struct{}{events, execs} {
			select {
			case <-opened:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		live = true
		h.w.emit(ops.HostSeen{Host: h.name, At: time.Now(), Docker: facts})
		h.known.reset()
		for _, p := range []*poll{h.containers, h.images, h.system, h.usage, h.routes, h.locks} {
			group.Go(func() error { return p.run(ctx) })
		}
		return nil
	})
	err = group.Wait()
	return live, err
}

// rest waits before the next attempt; a refresh ends it.
func (h *host) rest(ctx context.Context, d time.Duration) bool {
	select {
	case <-h.wake: // a refresh from before the loss
	default:
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-h.wake:
		return true
	case <-ctx.Done():
		return false
	}
}

// changed takes an event of containers and images.
func (h *host) changed(e docker.Event) {
	if e.Type == "image" {
		h.images.poke()
		return
	}
	h.known.outdate(e.ID)
	h.containers.poke()
	if e.Name == proxyName || e.Action == "start" || e.Action == "die" {
		h.routes.poke()
	}
}

// executed takes an event of a command in the proxy's container: routes change
// when one of those that change them is over.
func (h *host) executed(e docker.Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case e.Action == "exec_start" && !strings.HasSuffix(e.Detail, " list"):
		h.execs[e.ExecID] = true
	case e.Action == "exec_die" && h.execs[e.ExecID]:
		delete(h.execs, e.ExecID)
		h.routes.poke()
	}
}

// forgetExecs drops execs whose end went unseen.
func (h *host) forgetExecs() {
	h.mu.Lock()
	defer h.mu.Unlock()
	clear(h.execs)
}

// spread is a period that grows with a large fleet, for hosts out of focus, so
// that the whole of it costs no more than a few hosts do. The first one is cut
// anywhere: what began together must not go on together.
func (h *host) spread(period time.Duration) func() time.Duration {
	begun := false
	return func() time.Duration {
		n := h.w.size()
		if n <= largeFleet || h.w.isFocused(h.name) {
			return h.w.options.jitter(period)
		}
		whole := h.w.options.jitter(period * time.Duration(n) / largeFleet)
		if !begun {
			begun = true
			return period + rand.N(whole) //nolint:gosec // nothing is kept secret by it
		}
		return whole
	}
}

func (h *host) usagePeriod() time.Duration {
	if !h.measured() {
		return never
	}
	return h.w.options.jitter(usageEvery)
}

// measured tells whether the use of this host's containers is wanted.
func (h *host) measured() bool {
	return h.w.size() <= largeFleet || h.w.isFocused(h.name)
}

func (h *host) locksPeriod() time.Duration {
	if len(h.w.locksOn(h.name)) == 0 {
		return never
	}
	return h.w.options.jitter(locksEvery)
}

// Helpers

const proxyName = "kamal-proxy"

func changes() docker.EventFilter {
	return docker.EventFilter{
		Types: []string{"container", "image"},
		Actions: []string{
			"create", "start", "restart", "die", "destroy", "rename", "pause", "unpause", "oom", "health_status", "update",
			"tag", "untag", "pull", "delete", "import", "load", "prune",
		},
	}
}

// proxyExecs is a stream of its own because health checks are execs as well:
// every host would send several events per check.
func proxyExecs() docker.EventFilter {
	return docker.EventFilter{Types: []string{"container"}, Actions: []string{"exec_start", "exec_die"}, Container: proxyName}
}
