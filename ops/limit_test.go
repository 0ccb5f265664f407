package ops_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"binnacle/ops"
)

func TestAGroupRunsSoManyAtOnceAndNoMore(t *testing.T) {
	for _, limit := range []int{0, 1, 3, 50} {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t)
			var now, most atomic.Int64
			g := ops.SideBySide("g", "g")
			g.Limit = limit
			for i := range 10 {
				g.Nodes = append(g.Nodes, &ops.Step{ID: fmt.Sprint(i), Run: func(ctx context.Context, _ *ops.Run) error {
					n := now.Add(1)
					defer now.Add(-1)
					for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
					}
					select {
					case <-time.After(time.Second):
					case <-ctx.Done():
					}
					return nil
				}})
			}
			began := time.Now()
			if task := b.run(t, change(g)); task.Status != ops.Done {
				t.Errorf("limit %d: %s", limit, task.Status)
			}
			want := int64(limit)
			if limit == 0 || limit > 10 {
				want = 10
			}
			if most.Load() != want {
				t.Errorf("limit %d: %d at once, want %d", limit, most.Load(), want)
			}
			if took, want := time.Since(began), time.Duration((10+want-1)/want)*time.Second; took != want {
				t.Errorf("limit %d: took %s, want %s", limit, took, want)
			}
		})
	}
}

// A cancel in the middle of a limited group: what runs is interrupted, what
// waits never begins.
func TestACancelEndsALimitedGroup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		var mu sync.Mutex
		began := 0
		g := ops.SideBySide("g", "g")
		g.Limit = 2
		for i := range 6 {
			g.Nodes = append(g.Nodes, &ops.Step{ID: fmt.Sprint(i), Run: func(ctx context.Context, _ *ops.Run) error {
				mu.Lock()
				began++
				mu.Unlock()
				<-ctx.Done()
				return ctx.Err()
			}})
		}
		id := b.engine.NewTaskID()
		if err := b.engine.Start(t.Context(), id, change(g)); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		b.engine.Cancel(id, "ana")
		task := b.ended(t, id)
		if began != 2 || task.Status != ops.Cancelled {
			t.Errorf("%d steps began, task %s: want 2 and cancelled", began, task.Status)
		}
		for _, s := range task.Steps[3:] {
			if s.Status != ops.Skipped {
				t.Errorf("step %s is %s", s.ID, s.Status)
			}
		}
	})
}
