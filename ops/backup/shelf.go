package backup

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"binnacle/ops"
)

// Shelf is what a store holds of one thing that is backed up. Its objects are
// named app/name/id/part: claim.json first, then the parts, manifest.json last,
// and later a check-….json for each attempt to verify it.
type Shelf struct {
	objects ops.Objects
	app     ops.AppID
	name    string
	keys    Keys
}

// NewShelf is the shelf of that name of an app. Writing encrypts to the keys'
// recipients, if there are any; reading what is encrypted takes an identity.
func NewShelf(objects ops.Objects, app ops.AppID, name string, keys Keys) *Shelf {
	return &Shelf{objects: objects, app: app, name: name, keys: keys}
}

// Entry is a complete backup, and what is known of it.
type Entry struct {
	Manifest
	Checks []Check // oldest first
	// Rung is how far it can be trusted, Fresh excluded: that is a matter of the day.
	Rung      ops.Rung
	CheckedAt time.Time // when that rung was reached
	Problem   string    // what is known against it; "" for a good one
	lacks     string    // what of its parts the store does not list as it was written
}

// Find is the backup of that identifier or of a unique beginning of one; the
// newest good one that is no safety copy for "" and "latest".
func (s *Shelf) Find(ctx context.Context, which string) (Entry, error) {
	entries, err := s.List(ctx)
	if err != nil {
		return Entry{}, err
	}
	if which == "" || which == "latest" {
		return s.latest(entries)
	}
	var found []Entry
	for _, e := range entries {
		if e.ID == which {
			return e, nil
		}
		if strings.HasPrefix(e.ID, which) {
			found = append(found, e)
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return Entry{}, s.absent(ctx, which)
	}
	return Entry{}, &ops.Error{
		Summary: fmt.Sprintf("%d backups of %s begin with %s", len(found), s.name, which),
		Hint:    "write more of it: " + found[0].ID + ", " + found[1].ID,
	}
}

// Record keeps the outcome of a check with the backup, and returns the backup as
// it stands then.
func (s *Shelf) Record(ctx context.Context, e Entry, c Check) (Entry, error) {
	content, err := encodeCheck(c)
	if err != nil {
		return e, err
	}
	if err := s.objects.Put(ctx, s.key(e.ID, checkKey(c)), bytes.NewReader(content)); err != nil {
		return e, &ops.Error{Summary: "the check of backup " + e.ID + " could not be recorded", Cause: err}
	}
	return e.climb(append(slices.Clone(e.Checks), c)), nil
}

// Private

// prefix begins every key of the shelf.
func (s *Shelf) prefix() string { return string(s.app) + "/" + s.name + "/" }

func (s *Shelf) key(id, object string) string { return s.prefix() + id + "/" + object }

// byHand is a command of this program as a person types it, about the shelf's app.
func (s *Shelf) byHand(words string) string {
	if d := s.app.Destination(); d != "" {
		return "binnacle -d " + d + " " + words
	}
	return "binnacle " + words
}

func (s *Shelf) latest(entries []Entry) (Entry, error) {
	for _, e := range entries {
		if e.Problem == "" && !e.Safety {
			return e, nil
		}
	}
	hint := "make one: " + s.byHand("backup create "+s.name)
	if len(entries) > 0 {
		hint = fmt.Sprintf("the newest is %s: %s; name it to use it all the same", entries[0].ID, cmp.Or(entries[0].Problem, "a safety copy"))
	}
	return Entry{}, &ops.Error{Summary: "there is no good backup of " + s.name, Cause: ops.ErrNotFound, Hint: hint}
}

// absent says why there is no backup of that name: it may have been begun.
func (s *Shelf) absent(ctx context.Context, which string) error {
	objects, err := s.objects.List(ctx, s.prefix()+which)
	if err != nil {
		return s.unreadable(err)
	}
	if len(objects) > 0 {
		return &ops.Error{
			Summary: "backup " + which + " of " + s.name + " has no manifest: it was never completed", Cause: ops.ErrNotFound,
			Hint: s.byHand("backup list") + " shows the complete ones",
		}
	}
	return &ops.Error{
		Summary: "there is no backup " + which + " of " + s.name, Cause: ops.ErrNotFound,
		Hint: s.byHand("backup list") + " shows what there is",
	}
}

func (s *Shelf) unreadable(err error) error {
	return &ops.Error{Summary: "the store of " + s.name + " cannot be read", Cause: err}
}

// small reads a whole object that has to be small.
func (s *Shelf) small(ctx context.Context, key string) ([]byte, error) {
	body, err := s.objects.Open(ctx, key)
	if err != nil {
		return nil, err
	}
	content, err := io.ReadAll(io.LimitReader(body, sealedLimit+1))
	if err := errors.Join(err, body.Close()); err != nil {
		return nil, err
	}
	return content, nil
}
