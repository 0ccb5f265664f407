package pane

import (
	"cmp"
	"strings"

	tea "charm.land/bubbletea/v2"

	"binnacle/ops"
	"binnacle/ui/kit"
	"binnacle/ui/theme"
	"binnacle/ui/widget"
)

// Accessories lists the databases and other services beside the app, one row
// for each place where one is configured, whether it runs or not.
type Accessories struct {
	rows[berth]
	seen   []ops.Host
	apps   []ops.App
	app    ops.AppID
	all    []berth
	kept   []berth
	at     map[berth]moored
	head   kit.Head
	names  int
	hosts  int
	image  int
	state  int
	backup widget.Column
	domain string
}

// berth is an accessory on a host: the identity of a row.
type berth struct{ name, host string }

// moored is what is known of a berth.
type moored struct {
	image     string
	container ops.Container // zero when there is none
	host      ops.Host
	backed    ops.Backed
	isBacked  bool
}

// NewAccessories makes the pane.
func NewAccessories() *Accessories { return &Accessories{} }

// Spec is constant.
func (p *Accessories) Spec() kit.Spec {
	return kit.Spec{ID: kit.Accessories, Title: "Accessories", Keys: []kit.KeySpec{
		{ID: "accessories.details", Keys: []string{"d"}, Help: "details", Long: "everything known of the accessory", Pane: kit.Accessories, Footer: 2},
		{ID: "accessories.logs", Keys: []string{"l"}, Help: "logs", Long: "logs of the accessory", Pane: kit.Accessories, Footer: 3},
		{ID: "accessories.shell", Keys: []string{"s", "E"}, Help: "shell", Long: "a shell in the accessory's container", Pane: kit.Accessories, Footer: 4},
		{ID: "accessories.backups", Keys: []string{"b"}, Help: "backups", Long: "what is kept of the accessory", Pane: kit.Accessories, Footer: 4},
		{ID: "accessories.create", Keys: []string{"B"}, Help: "back up", Long: "back the accessory up now", Pane: kit.Accessories, Operation: "backup create", Changes: true, Footer: 4},
		{ID: "accessories.restore", Keys: []string{"X"}, Help: "restore", Long: "restore one of its backups", Pane: kit.Accessories, Operation: "restore", Changes: true, Danger: true, Footer: 5},
		{ID: "accessories.verify", Keys: []string{"V"}, Help: "verify", Long: "read its newest backup back and check every byte", Pane: kit.Accessories, Operation: "backup verify"},
		{ID: "accessories.drill", Keys: []string{"A"}, Help: "drill", Long: "restore its newest backup into a throwaway container", Pane: kit.Accessories, Operation: "backup drill", Changes: true},
		{ID: "accessories.restart", Keys: []string{"T"}, Help: "restart", Long: "restart the accessory on its hosts", Pane: kit.Accessories, Operation: "accessory restart", Changes: true, Danger: true},
	}}
}

// Sync takes over what changed.
func (p *Accessories) Sync(scene kit.Scene) {
	fleet := scene.State.Fleet
	if !sameSlice(p.seen, fleet.Hosts) || !sameSlice(p.apps, fleet.Apps) || p.app != scene.App {
		p.index(fleet, scene.App)
	}
	p.scene = scene
	p.kept = make([]berth, 0, len(p.all))
	for _, b := range p.all {
		m := p.at[b]
		if scene.Filter.Match(joinWords(b.name, b.host, m.image, m.container.State, m.container.Health, backupWords(&m.backed, scene.Now))) {
			p.kept = append(p.kept, b)
		}
	}
	p.measure()
	p.fit(p.columns(), p.kept, p.row)
	p.head.Shown = len(p.kept)
}

// Update handles the pane's keys and the mouse.
func (p *Accessories) Update(msg tea.Msg) (kit.Intent, tea.Cmd) {
	moved, marked, opened := p.update(msg)
	b, ok := p.list.Key()
	switch {
	case marked:
		return kit.Mark{Pane: kit.Accessories, Targets: p.marked()}, nil
	case !ok:
		return nil, nil
	case opened:
		return kit.Open{View: kit.Details, Target: p.target(b)}, nil
	case moved:
		return kit.Point{Target: p.target(b)}, nil
	}
	do, is := msg.(kit.Do)
	if !is {
		return nil, nil
	}
	switch do.Action {
	case "accessories.details":
		return kit.Open{View: kit.Details, Target: p.target(b)}, nil
	case "accessories.logs":
		return kit.Open{View: kit.Logs, Target: p.target(b)}, nil
	case "accessories.backups":
		return kit.Open{View: kit.Backups, Target: p.target(b)}, nil
	case "accessories.shell":
		if p.at[b].container.ID == "" {
			return kit.Tell{Text: b.name + " has no container on " + b.host, Err: true}, nil
		}
		return kit.Shell{Target: p.target(b)}, nil
	}
	return nil, nil
}

// Pointed is the row under the cursor.
func (p *Accessories) Pointed() (kit.Target, bool) {
	b, ok := p.list.Key()
	return p.target(b), ok
}

// Head counts the accessories and those that do not run.
func (p *Accessories) Head() kit.Head { return p.head }

// View is the table.
func (p *Accessories) View() string { return p.view("no accessories in deploy.yml") }

// Private

func (p *Accessories) index(fleet ops.Fleet, app ops.AppID) {
	p.seen, p.apps, p.app = fleet.Hosts, fleet.Apps, app
	p.all, p.at, p.head = p.all[:0], map[berth]moored{}, kit.Head{}
	p.names, p.hosts, p.image, p.state, p.domain = 4, 4, 5, 7, domainOf(fleet.Hosts)
	a, _ := fleet.App(app)
	for _, acc := range a.Accessories {
		for _, name := range acc.Hosts {
			b := berth{name: acc.Name, host: name}
			m := moored{image: acc.Image}
			m.host, _ = fleet.Host(name)
			m.backed, m.isBacked = backedOn(&a, acc.Name, name)
			for _, c := range m.host.Containers {
				if c.Kind == ops.KindAccessory && c.App == app && c.Accessory == acc.Name {
					m.container = c
				}
			}
			p.all, p.at[b] = append(p.all, b), m
			p.names, p.hosts = max(p.names, kit.Width(b.name)), max(p.hosts, kit.Width(b.host)-len(p.domain))
			p.image = max(p.image, kit.Width(shortImage(m.image)))
			p.state = max(p.state, kit.Width(containerState(m.container).Text))
			p.count(m)
		}
	}
	p.head.Count = len(p.all)
	p.head.Wants = len(p.all) + 1
}

func (p *Accessories) count(m moored) {
	switch c := m.container; {
	case stale(m.host):
	case c.State != "running", c.Health == "unhealthy":
		p.head.Bad++
	}
	if m.backed.Alarm != "" || m.backed.Problem != "" {
		p.head.Warn++
	}
}

// wordsFrom is the width from which a backup's rung is a word at least, whatever
// other column has to go for it.
const wordsFrom = 48

// measure is the column of backups, none where nothing is known.
func (p *Accessories) measure() {
	p.backup = widget.Column{Title: "BACKUP", Drop: 1}
	for _, b := range p.all {
		c := p.backed(b)
		least := cmp.Or(c.Shorter[1], c.Text)
		if p.scene.Width >= wordsFrom {
			least = cmp.Or(c.Shorter[0], c.Text)
		}
		p.backup.Min, p.backup.Max = max(p.backup.Min, kit.Width(least)), max(p.backup.Max, kit.Width(c.Text))
	}
}

func (p *Accessories) backed(b berth) widget.Cell {
	m := p.at[b]
	if !m.isBacked {
		return widget.Cell{}
	}
	return backupCell(&m.backed, p.scene.Now, p.scene.Theme)
}

func (p *Accessories) columns() []widget.Column {
	health := 6
	if p.backup.Min > 0 {
		health = 7 // the mark in front tells of it too
	}
	columns := []widget.Column{
		{Title: "NAME", Min: min(p.names, 8), Max: min(p.names, 20)},
		{Title: "HOST", Min: min(p.hosts, 8), Max: min(p.hosts, 40)},
		{Title: "IMAGE", Min: min(p.image, 10), Max: min(p.image, 28), Drop: 2},
		{Title: "STATE", Min: min(p.state, 9), Max: min(p.state, 16)},
		{Title: "HEALTH", Min: 8, Drop: health},
		{Title: "CPU", Min: 4, Right: true, Drop: 5},
		{Title: "MEM", Min: 4, Right: true, Drop: 4},
		{Title: "UP", Min: 4, Right: true, Drop: 3},
	}
	if p.backup.Min > 0 {
		columns = append(columns, p.backup)
	}
	return columns
}

func (p *Accessories) row(b berth) widget.Row {
	m, th := p.at[b], p.scene.Theme
	c := m.container
	image := m.image
	if c.Image != "" {
		image = c.Image
	}
	cells := []widget.Cell{
		{Text: kit.Clean(b.name), Tone: theme.Strong},
		{Text: kit.Clean(strings.TrimSuffix(b.host, p.domain)), Tone: theme.Text},
		{Text: kit.Clean(shortImage(image)), Tone: theme.Dim},
	}
	switch {
	case stale(m.host):
		return widget.Row{
			Mark: widget.Cell{Text: th.Unknown, Tone: theme.Warn}, Cells: cells, RestFrom: 3,
			Rest: p.instead(since(m.host, p.scene.Now), m, theme.Warn),
		}
	case c.ID == "":
		return widget.Row{
			Mark: widget.Cell{Text: th.Lost, Tone: theme.Bad}, Cells: cells, RestFrom: 3,
			Rest: p.instead("no container", m, theme.Bad),
		}
	}
	return widget.Row{Mark: containerMark(c, th), Cells: append(cells,
		containerState(c), containerHealth(c, &m.host, th), cpuCell(c, th), memoryCell(c, th), uptimeCell(c, p.scene.Now, th),
		p.backed(b),
	)}
}

// instead says why there is nothing else to see of an accessory, and, where there
// is room, what could be restored.
func (p *Accessories) instead(why string, m moored, tone theme.Tone) widget.Cell {
	words := backupWords(&m.backed, p.scene.Now)
	if words == "" {
		return widget.Cell{Text: why, Tone: tone}
	}
	return widget.Cell{Text: why + " " + p.scene.Theme.Dot + " " + words, Tone: tone, Shorter: [2]string{why}}
}

func (p *Accessories) target(b berth) kit.Target {
	t := kit.Target{App: p.scene.App, Host: b.host, Accessory: b.name, Container: p.at[b].container.ID, Backup: b.name}
	if m := p.at[b]; m.isBacked {
		t.Backup = m.backed.Name
	}
	return t
}

func (p *Accessories) marked() []kit.Target {
	var out []kit.Target
	for _, b := range p.list.Marked() {
		out = append(out, p.target(b))
	}
	return out
}
