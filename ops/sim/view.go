package sim

import (
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/docker/go-units"
	capi "github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/image"
	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/api/types/storage"
)

// summary is a container as the list shows it; the host's lock is held.
func (e *engine) summary(c *container) capi.Summary {
	s := capi.Summary{
		ID: c.id, Names: []string{"/" + c.name}, Image: e.imageName(c), ImageID: c.image.id, Command: strings.Join(append(append([]string(nil), c.config.Entrypoint...), c.config.Cmd...), " "),
		Created: c.created.Unix(), Ports: e.ports(c), Labels: c.config.Labels, State: c.status, Status: statusLine(c, e.h.now()),
		NetworkSettings: &capi.NetworkSettingsSummary{Networks: e.endpointViews(c)}, Mounts: mountsOf(c),
	}
	s.HostConfig.NetworkMode = string(c.host.NetworkMode)
	if s.Mounts == nil {
		s.Mounts = []capi.MountPoint{}
	}
	if c.health != nil {
		s.Health = &capi.HealthSummary{Status: c.health.Status, FailingStreak: c.health.FailingStreak}
	}
	return s
}

// inspect is a container in full; the host's lock is held.
func (e *engine) inspect(c *container) capi.InspectResponse {
	argv := append(append([]string(nil), c.config.Entrypoint...), c.config.Cmd...)
	out := capi.InspectResponse{
		ID: c.id, Created: c.created.Format(time.RFC3339Nano), Image: c.image.id, Name: "/" + c.name, RestartCount: c.restarts, Driver: "overlay2", Platform: "linux",
		ResolvConfPath: containerDir(c) + "/resolv.conf", HostnamePath: containerDir(c) + "/hostname", HostsPath: containerDir(c) + "/hosts", LogPath: containerDir(c) + "/" + c.id + "-json.log",
		AppArmorProfile: "docker-default", HostConfig: c.host, Config: c.config, Mounts: mountsOf(c), GraphDriver: &storage.DriverData{Name: "overlay2", Data: map[string]string{}},
		State: &capi.State{
			Status: c.status, Running: c.alive(), Paused: c.status == capi.StatePaused, Restarting: c.status == capi.StateRestarting, OOMKilled: c.oom, Pid: c.pid,
			ExitCode: c.exitCode, Error: c.failure, StartedAt: stampOrZero(c.started), FinishedAt: stampOrZero(c.finished), Health: c.health,
		},
		NetworkSettings: &capi.NetworkSettings{Networks: e.endpointViews(c), Ports: network.PortMap{}},
	}
	if len(argv) > 0 {
		out.Path, out.Args = argv[0], argv[1:]
	}
	if c.alive() {
		out.NetworkSettings.SandboxID = hash("sandbox", c.id)
		out.NetworkSettings.SandboxKey = "/var/run/docker/netns/" + hash("sandbox", c.id)[:12]
		for p := range c.config.ExposedPorts {
			out.NetworkSettings.Ports[p] = nil
		}
		for p, b := range c.host.PortBindings {
			out.NetworkSettings.Ports[p] = b
		}
	}
	if out.Mounts == nil {
		out.Mounts = []capi.MountPoint{}
	}
	return out
}

// imageSummary is an image as the list shows it; the host's lock is held.
func (e *engine) imageSummary(img *Image) image.Summary {
	used := int64(0)
	for _, c := range e.containers {
		if c.image.id == img.id {
			used++
		}
	}
	return image.Summary{
		ID: img.id, RepoTags: e.tagsOf(img), RepoDigests: []string{repoOf(img.Ref) + "@" + img.digest()}, Created: img.built.Unix(), Labels: img.Labels, Size: img.Size, SharedSize: -1, Containers: used,
	}
}

// imageInspect is an image in full; the host's lock is held.
func (e *engine) imageInspect(img *Image) image.InspectResponse {
	out := image.InspectResponse{
		ID: img.id, RepoTags: e.tagsOf(img), RepoDigests: []string{repoOf(img.Ref) + "@" + img.digest()}, Created: img.built.Format(time.RFC3339Nano), Architecture: "amd64", Os: "linux",
		Size: img.Size, GraphDriver: &storage.DriverData{Name: "overlay2", Data: map[string]string{}}, RootFS: image.RootFS{Type: "layers"},
	}
	out.Config = imageConfig(img)
	for _, l := range img.layers {
		out.RootFS.Layers = append(out.RootFS.Layers, "sha256:"+hash("layer", l.id))
	}
	return out
}

// networkView is a network as both doors show it; the host's lock is held.
func (e *engine) networkView(n *engineNetwork) network.Inspect {
	labels := n.labels
	if labels == nil {
		labels = map[string]string{}
	}
	out := network.Inspect{Network: network.Network{
		Name: n.name, ID: n.id, Created: n.created, Scope: "local", Driver: n.driver, EnableIPv4: true, Options: map[string]string{}, Labels: labels,
		IPAM: network.IPAM{Driver: "default", Config: []network.IPAMConfig{}},
	}, Containers: map[string]network.EndpointResource{}}
	if n.driver == "bridge" {
		out.IPAM.Config = append(out.IPAM.Config, network.IPAMConfig{Subnet: netip.PrefixFrom(netip.AddrFrom4([4]byte{172, byte(n.subnet), 0, 0}), 16), Gateway: netip.AddrFrom4([4]byte{172, byte(n.subnet), 0, 1})})
	}
	for _, c := range e.containers {
		if c.alive() && c.endpoints[n.name] != nil {
			out.Containers[c.id] = network.EndpointResource{Name: c.name, EndpointID: hash("endpoint", c.id), IPv4Address: netip.PrefixFrom(e.address(c, n), 16)}
		}
	}
	return out
}

// Private

// imageName is the reference a container was made from, or the image's id once that reference means another.
func (e *engine) imageName(c *container) string {
	if img := e.imageLocked(c.config.Image); img != nil && img.id == c.image.id {
		return c.config.Image
	}
	return c.image.id
}

func (e *engine) endpointViews(c *container) map[string]*network.EndpointSettings {
	out := map[string]*network.EndpointSettings{}
	for name, have := range c.endpoints {
		s := have.Copy()
		if n := e.networks[name]; n != nil && c.alive() && n.driver == "bridge" {
			s.EndpointID, s.IPPrefixLen = hash("endpoint", c.id), 16
			s.Gateway = netip.AddrFrom4([4]byte{172, byte(n.subnet), 0, 1})
			s.IPAddress = e.address(c, n)
		}
		out[name] = s
	}
	return out
}

func (e *engine) address(c *container, n *engineNetwork) netip.Addr {
	return netip.AddrFrom4([4]byte{172, byte(n.subnet), byte(c.seed % 4), byte(2 + c.seed>>8%250)})
}

func (e *engine) ports(c *container) []capi.PortSummary {
	out := []capi.PortSummary{}
	if !c.alive() {
		return out
	}
	bound := map[string]bool{}
	for _, p := range publishedOf(c) {
		port := network.MustParsePort(p.port)
		bound[p.port] = true
		public, _ := network.ParsePort(p.hostPort + "/tcp")
		ips := []string{p.ip}
		if p.ip == "" {
			ips = []string{"0.0.0.0", "::"}
		}
		for _, ip := range ips {
			addr, err := netip.ParseAddr(ip)
			if err == nil {
				out = append(out, capi.PortSummary{IP: addr, PrivatePort: port.Num(), PublicPort: public.Num(), Type: string(port.Proto())})
			}
		}
	}
	for p := range c.config.ExposedPorts {
		if !bound[p.String()] {
			out = append(out, capi.PortSummary{PrivatePort: p.Num(), Type: string(p.Proto())})
		}
	}
	return out
}

// Helpers

// statusLine is what `docker ps` says about a container's state.
func statusLine(c *container, now time.Time) string {
	switch c.status {
	case capi.StateCreated:
		return "Created"
	case capi.StateRestarting:
		return fmt.Sprintf("Restarting (%d) %s ago", c.exitCode, units.HumanDuration(now.Sub(c.finished)))
	case capi.StateExited:
		return fmt.Sprintf("Exited (%d) %s ago", c.exitCode, units.HumanDuration(now.Sub(c.finished)))
	}
	text := "Up " + units.HumanDuration(now.Sub(c.started))
	if c.health != nil {
		word := string(c.health.Status)
		if c.health.Status == capi.Starting {
			word = "health: starting"
		}
		text += " (" + word + ")"
	}
	return text
}

func stampOrZero(t time.Time) string {
	if t.IsZero() {
		return "0001-01-01T00:00:00Z"
	}
	return t.UTC().Format(time.RFC3339Nano)
}

func containerDir(c *container) string { return "/var/lib/docker/containers/" + c.id }

func repoOf(ref string) string {
	repo, _ := splitRef(ref)
	return repo
}
