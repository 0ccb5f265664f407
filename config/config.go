// Package config reads deploy.yml as an immutable value that answers questions:
// which roles, hosts, images, names and settings there are. It knows no network,
// no clock and no Docker; what it needs of the world is injected by Options.
//
// It may import config/secret, a YAML library and the standard library.
package config

import (
	"path"
	"slices"
	"strings"

	"binnacle/config/secret"
)

// KamalVersion is the version of the kamal gem whose files and behaviour this
// package follows; minimum_version is compared with it.
const KamalVersion = "2.12.0"

// Config is one loaded deploy.yml with its destination file merged in.
type Config struct {
	options     Options
	environment *environment
	files       []string
	root        Value
	schema      schema
	extension   extension

	roles       []*Role
	accessories []*Accessory
	registry    Registry
	builder     Builder
	boot        Boot
	env         EnvSpec
	tags        []envTag
	logging     Logging
	ssh         SSH
	sshkit      SSHKit
	output      Output
	secrets     *secret.Secrets
	version     func() (string, error)
	warnings    []Warning
}

// Files names the files that were read, base first, as absolute paths.
func (c *Config) Files() []string { return slices.Clone(c.files) }

// Dir is the project's folder: relative paths of the configuration start here.
func (c *Config) Dir() string { return c.options.Dir }

// Machine is the architecture of the machine that reads it: amd64, arm64.
func (c *Config) Machine() string { return c.options.Arch }

// Service is the app's name, the first part of its containers' names.
func (c *Config) Service() string { return c.root.sub("service").String() }

// Destination is the name given with -d, or "".
func (c *Config) Destination() string { return c.options.Destination }

// ServiceAndDestination is "service" or "service-destination": the name of the
// app's folders, lock and audit log on the hosts.
func (c *Config) ServiceAndDestination() string { return joinPresent(c.Service(), c.Destination()) }

// Image is the image's name without registry and tag. With a local registry it
// defaults to the service.
func (c *Config) Image() string {
	if image := c.root.sub("image"); image.Present() {
		return image.String()
	}
	if c.registry.Local() {
		return c.Service()
	}
	return ""
}

// ImageRepository is the image with its registry server, without tag.
func (c *Config) ImageRepository() string {
	if c.registry.Server == "" {
		return c.Image()
	}
	return c.registry.Server + "/" + c.Image()
}

// AbsoluteImage is the image of a version as `docker pull` takes it.
func (c *Config) AbsoluteImage(version string) string { return c.ImageRepository() + ":" + version }

// LatestTag is the moving tag: "latest", or "latest-DESTINATION".
func (c *Config) LatestTag() string { return joinPresent("latest", c.Destination()) }

// LatestImage is the image under the moving tag.
func (c *Config) LatestImage() string { return c.ImageRepository() + ":" + c.LatestTag() }

// Version is the version that commands work on: the one asked for, else $VERSION,
// else git's HEAD (with a random suffix when the tree is dirty and the build does
// not use a clone). It is determined once.
func (c *Config) Version() (string, error) { return c.version() }

// WithVersion is the same configuration with another version asked for.
func (c *Config) WithVersion(version string) *Config {
	other := *c
	other.options.Version = version
	other.version = func() (string, error) { return version, nil }
	other.rebind()
	return &other
}

// AbbreviatedVersion shortens a version for reading: seven characters, unless it
// holds an underscore.
func AbbreviatedVersion(version string) string {
	if strings.Contains(version, "_") || len(version) <= 7 {
		return version
	}
	return version[:7]
}

// ServiceWithVersion is "service-version".
func (c *Config) ServiceWithVersion(version string) string { return c.Service() + "-" + version }

// ServiceVersion is "service@abbreviated", as hooks and audit tags show it.
func (c *Config) ServiceVersion(version string) string {
	return c.Service() + "@" + AbbreviatedVersion(version)
}

// Roles lists all roles sorted by name.
func (c *Config) Roles() []*Role { return slices.Clone(c.roles) }

// Role finds a role by name; nil when there is none.
func (c *Config) Role(name string) *Role {
	for _, role := range c.roles {
		if role.name == name {
			return role
		}
	}
	return nil
}

// PrimaryRoleName is the configured primary role, "web" by default, whether or
// not it exists.
func (c *Config) PrimaryRoleName() string {
	if name := c.root.sub("primary_role"); name.truthy() {
		return name.String()
	}
	return "web"
}

// PrimaryRole is the primary role; nil when only accessories are configured.
func (c *Config) PrimaryRole() *Role { return c.Role(c.PrimaryRoleName()) }

// PrimaryHost is the first host of the primary role, or "".
func (c *Config) PrimaryHost() string {
	if role := c.PrimaryRole(); role != nil {
		return role.PrimaryHost()
	}
	return ""
}

// AllHosts lists the hosts of roles in name order, then of accessories in file
// order, each once.
func (c *Config) AllHosts() []string { return unique(c.AppHosts(), c.AccessoryHosts()) }

// AppHosts lists the hosts of all roles, each once.
func (c *Config) AppHosts() []string {
	var hosts []string
	for _, role := range c.roles {
		hosts = append(hosts, role.Hosts()...)
	}
	return unique(hosts)
}

// AccessoryHosts lists the hosts of all accessories, each once.
func (c *Config) AccessoryHosts() []string {
	var hosts []string
	for _, accessory := range c.accessories {
		hosts = append(hosts, accessory.hosts...)
	}
	return unique(hosts)
}

// ProxyHosts lists the hosts that run kamal-proxy: those of proxied roles, then
// those of proxied accessories.
func (c *Config) ProxyHosts() []string {
	var hosts []string
	for _, role := range c.roles {
		if role.Proxied() {
			hosts = append(hosts, role.Hosts()...)
		}
	}
	for _, accessory := range c.accessories {
		if accessory.Proxied() {
			hosts = append(hosts, accessory.hosts...)
		}
	}
	return unique(hosts)
}

// RolesOn lists the roles of a host, sorted by name.
func (c *Config) RolesOn(host string) []*Role {
	var roles []*Role
	for _, role := range c.roles {
		if role.RunsOn(host) {
			roles = append(roles, role)
		}
	}
	return roles
}

// AccessoriesOn lists the accessories of a host in file order.
func (c *Config) AccessoriesOn(host string) []*Accessory {
	var found []*Accessory
	for _, accessory := range c.accessories {
		if slices.Contains(accessory.hosts, host) {
			found = append(found, accessory)
		}
	}
	return found
}

// ProxyRun is how kamal-proxy is to be run on a host; nil when the file does not
// say, in which case the legacy boot files on the host count.
func (c *Config) ProxyRun(host string) *ProxyRun {
	for _, role := range c.RolesOn(host) {
		if role.proxy != nil && role.proxy.Run != nil {
			return role.proxy.Run
		}
	}
	for _, accessory := range c.AccessoriesOn(host) {
		if accessory.proxy != nil && accessory.proxy.Run != nil {
			return accessory.proxy.Run
		}
	}
	return nil
}

// Accessories lists the accessories in file order.
func (c *Config) Accessories() []*Accessory { return slices.Clone(c.accessories) }

// Accessory finds an accessory by name; nil when there is none.
func (c *Config) Accessory(name string) *Accessory {
	for _, accessory := range c.accessories {
		if accessory.name == name {
			return accessory
		}
	}
	return nil
}

// Registry is the app's image registry.
func (c *Config) Registry() Registry { return c.registry }

// Builder says how the image is built.
func (c *Config) Builder() Builder { return c.builder }

// Boot says how many hosts boot at a time.
func (c *Config) Boot() Boot { return c.boot }

// Logging is the root logging section; roles have their own merged one.
func (c *Config) Logging() Logging { return c.logging }

// SSH is how hosts are reached, as far as the file says.
func (c *Config) SSH() SSH { return c.ssh }

// SSHKit tunes connections.
func (c *Config) SSHKit() SSHKit { return c.sshkit }

// Output is where the output of commands is also sent.
func (c *Config) Output() Output { return c.output }

// Secrets are the project's secrets; nothing is read before the first question.
func (c *Config) Secrets() *secret.Secrets { return c.secrets }

// Getenv is a variable of the environment, as templates see it.
func (c *Config) Getenv(name string) string {
	value, _ := c.environment.get(name)
	return value
}

// Volumes are the raw --volume arguments of every app container.
func (c *Config) Volumes() []string { return c.root.sub("volumes").texts() }

// Labels are the root labels of app containers.
func (c *Config) Labels() Pairs { return c.root.sub("labels").Pairs() }

// AssetPath is the root asset_path as written, options included.
func (c *Config) AssetPath() string { return c.root.sub("asset_path").String() }

// ErrorPagesPath is the local folder of error pages, or "".
func (c *Config) ErrorPagesPath() string { return c.root.sub("error_pages_path").String() }

// RetainContainers is how many containers of the service a host keeps.
func (c *Config) RetainContainers() int { return c.integer("retain_containers", 5) }

// DeployTimeout is how long a new container may take to become healthy, in seconds.
func (c *Config) DeployTimeout() int { return c.integer("deploy_timeout", 30) }

// DrainTimeout is how long requests of an old container may take to end, in seconds.
func (c *Config) DrainTimeout() int { return c.integer("drain_timeout", 30) }

// ReadinessDelay is how long a container without proxy and without health check
// must run to count as booted, in seconds.
func (c *Config) ReadinessDelay() int { return c.integer("readiness_delay", 7) }

// StopTimeout is the root stop_timeout in seconds; nil when not set.
func (c *Config) StopTimeout() *int { return c.root.sub("stop_timeout").intPointer() }

// MinimumVersion is the version of Kamal that the file asks for, or "".
func (c *Config) MinimumVersion() string { return c.root.sub("minimum_version").String() }

// RequireDestination tells whether commands need -d.
func (c *Config) RequireDestination() bool { return c.root.sub("require_destination").truthy() }

// HooksPath is the folder of hooks, relative to Dir unless absolute.
func (c *Config) HooksPath() string { return c.text("hooks_path", ".kamal/hooks") }

// SecretsPath is the path of the secrets files without suffix.
func (c *Config) SecretsPath() string { return c.text("secrets_path", ".kamal/secrets") }

// HooksOutput is "quiet", "verbose", or "" when the file does not say for a hook.
func (c *Config) HooksOutput(hook string) string {
	output := c.root.sub("hooks_output")
	if output.kind == Map {
		return strings.TrimPrefix(output.sub(hook).String(), ":")
	}
	return output.String()
}

// Aliases are the shortcuts for commands, in file order; values are command lines.
func (c *Config) Aliases() Pairs { return c.root.sub("aliases").Pairs() }

// Warnings are the spellings that were read with their evident meaning.
func (c *Config) Warnings() []Warning { return slices.Clone(c.warnings) }

// RunDirectory is Kamal's folder in the login home of each host.
func (c *Config) RunDirectory() string { return ".kamal" }

// AppDirectory is the app's folder on each host, relative to the login home.
func (c *Config) AppDirectory() string {
	return path.Join(c.RunDirectory(), "apps", c.ServiceAndDestination())
}

// EnvDirectory holds the env files on each host.
func (c *Config) EnvDirectory() string { return path.Join(c.AppDirectory(), "env") }

// AssetsDirectory holds extracted assets on each host.
func (c *Config) AssetsDirectory() string { return path.Join(c.AppDirectory(), "assets") }

// ProxyAppDirectory is the app's folder below the proxy's on each host.
func (c *Config) ProxyAppDirectory() string {
	return path.Join(c.RunDirectory(), "proxy", "apps-config", c.ServiceAndDestination())
}

// ProxyAppContainerDirectory is the same folder as the proxy's container sees it.
func (c *Config) ProxyAppContainerDirectory() string {
	return path.Join("/home/kamal-proxy/.apps-config", c.ServiceAndDestination())
}

// Private

func (c *Config) integer(key string, fallback int) int {
	if n, ok := c.root.sub(key).Int(); ok {
		return n
	}
	return fallback
}

func (c *Config) text(key, fallback string) string {
	if v := c.root.sub(key); v.truthy() {
		return v.String()
	}
	return fallback
}

// rebind lets copied roles and accessories answer from this configuration.
func (c *Config) rebind() {
	c.roles, c.accessories = slices.Clone(c.roles), slices.Clone(c.accessories)
	for i, role := range c.roles {
		copied := *role
		copied.config, c.roles[i] = c, &copied
		copied.proxy = copied.proxy.boundTo(c)
	}
	for i, accessory := range c.accessories {
		copied := *accessory
		copied.config, c.accessories[i] = c, &copied
		copied.proxy = copied.proxy.boundTo(c)
	}
}

// Helpers

func joinPresent(parts ...string) string {
	parts = slices.DeleteFunc(parts, func(s string) bool { return s == "" })
	return strings.Join(parts, "-")
}

func unique(lists ...[]string) []string {
	var all []string
	for _, list := range lists {
		for _, item := range list {
			if !slices.Contains(all, item) {
				all = append(all, item)
			}
		}
	}
	return all
}
