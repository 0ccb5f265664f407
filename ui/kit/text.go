package kit

import (
	"strings"
	"unicode"

	"github.com/charmbracelet/x/ansi"
)

// Width is the number of cells of a text, escape sequences not counted.
func Width(text string) int { return ansi.StringWidth(text) }

// Clean makes text from elsewhere safe to draw: escape sequences and control
// characters go, tabs become spaces, and joiners and variation selectors,
// whose width terminals disagree about, are dropped.
func Clean(text string) string {
	if plain(text) {
		return text
	}
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t' || r == '\n':
			return ' '
		case r == unicode.ReplacementChar:
			return '?'
		case unicode.IsControl(r), unicode.Is(unicode.Cf, r), unicode.Is(unicode.Variation_Selector, r):
			return -1
		}
		return r
	}, ansi.Strip(strings.ToValidUTF8(text, "?")))
}

// Cut shortens a text to at most w cells, with a tail such as … where
// something is missing.
func Cut(text string, w int, tail string) string {
	if w <= 0 {
		return ""
	}
	if len(text) <= w || Width(text) <= w { // a cell takes at least a byte
		return text
	}
	return ansi.Truncate(text, w, tail)
}

// Pad cuts or fills a text to exactly w cells, text at the left.
func Pad(text string, w int, tail string) string {
	text = Cut(text, w, tail)
	return text + Space(w-Width(text))
}

// PadLeft cuts or fills a text to exactly w cells, text at the right.
func PadLeft(text string, w int, tail string) string {
	text = Cut(text, w, tail)
	return Space(w-Width(text)) + text
}

// Space is n blanks, none for a negative n.
func Space(n int) string {
	if n <= 0 {
		return ""
	}
	if n <= len(blanks) {
		return blanks[:n]
	}
	return strings.Repeat(" ", n)
}

// Fit makes lines exactly h lines, none wider than w cells: what is too wide
// is cut, what is too much is dropped, what is missing is left empty.
func Fit(lines []string, w, h int) string {
	if h <= 0 {
		return ""
	}
	var b strings.Builder
	for i := range h {
		if i > 0 {
			b.WriteByte('\n')
		}
		if i < len(lines) {
			b.WriteString(Cut(lines[i], w, ""))
		}
	}
	return b.String()
}

// Wrap breaks a plain text into lines of at most w cells, at spaces where it can.
func Wrap(text string, w int) []string {
	if w <= 0 {
		return nil
	}
	return strings.Split(ansi.Wrap(text, w, ""), "\n")
}

// Private

const blanks = "                                                                                                                                "

func plain(text string) bool {
	for i := range len(text) {
		if text[i] < 0x20 || text[i] >= 0x7f {
			return false
		}
	}
	return true
}
