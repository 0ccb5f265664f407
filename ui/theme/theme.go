// Package theme turns meanings into colours and symbols. A Theme is a value
// made once per terminal background and destination; panes say what a text
// means (a Tone) and what it lies on (a Surface), never which colour it has.
// It may import lipgloss and nothing of Binnacle.
package theme

import (
	"strings"

	"charm.land/lipgloss/v2"
)

// Options select a theme. They are comparable, so that they serve as a cache
// key: two themes with equal Options draw alike.
type Options struct {
	Dark         bool // the terminal's background is dark
	NoColor      bool // NO_COLOR: bold, underline and reverse only
	Basic        bool // 16 colours: surfaces are reversed, not shaded
	ASCII        bool // 7-bit symbols and borders
	HighContrast bool // stronger colours, no faint greys
	Production   bool // the destination is production: its own tint
}

// FromEnv reads what the environment asks for: NO_COLOR, BINNACLE_ASCII,
// BINNACLE_CONTRAST=high, and the terminals that only know ASCII.
func FromEnv(getenv func(string) string) Options {
	o := Options{Dark: true}
	o.NoColor = getenv("NO_COLOR") != "" || getenv("TERM") == "dumb"
	o.HighContrast = getenv("BINNACLE_CONTRAST") == "high"
	o.ASCII = getenv("BINNACLE_ASCII") != "" || getenv("TERM") == "dumb" || !utf8Locale(getenv)
	return o
}

// Tone is what a text means.
type Tone int

// The tones.
const (
	Text   Tone = iota // what is read
	Dim                // labels, units, what matters less
	Faint              // borders, rules, empty places
	Strong             // names, focused titles
	Accent             // keys, the cursor, what is pointed at
	Good               // live, done, healthy
	Warn               // needs a look
	Bad                // lost, failed
	Busy               // running, connecting
	Brand              // the destination's tint as a text colour
	tones
)

// Surface is what a text lies on.
type Surface int

// The surfaces.
const (
	Plain  Surface = iota // the terminal's own background
	Cursor                // the row under the cursor of the focused pane
	Marked                // the row under the cursor of another pane, and marked rows
	Bar                   // the status line
	Chip                  // a filter chip, a selected button
	Danger                // a selected button that hurts
	Tint                  // the destination's name in the status line
	Match                 // a search hit
	surfaces
)

// Theme paints. The zero Theme paints nothing; use New.
type Theme struct {
	Options
	Symbols

	inks *[surfaces][tones]ink
}

// New makes the theme for some options.
func New(o Options) Theme {
	t := Theme{Options: o, Symbols: unicodeSymbols(), inks: mix(o)}
	if o.ASCII {
		t.Symbols = asciiSymbols()
	}
	return t
}

// Paint draws a text in a tone on the terminal's own background.
func (t Theme) Paint(tone Tone, text string) string { return t.On(Plain, tone, text) }

// On draws a text in a tone on a surface. The text must be plain: inks do not nest.
func (t Theme) On(surface Surface, tone Tone, text string) string {
	if t.inks == nil || text == "" {
		return text
	}
	i := &t.inks[surface][tone]
	return i.on + text + i.off
}

// Private

// ink is a style reduced to what goes before and after a text, because
// rendering a style costs microseconds and a frame has hundreds of texts.
type ink struct{ on, off string }

func mix(o Options) *[surfaces][tones]ink {
	var out [surfaces][tones]ink
	p := paletteFor(o)
	for s := range surfaces {
		for t := range tones {
			out[s][t] = newInk(p.style(s, t))
		}
	}
	return &out
}

func newInk(style lipgloss.Style) ink {
	on, off, _ := strings.Cut(style.Render("x"), "x")
	return ink{on: on, off: off}
}

// Helpers

func utf8Locale(getenv func(string) string) bool {
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if v := getenv(name); v != "" {
			v = strings.ToLower(v)
			return strings.Contains(v, "utf-8") || strings.Contains(v, "utf8")
		}
	}
	return true // nothing said: containers and macOS terminals, which speak UTF-8
}
