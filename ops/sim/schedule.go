package sim

import (
	"container/heap"
	"context"
	"sync"
	"time"
)

// schedule runs functions when the fleet's clock reaches their time, all on one goroutine. A fleet in which
// nothing is due sleeps.
type schedule struct {
	clock Clock
	wake  chan struct{}

	mu   sync.Mutex
	due  dueHeap
	next int64
}

type dueItem struct {
	at  time.Time
	seq int64
	run func(now time.Time)
}

type dueHeap []dueItem

func (h dueHeap) Len() int { return len(h) }
func (h dueHeap) Less(i, j int) bool {
	if h[i].at.Equal(h[j].at) {
		return h[i].seq < h[j].seq
	}
	return h[i].at.Before(h[j].at)
}
func (h dueHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }

// Push is for container/heap.
func (h *dueHeap) Push(x any) { *h = append(*h, x.(dueItem)) }

// Pop is for container/heap.
func (h *dueHeap) Pop() any {
	old := *h
	last := old[len(old)-1]
	old[len(old)-1] = dueItem{}
	*h = old[:len(old)-1]
	return last
}

func newSchedule(clock Clock) *schedule {
	return &schedule{clock: clock, wake: make(chan struct{}, 1)}
}

// at runs f on the schedule's goroutine once the clock has reached t.
func (s *schedule) at(t time.Time, f func(now time.Time)) {
	s.mu.Lock()
	s.next++
	heap.Push(&s.due, dueItem{at: t, seq: s.next, run: f})
	first := s.due[0].seq == s.next
	s.mu.Unlock()
	if !first {
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
		item := heap.Pop(&s.due).(dueItem)
		s.mu.Unlock()
		item.run(now)
	}
}
