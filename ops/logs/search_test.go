package logs

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestQuery(t *testing.T) {
	for _, c := range []struct {
		query, text string
		want        bool
	}{
		{"", "anything", true},
		{"error", "An ERROR here", true},
		{"error", "fine", false},
		{"Error", "An ERROR here", false},
		{"Error", "An Error here", true},
		{"!error", "An ERROR here", false},
		{"!error", "fine", true},
		{"!", "with ! in it", true},
		{"!", "without", false},
		{"/x?id=1", "GET /x?id=1 200", true},
		{"a.*b", "xaxxbx", true},
		{"a.*b", "literal a.*b", true},
		{"5[0-9]{2}$", "GET / 503", true},
		{"5[0-9]{2}$", "GET / 503 x", false},
		{"(unclosed", "an (unclosed one", true},
		{"(unclosed", "unclosed", false},
		{`\S+@`, "mail ana@x", true},
		{"grüße", "GRÜSSE Grüße", true},
		{"grüße", "VIELE GRÜßE", true},
		{"!5[0-9]{2}", "GET / 503", false},
		{"abc", "ab", false},
		{"aab", "aaab", true},
	} {
		if got := ParseQuery(c.query).Match(Line{Text: c.text}); got != c.want {
			t.Errorf("query %q on %q = %v, want %v", c.query, c.text, got, c.want)
		}
	}
}

func TestQueryHits(t *testing.T) {
	for _, c := range []struct {
		query, text string
		want        [][2]int
	}{
		{"err", "ERR and err", [][2]int{{0, 3}, {8, 11}}},
		{"e+", "eex e", [][2]int{{0, 2}, {4, 5}}},
		{"x*", "abc", nil},
		{"!err", "ok", nil},
		{"", "ok", nil},
	} {
		if got := ParseQuery(c.query).Hits(c.text, 10); !slices.Equal(got, c.want) {
			t.Errorf("hits of %q in %q = %v, want %v", c.query, c.text, got, c.want)
		}
	}
}

func TestIndexFindsNewestFirst(t *testing.T) {
	r := NewRing(0)
	for i := range 1000 {
		r.Append(Line{Text: fmt.Sprintf("n%d", i%10)})
	}
	x := NewIndex(ParseQuery("n3"))
	if x.Scan(r.View(), 100) {
		t.Fatal("900 lines are left, and the scan says it is done")
	}
	if x.Len() != 10 || x.At(0) != 903 || x.At(9) != 993 {
		t.Fatalf("after 100 lines: %d hits, %d to %d", x.Len(), x.At(0), x.At(x.Len()-1))
	}
	r.Append(Line{Text: "n3"})
	if !x.Scan(r.View(), 10_000) {
		t.Fatal("everything was looked at, and the scan is not done")
	}
	if x.Len() != 101 || x.At(0) != 3 || x.At(100) != 1000 {
		t.Fatalf("at the end: %d hits, %d to %d", x.Len(), x.At(0), x.At(x.Len()-1))
	}
	if got := x.At(x.Search(904)); got != 913 {
		t.Errorf("first hit from 904 on = %d, want 913", got)
	}
	if x.Search(1001) != x.Len() {
		t.Error("there is no hit after the last")
	}
}

// However the ring grows, trims and is cleared, a scanned index agrees with a
// look at every line.
func TestIndexProperty(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	r := NewRing(40 << 10)
	q := ParseQuery("7")
	x := NewIndex(q)
	for step := range 400 {
		for range random.IntN(120) {
			r.Append(Line{Text: fmt.Sprint(random.IntN(100))})
		}
		if random.IntN(60) == 0 {
			r.Clear()
		}
		v := r.View()
		if !x.Scan(v, random.IntN(200)) && random.IntN(2) == 0 {
			continue
		}
		for !x.Scan(v, 50) {
		}
		var want []uint64
		for seq := v.First(); seq < v.Next(); seq++ {
			if l, _ := v.Line(seq); q.Match(l) {
				want = append(want, seq)
			}
		}
		var got []uint64
		for i := range x.Len() {
			got = append(got, x.At(i))
		}
		if !slices.Equal(got, want) {
			t.Fatalf("step %d: %d hits, want %d", step, len(got), len(want))
		}
	}
}

func BenchmarkScan100k(b *testing.B) {
	r := NewRing(64 << 20)
	for i := range 100_000 {
		r.Append(Line{Text: fmt.Sprintf("192.168.0.1 GET /patients/%d HTTP/1.1 200 1234 curl/8 38ms rid=5f1c session=abcdef", i)})
	}
	v := r.View()
	for _, query := range []string{"error", "patients/99", "5[0-9]{2}$"} {
		b.Run(query, func(b *testing.B) {
			for b.Loop() {
				NewIndex(ParseQuery(query)).Scan(v, 1<<30)
			}
		})
	}
}
