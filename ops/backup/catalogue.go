package backup

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"binnacle/ops"
)

// List is every complete backup, newest first. One whose manifest or parts are
// damaged is listed with its Problem.
func (s *Shelf) List(ctx context.Context) ([]Entry, error) {
	folders, err := s.folders(ctx, "")
	if err != nil {
		return nil, err
	}
	entries := make([]Entry, len(folders))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(sideBySide)
	for i, f := range folders {
		if !f.complete() {
			continue
		}
		group.Go(func() error {
			var err error
			if entries[i], err = s.entry(ctx, f); errors.Is(err, ops.ErrNotFound) {
				return nil // deleted meanwhile
			}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, s.unreadable(err)
	}
	entries = slices.DeleteFunc(entries, func(e Entry) bool { return e.ID == "" })
	slices.SortFunc(entries, newestFirst)
	return entries, nil
}

// Delete removes a backup. The manifest goes first: what a cancelled deletion
// leaves is no backup any more, and Clean removes it.
func (s *Shelf) Delete(ctx context.Context, e Entry) error {
	err := s.remove(ctx, e.ID)
	if err != nil {
		return &ops.Error{Summary: "backup " + e.ID + " of " + s.name + " could not be deleted", Cause: err}
	}
	return nil
}

// Clean removes what runs that were killed left, and returns the identifiers of
// what it removed: folders without a manifest whose claim is abandoned. A folder
// without a readable claim is asked about with a claim of no host.
func (s *Shelf) Clean(ctx context.Context, abandoned func(Claim) bool) ([]string, error) {
	folders, err := s.folders(ctx, "")
	if err != nil {
		return nil, err
	}
	var removed []string
	for _, f := range folders {
		if f.complete() && f.size(claimName) < 0 {
			continue
		}
		claim, err := s.claim(ctx, f)
		if err != nil {
			return removed, s.unreadable(err)
		}
		if !abandoned(claim) {
			continue
		}
		gone, err := s.clean(ctx, f.id)
		if err != nil {
			return removed, &ops.Error{Summary: "what a killed run left of backup " + f.id + " could not be removed", Cause: err}
		}
		if gone {
			removed = append(removed, f.id)
		}
	}
	return removed, nil
}

// Abandoned tells whether nobody writes under a claim any more: its process on
// this machine is dead; on another machine, where that cannot be seen, it is
// older than two days; without a host, older than one. here tells which claims
// were made on this machine.
func Abandoned(here func(Claim) bool, alive func(pid int) bool, now time.Time) func(Claim) bool {
	return func(c Claim) bool {
		switch {
		case c.Host == "":
			return now.Sub(c.At) > 24*time.Hour
		case here(c):
			return !alive(c.PID)
		}
		return now.Sub(c.At) > 48*time.Hour
	}
}

// Private

// sideBySide bounds how many small objects are read at once.
const sideBySide = 8

// folder is what the store lists of one backup.
type folder struct {
	id      string
	at      time.Time
	objects []ops.Object // sorted by name, Key without the folder
}

func (f folder) complete() bool { return f.size(manifestName) >= 0 }

// size is that of an object; -1 when it is not listed.
func (f folder) size(name string) int64 {
	i, ok := slices.BinarySearchFunc(f.objects, name, func(o ops.Object, name string) int { return cmp.Compare(o.Key, name) })
	if !ok {
		return -1
	}
	return f.objects[i].Size
}

// folders lists the shelf, or one backup of it, by identifier. Whatever else
// lies there is left alone.
func (s *Shelf) folders(ctx context.Context, id string) ([]folder, error) {
	prefix := s.prefix()
	if id != "" {
		prefix = s.key(id, "")
	}
	objects, err := s.objects.List(ctx, prefix)
	if err != nil {
		return nil, s.unreadable(err)
	}
	byID := map[string]*folder{}
	var order []string
	for _, o := range objects {
		id, name, ok := strings.Cut(strings.TrimPrefix(o.Key, s.prefix()), "/")
		at, ours := parseID(id)
		if !ok || !ours || strings.Contains(name, "/") {
			continue
		}
		if byID[id] == nil {
			byID[id] = &folder{id: id, at: at}
			order = append(order, id)
		}
		o.Key = name
		byID[id].objects = append(byID[id].objects, o)
	}
	out := make([]folder, 0, len(order))
	for _, id := range order {
		f := *byID[id]
		slices.SortFunc(f.objects, func(a, b ops.Object) int { return cmp.Compare(a.Key, b.Key) })
		out = append(out, f)
	}
	return out, nil
}

// entry reads a complete backup's manifest and checks.
func (s *Shelf) entry(ctx context.Context, f folder) (Entry, error) {
	content, err := s.small(ctx, s.key(f.id, manifestName))
	if err != nil {
		return Entry{}, err
	}
	m, damaged := decodeManifest(f.id, content)
	if damaged != nil {
		e := Entry{Manifest: Manifest{ID: f.id, App: s.app, Name: s.name, At: f.at}, Problem: "manifest damaged: " + damaged.Error()}
		if errors.Is(damaged, errNewer) {
			e.V, e.Problem = m.V, damaged.Error()
		}
		return e, nil
	}
	var checks []Check
	for _, o := range f.objects {
		if !strings.HasPrefix(o.Key, checkPrefix) {
			continue
		}
		content, err := s.small(ctx, s.key(f.id, o.Key))
		if err != nil {
			return Entry{}, err
		}
		checks = append(checks, decodeCheck(o.Key, content))
	}
	return Entry{Manifest: m, lacks: f.lacks(m)}.climb(checks), nil
}

// lacks says what of a backup's parts is not there as it was written.
func (f folder) lacks(m Manifest) string {
	for _, p := range m.Parts {
		switch size := f.size(p.Key); {
		case size < 0:
			return "part " + p.Name + " is missing"
		case size != p.Size:
			return fmt.Sprintf("part %s has %d bytes, not %d", p.Name, size, p.Size)
		}
	}
	return ""
}

// claim is who wrote a backup; without a host where nothing readable tells.
func (s *Shelf) claim(ctx context.Context, f folder) (Claim, error) {
	none := Claim{At: f.at}
	if f.size(claimName) < 0 {
		return none, nil
	}
	content, err := s.small(ctx, s.key(f.id, claimName))
	if errors.Is(err, ops.ErrNotFound) {
		return none, nil
	} else if err != nil {
		return none, err
	}
	claim, err := unseal[Claim](content)
	if err != nil {
		return none, nil //nolint:nilerr // a claim that nobody can read claims nothing
	}
	return claim, nil
}

// clean removes an abandoned backup, unless it has been completed meanwhile: then
// only the claim goes. The claim of a backup is deleted after its manifest is
// there, so looking again is enough.
func (s *Shelf) clean(ctx context.Context, id string) (gone bool, err error) {
	folders, err := s.folders(ctx, id)
	if err != nil {
		return false, err
	}
	complete := len(folders) > 0 && folders[0].complete()
	if complete {
		err = s.objects.Delete(ctx, s.key(id, claimName))
	} else {
		err = s.remove(ctx, id)
	}
	if err != nil {
		return false, err
	}
	return !complete, s.objects.Sweep(ctx, s.key(id, ""))
}

// remove deletes all that is listed of a backup: the manifest first, the claim
// last, so that what is left at any time is known for what it is.
func (s *Shelf) remove(ctx context.Context, id string) error {
	objects, err := s.objects.List(ctx, s.key(id, ""))
	if err != nil {
		return err
	}
	keys := []string{s.key(id, manifestName)}
	for _, o := range objects {
		if o.Key != keys[0] && o.Key != s.key(id, claimName) {
			keys = append(keys, o.Key)
		}
	}
	return s.objects.Delete(ctx, append(keys, s.key(id, claimName))...)
}

// Helpers

func newestFirst(a, b Entry) int {
	return cmp.Or(b.At.Compare(a.At), cmp.Compare(b.ID, a.ID))
}
