package operation

import (
	"context"
	"sync"
)

// barrier holds other roles back until the first container of the gate role
// is healthy. It is decided once. Any failure of a gate place closes it, so
// that nobody waits for ever; Kamal closes it for some failures only.
type barrier struct {
	once    sync.Once
	decided chan struct{}
	open    bool
	host    string // whose result decided
}

func newBarrier() *barrier { return &barrier{decided: make(chan struct{})} }

// decide opens or closes the barrier; true when this call was the first.
func (b *barrier) decide(open bool, host string) (first bool) {
	b.once.Do(func() {
		b.open, b.host, first = open, host, true
		close(b.decided)
	})
	return first
}

// wait blocks until the barrier is decided and tells whether it opened.
func (b *barrier) wait(ctx context.Context) (open bool, err error) {
	select {
	case <-b.decided:
		return b.open, nil
	case <-ctx.Done():
		return false, ctx.Err()
	}
}
