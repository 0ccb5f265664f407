package sim

import (
	"context"
	"sync"
	"time"
)

// Clock is the time that the fleet lives in.
type Clock interface {
	// Now is the present moment of the fleet.
	Now() time.Time
	// Timer returns a channel that receives once after d of fleet time, and a function that gives it up.
	Timer(d time.Duration) (<-chan time.Time, func())
}

// RealClock is the machine's clock.
type RealClock struct{}

// Now is the machine's time, in UTC.
func (RealClock) Now() time.Time { return time.Now().UTC() }

// Timer is a timer of the machine.
func (RealClock) Timer(d time.Duration) (<-chan time.Time, func()) {
	t := time.NewTimer(d)
	return t.C, func() { t.Stop() }
}

// FastClock runs Speed times as fast as the machine's clock, starting at Start.
type FastClock struct {
	start, zero time.Time
	speed       float64
}

// NewFastClock returns a clock that shows start now and runs speed times as fast as the machine's.
func NewFastClock(start time.Time, speed float64) *FastClock {
	return &FastClock{start: start.UTC(), zero: time.Now(), speed: speed}
}

// Now is the accelerated time.
func (c *FastClock) Now() time.Time {
	return c.start.Add(time.Duration(float64(time.Since(c.zero)) * c.speed))
}

// Timer fires after d of accelerated time.
func (c *FastClock) Timer(d time.Duration) (<-chan time.Time, func()) {
	t := time.NewTimer(time.Duration(float64(d) / c.speed))
	return t.C, func() { t.Stop() }
}

// ManualClock stands still until Advance is called.
type ManualClock struct {
	mu     sync.Mutex
	now    time.Time
	timers map[*manualTimer]struct{}
}

type manualTimer struct {
	at time.Time
	ch chan time.Time
}

// NewManualClock returns a clock that shows start and waits.
func NewManualClock(start time.Time) *ManualClock {
	return &ManualClock{now: start.UTC(), timers: map[*manualTimer]struct{}{}}
}

// Now is the time that Advance has reached.
func (c *ManualClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Timer fires when Advance has gone d further.
func (c *ManualClock) Timer(d time.Duration) (<-chan time.Time, func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := &manualTimer{at: c.now.Add(d), ch: make(chan time.Time, 1)}
	if d <= 0 {
		t.ch <- c.now
		return t.ch, func() {}
	}
	c.timers[t] = struct{}{}
	return t.ch, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.timers, t)
	}
}

// Advance moves the clock forward and fires what has become due.
func (c *ManualClock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
	for t := range c.timers {
		if !t.at.After(c.now) {
			t.ch <- c.now
			delete(c.timers, t)
		}
	}
}

// Helpers

// sleep waits d of fleet time, or until ctx ends.
func sleep(ctx context.Context, clock Clock, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	ch, stop := clock.Timer(d)
	defer stop()
	select {
	case <-ch:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
