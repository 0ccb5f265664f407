package sim

import (
	"fmt"
	"sort"
	"strings"
	"time"

	capi "github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
)

// engineVersion and apiVersion are what the simulated engine says about itself.
const (
	engineVersion = "27.3.1"
	apiVersion    = "1.47"
	minAPIVersion = "1.24"
)

// engineError is a refusal of the engine: an HTTP status and the text that both doors show.
type engineError struct {
	status int
	text   string
}

// Error is the engine's text.
func (e *engineError) Error() string { return e.text }

// engine is the container engine of one host. Its state is guarded by the host's lock; methods whose name
// ends in Locked want it held, all others take it.
type engine struct {
	h          *host
	containers map[string]*container
	tags       map[string]*Image
	networks   map[string]*engineNetwork
	volumes    map[string]*engineVolume
	logins     map[string]login
	execs      map[string]*execution
	events     eventLog
	serial     int
}

type login struct{ user, password string }

type engineNetwork struct {
	id, name, driver string
	created          time.Time
	labels           map[string]string
	subnet           int
}

type engineVolume struct {
	name    string
	created time.Time
	files   *node
	labels  map[string]string
	// routes is what kamal-proxy keeps in its configuration volume.
	routes []*route
}

// container is one container of an engine.
type container struct {
	id, name  string
	created   time.Time
	config    *capi.Config
	host      *capi.HostConfig
	endpoints map[string]*network.EndpointSettings
	image     *Image
	program   program

	status     capi.ContainerState
	started    time.Time
	finished   time.Time
	exitCode   int
	oom        bool
	failure    string
	restarts   int
	pid        int
	byHand     bool // stopped by a person: no restart
	run        int  // counts starts, so that what was planned for an earlier one does nothing
	health     *capi.Health
	log        logBuffer
	cursor     time.Time // logs have been made up to here
	planned    []logLine // lines of requests that are still being answered
	seed       uint64
	files      *fileSystem
	cancelTask func()
	execs      map[string]func() // what runs in it beside its own process: each is ended with it
	keys       *keyServer        // the Redis that runs in it, once somebody asked for it
}

func newEngine(h *host) *engine {
	e := &engine{
		h: h, containers: map[string]*container{}, tags: map[string]*Image{}, networks: map[string]*engineNetwork{},
		volumes: map[string]*engineVolume{}, logins: map[string]login{}, execs: map[string]*execution{},
	}
	for _, name := range []string{"bridge", "host", "none"} {
		e.addNetwork(name, map[string]string{"bridge": "bridge", "host": "host", "none": "null"}[name], nil)
	}
	return e
}

// find resolves a name, a full id or a unique prefix of an id.
func (e *engine) findLocked(ref string) (*container, error) {
	name := strings.TrimPrefix(ref, "/")
	if c := e.containers[name]; c != nil {
		return c, nil
	}
	var hit *container
	for _, c := range e.containers {
		if c.name == name {
			return c, nil
		}
		if len(name) > 0 && strings.HasPrefix(c.id, name) {
			if hit != nil {
				return nil, &engineError{400, "Multiple IDs found with provided prefix: " + name}
			}
			hit = c
		}
	}
	if hit == nil {
		return nil, &engineError{404, "No such container: " + ref}
	}
	return hit, nil
}

// listLocked returns all containers, newest first.
func (e *engine) listLocked() []*container {
	out := make([]*container, 0, len(e.containers))
	for _, c := range e.containers {
		out = append(out, c)
	}
	sort.Slice(out, func(i, j int) bool {
		if out[i].created.Equal(out[j].created) {
			return out[i].id < out[j].id
		}
		return out[i].created.After(out[j].created)
	})
	return out
}

// create makes a container; it does not start it.
func (e *engine) create(name string, config *capi.Config, hostConfig *capi.HostConfig, endpoints map[string]*network.EndpointSettings) (*container, error) {
	e.h.mu.Lock()
	defer e.h.mu.Unlock()
	img := e.imageLocked(config.Image)
	if img == nil {
		return nil, &engineError{404, "No such image: " + normalRef(config.Image)}
	}
	if e.h.faults.has(FullDisk) {
		return nil, &engineError{500, "failed to create rwlayer: mkdir /var/lib/docker/overlay2: no space left on device"}
	}
	if name == "" {
		name = e.inventName()
	}
	for _, other := range e.containers {
		if other.name == name {
			return nil, &engineError{409, fmt.Sprintf("Conflict. The container name %q is already in use by container %q. You have to remove (or rename) that container to be able to reuse that name.", "/"+name, other.id)}
		}
	}
	if err := e.checkNetworks(hostConfig, endpoints); err != nil {
		return nil, err
	}
	c := e.newContainer(name, img, config, hostConfig, endpoints)
	e.containers[c.id] = c
	e.emit(c, "create", nil)
	return c, nil
}

// rename gives a container another name.
func (e *engine) rename(ref, name string) error {
	e.h.mu.Lock()
	defer e.h.mu.Unlock()
	c, err := e.findLocked(ref)
	if err != nil {
		return err
	}
	for _, other := range e.containers {
		if other.name == name {
			return &engineError{409, fmt.Sprintf("Error when allocating new name: Conflict. The container name %q is already in use by container %q. You have to remove (or rename) that container to be able to reuse that name.", "/"+name, other.id)}
		}
	}
	old := c.name
	c.name = name
	e.emit(c, "rename", map[string]string{"oldName": "/" + old})
	return nil
}

// remove deletes a container that does not run, or any when force is set.
func (e *engine) remove(ref string, force, volumes bool) error {
	e.h.mu.Lock()
	defer e.h.mu.Unlock()
	c, err := e.findLocked(ref)
	if err != nil {
		return err
	}
	if c.alive() && !force {
		return &engineError{409, fmt.Sprintf("cannot remove container %q: container is running: stop the container before removing or force remove", "/"+c.name)}
	}
	if c.alive() {
		c.byHand = true
		e.endLocked(c, e.h.now(), ending{code: 137})
	}
	e.dropLocked(c)
	if volumes {
		for _, m := range mountsOf(c) {
			if m.Type == "volume" && len(m.Name) == 64 {
				delete(e.volumes, m.Name)
			}
		}
	}
	return nil
}

// prune removes every stopped container that keep does not refuse and returns their ids.
func (e *engine) prune(match func(*container) bool) []string {
	e.h.mu.Lock()
	defer e.h.mu.Unlock()
	ids := []string{}
	for _, c := range e.listLocked() {
		if !c.alive() && match(c) {
			e.dropLocked(c)
			ids = append(ids, c.id)
		}
	}
	return ids
}

// Private

// newContainer fills in what the image gives.
func (e *engine) newContainer(name string, img *Image, config *capi.Config, hostConfig *capi.HostConfig, endpoints map[string]*network.EndpointSettings) *container {
	e.serial++
	now := e.h.now()
	id := hash("container", e.h.name, e.h.fleet.seedText, fmt.Sprint(e.serial))
	if config.Hostname == "" {
		config.Hostname = id[:12]
	}
	if len(config.Cmd) == 0 && len(config.Entrypoint) == 0 {
		config.Cmd = append([]string(nil), img.Cmd...)
	}
	config.Env = mergeEnv(append([]string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}, img.Env...), config.Env)
	labels := map[string]string{}
	for k, v := range img.Labels {
		labels[k] = v
	}
	for k, v := range config.Labels {
		labels[k] = v
	}
	config.Labels = labels
	if len(img.Ports) > 0 {
		if config.ExposedPorts == nil {
			config.ExposedPorts = network.PortSet{}
		}
		for _, p := range img.Ports {
			config.ExposedPorts[network.MustParsePort(p)] = struct{}{}
		}
	}
	if hostConfig.NetworkMode == "" || hostConfig.NetworkMode == "default" {
		hostConfig.NetworkMode = "bridge"
	}
	if hostConfig.LogConfig.Type == "" {
		hostConfig.LogConfig.Type = "json-file"
	}
	if hostConfig.LogConfig.Config == nil {
		hostConfig.LogConfig.Config = map[string]string{}
	}
	c := &container{
		id: id, name: name, created: now, config: config, host: hostConfig, image: img,
		status: capi.StateCreated, seed: seedOf(id), cursor: now,
	}
	c.endpoints = e.endpointsFor(c, endpoints)
	c.program = programFor(c)
	e.makeVolumes(c)
	return c
}

// endpointsFor connects a container to its networks.
func (e *engine) endpointsFor(c *container, asked map[string]*network.EndpointSettings) map[string]*network.EndpointSettings {
	if len(asked) == 0 {
		asked = map[string]*network.EndpointSettings{string(c.host.NetworkMode): {}}
	}
	out := map[string]*network.EndpointSettings{}
	for name, s := range asked {
		set := network.EndpointSettings{}
		if s != nil {
			set = *s.Copy()
		}
		if n := e.networks[name]; n != nil {
			set.NetworkID = n.id
		}
		if name != "bridge" && name != "host" && name != "none" {
			set.Aliases = append(set.Aliases, c.id[:12])
			if c.config.Hostname != c.id[:12] {
				set.Aliases = append(set.Aliases, c.config.Hostname)
			}
			set.DNSNames = append([]string{c.name}, set.Aliases...)
		}
		out[name] = &set
	}
	return out
}

func (e *engine) checkNetworks(hc *capi.HostConfig, endpoints map[string]*network.EndpointSettings) error {
	names := []string{string(hc.NetworkMode)}
	for name := range endpoints {
		names = append(names, name)
	}
	for _, name := range names {
		if name != "" && name != "default" && e.networks[name] == nil {
			return &engineError{404, "network " + name + " not found"}
		}
	}
	return nil
}

// dropLocked removes a container from the engine.
func (e *engine) dropLocked(c *container) {
	delete(e.containers, c.id)
	c.run++
	e.emit(c, "destroy", nil)
	e.h.signal()
}

func (e *engine) inventName() string {
	left := []string{"brave", "calm", "eager", "fancy", "gentle", "keen", "lucid", "quiet"}
	right := []string{"curie", "darwin", "euler", "hopper", "lovelace", "noether", "pascal", "turing"}
	n := e.serial + 1
	return fmt.Sprintf("%s_%s%d", left[n%len(left)], right[n/8%len(right)], n)
}

// Helpers

// alive tells whether the container counts as running.
func (c *container) alive() bool {
	return c.status == capi.StateRunning || c.status == capi.StateRestarting || c.status == capi.StatePaused
}

// envValue is the value of a variable in the container.
func (c *container) envValue(name string) string {
	for _, kv := range c.config.Env {
		if k, v, _ := strings.Cut(kv, "="); k == name {
			return v
		}
	}
	return ""
}

// mergeEnv lays later assignments over earlier ones, keeping the first position.
func mergeEnv(base, over []string) []string {
	out := append([]string(nil), base...)
	for _, kv := range over {
		name, _, _ := strings.Cut(kv, "=")
		at := -1
		for i, have := range out {
			if k, _, _ := strings.Cut(have, "="); k == name {
				at = i
			}
		}
		if at >= 0 {
			out[at] = kv
		} else {
			out = append(out, kv)
		}
	}
	return out
}
