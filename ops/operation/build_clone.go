package operation

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"

	"binnacle/ops"
	"binnacle/ops/command"
)

// clone brings a clone of the repository to HEAD, so that nothing uncommitted
// is built. With a builder.context, or without git, the folder itself is built.
func (b *build) clone() *ops.Step {
	return &ops.Step{ID: "clone", Title: "git clone", Run: func(ctx context.Context, r *ops.Run) error {
		if b.cfg.Builder().ContextSet {
			b.warnUncommitted(ctx, r, "Building with uncommitted changes:")
			return ops.ErrSkipped
		}
		root, err := r.CaptureLocally(ctx, "", nil, command.GitRoot())
		if err != nil {
			r.Say("There is no git repository here, so building the folder itself")
			return ops.ErrSkipped
		}
		revision, err := r.CaptureLocally(ctx, "", nil, command.GitRevision())
		if err != nil {
			return err
		}
		b.warnUncommitted(ctx, r, "Building from a local git clone, so ignoring these uncommitted changes:")
		root, revision = strings.TrimSpace(root), strings.TrimSpace(revision)
		cwd, err := b.folderIn(ctx, r, root)
		if err != nil {
			return err
		}
		clone := command.NewClone(b.cfg, r.World.Local().TempDir(), cwd, root)
		if err := b.prepareClone(ctx, r, clone, revision); err != nil {
			return err
		}
		b.dir = clone.BuildDirectory()
		return nil
	}}
}

// Private

// folderIn is the project's folder as git names it: a path with a symbolic link
// in it does not begin with the repository's root.
func (b *build) folderIn(ctx context.Context, r *ops.Run, root string) (string, error) {
	dir := b.cfg.Dir()
	if dir == root || strings.HasPrefix(dir, root+"/") {
		return dir, nil
	}
	prefix, err := r.CaptureLocally(ctx, "", nil, command.GitPrefix())
	return path.Join(root, strings.TrimSpace(prefix)), err
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
