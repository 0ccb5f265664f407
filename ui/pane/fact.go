package pane

import (
	"fmt"
	"strings"
	"time"
	"unicode"

	"binnacle/ops"
	"binnacle/ui/kit"
	"binnacle/ui/theme"
	"binnacle/ui/widget"
)

// Private

// stale reports a host whose facts are not live.
func stale(h ops.Host) bool { return h.Link != ops.LinkLive }

// since is the age of a host's facts in words: "unknown, seen 3 m ago".
func since(h ops.Host, now time.Time) string {
	if h.SeenAt.IsZero() {
		return "not seen yet"
	}
	return "unknown, seen " + kit.Span(now.Sub(h.SeenAt)) + " ago"
}

// containerMark is the symbol of a container's state.
func containerMark(c ops.Container, th theme.Theme) widget.Cell {
	switch {
	case c.State == "running" && c.Health == "unhealthy":
		return widget.Cell{Text: th.Lost, Tone: theme.Bad}
	case c.State == "running" && c.Health == "starting":
		return widget.Cell{Text: th.Active, Tone: theme.Busy}
	case c.State == "running":
		return widget.Cell{Text: th.Live, Tone: theme.Good}
	case c.State == "restarting", c.State == "dead":
		return widget.Cell{Text: th.Lost, Tone: theme.Bad}
	case crashed(c):
		return widget.Cell{Text: th.Lost, Tone: theme.Bad}
	case c.State == "paused":
		return widget.Cell{Text: th.Alert, Tone: theme.Warn}
	}
	return widget.Cell{Text: th.Off, Tone: theme.Dim}
}

// containerState is a container's state in words: "exited 137 OOM".
func containerState(c ops.Container) widget.Cell {
	switch c.State {
	case "running":
		return widget.Cell{Text: "running", Tone: theme.Text}
	case "restarting":
		return widget.Cell{Text: fmt.Sprintf("restarting %d", c.Restarts), Tone: theme.Bad}
	case "exited", "dead":
		text := fmt.Sprintf("%s %d", c.State, c.ExitCode)
		if c.OOMKilled {
			text += " OOM"
		}
		if crashed(c) {
			return widget.Cell{Text: text, Tone: theme.Bad}
		}
		return widget.Cell{Text: text, Tone: theme.Dim}
	case "paused":
		return widget.Cell{Text: "paused", Tone: theme.Warn}
	}
	return widget.Cell{Text: c.State, Tone: theme.Dim}
}

// crashed reports an end that nobody asked for. 143 and 137 without OOM are
// what a stop leaves.
func crashed(c ops.Container) bool {
	if c.State != "exited" && c.State != "dead" {
		return false
	}
	return c.OOMKilled || c.State == "dead" || c.ExitCode != 0 && c.ExitCode != 143 && c.ExitCode != 137
}

// containerHealth is what the engine's health check says; of a container
// without one, what the proxy in front of it does.
func containerHealth(c ops.Container, h *ops.Host, th theme.Theme) widget.Cell {
	if !c.Running() {
		return widget.Cell{Text: th.Dash, Tone: theme.Faint}
	}
	if route, ok := routeTo(c, h); ok && c.Health == "" {
		if route.State == "running" || route.State == "" {
			return widget.Cell{Text: "serving", Tone: theme.Good}
		}
		return widget.Cell{Text: route.State, Tone: theme.Warn}
	}
	switch c.Health {
	case "healthy":
		return widget.Cell{Text: "ok", Tone: theme.Good}
	case "unhealthy":
		return widget.Cell{Text: "failing", Tone: theme.Bad}
	case "starting":
		return widget.Cell{Text: "starting", Tone: theme.Busy}
	}
	return widget.Cell{Text: th.Dash, Tone: theme.Faint}
}

// routeTo finds what the host's proxy sends to a container.
func routeTo(c ops.Container, h *ops.Host) (ops.Route, bool) {
	for _, r := range h.Routes {
		for _, target := range r.Targets {
			if strings.HasPrefix(target, shortID(c.ID)) {
				return r, true
			}
		}
	}
	return ops.Route{}, false
}

func cpuCell(c ops.Container, th theme.Theme) widget.Cell {
	if !c.Running() || c.StatsAt.IsZero() {
		return widget.Cell{Text: th.Dash, Tone: theme.Faint}
	}
	tone := theme.Text
	if c.CPU >= 90 {
		tone = theme.Warn
	}
	return widget.Cell{Text: fmt.Sprintf("%.0f%%", c.CPU), Tone: tone}
}

func memoryCell(c ops.Container, th theme.Theme) widget.Cell {
	if !c.Running() || c.StatsAt.IsZero() {
		return widget.Cell{Text: th.Dash, Tone: theme.Faint}
	}
	return widget.Cell{Text: kit.Bytes(c.Memory), Tone: theme.Text}
}

// uptimeCell is how long a container runs, or how long ago it ended.
func uptimeCell(c ops.Container, now time.Time, th theme.Theme) widget.Cell {
	at, tone := c.Started, theme.Text
	if !c.Running() {
		at, tone = c.Finished, theme.Dim
	}
	if at.IsZero() {
		return widget.Cell{Text: th.Dash, Tone: theme.Faint}
	}
	return widget.Cell{Text: kit.Short(now.Sub(at)), Tone: tone}
}

// shortImage is an image without its registry: "postgres:16".
func shortImage(ref string) string {
	ref, _, _ = strings.Cut(ref, "@")
	if i := strings.LastIndexByte(ref, '/'); i >= 0 {
		return ref[i+1:]
	}
	return ref
}

func shortID(id string) string {
	id = strings.TrimPrefix(id, "sha256:")
	return id[:min(12, len(id))]
}

// domainOf is the domain that all hosts share, with its dot; "" when they share
// none. Rows leave it out.
func domainOf(hosts []ops.Host) string {
	domain := ""
	for i := range hosts {
		_, rest, found := strings.Cut(hosts[i].Name, ".")
		if !found || !strings.ContainsFunc(rest, unicode.IsLetter) || domain != "" && domain != "."+rest {
			return ""
		}
		domain = "." + rest
	}
	if len(hosts) < 2 {
		return ""
	}
	return domain
}

// surface is what a row lies on.
func surface(at, focused, marked bool) theme.Surface {
	switch {
	case at && focused:
		return theme.Cursor
	case at || marked:
		return theme.Marked
	}
	return theme.Plain
}

// shareCell writes a share of a whole and marks what is nearly used up.
func shareCell(part, whole int64, warn, bad int64, th theme.Theme) widget.Cell {
	text := kit.Percent(part, whole)
	if text == "" {
		return widget.Cell{Text: th.Dash, Tone: theme.Faint}
	}
	switch used := part * 100 / whole; {
	case used >= bad:
		return widget.Cell{Text: th.Alert + text, Tone: theme.Bad}
	case used >= warn:
		return widget.Cell{Text: th.Alert + text, Tone: theme.Warn}
	}
	return widget.Cell{Text: text, Tone: theme.Text}
}

// empty is a pane without rows: why, and what to do.
func empty(scene kit.Scene, what string) string {
	text := what
	if !scene.Filter.Empty() {
		text = "nothing matches /" + scene.Filter.Text
	}
	return kit.Fit([]string{"", " " + scene.Theme.Paint(theme.Dim, text)}, scene.Width, scene.Height)
}

func sameSlice[T any](a, b []T) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0])
}
