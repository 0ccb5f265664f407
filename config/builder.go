package config

import (
	"regexp"
	"slices"
	"strings"
)

// Builder says how the image is built.
type Builder struct {
	// Arches are the architectures to build for (amd64, arm64).
	Arches []string
	// Remote is the Docker host that builds for the architectures this machine
	// does not have; "" for none.
	Remote string
	// LocalDisabled is set by local: false.
	LocalDisabled bool
	// Driver is docker-container by default, docker, or "cloud ORG/NAME".
	Driver string
	// Pack is set for builds with buildpacks.
	Pack *Pack
	// Cache is set for builds with a cache.
	Cache *Cache
	// Context is the folder to build from; "." when not set.
	Context string
	// ContextSet tells that the file gives a context, which turns the build from a
	// git clone off.
	ContextSet bool
	Dockerfile string
	Target     string
	// SSH is the value of buildx's --ssh, or "".
	SSH string
	// Args are the build arguments in order.
	Args Pairs
	// Secrets are names of secrets given to the build.
	Secrets []string
	// Provenance and SBOM are nil when not set.
	Provenance Value
	SBOM       Value
	// CacheFrom and CacheTo are the values of buildx's flags, or "".
	CacheFrom string
	CacheTo   string
}

// Pack is a build with Cloud Native Buildpacks.
type Pack struct {
	Builder    string
	Buildpacks []string
}

// Cache is the build cache.
type Cache struct {
	// Type is gha or registry; "" gives no flags.
	Type    string
	Options string
	Image   string
}

// Cloud tells whether Docker Build Cloud builds.
func (b Builder) Cloud() bool { return strings.HasPrefix(b.Driver, "cloud") }

// DockerDriver tells whether the Docker engine itself builds.
func (b Builder) DockerDriver() bool { return b.Driver == "docker" }

// LocalArches are the architectures built here, on a machine of the given one.
func (b Builder) LocalArches(machine string) []string {
	switch {
	case b.LocalDisabled:
		return nil
	case b.Remote == "":
		return slices.Clone(b.Arches)
	case slices.Contains(b.Arches, machine):
		return []string{machine}
	default:
		return nil
	}
}

// RemoteArches are the architectures built by the remote.
func (b Builder) RemoteArches(machine string) []string {
	if b.Remote == "" {
		return nil
	}
	local := b.LocalArches(machine)
	var remote []string
	for _, arch := range b.Arches {
		if !slices.Contains(local, arch) {
			remote = append(remote, arch)
		}
	}
	return remote
}

// Private

var ghaCacheFrom = regexp.MustCompile(`^(url|url_v2|token|scope|timeout)=`)

func newBuilder(section Value, image, server, arch string) Builder {
	b := Builder{
		Arches:        section.sub("arch").texts(),
		Remote:        section.sub("remote").String(),
		LocalDisabled: section.sub("local").IsFalse(),
		Driver:        "docker-container",
		Context:       ".",
		ContextSet:    !section.sub("context").IsNil(),
		Dockerfile:    "Dockerfile",
		Target:        section.sub("target").String(),
		SSH:           section.sub("ssh").String(),
		Args:          section.sub("args").Pairs(),
		Secrets:       section.sub("secrets").texts(),
		Provenance:    section.sub("provenance"),
		SBOM:          section.sub("sbom"),
	}
	if len(b.Arches) == 0 {
		b.Arches = []string{arch}
	}
	for key, field := range map[string]*string{"driver": &b.Driver, "context": &b.Context, "dockerfile": &b.Dockerfile} {
		if value := section.sub(key); value.truthy() {
			*field = value.String()
		}
	}
	if pack := section.sub("pack"); pack.truthy() {
		b.Pack = &Pack{Builder: pack.sub("builder").String(), Buildpacks: pack.sub("buildpacks").texts()}
	}
	if cache := section.sub("cache"); cache.truthy() {
		b.Cache = &Cache{Type: cache.sub("type").String(), Options: cache.sub("options").String(), Image: cache.sub("image").String()}
		b.CacheFrom, b.CacheTo = b.Cache.flags(image, server)
	}
	return b
}

func (c *Cache) flags(image, server string) (from, to string) {
	switch c.Type {
	case "gha":
		parts := []string{"type=gha"}
		for option := range strings.SplitSeq(c.Options, ",") {
			if ghaCacheFrom.MatchString(option) {
				parts = append(parts, option)
			}
		}
		return strings.Join(parts, ","), joinOptions("type=gha", c.Options)
	case "registry":
		ref := c.Image
		if ref == "" {
			ref = image + "-build-cache"
		}
		if server != "" {
			ref = server + "/" + ref
		}
		return "type=registry,ref=" + ref, joinOptions("type=registry,ref="+ref, c.Options)
	default:
		return "", ""
	}
}

// Helpers

func joinOptions(parts ...string) string {
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), ",")
}
