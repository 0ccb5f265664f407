package logs

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

var start = time.Date(2026, 11, 23, 14, 2, 0, 0, time.UTC)

func at(ms int) time.Time { return start.Add(time.Duration(ms) * time.Millisecond) }

func texts(merged []Merged) string {
	var out []string
	for _, m := range merged {
		text := m.Entry.Text
		if m.Late {
			text += "(late)"
		}
		out = append(out, text)
	}
	return strings.Join(out, " ")
}

func push(m *Merger, id StreamID, atMS, nowMS int, text string) {
	m.Push(id, Entry{At: at(atMS), Text: text}, at(nowMS))
}

func expect(t *testing.T, m *Merger, nowMS int, want string) {
	t.Helper()
	if got := texts(m.Release(at(nowMS))); got != want {
		t.Errorf("at %d ms: released %q, want %q", nowMS, got, want)
	}
}

func TestMergerOrdersByTime(t *testing.T) {
	m := NewMerger(0)
	m.Open(1, at(0))
	m.Open(2, at(0))
	push(m, 1, 10, 100, "a10")
	push(m, 1, 30, 100, "a30")
	expect(t, m, 100, "")
	push(m, 2, 20, 101, "b20")
	expect(t, m, 101, "a10 b20")
	push(m, 2, 40, 102, "b40")
	expect(t, m, 102, "a30")
}

func TestMergerOneStreamNeverWaits(t *testing.T) {
	m := NewMerger(0)
	m.Open(1, at(0))
	push(m, 1, 10, 11, "a")
	expect(t, m, 11, "a")
}

func TestMergerSilentStreamHoldsForABoundedTime(t *testing.T) {
	m := NewMerger(300 * time.Millisecond)
	m.Open(1, at(0))
	m.Open(2, at(0))
	push(m, 2, 1, 2, "b")
	push(m, 1, 1, 2, "a")
	expect(t, m, 2, "b a")
	push(m, 1, 1000, 1001, "a1")
	expect(t, m, 1300, "")
	due, ok := m.Due()
	if !ok || !due.Equal(at(1301)) {
		t.Fatalf("due = %v, %v; want 1301 ms", due, ok)
	}
	expect(t, m, 1301, "a1")
	if _, ok := m.Due(); ok {
		t.Error("nothing waits, and still something is due")
	}
}

func TestMergerWaitsLongerForAnOpeningStream(t *testing.T) {
	m := NewMerger(300 * time.Millisecond)
	m.Open(1, at(0))
	m.Open(2, at(0))
	push(m, 1, -50, 10, "a")
	expect(t, m, 320, "")
	push(m, 2, -60, 500, "b-60")
	expect(t, m, 500, "b-60")
	push(m, 2, -55, 520, "b-55")
	expect(t, m, 520, "b-55")
	expect(t, m, 799, "")
	expect(t, m, 800, "a")
}

func TestMergerMarksWhatComesTooLate(t *testing.T) {
	m := NewMerger(0)
	m.Open(1, at(-5000))
	m.Open(2, at(-5000))
	push(m, 1, 100, 100, "a")
	expect(t, m, 400, "a")
	push(m, 2, 50, 401, "b")
	push(m, 1, 402, 402, "a2")
	expect(t, m, 402, "b(late)")
	expect(t, m, 702, "a2")
}

func TestMergerClosedStreamHoldsNothing(t *testing.T) {
	m := NewMerger(0)
	m.Open(1, at(0))
	m.Open(2, at(0))
	push(m, 2, 5, 6, "b5")
	push(m, 1, 10, 11, "a10")
	m.Close(2)
	expect(t, m, 11, "b5 a10")
}

func TestMergerKeepsAContainersOwnOrder(t *testing.T) {
	m := NewMerger(0)
	m.Open(1, at(0))
	push(m, 1, 10, 11, "out")
	push(m, 1, 9, 11, "err")
	expect(t, m, 11, "out err")
}

func TestMergerFastClockMakesNobodyLate(t *testing.T) {
	m := NewMerger(0)
	m.Open(1, at(-1000))
	m.Open(2, at(-1000))
	push(m, 1, 60_000, 10, "fast")
	push(m, 2, 11, 11, "right")
	expect(t, m, 11, "fast")
	push(m, 1, 60_001, 12, "fast2")
	expect(t, m, 12, "right")
}

// Whatever the interleaving, what is released is in order but for the lines
// marked late, nothing is lost, and each stream keeps its own order.
func TestMergerProperty(t *testing.T) {
	for seed := range uint64(60) {
		random := rand.New(rand.NewPCG(seed, 7))
		m := NewMerger(50 * time.Millisecond)
		streams := 1 + random.IntN(5)
		delay := make([]int, streams)
		stamp := make([]int, streams)
		for s := range streams {
			m.Open(StreamID(s), at(0))
			delay[s] = random.IntN(120)
		}
		var got []Merged
		pushed := 0
		now := 1000
		for range 500 {
			s := random.IntN(streams)
			now += random.IntN(4)
			stamp[s] = max(stamp[s], now-delay[s])
			push(m, StreamID(s), stamp[s], now, fmt.Sprintf("%d", pushed))
			pushed++
			if random.IntN(3) == 0 {
				got = append(got, m.Release(at(now))...)
			}
		}
		got = append(got, m.Release(at(now+1000))...)
		if len(got) != pushed {
			t.Fatalf("seed %d: %d lines in, %d out", seed, pushed, len(got))
		}
		var last time.Time
		own := map[StreamID]time.Time{}
		for i, l := range got {
			if !l.Late && l.Entry.At.Before(last) || l.Late && !l.Entry.At.Before(last) {
				t.Fatalf("seed %d: line %d at %v after %v, late %v", seed, i, l.Entry.At, last, l.Late)
			}
			if l.Entry.At.Before(own[l.Stream]) {
				t.Fatalf("seed %d: stream %d out of its own order", seed, l.Stream)
			}
			own[l.Stream] = l.Entry.At
			if l.Entry.At.After(last) {
				last = l.Entry.At
			}
		}
		if slices.Max(delay) < 40 && slices.ContainsFunc(got, func(l Merged) bool { return l.Late }) {
			t.Errorf("seed %d: delays below the hold must not make lines late", seed)
		}
	}
}

func BenchmarkMerge(b *testing.B) {
	const streams = 50
	m := NewMerger(0)
	for s := range StreamID(streams) {
		m.Open(s, start)
	}
	i := 0
	for b.Loop() {
		now := at(i)
		m.Push(StreamID(i%streams), Entry{At: now, Text: "x"}, now)
		if i%64 == 0 {
			m.Release(now)
		}
		i++
	}
}
