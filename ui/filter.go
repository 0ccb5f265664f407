package ui

import (
	"time"

	tea "charm.land/bubbletea/v2"
)

// wheelEvery is how often turns of the wheel reach Update; a trackpad sends
// hundreds a second.
const wheelEvery = 16 * time.Millisecond

// wheelFilter thins out what a mouse sends: motion without a button goes, and
// turns of the wheel that come too fast are dropped. The screen is drawn once
// per message, so that each costs a frame.
func wheelFilter() func(tea.Model, tea.Msg) tea.Msg {
	var last time.Time
	return func(_ tea.Model, msg tea.Msg) tea.Msg {
		switch msg.(type) {
		case tea.MouseMotionMsg, tea.MouseReleaseMsg:
			return nil
		case tea.MouseWheelMsg:
			now := time.Now()
			if now.Sub(last) < wheelEvery {
				return nil
			}
			last = now
		}
		return msg
	}
}
