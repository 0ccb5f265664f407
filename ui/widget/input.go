package widget

import (
	"strings"
	"unicode"

	tea "charm.land/bubbletea/v2"

	"binnacle/ui/kit"
	"binnacle/ui/theme"
)

// Input is one line of typed text. The zero Input is empty.
type Input struct {
	Hidden bool // a passphrase: nothing of it is shown, not even its length
	text   []rune
	cursor int
}

// NewInput starts with a text and the cursor behind it.
func NewInput(text string) Input {
	r := []rune(text)
	return Input{text: r, cursor: len(r)}
}

// Text is what was typed.
func (in *Input) Text() string { return string(in.text) }

// Set replaces the text.
func (in *Input) Set(text string) {
	in.text = []rune(text)
	in.cursor = len(in.text)
}

// Update edits; false for a key that is none of an editor's.
func (in *Input) Update(msg tea.Msg) bool {
	switch msg := msg.(type) {
	case tea.PasteMsg:
		in.insert(msg.Content)
		return true
	case tea.KeyPressMsg:
		return in.key(msg)
	}
	return false
}

// View draws the text in w cells with the cursor in sight when it has the focus.
func (in *Input) View(th theme.Theme, w int, focused bool) string {
	if w <= 0 {
		return ""
	}
	shown, cursor := in.text, in.cursor
	if in.Hidden {
		shown, cursor = nil, 0
	}
	from := 0
	for kit.Width(string(shown[from:cursor])) > w-1 {
		from++
	}
	before := string(shown[from:cursor])
	under, after := " ", ""
	if cursor < len(shown) {
		under, after = string(shown[cursor]), string(shown[cursor+1:])
	}
	if !focused {
		return th.Paint(theme.Text, kit.Pad(before+strings.TrimRight(under, " ")+after, w, th.Ellipsis))
	}
	if in.Hidden && len(in.text) > 0 {
		before = kit.Cut("typed, not shown ", w-1, "")
	}
	left := w - kit.Width(before) - kit.Width(under)
	return th.Paint(theme.Strong, before) + th.On(theme.Chip, theme.Strong, under) +
		th.Paint(theme.Strong, kit.Pad(after, left, ""))
}

// Private

func (in *Input) key(k tea.KeyPressMsg) bool {
	switch k.String() {
	case "left", "ctrl+b":
		in.cursor = max(0, in.cursor-1)
	case "right", "ctrl+f":
		in.cursor = min(len(in.text), in.cursor+1)
	case "home", "ctrl+a":
		in.cursor = 0
	case "end", "ctrl+e":
		in.cursor = len(in.text)
	case "backspace", "ctrl+h":
		if in.cursor > 0 {
			in.remove(in.cursor-1, in.cursor)
		}
	case "delete", "ctrl+d":
		in.remove(in.cursor, min(len(in.text), in.cursor+1))
	case "ctrl+u":
		in.remove(0, in.cursor)
	case "ctrl+k":
		in.remove(in.cursor, len(in.text))
	case "ctrl+w", "alt+backspace":
		in.remove(in.wordStart(), in.cursor)
	default:
		if k.Text == "" || k.Mod&(tea.ModCtrl|tea.ModAlt) != 0 {
			return false
		}
		in.insert(k.Text)
	}
	return true
}

func (in *Input) insert(text string) {
	var add []rune
	for _, r := range strings.TrimRight(text, "\r\n") { // a pasted line ends with one
		if r == '\n' || r == '\t' {
			r = ' '
		}
		if !unicode.IsControl(r) {
			add = append(add, r)
		}
	}
	rest := append(add, in.text[in.cursor:]...)
	in.text = append(in.text[:in.cursor:in.cursor], rest...)
	in.cursor += len(add)
}

func (in *Input) remove(from, to int) {
	in.text = append(in.text[:from:from], in.text[to:]...)
	in.cursor = from
}

func (in *Input) wordStart() int {
	i := in.cursor
	for i > 0 && in.text[i-1] == ' ' {
		i--
	}
	for i > 0 && in.text[i-1] != ' ' {
		i--
	}
	return i
}
