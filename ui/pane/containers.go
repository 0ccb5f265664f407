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

// Containers lists what runs, ran and serves: the app's containers of every
// role and version, and the proxies in front of them.
type Containers struct {
	rows[ops.ContainerID]
	seen   []ops.Host
	apps   []ops.App
	app    ops.AppID
	all    []place
	kept   []ops.ContainerID
	at     map[ops.ContainerID]int // → index in all
	head   kit.Head
	width  struct{ role, host, version, state int }
	domain string
}

// place is a container with what decides how it is shown.
type place struct {
	ops.Container
	host int // index in the fleet
	role int // order of the role
}

// NewContainers makes the pane.
func NewContainers() *Containers {
	return &Containers{rows: rows[ops.ContainerID]{orders: []string{"role", "host", "version", "cpu", "memory", "age"}}}
}

// Spec is constant.
func (p *Containers) Spec() kit.Spec {
	return kit.Spec{ID: kit.Containers, Title: "Containers", Keys: []kit.KeySpec{
		{ID: "containers.details", Keys: []string{"d"}, Help: "details", Long: "everything known of the container", Pane: kit.Containers, Footer: 2},
		{ID: "containers.logs", Keys: []string{"l"}, Help: "logs", Long: "logs of the container", Pane: kit.Containers, Footer: 3},
		{ID: "containers.shell", Keys: []string{"s", "E"}, Help: "shell", Long: "a shell in the container", Pane: kit.Containers, Footer: 4},
		{ID: "containers.copy", Keys: []string{"c"}, Help: "copy", Long: "copy the container's name", Pane: kit.Containers},
	}}
}

// Sync takes over what changed.
func (p *Containers) Sync(scene kit.Scene) {
	fleet := scene.State.Fleet
	if !sameSlice(p.seen, fleet.Hosts) || !sameSlice(p.apps, fleet.Apps) || p.app != scene.App {
		p.index(fleet, scene.App)
	}
	p.scene = scene
	p.arrange()
	p.fit(p.columns(), p.kept, p.row)
	p.head.Note, p.head.Shown = p.orderNote(), len(p.kept)
}

// Update handles the pane's keys and the mouse.
func (p *Containers) Update(msg tea.Msg) (kit.Intent, tea.Cmd) {
	moved, marked, opened := p.update(msg)
	key, ok := p.list.Key()
	switch {
	case marked:
		return kit.Mark{Pane: kit.Containers, Targets: p.marked()}, nil
	case !ok:
		return nil, nil
	case opened:
		return kit.Open{View: kit.Details, Target: p.target(key)}, nil
	case moved:
		return kit.Point{Target: p.target(key)}, nil
	}
	do, is := msg.(kit.Do)
	if !is {
		return nil, nil
	}
	switch do.Action {
	case "containers.details":
		return kit.Open{View: kit.Details, Target: p.target(key)}, nil
	case "containers.logs":
		return kit.Open{View: kit.Logs, Target: p.target(key)}, nil
	case "containers.shell":
		return kit.Shell{Target: p.target(key)}, nil
	case "containers.copy":
		return kit.Copy{Text: p.container(key).Name, What: "container name"}, nil
	}
	return nil, nil
}

// Head counts the containers and those that failed.
func (p *Containers) Head() kit.Head { return p.head }

// View is the table.
func (p *Containers) View() string { return p.view("no containers seen yet") }

// Private

func (p *Containers) index(fleet ops.Fleet, app ops.AppID) {
	p.seen, p.apps, p.app = fleet.Hosts, fleet.Apps, app
	p.all = p.all[:0]
	p.head, p.domain = kit.Head{}, domainOf(fleet.Hosts)
	p.width.role, p.width.host, p.width.version, p.width.state = 4, 4, 7, 7
	mine := hostsOf(fleet, app)
	roles := map[string]int{}
	if a, ok := fleet.App(app); ok {
		for i, r := range a.Roles {
			roles[r.Name] = i + 1
			if r.Primary {
				roles[r.Name] = 0
			}
		}
	}
	for i := range fleet.Hosts {
		h := &fleet.Hosts[i]
		if mine != nil && !mine[h.Name] {
			continue
		}
		for _, c := range h.Containers {
			if c.Kind == ops.KindApp && (c.App == app || app == "") || c.Kind == ops.KindProxy {
				p.add(c, i, h, roles)
			}
		}
	}
	slices.SortStableFunc(p.all, byPlace)
	p.at = make(map[ops.ContainerID]int, len(p.all))
	for i := range p.all {
		p.at[p.all[i].Key()] = i
	}
	p.head.Count = len(p.all)
	p.head.Wants = len(p.all) + 1
}

func (p *Containers) add(c ops.Container, host int, h *ops.Host, roles map[string]int) {
	role, ok := roles[c.Role]
	if !ok {
		role = len(roles) + 1
	}
	if c.Kind == ops.KindProxy {
		role = len(roles) + 2
		c.Role, c.Version = "proxy", tagOf(c.Image)
	}
	p.all = append(p.all, place{Container: c, host: host, role: role})
	p.width.role = max(p.width.role, kit.Width(c.Role))
	p.width.host = max(p.width.host, kit.Width(c.Host)-len(p.domain))
	p.width.version = max(p.width.version, kit.Width(kit.Version(c.Version)))
	p.width.state = max(p.width.state, kit.Width(containerState(c).Text))
	switch {
	case stale(*h):
	case c.State == "restarting", c.State == "running" && c.Health == "unhealthy":
		p.head.Bad++
	case crashed(c):
		p.head.Warn++
	}
}

func (p *Containers) arrange() {
	p.kept = make([]ops.ContainerID, 0, len(p.all))
	for i := range p.all {
		if p.scene.Filter.Empty() || p.scene.Filter.Match(p.searchable(&p.all[i])) {
			p.kept = append(p.kept, p.all[i].Key())
		}
	}
	if p.order > 0 {
		slices.SortStableFunc(p.kept, func(a, b ops.ContainerID) int { return p.compare(p.container(a), p.container(b)) })
	}
	if p.turned {
		slices.Reverse(p.kept)
	}
}

func (p *Containers) compare(a, b *place) int {
	switch p.orders[p.order] {
	case "host":
		return cmp.Compare(a.host, b.host)
	case "version":
		return cmp.Compare(a.Version, b.Version)
	case "cpu":
		return cmp.Compare(b.CPU, a.CPU)
	case "memory":
		return cmp.Compare(b.Memory, a.Memory)
	}
	return b.Created.Compare(a.Created)
}

func (p *Containers) container(key ops.ContainerID) *place { return &p.all[p.at[key]] }

func (p *Containers) searchable(c *place) string {
	return joinWords(c.Role, c.Host, c.Version, c.State, c.Health, c.Name, c.Image)
}

func (p *Containers) columns() []widget.Column {
	return []widget.Column{
		{Title: "ROLE", Min: min(p.width.role, 6), Max: min(p.width.role, 16)},
		{Title: "HOST", Min: min(p.width.host, 8), Max: min(p.width.host, 40)},
		{Title: "VERSION", Min: min(p.width.version, 8), Max: min(p.width.version, 24)},
		{Title: "STATE", Min: min(p.width.state, 9), Max: min(p.width.state, 16)},
		{Title: "HEALTH", Min: 8, Drop: 2},
		{Title: "CPU", Min: 4, Right: true, Drop: 4},
		{Title: "MEM", Min: 4, Right: true, Drop: 5},
		{Title: "UP", Min: 4, Right: true, Drop: 1},
		{Title: "ID", Min: 12, Drop: 9},
	}
}

func (p *Containers) row(key ops.ContainerID) widget.Row {
	c, th := p.container(key), p.scene.Theme
	old := theme.Text
	if !c.Running() {
		old = theme.Dim
	}
	cells := []widget.Cell{
		{Text: kit.Clean(c.Role), Tone: old},
		{Text: kit.Clean(strings.TrimSuffix(c.Host, p.domain)), Tone: old},
		{Text: kit.Clean(kit.Version(c.Version)), Tone: max(old, theme.Text)},
	}
	if c.Running() {
		cells[0].Tone = theme.Strong
	}
	if h := &p.seen[c.host]; stale(*h) {
		tone := theme.Warn
		if !c.Running() {
			tone = theme.Dim
		}
		for i := range cells {
			cells[i].Tone = theme.Dim // the last that is known, not what is
		}
		return widget.Row{
			Mark: widget.Cell{Text: th.Unknown, Tone: tone}, Cells: cells, RestFrom: 3,
			Rest: widget.Cell{Text: since(*h, p.scene.Now), Tone: tone},
		}
	}
	return widget.Row{Mark: containerMark(c.Container, th), Cells: append(cells,
		containerState(c.Container), containerHealth(c.Container, &p.seen[c.host], th), cpuCell(c.Container, th), memoryCell(c.Container, th),
		uptimeCell(c.Container, p.scene.Now, th), widget.Cell{Text: shortID(c.ID), Tone: theme.Faint},
	)}
}

func (p *Containers) target(key ops.ContainerID) kit.Target {
	c := p.container(key)
	role := c.Role
	if c.Kind == ops.KindProxy {
		role = ""
	}
	return kit.Target{App: p.scene.App, Host: c.Host, Role: role, Container: c.ID}
}

func (p *Containers) marked() []kit.Target {
	var out []kit.Target
	for _, key := range p.list.Marked() {
		out = append(out, p.target(key))
	}
	return out
}

// Helpers

// byPlace puts what runs first, then follows the roles, the hosts and age.
func byPlace(a, b place) int {
	return cmp.Or(
		cmp.Compare(rank(a), rank(b)), cmp.Compare(a.role, b.role), cmp.Compare(a.host, b.host),
		b.Created.Compare(a.Created), cmp.Compare(a.Name, b.Name),
	)
}

func rank(c place) int {
	if c.Running() || c.State == "created" || c.State == "paused" {
		return 0
	}
	return 1
}

func tagOf(ref string) string {
	name := shortImage(ref)
	for i := len(name) - 1; i >= 0; i-- {
		if name[i] == ':' {
			return name[i+1:]
		}
	}
	return name
}
