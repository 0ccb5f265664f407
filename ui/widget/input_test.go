package widget_test

import (
	"strings"
	"testing"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"binnacle/ui/theme"
	"binnacle/ui/widget"
)

func TestInputEdits(t *testing.T) {
	in := widget.NewInput("deploy web")
	key := func(code rune, mod tea.KeyMod) { in.Update(tea.KeyPressMsg{Code: code, Mod: mod}) }
	key('w', tea.ModCtrl)
	if in.Text() != "deploy " {
		t.Fatalf("after ^w: %q", in.Text())
	}
	key(tea.KeyHome, 0)
	in.Update(tea.KeyPressMsg{Code: 'é', Text: "é"})
	key(tea.KeyRight, 0)
	key(tea.KeyBackspace, 0)
	if in.Text() != "éeploy " {
		t.Fatalf("after editing: %q", in.Text())
	}
	key('k', tea.ModCtrl)
	if in.Text() != "é" {
		t.Fatalf("after ^k: %q", in.Text())
	}
	in.Update(tea.PasteMsg{Content: "two\nlines\x1b[2J\n"})
	if in.Text() != "étwo lines[2J" {
		t.Fatalf("after pasting: %q", in.Text())
	}
	if in.Update(tea.KeyPressMsg{Code: tea.KeyEnter}) {
		t.Error("enter was taken")
	}
}

func TestInputFitsAndHides(t *testing.T) {
	th := theme.New(theme.Options{Dark: true})
	for _, w := range []int{1, 2, 5, 40} {
		in := widget.NewInput("a long line with 漢字 in it that scrolls")
		for _, focused := range []bool{true, false} {
			if got := ansi.StringWidth(in.View(th, w, focused)); got > w {
				t.Errorf("%d cells at a width of %d", got, w)
			}
		}
	}
	secret := widget.Input{Hidden: true}
	secret.Update(tea.PasteMsg{Content: "hunter2"})
	short := secret.View(th, 40, true)
	secret.Update(tea.PasteMsg{Content: "hunter2hunter2"})
	if long := secret.View(th, 40, true); strings.Contains(long, "hunter2") || long != short {
		t.Error("a hidden input shows its text or its length")
	}
}
