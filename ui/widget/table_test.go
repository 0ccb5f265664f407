package widget_test

import (
	"strings"
	"testing"

	"github.com/charmbracelet/x/ansi"

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
