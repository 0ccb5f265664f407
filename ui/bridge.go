package ui

import (
	"context"
	"time"

	tea "charm.land/bubbletea/v2"

	"binnacle/ui/kit"
)

// The shortest times between two state messages. The figures of a hundred hosts
// and their logs arrive one by one all the time; how often they are worth a
// frame depends on who looks.
const (
	floor      = 33 * time.Millisecond  // something runs, or keys are pressed
	readFloor  = 150 * time.Millisecond // somebody reads logs
	idleFloor  = 250 * time.Millisecond // nobody pressed a key lately
	awayFloor  = 500 * time.Millisecond // nor for a while
	otherFloor = 2 * time.Second        // the terminal says that it is not in front
	slowest    = 4 * time.Second        // however many hosts there are
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

// least is the floor that is worth it now.
func (m *Model) least() time.Duration {
	untouched := m.now.Sub(m.touched)
	switch {
	case len(m.summary.running) > 0, untouched < 3*time.Second:
		return floor
	case m.blurred:
		return otherFloor
	case m.current() == kit.Logs:
		return readFloor
	case untouched < 30*time.Second:
		return max(idleFloor, m.perHost(40*time.Millisecond))
	}
	return max(awayFloor, m.perHost(40*time.Millisecond))
}

// perHost is a floor that grows with the fleet, as the cost of a frame does.
func (m *Model) perHost(each time.Duration) time.Duration {
	return min(time.Duration(len(m.state.Fleet.Hosts))*each, slowest)
}

// drain takes the signals that this message answers already.
func (b bridge) drain() {
	for _, ch := range [...]<-chan struct{}{b.state, b.panes} {
		select {
		case <-ch:
		default:
		}
	}
}
