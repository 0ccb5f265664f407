package watch

import (
	"context"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"binnacle/ops"
	"binnacle/ops/docker"
)

// sideTimeout bounds a shell command that reads a few small files.
const sideTimeout = 15 * time.Second

func (h *host) readImages(ctx context.Context) error {
	images, err := h.engine.ListImages(ctx)
	if err != nil {
		return h.doubt(ctx)
	}
	h.w.emit(ops.ImagesSeen{Host: h.name, At: time.Now(), Images: images})
	return nil
}

func (h *host) readSystem(ctx context.Context) error {
	bounded, cancel := context.WithTimeout(ctx, sideTimeout)
	defer cancel()
	out, err := h.conn.Output(bounded, systemCommand)
	if err != nil {
		return h.doubt(ctx)
	}
	if facts, ok := parseSystem(out); ok {
		facts.At = time.Now()
		h.w.emit(ops.SystemSeen{Host: h.name, System: facts})
	}
	return nil
}

func (h *host) readRoutes(ctx context.Context) error {
	running, listed := h.known.proxied()
	if !listed {
		return nil // the first listing pokes
	}
	var routes []ops.Route
	if running {
		out, err := h.engine.Exec(ctx, proxyName, proxyName, "list")
		if err != nil {
			return nil //nolint:nilerr // a proxy that starts or stops; its next event or period reads again
		}
		routes = ops.ParseRoutes(out.Stdout)
	}
	h.w.emit(ops.RoutesSeen{Host: h.name, At: time.Now(), Routes: routes})
	return nil
}

func (h *host) readLocks(ctx context.Context) error {
	locks := h.w.locksOn(h.name)
	if len(locks) == 0 {
		return nil
	}
	seen, err := probeLocks(ctx, h.conn, locks)
	if err != nil {
		return h.doubt(ctx)
	}
	for i, l := range locks {
		h.w.emit(ops.LockSeen{App: l.App, Lock: h.w.options.judged(seen[i])})
	}
	return nil
}

func (h *host) readUsage(ctx context.Context) error {
	if !h.measured() {
		h.rates = rates{}
		return nil
	}
	ids := h.known.running()
	if len(ids) == 0 {
		return nil
	}
	usage, waiting := h.rates.add(h.samples(ctx, ids))
	if len(usage) == 0 && len(waiting) > 0 { // the first look: do not let it wait for a whole period
		if !sleep(ctx, time.Second) {
			return ctx.Err()
		}
		usage, _ = h.rates.add(h.samples(ctx, ids))
	}
	h.rates.keep(ids)
	if len(usage) > 0 {
		h.w.emit(ops.UsageSeen{Host: h.name, At: time.Now(), Usage: usage})
	}
	return nil
}

// Private

// doubt follows a reading that failed: whether the host is there at all is for
// the listing of containers to say.
func (h *host) doubt(ctx context.Context) error {
	if ctx.Err() == nil {
		h.containers.poke()
	}
	return ctx.Err()
}

// samples reads the counters of containers; those that fail are left out.
func (h *host) samples(ctx context.Context, ids []string) map[string]docker.Sample {
	var mu sync.Mutex
	out := make(map[string]docker.Sample, len(ids))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(inspecting)
	for _, id := range ids {
		group.Go(func() error {
			if s, err := h.engine.Stats(ctx, id); err == nil && !s.At.IsZero() {
				mu.Lock()
				out[id] = s
				mu.Unlock()
			}
			return nil
		})
	}
	_ = group.Wait() // nothing fails
	return out
}

// rates are the last samples by container.
type rates map[string]docker.Sample

// add turns samples into use since the ones before, and names those that have
// none before.
func (r rates) add(samples map[string]docker.Sample) (usage []ops.Usage, waiting []string) {
	for id, s := range samples {
		if percent, ok := s.CPUSince(r[id]); ok {
			usage = append(usage, ops.Usage{ID: id, CPU: percent, Memory: s.Memory})
		} else {
			waiting = append(waiting, id)
		}
		r[id] = s
	}
	return usage, waiting
}

// keep forgets containers that run no more.
func (r rates) keep(ids []string) {
	wanted := make(map[string]bool, len(ids))
	for _, id := range ids {
		wanted[id] = true
	}
	for id := range r {
		if !wanted[id] {
			delete(r, id)
		}
	}
}
