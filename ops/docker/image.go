package docker

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/moby/moby/api/pkg/authconfig"
	"github.com/moby/moby/api/types/registry"
	"github.com/moby/moby/client"

	"binnacle/ops"
)

// Pull fetches an image and reports bytes over all its layers. progress may be
// nil; it is called from this goroutine. Credentials go in a header of the
// request: what `docker login` stored on the host is not used.
func (e *Engine) Pull(ctx context.Context, ref string, auth ops.RegistryAuth, progress func(ops.Progress)) error {
	return e.call(ctx, 0, "docker pull "+ref, func(ctx context.Context) error {
		header, err := credentials(auth)
		if err != nil {
			return err
		}
		stream, err := e.api().ImagePull(ctx, ref, client.ImagePullOptions{RegistryAuth: header})
		if err != nil {
			return err
		}
		defer stream.Close()
		fold := newPullFold()
		var last ops.Progress
		for m, err := range stream.JSONMessages(ctx) {
			if err != nil {
				return err
			}
			if m.Error != nil {
				return m.Error
			}
			now := fold.add(m)
			if progress != nil && now != last {
				progress(now)
				last = now
			}
		}
		return ctx.Err()
	})
}

// InspectImage returns an image by reference or id; ErrNotFound when absent.
func (e *Engine) InspectImage(ctx context.Context, ref string) (ops.Image, error) {
	var out ops.Image
	err := e.call(ctx, readTimeout, "docker image inspect "+ref, func(ctx context.Context) error {
		got, err := e.api().ImageInspect(ctx, ref)
		if err != nil {
			return err
		}
		out = ops.Image{ID: got.ID, Tags: named(got.RepoTags), Digests: named(got.RepoDigests), Created: when(got.Created), Size: got.Size}
		if got.Config != nil {
			out.Labels = got.Config.Labels
		}
		return nil
	})
	return out, err
}

// ListImages returns the images that carry every label given as `key=value`,
// newest first.
func (e *Engine) ListImages(ctx context.Context, labels ...string) ([]ops.Image, error) {
	var out []ops.Image
	err := e.call(ctx, readTimeout, "docker image ls", func(ctx context.Context) error {
		got, err := e.api().ImageList(ctx, client.ImageListOptions{Filters: labelled(labels)})
		if err != nil {
			return err
		}
		out = make([]ops.Image, 0, len(got.Items))
		for _, i := range got.Items {
			out = append(out, ops.Image{
				ID: i.ID, Tags: named(i.RepoTags), Digests: named(i.RepoDigests),
				Created: time.Unix(i.Created, 0).UTC(), Size: i.Size, Labels: i.Labels,
			})
		}
		slices.SortFunc(out, func(a, b ops.Image) int { return cmp.Or(b.Created.Compare(a.Created), cmp.Compare(a.ID, b.ID)) })
		return nil
	})
	return out, err
}

// Tag gives an image another reference, taking it from the image that has it.
func (e *Engine) Tag(ctx context.Context, ref, target string) error {
	return e.call(ctx, changeTimeout, "docker tag "+ref+" "+target, func(ctx context.Context) error {
		_, err := e.api().ImageTag(ctx, client.ImageTagOptions{Source: ref, Target: target})
		return err
	})
}

// RemoveImage removes one reference and, with the last one, the image. Absence
// is not an error.
func (e *Engine) RemoveImage(ctx context.Context, ref string, force bool) error {
	command := "docker image rm " + ref
	if force {
		command = "docker image rm --force " + ref
	}
	err := e.call(ctx, changeTimeout, command, func(ctx context.Context) error {
		_, err := e.api().ImageRemove(ctx, ref, client.ImageRemoveOptions{Force: force, PruneChildren: true})
		return err
	})
	if errors.Is(err, ops.ErrNotFound) {
		return nil
	}
	return err
}

// Helpers

func credentials(auth ops.RegistryAuth) (string, error) {
	if auth.Username == "" && auth.Password.Empty() {
		return "", nil
	}
	return authconfig.Encode(registry.AuthConfig{
		Username: auth.Username, Password: auth.Password.Reveal(), ServerAddress: auth.Server,
	})
}

// named drops the placeholders that older engines put for an untagged image.
func named(refs []string) []string {
	var out []string
	for _, r := range refs {
		if !strings.HasPrefix(r, "<none>") {
			out = append(out, r)
		}
	}
	return out
}

func labelled(labels []string) client.Filters {
	filters := client.Filters{}
	if len(labels) > 0 {
		filters.Add("label", labels...)
	}
	return filters
}

// when reads Docker's times; the year 1 stands for never.
func when(text string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil || t.Year() <= 1 {
		return time.Time{}
	}
	return t.UTC()
}
