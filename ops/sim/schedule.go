package sim

import (
	"context"
	"slices"
	"sort"
	"sync"
	"time"
)

// schedule runs functions when the fleet's clock reaches their time, all on one goroutine. A fleet in which
// nothing is due sleeps.
type schedule struct {
	clock Clock
	wake  chan struct{}

	mu  sync.Mutex
	due []dueItem // by time
}

type dueItem struct {
	at  time.Time
	run func(now time.Time)
}

func newSchedule(clock Clock) *schedule {
	return &schedule{clock: clock, wake: make(chan struct{}, 1)}
}

// at runs f on the schedule's goroutine once the clock has reached t.
func (s *schedule) at(t time.Time, f func(now time.Time)) {
	s.mu.Lock()
	i := sort.Search(len(s.due), func(i int) bool { return s.due[i].at.After(t) })
	s.due = slices.Insert(s.due, i, dueItem{at: t, run: f})
	s.mu.Unlock()
	if i > 0 {
		return
	}
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// run is the schedule's goroutine; it returns when ctx ends.
func (s *schedule) run(ctx context.Context) {
	for ctx.Err() == nil {
		wait, ok := s.runDue()
		if !ok {
			select {
			case <-s.wake:
			case <-ctx.Done():
			}
			continue
		}
		timer, stop := s.clock.Timer(wait)
		select {
		case <-timer:
		case <-s.wake:
		case <-ctx.Done():
		}
		stop()
	}
}

// Private

// runDue runs what is due and returns how long the next item is away; ok is false when there is none.
func (s *schedule) runDue() (wait time.Duration, ok bool) {
	for {
		s.mu.Lock()
		if len(s.due) == 0 {
			s.mu.Unlock()
			return 0, false
		}
		now := s.clock.Now()
		if wait := s.due[0].at.Sub(now); wait > 0 {
			s.mu.Unlock()
			return wait, true
		}
		item := s.due[0]
		s.due = slices.Delete(s.due, 0, 1)
		s.mu.Unlock()
		item.run(now)
	}
}
