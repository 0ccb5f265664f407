package logs

import (
	"regexp"
	"sort"
	"strings"
	"unicode"
)

// Query is what a person typed to find or filter lines. The zero Query matches
// every line.
type Query struct {
	input   string
	inverse bool
	fold    bool           // small letters match both cases
	literal string         // when re is nil
	re      *regexp.Regexp // the literal text, or the text as a regular expression
}

// ParseQuery reads `text`, `!text` (lines without it) or a regular expression;
// text that is no valid expression is taken as it stands. Capitals make it
// sensitive to case.
func ParseQuery(input string) Query {
	q := Query{input: input}
	text := strings.TrimSpace(input)
	if rest, ok := strings.CutPrefix(text, "!"); ok && rest != "" {
		q.inverse, text = true, rest
	}
	q.fold = !hasCapital(text)
	q.literal = text
	if q.fold {
		q.literal = strings.ToLower(text)
	}
	if strings.ContainsAny(text, `\.+*?()|[]{}^$`) || q.fold && !isASCII(text) {
		flags := ""
		if q.fold {
			flags = "(?i)"
		}
		// Both readings at once: `GET /x?id=1` finds itself, `a.*b` works too.
		re, err := regexp.Compile(flags + "(?:" + regexp.QuoteMeta(text) + ")|(?:" + text + ")")
		if err != nil {
			re, err = regexp.Compile(flags + regexp.QuoteMeta(text))
		}
		if err == nil {
			q.re = re
		}
	}
	return q
}

// Empty reports a query that matches everything.
func (q Query) Empty() bool { return q.literal == "" }

// String is the query as typed.
func (q Query) String() string { return q.input }

// Inverse reports a query for lines without its text.
func (q Query) Inverse() bool { return q.inverse }

// Match reports whether a line is one that the query looks for.
func (q Query) Match(l Line) bool {
	if q.literal == "" {
		return true
	}
	return q.find(l.Text) != q.inverse
}

// Hits are the byte ranges of a text to highlight, at most limit; none for an
// inverse query.
func (q Query) Hits(text string, limit int) [][2]int {
	if q.literal == "" || q.inverse {
		return nil
	}
	var out [][2]int
	if q.re != nil {
		for _, m := range q.re.FindAllStringIndex(text, limit) {
			if m[1] > m[0] {
				out = append(out, [2]int{m[0], m[1]})
			}
		}
		return out
	}
	for from := 0; len(out) < limit; {
		i := q.index(text[from:])
		if i < 0 {
			break
		}
		out = append(out, [2]int{from + i, from + i + len(q.literal)})
		from += i + len(q.literal)
	}
	return out
}

// Index is the list of a ring's lines that match a query. It grows with the
// ring at both ends: new lines as they come, and older ones step by step, so
// that the newest matches are there at once.
type Index struct {
	query  Query
	back   []uint64 // matches below the start, youngest first
	front  []uint64 // matches from the start on, oldest first
	low    uint64   // lines from low to high-1 have been looked at
	high   uint64
	opened bool
}

// NewIndex makes an empty index; Scan fills it.
func NewIndex(q Query) *Index { return &Index{query: q} }

// Query is what the index looks for.
func (x *Index) Query() Query { return x.query }

// leastBurst is how many new lines are looked at whatever the budget.
const leastBurst = 5000

// Scan looks at the lines that are new and at up to budget older ones, and
// forgets what the ring has dropped. It reports whether everything in the view
// has been looked at.
func (x *Index) Scan(v View, budget int) bool {
	burst := v.Next() > x.high+uint64(max(budget, leastBurst)) // more than one look should take: begin at the end again
	if !x.opened || v.First() > x.high || v.Next() < x.high || burst {
		*x = Index{query: x.query, low: v.Next(), high: v.Next(), opened: true}
	}
	for ; x.high < v.Next(); x.high++ {
		if l, ok := v.Line(x.high); ok && x.query.Match(l) {
			x.front = append(x.front, x.high)
		}
	}
	for ; x.low > v.First() && budget > 0; budget-- {
		x.low--
		if l, ok := v.Line(x.low); ok && x.query.Match(l) {
			x.back = append(x.back, x.low)
		}
	}
	x.forget(v.First())
	return x.low <= v.First()
}

// Len is the number of matches found so far.
func (x *Index) Len() int { return len(x.back) + len(x.front) }

// At is the sequence number of the i-th match, oldest first.
func (x *Index) At(i int) uint64 {
	if i < len(x.back) {
		return x.back[len(x.back)-1-i]
	}
	return x.front[i-len(x.back)]
}

// Search is the position of the first match at or after seq; Len for none.
func (x *Index) Search(seq uint64) int {
	return sort.Search(x.Len(), func(i int) bool { return x.At(i) >= seq })
}

// Private

func (q Query) find(text string) bool {
	if q.re != nil {
		return q.re.MatchString(text)
	}
	return q.index(text) >= 0
}

func (q Query) index(text string) int {
	if !q.fold {
		return strings.Index(text, q.literal)
	}
	return indexFold(text, q.literal)
}

func (x *Index) forget(first uint64) {
	for len(x.back) > 0 && x.back[len(x.back)-1] < first {
		x.back = x.back[:len(x.back)-1]
	}
	n := sort.Search(len(x.front), func(i int) bool { return x.front[i] >= first })
	if n > 0 {
		x.front = append([]uint64(nil), x.front[n:]...)
	}
	x.low = max(x.low, first)
}

// Helpers

// indexFold finds a small-letter ASCII text in either case.
func indexFold(text, lower string) int {
	c := lower[0]
	upper := c
	if c >= 'a' && c <= 'z' {
		upper = c - ('a' - 'A')
	}
	for from := 0; from+len(lower) <= len(text); {
		i := nextByte(text[from:], c, upper)
		if i < 0 || from+i+len(lower) > len(text) {
			return -1
		}
		if equalFold(text[from+i:from+i+len(lower)], lower) {
			return from + i
		}
		from += i + 1
	}
	return -1
}

func nextByte(text string, a, b byte) int {
	for i := 0; i < len(text); i++ {
		if text[i] == a || text[i] == b {
			return i
		}
	}
	return -1
}

func equalFold(text, lower string) bool {
	for i := 0; i < len(lower); i++ {
		c := text[i]
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}

func hasCapital(text string) bool {
	escaped := false
	for _, r := range text {
		if unicode.IsUpper(r) && !escaped { // \S and \D are no capitals
			return true
		}
		escaped = r == '\\' && !escaped
	}
	return false
}

func isASCII(text string) bool {
	for i := 0; i < len(text); i++ {
		if text[i] >= 0x80 {
			return false
		}
	}
	return true
}
