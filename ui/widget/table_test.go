package widget_test

import (
	"strings"
	"testing"

	"github.com/charmbracelet/x/ansi"

	"binnacle/ops"
	"binnacle/ui/theme"
	"binnacle/ui/widget"
)

func columns() []widget.Column {
	return []widget.Column{
		{Title: "HOST", Min: 4, Max: 20}, {Title: "LOAD", Min: 5, Right: true, Drop: 1}, {Title: "DISK", Min: 4, Right: true, Drop: 2}, {Title: "ID", Min: 12, Drop: 9},
	}
}

func TestTableFitsEveryWidth(t *testing.T) {
	th := theme.New(theme.Options{Dark: true})
	row := widget.Row{Mark: widget.Cell{Text: th.Live}, Cells: []widget.Cell{{Text: "web-1.漢字.example.com"}, {Text: "0.31"}, {Text: "52%"}, {Text: "abcdef012345"}}}
	for w := range 80 {
		var table widget.Table[string]
		table.Layout(columns(), w, th)
		for _, line := range []string{table.Header(th), table.Draw("a", row, theme.Plain, th), table.Draw("b", row, theme.Cursor, th)} {
			if got := ansi.StringWidth(line); got > w {
				t.Fatalf("%d cells at a width of %d: %q", got, w, ansi.Strip(line))
			}
		}
	}
}

func TestTableDropsWhatMattersLeast(t *testing.T) {
	th := theme.New(theme.Options{Dark: true})
	var table widget.Table[string]
	for w, want := range map[int]string{60: "HOST LOAD DISK ID", 30: "HOST LOAD DISK", 16: "HOST LOAD", 10: "HOST"} {
		table.Layout(columns(), w, th)
		if got := strings.Join(strings.Fields(ansi.Strip(table.Header(th))), " "); got != want {
			t.Errorf("at %d: %q, want %q", w, got, want)
		}
	}
}

func TestTableRemembersRows(t *testing.T) {
	th := theme.New(theme.Options{Dark: true})
	var table widget.Table[string]
	table.Layout(columns(), 60, th)
	row := widget.Row{Cells: []widget.Cell{{Text: "web-1"}, {Text: "0.31"}}}
	first := table.Draw("a", row, theme.Plain, th)
	if n := testing.AllocsPerRun(100, func() { table.Draw("a", row, theme.Plain, th) }); n > 0 {
		t.Errorf("a row that did not change costs %v allocations", n)
	}
	row.Cells = []widget.Cell{{Text: "web-1"}, {Text: "0.99"}}
	if table.Draw("a", row, theme.Plain, th) == first {
		t.Error("a row that changed was not drawn anew")
	}
	table.Layout(columns(), 60, theme.New(theme.Options{}))
	if table.Draw("a", widget.Row{Cells: []widget.Cell{{Text: "web-1"}, {Text: "0.31"}}}, theme.Cursor, theme.New(theme.Options{})) == first {
		t.Error("another theme shows old rows")
	}
}

// The longest of a cell's texts that fits is shown, and no word is cut in two
// where a shorter one says the same.
func TestTableShowsTheLongestTextThatFits(t *testing.T) {
	for _, o := range []theme.Options{{Dark: true}, {ASCII: true, NoColor: true}} {
		th := theme.New(o)
		rung := widget.Rung(ops.Restored, th)
		want := map[int]string{17: "▮▮▮▮▮▮▯▯ restored", 16: "6/8 restored", 12: "6/8 restored", 11: "6/8", 4: "6/8"}
		if o.ASCII {
			want[17] = "######.. restored"
		}
		for w, text := range want {
			var table widget.Table[string]
			table.Layout([]widget.Column{{Title: "RUNG", Min: w}}, w+4, th)
			if got := strings.TrimSpace(ansi.Strip(table.Draw("a", widget.Row{Cells: []widget.Cell{rung}}, theme.Plain, th))); got != text {
				t.Errorf("%d cells show %q, want %q", w, got, text)
			}
			why := widget.Row{Rest: widget.Cell{Text: strings.Repeat("long ", w), Shorter: [2]string{"lost"}}}
			if got := strings.TrimSpace(ansi.Strip(table.Draw("b", why, theme.Plain, th))); got != "lost" {
				t.Errorf("%d cells say %q", w, got)
			}
		}
	}
}
