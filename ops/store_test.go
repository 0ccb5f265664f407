package ops_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"binnacle/ops"
)

func TestATailGetsEveryEventInOrderHoweverSlow(t *testing.T) {
	store := ops.NewStore(t.Context())
	early := store.Tail()
	var writers sync.WaitGroup
	for w := range 4 {
		writers.Go(func() {
			for i := range 500 {
				store.Emit(ops.Noticed{Text: fmt.Sprintf("%d %d", w, i)})
			}
		})
	}
	writers.Wait()
	store.Settle()
	late := store.Tail()
	store.Emit(ops.Noticed{Text: "9 0"})
	store.Close()
	next := map[int]int{}
	for _, text := range told(t, early) {
		var w, i int
		_, _ = fmt.Sscan(text, &w, &i)
		if i != next[w] {
			t.Fatalf("writer %d: event %d after %d", w, i, next[w]-1)
		}
		next[w]++
	}
	if next[0]+next[1]+next[2]+next[3] != 2000 || next[9] != 1 {
		t.Errorf("events %v, want 500 of each writer and one at the end", next)
	}
	if got := told(t, late); len(got) != 1 || got[0] != "9 0" {
		t.Errorf("a late tail got %v", got)
	}
}

func TestAClosedTailGetsNoMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := ops.NewStore(t.Context())
		defer store.Close()
		tail := store.Tail()
		tail.Close()
		if _, ok := tail.Next(t.Context()); ok {
			t.Error("a closed tail gave events")
		}
		other := store.Tail()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, ok := other.Next(ctx); ok {
			t.Error("a tail gave events although its reader is gone")
		}
	})
}

func TestDirtyIsOneSignalForManyChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := ops.NewStore(t.Context())
		defer store.Close()
		dirty, stop := store.Dirty()
		for range 100 {
			store.Emit(ops.Noticed{})
		}
		store.Settle()
		synctest.Wait()
		<-dirty
		select {
		case <-dirty:
			t.Error("a second signal without a change")
		default:
		}
		if got := len(store.State().Notices); got != 100 {
			t.Errorf("the signal came before the state: %d notices", got)
		}
		stop()
		store.Emit(ops.Noticed{})
		store.Settle()
		select {
		case <-dirty:
			t.Error("a signal after the end of the subscription")
		default:
		}
	})
}

// Settle and Close may come from anywhere, and twice.
func TestNobodyWaitsForAClosedStore(t *testing.T) {
	store := ops.NewStore(t.Context())
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				store.Emit(ops.Noticed{})
				store.Settle()
				_ = store.State().Notices
			}
		})
	}
	wg.Go(store.Close)
	wg.Wait()
	store.Close()
	store.Settle()
	store.Emit(ops.Noticed{})
}

func TestAStoreOutlivesItsContextUntilItIsClosed(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	store := ops.NewStore(ctx)
	cancel()
	store.Emit(ops.Noticed{Text: "after the end"})
	store.Close()
	if got := store.State().Notices; len(got) != 1 {
		t.Errorf("notices %v", got)
	}
}

func TestTheTranscriptIsBoundedInBytes(t *testing.T) {
	store := ops.NewStore(t.Context())
	text := strings.Repeat("x", 1024)
	const lines = 5000 // 5 MB
	for i := range lines {
		store.Emit(ops.LineWritten{Task: "T", Step: ops.StepID(fmt.Sprintf("boot/%d", i%2)), Text: text + fmt.Sprint(i)})
	}
	store.Close()
	out := store.Output("T")
	kept, next, dropped := out.Window("", 0, lines)
	if next != lines || dropped == 0 || dropped+uint64(len(kept)) != lines {
		t.Errorf("kept %d, dropped %d, next %d of %d", len(kept), dropped, next, lines)
	}
	if len(kept) < 1000 || len(kept) > 2100 {
		t.Errorf("%d lines of 1 KB are kept, want about 2 MB", len(kept))
	}
	if last := kept[len(kept)-1].Text; last != text+fmt.Sprint(lines-1) {
		t.Errorf("the last line is %.10q", last[1024:])
	}
}

func TestAWindowOfTheTranscript(t *testing.T) {
	store := ops.NewStore(t.Context())
	for i, step := range []ops.StepID{"boot/vm1", "boot/vm10", "boot/vm1/run", "tag"} {
		store.Emit(ops.LineWritten{Task: "T", Step: step, Text: fmt.Sprint(i)})
	}
	store.Emit(ops.ResultWritten{Task: "T", Step: "tag", Text: "4"})
	store.Close()
	out := store.Output("T")
	tests := []struct {
		step ops.StepID
		from uint64
		n    int
		want string
		next uint64
	}{
		{"", 0, 99, "0 1 2 3 4", 5},
		{"", 0, 2, "0 1", 2},
		{"", 2, 2, "2 3", 4},
		{"", 99, 2, "", 99},
		{"boot", 0, 99, "0 1 2", 5},
		{"boot/vm1", 0, 99, "0 2", 5},
		{"boot/vm1", 1, 1, "2", 3},
		{"tag", 0, 99, "3 4", 5},
		{"none", 0, 99, "", 5},
	}
	for _, tt := range tests {
		lines, next, _ := out.Window(tt.step, tt.from, tt.n)
		if got := textsOf(lines); got != tt.want || next != tt.next {
			t.Errorf("window %q from %d of %d: %q next %d, want %q next %d", tt.step, tt.from, tt.n, got, next, tt.want, tt.next)
		}
	}
	if got := textsOf(out.Last("boot", 2)); got != "1 2" {
		t.Errorf("the last two are %q", got)
	}
	if lines, next, dropped := store.Output("none").Window("", 0, 9); lines != nil || next != 0 || dropped != 0 || store.Output("none").Last("", 1) != nil {
		t.Error("a task that never wrote has lines")
	}
}

// Helpers

func told(t *testing.T, tail *ops.Tail) []string {
	t.Helper()
	var out []string
	for {
		events, ok := tail.Next(t.Context())
		if !ok {
			return out
		}
		for _, e := range events {
			if n, ok := e.(ops.Noticed); ok {
				out = append(out, n.Text)
			}
		}
	}
}

func textsOf(lines []ops.LineWritten) string {
	var out []string
	for _, l := range lines {
		out = append(out, l.Text)
	}
	return strings.Join(out, " ")
}
