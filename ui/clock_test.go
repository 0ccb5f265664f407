package ui

import (
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"

	"binnacle/ops"
)

// still is a Source that never changes by itself.
type still struct{ state *ops.State }

func (s *still) State() *ops.State                { return s.state }
func (s *still) Dirty() (<-chan struct{}, func()) { return nil, func() {} }

func TestOneClockRuns(t *testing.T) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	src := &still{state: &ops.State{}}
	m, err := New(t.Context(), Options{Source: src, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	update := func(msg tea.Msg) bool { _, cmd := m.Update(msg); return cmd != nil }
	if !update(nil) || m.ticking != slowTick {
		t.Fatalf("the first clock ticks every %v", m.ticking)
	}
	if update(nil) {
		t.Error("a second clock of the same pace was started")
	}
	slow := m.clock
	state := ops.Fold(*src.state, ops.TaskStarted{Task: "T1", At: now})
	src.state = &state
	update(stateChanged{})
	if m.ticking != fastTick || m.clock == slow {
		t.Errorf("while a task runs the clock ticks every %v", m.ticking)
	}
	if update(clockTicked{slow}) {
		t.Error("the slow clock goes on beside the fast one")
	}
	now = now.Add(time.Second)
	if !update(clockTicked{m.clock}) || !m.now.Equal(now) {
		t.Error("the clock stopped")
	}
	fast := m.clock
	state = ops.Fold(state, ops.TaskFinished{Task: "T1", At: now, Status: ops.Done})
	src.state = &state
	update(stateChanged{})
	now = now.Add(noticeFor)
	update(clockTicked{m.clock})
	if m.ticking != slowTick || m.clock == fast || m.notice.Text != "" {
		t.Errorf("afterwards the clock ticks every %v, notice %q", m.ticking, m.notice.Text)
	}
}
