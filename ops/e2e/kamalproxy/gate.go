package main

import (
	"context"
	"sync"
	"time"
)

type gateState int

const (
	gateRunning gateState = iota
	gatePaused
	gateStopped
)

func (s gateState) String() string {
	return [...]string{"running", "paused", "stopped"}[s]
}

// gate lets requests through, makes them wait, or turns them away.
type gate struct {
	mu        sync.Mutex
	state     gateState
	message   string
	failAfter time.Duration
	changed   chan struct{} // closed at every change
}

func newGate() *gate { return &gate{changed: make(chan struct{})} }

func (g *gate) set(state gateState, message string, failAfter time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.state, g.message, g.failAfter = state, message, failAfter
	close(g.changed)
	g.changed = make(chan struct{})
}

func (g *gate) current() gateState {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.state
}

// wait returns once the gate is not paused, or still paused when the wait is
// over or there was to be none.
func (g *gate) wait(ctx context.Context, atOnce bool) (gateState, string) {
	var deadline <-chan time.Time
	for {
		g.mu.Lock()
		state, message, changed, failAfter := g.state, g.message, g.changed, g.failAfter
		g.mu.Unlock()
		if state != gatePaused || atOnce {
			return state, message
		}
		if deadline == nil {
			timer := time.NewTimer(failAfter)
			defer timer.Stop()
			deadline = timer.C
		}
		select {
		case <-changed:
		case <-deadline:
			return gatePaused, ""
		case <-ctx.Done():
			return gatePaused, ""
		}
	}
}
