package theme_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"binnacle/ui/theme"
)

func TestEnvironment(t *testing.T) {
	for name, c := range map[string]struct {
		env  map[string]string
		want theme.Options
	}{
		"plain":    {map[string]string{"LANG": "en_US.UTF-8"}, theme.Options{Dark: true}},
		"no color": {map[string]string{"NO_COLOR": "1"}, theme.Options{Dark: true, NoColor: true}},
		"dumb":     {map[string]string{"TERM": "dumb"}, theme.Options{Dark: true, NoColor: true, ASCII: true}},
		"C locale": {map[string]string{"LC_ALL": "C", "LANG": "en_US.UTF-8"}, theme.Options{Dark: true, ASCII: true}},
		"contrast": {map[string]string{"BINNACLE_CONTRAST": "high"}, theme.Options{Dark: true, HighContrast: true}},
	} {
		if got := theme.FromEnv(func(k string) string { return c.env[k] }); got != c.want {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestPaintEndsWhatItBegins(t *testing.T) {
	for _, o := range []theme.Options{{Dark: true}, {}, {HighContrast: true}, {Dark: true, HighContrast: true}, {NoColor: true}, {Dark: true, Production: true}} {
		th := theme.New(o)
		for surface := theme.Plain; surface <= theme.Match; surface++ {
			for tone := theme.Text; tone <= theme.Brand; tone++ {
				got := th.On(surface, tone, "word")
				if !strings.Contains(got, "word") || strings.HasPrefix(got, "\x1b") && !strings.HasSuffix(got, "m") {
					t.Fatalf("%+v %d %d: %q", o, surface, tone, got)
				}
				if o.NoColor && strings.Contains(got, ";2;") {
					t.Fatalf("a colour without colours: %q", got)
				}
			}
		}
	}
	if production, other := theme.New(theme.Options{Dark: true, Production: true}), theme.New(theme.Options{Dark: true}); production.Paint(theme.Brand, "x") == other.Paint(theme.Brand, "x") {
		t.Error("production looks like everything else")
	}
}

func TestSymbolsAreOneCell(t *testing.T) {
	for _, o := range []theme.Options{{}, {ASCII: true}} {
		s := theme.New(o).Symbols
		for _, symbol := range []string{s.Live, s.Off, s.Lost, s.Alert, s.Active, s.Done, s.Waiting, s.Skip, s.Unknown, s.Ellipsis, s.Full, s.Empty, s.Border.Horizontal} {
			if utf8.RuneCountInString(symbol) != 1 || o.ASCII && symbol[0] > 0x7e {
				t.Errorf("%q", symbol)
			}
		}
	}
}
