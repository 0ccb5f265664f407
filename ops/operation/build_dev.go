package operation

import (
	"cmp"
	"context"
	"path"
	"slices"
	"strings"
	"time"

	"binnacle/ops"
	"binnacle/ops/command"
)

// BuildDev builds the folder as it is, with what is not committed, for this
// machine. Its tags say so.
func BuildDev() ops.Operation {
	return ops.Operation{
		Name: "build dev", Group: "build", Summary: "Build the working folder as it is, tagged dirty, for this machine's Docker",
		Scope: ops.ScopeApp, Risk: ops.Change, Params: pushParams("docker"),
		Plan: func(in ops.Input) (ops.Plan, error) {
			s := newStory(in, "build dev")
			if err := s.needVersion(); err != nil {
				return ops.Plan{}, err
			}
			options := s.pushOptions()
			options.Dirty, options.Output = true, cmp.Or(options.Output, "docker")
			b := s.newBuild(options)
			push := b.push()
			push.ID, push.Title = "build", b.title(b.cfg.AbsoluteImage(b.version)+"-dirty")
			plan := s.plan(ops.Change, b.title(s.shown()+"-dirty"), b.check(), b.uncommitted(), b.builderReady(), push)
			plan.Effects = []ops.Effect{
				{Label: "builds", Text: b.cfg.AbsoluteImage(b.version) + "-dirty from the folder as it is"},
				{Label: "builder", Text: b.describe()},
			}
			return plan, nil
		},
	}
}

// Private

// uncommitted warns of files that get into the image although they are in no
// commit.
func (b *build) uncommitted() *ops.Step {
	return &ops.Step{ID: "uncommitted", Title: "uncommitted files", Timeout: 10 * time.Minute, Run: func(ctx context.Context, r *ops.Run) error {
		if strings.Contains(b.cfg.Builder().Context, ":") {
			return ops.ErrSkipped // a URL; nothing of this folder is built
		}
		modified, err := r.CaptureLocally(ctx, "", nil, command.GitModified())
		if err != nil {
			return ops.ErrSkipped // there is no repository
		}
		untracked, err := r.CaptureLocally(ctx, "", nil, command.GitUntracked())
		if err != nil {
			return err
		}
		if strings.TrimSpace(modified+untracked) == "" {
			return nil
		}
		included, err := b.contextFiles(ctx, r)
		if err != nil {
			return err
		}
		n := warnOf(r, "WARNING: Files with uncommitted changes will be present in the dev container:", modified, included)
		n += warnOf(r, "WARNING: Untracked files will be present in the dev container:", untracked, included)
		if n > 0 {
			r.Note("%d files are in no commit", n)
		}
		return nil
	}}
}

// contextFiles are the files that the build takes, as git names them.
func (b *build) contextFiles(ctx context.Context, r *ops.Run) (map[string]bool, error) {
	folder := b.cfg.Builder().Context
	line := command.ContextFiles(folder)
	list, err := r.CaptureLocally(ctx, "", nil, line)
	if err != nil {
		return nil, &ops.Error{Summary: "listing the files that the build takes", Command: line.String(), Cause: err}
	}
	files := map[string]bool{}
	for name := range strings.Lines(list) {
		files[path.Join(folder, strings.TrimSpace(name))] = true
	}
	return files, nil
}

// Helpers

// warnOf lists the files among those that git names, and counts them.
func warnOf(r *ops.Run, heading, listed string, included map[string]bool) int {
	var found []string
	for name := range strings.Lines(listed) {
		if name = strings.TrimSpace(name); included[name] {
			found = append(found, name)
		}
	}
	if len(found) == 0 {
		return 0
	}
	slices.Sort(found)
	r.Say("%s\n  %s\n", heading, strings.Join(found, "\n  "))
	return len(found)
}
