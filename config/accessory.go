package config

import (
	"path"
	"slices"
	"strings"
)

// Accessory is a long-lived service beside the app, such as a database.
type Accessory struct {
	config   *Config
	name     string
	section  Value
	hosts    []string
	env      EnvSpec
	registry *Registry
	proxy    *Proxy
}

// Mount is a file or folder that an accessory's container mounts from its host.
type Mount struct {
	// Local is the path in the project (files), or as written (directories).
	Local string
	// HostPath is the path on the host, relative to the login home unless absolute.
	HostPath string
	// ContainerPath is where the container sees it.
	ContainerPath string
	// Options are mount options such as ro, or "".
	Options string
	// Mode is for chmod, or "" to leave it.
	Mode string
	// Owner is for chown, or "" to leave it.
	Owner string
	// Template tells that the local file is an ERB template: see RenderFile.
	Template bool
}

// Name is the accessory's key.
func (a *Accessory) Name() string { return a.name }

// ServiceName is the name of its container and of its folder on the host.
func (a *Accessory) ServiceName() string {
	if service := a.section.sub("service"); service.truthy() {
		return service.String()
	}
	return a.config.Service() + "-" + a.name
}

// Image is the image with the accessory's own registry server, if it has one.
func (a *Accessory) Image() string {
	image := a.section.sub("image").String()
	if a.registry != nil && a.registry.Server != "" {
		return a.registry.Server + "/" + image
	}
	return image
}

// Registry is the accessory's own registry; nil when it has none.
func (a *Accessory) Registry() *Registry { return a.registry }

// Hosts lists where it runs.
func (a *Accessory) Hosts() []string { return slices.Clone(a.hosts) }

// RunsOn tells whether the accessory has the host.
func (a *Accessory) RunsOn(host string) bool { return slices.Contains(a.hosts, host) }

// Cmd is appended as it is after the image, or "".
func (a *Accessory) Cmd() string { return a.section.sub("cmd").String() }

// Port is the raw --publish argument, or "": 6379 becomes 6379:6379.
func (a *Accessory) Port() string {
	port := a.section.sub("port").String()
	if port == "" || strings.Contains(port, ":") {
		return port
	}
	return port + ":" + port
}

// Labels are service, then the accessory's own.
func (a *Accessory) Labels() Pairs {
	return Pairs{{"service", StringValue(a.ServiceName())}}.Merge(a.section.sub("labels").Pairs())
}

// Options are extra `docker run` flags, the restart policy aside.
func (a *Accessory) Options() Pairs { return withoutRestart(a.section.sub("options")) }

// Restart is the restart policy, "unless-stopped" by default.
func (a *Accessory) Restart() string { return restartPolicy(a.section.sub("options")) }

// Env is the environment of its container.
func (a *Accessory) Env() EnvSpec { return a.env }

// EnvFile is the path of its secrets on a host, relative to the login home.
func (a *Accessory) EnvFile() string {
	return path.Join(a.config.EnvDirectory(), "accessories", a.name+".env")
}

// Files are uploaded before boot and mounted; the default mode is 755.
func (a *Accessory) Files() []Mount {
	return a.mounts("files", sameFile, func(local, remote string) Mount {
		return Mount{Local: local, HostPath: a.ServiceName() + remote, Mode: "755", Template: strings.HasSuffix(local, "erb")}
	})
}

// Directories are made on the host before boot and mounted.
func (a *Accessory) Directories() []Mount {
	return a.mounts("directories", sameText, func(local, _ string) Mount {
		host := local
		if !path.IsAbs(local) {
			host = a.ServiceName() + "/" + strings.TrimLeft(local, "/")
		}
		return Mount{Local: local, HostPath: host}
	})
}

// Volumes are raw --volume arguments, those of files and directories aside.
func (a *Accessory) Volumes() []string { return a.section.sub("volumes").texts() }

// Network is the Docker network, kamal by default.
func (a *Accessory) Network() string {
	if network := a.section.sub("network"); network.truthy() {
		return network.String()
	}
	return "kamal"
}

// Proxied tells whether kamal-proxy stands before it.
func (a *Accessory) Proxied() bool { return a.proxy != nil }

// Proxy is its own proxy section; the root's is not inherited. Nil without one.
func (a *Accessory) Proxy() *Proxy { return a.proxy }

// Private

func newAccessory(c *Config, name string, section Value) *Accessory {
	a := &Accessory{config: c, name: name, section: section, env: newEnv(section.sub("env"))}
	a.hosts = a.findHosts()
	if registry := section.sub("registry"); registry.Present() {
		own := newRegistry(registry)
		a.registry = &own
	}
	if proxy := section.sub("proxy"); proxy.Present() {
		a.proxy = newProxy(c, "", proxy)
	}
	return a
}

func (a *Accessory) findHosts() []string {
	s := a.section
	switch {
	case s.has("host"):
		return s.sub("host").texts()
	case s.has("hosts"):
		var hosts []string
		for _, tagged := range taggedHosts(s.sub("hosts")) {
			hosts = append(hosts, tagged.Host)
		}
		return hosts
	case s.has("role") || s.has("roles"):
		var hosts []string
		for _, name := range append(s.sub("role").texts(), s.sub("roles").texts()...) {
			if role := a.config.Role(name); role != nil {
				hosts = append(hosts, role.Hosts()...)
			}
		}
		return unique(hosts)
	default:
		var hosts []string
		for _, tag := range append(s.sub("tag").texts(), s.sub("tags").texts()...) {
			hosts = append(hosts, a.config.hostsWithTag(tag)...)
		}
		return unique(hosts)
	}
}

// hostsWithTag looks where Kamal looks: into roles that are plain lists, and a
// single tag matches any part of its name. Kamal dies of servers without roles.
func (c *Config) hostsWithTag(tag string) []string {
	servers := c.root.sub("servers")
	lists := [][]Value{servers.list}
	for _, role := range servers.entries {
		lists = append(lists, role.value.list)
	}
	var hosts []string
	for _, list := range lists {
		for _, item := range list {
			if item.kind != Map || len(item.entries) == 0 {
				continue
			}
			host, tags := item.entries[0].key.String(), item.entries[0].value
			if tags.kind == List && slices.Contains(tags.texts(), tag) || tags.kind != List && strings.Contains(tags.String(), tag) {
				hosts = append(hosts, host)
			}
		}
	}
	return hosts
}

// mounts reads one entry per local path: of two with the same, the last counts.
func (a *Accessory) mounts(key string, same func(m, n Mount) bool, place func(local, remote string) Mount) []Mount {
	var mounts []Mount
	for _, item := range a.section.sub(key).list {
		var mount Mount
		if item.kind == Map {
			mount = place(item.sub("local").String(), item.sub("remote").String())
			mount.ContainerPath, mount.Options = item.sub("remote").String(), item.sub("options").String()
			if mode := item.sub("mode"); mode.truthy() {
				mount.Mode = mode.String()
			}
			mount.Owner = item.sub("owner").String()
		} else {
			parts := strings.SplitN(item.String(), ":", 3)
			parts = append(parts, "", "")
			mount = place(parts[0], parts[1])
			mount.ContainerPath, mount.Options = parts[1], parts[2]
		}
		if i := slices.IndexFunc(mounts, func(m Mount) bool { return same(m, mount) }); i >= 0 {
			mounts[i] = mount
			continue
		}
		mounts = append(mounts, mount)
	}
	return mounts
}

// Helpers

// sameFile tells whether two files are one to Kamal, however their paths are
// written; templates never are.
func sameFile(m, n Mount) bool {
	return !m.Template && !n.Template && path.Clean(m.Local) == path.Clean(n.Local)
}

func sameText(m, n Mount) bool { return m.Local == n.Local }
