package ui

import (
	"context"
	"unicode/utf8"

	tea "charm.land/bubbletea/v2"
)

// Stage runs a console on the caller's goroutine, without a terminal: for
// screenshots and tests. Commands run at once, where they were returned;
// neither the clock nor the store wakes it up.
type Stage struct {
	model *Model
	quit  bool
}

// NewStage shows the console at a size.
func NewStage(ctx context.Context, o Options, width, height int) (*Stage, error) {
	m, err := New(ctx, o)
	if err != nil {
		return nil, err
	}
	m.still = true
	s := &Stage{model: m}
	s.run(m.Init())
	s.Resize(width, height)
	return s, nil
}

// Send hands a message to the console and runs what follows from it.
func (s *Stage) Send(msg tea.Msg) {
	_, cmd := s.model.Update(msg)
	s.run(cmd)
}

// Press presses a key by its name: "d", "D", "enter", "ctrl+r".
func (s *Stage) Press(key string) { s.Send(keyPress(key)) }

// Type types a text, key by key.
func (s *Stage) Type(text string) {
	for _, r := range text {
		s.Press(string(r))
	}
}

// Resize changes the size.
func (s *Stage) Resize(width, height int) { s.Send(tea.WindowSizeMsg{Width: width, Height: height}) }

// Refresh looks at the newest state.
func (s *Stage) Refresh() { s.Send(stateChanged{}) }

// Frame is the screen, with ANSI colours.
func (s *Stage) Frame() string { return s.model.View().Content }

// Quit reports that the console was left.
func (s *Stage) Quit() bool { return s.quit }

// Outcome tells how it was left.
func (s *Stage) Outcome() Outcome { return s.model.outcome }

// Close ends what the console subscribed to.
func (s *Stage) Close() { s.model.close() }

// Private

func (s *Stage) run(cmd tea.Cmd) {
	if cmd == nil {
		return
	}
	switch msg := cmd().(type) {
	case nil:
	case tea.BatchMsg:
		for _, c := range msg {
			s.run(c)
		}
	case tea.SuspendMsg:
	case tea.QuitMsg:
		s.quit = true
	default:
		s.Send(msg)
	}
}

// Helpers

// keyPress is the message that a terminal sends for a key.
func keyPress(name string) tea.KeyPressMsg {
	k := tea.Key{}
	for {
		mod, rest, ok := cutModifier(name)
		if !ok {
			break
		}
		k.Mod |= mod
		name = rest
	}
	if code, ok := namedKey(name); ok {
		k.Code = code
		if code == tea.KeySpace && k.Mod == 0 {
			k.Text = " "
		}
		return tea.KeyPressMsg(k)
	}
	k.Code, _ = utf8.DecodeRuneInString(name)
	if k.Mod == 0 {
		k.Text = name
	}
	if k.Code >= 'A' && k.Code <= 'Z' {
		k.ShiftedCode, k.Code, k.Mod = k.Code, k.Code+'a'-'A', k.Mod|tea.ModShift
	}
	return tea.KeyPressMsg(k)
}

func cutModifier(name string) (tea.KeyMod, string, bool) {
	for _, m := range [...]struct {
		prefix string
		mod    tea.KeyMod
	}{{"ctrl+", tea.ModCtrl}, {"alt+", tea.ModAlt}, {"shift+", tea.ModShift}} {
		if len(name) > len(m.prefix) && name[:len(m.prefix)] == m.prefix {
			return m.mod, name[len(m.prefix):], true
		}
	}
	return 0, name, false
}

func namedKey(name string) (rune, bool) {
	code, ok := map[string]rune{
		"enter": tea.KeyEnter, "esc": tea.KeyEscape, "tab": tea.KeyTab, "space": tea.KeySpace, "backspace": tea.KeyBackspace,
		"delete": tea.KeyDelete, "up": tea.KeyUp, "down": tea.KeyDown, "left": tea.KeyLeft, "right": tea.KeyRight,
		"home": tea.KeyHome, "end": tea.KeyEnd, "pgup": tea.KeyPgUp, "pgdown": tea.KeyPgDown,
	}[name]
	return code, ok
}
