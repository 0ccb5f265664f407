package logs

import (
	"slices"
	"sort"
	"sync"
)

// DefaultBytes bounds a ring that names no bound of its own.
const DefaultBytes = 24 << 20

const (
	chunkLines   = 128
	lineOverhead = 96 // what a line costs beside its text
)

// Ring keeps the newest lines within a number of bytes. Writers take a lock
// for the time of an append; readers work on a View and hold nothing.
type Ring struct {
	mu      sync.Mutex
	limit   int
	chunks  []*chunk // replaced, never changed in place, when chunks are dropped
	bytes   int
	next    uint64
	dropped uint64
}

// chunk is a run of lines. The lines that a View may see never change.
type chunk struct {
	base  uint64
	used  int // guarded by the ring's lock
	bytes int
	lines []Line // always chunkLines long
}

// NewRing makes a ring that holds about limit bytes; 0 means DefaultBytes.
func NewRing(limit int) *Ring {
	if limit <= 0 {
		limit = DefaultBytes
	}
	return &Ring{limit: limit}
}

// Append adds lines in order and gives each its sequence number.
func (r *Ring) Append(lines ...Line) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range lines {
		r.append(lines[i])
	}
	r.trim()
}

// Clear forgets all lines without counting them as dropped; sequence numbers
// go on.
func (r *Ring) Clear() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.chunks, r.bytes, r.dropped = nil, 0, 0
}

// View is what the ring holds now.
func (r *Ring) View() View {
	r.mu.Lock()
	defer r.mu.Unlock()
	v := View{chunks: r.chunks, first: r.next, next: r.next, dropped: r.dropped, bytes: r.bytes}
	if len(r.chunks) > 0 {
		v.first = r.chunks[0].base
	}
	return v
}

// View is an immutable look at a ring: lines first to next-1.
type View struct {
	chunks  []*chunk
	first   uint64
	next    uint64
	dropped uint64
	bytes   int
}

// First is the sequence number of the oldest line; equal to Next when empty.
func (v View) First() uint64 { return v.first }

// Next is the number that the next line will get.
func (v View) Next() uint64 { return v.next }

// Len is the number of lines.
func (v View) Len() int { return int(v.next - v.first) }

// Dropped counts the lines that made room for newer ones.
func (v View) Dropped() uint64 { return v.dropped }

// Bytes is about what the lines take in memory.
func (v View) Bytes() int { return v.bytes }

// Line returns one line; false when it was dropped or is not there yet.
func (v View) Line(seq uint64) (Line, bool) {
	if seq < v.first || seq >= v.next {
		return Line{}, false
	}
	i := sort.Search(len(v.chunks), func(i int) bool { return v.chunks[i].base > seq }) - 1
	return v.chunks[i].lines[seq-v.chunks[i].base], true
}

// Private

func (r *Ring) append(l Line) {
	cost := len(l.Text) + lineOverhead
	last := r.last()
	if last == nil || last.used == chunkLines || last.bytes > r.limit/16 {
		last = &chunk{base: r.next, lines: make([]Line, chunkLines)}
		r.chunks = append(r.chunks, last)
	}
	l.Seq = r.next
	last.lines[last.used] = l
	last.used++
	last.bytes += cost
	r.bytes += cost
	r.next++
}

// trim drops whole chunks; the newest stays however large it is.
func (r *Ring) trim() {
	drop := 0
	for r.bytes > r.limit && drop < len(r.chunks)-1 {
		r.bytes -= r.chunks[drop].bytes
		r.dropped += uint64(r.chunks[drop].used)
		drop++
	}
	if drop > 0 {
		r.chunks = slices.Clone(r.chunks[drop:]) // lets go of the dropped ones
	}
}

func (r *Ring) last() *chunk {
	if len(r.chunks) == 0 {
		return nil
	}
	return r.chunks[len(r.chunks)-1]
}
