package dialog

import (
	"strings"

	tea "charm.land/bubbletea/v2"

	"binnacle/ui/kit"
	"binnacle/ui/theme"
)

// button is one way out of a dialog.
type button struct {
	label  string
	intent kit.Intent
	danger bool
}

// card is the box that dialogs share: a title, a body that scrolls, a foot
// that does not, and buttons.
type card struct {
	scene   kit.Scene
	title   string
	tone    theme.Tone // of the border and the title
	width   int        // wanted outer width
	body    []string   // drawn lines
	foot    []string
	offset  int
	buttons []button
	at      int  // the selected button
	quiet   bool // the keys are elsewhere, in a field
}

// inner is the width of the body.
func (c *card) inner() int { return max(c.outer()-4, 1) }

func (c *card) outer() int { return max(min(c.width, c.scene.Width-2), min(c.scene.Width, 8)) }

// window is the number of body lines on screen.
func (c *card) window() int {
	room := c.scene.Height - 2 - len(c.foot)
	if len(c.buttons) > 0 {
		room -= 2
	}
	return max(min(len(c.body), room), 0)
}

func (c *card) scroll(by int) { c.offset = max(0, min(c.offset+by, len(c.body)-c.window())) }

// key handles moving between buttons, scrolling and leaving.
func (c *card) key(k string) kit.Intent {
	switch k {
	case "esc":
		return kit.Back{}
	case "tab", "right", "l":
		c.move(1)
	case "shift+tab", "left", "h":
		c.move(-1)
	case "down", "j":
		c.scroll(1)
	case "up", "k":
		c.scroll(-1)
	case "pgdown", "ctrl+d":
		c.scroll(max(c.window()-1, 1))
	case "pgup", "ctrl+u":
		c.scroll(-max(c.window()-1, 1))
	case "enter":
		if len(c.buttons) > 0 {
			return c.buttons[c.at].intent
		}
	}
	return nil
}

// click handles a press on a button, and the wheel.
func (c *card) click(msg tea.Msg) (kit.Intent, bool) {
	switch msg := msg.(type) {
	case kit.Wheel:
		c.scroll(msg.Lines)
	case kit.Click:
		if len(c.buttons) == 0 || msg.Y != c.buttonLine() {
			return nil, false
		}
		x := c.buttonStart()
		for i, b := range c.buttons {
			w := kit.Width(b.label) + 4
			if msg.X >= x && msg.X < x+w {
				c.at = i
				return b.intent, true
			}
			x += w + 2
		}
	}
	return nil, false
}

func (c *card) move(by int) {
	if n := len(c.buttons); n > 0 {
		c.at = (c.at + by + n) % n
	}
}

// view draws the box.
func (c *card) view() string {
	th, w := c.scene.Theme, c.inner()
	lines := make([]string, 0, len(c.body)+6)
	from := min(c.offset, max(len(c.body)-c.window(), 0))
	shown := c.body[from : from+c.window()]
	lines = append(lines, shown...)
	if len(c.buttons) > 0 {
		lines = append(lines, c.foot...)
		lines = append(lines, "", c.drawButtons())
	} else {
		lines = append(lines, c.foot...)
	}
	var b strings.Builder
	b.WriteString(c.top())
	side := th.Paint(c.tone, th.Border.Vertical)
	for _, line := range lines {
		b.WriteByte('\n')
		b.WriteString(side)
		b.WriteByte(' ')
		b.WriteString(kit.Pad(line, w, th.Ellipsis))
		b.WriteByte(' ')
		b.WriteString(side)
	}
	b.WriteByte('\n')
	b.WriteString(c.bottom(from))
	return b.String()
}

// Private

func (c *card) top() string {
	th := c.scene.Theme
	title := kit.Cut(kit.Clean(c.title), max(c.outer()-6, 0), th.Ellipsis)
	rest := max(c.outer()-5-kit.Width(title), 0)
	return th.Paint(c.tone, th.Border.TopLeft+th.Border.Horizontal+" ") + th.Paint(theme.Strong, title) +
		th.Paint(c.tone, " "+strings.Repeat(th.Border.Horizontal, rest)+th.Border.TopRight)
}

func (c *card) bottom(from int) string {
	th := c.scene.Theme
	more := ""
	if left := len(c.body) - from - c.window(); left > 0 || from > 0 {
		more = " " + kit.Plural(left, "line") + " below "
	}
	rest := max(c.outer()-3-kit.Width(more), 0)
	return th.Paint(c.tone, th.Border.BottomLeft+th.Border.Horizontal) + th.Paint(theme.Dim, more) +
		th.Paint(c.tone, strings.Repeat(th.Border.Horizontal, rest)+th.Border.BottomRight)
}

func (c *card) drawButtons() string {
	th := c.scene.Theme
	var b strings.Builder
	b.WriteString(kit.Space(c.buttonStart() - 2))
	for i, btn := range c.buttons {
		if i > 0 {
			b.WriteString("  ")
		}
		switch {
		case c.quiet && i == c.at:
			b.WriteString(th.Paint(theme.Dim, "[ "+btn.label+" ]"))
		case i == c.at && btn.danger:
			b.WriteString(th.On(theme.Danger, theme.Strong, "[ "+btn.label+" ]"))
		case i == c.at:
			b.WriteString(th.On(theme.Chip, theme.Strong, "[ "+btn.label+" ]"))
		case btn.danger:
			b.WriteString(th.Paint(theme.Bad, "  "+btn.label+"  "))
		default:
			b.WriteString(th.Paint(theme.Dim, "  "+btn.label+"  "))
		}
	}
	return b.String()
}

func (c *card) buttonStart() int {
	total := 0
	for i, b := range c.buttons {
		if i > 0 {
			total += 2
		}
		total += kit.Width(b.label) + 4
	}
	return max(2, 2+c.inner()-total)
}

func (c *card) buttonLine() int { return 1 + c.window() + len(c.foot) + 1 }

// Helpers

// labelled draws a label and its text, wrapped, in the body's width.
func labelled(th theme.Theme, label, text string, labels, width int, tone theme.Tone) []string {
	var out []string
	for i, part := range kit.Wrap(kit.Clean(text), max(width-labels-2, 8)) {
		if i > 0 {
			label = ""
		}
		out = append(out, th.Paint(theme.Dim, kit.Pad(label, labels, th.Ellipsis))+"  "+th.Paint(tone, part))
	}
	return out
}

func wrapped(th theme.Theme, text string, width int, tone theme.Tone) []string {
	var out []string
	for _, part := range kit.Wrap(kit.Clean(text), max(width, 8)) {
		out = append(out, th.Paint(tone, part))
	}
	return out
}

func press(msg tea.Msg) (string, bool) {
	k, ok := msg.(tea.KeyPressMsg)
	return k.String(), ok
}
