package watch

import (
	"context"
	"time"
)

// poll reads one kind of fact again and again: when poked, after a short delay
// in which further pokes count as one, and otherwise when its period is over.
type poll struct {
	read   func(context.Context) error // an error ends the watch of the host
	settle time.Duration               // from the first poke to the reading
	period func() time.Duration
	poked  chan struct{}
}

func newPoll(settle time.Duration, period func() time.Duration, read func(context.Context) error) *poll {
	return &poll{read: read, settle: settle, period: period, poked: make(chan struct{}, 1)}
}

// poke asks for a reading soon. It never waits. A poke during a reading leads
// to another one.
func (p *poll) poke() {
	select {
	case p.poked <- struct{}{}:
	default:
	}
}

// run reads at once and then on, until the context ends or a reading fails.
func (p *poll) run(ctx context.Context) error {
	for {
		p.forget()
		start := time.Now()
		if err := p.read(ctx); err != nil {
			return err
		}
		took := time.Since(start)
		if !p.wait(ctx, took) {
			return ctx.Err()
		}
	}
}

// Private

// wait ends at the next time to read. After a slow reading it settles longer,
// so that a host under a storm of events is not kept busy by telling of it.
func (p *poll) wait(ctx context.Context, took time.Duration) bool {
	timer := time.NewTimer(p.period())
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-p.poked:
		return sleep(ctx, max(p.settle, 2*took))
	case <-ctx.Done():
		return false
	}
}

func (p *poll) forget() {
	select {
	case <-p.poked:
	default:
	}
}

// Helpers

// sleep waits; false when the context ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
