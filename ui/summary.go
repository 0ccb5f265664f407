package ui

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"binnacle/ops"
	"binnacle/ui/kit"
)

// summary is what the status line and the alerts say of a fleet. It is worked
// out when facts change, not when a frame is drawn.
type summary struct {
	app      ops.App
	known    bool
	versions []serving
	since    time.Time // start of the newest container that serves
	by       string    // who deployed it, when a task tells
	hosts    int
	live     int
	lost     []string
	waiting  int       // hosts that are being connected to
	oldest   time.Time // oldest facts among the live hosts
	alerts   []string
	running  []ops.Task

	from struct { // what it was worked out from
		hosts []ops.Host
		apps  []ops.App
		tasks []ops.Task
		app   ops.AppID
	}
}

// serving is a version and the number of places that serve it.
type serving struct {
	version string
	places  int
}

// update works the summary out again when what it rests on has changed.
func (s *summary) update(state *ops.State, app ops.AppID) {
	f := &s.from
	if s.known && same(f.hosts, state.Fleet.Hosts) && same(f.apps, state.Fleet.Apps) && same(f.tasks, state.Tasks) && f.app == app {
		return
	}
	*s = summary{}
	s.from.hosts, s.from.apps, s.from.tasks, s.from.app = state.Fleet.Hosts, state.Fleet.Apps, state.Tasks, app
	s.app, s.known = state.Fleet.App(app)
	s.count(state.Fleet)
	s.serves(state)
	for _, t := range state.RunningTasks() {
		if t.App == app || app == "" {
			s.running = append(s.running, t)
		}
	}
	s.warn(state.Fleet)
}

// changing are the running tasks that change something.
func (s *summary) changing() []ops.Task {
	return slices.DeleteFunc(slices.Clone(s.running), func(t ops.Task) bool { return t.Risk == ops.Read })
}

// mixed reports more than one version serving.
func (s *summary) mixed() bool { return len(s.versions) > 1 }

// Private

func (s *summary) count(fleet ops.Fleet) {
	mine := appHosts(s.app)
	for i := range fleet.Hosts {
		h := &fleet.Hosts[i]
		if s.known && len(fleet.Apps) > 1 && !mine[h.Name] {
			continue
		}
		s.hosts++
		switch h.Link {
		case ops.LinkLive:
			s.live++
			if s.oldest.IsZero() || h.SeenAt.Before(s.oldest) {
				s.oldest = h.SeenAt
			}
		case ops.LinkLost:
			s.lost = append(s.lost, h.Name)
		default:
			s.waiting++
		}
	}
}

func (s *summary) serves(state *ops.State) {
	counts := map[string]int{}
	for _, r := range s.app.Roles {
		for _, host := range r.Hosts {
			if c, ok := state.Fleet.Current(s.app.ID, r.Name, host); ok {
				counts[c.Version]++
				if c.Started.After(s.since) {
					s.since = c.Started
				}
			}
		}
	}
	for v := range maps.Keys(counts) {
		s.versions = append(s.versions, serving{v, counts[v]})
	}
	slices.SortFunc(s.versions, func(a, b serving) int {
		return cmp.Or(cmp.Compare(b.places, a.places), cmp.Compare(a.version, b.version))
	})
	for i := len(state.Tasks) - 1; i >= 0 && len(s.versions) == 1; i-- {
		t := &state.Tasks[i]
		if t.App == s.app.ID && t.Version == s.versions[0].version && t.Status == ops.Done && t.Risk != ops.Read {
			s.by = t.User
			break
		}
	}
}

// warn collects what needs a look, worst first.
func (s *summary) warn(fleet ops.Fleet) {
	switch {
	case len(s.lost) > 3:
		s.alerts = append(s.alerts, fmt.Sprintf("%d hosts lost", len(s.lost)))
	default:
		for _, name := range s.lost {
			s.alerts = append(s.alerts, name+" lost")
		}
	}
	if lock := s.app.Lock; lock.Held && (lock.Liveness == ops.HolderDead || lock.Bare) {
		s.alerts = append(s.alerts, "lock left over, L explains")
	}
	if s.mixed() && len(s.changing()) == 0 {
		s.alerts = append(s.alerts, "mixed versions "+s.versionWords())
	}
	for i := range fleet.Hosts {
		s.warnHost(&fleet.Hosts[i])
	}
	s.warnAccessories(fleet)
	s.warnBackups()
}

func (s *summary) warnHost(h *ops.Host) {
	if h.Link != ops.LinkLive {
		return
	}
	if d := h.System; d.DiskTotal > 0 && d.DiskUsed*100/d.DiskTotal >= 85 {
		s.alerts = append(s.alerts, h.Name+" disk "+kit.Percent(d.DiskUsed, d.DiskTotal))
	}
	for i := range h.Containers {
		c := &h.Containers[i]
		if c.Kind == ops.KindOther || c.Kind == ops.KindApp && c.App != s.app.ID {
			continue
		}
		name := cmp.Or(c.Role, c.Accessory, "proxy")
		switch {
		case c.State == "restarting":
			s.alerts = append(s.alerts, name+" on "+h.Name+" restarting")
		case c.State == "running" && c.Health == "unhealthy":
			s.alerts = append(s.alerts, name+" on "+h.Name+" unhealthy")
		}
	}
}

func (s *summary) warnAccessories(fleet ops.Fleet) {
	for _, acc := range s.app.Accessories {
		for _, name := range acc.Hosts {
			h, ok := fleet.Host(name)
			if !ok || h.Link != ops.LinkLive {
				continue
			}
			up := slices.ContainsFunc(h.Containers, func(c ops.Container) bool {
				return c.Kind == ops.KindAccessory && c.App == s.app.ID && c.Accessory == acc.Name && c.Running()
			})
			if !up {
				s.alerts = append(s.alerts, acc.Name+" on "+name+" not running")
			}
		}
	}
}

// namedBackups is how many things are named whose backups need a look; of more,
// the number, so that other alerts are seen.
const namedBackups = 2

func (s *summary) warnBackups() {
	var out []string
	for i := range s.app.Backups {
		switch b := &s.app.Backups[i]; {
		case b.Alarm != "" && len(b.Kept) == 0:
			out = append(out, b.Name+" "+b.Alarm)
		case b.Alarm != "":
			out = append(out, "backup of "+b.Name+": "+b.Alarm)
		case b.Problem != "":
			out = append(out, "backups of "+b.Name+" not seen")
		}
	}
	if len(out) > namedBackups {
		out = []string{fmt.Sprintf("%d backups need a look", len(out))}
	}
	s.alerts = append(s.alerts, out...)
}

// versionWords writes what serves: "v3 on 1, v2 on 2".
func (s *summary) versionWords() string {
	parts := make([]string, 0, len(s.versions))
	for _, v := range s.versions {
		parts = append(parts, fmt.Sprintf("%s on %d", kit.Clean(kit.Version(v.version)), v.places))
	}
	return strings.Join(parts, ", ")
}

// Helpers

func appHosts(a ops.App) map[string]bool {
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

// same reports that two slices are one: State is immutable, so that what is
// shared has not changed.
func same[T any](a, b []T) bool { return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0]) }
