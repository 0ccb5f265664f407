package operation

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"time"

	"binnacle/config/secret"
	"binnacle/ops"
	"binnacle/ops/command"
)

// build makes the image from a clean git clone, pushes it, and leaves it to
// pull: the unlocked first part of a deploy.
func (s *story) build(noCache bool) ops.Node {
	b := &build{story: s, builder: command.NewBuilder(s.cfg, runtime.GOARCH), noCache: noCache}
	return ops.InSequence("build", "build and push",
		present([]ops.Node{b.check(), b.login(), s.hook("pre-build", s.sel.Hosts()), b.clone(), b.builderReady(), b.push()})...)
}

// Private

type build struct {
	*story
	builder command.Builder
	noCache bool
	dir     string // where the build runs; "" for the project itself
}

func (b *build) check() *ops.Step {
	line := command.LocallyInstalled()
	return &ops.Step{ID: "check", Title: "docker and buildx here", Lines: []command.Line{line}, Run: func(ctx context.Context, r *ops.Run) error {
		if err := r.Locally(ctx, "", nil, line); err != nil {
			return &ops.Error{
				Command: line.String(), Cause: err,
				Hint: "install Docker with the buildx plugin here, or deploy an image that is built already: -P",
			}
		}
		if file := b.cfg.Builder().Dockerfile; b.cfg.Builder().Pack == nil && !r.World.Local().Exists(file) {
			return &ops.Error{Summary: "missing " + file, Hint: "builder.dockerfile names another file"}
		}
		return nil
	}}
}

func (b *build) login() ops.Node {
	if !b.builder.LoginLocally() || b.cfg.Registry().Local() || !b.cfg.Registry().Password.Set() {
		return nil
	}
	return &ops.Step{ID: "login", Title: "registry login", Timeout: time.Minute, Run: func(ctx context.Context, r *ops.Run) error {
		auth, err := b.auth(ctx, b.cfg.Registry())
		if err != nil {
			return err
		}
		return r.Locally(ctx, "", nil, command.Login(b.cfg.Registry(), secret.New(auth.Username), auth.Password))
	}}
}

// clone brings a clone of the repository to HEAD, so that nothing uncommitted
// is built. A builder.context builds the folder itself.
func (b *build) clone() *ops.Step {
	return &ops.Step{ID: "clone", Title: "git clone", Run: func(ctx context.Context, r *ops.Run) error {
		if b.cfg.Builder().Context != "." {
			b.warnUncommitted(ctx, r, "Building with uncommitted changes:")
			return ops.ErrSkipped
		}
		root, err := r.CaptureLocally(ctx, "", nil, command.GitRoot())
		if err != nil {
			return &ops.Error{Summary: "finding the git repository", Cause: err, Hint: "run inside the app's repository, or set builder.context"}
		}
		revision, err := r.CaptureLocally(ctx, "", nil, command.GitRevision())
		if err != nil {
			return err
		}
		b.warnUncommitted(ctx, r, "Building from a local git clone, so ignoring these uncommitted changes:")
		clone := command.NewClone(b.cfg, r.World.Local().TempDir(), b.cfg.Dir(), strings.TrimSpace(root))
		if err := b.prepareClone(ctx, r, clone, strings.TrimSpace(revision)); err != nil {
			return err
		}
		b.dir = clone.BuildDirectory()
		return nil
	}}
}

// prepareClone deletes and retries once when an old clone is in the way.
func (b *build) prepareClone(ctx context.Context, r *ops.Run, clone command.Clone, revision string) error {
	err := b.tryClone(ctx, r, clone, revision)
	if err == nil || ctx.Err() != nil {
		return err
	}
	r.Say("Error preparing clone: %s, deleting and retrying...", err)
	if err := r.Locally(ctx, "", nil, clone.RemoveDirectory()); err != nil {
		return err
	}
	return b.tryClone(ctx, r, clone, revision)
}

func (b *build) tryClone(ctx context.Context, r *ops.Run, clone command.Clone, revision string) error {
	if err := r.Locally(ctx, "", nil, clone.EnsureDirectory()); err != nil {
		return err
	}
	err := r.Locally(ctx, "", nil, clone.Clone())
	var exit *ops.ExitError
	if errors.As(err, &exit) && strings.Contains(exit.Output, "already exists and is not an empty directory") {
		err = r.Locally(ctx, "", nil, clone.Reset(revision)...)
	}
	if err != nil {
		return err
	}
	return checkClone(ctx, r, clone, revision)
}

func (b *build) warnUncommitted(ctx context.Context, r *ops.Run, text string) {
	changes, err := r.CaptureLocally(ctx, "", nil, command.GitStatus())
	if err == nil && strings.TrimSpace(changes) != "" {
		r.Say("%s\n%s", text, changes)
		r.Note("uncommitted changes are here")
	}
}

func (b *build) builderReady() ops.Node {
	if b.builder.Inspect().Empty() {
		return nil
	}
	return &ops.Step{ID: "builder", Title: "builder", Run: func(ctx context.Context, r *ops.Run) error {
		if r.Locally(ctx, "", nil, b.builder.Inspect()) == nil {
			return nil
		}
		r.Say("Missing compatible builder, so creating a new one first")
		_ = r.Locally(ctx, "", nil, b.builder.Remove()) // there may be none
		return r.Locally(ctx, "", nil, b.builder.Create())
	}}
}

func (b *build) push() *ops.Step {
	options := command.BuildOptions{NoCache: b.noCache, Extra: []string{"--progress=rawjson"}}
	line := b.builder.BuildPush(b.version, options)
	return &ops.Step{
		ID: "push", Title: "build and push " + b.cfg.AbsoluteImage(b.version), Timeout: 2 * time.Hour,
		Lines: []command.Line{line},
		Run: func(ctx context.Context, r *ops.Run) error {
			env, err := b.env(ctx)
			if err != nil {
				return err
			}
			watch := &buildWatch{run: r, vertices: map[string]*vertex{}}
			if err := r.EachLineLocally(ctx, b.dir, env, line, watch.line); err != nil {
				return watch.explain(err)
			}
			return nil
		},
	}
}

func (b *build) env(ctx context.Context) (map[string]secret.Value, error) {
	var entries []secret.Entry
	for _, name := range b.builder.SecretNames() {
		value, err := b.cfg.Secrets().Get(ctx, name)
		if err != nil {
			return nil, &ops.Error{Summary: "builder secret " + name, Cause: err}
		}
		entries = append(entries, secret.Entry{Name: name, Value: value})
	}
	return b.builder.Env(entries), nil
}

// Helpers

func checkClone(ctx context.Context, r *ops.Run, clone command.Clone, revision string) error {
	status, err := r.CaptureLocally(ctx, "", nil, clone.Status())
	if err != nil {
		return err
	}
	at, err := r.CaptureLocally(ctx, "", nil, clone.Revision())
	if err != nil {
		return err
	}
	if strings.TrimSpace(status) != "" || strings.TrimSpace(at) != revision {
		return fmt.Errorf("the clone in %s is not clean at %s", clone.Directory(), revision)
	}
	return nil
}
