package command

import (
	"regexp"
	"slices"

	"binnacle/config"
)

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
		WithArgs(b.argsBy("--build-arg")...).
		WithArgs(Argumentize("--secret", b.secretIDs(), false)...).
		With("--file", b.build.Dockerfile).
		With(b.optional()...)
	if o.NoCache {
		line = line.With("--no-cache")
	}
	return line.With(o.Extra...).With(b.build.Context, "2>&1")
}

// ContextFiles prints the files and folders that a build takes from a folder,
// which .dockerignore decides. Nothing is kept of it, and no image is pulled.
func ContextFiles(folder string) Line {
	return Pipe(
		New("printf", `'FROM scratch\nCOPY . /\n'`),
		New("docker", "buildx", "build", "--output", "type=tar,dest=-", "--file", "-", folder),
		New("tar", "-tf", "-"))
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

// argsBy names the build arguments; the build takes their values from the
// environment, so that no value stands in a list of processes. What cannot stand
// there is given as Kamal gives it.
func (b Builder) argsBy(flag string) []Arg {
	var args []Arg
	for _, pair := range b.build.Args {
		if b.carried(pair.Name) {
			args = append(args, Raw(flag), Raw(pair.Name))
			continue
		}
		args = append(args, Argumentize(flag, config.Pairs{pair}, true)...)
	}
	return args
}

// carried tells whether an argument's value can be a variable of the build's
// environment: the shell must pass it on, it must not change what Docker's client
// does, and a secret may have the name already.
func (b Builder) carried(name string) bool {
	return variableName.MatchString(name) && !clientVariable.MatchString(name) && !slices.Contains(b.build.Secrets, name)
}

var (
	variableName   = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
	clientVariable = regexp.MustCompile(`(?i)^(PATH|HOME|PWD|IFS|ENV|SHELL|TMPDIR|SSH_AUTH_SOCK|(DOCKER|BUILDX|BUILDKIT|XDG|LD|DYLD|PACK|CNB)_.*|(HTTPS?|FTP|ALL|NO)_PROXY)$`)
)

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

// packEnv names the build arguments and secrets without their values, as far as
// pack can take those from its environment.
func (b Builder) packEnv() []Arg {
	return append(b.argsBy("--env"), ArgumentizeList("--env", b.build.Secrets...)...)
}

// packPush builds with buildpacks, then pushes.
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
		WithArgs(b.packEnv()...).
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
