package pane

import (
	"slices"

	"binnacle/ops"
	"binnacle/ops/logs"
	"binnacle/ui/kit"
)

// chosen is whose logs the pane shows, and what made it so. It is decided when
// the person points elsewhere, not when the fleet changes: what is followed
// stays followed through a deploy.
type chosen struct {
	selection logs.Selection
	target    kit.Target
	marked    []kit.Target
	app       ops.AppID
	previous  bool // the containers before those that serve
	made      bool
}

// update looks at what is pointed at; true when something else is wanted.
func (c *chosen) update(scene kit.Scene) bool {
	moved := !c.made || c.app != scene.App || !sameTarget(c.target, scene.Target) || !slices.Equal(c.marked, scene.Marked)
	if !moved && !c.selection.Empty() {
		return false
	}
	c.previous = c.previous && !moved
	c.made, c.app, c.target, c.marked = true, scene.App, scene.Target, slices.Clone(scene.Marked)
	before := c.selection
	c.selection = c.choice(scene)
	return !c.selection.Equal(before)
}

// turn switches between what serves and what was before it.
func (c *chosen) turn(scene kit.Scene) {
	c.previous = !c.previous
	c.selection = c.choice(scene)
}

// Private

func (c *chosen) choice(scene kit.Scene) logs.Selection {
	f := scene.State.Fleet
	s := selectionOf(f, scene.App, scene.Target)
	if len(scene.Marked) > 0 {
		s = union(f, scene.App, scene.Marked)
	}
	if c.previous {
		s = before(f, s)
	}
	return s
}

// Helpers

// sameTarget compares what matters to logs.
func sameTarget(a, b kit.Target) bool {
	a.Task, b.Task = "", ""
	return a == b
}

// selectionOf is what a target's logs are. A container that serves its role
// stands for the place, so that its successor is followed as well.
func selectionOf(f ops.Fleet, app ops.AppID, t kit.Target) logs.Selection {
	if t.App != "" {
		app = t.App
	}
	s := logs.Selection{App: app}
	switch {
	case t.Accessory != "":
		s.Accessories = []string{t.Accessory}
	case t.Container != "":
		return ofContainer(f, s, t)
	case t.Role != "":
		s.Roles = []string{t.Role}
	case t.Host != "":
		return onHosts(f, app, []string{t.Host})
	default:
		return atFirst(f, app)
	}
	if t.Host != "" {
		s.Hosts = []string{t.Host}
	}
	return s
}

// manyHosts is from where on the logs of a whole app are too much to follow
// unasked: each host is a stream over the same link.
const manyHosts = 20

// atFirst is what is followed before anything was pointed at: the whole app, or
// in a large fleet its primary host.
func atFirst(f ops.Fleet, app ops.AppID) logs.Selection {
	a, _ := f.App(app)
	hosts := 0
	for _, r := range a.Roles {
		hosts += len(r.Hosts)
	}
	if hosts > manyHosts && a.PrimaryHost != "" {
		return onHosts(f, app, []string{a.PrimaryHost})
	}
	return logs.Everything(app, f)
}

func ofContainer(f ops.Fleet, s logs.Selection, t kit.Target) logs.Selection {
	c, _ := f.Container(t.Key())
	serves, ok := f.Current(s.App, c.Role, c.Host)
	switch {
	case c.Kind == ops.KindApp && ok && serves.ID == c.ID && c.App == s.App:
		s.Roles, s.Hosts = []string{c.Role}, []string{c.Host}
	case c.Kind == ops.KindProxy:
		s.Proxy, s.Hosts = true, []string{c.Host}
	default:
		s.Containers = []ops.ContainerID{t.Key()}
	}
	return s
}

// onHosts is everything of the app on some hosts, with their proxies.
func onHosts(f ops.Fleet, app ops.AppID, hosts []string) logs.Selection {
	s := logs.Everything(app, f)
	a, _ := f.App(app)
	s.Roles = nil
	for _, r := range a.Roles {
		if slices.ContainsFunc(r.Hosts, func(h string) bool { return slices.Contains(hosts, h) }) {
			s.Roles = append(s.Roles, r.Name)
		}
	}
	for _, acc := range a.Accessories {
		if slices.ContainsFunc(acc.Hosts, func(h string) bool { return slices.Contains(hosts, h) }) {
			s.Accessories = append(s.Accessories, acc.Name)
		}
	}
	s.Proxy, s.Hosts = true, hosts
	return s
}

// union is what several marked things have together: hosts as hosts, all else
// by identity.
func union(f ops.Fleet, app ops.AppID, marked []kit.Target) logs.Selection {
	var hosts []string
	s := logs.Selection{App: app}
	for _, t := range marked {
		if t.Container != "" {
			s.Containers = append(s.Containers, t.Key())
		} else if t.Host != "" {
			hosts = append(hosts, t.Host)
		}
	}
	if len(hosts) == 0 {
		return s
	}
	on := onHosts(f, app, hosts)
	on.Containers = s.Containers
	return on
}

// before selects, for each place that a selection takes in, the newest
// container that does not run any more.
func before(f ops.Fleet, s logs.Selection) logs.Selection {
	type place struct{ host, role string }
	newest := map[place]ops.Container{}
	var order []place
	for _, c := range f.Containers(func(c ops.Container) bool { return c.Kind == ops.KindApp && c.App == s.App && !c.Running() }) {
		at := place{c.Host, c.Role}
		if !takesIn(f, s, c) {
			continue
		}
		if _, ok := newest[at]; !ok {
			order = append(order, at)
		}
		if old := newest[at]; old.ID == "" || c.Created.After(old.Created) {
			newest[at] = c
		}
	}
	out := logs.Selection{App: s.App}
	for _, at := range order {
		out.Containers = append(out.Containers, newest[at].Key())
	}
	return out
}

func takesIn(f ops.Fleet, s logs.Selection, c ops.Container) bool {
	for _, key := range s.Containers {
		if o, ok := f.Container(key); ok && o.Host == c.Host && o.Role == c.Role && o.ID != c.ID {
			return true
		}
	}
	return slices.Contains(s.Roles, c.Role) && (len(s.Hosts) == 0 || slices.Contains(s.Hosts, c.Host))
}
