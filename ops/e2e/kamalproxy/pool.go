package main

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"sync"
	"time"
)

var errDrained = errors.New("target is draining")

// pool is the targets of one deployment. It counts the requests in flight so
// that it can be drained.
type pool struct {
	targets []*target

	mu       sync.Mutex
	next     int
	draining bool
	flights  map[*flight]struct{}
	empty    chan struct{} // closed when draining and nothing is in flight
}

type flight struct{ cancel context.CancelCauseFunc }

func newPool(addresses []string, options targetOptions) (*pool, error) {
	valid := regexp.MustCompile(`^(\w[-_.\w+]+)(:\d+)?$`)
	p := &pool{flights: map[*flight]struct{}{}}
	for _, address := range addresses {
		if !valid.MatchString(address) {
			return nil, fmt.Errorf("%s :invalid host pattern", address)
		}
		p.targets = append(p.targets, newTarget(address, options))
	}
	return p, nil
}

// awaitHealthy returns once every target has been healthy.
func (p *pool) awaitHealthy(ctx context.Context, timeout time.Duration) error {
	within, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	var checks sync.WaitGroup
	results := make(chan error, len(p.targets))
	for _, t := range p.targets {
		checks.Go(func() { results <- t.awaitHealthy(within) })
	}
	checks.Wait()
	for range p.targets {
		if err := <-results; err != nil {
			return fmt.Errorf("target failed to become healthy within configured timeout (%s)", timeout)
		}
	}
	return nil
}

// begin books a request on a target, or returns no target while draining.
func (p *pool) begin(ctx context.Context) (*target, context.Context, func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.draining {
		return nil, ctx, nil
	}
	t := p.targets[p.next%len(p.targets)]
	p.next++
	ctx, cancel := context.WithCancelCause(ctx)
	f := &flight{cancel: cancel}
	p.flights[f] = struct{}{}
	return t, ctx, func() {
		cancel(nil)
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.flights, f)
		if p.draining && len(p.flights) == 0 && p.empty != nil {
			close(p.empty)
			p.empty = nil
		}
	}
}

// drain takes no more requests, and waits for those in flight; what is left at
// the timeout is cut.
func (p *pool) drain(ctx context.Context, timeout time.Duration) {
	p.mu.Lock()
	p.draining = true
	var empty chan struct{}
	if len(p.flights) > 0 {
		empty = make(chan struct{})
		p.empty = empty
	}
	p.mu.Unlock()
	if empty == nil {
		return
	}
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	select {
	case <-empty:
		return
	case <-timer.C:
	case <-ctx.Done():
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for f := range p.flights {
		f.cancel(errDrained)
	}
}

// open takes requests again after a drain.
func (p *pool) open() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.draining = false
}

func (p *pool) close() {
	for _, t := range p.targets {
		t.transport.CloseIdleConnections()
	}
}

func (p *pool) addresses() []string {
	var names []string
	for _, t := range p.targets {
		names = append(names, t.address)
	}
	return names
}
