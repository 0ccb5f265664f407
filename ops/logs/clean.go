package logs

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// LongestLine is the number of bytes kept of one line.
const LongestLine = 1 << 20

// Clean makes text safe to print: escape sequences go, control characters
// become visible, broken UTF-8 becomes U+FFFD, and of a line that redraws
// itself the last drawing stays. Tabs stay for whoever copies the line.
func Clean(text string) string {
	text = strings.TrimRight(text, "\r\n")
	if more := len(text) - LongestLine; more > 0 {
		cut := LongestLine
		for cut > 0 && !utf8.RuneStart(text[cut]) {
			cut--
		}
		text = text[:cut] + fmt.Sprintf(" … (%d bytes more were cut)", more)
	}
	if plain(text) {
		return text
	}
	if i := strings.LastIndexByte(text, '\r'); i >= 0 {
		text = text[i+1:]
	}
	var b strings.Builder
	b.Grow(len(text))
	for i := 0; i < len(text); {
		if text[i] == escape {
			i += escapeLen(text[i:])
			continue
		}
		r, n := utf8.DecodeRuneInString(text[i:])
		b.WriteRune(visible(r))
		i += n
	}
	return b.String()
}

// Private

const escape = 0x1b

// plain reports text that needs no cleaning: the common case, kept cheap.
func plain(text string) bool {
	ascii := true
	for i := 0; i < len(text); i++ {
		c := text[i]
		if c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
		if c >= utf8.RuneSelf {
			ascii = false
		}
	}
	if ascii {
		return true
	}
	for i := 0; i < len(text); {
		r, n := utf8.DecodeRuneInString(text[i:])
		if visible(r) != r || r == utf8.RuneError && n == 1 {
			return false
		}
		i += n
	}
	return true
}

// visible maps what a terminal would obey, or what would reorder the line, to
// something that can be seen.
func visible(r rune) rune {
	switch {
	case r == '\t':
		return r
	case r < ' ':
		return 0x2400 + r // the control pictures: ␀ to ␟
	case r == 0x7f:
		return 0x2421
	case r >= 0x80 && r <= 0x9f,
		r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069, r == 0x200e, r == 0x200f, // text direction
		r == 0x2028, r == 0x2029, // line ends
		r == 0xfeff, r == 0x00ad, r >= 0xfff9 && r <= 0xfffb:
		return utf8.RuneError
	}
	return r
}

// escapeLen is the length of the escape sequence that s starts with; at least 1.
func escapeLen(s string) int {
	if len(s) < 2 {
		return 1
	}
	switch s[1] {
	case '[':
		return csiLen(s)
	case ']', 'P', 'X', '^', '_':
		return stringLen(s)
	}
	i := 1
	for i < len(s) && s[i] >= 0x20 && s[i] <= 0x2f { // intermediates, as in ESC ( B
		i++
	}
	if i < len(s) && s[i] >= 0x30 && s[i] <= 0x7e {
		i++
	}
	return i
}

func csiLen(s string) int {
	i := 2
	for i < len(s) && s[i] >= 0x20 && s[i] <= 0x3f {
		i++
	}
	if i < len(s) && s[i] >= 0x40 && s[i] <= 0x7e {
		i++
	}
	return i
}

// stringLen is the length of an OSC, DCS, SOS, PM or APC sequence. One without
// an end takes its introducer only, so that no text can hide behind it.
func stringLen(s string) int {
	for i := 2; i < len(s); i++ {
		switch {
		case s[i] == 0x07:
			return i + 1
		case s[i] == escape && i+1 < len(s) && s[i+1] == '\\':
			return i + 2
		}
	}
	return 2
}
