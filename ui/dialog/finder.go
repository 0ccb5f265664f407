package dialog

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	tea "charm.land/bubbletea/v2"
	"github.com/sahilm/fuzzy"

	"binnacle/ui/kit"
	"binnacle/ui/theme"
	"binnacle/ui/widget"
)

// Entry is a line of help or of the palette.
type Entry struct {
	Key   string // the key that does the same
	Name  string // what is typed in the palette
	Text  string // what it does
	Group string // heading
	// Intent is what choosing it does; Typed, when set, gets what was typed
	// behind the name.
	Intent kit.Intent
	Typed  func(args string) kit.Intent
	Danger bool
}

// Finder is a searchable list whose lines can be run: help and the palette.
type Finder struct {
	card
	entries []Entry
	shown   []int
	typed   widget.Input
	list    kit.List[int]
	prompt  string
	grouped bool
	history []string // palette: newest last
	back    int      // how far back in the history
}

// NewHelp lists the keys that work now, by group.
func NewHelp(entries []Entry) *Finder {
	d := &Finder{entries: entries, prompt: "/ ", grouped: true}
	d.title, d.width, d.tone = "keys", 76, theme.Accent
	return d
}

// NewPalette lists views, operations and keys by name.
func NewPalette(entries []Entry, history []string) *Finder {
	d := &Finder{entries: entries, prompt: ": ", history: history}
	d.title, d.width, d.tone = "go to or run", 84, theme.Accent
	return d
}

// Sync takes the space there is.
func (d *Finder) Sync(scene kit.Scene) {
	d.scene = scene
	d.search()
	d.fill()
}

// Typed is the text of the palette, for the history.
func (d *Finder) Typed() string { return d.typed.Text() }

// Update handles the keys.
func (d *Finder) Update(msg tea.Msg) (kit.Intent, tea.Cmd) {
	switch msg := msg.(type) {
	case kit.Wheel:
		d.list.By(msg.Lines)
	case kit.Click:
		return d.clicked(msg.Y), nil
	case tea.KeyPressMsg:
		if intent, done := d.press(msg); done {
			return intent, nil
		}
	case tea.PasteMsg:
		d.typed.Update(msg)
		d.search()
	}
	d.fill()
	return nil, nil
}

// View is the dialog.
func (d *Finder) View() string { return d.view() }

// Private

func (d *Finder) press(msg tea.KeyPressMsg) (kit.Intent, bool) {
	switch msg.String() {
	case "esc", "ctrl+c":
		return kit.Back{}, true
	case "enter":
		return d.choose()
	case "down", "ctrl+n":
		d.list.By(1)
	case "up":
		if d.list.Index() == 0 && len(d.history) > 0 {
			d.recall(1)
		} else {
			d.list.By(-1)
		}
	case "ctrl+p":
		d.recall(1)
	case "pgdown":
		d.list.Move(kit.PageDown)
	case "pgup":
		d.list.Move(kit.PageUp)
	case "tab":
		d.complete()
	default:
		if d.typed.Update(msg) {
			d.back = 0
			d.search()
		}
	}
	return nil, false
}

func (d *Finder) choose() (kit.Intent, bool) {
	i, ok := d.list.Key()
	if !ok {
		return nil, false
	}
	e := d.entries[i]
	if e.Typed != nil {
		if args, found := strings.CutPrefix(d.typed.Text(), e.Name+" "); found {
			return e.Typed(strings.TrimSpace(args)), true
		}
	}
	return e.Intent, true
}

func (d *Finder) clicked(y int) kit.Intent {
	line := y - 3 // border, prompt, rule
	at := -1
	for i, row := range d.lines() {
		if i == line {
			at = row
		}
	}
	if at < 0 {
		return nil
	}
	if now, ok := d.list.Key(); ok && now == at {
		intent, _ := d.choose()
		return intent
	}
	d.list.Select(at)
	d.fill()
	return nil
}

// recall brings back an earlier command.
func (d *Finder) recall(by int) {
	d.back = min(d.back+by, len(d.history))
	if d.back > 0 {
		d.typed.Set(d.history[len(d.history)-d.back])
		d.search()
	}
}

func (d *Finder) complete() {
	if i, ok := d.list.Key(); ok && d.entries[i].Name != "" {
		d.typed.Set(d.entries[i].Name)
		d.search()
	}
}

func (d *Finder) search() {
	text := strings.TrimSpace(d.typed.Text())
	d.shown = d.shown[:0]
	if text == "" {
		for i := range d.entries {
			d.shown = append(d.shown, i)
		}
	} else {
		d.match(text)
	}
	d.list.Sync(append([]int(nil), d.shown...), d.rows())
	if text != "" && len(d.shown) > 0 {
		d.list.Select(d.shown[0])
	}
}

// match ranks: the name that was typed in full with parameters behind it, names
// that start so, names that contain it, texts that do, and names with its
// letters in order.
func (d *Finder) match(text string) {
	best := -1
	for i, e := range d.entries {
		if e.Name != "" && (text == e.Name || strings.HasPrefix(text, e.Name+" ")) && (best < 0 || len(e.Name) > len(d.entries[best].Name)) {
			best = i
		}
	}
	ranked := map[int]int{}
	low := strings.ToLower(text)
	for _, m := range fuzzy.FindFrom(text, searched(d.entries)) {
		ranked[m.Index] = 4
	}
	for i, e := range d.entries {
		switch name := strings.ToLower(e.Name); {
		case i == best:
			ranked[i] = 0
		case e.Key == text:
			ranked[i] = 1
		case strings.HasPrefix(name, low):
			ranked[i] = 1
		case strings.Contains(name, low):
			ranked[i] = 2
		case strings.Contains(strings.ToLower(e.Text), low):
			ranked[i] = 3
		}
	}
	d.shown = slices.AppendSeq(d.shown, maps.Keys(ranked))
	slices.SortFunc(d.shown, func(a, b int) int { return cmp.Or(cmp.Compare(ranked[a], ranked[b]), cmp.Compare(a, b)) })
}

func (d *Finder) rows() int {
	return max(d.scene.Height-7, 1)
}

// lines are the entries on screen, -1 for a heading.
func (d *Finder) lines() []int {
	from, to := d.list.Window()
	group := ""
	var out []int
	for _, i := range d.shown[min(from, len(d.shown)):min(to, len(d.shown))] {
		if g := d.entries[i].Group; d.grouped && g != group && d.typed.Text() == "" {
			out = append(out, -1)
			group = g
		}
		out = append(out, i)
	}
	return out
}

func (d *Finder) fill() {
	th, w := d.scene.Theme, d.inner()
	d.body = []string{
		th.Paint(theme.Accent, d.prompt) + d.typed.View(th, w-kit.Width(d.prompt), true),
		th.Paint(theme.Faint, strings.Repeat(th.Border.Rule, w)),
	}
	if len(d.shown) == 0 {
		d.body = append(d.body, th.Paint(theme.Dim, "nothing is called that"))
	}
	at, _ := d.list.Key()
	keys, names := 0, 0
	for _, e := range d.entries {
		keys, names = max(keys, kit.Width(e.Key)), max(names, kit.Width(e.Name))
	}
	names = min(names, max(w/3, 4))
	lines := d.lines()
	if over := len(lines) - d.rows(); over > 0 { // headings take room from the rows
		cut := 0
		for i, row := range lines {
			if row == at && i >= d.rows() {
				cut = min(over, i-d.rows()+1)
			}
		}
		lines = lines[cut : cut+d.rows()]
	}
	for i, row := range lines {
		if row < 0 {
			d.body = append(d.body, th.Paint(theme.Accent, d.heading(lines, i)))
			continue
		}
		on := theme.Plain
		if row == at {
			on = theme.Cursor
		}
		d.body = append(d.body, d.draw(d.entries[row], on, keys, names, w))
	}
	d.foot = []string{th.Paint(theme.Dim, "enter runs it, esc closes")}
	d.offset = 0
}

func (d *Finder) heading(lines []int, i int) string {
	if i+1 < len(lines) && lines[i+1] >= 0 {
		return d.entries[lines[i+1]].Group
	}
	return ""
}

func (d *Finder) draw(e Entry, on theme.Surface, keys, names, w int) string {
	th := d.scene.Theme
	key := th.On(on, theme.Accent, " "+kit.PadLeft(e.Key, keys, "")+"  ")
	name, left := "", w-keys-3
	if names > 0 && !d.grouped {
		name = th.On(on, theme.Strong, kit.Pad(e.Name, names, th.Ellipsis)+"  ")
		left -= names + 2
	}
	tone := theme.Text
	if e.Danger {
		tone = theme.Warn
	}
	return key + name + th.On(on, tone, kit.Pad(e.Text, max(left, 0), th.Ellipsis))
}

// Helpers

type searched []Entry

func (s searched) String(i int) string { return s[i].Name }
func (s searched) Len() int            { return len(s) }
