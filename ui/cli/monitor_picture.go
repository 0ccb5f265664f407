package cli

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/charmbracelet/x/ansi"
	"github.com/docker/go-units"

	"binnacle/ops"
	"binnacle/ops/logs"
)

// picture is what monitor shows at one moment, before it is fitted to a screen.
type picture struct {
	title    string
	lock     string
	lockHeld bool
	summary  string
	sections []monitorSection
	colour   bool
}

// monitorSection is a table with a heading.
type monitorSection struct {
	head []string
	rows []monitorRow
}

// monitorRow is one line; the bad ones stay when there is no room for all.
type monitorRow struct {
	cells []string
	bad   bool
}

func newPicture(state *ops.State, id ops.AppID, hosts []string, tasks []runningTask, now time.Time) picture {
	app, _ := state.Fleet.App(id)
	p := picture{title: fmt.Sprintf("%s  %s", id, now.UTC().Format("2006-01-02 15:04:05Z")), lock: "lock free"}
	if app.Lock.Held {
		p.lockHeld = true
		p.lock = fmt.Sprintf("lock held by %s for %s: %s", app.Lock.By, span(now.Sub(app.Lock.At)), oneLine(app.Lock.Message))
	}
	hostRows, live := hostsSection(state.Fleet, hosts, now)
	roleRows, running := appSection(state.Fleet, app, hosts, now)
	p.sections = []monitorSection{taskSection(tasks, now), hostRows, roleRows, accessorySection(state.Fleet, app, hosts, now)}
	p.summary = fmt.Sprintf("%d of %d hosts live, %s running", live, len(hosts), counted(running, "container"))
	if len(tasks) > 0 {
		p.summary += ", " + counted(len(tasks), "task")
	}
	return p
}

// lines fits the picture into a screen; 0 means that there is no bound.
func (p picture) lines(width, height int) []string {
	out := []string{p.heading(width)}
	sections := slices.DeleteFunc(slices.Clone(p.sections), func(s monitorSection) bool { return len(s.rows) == 0 })
	room := shares(sections, height-1)
	if height > 0 && room == nil {
		for _, text := range []string{p.summary, p.lock} {
			if len(out) < height {
				out = append(out, cut(text, width))
			}
		}
		return out
	}
	if p.lockHeld && (height == 0 || width == 0 || ansi.StringWidth(p.title+p.lock)+3 > width) {
		out = append(out, p.paint(cut(p.lock, width), yellow))
		room = shares(sections, height-2)
	}
	for i, s := range sections {
		most := len(s.rows)
		if height > 0 {
			most = 0
			if room != nil {
				most = room[i]
			}
		}
		out = append(out, p.table(s, most, width)...)
	}
	if height > 0 && len(out) > height {
		out = out[:height]
	}
	return out
}

// Private

func (p picture) heading(width int) string {
	text := p.title
	if !p.lockHeld || width > 0 && ansi.StringWidth(p.title+p.lock)+3 <= width {
		text += "   " + p.lock
	}
	return p.paint(cut(text, width), bold)
}

// table is a section with at most so many rows: the heading, then the rows, and
// how many there was no room for.
func (p picture) table(s monitorSection, most, width int) []string {
	if most <= 0 {
		return nil
	}
	rows, hidden := s.rows, 0
	if len(rows) > most {
		hidden = len(rows) - most + 1
		rows = keepBad(rows, most-1)
	}
	widths := columnWidths(s)
	out := []string{p.paint(cut(aligned(s.head, widths), width), dim)}
	for _, r := range rows {
		text := cut(aligned(r.cells, widths), width)
		if r.bad {
			text = p.paint(text, red)
		}
		out = append(out, text)
	}
	if hidden > 0 {
		bad := countBad(s.rows) - countBad(rows)
		text := fmt.Sprintf("… %d more", hidden)
		if bad > 0 {
			text += fmt.Sprintf(", %d of them in trouble", bad)
		}
		out = append(out, cut(text, width))
	}
	return out
}

func (p picture) paint(text, colour string) string {
	if !p.colour {
		return text
	}
	return colour + text + plain
}

func hostsSection(fleet ops.Fleet, hosts []string, now time.Time) (monitorSection, int) {
	s := monitorSection{head: []string{"HOST", "LINK", "DOCKER", "LOAD", "MEMORY", "DISK", "UP"}}
	live := 0
	for _, h := range fleet.Hosts {
		if !slices.Contains(hosts, h.Name) {
			continue
		}
		r := monitorRow{cells: []string{h.Name, string(h.Link), h.Docker.Version, "", "", "", ""}}
		switch h.Link {
		case ops.LinkLive:
			live++
		case ops.LinkLost:
			r.bad = true
			r.cells[1] = "lost " + h.LinkReason
			if !h.SeenAt.IsZero() {
				r.cells[1] += ", seen " + span(now.Sub(h.SeenAt)) + " ago"
			}
		case ops.LinkIdle, ops.LinkConnecting:
			r.cells[1] = "connecting"
		}
		if sys := h.System; !sys.At.IsZero() {
			r.cells[3] = fmt.Sprintf("%.2f", sys.Load)
			r.cells[4], r.cells[5] = portion(sys.MemUsed, sys.MemTotal), portion(sys.DiskUsed, sys.DiskTotal)
			r.cells[6] = span(sys.Uptime)
			r.bad = r.bad || sys.DiskTotal > 0 && float64(sys.DiskUsed) > 0.95*float64(sys.DiskTotal)
		}
		s.rows = append(s.rows, r)
	}
	return s, live
}

func appSection(fleet ops.Fleet, app ops.App, hosts []string, now time.Time) (monitorSection, int) {
	s := monitorSection{head: []string{"APP", "HOST", "VERSION", "STATE", "HEALTH", "UP"}}
	running := 0
	for _, r := range app.Roles {
		for _, host := range r.Hosts {
			if !slices.Contains(hosts, host) {
				continue
			}
			rows := containerRows(fleet, logs.Selection{App: app.ID, Roles: []string{r.Name}, Hosts: []string{host}}, r.Name, host, now)
			for _, one := range rows {
				if strings.HasPrefix(one.cells[3], "running") {
					running++
				}
			}
			s.rows = append(s.rows, rows...)
		}
	}
	return s, running
}

func accessorySection(fleet ops.Fleet, app ops.App, hosts []string, now time.Time) monitorSection {
	s := monitorSection{head: []string{"ACCESSORY", "HOST", "IMAGE", "STATE", "HEALTH", "UP"}}
	for _, a := range app.Accessories {
		for _, host := range a.Hosts {
			if slices.Contains(hosts, host) {
				s.rows = append(s.rows, containerRows(fleet, logs.Selection{App: app.ID, Accessories: []string{a.Name}, Hosts: []string{host}}, a.Name, host, now)...)
			}
		}
	}
	return s
}

// containerRows are the containers of one place: what runs, or else what ran
// last, or that there is nothing.
func containerRows(fleet ops.Fleet, wanted logs.Selection, name, host string, now time.Time) []monitorRow {
	h, _ := fleet.Host(host)
	found := speaking(fleet, wanted)
	if len(found) == 0 {
		return []monitorRow{{cells: []string{name, host, "", absent(h), "", ""}, bad: h.Link == ops.LinkLive}}
	}
	var out []monitorRow
	for _, c := range found {
		what := c.Version
		if c.Kind == ops.KindAccessory {
			what = c.Image
		}
		r := monitorRow{cells: []string{name, host, what, c.State, healthOf(c, h), ""}, bad: !c.Running() || c.State == "restarting" || c.Health == "unhealthy"}
		switch {
		case c.State == "exited" && c.OOMKilled:
			r.cells[3] = "exited, out of memory"
		case c.State == "exited":
			r.cells[3] = fmt.Sprintf("exited %d", c.ExitCode)
		case c.Running() && !c.Started.IsZero():
			r.cells[5] = span(now.Sub(c.Started))
		}
		if c.Restarts > 0 {
			r.cells[3] += fmt.Sprintf(", %d restarts", c.Restarts)
		}
		if h.Link == ops.LinkLost {
			r.cells[3], r.cells[5] = "unknown, was "+c.State, ""
			r.bad = true
		}
		out = append(out, r)
	}
	return out
}

func taskSection(tasks []runningTask, now time.Time) monitorSection {
	s := monitorSection{head: []string{"TASK", "FOR", "STEP", "LAST LINE"}}
	for _, t := range tasks {
		step := ""
		for _, st := range t.task.Steps {
			if st.Status == ops.Running && !st.Group {
				step = strings.TrimSpace(st.Host + " " + st.Title)
			}
		}
		s.rows = append(s.rows, monitorRow{cells: []string{t.task.Title, span(t.task.Elapsed(now)), step, ansi.Strip(oneLine(t.last))}})
	}
	return s
}

// Helpers

// shares divides the lines of a screen among sections: everyone gets what it
// needs as long as there is room, and the large ones share the rest. Nil when
// there is not even room for a heading and a row each.
func shares(sections []monitorSection, lines int) []int {
	lines -= len(sections) // headings
	if lines < len(sections) {
		return nil
	}
	out := make([]int, len(sections))
	for granted := true; granted && lines > 0; {
		granted = false
		for i := range out {
			if lines > 0 && out[i] < len(sections[i].rows) {
				out[i]++
				lines--
				granted = true
			}
		}
	}
	return out
}

// keepBad keeps so many rows in their order, those in trouble first.
func keepBad(rows []monitorRow, most int) []monitorRow {
	drop := len(rows) - most
	var out []monitorRow
	for i := len(rows) - 1; i >= 0; i-- {
		if drop > 0 && !rows[i].bad {
			drop--
			continue
		}
		out = append(out, rows[i])
	}
	slices.Reverse(out)
	return out[:min(len(out), max(0, most))]
}

func countBad(rows []monitorRow) int {
	n := 0
	for _, r := range rows {
		if r.bad {
			n++
		}
	}
	return n
}

func columnWidths(s monitorSection) []int {
	widths := make([]int, len(s.head))
	for _, cells := range append([][]string{s.head}, cellsOf(s.rows)...) {
		for i, cell := range cells {
			widths[i] = max(widths[i], ansi.StringWidth(cell))
		}
	}
	return widths
}

func cellsOf(rows []monitorRow) [][]string {
	out := make([][]string, len(rows))
	for i, r := range rows {
		out[i] = r.cells
	}
	return out
}

func aligned(cells []string, widths []int) string {
	var out strings.Builder
	for i, cell := range cells {
		out.WriteString(cell + strings.Repeat(" ", widths[i]-ansi.StringWidth(cell)+2))
	}
	return strings.TrimRight(out.String(), " ")
}

func cut(text string, width int) string {
	if width <= 0 {
		return text
	}
	return ansi.Truncate(text, width, "…")
}

func absent(h ops.Host) string {
	if h.Link == ops.LinkLive {
		return "no container"
	}
	return "unknown"
}

func portion(used, total int64) string {
	if total <= 0 {
		return ""
	}
	return size(used) + " of " + size(total)
}

func size(bytes int64) string {
	return units.CustomSize("%.1f%s", float64(bytes), 1024, []string{"B", "K", "M", "G", "T", "P"})
}

// healthOf is what Docker checks, and else whether the proxy sends visitors here.
func healthOf(c ops.Container, h ops.Host) string {
	if c.Health != "" || !c.Running() || c.Kind != ops.KindApp {
		return c.Health
	}
	for _, r := range h.Routes {
		for _, target := range r.Targets {
			if len(c.ID) >= shortID && strings.HasPrefix(target, c.ID[:shortID]) {
				return map[bool]string{true: "serving", false: r.State}[r.State == "running"]
			}
		}
	}
	return ""
}

// shortID is how much of a container's id the proxy shows.
const shortID = 12

// span is a duration in at most two units.
func span(d time.Duration) string {
	d = max(0, d)
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm%02ds", int(d.Minutes()), int(d.Seconds())%60)
	case d < 24*time.Hour:
		return fmt.Sprintf("%dh%02dm", int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%dd%02dh", int(d.Hours())/24, int(d.Hours())%24)
}
