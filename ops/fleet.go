// Package ops is the language of operations: what is known about a fleet, what
// can be done to it, and the engine that does it. It knows no terminal and no
// network. It may import config, config/secret and ops/command.
package ops

import (
	"cmp"

	"slices"
	"strings"
	"time"
)

// AppID names an app: `service` or `service@destination`.
type AppID string

// NewAppID makes the identifier of a service in a destination ("" for none).
func NewAppID(service, destination string) AppID {
	if destination == "" {
		return AppID(service)
	}
	return AppID(service + "@" + destination)
}

// Service and Destination split an AppID.
func (id AppID) Service() string { s, _, _ := strings.Cut(string(id), "@"); return s }

// Destination is empty when the app has none.
func (id AppID) Destination() string { _, d, _ := strings.Cut(string(id), "@"); return d }

// Fleet is what is known of apps and hosts at one moment. It is an immutable
// value: With… methods return copies that share what did not change.
type Fleet struct {
	Apps  []App  // in the order they were opened
	Hosts []Host // in configuration order
}

// App is one service in one destination as its deploy.yml describes it,
// together with the facts that belong to the app rather than to a host.
type App struct {
	ID          AppID
	Service     string
	Destination string
	ConfigFile  string
	Repository  string // image without tag
	PrimaryHost string
	Roles       []AppRole
	Accessories []AppAccessory
	Lock        Lock
	Backups     []Backed // in configuration order; empty until the stores were read
}

// AppRole is a role and the hosts it is configured on.
type AppRole struct {
	Name    string
	Hosts   []string
	Proxied bool
	Primary bool
}

// AppAccessory is an accessory and the hosts it is configured on.
type AppAccessory struct {
	Name    string
	Service string // container name
	Image   string
	Hosts   []string
}

// LinkState says whether a host's facts are live.
type LinkState string

// The states of a link to a host.
const (
	LinkIdle       LinkState = ""           // never tried
	LinkConnecting LinkState = "connecting" // first attempt or a retry is under way
	LinkLive       LinkState = "live"
	LinkLost       LinkState = "lost" // facts are from SeenAt and not live
)

// Host is one server and its last known facts.
type Host struct {
	Name       string
	Link       LinkState
	LinkSince  time.Time
	LinkReason string    // short reason while lost: "dial: refused"
	SeenAt     time.Time // when facts last arrived
	Docker     DockerFacts
	System     SystemFacts
	Containers []Container // sorted by Name
	Images     []Image
	Routes     []Route // what kamal-proxy serves
}

// DockerFacts describe a host's engine.
type DockerFacts struct {
	Version      string
	APIVersion   string
	Architecture string // as Docker names it: x86_64, aarch64
	OS           string
}

// SystemFacts are a host's own figures. Sizes are bytes, load is the one-minute
// average, and a zero At means that they were never read.
type SystemFacts struct {
	At        time.Time
	Uptime    time.Duration
	Load      float64
	CPUs      int
	MemTotal  int64
	MemUsed   int64
	DiskTotal int64
	DiskUsed  int64
}

// Kind says what a container is to Kamal.
type Kind string

// The kinds of containers.
const (
	KindApp       Kind = "app"
	KindAccessory Kind = "accessory"
	KindProxy     Kind = "proxy"
	KindOther     Kind = "other"
)

// Container is one container as Docker reports it, keyed by host and full id
// (names change on rename).
type Container struct {
	Host      string
	ID        string // full id
	Name      string
	Kind      Kind
	App       AppID  // set for app containers and known accessories
	Role      string // app containers
	Accessory string // accessories
	Version   string // app containers: the name without its prefix
	Image     string
	ImageID   string
	State     string // created, running, paused, restarting, removing, exited, dead
	Health    string // "", starting, healthy, unhealthy
	ExitCode  int
	OOMKilled bool
	Restarts  int
	Created   time.Time
	Started   time.Time
	Finished  time.Time
	Labels    map[string]string
	Ports     []string // as `docker ps` writes them
	CPU       float64  // percent of one core
	Memory    int64    // bytes
	StatsAt   time.Time
}

// ContainerID keys a container across the fleet.
type ContainerID struct{ Host, ID string }

// Key is the container's identity in the fleet.
func (c Container) Key() ContainerID { return ContainerID{c.Host, c.ID} }

// Running reports whether the container counts as current, as Kamal counts:
// running or restarting.
func (c Container) Running() bool { return c.State == "running" || c.State == "restarting" }

// Image is an image on a host.
type Image struct {
	ID      string   // sha256:…
	Tags    []string // repository:tag
	Digests []string // repository@sha256:…
	Created time.Time
	Size    int64
	Labels  map[string]string
}

// Route is one service of kamal-proxy on a host.
type Route struct {
	Service string
	Hosts   []string // empty: any
	Paths   []string
	Targets []string // container id (12 hex) and port
	State   string   // running, paused, stopped
	TLS     bool
}

// Liveness says whether a lock's holder is still at work.
type Liveness string

// What is known about a lock's holder.
const (
	HolderUnknown Liveness = "unknown" // another machine, or a person
	HolderLive    Liveness = "live"    // its process runs on this machine
	HolderDead    Liveness = "dead"    // its process is gone
	HolderManual  Liveness = "manual"  // acquired by hand, with a message
)

// Lock is the deploy lock of an app as last seen.
type Lock struct {
	SeenAt     time.Time // zero: never looked
	Held       bool
	Host       string // the machine whose directory is the lock
	By         string // git user name of the holder
	At         time.Time
	Version    string
	Message    string
	HolderHost string // our locks: machine, pid and task of the holder
	HolderPID  int
	HolderTask TaskID
	Liveness   Liveness
	Bare       bool // the directory exists without details: its maker died or is writing
}

// App finds an app by its identifier.
func (f Fleet) App(id AppID) (App, bool) {
	for _, a := range f.Apps {
		if a.ID == id {
			return a, true
		}
	}
	return App{}, false
}

// Host finds a host by name.
func (f Fleet) Host(name string) (Host, bool) {
	for i := range f.Hosts {
		if f.Hosts[i].Name == name {
			return f.Hosts[i], true
		}
	}
	return Host{}, false
}

// Containers lists the containers that keep returns true for, host by host.
func (f Fleet) Containers(keep func(Container) bool) []Container {
	var out []Container
	for i := range f.Hosts {
		for j := range f.Hosts[i].Containers {
			if c := f.Hosts[i].Containers[j]; keep(c) {
				out = append(out, c)
			}
		}
	}
	return out
}

// Container finds a container by host and id.
func (f Fleet) Container(key ContainerID) (Container, bool) {
	h, ok := f.Host(key.Host)
	if !ok {
		return Container{}, false
	}
	for _, c := range h.Containers {
		if c.ID == key.ID {
			return c, true
		}
	}
	return Container{}, false
}

// Current is the container that serves a role on a host: the newest running
// one, preferring those whose image is the host's latest tag as Kamal does.
func (f Fleet) Current(app AppID, role, host string) (Container, bool) {
	h, ok := f.Host(host)
	if !ok {
		return Container{}, false
	}
	latest := ""
	if a, ok := f.App(app); ok {
		latest = h.imageID(a.Repository + ":" + latestTag(a.Destination))
	}
	var best Container
	for _, c := range h.Containers {
		if c.App != app || c.Kind != KindApp || c.Role != role || !c.Running() {
			continue
		}
		if best.ID == "" || preferred(c, best, latest) {
			best = c
		}
	}
	return best, best.ID != ""
}

// Versions counts what is serving: version → number of (role, host) places.
func (f Fleet) Versions(app AppID) map[string]int {
	out := map[string]int{}
	a, _ := f.App(app)
	for _, r := range a.Roles {
		for _, h := range r.Hosts {
			if c, ok := f.Current(app, r.Name, h); ok {
				out[c.Version]++
			}
		}
	}
	return out
}

// RollbackTarget is a version that every host and role of an app still has.
type RollbackTarget struct {
	Version string
	Created time.Time // newest container of that version
	Image   string    // image id on the first host, for comparison
	Digest  string    // repository digest where the image was pulled
	Serving bool      // every place runs it now
	Mixed   bool      // hosts disagree about the image behind the version
}

// RollbackTargets lists the versions whose containers are present for every
// role on every host among the given places, newest first. Replaced copies
// (`V_replaced_…`) do not count: Kamal's rollback looks for the exact name.
func (f Fleet) RollbackTargets(app AppID) []RollbackTarget {
	a, ok := f.App(app)
	if !ok {
		return nil
	}
	places := 0
	found := map[string]*RollbackTarget{}
	count, serving := map[string]int{}, map[string]int{}
	for _, r := range a.Roles {
		for _, hostName := range r.Hosts {
			places++
			h, _ := f.Host(hostName)
			current, _ := f.Current(app, r.Name, hostName)
			for _, c := range h.Containers {
				if c.App != app || c.Kind != KindApp || c.Role != r.Name || strings.Contains(c.Version, "_replaced_") {
					continue
				}
				count[c.Version]++
				if c.ID == current.ID {
					serving[c.Version]++
				}
				found[c.Version] = found[c.Version].merge(c, h)
			}
		}
	}
	var out []RollbackTarget
	for v, t := range found {
		if count[v] == places {
			t.Serving = serving[v] == places
			out = append(out, *t)
		}
	}
	slices.SortFunc(out, func(x, y RollbackTarget) int {
		return cmp.Or(y.Created.Compare(x.Created), cmp.Compare(y.Version, x.Version))
	})
	return out
}

// PreviousVersion is where a rollback without a version goes: the newest
// complete version from before the newest container that serves. What was
// created later and does not serve is a deploy that failed. Where hosts run
// different versions, that is the one to put back.
func (f Fleet) PreviousVersion(app AppID) (RollbackTarget, bool) {
	var latest Container
	a, _ := f.App(app)
	for _, r := range a.Roles {
		for _, h := range r.Hosts {
			if c, ok := f.Current(app, r.Name, h); ok && c.Created.After(latest.Created) {
				latest = c
			}
		}
	}
	for _, t := range f.RollbackTargets(app) {
		if t.Version != latest.Version && (latest.ID == "" || t.Created.Before(latest.Created)) {
			return t, true
		}
	}
	return RollbackTarget{}, false
}

// WithHost returns the fleet with one host replaced, or added at the end.
func (f Fleet) WithHost(h Host) Fleet {
	hosts := slices.Clone(f.Hosts)
	for i := range hosts {
		if hosts[i].Name == h.Name {
			hosts[i] = h
			f.Hosts = hosts
			return f
		}
	}
	f.Hosts = append(hosts, h)
	return f
}

// WithApp returns the fleet with one app replaced, or added at the end.
func (f Fleet) WithApp(a App) Fleet {
	apps := slices.Clone(f.Apps)
	for i := range apps {
		if apps[i].ID == a.ID {
			apps[i] = a
			f.Apps = apps
			return f
		}
	}
	f.Apps = append(apps, a)
	return f
}

// Identify fills in what a container is to the known apps, from its labels
// and name, as Kamal does: the version is the name without `service-role[-dest]-`.
func (f Fleet) Identify(c Container) Container {
	c.Kind, c.App, c.Role, c.Accessory, c.Version = KindOther, "", "", "", ""
	if c.Name == "kamal-proxy" {
		c.Kind = KindProxy
		return c
	}
	destination, hasDestination := c.Labels["destination"]
	role := c.Labels["role"]
	if service := c.Labels["service"]; service != "" && hasDestination && role != "" {
		c.Kind, c.App, c.Role = KindApp, NewAppID(service, destination), role
		prefix := service + "-" + role + "-"
		if destination != "" {
			prefix += destination + "-"
		}
		c.Version = strings.TrimPrefix(c.Name, prefix)
		return c
	}
	for _, a := range f.Apps {
		for _, acc := range a.Accessories {
			if acc.Service == c.Labels["service"] || acc.Service == c.Name {
				c.Kind, c.App, c.Accessory = KindAccessory, a.ID, acc.Name
				return c
			}
		}
	}
	return c
}

// Private

func (h Host) imageID(ref string) string {
	for _, img := range h.Images {
		if slices.Contains(img.Tags, ref) {
			return img.ID
		}
	}
	return ""
}

func (t *RollbackTarget) merge(c Container, h Host) *RollbackTarget {
	if t == nil {
		t = &RollbackTarget{Version: c.Version, Image: c.ImageID}
	}
	if c.ImageID != t.Image {
		t.Mixed = true
	}
	if c.Created.After(t.Created) {
		t.Created = c.Created
	}
	for _, img := range h.Images {
		if img.ID == c.ImageID && len(img.Digests) > 0 && t.Digest == "" {
			_, t.Digest, _ = strings.Cut(img.Digests[0], "@")
		}
	}
	return t
}

// Helpers

func latestTag(destination string) string {
	if destination == "" {
		return "latest"
	}
	return "latest-" + destination
}

func preferred(c, best Container, latest string) bool {
	if isLatest, bestLatest := c.ImageID == latest, best.ImageID == latest; latest != "" && isLatest != bestLatest {
		return isLatest
	}
	return c.Created.After(best.Created)
}
