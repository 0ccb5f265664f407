package ops

import (
	"regexp"
	"strings"
)

// ParseRoutes reads the table of `kamal-proxy list`, which has no other form:
// colour codes even in a pipe, one row per service, cells padded to the width
// of their column. Columns are found by their heading.
func ParseRoutes(table string) []Route {
	lines := strings.Split(colours.ReplaceAllString(table, ""), "\n")
	columns := headings(lines[0])
	if _, found := columns["Service"]; !found {
		return nil
	}
	var out []Route
	for _, line := range lines[1:] {
		cell := func(heading string) string { return columns[heading].of(line) }
		service := cell("Service")
		if service == "" {
			continue
		}
		r := Route{
			Service: service, Hosts: listed(cell("Host")), Paths: listed(cell("Path")), Targets: listed(cell("Target")),
			State: cell("State"), TLS: cell("TLS") == "yes",
		}
		if len(r.Hosts) == 1 && r.Hosts[0] == "*" {
			r.Hosts = nil
		}
		out = append(out, r)
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

// Private

var colours = regexp.MustCompile("\x1b\\[[0-9;]*m")

// column is where a column begins and ends, in bytes, which is how the table
// is padded.
type column struct{ from, to int }

func headings(line string) map[string]column {
	out := map[string]column{}
	for from := 0; from < len(line); {
		end := from
		for end < len(line) && line[end] != ' ' {
			end++
		}
		next := end
		for next < len(line) && line[next] == ' ' {
			next++
		}
		out[line[from:end]] = column{from: from, to: next}
		from = next
	}
	return out
}

func (c column) of(line string) string {
	return strings.TrimSpace(line[min(c.from, len(line)):min(c.to, len(line))])
}

// Helpers

func listed(text string) []string {
	var out []string
	for _, word := range strings.Split(text, ",") {
		if word = strings.TrimSpace(word); word != "" {
			out = append(out, word)
		}
	}
	return out
}
