package kit

import (
	"regexp"
	"strings"
	"unicode"
)

// Filter is what a person typed after `/`: a regular expression, of which a
// plain word is one; `!` in front keeps what does not match. Lower case
// matches both cases. A text that is no valid expression is taken literally.
// The zero Filter matches everything.
type Filter struct {
	Text   string // as typed
	invert bool
	re     *regexp.Regexp
}

// NewFilter understands a typed filter.
func NewFilter(text string) Filter {
	f := Filter{Text: text}
	body := text
	if rest, ok := strings.CutPrefix(text, "!"); ok {
		f.invert, body = true, rest
	}
	if body == "" {
		return Filter{Text: text}
	}
	prefix := "(?i)"
	if strings.ContainsFunc(body, unicode.IsUpper) {
		prefix = ""
	}
	re, err := regexp.Compile(prefix + body)
	if err != nil {
		re = regexp.MustCompile(prefix + regexp.QuoteMeta(body))
	}
	f.re = re
	return f
}

// Empty reports a filter that keeps everything.
func (f Filter) Empty() bool { return f.re == nil }

// Match reports whether a row with this text stays.
func (f Filter) Match(text string) bool {
	return f.re == nil || f.re.MatchString(text) != f.invert
}

// Spans are the byte ranges of a text that match, for highlighting; none for
// an inverted filter.
func (f Filter) Spans(text string) [][]int {
	if f.re == nil || f.invert {
		return nil
	}
	return f.re.FindAllStringIndex(text, -1)
}
