package pane

import (
	"cmp"
	"slices"
	"strings"

	tea "charm.land/bubbletea/v2"

	"binnacle/ops"
	"binnacle/ui/kit"
	"binnacle/ui/theme"
	"binnacle/ui/widget"
)

// Backups lists what the stores hold of the app, or of one thing that is backed
// up: what was never backed up and stores that cannot be read are rows too.
type Backups struct {
	rows[shelved]
	apps  []ops.App
	app   ops.AppID
	scope kit.Target // what the rows are narrowed to
	all   []shelved
	kept  []shelved
	at    map[shelved]stored
	head  kit.Head
	wide  widths
}

// shelved is a backup's identity. Without an id it is a row about all of them.
type shelved struct{ name, id string }

// stored is where a row's facts are.
type stored struct {
	backed *ops.Backed
	kept   *ops.Kept // nil for a row about all of them
	newest bool      // of those that nothing is known against
}

// widths are what columns would take, at most.
type widths struct{ name, schema, note, by, store int }

// NewBackups makes the pane.
func NewBackups() *Backups {
	return &Backups{rows: rows[shelved]{orders: []string{"name", "date", "size", "rows", "rung"}}}
}

// Spec is constant.
func (p *Backups) Spec() kit.Spec {
	const pane = kit.Backups
	return kit.Spec{ID: pane, Title: "Backups", Keys: []kit.KeySpec{
		{ID: "backups.details", Keys: []string{"d"}, Help: "details", Long: "everything known of the backup", Pane: pane, Footer: 6},
		{ID: "backups.copy", Keys: []string{"c"}, Help: "copy", Long: "copy the backup's identifier", Pane: pane},
		{ID: "backups.create", Keys: []string{"B"}, Help: "back up", Long: "back it up now", Pane: pane, Operation: "backup create", Changes: true, Footer: 2},
		{ID: "backups.restore", Keys: []string{"X"}, Help: "restore", Long: "restore this backup", Pane: pane, Operation: "restore", Changes: true, Danger: true, Footer: 2},
		{ID: "backups.verify", Keys: []string{"V"}, Help: "verify", Long: "read it back and check every byte", Pane: pane, Operation: "backup verify", Footer: 3},
		{ID: "backups.drill", Keys: []string{"A"}, Help: "drill", Long: "restore it into a throwaway container", Pane: pane, Operation: "backup drill", Changes: true, Footer: 4},
		{ID: "backups.prune", Keys: []string{"P"}, Help: "prune", Long: "show what the retention rule drops, and drop it", Pane: pane, Operation: "backup prune", Changes: true, Danger: true, Footer: 7},
	}}
}

// Sync takes over what changed.
func (p *Backups) Sync(scene kit.Scene) {
	scope := p.scope
	if scene.Target.Kept == "" { // the details of a backup leave the list as it is
		scope = scene.Target
	}
	if !sameSlice(p.apps, scene.State.Fleet.Apps) || p.app != scene.App || p.scope != scope {
		p.scope = scope
		p.index(scene.State.Fleet, scene.App)
	}
	p.scene = scene
	p.arrange()
	p.fit(p.columns(), p.kept, p.row)
	p.head.Note = p.orderNote()
}

// Update handles the pane's keys and the mouse.
func (p *Backups) Update(msg tea.Msg) (kit.Intent, tea.Cmd) {
	_, marked, opened := p.update(msg)
	key, ok := p.list.Key()
	switch {
	case marked:
		return kit.Mark{Pane: kit.Backups, Targets: p.marked()}, nil
	case !ok:
		return nil, nil
	case opened:
		return p.details(key), nil
	}
	if do, is := msg.(kit.Do); is {
		switch do.Action {
		case "backups.details":
			return p.details(key), nil
		case "backups.copy":
			if key.id == "" {
				return kit.Tell{Text: key.name + " has no backup here"}, nil
			}
			return kit.Copy{Text: key.id, What: "backup's identifier"}, nil
		}
	}
	return nil, nil
}

// Pointed is the row under the cursor.
func (p *Backups) Pointed() (kit.Target, bool) {
	key, ok := p.list.Key()
	return p.target(key), ok
}

// Head counts the backups, those that are damaged, and what needs a look.
func (p *Backups) Head() kit.Head { return p.head }

// View is the table.
func (p *Backups) View() string {
	if p.scope.Backup != "" {
		return p.view("no backups of " + kit.Clean(p.scope.Backup) + " are known: the store was not read yet, or nothing of it is backed up")
	}
	return p.view("no backups are known: the stores were not read yet, or there is nothing to back up")
}

// Private

func (p *Backups) index(fleet ops.Fleet, app ops.AppID) {
	p.apps, p.app = fleet.Apps, app
	p.all, p.at, p.head, p.wide = p.all[:0], map[shelved]stored{}, kit.Head{}, widths{name: 4, schema: 6, note: 4, by: 2, store: 5}
	if p.scope.Backup != "" {
		p.head.Title = "Backups of " + kit.Clean(p.scope.Backup)
	}
	a, _ := fleet.App(app)
	for i := range a.Backups {
		if b := &a.Backups[i]; p.inScope(b) {
			p.add(b)
		}
	}
	p.head.Wants = len(p.all) + 1
}

// inScope keeps what the scope names, with all else of the same accessory.
func (p *Backups) inScope(b *ops.Backed) bool {
	s := p.scope
	return s.Backup == "" || b.Name == s.Backup || s.Accessory != "" && b.Accessory == s.Accessory && b.Host == s.Host
}

func (p *Backups) add(b *ops.Backed) {
	p.wide.name, p.wide.store = max(p.wide.name, kit.Width(kit.Clean(b.Name))), max(p.wide.store, kit.Width(kit.Clean(b.Store)))
	if b.Alarm != "" || b.Problem != "" {
		p.head.Warn++
	}
	if b.Problem != "" || len(b.Kept) == 0 {
		key := shelved{name: b.Name}
		p.all, p.at[key] = append(p.all, key), stored{backed: b}
	}
	newest := false
	for i := range b.Kept {
		k := &b.Kept[i]
		at := stored{backed: b, kept: k}
		switch {
		case k.Problem != "":
			p.head.Bad++
		case !newest:
			newest, at.newest = true, true
		}
		key := shelved{b.Name, k.ID}
		p.all, p.at[key] = append(p.all, key), at
		p.wide.schema, p.wide.by = max(p.wide.schema, kit.Width(kit.Clean(k.Schema))), max(p.wide.by, kit.Width(kit.Clean(k.By)))
		p.wide.note = max(p.wide.note, kit.Width(kit.Clean(note(at))))
		p.head.Count++
	}
}

func (p *Backups) arrange() {
	p.kept, p.head.Shown = make([]shelved, 0, len(p.all)), 0
	for _, key := range p.all {
		if !p.scene.Filter.Empty() && !p.scene.Filter.Match(searchable(p.at[key])) {
			continue
		}
		p.kept = append(p.kept, key)
		if key.id != "" {
			p.head.Shown++
		}
	}
	if p.order > 0 {
		slices.SortStableFunc(p.kept, p.compare)
	}
	if p.turned {
		slices.Reverse(p.kept)
	}
}

// compare orders two rows; what is no backup stays in front.
func (p *Backups) compare(a, b shelved) int {
	x, y := p.at[a].kept, p.at[b].kept
	if x == nil || y == nil {
		return cmp.Compare(len(a.id), len(b.id))
	}
	switch p.orders[p.order] {
	case "size":
		return cmp.Compare(y.Size, x.Size)
	case "rows":
		return cmp.Compare(y.Rows, x.Rows)
	case "rung":
		return cmp.Compare(y.Rung, x.Rung)
	}
	return y.At.Compare(x.At)
}

func (p *Backups) columns() []widget.Column {
	return []widget.Column{
		{Title: "NAME", Min: min(p.wide.name, 8), Max: min(p.wide.name, 24)},
		{Title: "AGE", Min: 4, Right: true},
		{Title: "DATE", Min: 16, Drop: 4},
		{Title: "SIZE", Min: 4, Right: true, Drop: 1},
		{Title: "ROWS", Min: 5, Right: true, Drop: 3},
		{Title: "RUNG", Min: 12, Max: 17},
		{Title: "SCHEMA", Min: min(p.wide.schema, 14), Max: min(p.wide.schema, 20), Drop: 2},
		{Title: "NOTE", Min: min(p.wide.note, 9), Max: min(p.wide.note, 44), Drop: 5},
		{Title: "BY", Min: min(p.wide.by, 8), Max: min(p.wide.by, 20), Drop: 6},
		{Title: "STORE", Min: min(p.wide.store, 24), Max: min(p.wide.store, 60), Drop: 7},
	}
}

func (p *Backups) row(key shelved) widget.Row {
	at, th, now := p.at[key], p.scene.Theme, p.scene.Now
	name := widget.Cell{Text: kit.Clean(key.name), Tone: theme.Strong}
	if at.kept == nil {
		return p.about(at.backed, name)
	}
	k := at.kept
	row := widget.Row{Mark: widget.Cell{Text: th.Off, Tone: theme.Dim}, Cells: []widget.Cell{
		name, {Text: kit.Short(now.Sub(k.At)), Tone: theme.Text}, {Text: k.At.UTC().Format("2006-01-02 15:04"), Tone: theme.Dim},
		{Text: kit.Bytes(k.Size), Tone: theme.Text}, {Text: count(k.Rows, th), Tone: theme.Text},
		widget.Rung(k.Rung, th), {Text: kit.Clean(k.Schema), Tone: theme.Dim}, remark(at),
		{Text: kit.Clean(k.By), Tone: theme.Dim}, {Text: kit.Clean(at.backed.Store), Tone: theme.Dim},
	}}
	switch {
	case k.Problem != "":
		row.Mark = widget.Cell{Text: th.Lost, Tone: theme.Bad}
		row.RestFrom, row.Rest = 5, widget.Cell{Text: kit.Clean(k.Problem), Tone: theme.Bad}
	case at.backed.Problem != "":
		row.Mark = widget.Cell{Text: th.Unknown, Tone: theme.Warn}
	case at.newest && at.backed.Alarm != "":
		row.Mark, row.Cells[7].Tone = widget.Cell{Text: th.Alert, Tone: theme.Warn}, theme.Warn
	case at.newest:
		row.Mark = widget.Cell{Text: th.Live, Tone: theme.Good}
	}
	return row
}

// about is a row on all backups of one thing: the store's failure, or that there
// is none.
func (p *Backups) about(b *ops.Backed, name widget.Cell) widget.Row {
	th := p.scene.Theme
	row := widget.Row{RestFrom: 1, Cells: []widget.Cell{name}}
	switch {
	case unread(b):
		row.Mark, row.Rest = widget.Cell{Text: th.Waiting, Tone: theme.Busy}, widget.Cell{Text: "the store was not read yet", Tone: theme.Dim}
	case b.Problem != "":
		seen := "never read"
		if !b.SeenAt.IsZero() {
			seen = "seen " + ago(p.scene.Now, b.SeenAt)
		}
		row.Mark = widget.Cell{Text: th.Unknown, Tone: theme.Bad}
		row.Rest = widget.Cell{Text: kit.Clean(seen + ", store not reached: " + b.Problem), Tone: theme.Bad}
	default:
		row.Mark = widget.Cell{Text: th.Alert, Tone: theme.Bad}
		row.Rest = widget.Cell{Text: "no backups yet " + th.Dot + " B backs it up", Tone: theme.Bad}
	}
	return row
}

func (p *Backups) details(key shelved) kit.Intent {
	if key.id == "" {
		return kit.Tell{Text: key.name + " has no backup here to show"}
	}
	return kit.Open{View: kit.Details, Target: p.target(key)}
}

func (p *Backups) target(key shelved) kit.Target {
	t := kit.Target{App: p.scene.App, Backup: key.name, Kept: key.id}
	if at, ok := p.at[key]; ok {
		t.Host, t.Accessory, t.Role = at.backed.Host, at.backed.Accessory, at.backed.Role
	}
	return t
}

func (p *Backups) marked() []kit.Target {
	var out []kit.Target
	for _, key := range p.list.Marked() {
		out = append(out, p.target(key))
	}
	return out
}

// Helpers

// note is what a backup's columns do not say.
func note(at stored) string {
	words := at.kept.Remark()
	if !at.newest || at.backed.Alarm == "" {
		return words
	}
	return strings.TrimSuffix(at.backed.Alarm+", "+words, ", ")
}

// remark is the note, or its first words.
func remark(at stored) widget.Cell {
	text := kit.Clean(note(at))
	first, _, _ := strings.Cut(text, ",")
	return widget.Cell{Text: text, Tone: theme.Dim, Shorter: [2]string{text[:max(strings.LastIndex(text, ","), 0)], first}}
}

func searchable(at stored) string {
	b := at.backed
	text := joinWords(b.Name, b.Engine, b.Accessory, b.Role, b.Host, b.Store, b.Problem)
	if k := at.kept; k != nil {
		return joinWords(text, k.ID, k.At.UTC().Format("2006-01-02 15:04"), k.Rung.String(), k.Schema, note(at), k.By, k.Problem)
	}
	return joinWords(text, b.Alarm)
}

func count(n int64, th theme.Theme) string {
	if n == 0 {
		return th.Dash
	}
	return kit.Count(n)
}
