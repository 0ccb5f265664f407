package backup_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"filippo.io/age"
	"github.com/google/go-cmp/cmp"

	"binnacle/config"
	"binnacle/ops"
	"binnacle/ops/backup"
	"binnacle/ops/opstest"
)

// desk is a store in memory, a shelf in it, and a clock.
type desk struct {
	*backup.Shelf
	objects *opstest.Objects
	draft   backup.Draft
	now     time.Time
}

const (
	app  = ops.AppID("shop@production")
	name = "db"
)

// marker is a text that compression leaves as it is.
const marker = "s3cr3t-Marker~that#stays"

func newDesk(t *testing.T, keys backup.Keys, recipients ...string) *desk {
	t.Helper()
	d := &desk{objects: opstest.New().Objects("store"), now: time.Date(2026, 11, 23, 8, 15, 0, 0, time.UTC)}
	d.Shelf = backup.NewShelf(d.objects, app, name, keys)
	d.draft = backup.Draft{
		Backup: config.Backup{
			Name: name, Engine: config.Postgres, Accessory: "db", Host: "10.0.0.1", Database: "shop",
			Encrypt: config.Encryption{Recipients: recipients},
		},
		Image: "postgres:16", Claim: backup.Claim{Host: "laptop", PID: 42, Task: "01A"}, By: "Ana",
		Now: func() time.Time { d.now = d.now.Add(time.Second); return d.now },
	}
	return d
}

// pair is a new identity, and the keys that write for it and read by it.
func pair(t testing.TB) (string, backup.Keys) {
	t.Helper()
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	keys, err := backup.ParseKeys([]string{id.Recipient().String()}, []byte(id.String()+"\n"))
	if err != nil {
		t.Fatal(err)
	}
	return id.Recipient().String(), keys
}

// eachWay runs a test with backups in the clear and encrypted ones.
func eachWay(t *testing.T, test func(t *testing.T, d *desk)) {
	t.Run("clear", func(t *testing.T) { test(t, newDesk(t, backup.Keys{})) })
	t.Run("encrypted", func(t *testing.T) {
		recipient, keys := pair(t)
		test(t, newDesk(t, keys, recipient))
	})
}

func facts() backup.Facts {
	return backup.Facts{
		Version: "16.4", Schema: "20261101120000", Size: 1 << 20, Free: -1,
		Tables: []backup.Table{{Name: marker, Rows: 3}, {Name: "users", Rows: 39}}, Details: map[string]string{"encoding": "UTF8"},
	}
}

// content is what parts hold, by name; a marker among what cannot be compressed.
func content(size int) []byte {
	noise := make([]byte, size)
	r := rand.NewChaCha8([32]byte{7})
	_, _ = r.Read(noise)
	return slices.Concat(noise, []byte(marker), noise)
}

func dump(parts map[string][]byte) func(backup.Put) (backup.Facts, error) {
	return func(put backup.Put) (backup.Facts, error) {
		for _, part := range slices.Sorted(func(yield func(string) bool) {
			for p := range parts {
				if !yield(p) {
					return
				}
			}
		}) {
			if err := put(part, func(w io.Writer) error { _, err := w.Write(parts[part]); return err }); err != nil {
				return backup.Facts{}, err
			}
		}
		return facts(), nil
	}
}

func small() map[string][]byte {
	return map[string][]byte{"dump": content(100), "globals": []byte("create role shop;\n")}
}

func (d *desk) write(t *testing.T, parts map[string][]byte) backup.Entry {
	t.Helper()
	e, err := d.Write(t.Context(), d.draft, dump(parts), nil)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func (d *desk) keys(t *testing.T) []string {
	t.Helper()
	all, err := d.objects.List(context.WithoutCancel(t.Context()), "")
	if err != nil {
		t.Fatal(err)
	}
	var keys []string
	for _, o := range all {
		keys = append(keys, o.Key)
	}
	return keys
}

func (d *desk) list(t *testing.T) []backup.Entry {
	t.Helper()
	entries, err := d.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return entries
}

func read(ctx context.Context, from backup.Source, part string) ([]byte, error) {
	r, err := from.Open(ctx, part)
	if err != nil {
		return nil, err
	}
	got, err := io.ReadAll(r)
	return got, errors.Join(err, r.Close())
}

func TestBackupComesBackAsItWasDumped(t *testing.T) {
	eachWay(t, func(t *testing.T, d *desk) {
		parts := map[string][]byte{"dump": content(3 << 20), "globals": []byte("create role shop;\n")}
		var plain, stored int64
		e, err := d.Write(t.Context(), d.draft, dump(parts), func(p, s int64) { plain, stored = p, s })
		if err != nil {
			t.Fatal(err)
		}
		if e.Plain != int64(len(parts["dump"])+len(parts["globals"])) || plain <= e.Plain || stored != e.Size {
			t.Errorf("%d bytes dumped and %d stored, told of %d and %d", e.Plain, e.Size, plain, stored)
		}
		if e.Rung != ops.Stored || e.Problem != "" || e.Tables != 2 || e.Rows != 42 || e.Schema != "20261101120000" || e.Took <= 0 {
			t.Errorf("written: %+v", e)
		}
		entries := d.list(t)
		if len(entries) != 1 {
			t.Fatalf("%d entries", len(entries))
		}
		if diff := cmp.Diff(e, entries[0], cmp.AllowUnexported(backup.Entry{})); diff != "" {
			t.Errorf("what is listed is not what was written:\n%s", diff)
		}
		var read1 int64
		from := d.Read(e, func(n int64) { read1 = n })
		for part, want := range parts {
			if got, err := read(t.Context(), from, part); err != nil || !bytes.Equal(got, want) {
				t.Errorf("part %s: %d bytes of %d, %v", part, len(got), len(want), err)
			}
		}
		if want := e.Parts[0].Size + e.Parts[1].Size; read1 != want {
			t.Errorf("told of %d bytes read, not %d", read1, want)
		}
		if got, err := d.Facts(t.Context(), e); err != nil || !cmp.Equal(got, facts()) {
			t.Errorf("facts: %+v, %v", got, err)
		}
		var done, total int64
		if err := d.Verify(t.Context(), e, func(a, b int64) { done, total = a, b }); err != nil || done != e.Size || total != e.Size {
			t.Errorf("verify: %v, %d of %d", err, done, total)
		}
		for _, key := range d.keys(t) {
			if strings.HasSuffix(key, "claim.json") {
				t.Error("the claim is still there")
			}
		}
	})
}

func TestFind(t *testing.T) {
	d := newDesk(t, backup.Keys{})
	if _, err := d.Find(t.Context(), ""); !errors.Is(err, ops.ErrNotFound) || !strings.Contains(err.Error(), "backup create db") {
		t.Errorf("none: %v", err)
	}
	old := d.write(t, small())
	d.now = d.now.Add(time.Hour)
	newest := d.write(t, small())
	for _, tt := range []struct{ which, id, problem string }{
		{"", newest.ID, ""},
		{"latest", newest.ID, ""},
		{old.ID, old.ID, ""},
		{old.ID[:13], old.ID, ""},
		{"2026", "", "2 backups of db begin with 2026"},
		{"2027", "", "no backup 2027"},
	} {
		e, err := d.Find(t.Context(), tt.which)
		if e.ID != tt.id || (err == nil) != (tt.problem == "") || !strings.Contains(fmt.Sprint(err), tt.problem) && err != nil {
			t.Errorf("%q: %s, %v", tt.which, e.ID, err)
		}
	}
	if _, err := d.Record(t.Context(), newest, backup.Check{Rung: ops.Matched, At: d.now, Problem: "damaged"}); err != nil {
		t.Fatal(err)
	}
	if e, err := d.Find(t.Context(), ""); err != nil || e.ID != old.ID {
		t.Errorf("the newest good one is %s, %v", e.ID, err)
	}
}
