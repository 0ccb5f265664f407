package widget

import (
	"hash/fnv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/charmbracelet/x/ansi"

	"binnacle/ops/logs"
	"binnacle/ui/kit"
	"binnacle/ui/theme"
)

const (
	// wrapBytes bounds what is shown of one wrapped line; copying takes all.
	wrapBytes = 8 << 10
	hitLimit  = 200
)

// gutter is the widths of the columns before the text, in cells; 0 for hidden.
type gutter struct{ time, host, role, level int }

func newGutter(f LogFrame, look LogLook) gutter {
	var g gutter
	roles := map[string]bool{}
	for _, s := range f.Sources {
		g.host = min(20, max(g.host, kit.Width(s.Host())))
		g.role = min(14, max(g.role, kit.Width(s.Label())))
		roles[s.Label()] = true
	}
	if len(roles) < 2 {
		g.role = 0
	}
	g.level = 5
	g.time = [...]int{TimeOfDay: len("15:04:05"), FullTimes: len("01-02 15:04:05.000"), NoTimes: 0}[look.Times]
	if look.Plain {
		g.host, g.role, g.level = 0, 0, 0
	}
	for _, column := range []*int{&g.level, &g.role, &g.time, &g.host} { // the host's name stays longest
		if f.Width-g.width() >= min(32, f.Width*2/3) {
			break
		}
		*column = 0
	}
	return g
}

func (g gutter) width() int {
	total := 0
	for _, w := range []int{g.time, g.host, g.role, g.level} {
		if w > 0 {
			total += w + 1
		}
	}
	return total
}

// drawnLogs keeps the rows of lines as they were drawn.
type drawnLogs struct {
	stamp logStamp
	rows  map[logKey][]string
}

type logKey struct {
	seq     uint64
	surface theme.Surface
}

// logStamp is everything that a drawn line depends on beside itself.
type logStamp struct {
	width   int
	shift   int
	look    LogLook
	gutter  gutter
	options theme.Options
	query   string
	zone    *time.Location
	height  int
}

func (l *LogList) stamp() logStamp {
	s := logStamp{
		width: l.frame.Width, height: l.frame.Height, shift: l.shift, look: l.look, gutter: l.gutter,
		options: l.frame.Theme.Options, zone: l.frame.Zone,
	}
	if l.search != nil {
		s.query = l.search.Query().String()
	}
	return s
}

func (d *drawnLogs) check(s logStamp) {
	if d.rows == nil || d.stamp != s || len(d.rows) > 8*max(s.height, 50) {
		d.stamp, d.rows = s, map[logKey][]string{}
	}
}

func (d *drawnLogs) drop(seq uint64) {
	for _, surface := range []theme.Surface{theme.Plain, theme.Cursor, theme.Marked} {
		delete(d.rows, logKey{seq: seq, surface: surface})
	}
}

// rows are the drawn rows of a line; at least one.
func (l *LogList) rows(seq uint64) []string {
	key := logKey{seq: seq, surface: l.surface(seq)}
	if rows, ok := l.drawn.rows[key]; ok {
		return rows
	}
	if l.drawn.rows == nil {
		l.drawn.rows = map[logKey][]string{}
	}
	line, _ := l.frame.View.Line(seq)
	rows := l.draw(line, key.surface)
	if at, ok := l.marks[seq]; ok {
		rows = append(rows, l.rule(at))
	}
	l.drawn.rows[key] = rows
	return rows
}

func (l *LogList) surface(seq uint64) theme.Surface {
	switch {
	case l.pick.on && seq >= min(l.pick.from, l.pick.to) && seq <= max(l.pick.from, l.pick.to):
		return theme.Cursor
	case l.hit != nil && *l.hit == seq:
		return theme.Marked
	}
	return theme.Plain
}

func (l *LogList) draw(line logs.Line, on theme.Surface) []string {
	width := max(1, l.frame.Width-l.gutter.width())
	pieces, more := l.pieces(line, width)
	rows := make([]string, 0, len(pieces)+1)
	for i, p := range pieces {
		var b strings.Builder
		if i == 0 {
			l.prefix(&b, line, on)
		} else {
			b.WriteString(l.frame.Theme.On(on, theme.Text, kit.Space(l.gutter.width())))
		}
		l.text(&b, p, levelTone(line.Level), on)
		if on != theme.Plain {
			b.WriteString(l.frame.Theme.On(on, theme.Text, kit.Space(width-kit.Width(p.text)-kit.Width(p.tail))))
		}
		rows = append(rows, b.String())
	}
	if more > 0 {
		note := l.frame.Theme.Ellipsis + " " + kit.Bytes(int64(more)) + " more; copying takes the whole line"
		rows = append(rows, kit.Space(l.gutter.width())+l.frame.Theme.Paint(theme.Dim, kit.Cut(note, width, "")))
	}
	return rows
}

// piece is the part of a line that one row shows.
type piece struct {
	text string
	hits [][2]int // byte ranges in text
	tail string   // … where the line goes on
}

// pieces cuts a line into rows, and tells how many bytes are not shown.
func (l *LogList) pieces(line logs.Line, width int) ([]piece, int) {
	text := condensed(line.Text, line.Level, l.gutter)
	limit := wrapBytes
	if !l.look.Wrap {
		limit = (l.shift+width)*8 + 64
	}
	more := 0
	if len(text) > limit {
		cut := limit
		for cut > 0 && !utf8.RuneStart(text[cut]) {
			cut--
		}
		more = len(text) - cut
		text = text[:cut]
	}
	text = kit.Clean(text)
	if line.Late {
		text = lateWord + text
	}
	var hits [][2]int
	if l.search != nil {
		hits = l.search.Query().Hits(text, hitLimit)
	}
	if l.look.Wrap {
		return wrapped(text, width, hits), more
	}
	return []piece{window(text, l.shift, width, hits, more > 0, l.frame.Theme.Ellipsis)}, 0
}

func (l *LogList) prefix(b *strings.Builder, line logs.Line, on theme.Surface) {
	th, g := l.frame.Theme, l.gutter
	if g.time > 0 {
		b.WriteString(th.On(on, theme.Dim, clock(line.At.In(l.frame.Zone), l.look.Times)+" "))
	}
	if g.host > 0 {
		b.WriteString(th.On(on, hostTone(line.Source.Host()), kit.Pad(kit.Clean(line.Source.Host()), g.host, th.Ellipsis)+" "))
	}
	if g.role > 0 {
		b.WriteString(th.On(on, theme.Dim, kit.Pad(kit.Clean(line.Source.Label()), g.role, th.Ellipsis)+" "))
	}
	if g.level > 0 {
		b.WriteString(th.On(on, levelLabel(line.Level), kit.Pad(line.Level.String(), g.level, "")+" "))
	}
}

func (l *LogList) text(b *strings.Builder, p piece, tone theme.Tone, on theme.Surface) {
	th := l.frame.Theme
	at := 0
	for _, h := range p.hits {
		b.WriteString(th.On(on, tone, p.text[at:h[0]]))
		b.WriteString(th.On(theme.Match, theme.Text, p.text[h[0]:h[1]]))
		at = h[1]
	}
	b.WriteString(th.On(on, tone, p.text[at:]))
	b.WriteString(th.On(on, theme.Dim, p.tail))
}

func (l *LogList) rule(at time.Time) string {
	th := l.frame.Theme
	text := strings.Repeat(th.Border.Rule, 2) + " marked " + clock(at.In(l.frame.Zone), TimeOfDay) + " "
	text += strings.Repeat(th.Border.Rule, max(0, l.frame.Width-kit.Width(text)))
	return th.Paint(theme.Accent, kit.Cut(text, l.frame.Width, ""))
}

// Helpers

// lateWord marks a line that stands where it arrived, below younger ones.
const lateWord = "(late) "

// wrapped cuts a text into rows of at most width cells.
func wrapped(text string, width int, hits [][2]int) []piece {
	if len(text) <= width {
		return []piece{{text: text, hits: hits}}
	}
	var out []piece
	at := 0
	for row := range strings.SplitSeq(ansi.Hardwrap(text, width, true), "\n") {
		if kit.Width(row) > width { // one wide character in a column too narrow for it
			out = append(out, piece{text: strings.Repeat("?", width)})
		} else {
			out = append(out, piece{text: row, hits: within(hits, at, at+len(row))})
		}
		at += len(row)
	}
	return out
}

// window is the part of a text from one cell on.
func window(text string, shift, width int, hits [][2]int, more bool, ellipsis string) piece {
	from := 0
	if shift > 0 {
		from = len(ansi.Truncate(text, shift, ""))
	}
	rest := text[from:]
	row := kit.Cut(rest, width, "")
	p := piece{text: row, hits: within(hits, from, from+len(row))}
	if len(row) < len(rest) || more {
		row = kit.Cut(rest, width-kit.Width(ellipsis), "")
		p = piece{text: row, hits: within(hits, from, from+len(row)), tail: ellipsis}
	}
	return p
}

// within cuts ranges to a part of the text and counts them from its start.
func within(hits [][2]int, from, to int) [][2]int {
	var out [][2]int
	for _, h := range hits {
		a, b := max(h[0], from), min(h[1], to)
		if a < b {
			out = append(out, [2]int{a - from, b - from})
		}
	}
	return out
}

func clock(at time.Time, times LogTimes) string {
	if times == FullTimes {
		return at.Format("01-02 15:04:05.000")
	}
	return at.Format("15:04:05")
}

// hostTone gives a host the same colour wherever it is shown.
func hostTone(host string) theme.Tone {
	tones := [...]theme.Tone{theme.Accent, theme.Busy, theme.Brand, theme.Strong}
	h := fnv.New32a()
	_, _ = h.Write([]byte(host)) // a hash never fails
	return tones[h.Sum32()%uint32(len(tones))]
}

func levelLabel(l logs.Level) theme.Tone {
	switch l {
	case logs.LevelFatal, logs.LevelError:
		return theme.Bad
	case logs.LevelWarn:
		return theme.Warn
	}
	return theme.Dim
}

func levelTone(l logs.Level) theme.Tone {
	switch l {
	case logs.LevelFatal, logs.LevelError:
		return theme.Bad
	case logs.LevelDebug:
		return theme.Dim
	}
	return theme.Text
}
