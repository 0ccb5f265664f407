package ops

import (
	"regexp"
	"strings"
)

// ParseRoutes reads the table that `kamal-proxy list` prints: coloured even
// when piped, columns padded and set apart by two spaces.
func ParseRoutes(table string) []Route {
	var out []Route
	var columns []string
	for line := range strings.Lines(ansi.ReplaceAllString(table, "")) {
		cells := columnGap.Split(strings.TrimSpace(line), -1)
		switch {
		case len(cells) < 5:
		case columns == nil:
			columns = cells
		default:
			out = append(out, routeOf(columns, cells))
		}
	}
	return out
}

// TargetOf is the container id (12 digits) that the proxy sends a service to,
// "" when the service is unknown.
func TargetOf(routes []Route, service string) string {
	for _, r := range routes {
		if r.Service == service && len(r.Targets) > 0 {
			id, _, _ := strings.Cut(r.Targets[0], ":")
			return id
		}
	}
	return ""
}

// Helpers

var (
	ansi      = regexp.MustCompile("\x1b\\[[0-9;]*m")
	columnGap = regexp.MustCompile(` {2,}`)
)

func routeOf(columns, cells []string) Route {
	var r Route
	for i, name := range columns {
		if i >= len(cells) {
			break
		}
		switch name {
		case "Service":
			r.Service = cells[i]
		case "Host":
			if cells[i] != "*" {
				r.Hosts = strings.Split(cells[i], ",")
			}
		case "Path":
			r.Paths = strings.Split(cells[i], ",")
		case "Target":
			r.Targets = strings.Split(cells[i], ",")
		case "State":
			r.State = cells[i]
		case "TLS":
			r.TLS = cells[i] == "yes"
		}
	}
	return r
}
