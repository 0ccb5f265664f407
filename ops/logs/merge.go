package logs

import (
	"container/heap"
	"time"
)

// The bounds of how long a line waits for others to overtake it.
const (
	DefaultHold = 300 * time.Millisecond
	openingHold = 600 * time.Millisecond // for a stream that has not said anything yet
)

// StreamID names one stream of a Merger.
type StreamID uint64

// Merger orders the lines of several streams by time. A line is released as
// soon as every stream has got past its time; a stream that is silent holds
// the others back for a bounded time only. It keeps no clock of its own and is
// not safe for concurrent use.
type Merger struct {
	hold    time.Duration
	streams map[StreamID]*stream
	settled time.Time // the opening of streams concerns no line that arrives later
	waiting waiting
	arrived []*held // in order of arrival; the released ones are skipped
	shown   time.Time
	count   uint64
}

// Merged is a line that left the merger.
type Merged struct {
	Stream StreamID
	Entry  Entry
	Late   bool // younger lines were released before it
}

// NewMerger makes a merger; a hold of 0 means DefaultHold.
func NewMerger(hold time.Duration) *Merger {
	if hold <= 0 {
		hold = DefaultHold
	}
	return &Merger{hold: hold, streams: map[StreamID]*stream{}}
}

// Open adds a stream that the others wait for.
func (m *Merger) Open(id StreamID, now time.Time) {
	m.streams[id] = &stream{opened: now}
	if until := now.Add(openingHold); until.After(m.settled) {
		m.settled = until
	}
}

// Close takes a stream away: nothing waits for it any more, and what it
// delivered is still released.
func (m *Merger) Close(id StreamID) { delete(m.streams, id) }

// Push takes a line that arrived now. A line that claims to be from the future
// counts as of now, so that one fast clock does not make all others late.
func (m *Merger) Push(id StreamID, e Entry, now time.Time) {
	if e.At.IsZero() {
		e.At = now
	}
	key := e.At
	if key.After(now) {
		key = now
	}
	if s := m.streams[id]; s != nil {
		if s.spoke.IsZero() {
			s.spoke = now
		}
		if key.Before(s.latest) { // a container's own order is never changed
			key = s.latest
		}
		s.latest = key
	}
	h := &held{stream: id, entry: e, key: key, arrived: now, order: m.count}
	m.count++
	heap.Push(&m.waiting, h)
	m.arrived = append(m.arrived, h)
}

// Release returns the lines that need not wait any longer, in order.
func (m *Merger) Release(now time.Time) []Merged {
	limit := m.watermark()
	for _, h := range m.arrived {
		if !h.released && m.due(h).After(now) {
			break
		}
		if !h.released && h.key.After(limit) {
			limit = h.key
		}
	}
	var out []Merged
	for len(m.waiting) > 0 && !m.waiting[0].key.After(limit) {
		h := m.waiting[0]
		heap.Pop(&m.waiting)
		h.released = true
		out = append(out, Merged{Stream: h.stream, Entry: h.entry, Late: h.key.Before(m.shown)})
		if h.key.After(m.shown) {
			m.shown = h.key
		}
	}
	m.forget()
	return out
}

// Due is when Release has to be called again although nothing new arrived;
// false when nothing waits.
func (m *Merger) Due() (time.Time, bool) {
	if len(m.arrived) == 0 {
		return time.Time{}, false
	}
	return m.due(m.arrived[0]), true
}

// Reset forgets streams and lines.
func (m *Merger) Reset() {
	*m = Merger{hold: m.hold, streams: map[StreamID]*stream{}, count: m.count}
}

// Private

type stream struct {
	opened time.Time
	spoke  time.Time // when its first line arrived
	latest time.Time
}

type held struct {
	stream   StreamID
	entry    Entry
	key      time.Time
	arrived  time.Time
	order    uint64
	released bool
}

// watermark is the time that every stream has reached.
func (m *Merger) watermark() time.Time {
	var low time.Time
	first := true
	for _, s := range m.streams {
		if first || s.latest.Before(low) {
			low, first = s.latest, false
		}
	}
	if first { // no stream is open: nobody can overtake
		return time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	return low
}

// due is when a line is released whatever the others do. What came before a
// stream began to speak waits for that stream's past.
func (m *Merger) due(h *held) time.Time {
	at := h.arrived.Add(m.hold)
	if !h.arrived.Before(m.settled) {
		return at
	}
	for _, s := range m.streams {
		until := s.opened.Add(openingHold)
		if !s.spoke.IsZero() {
			if !h.arrived.Before(s.spoke) {
				continue
			}
			until = s.spoke.Add(m.hold)
		}
		if h.arrived.Before(s.opened.Add(openingHold)) && until.After(at) {
			at = until
		}
	}
	return at
}

func (m *Merger) forget() {
	n := 0
	for n < len(m.arrived) && m.arrived[n].released {
		m.arrived[n] = nil
		n++
	}
	m.arrived = m.arrived[n:]
}

// waiting is a heap by time, then by arrival.
type waiting []*held

func (w waiting) Len() int { return len(w) }
func (w waiting) Less(i, j int) bool {
	if !w[i].key.Equal(w[j].key) {
		return w[i].key.Before(w[j].key)
	}
	return w[i].order < w[j].order
}
func (w waiting) Swap(i, j int) { w[i], w[j] = w[j], w[i] }
func (w *waiting) Push(x any) {
	if h, ok := x.(*held); ok {
		*w = append(*w, h)
	}
}
func (w *waiting) Pop() any {
	old := *w
	h := old[len(old)-1]
	old[len(old)-1] = nil
	*w = old[:len(old)-1]
	return h
}
