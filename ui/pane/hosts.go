package pane

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	tea "charm.land/bubbletea/v2"

	"binnacle/ops"
	"binnacle/ui/kit"
	"binnacle/ui/theme"
	"binnacle/ui/widget"
)

// Hosts lists the servers with their reachability and their own figures.
type Hosts struct {
	rows[string]
	hosts  map[string]int // name → index in the fleet
	all    []string       // the app's hosts in configuration order
	kept   []string       // filtered and ordered
	head   kit.Head
	seen   []ops.Host
	apps   []ops.App
	app    ops.AppID
	names  int    // width of the longest name
	domain string // what all names end with
}

// NewHosts makes the pane.
func NewHosts() *Hosts {
	return &Hosts{rows: rows[string]{orders: []string{"configuration", "name", "load", "memory", "disk"}}}
}

// Spec is constant.
func (p *Hosts) Spec() kit.Spec {
	return kit.Spec{ID: kit.Hosts, Title: "Hosts", Keys: []kit.KeySpec{
		{ID: "hosts.details", Keys: []string{"d"}, Help: "details", Long: "everything known of the host", Pane: kit.Hosts, Footer: 2},
		{ID: "hosts.logs", Keys: []string{"l"}, Help: "logs", Long: "logs of the host's containers", Pane: kit.Hosts, Footer: 3},
		{ID: "hosts.shell", Keys: []string{"s", "E"}, Help: "shell", Long: "a shell on the host", Pane: kit.Hosts, Footer: 4},
		{ID: "hosts.copy", Keys: []string{"c"}, Help: "copy", Long: "copy the host's name", Pane: kit.Hosts},
	}}
}

// Sync takes over what changed.
func (p *Hosts) Sync(scene kit.Scene) {
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
func (p *Hosts) Update(msg tea.Msg) (kit.Intent, tea.Cmd) {
	moved, marked, opened := p.update(msg)
	target, ok := p.target()
	switch {
	case marked:
		return kit.Mark{Pane: kit.Hosts, Targets: p.marked()}, nil
	case !ok:
		return nil, nil
	case opened:
		return kit.Open{View: kit.Details, Target: target}, nil
	case moved:
		return kit.Point{Target: target}, nil
	}
	if do, is := msg.(kit.Do); is {
		switch do.Action {
		case "hosts.details":
			return kit.Open{View: kit.Details, Target: target}, nil
		case "hosts.logs":
			return kit.Open{View: kit.Logs, Target: target}, nil
		case "hosts.shell":
			return kit.Shell{Target: target}, nil
		case "hosts.copy":
			return kit.Copy{Text: target.Host, What: "host name"}, nil
		}
	}
	return nil, nil
}

// Head counts the hosts and those that are lost.
func (p *Hosts) Head() kit.Head { return p.head }

// View is the table.
func (p *Hosts) View() string { return p.view("no hosts in deploy.yml") }

// Private

func (p *Hosts) index(fleet ops.Fleet, app ops.AppID) {
	p.seen, p.apps, p.app = fleet.Hosts, fleet.Apps, app
	p.hosts = make(map[string]int, len(fleet.Hosts))
	p.all = p.all[:0]
	p.head = kit.Head{}
	p.names, p.domain = 4, domainOf(fleet.Hosts)
	mine := hostsOf(fleet, app)
	for i := range fleet.Hosts {
		h := &fleet.Hosts[i]
		if mine != nil && !mine[h.Name] {
			continue
		}
		p.hosts[h.Name] = i
		p.all = append(p.all, h.Name)
		p.names = max(p.names, kit.Width(h.Name)-len(p.domain))
		switch {
		case h.Link == ops.LinkLost:
			p.head.Bad++
		case h.System.DiskTotal > 0 && h.System.DiskUsed*100/h.System.DiskTotal >= diskWarn:
			p.head.Warn++
		}
	}
	p.head.Count = len(p.all)
	p.head.Wants = len(p.all) + 1
}

func (p *Hosts) arrange() {
	p.kept = make([]string, 0, len(p.all))
	for _, name := range p.all {
		if p.scene.Filter.Empty() || p.scene.Filter.Match(p.searchable(p.host(name))) {
			p.kept = append(p.kept, name)
		}
	}
	if p.order > 0 {
		slices.SortStableFunc(p.kept, func(a, b string) int { return p.compare(p.host(a), p.host(b)) })
	}
	if p.turned {
		slices.Reverse(p.kept)
	}
}

func (p *Hosts) compare(a, b *ops.Host) int {
	switch p.orders[p.order] {
	case "load":
		return cmp.Compare(b.System.Load, a.System.Load)
	case "memory":
		return cmp.Compare(ratio(b.System.MemUsed, b.System.MemTotal), ratio(a.System.MemUsed, a.System.MemTotal))
	case "disk":
		return cmp.Compare(ratio(b.System.DiskUsed, b.System.DiskTotal), ratio(a.System.DiskUsed, a.System.DiskTotal))
	}
	return cmp.Compare(a.Name, b.Name)
}

func (p *Hosts) host(name string) *ops.Host { return &p.seen[p.hosts[name]] }

func (p *Hosts) searchable(h *ops.Host) string {
	return joinWords(h.Name, string(h.Link), h.LinkReason, h.Docker.Version, contents(h))
}

func (p *Hosts) columns() []widget.Column {
	return []widget.Column{
		{Title: "HOST", Min: min(p.names, 8), Max: min(p.names, 40)},
		{Title: "UP", Min: 4, Right: true, Drop: 3},
		{Title: "LOAD", Min: 5, Right: true, Drop: 2},
		{Title: "MEM", Min: 4, Right: true, Drop: 4},
		{Title: "DISK", Min: 5, Right: true, Drop: 1},
		{Title: "DOCKER", Min: 8, Drop: 7},
		{Title: "CONTAINERS", Min: 22, Max: 46, Drop: 6},
		{Title: "LINK", Min: 5, Drop: 8},
	}
}

func (p *Hosts) row(name string) widget.Row {
	h, th := p.host(name), p.scene.Theme
	title := widget.Cell{Text: kit.Clean(strings.TrimSuffix(h.Name, p.domain)), Tone: theme.Strong}
	switch h.Link {
	case ops.LinkLost:
		return widget.Row{
			Mark: widget.Cell{Text: th.Lost, Tone: theme.Bad}, Cells: []widget.Cell{title}, RestFrom: 1,
			Rest: widget.Cell{Text: lostText(h, p.scene), Tone: theme.Bad},
		}
	case ops.LinkConnecting, ops.LinkIdle:
		text := "connecting" + th.Ellipsis
		if h.Link == ops.LinkIdle {
			text = "not tried yet"
		}
		return widget.Row{
			Mark: widget.Cell{Text: th.Waiting, Tone: theme.Busy}, Cells: []widget.Cell{title}, RestFrom: 1,
			Rest: widget.Cell{Text: text, Tone: theme.Dim},
		}
	}
	s := h.System
	none := widget.Cell{Text: th.Dash, Tone: theme.Faint}
	up, load := none, none
	if !s.At.IsZero() {
		up = widget.Cell{Text: kit.Short(s.Uptime), Tone: theme.Text}
		load = widget.Cell{Text: fmt.Sprintf("%.2f", s.Load), Tone: theme.Text}
		if s.CPUs > 0 && s.Load > float64(s.CPUs) {
			load = widget.Cell{Text: th.Alert + load.Text, Tone: theme.Warn}
		}
	}
	return widget.Row{
		Mark: widget.Cell{Text: th.Live, Tone: theme.Good},
		Cells: []widget.Cell{
			title, up, load, shareCell(s.MemUsed, s.MemTotal, 90, 97, th), shareCell(s.DiskUsed, s.DiskTotal, diskWarn, 95, th),
			{Text: kit.Clean(h.Docker.Version), Tone: theme.Dim},
			{Text: kit.Clean(contents(h)), Tone: theme.Text},
			{Text: "live", Tone: theme.Good},
		},
	}
}

func (p *Hosts) target() (kit.Target, bool) {
	name, ok := p.list.Key()
	return kit.Target{App: p.scene.App, Host: name}, ok
}

func (p *Hosts) marked() []kit.Target {
	var out []kit.Target
	for _, name := range p.list.Marked() {
		out = append(out, kit.Target{App: p.scene.App, Host: name})
	}
	return out
}

// Helpers

// diskWarn is the share of a disk, in percent, from which pulling an image
// becomes a risk.
const diskWarn = 85

// hostsOf are the hosts of an app; nil when the fleet has one app at most.
func hostsOf(fleet ops.Fleet, app ops.AppID) map[string]bool {
	a, ok := fleet.App(app)
	if !ok || len(fleet.Apps) < 2 {
		return nil
	}
	out := map[string]bool{}
	for _, r := range a.Roles {
		for _, h := range r.Hosts {
			out[h] = true
		}
	}
	for _, acc := range a.Accessories {
		for _, h := range acc.Hosts {
			out[h] = true
		}
	}
	return out
}

func lostText(h *ops.Host, scene kit.Scene) string {
	text := "lost"
	if !h.LinkSince.IsZero() {
		text += " " + kit.Span(scene.Now.Sub(h.LinkSince)) + " ago"
	}
	if h.LinkReason != "" {
		text += " (" + kit.Clean(h.LinkReason) + ")"
	}
	return text
}

// contents sums up what runs on a host: "web v2, db, redis, proxy".
func contents(h *ops.Host) string {
	var out, accessories, proxies []string
	other := 0
	for i := range h.Containers {
		c := &h.Containers[i]
		if !c.Running() {
			continue
		}
		switch c.Kind {
		case ops.KindApp:
			out = append(out, c.Role+" "+kit.Version(c.Version))
		case ops.KindAccessory:
			accessories = append(accessories, c.Accessory)
		case ops.KindProxy:
			proxies = append(proxies, "proxy")
		default:
			other++
		}
	}
	out = append(append(out, accessories...), proxies...)
	if other > 0 {
		out = append(out, kit.Plural(other, "other"))
	}
	return strings.Join(out, ", ")
}

func ratio(part, whole int64) float64 {
	if whole <= 0 {
		return -1
	}
	return float64(part) / float64(whole)
}
