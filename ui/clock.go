package ui

import (
	"time"

	tea "charm.land/bubbletea/v2"

	"binnacle/ops"
	"binnacle/ui/kit"
)

// clockTicked moves the ages and the running times on. Every change of pace
// starts a new clock; ticks of the ones before it are ignored.
type clockTicked struct{ clock int }

// The paces of the clock: while seconds are shown, and otherwise.
const (
	fastTick = time.Second
	slowTick = 10 * time.Second
)

// noticeFor is how long a notice stays.
const noticeFor = 6 * time.Second

// Private

// tick starts the clock at the pace that is needed now; nil when it runs so already.
func (m *Model) tick() tea.Cmd {
	every := m.pace()
	if m.still || m.ticking == every {
		return nil
	}
	m.ticking = every
	m.clock++
	return tickEvery(every, m.clock)
}

func (m *Model) ticked(msg clockTicked) tea.Cmd {
	if msg.clock != m.clock {
		return nil
	}
	m.now = m.options.Now()
	if m.notice.Text != "" && m.now.Sub(m.noticed) >= noticeFor {
		m.notice = kit.Tell{}
	}
	if m.pace() != m.ticking {
		return nil // Update starts the next clock
	}
	return tickEvery(m.ticking, m.clock)
}

// pace is fast while something on screen counts seconds.
func (m *Model) pace() time.Duration {
	if len(m.summary.running) > 0 || m.notice.Text != "" || m.summary.waiting > 0 {
		return fastTick
	}
	for i := range m.state.Fleet.Hosts {
		h := &m.state.Fleet.Hosts[i]
		if h.Link == ops.LinkLost && !h.LinkSince.IsZero() && m.now.Sub(h.LinkSince) < time.Minute {
			return fastTick
		}
	}
	if !m.summary.since.IsZero() && m.now.Sub(m.summary.since) < time.Minute {
		return fastTick
	}
	return slowTick
}

// Helpers

func tickEvery(d time.Duration, clock int) tea.Cmd {
	return tea.Tick(d, func(time.Time) tea.Msg { return clockTicked{clock} })
}
