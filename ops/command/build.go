package command

import "binnacle/config"

// BuildOptions say how an image is built.
type BuildOptions struct {
	// Output is where the image goes: registry when empty, docker for this
	// machine's engine, or another type that buildx knows.
	Output string
	// Dirty marks the tags of an image of uncommitted work.
	Dirty bool
	// NoCache builds every step anew.
	NoCache bool
	// Extra are further flags, such as --progress=rawjson. They are not quoted.
	Extra []string
}

// BuildPush builds the image of a version and pushes it under the version and
// the latest tag. It runs in the build directory with the variables of Env.
func (b Builder) BuildPush(version string, o BuildOptions) Line {
	if b.Mode() == BuilderPack {
		return b.packPush(version, o)
	}
	line := b.buildx("build", "--output=type="+o.output()).With(platforms(b.build.Arches)...)
	if name := b.Name(); name != "" && !b.build.DockerDriver() {
		line = line.With("--builder", name)
	}
	line = line.With(b.tags(version, o)...)
	if b.build.CacheTo != "" && b.build.CacheFrom != "" {
		line = line.With("--cache-to", b.build.CacheTo, "--cache-from", b.build.CacheFrom)
	}
	line = line.WithArgs(Argumentize("--label", b.serviceLabel(), false)...).
		With(b.buildArgs()...).
		WithArgs(Argumentize("--secret", b.secretIDs(), false)...).
		With("--file", b.build.Dockerfile).
		With(b.optional()...)
	if o.NoCache {
		line = line.With("--no-cache")
	}
	return line.With(o.Extra...).With(b.build.Context, "2>&1")
}

// Private

func (o BuildOptions) output() string {
	if o.Output == "" {
		return "registry"
	}
	return o.Output
}

func (b Builder) tagNames(version string, o BuildOptions) []string {
	names := []string{b.cfg.AbsoluteImage(version), b.cfg.LatestImage()}
	if o.Dirty {
		names[0], names[1] = names[0]+"-dirty", names[1]+"-dirty"
	}
	return names
}

func (b Builder) tags(version string, o BuildOptions) []string {
	var args []string
	for _, name := range b.tagNames(version, o) {
		args = append(args, "-t", name)
	}
	return args
}

// buildArgs names the build arguments; buildx takes their values from the
// environment, so that no value stands in a list of processes.
func (b Builder) buildArgs() []string {
	var words []string
	for _, pair := range b.build.Args {
		words = append(words, "--build-arg", Quote(pair.Name))
	}
	return words
}

func (b Builder) serviceLabel() config.Pairs {
	return config.Pairs{{Name: "service", Value: config.StringValue(b.cfg.Service())}}
}

func (b Builder) secretIDs() config.Pairs {
	var ids config.Pairs
	for _, name := range b.build.Secrets {
		ids = append(ids, config.Pair{Name: "id", Value: config.StringValue(name)})
	}
	return ids
}

// optional are the flags that are only there when set, in Kamal's order.
func (b Builder) optional() []string {
	var args []string
	for _, option := range []struct{ flag, value string }{
		{"--target", b.build.Target},
		{"--ssh", b.build.SSH},
		{"--provenance", b.build.Provenance.String()},
		{"--sbom", b.build.SBOM.String()},
	} {
		if option.value != "" {
			args = append(args, option.flag, option.value)
		}
	}
	return args
}

// packPush builds with buildpacks. Secrets are named without value: pack takes
// them from its environment, so that they stay out of the process list.
func (b Builder) packPush(version string, o BuildOptions) Line {
	line := New("pack", "build", b.cfg.ImageRepository())
	if len(b.local) > 0 {
		line = line.With("--platform", "linux/"+b.local[0])
	}
	line = line.With("--creation-time", "now", "--builder", b.build.Pack.Builder)
	for _, buildpack := range b.build.Pack.Buildpacks {
		line = line.With("--buildpack", buildpack)
	}
	line = line.With("--buildpack", "paketo-buildpacks/image-labels").With(b.tags(version, o)...)
	if o.NoCache {
		line = line.With("--clear-cache")
	}
	line = line.With("--env", "BP_IMAGE_LABELS=service="+b.cfg.Service()).
		WithArgs(Argumentize("--env", b.build.Args, true)...).
		WithArgs(ArgumentizeList("--env", b.build.Secrets...)...).
		With(o.Extra...).With("--path", b.build.Context)
	if o.output() != "registry" {
		return line
	}
	push := []Line{line}
	for _, name := range b.tagNames(version, BuildOptions{}) {
		push = append(push, New("docker", "push", name))
	}
	return And(push...)
}
