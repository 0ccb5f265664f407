package ops

import (
	"context"
	"sync"
	"sync/atomic"
)

// Store holds the State. One goroutine folds events into it; any number of
// readers look at it without waiting, and nobody who emits ever waits for a
// reader.
type Store struct {
	state  atomic.Pointer[State]
	queue  *queue
	done   chan struct{}
	mu     sync.Mutex
	dirty  map[chan struct{}]struct{}
	tails  map[*Tail]struct{}
	output map[TaskID]*Output
}

// NewStore starts the fold, which outlives the context's cancellation: facts
// emitted while things shut down still count. Close ends it.
func NewStore(ctx context.Context) *Store {
	s := &Store{
		queue: newQueue(), done: make(chan struct{}),
		dirty: map[chan struct{}]struct{}{}, tails: map[*Tail]struct{}{}, output: map[TaskID]*Output{},
	}
	s.state.Store(&State{})
	go s.loop(context.WithoutCancel(ctx))
	return s
}

// State is the newest state. It must not be changed.
func (s *Store) State() *State { return s.state.Load() }

// Emit hands over an event; it never waits.
func (s *Store) Emit(e Event) { s.queue.push(e) }

// Dirty returns a channel that gets one signal when the state changed since
// the last one, and a function that ends the subscription.
func (s *Store) Dirty() (<-chan struct{}, func()) {
	ch := make(chan struct{}, 1)
	s.mu.Lock()
	s.dirty[ch] = struct{}{}
	s.mu.Unlock()
	return ch, func() {
		s.mu.Lock()
		delete(s.dirty, ch)
		s.mu.Unlock()
	}
}

// Tail follows every event from now on.
func (s *Store) Tail() *Tail {
	t := &Tail{queue: newQueue(), store: s}
	s.mu.Lock()
	s.tails[t] = struct{}{}
	s.mu.Unlock()
	return t
}

// Output is the transcript of a task; nil for a task that never wrote.
func (s *Store) Output(id TaskID) *Output {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.output[id]
}

// Settle returns when everything emitted before it is folded.
func (s *Store) Settle() {
	done := settled{make(chan struct{})}
	s.queue.push(done)
	select {
	case <-done.done:
	case <-s.done:
	}
}

// Close folds what was emitted before and stops.
func (s *Store) Close() {
	s.queue.close()
	<-s.done
}

// Tail is a reader that gets every event, however slow it is.
type Tail struct {
	queue *queue
	store *Store
}

// Next waits for events; false when the context or the store ended.
func (t *Tail) Next(ctx context.Context) ([]Event, bool) { return t.queue.take(ctx) }

// Close ends the subscription.
func (t *Tail) Close() {
	t.store.mu.Lock()
	delete(t.store.tails, t)
	t.store.mu.Unlock()
	t.queue.close()
}

// Private

// settled marks a place in the queue.
type settled struct{ done chan struct{} }

func (settled) event() {}

func (s *Store) loop(ctx context.Context) {
	defer close(s.done)
	defer s.closeTails()
	for {
		batch, ok := s.queue.take(ctx)
		if !ok {
			return
		}
		s.fold(batch)
	}
}

func (s *Store) fold(batch []Event) {
	state := *s.state.Load()
	lines := map[linesAdvanced]uint64{}
	for _, e := range batch {
		switch e := e.(type) {
		case settled:
			defer close(e.done)
		case LineWritten:
			lines[linesAdvanced{task: e.Task, step: e.Step}]++
			s.write(e)
		case ResultWritten:
			lines[linesAdvanced{task: e.Task, step: e.Step}]++
			s.write(LineWritten{Task: e.Task, Step: e.Step, At: e.At, Host: e.Host, Stream: Stdout, Text: e.Text})
		default:
			state = Fold(state, e)
		}
	}
	for k, n := range lines {
		k.lines = n
		state = Fold(state, k)
	}
	s.state.Store(&state)
	s.notify(batch)
}

func (s *Store) write(e LineWritten) {
	s.mu.Lock()
	out := s.output[e.Task]
	if out == nil {
		out = &Output{}
		s.output[e.Task] = out
	}
	s.mu.Unlock()
	out.add(e)
}

func (s *Store) notify(batch []Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for t := range s.tails {
		t.queue.push(batch...)
	}
	for ch := range s.dirty {
		select {
		case ch <- struct{}{}:
		default:
		}
	}
}

func (s *Store) closeTails() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for t := range s.tails {
		t.queue.close()
	}
}

// queue is an unbounded queue: events are facts and facts are never dropped.
type queue struct {
	mu     sync.Mutex
	events []Event
	ready  chan struct{}
	closed bool
}

func newQueue() *queue { return &queue{ready: make(chan struct{}, 1)} }

func (q *queue) push(events ...Event) {
	q.mu.Lock()
	if !q.closed {
		q.events = append(q.events, events...)
	}
	q.mu.Unlock()
	q.signal()
}

func (q *queue) close() {
	q.mu.Lock()
	q.closed = true
	q.mu.Unlock()
	q.signal()
}

func (q *queue) signal() {
	select {
	case q.ready <- struct{}{}:
	default:
	}
}

// take waits for events and returns all there are; false once it is closed
// and empty, or when the context ends.
func (q *queue) take(ctx context.Context) ([]Event, bool) {
	for {
		q.mu.Lock()
		events, closed := q.events, q.closed
		q.events = nil
		q.mu.Unlock()
		if len(events) > 0 {
			return events, true
		}
		if closed {
			q.signal() // for the next reader
			return nil, false
		}
		select {
		case <-q.ready:
		case <-ctx.Done():
			return nil, false
		}
	}
}
