package operation

import (
	"context"
	"errors"
	"regexp"
	"strconv"
	"strings"
	"time"

	"binnacle/config/secret"
	"binnacle/ops"
	"binnacle/ops/command"
)

// build makes the image from a clean git clone, pushes it, and leaves it to
// pull: the unlocked first part of a deploy.
func (s *story) build(options command.BuildOptions) *ops.Group {
	b := s.newBuild(options)
	return ops.InSequence("build", "build and push",
		present([]ops.Node{b.check(), b.registry(), s.hook("pre-build", s.sel.Hosts()), b.clone(), b.builderReady(), b.push()})...)
}

// Private

type build struct {
	*story
	builder command.Builder
	options command.BuildOptions
	dir     string // where the build runs; "" for the project itself
	plain   bool   // buildx is too old to tell its progress in records
}

func (s *story) newBuild(options command.BuildOptions) *build {
	return &build{story: s, builder: command.NewBuilder(s.cfg, s.cfg.Machine()), options: options}
}

// check refuses what cannot end well, secrets included, before anything is done.
func (b *build) check() *ops.Step {
	line := command.LocallyInstalled()
	return &ops.Step{ID: "check", Title: "docker and buildx here", Lines: []command.Line{line}, Run: func(ctx context.Context, r *ops.Run) error {
		versions, err := r.CaptureLocally(ctx, "", nil, line)
		if err != nil {
			return missingDocker(line, err)
		}
		r.Say("%s", versions)
		b.plain = oldBuildx(versions)
		if file := b.cfg.Builder().Dockerfile; b.builder.Mode() != command.BuilderPack && !r.World.Local().Exists(file) {
			return &ops.Error{Summary: "missing " + file, Hint: "builder.dockerfile names another file"}
		}
		_, err = b.env(ctx)
		return err
	}}
}

// registry makes ready what the build pushes to: the registry of this machine,
// or a login. A remote builder asks for the login when it needs it.
func (b *build) registry() ops.Node {
	switch {
	case b.cfg.Registry().Local():
		return b.startLocalRegistry()
	case !b.builder.LoginLocally() || !b.cfg.Registry().Password.Set():
		return nil
	}
	return b.loginHere()
}

// builderReady creates the builder when there is none, or another one of its
// name.
func (b *build) builderReady() ops.Node {
	if b.builder.Inspect().Empty() {
		return nil
	}
	title, lines := "builder", []command.Line{b.builder.Inspect()}
	if create := b.builder.Create(); !create.Empty() {
		title, lines = "builder, created when it is missing", append(lines, create)
	}
	return &ops.Step{ID: "builder", Title: title, Timeout: 10 * time.Minute, Lines: lines, Run: func(ctx context.Context, r *ops.Run) error {
		err := r.Locally(ctx, "", nil, b.builder.Inspect())
		if err == nil || !missingBuilder(err) || b.builder.Create().Empty() {
			return err
		}
		r.Say("Missing compatible builder, so creating a new one first")
		if err := r.Locally(ctx, "", nil, b.builder.Remove()); err != nil && !missingBuilder(err) {
			return err
		}
		if err := b.reachBuilder(ctx, r); err != nil {
			return err
		}
		return r.Locally(ctx, "", nil, b.builder.Create())
	}}
}

func (b *build) push() *ops.Step {
	return &ops.Step{
		ID: "push", Title: b.title(b.cfg.AbsoluteImage(b.version)), Timeout: 2 * time.Hour,
		Lines: []command.Line{b.builder.BuildPush(b.version, b.options)},
		Run:   b.run,
	}
}

// run builds, and follows the build by its records where buildx writes them.
func (b *build) run(ctx context.Context, r *ops.Run) error {
	env, err := b.env(ctx)
	if err != nil {
		return err
	}
	options := b.options
	if b.builder.Mode() != command.BuilderPack && !b.plain {
		options.Extra = []string{"--progress=rawjson"}
	}
	return b.withBuilderForward(ctx, r, func() error {
		watch := &buildWatch{run: r, vertices: map[string]*vertex{}}
		if err := r.EachLineLocally(ctx, b.dir, env, b.builder.BuildPush(b.version, options), watch.line); err != nil {
			return watch.explain(err)
		}
		return nil
	})
}

// withBuilderForward lets a remote builder push to the registry of this machine.
func (b *build) withBuilderForward(ctx context.Context, r *ops.Run, do func() error) error {
	if !b.builder.Remotely() {
		return do()
	}
	return b.withRegistryForward(ctx, r, b.cfg.Builder().Remote, do)
}

// reachBuilder connects to a remote builder once, so that what is wrong with the
// connection is said as such.
func (b *build) reachBuilder(ctx context.Context, r *ops.Run) error {
	url := b.cfg.Builder().Remote
	if !strings.HasPrefix(url, "ssh://") {
		return nil
	}
	err := r.World.Remote(url).Run(ctx, command.New("true"), nil)
	var known *ops.Error
	if err == nil || errors.As(err, &known) {
		return err
	}
	return &ops.Error{Host: url, Command: "true", Cause: err, Hint: "builder.remote must be a machine that you can log in to by ssh"}
}

// env are the variables of the build: secrets and the values of its arguments.
func (b *build) env(ctx context.Context) (map[string]secret.Value, error) {
	var entries []secret.Entry
	for _, name := range b.builder.SecretNames() {
		value, err := b.cfg.Secrets().Get(ctx, name)
		if err != nil {
			return nil, &ops.Error{Summary: "builder secret " + name, Cause: err, Hint: "add it to the secrets file as KEY=$KEY or KEY=$(command)"}
		}
		entries = append(entries, secret.Entry{Name: name, Value: value})
	}
	return b.builder.Env(entries), nil
}

// title says where the image goes.
func (b *build) title(what string) string {
	switch b.options.Output {
	case "", "registry":
		return "build and push " + what
	}
	return "build " + what + " as " + b.options.Output
}

// effects say what a build is made of and where it goes.
func (b *build) effects() []ops.Effect {
	source := "a clean clone of the git repository"
	if b.cfg.Builder().ContextSet {
		source = "the folder " + b.cfg.Builder().Context + " as it is"
	}
	return []ops.Effect{
		{Label: "builds", Text: b.cfg.AbsoluteImage(b.version) + " from " + source},
		{Label: "builder", Text: b.describe()},
	}
}

func (b *build) describe() string {
	arches := strings.Join(b.cfg.Builder().Arches, ", ")
	switch name := b.builder.Name(); {
	case b.builder.Mode() == command.BuilderPack:
		return "pack with " + b.cfg.Builder().Pack.Builder + " for " + arches
	case name == "":
		return "Docker itself for " + arches
	case b.builder.Remotely():
		return name + " on " + b.cfg.Builder().Remote + " for " + arches
	default:
		return name + " for " + arches
	}
}

// Helpers

func missingDocker(line command.Line, err error) error {
	failed := &ops.Error{
		Summary: "the Docker buildx plugin is not installed here", Command: line.String(), Cause: err,
		Hint: "install Docker with the buildx plugin here, or deploy an image that is built already: -P",
	}
	var exit *ops.ExitError
	if errors.As(err, &exit) && exit.Code == 127 {
		failed.Summary = "Docker is not installed here"
	}
	return failed
}

// missingBuilder reports an inspect or a removal of a builder that is not there
// or is not what the configuration asks for.
func missingBuilder(err error) bool {
	var exit *ops.ExitError
	return errors.As(err, &exit) && builderIsMissing.MatchString(exit.Output)
}

var (
	builderIsMissing = regexp.MustCompile(`context not found|no builder|no compatible builder|does not exist`)
	buildxVersion    = regexp.MustCompile(`buildx v?(\d+)\.(\d+)`)
)

// oldBuildx reports a buildx before 0.13, which knows no --progress=rawjson. One
// that somebody built for themselves says 0.0 and is taken to be new.
func oldBuildx(versions string) bool {
	found := buildxVersion.FindStringSubmatch(versions)
	if found == nil {
		return false
	}
	major, _ := strconv.Atoi(found[1])
	minor, _ := strconv.Atoi(found[2])
	return major == 0 && minor > 0 && minor < 13
}
