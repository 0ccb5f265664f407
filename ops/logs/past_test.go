package logs

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"binnacle/ops"
)

// past answers with lines `SECOND TEXT` per container.
type past map[string][]string

func (p past) open(ctx context.Context, r Request, each func(Entry)) error {
	for _, line := range p[r.Container.ID] {
		if line == "cut" {
			return errors.New("connection lost")
		}
		if line == "silence" {
			<-ctx.Done()
			return ctx.Err()
		}
		var second int
		_, _ = fmt.Sscan(line, &second)
		each(Entry{At: time.Unix(int64(second), 0), Text: line})
	}
	return nil
}

func requests(ids ...string) []PastRequest {
	var out []PastRequest
	for _, id := range ids {
		out = append(out, PastRequest{Source: &Source{Container: ops.ContainerID{Host: "h", ID: id}, Name: id}, Tail: -1})
	}
	return out
}

func TestPastIsMergedByTime(t *testing.T) {
	p := past{"a": {"1 a", "4 a", "2 a set back", "7 a"}, "b": {"3 secret", "5 secret", "cut", "6 secret"}, "c": nil}
	var got []string
	var failures []string
	err := Past(t.Context(), Options{Open: p.open, Redact: func(s string) string { return strings.ReplaceAll(s, "secret", "[REDACTED]") }},
		requests("a", "b", "c"), func(l Line) { got = append(got, l.Text) },
		func(s *Source, err error) { failures = append(failures, s.Name+" "+err.Error()) })
	want := []string{"1 a", "3 [REDACTED]", "4 a", "2 a set back", "5 [REDACTED]", "7 a"}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%v, %q, want %q", err, got, want)
	}
	if !slices.Equal(failures, []string{"b connection lost"}) {
		t.Errorf("failures %q", failures)
	}
}

func TestPastEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		time.AfterFunc(time.Minute, stop)
		p := past{"a": {"1 a", "silence"}, "b": {"2 b"}}
		var got []string
		err := Past(ctx, Options{Open: p.open}, requests("a", "b"), func(l Line) { got = append(got, l.Text) }, func(*Source, error) {})
		if !errors.Is(err, context.Canceled) || !slices.Equal(got, []string{"1 a"}) {
			t.Errorf("%v, %q", err, got)
		}
	})
}

// A container that logs more than anybody holds is read as fast as it is taken.
func TestPastOfManyLines(t *testing.T) {
	p := past{}
	for i := range 5000 {
		p["a"] = append(p["a"], fmt.Sprintf("%d a", 2*i))
		p["b"] = append(p["b"], fmt.Sprintf("%d b", 2*i+1))
	}
	n, last := 0, time.Time{}
	err := Past(t.Context(), Options{Open: p.open}, requests("a", "b"), func(l Line) {
		if l.At.Before(last) {
			t.Errorf("%s after %s", l.At, last)
		}
		n, last = n+1, l.At
	}, func(*Source, error) {})
	if err != nil || n != 10000 {
		t.Errorf("%d lines, %v", n, err)
	}
}
