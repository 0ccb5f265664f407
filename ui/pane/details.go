package pane

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"

	"binnacle/ops"
	"binnacle/ui/kit"
	"binnacle/ui/theme"
)

// Details shows everything known of one host, container or accessory.
type Details struct {
	scene  kit.Scene
	title  string
	lines  []string
	copy   string // the thing's name
	offset int
	target kit.Target
}

// NewDetails makes the pane.
func NewDetails() *Details { return &Details{} }

// Spec is constant.
func (p *Details) Spec() kit.Spec {
	return kit.Spec{ID: kit.Details, Title: "Details", Keys: []kit.KeySpec{
		{ID: "details.logs", Keys: []string{"l"}, Help: "logs", Long: "its logs", Pane: kit.Details, Footer: 2},
		{ID: "details.shell", Keys: []string{"s", "E"}, Help: "shell", Long: "a shell there", Pane: kit.Details, Footer: 3},
		{ID: "details.copy", Keys: []string{"c"}, Help: "copy", Long: "copy its name", Pane: kit.Details, Footer: 4},
	}}
}

// Sync takes over what changed.
func (p *Details) Sync(scene kit.Scene) {
	if p.target != scene.Target {
		p.offset = 0
	}
	p.scene, p.target = scene, scene.Target
	s := sheet{scene: scene}
	p.title, p.copy = s.fill()
	p.lines = s.lines
	p.scroll(0)
}

// Update handles the pane's keys and the mouse.
func (p *Details) Update(msg tea.Msg) (kit.Intent, tea.Cmd) {
	switch msg := msg.(type) {
	case kit.Wheel:
		p.scroll(msg.Lines)
	case kit.Do:
		return p.do(msg.Action), nil
	}
	return nil, nil
}

// Head names the thing.
func (p *Details) Head() kit.Head {
	return kit.Head{Count: -1, Title: p.title, Wants: len(p.lines), Note: p.more()}
}

// View is the window of the sheet.
func (p *Details) View() string {
	return kit.Fit(p.lines[min(p.offset, len(p.lines)):], p.scene.Width, p.scene.Height)
}

// Private

func (p *Details) do(a kit.Action) kit.Intent {
	page := max(p.scene.Height-1, 1)
	step, ok := map[kit.Action]int{
		kit.Up: -1, kit.Down: 1, kit.PageUp: -page, kit.PageDown: page, kit.HalfUp: -page / 2, kit.HalfDown: page / 2,
		kit.Top: -len(p.lines), kit.Bottom: len(p.lines),
	}[a]
	if ok {
		p.scroll(step)
		return nil
	}
	switch a {
	case "details.logs":
		return kit.Open{View: kit.Logs, Target: p.target}
	case "details.shell":
		return kit.Shell{Target: p.target}
	case "details.copy":
		return kit.Copy{Text: p.copy, What: "name"}
	}
	return nil
}

func (p *Details) scroll(by int) {
	p.offset = max(0, min(p.offset+by, len(p.lines)-p.scene.Height))
}

func (p *Details) more() string {
	if len(p.lines) <= p.scene.Height {
		return ""
	}
	return fmt.Sprintf("%d-%d of %d", p.offset+1, min(p.offset+p.scene.Height, len(p.lines)), len(p.lines))
}

// sheet collects labelled lines.
type sheet struct {
	scene kit.Scene
	lines []string
}

func (s *sheet) fill() (title, name string) {
	fleet, t := s.scene.State.Fleet, s.scene.Target
	app, _ := fleet.App(s.scene.App)
	if t.Kept != "" {
		return s.fromStore(&app, t)
	}
	h, known := fleet.Host(t.Host)
	if !known {
		s.text(theme.Dim, "point at a host, container or accessory first")
		return "Details", ""
	}
	if t.Container != "" {
		if c, ok := fleet.Container(t.Key()); ok {
			s.container(c, h)
			s.accessory(&app, t)
			s.labels(c)
			return c.Name, c.Name
		}
		s.text(theme.Warn, "this container is gone; its host shows what runs now")
	}
	s.accessory(&app, t)
	s.host(h)
	return h.Name, h.Name
}

func (s *sheet) host(h ops.Host) {
	now := s.scene.Now
	s.section("Host")
	s.link(h)
	if h.Docker.Version != "" {
		s.row("Docker", joinWords(h.Docker.Version, "API "+h.Docker.APIVersion))
		s.row("System", joinWords(h.Docker.OS, h.Docker.Architecture))
	}
	if f := h.System; !f.At.IsZero() {
		s.row("up", kit.Short(f.Uptime))
		s.row("load", fmt.Sprintf("%.2f on %s", f.Load, kit.Plural(f.CPUs, "core")))
		s.row("memory", fmt.Sprintf("%s of %s, %s", kit.Bytes(f.MemUsed), kit.Bytes(f.MemTotal), kit.Percent(f.MemUsed, f.MemTotal)))
		s.row("disk", fmt.Sprintf("%s of %s, %s", kit.Bytes(f.DiskUsed), kit.Bytes(f.DiskTotal), kit.Percent(f.DiskUsed, f.DiskTotal)))
		s.row("read", ago(now, f.At))
	}
	if len(h.Routes) > 0 {
		s.section("Proxy")
		for _, r := range h.Routes {
			s.row(r.Service, routeText(r, s.scene.Theme))
		}
	}
	s.section(fmt.Sprintf("Containers %d", len(h.Containers)))
	for _, c := range h.Containers {
		state := containerState(c)
		s.toned(c.Name, joinWords(state.Text, c.Health), state.Tone)
	}
	if len(h.Images) > 0 {
		s.section(fmt.Sprintf("Images %d", len(h.Images)))
		for _, img := range h.Images {
			s.row(imageName(img), joinWords(kit.Bytes(img.Size), ago(now, img.Created), shortID(img.ID)))
		}
	}
}

func (s *sheet) container(c ops.Container, h ops.Host) {
	now := s.scene.Now
	s.section("Container")
	if stale(h) {
		s.toned("state", since(h, now)+", then "+containerState(c).Text, theme.Warn)
	} else {
		state := containerState(c)
		s.toned("state", state.Text, state.Tone)
	}
	if c.Health != "" {
		s.row("health", c.Health)
	}
	s.row("name", c.Name)
	s.row("id", shortID(c.ID))
	s.row("host", h.Name)
	s.row("role", c.Role)
	s.row("accessory", c.Accessory)
	s.row("version", c.Version)
	s.row("image", c.Image)
	s.row("image id", shortID(c.ImageID))
	if c.Restarts > 0 {
		s.toned("restarts", fmt.Sprint(c.Restarts), theme.Warn)
	}
	if c.OOMKilled {
		s.toned("memory", "killed: out of memory", theme.Bad)
	}
	s.at("created", c.Created)
	s.at("started", c.Started)
	if !c.Running() {
		s.at("ended", c.Finished)
	}
	if !c.StatsAt.IsZero() && c.Running() {
		s.row("use", fmt.Sprintf("%.0f%% of a core, %s", c.CPU, kit.Bytes(c.Memory)))
	}
	for _, p := range c.Ports {
		s.row("port", p)
	}
	if r, ok := routeTo(c, &h); ok {
		s.toned("serves", joinWords(r.Service, routeText(r, s.scene.Theme)), theme.Good)
	}
}

func (s *sheet) labels(c ops.Container) {
	if len(c.Labels) > 0 {
		s.section("Labels")
		for _, k := range slices.Sorted(maps.Keys(c.Labels)) {
			s.row(k, c.Labels[k])
		}
	}
}

func (s *sheet) link(h ops.Host) {
	switch h.Link {
	case ops.LinkLive:
		s.toned("link", "live, facts "+ago(s.scene.Now, h.SeenAt), theme.Good)
	case ops.LinkLost:
		s.toned("link", lostText(&h, s.scene), theme.Bad)
		if !h.SeenAt.IsZero() {
			s.toned("facts", "from "+ago(s.scene.Now, h.SeenAt)+", not live", theme.Warn)
		}
	default:
		s.toned("link", "connecting", theme.Busy)
	}
}

func (s *sheet) section(title string) {
	if len(s.lines) > 0 {
		s.lines = append(s.lines, "")
	}
	s.text(theme.Accent, title)
}

func (s *sheet) text(tone theme.Tone, text string) {
	s.lines = append(s.lines, " "+s.scene.Theme.Paint(tone, kit.Clean(text)))
}

func (s *sheet) at(label string, t time.Time) {
	if !t.IsZero() {
		s.row(label, t.UTC().Format("2006-01-02 15:04:05")+" UTC, "+ago(s.scene.Now, t))
	}
}

func (s *sheet) row(label, value string) { s.toned(label, value, theme.Text) }

func (s *sheet) toned(label, value string, tone theme.Tone) {
	if value == "" {
		return
	}
	th := s.scene.Theme
	width := max(14, min(s.scene.Width/3, 36))
	left := max(s.scene.Width-width-3, 8)
	for i, part := range kit.Wrap(kit.Clean(value), left) {
		if i > 0 {
			label = ""
		}
		s.lines = append(s.lines, " "+th.Paint(theme.Dim, kit.Pad(kit.Clean(label), width, th.Ellipsis))+" "+th.Paint(tone, part))
	}
}

// Helpers

func routeText(r ops.Route, th theme.Theme) string {
	hosts := "any host"
	if len(r.Hosts) > 0 {
		hosts = strings.Join(r.Hosts, ", ")
	}
	tls := ""
	if r.TLS {
		tls = "TLS"
	}
	return joinWords(hosts, strings.Join(r.Paths, " "), tls, th.Arrow, strings.Join(r.Targets, ", "), r.State)
}

func imageName(img ops.Image) string {
	if len(img.Tags) == 0 {
		return "untagged"
	}
	return img.Tags[0]
}
