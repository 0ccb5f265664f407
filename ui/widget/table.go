package widget

import (
	"slices"
	"strings"

	"binnacle/ui/kit"
	"binnacle/ui/theme"
)

// Column describes one column of a Table. Widths are cells.
type Column struct {
	Title string
	Min   int  // never narrower while it is shown
	Max   int  // grows up to here; 0 for Min
	Right bool // numbers: aligned to the right
	Drop  int  // columns with the highest Drop go first when space is short; 0 stays
}

// Cell is a text and its meaning.
type Cell struct {
	Text string
	Tone theme.Tone
	// Shorter is what a table shows where the Text has no room, the longer first.
	Shorter [2]string
}

// Row is one line of a table.
type Row struct {
	Mark  Cell // the symbol in front
	Cells []Cell
	// Rest, when it has a text, is drawn over all columns from RestFrom on: why
	// a host is lost, for instance.
	Rest     Cell
	RestFrom int
}

// Table draws rows in columns and keeps what it drew, by identity, content,
// width and theme.
type Table[K comparable] struct {
	columns []Column
	widths  []int
	width   int
	gap     int
	options theme.Options
	cache   map[K]drawn
}

// Layout fits the columns into a width. It forgets cached rows when anything changed.
func (t *Table[K]) Layout(columns []Column, width int, th theme.Theme) {
	if t.cache != nil && t.width == width && t.options == th.Options && slices.Equal(t.columns, columns) {
		return
	}
	t.columns, t.width, t.options = slices.Clone(columns), width, th.Options
	t.widths, t.gap = share(columns, width-markWidth-1) // and a blank before the border
	t.cache = map[K]drawn{}
}

// Header is the line of column titles.
func (t *Table[K]) Header(th theme.Theme) string {
	row := Row{Mark: Cell{Text: " "}, Cells: make([]Cell, len(t.columns))}
	for i, c := range t.columns {
		row.Cells[i] = Cell{Text: c.Title, Tone: theme.Dim}
	}
	return t.draw(row, theme.Plain, th)
}

// Draw is one row on a surface; rows that did not change cost a lookup.
func (t *Table[K]) Draw(key K, row Row, surface theme.Surface, th theme.Theme) string {
	if old, ok := t.cache[key]; ok && old.surface == surface && old.row.equal(row) {
		return old.text
	}
	if len(t.cache) > cacheLimit {
		clear(t.cache)
	}
	text := t.draw(row, surface, th)
	t.cache[key] = drawn{row: row, surface: surface, text: text}
	return text
}

// Private

// markWidth is the space of a row's symbol: blank, symbol, blank.
const markWidth = 3

// cacheLimit bounds the cache where rows come and go for days.
const cacheLimit = 1000

type drawn struct {
	row     Row
	surface theme.Surface
	text    string
}

func (r Row) equal(o Row) bool {
	return r.Mark == o.Mark && r.Rest == o.Rest && r.RestFrom == o.RestFrom && slices.Equal(r.Cells, o.Cells)
}

func (t *Table[K]) draw(row Row, surface theme.Surface, th theme.Theme) string {
	var b strings.Builder
	p := pen{b: &b, th: th, surface: surface, left: t.width}
	p.text(theme.Text, " ")
	p.text(row.Mark.Tone, kit.Pad(row.Mark.Text, 1, ""))
	p.text(theme.Text, " ")
	for i, w := range t.widths {
		if row.Rest.Text != "" && i >= row.RestFrom {
			p.text(row.Rest.Tone, kit.Cut(row.Rest.fit(p.left), p.left, th.Ellipsis))
			break
		}
		if w == 0 || i >= len(row.Cells) {
			continue
		}
		c := row.Cells[i]
		if t.columns[i].Right {
			p.text(c.Tone, kit.PadLeft(c.fit(w), w, th.Ellipsis))
		} else {
			p.text(c.Tone, kit.Pad(c.fit(w), w, th.Ellipsis))
		}
		p.text(theme.Text, kit.Space(t.gap))
	}
	p.text(theme.Text, kit.Space(p.left))
	return b.String()
}

// fit is the longest of the cell's texts that fits; the shortest where none does.
func (c Cell) fit(w int) string {
	text := c.Text
	for _, shorter := range c.Shorter {
		if shorter != "" && kit.Width(text) > w {
			text = shorter
		}
	}
	return text
}

// pen writes painted texts until its width is used up.
type pen struct {
	b       *strings.Builder
	th      theme.Theme
	surface theme.Surface
	left    int
}

func (p *pen) text(tone theme.Tone, text string) {
	if text == "" || p.left <= 0 {
		return
	}
	text = kit.Cut(text, p.left, "")
	p.left -= kit.Width(text)
	if p.surface == theme.Plain && strings.TrimLeft(text, " ") == "" {
		p.b.WriteString(text)
		return
	}
	p.b.WriteString(p.th.On(p.surface, tone, text))
}

// Helpers

// share gives every column its width, 0 for those that are dropped, and the
// gap between columns.
func share(columns []Column, width int) ([]int, int) {
	widths := make([]int, len(columns))
	for i, c := range columns {
		widths[i] = max(c.Min, kit.Width(c.Title))
	}
	need := func(gap int) int {
		sum := 0
		for _, w := range widths {
			if w > 0 {
				sum += w + gap
			}
		}
		return sum
	}
	for need(1) > width+1 {
		if !dropOne(columns, widths) {
			break
		}
	}
	for need(2) > width+2 && dropLuxury(columns, widths) { // rather air than the last column
	}
	gap, shown := 1, 0
	for _, w := range widths {
		if w > 0 {
			shown++
		}
	}
	if need(2) <= width+2 {
		gap = 2
	}
	left := grow(columns, widths, width+gap-need(gap))
	if extra := min(left/max(shown-1, 1), widestGap-gap); extra > 0 {
		gap += extra
	}
	return widths, gap
}

// luxury is the Drop from which a column is shown only where there is plenty of room.
const luxury = 7

// widestGap is the most air between two columns.
const widestGap = 3

// grow gives columns what they would take, one cell after the other, and
// returns what is left.
func grow(columns []Column, widths []int, left int) int {
	for grown := true; grown && left > 0; {
		grown = false
		for i, c := range columns {
			if widths[i] > 0 && widths[i] < c.Max && left > 0 {
				widths[i]++
				left--
				grown = true
			}
		}
	}
	return left
}

func dropOne(columns []Column, widths []int) bool { return dropFrom(1, columns, widths) }

func dropLuxury(columns []Column, widths []int) bool { return dropFrom(luxury, columns, widths) }

func dropFrom(least int, columns []Column, widths []int) bool {
	worst := -1
	for i, c := range columns {
		if widths[i] > 0 && c.Drop >= least && (worst < 0 || c.Drop > columns[worst].Drop) {
			worst = i
		}
	}
	if worst < 0 {
		return false
	}
	widths[worst] = 0
	return true
}
