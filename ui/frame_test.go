package ui_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"

	"binnacle/ops"
	"binnacle/ui"
	"binnacle/ui/theme"
)

var update = flag.Bool("rewrite", false, "write the golden frames anew")

// golden compares a frame with the one that was looked at and kept.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", "frames", name+".txt")
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if strings.TrimSuffix(string(want), "\n") != got {
		t.Errorf("frame %s changed; look at it, then run the tests with -rewrite\n--- got\n%s\n--- want\n%s", name, got, want)
	}
}

// plain is a frame without colours, blanks at line ends cut.
func plain(frame string) string {
	lines := strings.Split(ansi.Strip(frame), "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " ")
	}
	return strings.Join(lines, "\n")
}

func scenes() map[string][]ops.Event {
	all := func(parts ...[]ops.Event) []ops.Event {
		var out []ops.Event
		for _, p := range parts {
			out = append(out, p...)
		}
		return out
	}
	mixed := all(fleet(), up("web-2", 49, container("web-2", "web", "v3", "running"), container("web-2", "web", "v2", "exited"), proxy("web-2")))
	return map[string][]ops.Event{
		"empty":       nil,
		"connecting":  {shop(), ops.HostConnecting{Host: "web-1", At: noon()}, ops.HostConnecting{Host: "web-2", At: noon()}},
		"live":        all(fleet(), deployed()),
		"lost":        all(fleet(), deployed(), lost("web-3")),
		"deploying":   all(fleet(), deployed(), deploying()),
		"failed":      all(fleet(), deployed(), failed()),
		"deadlock":    all(fleet(), []ops.Event{deadLock()}),
		"mixed":       mixed,
		"big":         big(200),
		"guarded":     all(fleet(), deployed(), guarded()),
		"neglected":   all(fleet(), deployed(), neglected()),
		"unreachable": all(fleet(), guarded(), unreachable()),
		"unguarded":   all(fleet(), guarded(), lost("web-1")),
	}
}

func TestFrames(t *testing.T) {
	for name, events := range scenes() {
		for _, size := range [][2]int{{80, 24}, {120, 34}, {140, 40}, {200, 50}} {
			t.Run(fmt.Sprintf("%s-%dx%d", name, size[0], size[1]), func(t *testing.T) {
				s := newWorld(events...).stage(t, size[0], size[1])
				golden(t, fmt.Sprintf("%s-%dx%d", name, size[0], size[1]), plain(s.Frame()))
			})
		}
	}
}

func TestThemes(t *testing.T) {
	for name, o := range map[string]theme.Options{
		"dark": {Dark: true}, "light": {}, "dark-contrast": {Dark: true, HighContrast: true}, "light-contrast": {HighContrast: true},
		"no-color": {Dark: true, NoColor: true}, "ascii": {Dark: true, ASCII: true, NoColor: true},
	} {
		t.Run(name, func(t *testing.T) {
			o2 := newWorld(scenes()["lost"]...).options()
			o2.Theme = o
			frame, err := ui.Render(t.Context(), o2, 120, 34)
			if err != nil {
				t.Fatal(err)
			}
			golden(t, "theme-"+name, frame)
			if o.ASCII && strings.IndexFunc(frame, func(r rune) bool { return r > 0x7e }) >= 0 {
				t.Error("an ASCII frame has other symbols")
			}
			if o.NoColor && (strings.Contains(frame, "38;2;") || strings.Contains(frame, "48;2;")) {
				t.Error("a frame without colours has colours")
			}
		})
	}
}

// restoring is a plan as the operation makes it.
func restoring() ops.Plan {
	return ops.Plan{
		Title: "restore db → production", Operation: "restore", Risk: ops.DataLoss, Confirm: "production",
		Effects: []ops.Effect{
			{Label: "from", Text: "20261123T090000Z-5f1c, 3 h old, s3://shop-backups/production, 1.2 GB, restored in a drill"},
			{Label: "into", Text: "shop_production of db on web-1, 1.4 GB"},
			{Label: "first", Text: "a safety dump of today's data, about 1 m 40 s"},
			{Label: "then", Text: "maintenance page on 3 hosts"},
			{Label: "loses", Text: "what was written after 2026-11-23 09:00", Warn: true},
		},
		Root: ops.InSequence("", "", &ops.Step{ID: "load", Title: "load", Host: "web-1"}, &ops.Step{ID: "swap", Title: "swap", Host: "web-1"}),
	}
}

func TestDialogFrames(t *testing.T) {
	plan := ops.Plan{
		Title: "deploy v3 → production", Risk: ops.Change,
		Effects: []ops.Effect{
			{Label: "version", Text: "v2 → v3 on 4 places"},
			{Label: "builds", Text: "registry:5000/shop:v3 from a clone of 9f31c2e"},
			{Label: "proxy", Text: "kamal-proxy on web-1, web-2, web-3; blog is behind the same proxy", Warn: true},
			{Label: "keeps", Text: "v2 and v1 stay for a rollback"},
		},
		Root: ops.InSequence("", "", &ops.Step{ID: "build", Title: "build and push"}, ops.SideBySide("boot", "boot web",
			&ops.Step{ID: "web-1", Title: "boot", Host: "web-1"}, &ops.Step{ID: "web-2", Title: "boot", Host: "web-2"})),
	}
	dialogs := map[string]struct {
		scene string
		keys  []string
		risk  ops.Risk
	}{
		"help": {scene: "live", keys: []string{"?"}}, "palette": {scene: "live", keys: []string{":", "l", "o"}},
		"rollback": {scene: "mixed", keys: []string{"R"}}, "deploy-form": {scene: "live", keys: []string{"D"}},
		"deploy-confirm": {scene: "live", keys: []string{"D", "v", "3", "ctrl+s"}, risk: ops.Change},
		"remove-confirm": {scene: "live", keys: []string{":", "r", "e", "m", "o", "v", "e", "enter"}, risk: ops.DataLoss},
		"steps":          {scene: "live", keys: []string{"D", "v", "3", "ctrl+s", "wait", "s"}, risk: ops.Change},
		"lock":           {scene: "deadlock", keys: []string{"L"}}, "quit": {scene: "deploying", keys: []string{"q"}},
		"details": {scene: "live", keys: []string{"2", "d"}}, "host-details": {scene: "lost", keys: []string{"j", "j", "d"}},
		"filter":  {scene: "live", keys: []string{"2", "/", "w", "e", "b"}},
		"backups": {scene: "guarded", keys: []string{"7"}}, "backups-of-one": {scene: "guarded", keys: []string{"3", "j", "b"}},
		"backups-neglected": {scene: "neglected", keys: []string{"7"}}, "backups-unread": {scene: "live", keys: []string{"7"}},
		"accessories":    {scene: "unreachable", keys: []string{"3"}},
		"backup-details": {scene: "guarded", keys: []string{"7", "d"}}, "accessory-details": {scene: "guarded", keys: []string{"3", "d"}},
		"restore": {scene: "guarded", keys: []string{"3", "X"}}, "restore-anything": {scene: "neglected", keys: []string{":", "r", "e", "s", "t", "o", "r", "e", "enter"}},
		"restore-confirm": {scene: "guarded", keys: []string{"3", "X", "enter", "wait", "p", "r", "o", "d"}},
		"restore-nothing": {scene: "guarded", keys: []string{"3", "j", "X"}},
	}
	for name, d := range dialogs {
		for _, size := range [][2]int{{80, 24}, {120, 34}} {
			t.Run(fmt.Sprintf("%s-%d", name, size[0]), func(t *testing.T) {
				w := newWorld(scenes()[d.scene]...)
				w.plan = plan
				w.plan.Risk = d.risk
				if strings.HasPrefix(name, "restore") {
					w.plan = restoring()
				}
				s := w.stage(t, size[0], size[1])
				for _, k := range d.keys {
					if k == "wait" {
						w.now = w.now.Add(time.Second)
						continue
					}
					s.Press(k)
				}
				golden(t, fmt.Sprintf("dialog-%s-%dx%d", name, size[0], size[1]), plain(s.Frame()))
			})
		}
	}
}
