package watch

import (
	"context"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"binnacle/ops"
)

// readContainers lists containers, and inspects those that are new or changed
// for what a listing does not tell. It fails when the host does not answer.
func (h *host) readContainers(ctx context.Context) error {
	list, err := h.engine.ListContainers(ctx)
	if err != nil {
		return err
	}
	first, unknown := h.known.list(list)
	if first { // what is known already should not wait for the rest
		h.emitContainers()
		h.routes.poke()
		h.usage.poke()
	}
	if !first && len(unknown) == 0 {
		h.emitContainers()
		return nil
	}
	if len(unknown) > 0 {
		h.inspect(ctx, unknown)
		h.emitContainers()
	}
	return nil
}

// Private

// inspecting is how many containers of a host are inspected at once; it fits
// the connections that an Engine keeps.
const inspecting = 4

// inspect fills in what it can; a container that is gone meanwhile is none of
// the next listing.
func (h *host) inspect(ctx context.Context, ids []string) {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(inspecting)
	for _, id := range ids {
		group.Go(func() error {
			if got, err := h.engine.InspectContainer(ctx, id); err == nil {
				h.known.detail(got)
			}
			return nil
		})
	}
	_ = group.Wait() // nothing fails
}

func (h *host) emitContainers() {
	h.w.emit(ops.ContainersSeen{Host: h.name, At: time.Now(), Containers: h.known.containers()})
}

// known is what is known of a host's containers, with details that cost a
// request each and change with events only.
type known struct {
	mu      sync.Mutex
	listed  bool
	current []ops.Container
	details map[string]ops.Container
	stale   map[string]bool
}

func newKnown() *known {
	return &known{details: map[string]ops.Container{}, stale: map[string]bool{}}
}

// reset forgets details, for events may have been missed.
func (k *known) reset() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.listed, k.current = false, nil
	k.details, k.stale = map[string]ops.Container{}, map[string]bool{}
}

// outdate marks a container whose details changed.
func (k *known) outdate(id string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.stale[id] = true
}

// list takes a listing and returns whether it is the first, and the containers
// whose details are to be read.
func (k *known) list(list []ops.Container) (first bool, unknown []string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	first, k.listed = !k.listed, true
	k.current = list
	details := make(map[string]ops.Container, len(list))
	for _, c := range list {
		d, found := k.details[c.ID]
		if found {
			details[c.ID] = d
		}
		if !found || k.stale[c.ID] || d.State != c.State {
			unknown = append(unknown, c.ID)
		}
	}
	k.details, k.stale = details, map[string]bool{}
	return first, unknown
}

func (k *known) detail(i ops.Inspection) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.details[i.ID] = i.Container
}

// containers is the last listing with details.
func (k *known) containers() []ops.Container {
	k.mu.Lock()
	defer k.mu.Unlock()
	out := make([]ops.Container, len(k.current))
	for i, c := range k.current {
		if d, found := k.details[c.ID]; found {
			c.Created, c.Started, c.Finished, c.Restarts = d.Created, d.Started, d.Finished, d.Restarts
			if d.State == c.State {
				c.ExitCode, c.OOMKilled = d.ExitCode, d.OOMKilled
			}
		}
		out[i] = c
	}
	return out
}

// running are the ids of the containers that use the machine.
func (k *known) running() []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	var out []string
	for _, c := range k.current {
		if c.State == "running" {
			out = append(out, c.ID)
		}
	}
	return out
}

// proxied tells whether a proxy runs; known is false before the first listing.
func (k *known) proxied() (running, listed bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, c := range k.current {
		if c.Name == proxyName && c.State == "running" {
			return true, k.listed
		}
	}
	return false, k.listed
}
