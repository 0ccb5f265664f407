package sim

import (
	"fmt"
	"path"
	"sort"
	"strings"

	capi "github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/events"
	"github.com/moby/moby/api/types/mount"
)

// addNetwork makes a network; the lock is held.
func (e *engine) addNetwork(name, driver string, labels map[string]string) *engineNetwork {
	n := &engineNetwork{id: hash("network", e.h.name, name), name: name, driver: driver, created: e.h.booted, labels: labels, subnet: 17 + len(e.networks)}
	e.networks[name] = n
	return n
}

// createNetwork makes a network that a client asked for.
func (e *engine) createNetwork(name, driver string, labels map[string]string) (*engineNetwork, error) {
	e.h.mu.Lock()
	defer e.h.mu.Unlock()
	if e.networks[name] != nil {
		return nil, &engineError{409, fmt.Sprintf("network with name %s already exists", name)}
	}
	if driver == "" {
		driver = "bridge"
	}
	n := e.addNetwork(name, driver, labels)
	n.created = e.h.now()
	e.emitEvent(events.NetworkEventType, events.ActionCreate, n.id, map[string]string{"name": name, "type": driver})
	return n, nil
}

// removeNetwork removes a network that nothing uses.
func (e *engine) removeNetwork(ref string) error {
	e.h.mu.Lock()
	defer e.h.mu.Unlock()
	n := e.findNetworkLocked(ref)
	if n == nil {
		return &engineError{404, "network " + ref + " not found"}
	}
	for _, c := range e.containers {
		if c.alive() && c.endpoints[n.name] != nil {
			return &engineError{403, fmt.Sprintf("error while removing network: network %s id %s has active endpoints", n.name, n.id)}
		}
	}
	delete(e.networks, n.name)
	e.emitEvent(events.NetworkEventType, events.ActionDestroy, n.id, map[string]string{"name": n.name, "type": n.driver})
	return nil
}

func (e *engine) findNetworkLocked(ref string) *engineNetwork {
	if n := e.networks[ref]; n != nil {
		return n
	}
	for _, n := range e.networks {
		if len(ref) >= 4 && strings.HasPrefix(n.id, ref) {
			return n
		}
	}
	return nil
}

// networksLocked lists the networks by name.
func (e *engine) networksLocked() []*engineNetwork {
	out := make([]*engineNetwork, 0, len(e.networks))
	for _, n := range e.networks {
		out = append(out, n)
	}
	sort.Slice(out, func(i, j int) bool { return out[i].name < out[j].name })
	return out
}

// volumesLocked lists the volumes by name.
func (e *engine) volumesLocked() []*engineVolume {
	out := make([]*engineVolume, 0, len(e.volumes))
	for _, v := range e.volumes {
		out = append(out, v)
	}
	sort.Slice(out, func(i, j int) bool { return out[i].name < out[j].name })
	return out
}

// addVolume makes a volume, or returns the one that is there; the lock is held.
func (e *engine) addVolume(name string, labels map[string]string) *engineVolume {
	if v := e.volumes[name]; v != nil {
		return v
	}
	v := &engineVolume{name: name, created: e.h.now(), labels: labels}
	v.files = e.h.files.newDir("_data", 0o755)
	e.volumes[name] = v
	e.emitEvent(events.VolumeEventType, events.ActionCreate, name, map[string]string{"driver": "local"})
	return v
}

// removeVolume removes a volume that no container mounts.
func (e *engine) removeVolume(name string) error {
	e.h.mu.Lock()
	defer e.h.mu.Unlock()
	if e.volumes[name] == nil {
		return &engineError{404, "get " + name + ": no such volume"}
	}
	for _, c := range e.containers {
		if mountsVolume(c, name) {
			return &engineError{409, fmt.Sprintf("remove %s: volume is in use - [%s]", name, c.id)}
		}
	}
	delete(e.volumes, name)
	return nil
}

// makeVolumes makes what a new container's binds need: named volumes, and directories of the host.
func (e *engine) makeVolumes(c *container) {
	for _, m := range mountsOf(c) {
		switch m.Type {
		case mount.TypeVolume:
			e.addVolume(m.Name, nil)
		case mount.TypeBind:
			if _, err := e.h.files.stat(m.Source); err != nil {
				_ = e.h.files.mkdirAll(m.Source, 0o755)
			}
		}
	}
}

// volumeOf is the volume that a container mounts at a path.
func (e *engine) volumeOf(c *container, at string) *engineVolume {
	for _, m := range mountsOf(c) {
		if m.Destination == at && m.Type == mount.TypeVolume {
			return e.volumes[m.Name]
		}
	}
	return nil
}

// rootOf is the container's own file system, made when it is first needed; the lock is held.
func (e *engine) rootOf(c *container) *fileSystem {
	if c.files != nil {
		return c.files
	}
	f := newFileSystem(&e.h.fsMu, e.h.fleet.clock.Now, func() bool { return e.h.faults.has(FullDisk) })
	for _, dir := range []string{"/root", "/tmp", "/etc", "/proc", "/usr/bin", "/rails"} {
		_ = f.mkdirAll(dir, 0o755)
	}
	_ = f.writeFile("/etc/hostname", []byte(c.config.Hostname+"\n"), 0o644)
	for name, text := range c.image.Files {
		_ = f.mkdirAll(path.Dir(name), 0o755)
		_ = f.writeFile(name, []byte(text), 0o644)
	}
	for _, m := range mountsOf(c) {
		if m.Type == mount.TypeVolume {
			if v := e.volumes[m.Name]; v != nil {
				f.mount(m.Destination, v.files)
			}
		} else if n, err := e.h.files.nodeAt(m.Source); err == nil {
			f.mount(m.Destination, n)
		}
	}
	if c.image.Runs == Proxies {
		p := e.h.proxy
		_ = f.mkdirAll("/home/kamal-proxy/.config/kamal-proxy", 0o700)
		f.liveFile("/home/kamal-proxy/.config/kamal-proxy/kamal-proxy.state", p.stateFile)
	}
	c.files = f
	return f
}

// published is one published port.
type published struct{ ip, hostPort, port string }

// Helpers

func publishedOf(c *container) []published {
	var out []published
	for port, bindings := range c.host.PortBindings {
		for _, b := range bindings {
			ip := ""
			if b.HostIP.IsValid() {
				ip = b.HostIP.String()
			}
			out = append(out, published{ip, b.HostPort, port.String()})
		}
	}
	sort.Slice(out, func(i, j int) bool { return out[i].port < out[j].port })
	return out
}

// mountsOf reads a container's binds and mounts.
func mountsOf(c *container) []capi.MountPoint {
	var out []capi.MountPoint
	for _, bind := range c.host.Binds {
		parts := strings.Split(bind, ":")
		if len(parts) < 2 {
			continue
		}
		m := capi.MountPoint{Source: parts[0], Destination: parts[1], RW: true, Type: mount.TypeBind, Propagation: mount.PropagationRPrivate}
		if len(parts) > 2 {
			m.Mode = parts[2]
			m.RW = !strings.Contains(","+parts[2]+",", ",ro,")
		}
		if !strings.HasPrefix(parts[0], "/") {
			m.Type, m.Name, m.Driver, m.Propagation = mount.TypeVolume, parts[0], "local", ""
			m.Source = "/var/lib/docker/volumes/" + parts[0] + "/_data"
		}
		out = append(out, m)
	}
	for _, have := range c.host.Mounts {
		m := capi.MountPoint{Type: have.Type, Source: have.Source, Destination: have.Target, RW: !have.ReadOnly}
		if have.Type == mount.TypeVolume {
			m.Name, m.Driver, m.Source = have.Source, "local", "/var/lib/docker/volumes/"+have.Source+"/_data"
		}
		out = append(out, m)
	}
	return out
}
