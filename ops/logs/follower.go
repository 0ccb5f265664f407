package logs

import (
	"context"
	"sync"
	"time"

	"binnacle/ops"
)

// Request says which part of one container's log is wanted.
type Request struct {
	Container ops.ContainerID
	Since     time.Time // lines at this time and after; zero for no bound
	Tail      int       // newest lines of the past; below 0 for all
	Follow    bool      // go on with what comes
}

// Open streams one container's log, both streams with Docker's timestamps, and
// calls each for every line in the order of the log. It returns nil when the
// log has ended, and an error when it was cut; it returns soon after its
// context ends.
type Open func(ctx context.Context, req Request, each func(Entry)) error

// Options of a Follower. Only Open is needed.
type Options struct {
	Open   Open
	Redact func(string) string // takes secrets out of a line before it is kept
	Bytes  int                 // bound of the ring; 0 for DefaultBytes
	Hold   time.Duration       // how long lines wait for slower streams; 0 for DefaultHold
}

// Follower follows the logs of what is selected into a ring. Its methods never
// wait for a stream, and its streams never wait for a reader.
type Follower struct {
	options Options
	ring    *Ring
	dirty   chan struct{}
	wake    chan struct{}
	stop    context.CancelFunc
	done    chan struct{}

	mu     sync.Mutex
	fleet  ops.Fleet
	want   Selection
	span   Span
	epoch  uint64 // grows with every Select: what is older is thrown away
	rate   rate
	status []SourceStatus
	late   uint64
	latest time.Time
}

// Follow starts a follower that works until its context ends or Close.
func Follow(ctx context.Context, options Options) *Follower {
	ctx, stop := context.WithCancel(ctx)
	f := &Follower{
		options: options, ring: NewRing(options.Bytes), dirty: make(chan struct{}, 1), wake: make(chan struct{}, 1),
		stop: stop, done: make(chan struct{}),
	}
	go func() {
		defer close(f.done)
		newLoop(f).run(ctx)
	}()
	return f
}

// Select follows something else, or another part of the past. The ring starts
// anew, so that it holds exactly what is selected, in order.
func (f *Follower) Select(s Selection, span Span) {
	f.mu.Lock()
	f.want, f.span = s, span
	f.epoch++
	f.mu.Unlock()
	signal(f.wake)
}

// Update brings the newest fleet: containers that the selection takes in are
// joined, and a restarted one is followed again. The ring stays.
func (f *Follower) Update(fleet ops.Fleet) {
	f.mu.Lock()
	f.fleet = fleet
	f.mu.Unlock()
	signal(f.wake)
}

// View is what the ring holds now.
func (f *Follower) View() View { return f.ring.View() }

// Dirty gets one signal when lines or the status changed since the last one.
func (f *Follower) Dirty() <-chan struct{} { return f.dirty }

// Poke gives another signal: for a reader that has more to do than it wanted
// to do at once.
func (f *Follower) Poke() { signal(f.dirty) }

// Close ends all streams and waits for them.
func (f *Follower) Close() {
	f.stop()
	<-f.done
}

// Status is how the following goes.
func (f *Follower) Status() Status {
	f.mu.Lock()
	defer f.mu.Unlock()
	return Status{
		Selection: f.want, Span: f.span, Sources: f.status, Late: f.late, Latest: f.latest,
		Rate: f.rate.perSecond(time.Now()),
	}
}

// Status is how the following of a selection goes.
type Status struct {
	Selection Selection
	Span      Span
	Sources   []SourceStatus // by host and name; must not be changed
	Rate      float64        // lines per second over the last few seconds, without the past
	Late      uint64         // lines that arrived out of order
	Latest    time.Time      // when the last line arrived
}

// Count is the number of sources in a state.
func (s Status) Count(state SourceState) int {
	n := 0
	for _, src := range s.Sources {
		if src.State == state {
			n++
		}
	}
	return n
}

// SourceState says how one stream stands.
type SourceState string

// The states of a stream.
const (
	Opening  SourceState = "opening"
	Live     SourceState = "live"
	Retrying SourceState = "retrying" // cut; tried again after a pause
	Ended    SourceState = "ended"    // the container stopped, or the head was read
)

// SourceStatus is how one stream stands.
type SourceStatus struct {
	Source *Source
	State  SourceState
	Since  time.Time
	Err    error // why it was cut, until it is live again
}

// Helpers

func signal(ch chan struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}
