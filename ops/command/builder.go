package command

import (
	"regexp"
	"slices"
	"strings"

	"binnacle/config"
	"binnacle/config/secret"
)

// BuilderMode is what builds the image.
type BuilderMode string

// The modes, in Kamal's words.
const (
	BuilderLocal  BuilderMode = "local"
	BuilderRemote BuilderMode = "remote"
	BuilderHybrid BuilderMode = "hybrid"
	BuilderPack   BuilderMode = "pack"
	BuilderCloud  BuilderMode = "cloud"
)

// Builder builds the commands that build the app's image. They run on the
// machine that Binnacle runs on.
type Builder struct {
	cfg    *config.Config
	build  config.Builder
	local  []string
	remote []string
}

// NewBuilder is the app's builder on a machine of an architecture (amd64, arm64).
func NewBuilder(cfg *config.Config, machine string) Builder {
	build := cfg.Builder()
	return Builder{cfg: cfg, build: build, local: build.LocalArches(machine), remote: build.RemoteArches(machine)}
}

// Mode is what builds: a remote for architectures this machine has not, else
// buildpacks, else Docker's cloud, else this machine.
func (b Builder) Mode() BuilderMode {
	switch {
	case len(b.remote) > 0 && len(b.local) > 0:
		return BuilderHybrid
	case len(b.remote) > 0:
		return BuilderRemote
	case b.build.Pack != nil:
		return BuilderPack
	case b.build.Cloud():
		return BuilderCloud
	default:
		return BuilderLocal
	}
}

// Name is the buildx builder; empty for the docker driver and for buildpacks,
// which need none.
func (b Builder) Name() string {
	switch b.Mode() {
	case BuilderHybrid:
		return "kamal-hybrid-" + b.build.Driver + "-" + b.remoteSuffix()
	case BuilderRemote:
		return "kamal-remote-" + b.remoteSuffix()
	case BuilderCloud:
		return strings.NewReplacer(" ", "-", "/", "-").Replace(b.build.Driver)
	case BuilderPack:
		return ""
	}
	switch {
	case b.build.DockerDriver():
		return ""
	case b.cfg.Registry().Local():
		return "kamal-local-registry-" + b.build.Driver
	default:
		return "kamal-local-" + b.build.Driver
	}
}

// Remotely tells whether a remote builds all or a part.
func (b Builder) Remotely() bool { return len(b.remote) > 0 }

// LoginLocally tells whether the build pushes with this machine's login.
func (b Builder) LoginLocally() bool { return len(b.remote) == 0 }

// SecretNames are the secrets to give the build as environment variables.
func (b Builder) SecretNames() []string { return slices.Clone(b.build.Secrets) }

// Env are the variables of a build: the values of its arguments, its secrets,
// and what the builder needs.
func (b Builder) Env(secrets []secret.Entry) map[string]secret.Value {
	env := map[string]secret.Value{}
	for _, pair := range b.build.Args {
		if b.carried(pair.Name) && (pair.Value.Present() || pair.Value.IsFalse()) {
			env[pair.Name] = secret.New(Received(pair.Value.String(), b.cfg.Getenv))
		}
	}
	for _, entry := range secrets {
		env[entry.Name] = entry.Value
		if b.Mode() == BuilderPack {
			env[entry.Name] = secret.New(Received(entry.Value.Reveal(), b.cfg.Getenv))
		}
	}
	if len(b.remote) > 0 {
		env["BUILDKIT_NO_CLIENT_TOKEN"] = secret.New("1")
	}
	return env
}

// Inspect fails with "no builder", "no compatible builder", "context not found"
// or "does not exist" when the builder must be created. It is empty when there
// is nothing to create.
func (b Builder) Inspect() Line {
	switch b.Mode() {
	case BuilderHybrid, BuilderRemote:
		endpoint := Pipe(b.buildx("inspect", b.Name()), New("grep", "-q", "Endpoint:.*"+b.contextName()))
		context := Pipe(
			New("docker", "context", "inspect", b.contextName(), "--format", "'{{.Endpoints.docker.Host}}'"),
			New("grep", "-xq", b.build.Remote))
		return Or(And(endpoint, context), New("(echo no compatible builder && exit 1)"))
	case BuilderPack:
		return New("pack", "builder", "inspect", b.build.Pack.Builder)
	}
	if b.Name() == "" {
		return Line{}
	}
	return b.buildx("inspect", b.Name())
}

// Create makes the builder; empty when there is nothing to create.
func (b Builder) Create() Line {
	context := New("docker", "context", "create", b.contextName(),
		"--description", "'"+b.Name()+" host'", "--docker", "'host="+b.build.Remote+"'")
	switch b.Mode() {
	case BuilderHybrid:
		return And(
			b.buildx("create").With(platforms(b.local)...).With("--name", b.Name(), "--driver="+b.build.Driver).With(b.driverOptions()...),
			context,
			b.buildx("create").With(platforms(b.remote)...).With("--append", "--name", b.Name()).With(b.driverOptions()...).With(b.contextName()))
	case BuilderRemote:
		return Chain(context, b.buildx("create", "--name", b.Name()).With(b.driverOptions()...).With(b.contextName()))
	case BuilderCloud:
		return b.buildx("create", "--driver", b.build.Driver)
	}
	if b.Name() == "" {
		return Line{}
	}
	return b.buildx("create", "--name", b.Name(), "--driver="+b.build.Driver).With(b.driverOptions()...)
}

// Remove removes the builder; empty when there is none.
func (b Builder) Remove() Line {
	if b.Name() == "" {
		return Line{}
	}
	remove := b.buildx("rm", b.Name())
	if len(b.remote) > 0 {
		return Chain(New("docker", "context", "rm", b.contextName()), remove)
	}
	return remove
}

// Info lists the builders and contexts of this machine.
func (b Builder) Info() Line {
	contexts, builders := New("docker", "context", "ls"), b.buildx("ls")
	switch b.Mode() {
	case BuilderPack:
		return New("pack", "builder", "inspect", b.build.Pack.Builder)
	case BuilderHybrid, BuilderRemote:
		return Chain(contexts, builders)
	default:
		return And(contexts, builders)
	}
}

// Private

func (b Builder) buildx(words ...string) Line { return New("docker", "buildx").With(words...) }

func (b Builder) contextName() string { return b.Name() + "-context" }

func (b Builder) remoteSuffix() string {
	suffix := notInBuilderName.ReplaceAllString(b.build.Remote, "-")
	if b.cfg.Registry().Local() {
		suffix += "-local-registry"
	}
	return suffix
}

func (b Builder) driverOptions() []string {
	if b.cfg.Registry().Local() {
		return []string{"--driver-opt", "network=host"}
	}
	return nil
}

var notInBuilderName = regexp.MustCompile(`[^a-z0-9_-]`)

// Helpers

func platforms(arches []string) []string {
	if len(arches) == 0 {
		return nil
	}
	return []string{"--platform", "linux/" + strings.Join(arches, ",linux/")}
}
