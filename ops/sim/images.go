package sim

import (
	"context"
	"fmt"
	"sort"
	"strings"
	"time"

	"github.com/moby/moby/api/types/events"
	"github.com/moby/moby/api/types/image"
	"github.com/moby/moby/api/types/jsonstream"
)

// imageLocked finds an image of this host by reference, id or a prefix of its id.
func (e *engine) imageLocked(ref string) *Image {
	if img := e.tags[normalRef(ref)]; img != nil {
		return img
	}
	id := strings.TrimPrefix(ref, "sha256:")
	if len(id) < 4 || strings.Trim(id, "0123456789abcdef") != "" {
		return nil
	}
	for _, img := range e.tags {
		if strings.HasPrefix(strings.TrimPrefix(img.id, "sha256:"), id) {
			return img
		}
	}
	for _, c := range e.containers {
		if strings.HasPrefix(strings.TrimPrefix(c.image.id, "sha256:"), id) {
			return c.image
		}
	}
	return nil
}

// uniqueImages returns every image of the host once, newest first; the lock is held.
func (e *engine) uniqueImages() []*Image {
	seen := map[string]*Image{}
	for _, img := range e.tags {
		seen[img.id] = img
	}
	out := make([]*Image, 0, len(seen))
	for _, img := range seen {
		out = append(out, img)
	}
	sort.Slice(out, func(i, j int) bool {
		if out[i].built.Equal(out[j].built) {
			return out[i].Ref < out[j].Ref
		}
		return out[i].built.After(out[j].built)
	})
	return out
}

// tagsOf returns the references of an image, sorted; the lock is held.
func (e *engine) tagsOf(img *Image) []string {
	out := []string{}
	for ref, have := range e.tags {
		if have.id == img.id {
			out = append(out, ref)
		}
	}
	sort.Strings(out)
	return out
}

// tag gives an image another reference.
func (e *engine) tag(source, target string) error {
	e.h.mu.Lock()
	defer e.h.mu.Unlock()
	img := e.imageLocked(source)
	if img == nil {
		return &engineError{404, "No such image: " + normalRef(source)}
	}
	e.tags[normalRef(target)] = img
	e.emitEvent(events.ImageEventType, events.ActionTag, img.id, map[string]string{"name": normalRef(target)})
	return nil
}

// removeImage drops a reference, and the image with its last one.
func (e *engine) removeImage(ref string, force bool) ([]image.DeleteResponse, error) {
	e.h.mu.Lock()
	defer e.h.mu.Unlock()
	img := e.imageLocked(ref)
	if img == nil {
		return nil, &engineError{404, "No such image: " + normalRef(ref)}
	}
	refs := e.tagsOf(img)
	if e.tags[normalRef(ref)] == nil { // by id
		if len(refs) > 1 && !force {
			return nil, &engineError{409, fmt.Sprintf("conflict: unable to delete %s (must be forced) - image is referenced in multiple repositories", shortID(img.id))}
		}
	} else if len(refs) > 1 {
		return e.untagLocked(img, normalRef(ref)), nil
	} else {
		refs = []string{normalRef(ref)}
	}
	for _, c := range e.containers {
		if c.image.id != img.id || force && !c.alive() {
			continue
		}
		if force { // a running container keeps the image, without its name
			return e.untagLocked(img, refs...), nil
		}
		return nil, &engineError{409, fmt.Sprintf("conflict: unable to remove repository reference %q (must force) - container %s is using its referenced image %s", ref, c.id[:12], shortID(img.id))}
	}
	out := e.untagLocked(img, refs...)
	out = append(out, image.DeleteResponse{Deleted: img.id})
	e.emitEvent(events.ImageEventType, events.ActionDelete, img.id, map[string]string{"name": img.id})
	return out, nil
}

// pruneImages removes unused images: those without a tag, or with all also those that no container uses.
func (e *engine) pruneImages(all bool, f filters) image.PruneReport {
	e.h.mu.Lock()
	defer e.h.mu.Unlock()
	report := image.PruneReport{ImagesDeleted: []image.DeleteResponse{}}
	if !all {
		return report // an image of the simulated engine lives by its tags, so that none dangles
	}
	for _, img := range e.uniqueImages() {
		if !f.all("label", func(v string) bool { return hasLabel(img.Labels, v) }) {
			continue
		}
		refs := e.tagsOf(img)
		if e.usedLocked(img) { // its names go, but for the last one
			report.ImagesDeleted = append(report.ImagesDeleted, e.untagLocked(img, refs[:len(refs)-1]...)...)
			continue
		}
		report.ImagesDeleted = append(report.ImagesDeleted, e.untagLocked(img, refs...)...)
		report.ImagesDeleted = append(report.ImagesDeleted, image.DeleteResponse{Deleted: img.id})
		report.SpaceReclaimed += uint64(img.Size)
		e.emitEvent(events.ImageEventType, events.ActionDelete, img.id, map[string]string{"name": img.id})
	}
	return report
}

// pull fetches an image from the registry and tells its progress, in bytes, through say.
func (e *engine) pull(ctx context.Context, ref string, who login, say func(jsonstream.Message) error) error {
	ref = normalRef(ref)
	if e.h.faults.has(FullDisk) {
		return &engineError{500, "failed to register layer: write /var/lib/docker/tmp/GetImageBlob: no space left on device"}
	}
	img, err := e.h.fleet.registry.lookup(ref, who.user, who.password)
	if err != nil {
		return err
	}
	repo, tag := splitRef(ref)
	if err := say(jsonstream.Message{Status: "Pulling from " + strings.TrimPrefix(repo, serverOf(ref)+"/"), ID: tag}); err != nil {
		return err
	}
	if err := e.fetchLayers(ctx, img, say); err != nil {
		return err
	}
	e.h.mu.Lock()
	known := e.tags[ref] != nil && e.tags[ref].id == img.id
	e.tags[ref] = img
	e.emitEvent(events.ImageEventType, events.ActionPull, ref, map[string]string{"name": repo})
	e.h.mu.Unlock()
	news := "Downloaded newer image for "
	if known {
		news = "Image is up to date for "
	}
	for _, status := range []string{"Digest: " + img.digest(), "Status: " + news + ref} {
		if err := say(jsonstream.Message{Status: status}); err != nil {
			return err
		}
	}
	return nil
}

// Private

const (
	pullStep  = 100 * time.Millisecond
	pullRate  = 60 << 20 // bytes per second, per host
	unpackFor = 180 * time.Millisecond
)

// fetchLayers downloads the missing layers side by side and unpacks them in order.
func (e *engine) fetchLayers(ctx context.Context, img *Image, say func(jsonstream.Message) error) error {
	var missing []layer
	for _, l := range img.layers {
		status := "Pulling fs layer"
		if e.hasLayer(l) {
			status = "Already exists"
		} else {
			missing = append(missing, l)
		}
		if err := say(jsonstream.Message{ID: l.id, Status: status, Progress: &jsonstream.Progress{}}); err != nil {
			return err
		}
	}
	done := make([]int64, len(missing))
	for left := len(missing); left > 0; {
		if err := sleep(ctx, e.h.fleet.clock, pullStep); err != nil {
			return err
		}
		if err := e.pullBroken(missing[0], done[0]); err != nil {
			return err
		}
		share := int64(pullRate*pullStep.Seconds()) / int64(left)
		for i, l := range missing {
			if done[i] >= l.size {
				continue
			}
			done[i] = min(done[i]+share+int64(dice(uint64(len(l.id)), done[i])%(1<<18)), l.size)
			m := jsonstream.Message{ID: l.id, Status: "Downloading", Progress: &jsonstream.Progress{Current: done[i], Total: l.size}}
			if done[i] == l.size {
				left--
				if err := say(jsonstream.Message{ID: l.id, Status: "Verifying Checksum", Progress: &jsonstream.Progress{}}); err != nil {
					return err
				}
				m = jsonstream.Message{ID: l.id, Status: "Download complete", Progress: &jsonstream.Progress{}}
			}
			if err := say(m); err != nil {
				return err
			}
		}
	}
	for _, l := range missing {
		for part := int64(1); part <= 2; part++ {
			if err := say(jsonstream.Message{ID: l.id, Status: "Extracting", Progress: &jsonstream.Progress{Current: l.size * part / 2, Total: l.size}}); err != nil {
				return err
			}
			if err := sleep(ctx, e.h.fleet.clock, unpackFor/2); err != nil {
				return err
			}
		}
		if err := say(jsonstream.Message{ID: l.id, Status: "Pull complete", Progress: &jsonstream.Progress{}}); err != nil {
			return err
		}
	}
	return nil
}

// pullBroken is the failure that the faults of the host ask for.
func (e *engine) pullBroken(l layer, done int64) error {
	switch {
	case e.h.faults.has(FullDisk):
		return &engineError{500, fmt.Sprintf("write /var/lib/docker/tmp/GetImageBlob%d: no space left on device", e.h.number)}
	case e.h.faults.has(BadImage) && done > 0:
		return &engineError{500, fmt.Sprintf("filesystem layer verification failed for digest sha256:%s", hash("layer", l.id))}
	}
	return nil
}

func (e *engine) hasLayer(l layer) bool {
	e.h.mu.Lock()
	defer e.h.mu.Unlock()
	for _, img := range e.tags {
		for _, have := range img.layers {
			if have.id == l.id {
				return true
			}
		}
	}
	return false
}

func (e *engine) untagLocked(img *Image, refs ...string) []image.DeleteResponse {
	var out []image.DeleteResponse
	for _, ref := range refs {
		delete(e.tags, ref)
		out = append(out, image.DeleteResponse{Untagged: ref})
		e.emitEvent(events.ImageEventType, events.ActionUnTag, img.id, map[string]string{"name": ref})
	}
	return out
}

func (e *engine) usedLocked(img *Image) bool {
	for _, c := range e.containers {
		if c.image.id == img.id {
			return true
		}
	}
	return false
}

// Helpers

func shortID(id string) string {
	id = strings.TrimPrefix(id, "sha256:")
	if len(id) > 12 {
		return id[:12]
	}
	return id
}
