package ui

import (
	"context"
	"time"

	tea "charm.land/bubbletea/v2"
)

// floor is the shortest time between two state messages while somebody watches
// or something runs; idleFloor is it while neither does, because the figures of
// a hundred hosts arrive one by one all the time.
const (
	floor     = 33 * time.Millisecond
	idleFloor = 250 * time.Millisecond
)

// stateChanged tells that the newest state should be looked at. It carries
// none: the newest is taken when the message arrives.
type stateChanged struct{}

// bridge turns dirty signals into messages: the first at once, then at most
// one per floor, the last never lost. Without signals nothing wakes up.
type bridge struct {
	state <-chan struct{} // the store's
	panes <-chan struct{} // of panes with a source of their own; may be nil
}

// wait is the one outstanding command; Update starts it again after each message.
func (b bridge) wait(ctx context.Context, sent time.Time, least time.Duration) tea.Cmd {
	return func() tea.Msg {
		select {
		case <-ctx.Done():
			return nil
		case <-b.state:
		case <-b.panes:
		}
		if rest := least - time.Since(sent); rest > 0 {
			timer := time.NewTimer(rest)
			defer timer.Stop()
			select {
			case <-ctx.Done():
				return nil
			case <-timer.C:
			}
		}
		b.drain()
		return stateChanged{}
	}
}

// Private

// drain takes the signals that this message answers already.
func (b bridge) drain() {
	for _, ch := range [...]<-chan struct{}{b.state, b.panes} {
		select {
		case <-ch:
		default:
		}
	}
}
