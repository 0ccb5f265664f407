package ui_test

import (
	"bytes"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/colorprofile"
	"github.com/charmbracelet/x/exp/teatest/v2"

	"binnacle/ui"
)

// TestTerminal starts the real program, resizes it and leaves it.
func TestTerminal(t *testing.T) {
	w := newWorld(scenes()["live"]...)
	m, err := ui.New(t.Context(), w.options())
	if err != nil {
		t.Fatal(err)
	}
	p := teatest.NewTestModel(t, m, teatest.WithInitialTermSize(120, 34),
		teatest.WithProgramOptions(tea.WithColorProfile(colorprofile.Ascii)))
	teatest.WaitFor(t, p.Output(), func(out []byte) bool { return bytes.Contains(out, []byte("Containers")) },
		teatest.WithDuration(5*time.Second), teatest.WithCheckInterval(5*time.Millisecond))
	p.Send(tea.WindowSizeMsg{Width: 80, Height: 24})
	p.Send(tea.KeyPressMsg{Code: 'q', Text: "q"})
	final := p.FinalModel(t, teatest.WithFinalTimeout(5*time.Second))
	v := final.View()
	if !v.AltScreen || v.MouseMode != tea.MouseModeCellMotion {
		t.Error("the terminal's modes are not set")
	}
	if err := shaped(v.Content, 80, 24); err != nil {
		t.Error(err)
	}
}
