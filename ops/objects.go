package ops

import (
	"context"
	"io"
	"time"
)

// Objects is a store: named pieces that are there whole or not at all. Keys are
// paths with slashes, without a leading one.
type Objects interface {
	// Put writes an object from a stream of unknown length, in bounded memory.
	// When it returns nil the object is there and durable; after an error, the
	// reader's own included, it is not. An object of that name is replaced. A Read
	// that waits when the context ends is waited for.
	Put(ctx context.Context, key string, body io.Reader) error
	// Open reads an object from its start; ErrNotFound when absent.
	Open(ctx context.Context, key string) (io.ReadCloser, error)
	// List returns every object whose key begins with the prefix, sorted by key.
	List(ctx context.Context, prefix string) ([]Object, error)
	// Delete removes objects, in the order given; absence is not an error.
	Delete(ctx context.Context, keys ...string) error
	// Sweep removes what uploads below the prefix left that never ended. Nothing
	// of it is ever listed. The caller knows that nobody is writing there: an
	// upload under way is lost with the rest.
	Sweep(ctx context.Context, prefix string) error
}

// Object is an entry of a store.
type Object struct {
	Key      string
	Size     int64
	Modified time.Time
}
