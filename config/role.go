package config

import (
	"path"
	"slices"
	"strings"
)

// Role is one entry of servers: containers of the app that run the same command.
type Role struct {
	config  *Config
	name    string
	hosts   []TaggedHost
	section Value
	env     EnvSpec
	logging Logging
	proxy   *Proxy
}

// TaggedHost is a host of a role with the env tags it carries there.
type TaggedHost struct {
	Host string
	Tags []string
}

// Name is the role's key below servers.
func (r *Role) Name() string { return r.name }

// Primary tells whether this is the configured primary role.
func (r *Role) Primary() bool { return r.name == r.config.PrimaryRoleName() }

// Hosts lists the role's hosts in file order, each once.
func (r *Role) Hosts() []string {
	hosts := make([]string, len(r.hosts))
	for i, tagged := range r.hosts {
		hosts[i] = tagged.Host
	}
	return hosts
}

// TaggedHosts lists the hosts with their tags.
func (r *Role) TaggedHosts() []TaggedHost { return slices.Clone(r.hosts) }

// PrimaryHost is the first host, or "".
func (r *Role) PrimaryHost() string {
	if len(r.hosts) == 0 {
		return ""
	}
	return r.hosts[0].Host
}

// RunsOn tells whether the role has the host.
func (r *Role) RunsOn(host string) bool {
	return slices.ContainsFunc(r.hosts, func(t TaggedHost) bool { return t.Host == host })
}

// Cmd is appended as it is after the image; "" leaves the image's own command.
func (r *Role) Cmd() string { return r.section.sub("cmd").String() }

// Labels are the labels of the role's containers: service, role, destination
// (nil without one), then root labels, then the role's.
func (r *Role) Labels() Pairs {
	destination := Value{}
	if r.config.Destination() != "" {
		destination = StringValue(r.config.Destination())
	}
	return Pairs{
		{"service", StringValue(r.config.Service())},
		{"role", StringValue(r.name)},
		{"destination", destination},
	}.Merge(r.config.Labels()).Merge(r.section.sub("labels").Pairs())
}

// Options are extra `docker run` flags in file order, the restart policy aside.
// true is a bare flag, a list repeats the flag.
func (r *Role) Options() Pairs { return withoutRestart(r.section.sub("options")) }

// Restart is the restart policy, "unless-stopped" by default.
func (r *Role) Restart() string { return restartPolicy(r.section.sub("options")) }

// Env is the environment of the role's container on a host: root, then role, then
// the host's tags in the order they stand on it.
func (r *Role) Env(host string) EnvSpec {
	env := r.config.env.merge(r.env)
	for _, tagged := range r.hosts {
		if tagged.Host != host {
			continue
		}
		for _, name := range tagged.Tags {
			if tag, ok := r.config.tag(name); ok {
				env = env.merge(tag)
			}
		}
	}
	return env
}

// EnvFile is the path of the role's secrets on a host, relative to the login home.
func (r *Role) EnvFile() string {
	return path.Join(r.config.EnvDirectory(), "roles", r.name+".env")
}

// Logging is the role's log driver and options over the root's.
func (r *Role) Logging() Logging { return r.logging }

// Proxied tells whether kamal-proxy stands before the role: the primary role
// unless it says proxy: false, others only when they say so.
func (r *Role) Proxied() bool { return r.proxy != nil }

// Proxy is the role's proxy section over the root's; nil when not proxied.
func (r *Role) Proxy() *Proxy { return r.proxy }

// StopTimeout is the configured stop_timeout of the role, else of the root, in
// seconds; nil when neither is set.
func (r *Role) StopTimeout() *int {
	if own := r.section.sub("stop_timeout").intPointer(); own != nil {
		return own
	}
	return r.config.StopTimeout()
}

// DockerStopTimeout is what `docker stop -t` gets, in seconds; nil leaves Docker's
// default. A proxied role needs none: the proxy drained it before.
func (r *Role) DockerStopTimeout() *int {
	if timeout := r.StopTimeout(); timeout != nil || r.Proxied() {
		return timeout
	}
	drain := r.config.DrainTimeout()
	return &drain
}

// ContainerPrefix is "service-role[-destination]".
func (r *Role) ContainerPrefix() string {
	return joinPresent(r.config.Service(), r.name, r.config.Destination())
}

// ContainerName is the name of the role's container of a version.
func (r *Role) ContainerName(version string) string { return r.ContainerPrefix() + "-" + version }

// AssetPath is the folder of assets in the container, or "".
func (r *Role) AssetPath() string {
	assets, _, _ := strings.Cut(r.rawAssetPath(), ":")
	return assets
}

// AssetPathOptions are the mount options after the colon of asset_path, or "".
func (r *Role) AssetPathOptions() string {
	_, options, _ := strings.Cut(r.rawAssetPath(), ":")
	return options
}

// Assets tells whether assets are bridged between versions.
func (r *Role) Assets() bool { return strings.TrimSpace(r.AssetPath()) != "" && r.Proxied() }

// AssetExtractedDirectory is where a version's assets are copied on the host.
func (r *Role) AssetExtractedDirectory(version string) string {
	return path.Join(r.config.AssetsDirectory(), "extracted", r.name+"-"+version)
}

// AssetVolumeDirectory is the host folder that a version's container mounts.
func (r *Role) AssetVolumeDirectory(version string) string {
	return path.Join(r.config.AssetsDirectory(), "volumes", r.name+"-"+version)
}

// Private

func (r *Role) rawAssetPath() string {
	if own := r.section.sub("asset_path"); own.truthy() {
		return own.String()
	}
	return r.config.AssetPath()
}

func newRole(c *Config, name string, section Value) *Role {
	hosts := section
	if section.kind == Map {
		hosts = section.sub("hosts")
	} else {
		section = Value{kind: Map}
	}
	role := &Role{config: c, name: name, section: section, hosts: taggedHosts(hosts)}
	role.env = newEnv(section.sub("env"))
	role.logging = newLogging(deepMerge(c.root.sub("logging"), section.sub("logging")))
	return role
}

// Helpers

func taggedHosts(list Value) []TaggedHost {
	var hosts []TaggedHost
	add := func(host TaggedHost) {
		for i := range hosts {
			if hosts[i].Host == host.Host {
				hosts[i] = host
				return
			}
		}
		hosts = append(hosts, host)
	}
	for _, item := range list.list {
		switch {
		case item.kind == String:
			add(TaggedHost{Host: item.text})
		case item.kind == Map && len(item.entries) > 0:
			first := item.entries[0]
			add(TaggedHost{Host: first.key.String(), Tags: first.value.texts()})
		}
	}
	return hosts
}

func withoutRestart(options Value) Pairs {
	return slices.DeleteFunc(options.Pairs(), func(p Pair) bool { return p.Name == "restart" })
}

func restartPolicy(options Value) string {
	if policy, ok := options.Pairs().Get("restart"); ok && policy.truthy() {
		return policy.String()
	}
	return "unless-stopped"
}
