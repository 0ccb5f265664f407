package logs

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"binnacle/ops"
)

// Selection says whose logs are followed. Roles, accessories and the proxy are
// followed by what they are: containers that take over during a deploy are
// joined by themselves. Containers are followed by their identity.
type Selection struct {
	App         ops.AppID
	Roles       []string
	Accessories []string
	Proxy       bool
	Hosts       []string // narrows all but Containers; empty for every host
	Containers  []ops.ContainerID
}

// Everything selects all roles of an app.
func Everything(app ops.AppID, f ops.Fleet) Selection {
	s := Selection{App: app}
	if a, ok := f.App(app); ok {
		for _, r := range a.Roles {
			s.Roles = append(s.Roles, r.Name)
		}
	}
	return s
}

// Empty reports a selection of nothing.
func (s Selection) Empty() bool {
	return len(s.Roles) == 0 && len(s.Accessories) == 0 && !s.Proxy && len(s.Containers) == 0
}

// Equal reports whether two selections follow the same.
func (s Selection) Equal(o Selection) bool {
	return s.App == o.App && s.Proxy == o.Proxy && slices.Equal(s.Roles, o.Roles) &&
		slices.Equal(s.Accessories, o.Accessories) && slices.Equal(s.Hosts, o.Hosts) && slices.Equal(s.Containers, o.Containers)
}

// Takes reports whether a container is selected, whatever its state.
func (s Selection) Takes(c ops.Container) bool {
	return slices.Contains(s.Containers, c.Key()) || s.byKind(&c)
}

// Title is the selection in a few words: `web+job`, `db on web-1`.
func (s Selection) Title(f ops.Fleet) string {
	parts := slices.Concat(s.Roles, s.Accessories)
	if s.Proxy {
		parts = append(parts, "proxy")
	}
	named := s.Containers
	if len(named) > 2 {
		parts, named = append(parts, fmt.Sprintf("%d containers", len(named))), nil
	}
	for _, key := range named {
		if c, ok := f.Container(key); ok {
			parts = append(parts, c.Name+" on "+c.Host)
		} else {
			parts = append(parts, short(key.ID)+" on "+key.Host)
		}
	}
	title := strings.Join(parts, "+")
	if len(s.Hosts) > 0 && title != "" {
		title += " on " + strings.Join(s.Hosts, ", ")
	}
	return title
}

// Span says how much of the past is shown. The zero Span is a short tail.
type Span struct {
	Tail  int           // newest lines per container
	Since time.Duration // lines younger than this
	Head  int           // oldest lines per container; nothing is followed then
}

// String is the span in a few words.
func (s Span) String() string {
	switch {
	case s.Head > 0:
		return "head"
	case s.Since > 0:
		return strings.NewReplacer("m0s", "m", "h0m", "h").Replace(strings.Replace(s.Since.String(), "h0m0s", "h", 1))
	}
	return "tail"
}

// Spans are the presets behind the keys 0 to 6.
func Spans() []Span {
	return []Span{
		{}, {Head: headLines}, {Since: time.Minute}, {Since: 5 * time.Minute}, {Since: 15 * time.Minute},
		{Since: 30 * time.Minute}, {Since: time.Hour},
	}
}

// Private

const (
	headLines = 5000
	tailTotal = 2000 // lines of the past over all containers
	tailMost  = 200
	tailLeast = 10
	freshTail = 1000 // lines of a container that began while we looked
)

// tail is how many lines of the past one of n containers brings.
func (s Span) tail(n int) int {
	if s.Tail > 0 {
		return s.Tail
	}
	return min(tailMost, max(tailLeast, tailTotal/max(1, n)))
}

// candidate is a container that a selection takes in.
type candidate struct {
	source  *Source
	running bool
	fresh   bool // made since the following began
	live    bool // its host answers
}

// match finds the containers of a fleet that are selected. Of roles those that
// run count, and those made since the following began: a container that dies
// at once is the one to look at.
func (s Selection) match(f ops.Fleet, began time.Time) []candidate {
	var out []candidate
	for i := range f.Hosts {
		for j := range f.Hosts[i].Containers {
			c := &f.Hosts[i].Containers[j]
			fresh := c.Created.After(began)
			if slices.Contains(s.Containers, c.Key()) || s.byKind(c) && (c.Running() || fresh) {
				out = append(out, candidate{source: sourceOf(c), running: c.Running(), fresh: fresh, live: f.Hosts[i].Link == ops.LinkLive})
			}
		}
	}
	return out
}

// complete reports that every host which may have something selected has said
// what it runs, or is known not to answer.
func (s Selection) complete(f ops.Fleet) bool {
	for i := range f.Hosts {
		h := &f.Hosts[i]
		wanted := len(s.Hosts) == 0 || slices.Contains(s.Hosts, h.Name)
		if wanted && h.Link != ops.LinkLost && len(h.Containers) == 0 {
			return false
		}
	}
	return true
}

func (s Selection) byKind(c *ops.Container) bool {
	if len(s.Hosts) > 0 && !slices.Contains(s.Hosts, c.Host) {
		return false
	}
	switch c.Kind {
	case ops.KindApp:
		return c.App == s.App && slices.Contains(s.Roles, c.Role)
	case ops.KindAccessory:
		return c.App == s.App && slices.Contains(s.Accessories, c.Accessory)
	case ops.KindProxy:
		return s.Proxy
	}
	return false
}

// Helpers

func sourceOf(c *ops.Container) *Source {
	role := c.Role
	switch c.Kind {
	case ops.KindAccessory:
		role = c.Accessory
	case ops.KindProxy:
		role = "proxy"
	}
	return &Source{Container: c.Key(), Name: c.Name, Role: role, Version: c.Version}
}
