package ui

import (
	"time"

	tea "charm.land/bubbletea/v2"
)

// rest is how long a size has to stay before the screen is drawn once more.
// Multiplexers tell a new size late and in steps: what was drawn meanwhile can
// be torn, and the renderer cannot know.
const rest = 400 * time.Millisecond

// rested tells that a size has stayed; serial says which.
type rested struct{ serial int }

// Private

func (m *Model) resized(msg tea.WindowSizeMsg) tea.Cmd {
	m.width, m.height = msg.Width, msg.Height
	m.resizes++
	if m.still {
		return nil
	}
	serial := m.resizes
	return tea.Tick(rest, func(time.Time) tea.Msg { return rested{serial} })
}

func (m *Model) rested(msg rested) tea.Cmd {
	if msg.serial != m.resizes {
		return nil
	}
	return tea.ClearScreen
}
