package opstest

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"binnacle/ops"
)

// Engine is a scripted Docker engine: a list of containers and images.
type Engine struct {
	world      *World
	host       string
	mu         sync.Mutex
	containers []ops.Inspection
	images     []ops.Image
}

// Add puts containers on the engine.
func (e *Engine) Add(containers ...ops.Inspection) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, c := range containers {
		c.Host = e.host
		e.containers = append(e.containers, c)
	}
}

// Containers lists what is on the engine, without asking it.
func (e *Engine) Containers() []ops.Inspection {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.containers)
}

// Change alters the container of that name or id, if there is one.
func (e *Engine) Change(name string, apply func(*ops.Inspection)) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for i := range e.containers {
		if e.containers[i].Name == name || e.containers[i].ID == name {
			apply(&e.containers[i])
		}
	}
}

// Remove takes away the containers that gone returns true for.
func (e *Engine) Remove(gone func(ops.Inspection) bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.containers = slices.DeleteFunc(e.containers, gone)
}

// AddImage puts an image on the engine.
func (e *Engine) AddImage(img ops.Image) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.images = append(e.images, img)
}

// Pull records the pull; a rule for `docker pull REF` may fail it.
func (e *Engine) Pull(ctx context.Context, ref string, _ ops.RegistryAuth, progress func(ops.Progress)) error {
	if err := e.note(ctx, "docker pull "+ref); err != nil {
		return err
	}
	if progress != nil {
		progress(ops.Progress{Done: 10, Total: 10, Unit: "bytes"})
	}
	return nil
}

// InspectImage finds an image by tag.
func (e *Engine) InspectImage(ctx context.Context, ref string) (ops.Image, error) {
	if _, err := e.world.ask(ctx, e.host, "docker image inspect "+ref); err != nil {
		return ops.Image{}, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, img := range e.images {
		if slices.Contains(img.Tags, ref) {
			return img, nil
		}
	}
	return ops.Image{}, ops.ErrNotFound
}

// ListImages lists images that carry every label.
func (e *Engine) ListImages(ctx context.Context, labels ...string) ([]ops.Image, error) {
	if _, err := e.world.ask(ctx, e.host, "docker image ls"+filters(labels)); err != nil {
		return nil, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	var out []ops.Image
	for _, img := range e.images {
		if carries(img.Labels, labels) {
			out = append(out, img)
		}
	}
	return out, nil
}

// Tag records the tag.
func (e *Engine) Tag(ctx context.Context, ref, target string) error {
	return e.note(ctx, "docker tag "+ref+" "+target)
}

// RemoveImage records the removal.
func (e *Engine) RemoveImage(ctx context.Context, ref string, _ bool) error {
	return e.note(ctx, "docker image rm "+ref)
}

// ListContainers lists containers that carry every label.
func (e *Engine) ListContainers(ctx context.Context, labels ...string) ([]ops.Container, error) {
	if _, err := e.world.ask(ctx, e.host, "docker ps --all"+filters(labels)); err != nil {
		return nil, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	var out []ops.Container
	for _, c := range e.containers {
		if carries(c.Labels, labels) {
			out = append(out, c.Container)
		}
	}
	return out, nil
}

// InspectContainer finds a container by name or id.
func (e *Engine) InspectContainer(ctx context.Context, name string) (ops.Inspection, error) {
	if _, err := e.world.ask(ctx, e.host, "docker inspect "+name); err != nil {
		return ops.Inspection{}, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, c := range e.containers {
		if c.Name == name || strings.HasPrefix(c.ID, name) {
			return c, nil
		}
	}
	return ops.Inspection{}, ops.ErrNotFound
}

// Rename renames.
func (e *Engine) Rename(ctx context.Context, name, to string) error {
	return e.change(ctx, "docker rename "+name+" "+to, name, func(c *ops.Inspection) { c.Name = to })
}

// Stop stops.
func (e *Engine) Stop(ctx context.Context, name string, _ *time.Duration) error {
	return e.change(ctx, "docker stop "+name, name, func(c *ops.Inspection) { c.State = "exited" })
}

// Tail answers with the output of a rule for `docker logs NAME`.
func (e *Engine) Tail(ctx context.Context, name string, _ int) ([]string, error) {
	reply, err := e.world.ask(ctx, e.host, "docker logs "+name)
	if reply.Stdout == "" {
		return nil, err
	}
	return strings.Split(strings.TrimSpace(reply.Stdout), "\n"), err
}

func (e *Engine) note(ctx context.Context, what string) error {
	if _, err := e.world.ask(ctx, e.host, what); err != nil {
		return err
	}
	return e.world.late(ctx, e.host, what)
}

func (e *Engine) change(ctx context.Context, what, name string, apply func(*ops.Inspection)) error {
	if _, err := e.world.ask(ctx, e.host, what); err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	for i := range e.containers {
		if e.containers[i].Name == name || e.containers[i].ID == name {
			apply(&e.containers[i])
			return e.world.late(ctx, e.host, what)
		}
	}
	return ops.ErrNotFound
}

// Helpers

func filters(labels []string) string {
	var b strings.Builder
	for _, l := range labels {
		b.WriteString(" --filter label=" + l)
	}
	return b.String()
}

func carries(have map[string]string, labels []string) bool {
	for _, l := range labels {
		k, v, _ := strings.Cut(l, "=")
		if got, ok := have[k]; !ok || got != v {
			return false
		}
	}
	return true
}
