package logs

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
)

func lines(n int) []Line {
	out := make([]Line, n)
	for i := range out {
		out[i] = Line{Text: fmt.Sprintf("line %d", i)}
	}
	return out
}

func TestRingKeepsSequenceAndBound(t *testing.T) {
	r := NewRing(64 << 10)
	total := 5000
	for _, l := range lines(total) {
		r.Append(l)
	}
	v := r.View()
	if v.Next() != uint64(total) {
		t.Fatalf("next = %d, want %d", v.Next(), total)
	}
	if v.Bytes() > 64<<10 {
		t.Errorf("holds %d bytes, bound is %d", v.Bytes(), 64<<10)
	}
	if v.Dropped()+uint64(v.Len()) != uint64(total) {
		t.Errorf("dropped %d + held %d != %d", v.Dropped(), v.Len(), total)
	}
	if v.Len() < 300 {
		t.Errorf("only %d lines held: the bound is used badly", v.Len())
	}
	for seq := v.First(); seq < v.Next(); seq++ {
		l, ok := v.Line(seq)
		if !ok || l.Seq != seq || l.Text != fmt.Sprintf("line %d", seq) {
			t.Fatalf("line %d = %+v, %v", seq, l, ok)
		}
	}
	for _, seq := range []uint64{v.First() - 1, v.Next()} {
		if _, ok := v.Line(seq); ok {
			t.Errorf("line %d is outside and was found", seq)
		}
	}
}

func TestRingHoldsOneHugeLine(t *testing.T) {
	r := NewRing(1000)
	r.Append(Line{Text: "small"})
	r.Append(Line{Text: strings.Repeat("x", 5000)})
	v := r.View()
	if l, ok := v.Line(v.Next() - 1); !ok || len(l.Text) != 5000 {
		t.Fatalf("the newest line must stay whole, got %d bytes, %v", len(l.Text), ok)
	}
}

func TestRingClearGoesOnCounting(t *testing.T) {
	r := NewRing(0)
	r.Append(lines(10)...)
	r.Clear()
	r.Append(Line{Text: "after"})
	v := r.View()
	if v.First() != 10 || v.Len() != 1 || v.Dropped() != 0 {
		t.Fatalf("first %d len %d dropped %d, want 10 1 0", v.First(), v.Len(), v.Dropped())
	}
}

func TestViewDoesNotChange(t *testing.T) {
	r := NewRing(16 << 10)
	r.Append(lines(100)...)
	v := r.View()
	var wg sync.WaitGroup
	wg.Add(1)
	go func() {
		defer wg.Done()
		for range 50 {
			r.Append(lines(100)...)
		}
	}()
	for range 50 {
		for seq := v.First(); seq < v.Next(); seq++ {
			if l, ok := v.Line(seq); !ok || l.Text != fmt.Sprintf("line %d", seq) {
				t.Fatalf("line %d of an old view = %q, %v", seq, l.Text, ok)
			}
		}
	}
	wg.Wait()
}

func TestRingRandomSizes(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	r := NewRing(32 << 10)
	for i := range 3000 {
		size := random.IntN(200)
		if random.IntN(50) == 0 {
			size = random.IntN(8 << 10)
		}
		r.Append(Line{Text: strings.Repeat("y", size)})
		v := r.View()
		if v.Bytes() > 32<<10+10<<10 {
			t.Fatalf("after %d lines the ring holds %d bytes", i, v.Bytes())
		}
		if l, ok := v.Line(v.First()); !ok || l.Seq != v.First() {
			t.Fatalf("first line of the view: %+v %v", l.Seq, ok)
		}
	}
}

func BenchmarkAppend(b *testing.B) {
	r := NewRing(0)
	l := Line{Text: strings.Repeat("x", 120)}
	for b.Loop() {
		r.Append(l)
	}
}
