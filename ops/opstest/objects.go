package opstest

import (
	"bytes"
	"context"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"binnacle/config"
	"binnacle/ops"
)

// Objects is a store in memory.
type Objects struct {
	world *World
	mu    sync.Mutex
	all   map[string][]byte
	at    map[string]time.Time
	// Fail is asked before each call, with its name and key; nil never fails.
	Fail func(ctx context.Context, call, key string) error
}

// Objects is the store of that name; it is made when first asked for.
func (w *World) Objects(name string) *Objects {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.stores == nil {
		w.stores = map[string]*Objects{}
	}
	o := w.stores[name]
	if o == nil {
		o = &Objects{world: w, all: map[string][]byte{}, at: map[string]time.Time{}}
		w.stores[name] = o
	}
	return o
}

// Store opens a store in memory.
func (w *World) Store(_ context.Context, at config.Store) (ops.Objects, error) {
	return w.Objects(at.Name), nil
}

// Content is an object's bytes; nil when there is none.
func (o *Objects) Content(key string) []byte {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.all[key])
}

// Change replaces an object's bytes.
func (o *Objects) Change(key string, content []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.all[key], o.at[key] = content, o.world.Now()
}

// Put keeps an object.
func (o *Objects) Put(ctx context.Context, key string, body io.Reader) error {
	if err := o.ask(ctx, "put", key); err != nil {
		return err
	}
	content, err := io.ReadAll(body)
	if err != nil {
		return err
	}
	o.Change(key, content)
	return ctx.Err()
}

// Open reads an object.
func (o *Objects) Open(ctx context.Context, key string) (io.ReadCloser, error) {
	if err := o.ask(ctx, "open", key); err != nil {
		return nil, err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	content, ok := o.all[key]
	if !ok {
		return nil, ops.ErrNotFound
	}
	return io.NopCloser(bytes.NewReader(slices.Clone(content))), nil
}

// List lists objects.
func (o *Objects) List(ctx context.Context, prefix string) ([]ops.Object, error) {
	if err := o.ask(ctx, "list", prefix); err != nil {
		return nil, err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	var out []ops.Object
	for _, key := range slices.Sorted(maps.Keys(o.all)) {
		if strings.HasPrefix(key, prefix) {
			out = append(out, ops.Object{Key: key, Size: int64(len(o.all[key])), Modified: o.at[key]})
		}
	}
	return out, nil
}

// Delete removes objects.
func (o *Objects) Delete(ctx context.Context, keys ...string) error {
	for _, key := range keys {
		if err := o.ask(ctx, "delete", key); err != nil {
			return err
		}
		o.mu.Lock()
		delete(o.all, key)
		o.mu.Unlock()
	}
	return nil
}

// Sweep has nothing to do: what is not whole is never kept.
func (o *Objects) Sweep(ctx context.Context, prefix string) error { return o.ask(ctx, "sweep", prefix) }

// Private

func (o *Objects) ask(ctx context.Context, call, key string) error {
	if o.Fail != nil {
		if err := o.Fail(ctx, call, key); err != nil {
			return err
		}
	}
	return ctx.Err()
}
