package ui

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	tea "charm.land/bubbletea/v2"
)

// pump runs the bridge as the program does and counts messages.
func pump(ctx context.Context, b bridge, least time.Duration, messages chan<- time.Time) {
	var sent time.Time
	for {
		if _, ok := b.wait(ctx, sent, least)().(stateChanged); !ok {
			close(messages)
			return
		}
		sent = time.Now()
		messages <- sent
	}
}

func TestBridgeKeepsTheFloorAndTheLastChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		state, panes, messages := make(chan struct{}, 1), make(chan struct{}, 1), make(chan time.Time, 1000)
		go pump(ctx, bridge{state: state, panes: panes}, floor, messages)
		start := time.Now()
		for range 1000 { // a change per millisecond, from both sides
			for _, ch := range []chan struct{}{state, panes} {
				select {
				case ch <- struct{}{}:
				default:
				}
			}
			time.Sleep(time.Millisecond)
		}
		last := time.Now()
		time.Sleep(time.Second)
		cancel()
		synctest.Wait()
		var all []time.Time
		for at := range messages {
			all = append(all, at)
		}
		if first := all[0].Sub(start); first > 0 {
			t.Errorf("the first change waited %v", first)
		}
		if n := len(all); n < 25 || n > 33 {
			t.Errorf("%d messages for a second of changes", n)
		}
		for i := 1; i < len(all); i++ {
			if gap := all[i].Sub(all[i-1]); gap < floor {
				t.Errorf("two messages %v apart", gap)
			}
		}
		if end := all[len(all)-1]; end.Before(last.Add(-time.Millisecond)) || end.After(last.Add(floor)) {
			t.Errorf("the last change was shown at %v, made at %v", end.Sub(start), last.Sub(start))
		}
	})
}

func TestBridgeSleepsWhileNothingChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		messages := make(chan time.Time, 10)
		go pump(ctx, bridge{state: make(chan struct{})}, floor, messages)
		time.Sleep(time.Hour)
		cancel()
		synctest.Wait()
		if n := len(messages); n != 0 {
			t.Errorf("%d messages without a change", n)
		}
	})
}

func TestWheelIsThinnedOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		filter := wheelFilter()
		passed := 0
		for range 1000 {
			if filter(nil, tea.MouseWheelMsg{Button: tea.MouseWheelDown}) != nil {
				passed++
			}
			time.Sleep(time.Millisecond)
		}
		if passed < 55 || passed > 63 {
			t.Errorf("%d turns of the wheel passed in a second", passed)
		}
		if filter(nil, tea.MouseMotionMsg{}) != nil {
			t.Error("motion passed")
		}
		if filter(nil, tea.KeyPressMsg{Code: 'a', Text: "a"}) == nil {
			t.Error("a key did not pass")
		}
	})
}
