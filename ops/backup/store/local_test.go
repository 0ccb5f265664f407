package store

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"binnacle/config"
	"binnacle/ops"
)

func TestLocalKeepsObjectsToTheirOwner(t *testing.T) {
	objects, root := openLocal(t)
	put(t, objects, "shop/db/1/dump", "one")
	put(t, objects, "shop/db/1/dump", "two") // replaced
	if got := read(t, objects, "shop/db/1/dump"); got != "two" {
		t.Errorf("read %q", got)
	}
	modes := map[string]fs.FileMode{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		modes[strings.TrimPrefix(path, root)] = info.Mode().Perm()
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for path, mode := range modes {
		if want := map[bool]fs.FileMode{true: 0o600, false: 0o700}[strings.HasSuffix(path, "dump")]; mode != want {
			t.Errorf("%q has mode %o, want %o", path, mode, want)
		}
	}
	if len(modes) != 5 {
		t.Errorf("there is %v", modes)
	}
	info, err := objects.List(t.Context(), "shop/")
	if err != nil || len(info) != 1 || info[0].Key != "shop/db/1/dump" || info[0].Size != 3 || info[0].Modified.IsZero() {
		t.Errorf("listed %v, %v", info, err)
	}
}

func TestLocalListsByPrefixInOrder(t *testing.T) {
	objects, root := openLocal(t)
	for _, key := range []string{"b/2/x", "a/x", "b/1/x", "bb/x", "b-/x"} {
		put(t, objects, key, key)
	}
	elsewhere := t.TempDir()
	if err := os.WriteFile(filepath.Join(elsewhere, "y"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(elsewhere, filepath.Join(root, "b", "moved")); err != nil {
		t.Fatal(err)
	}
	for prefix, want := range map[string]string{
		"": "a/x b-/x b/1/x b/2/x b/moved/y bb/x", "b": "b-/x b/1/x b/2/x b/moved/y bb/x", "b/": "b/1/x b/2/x b/moved/y", "b/1/x": "b/1/x", "c/": "",
	} {
		if got := strings.Join(keys(t, objects, prefix), " "); got != want {
			t.Errorf("List(%q) = %q, want %q", prefix, got, want)
		}
	}
}

func TestLocalFailedPutLeavesNothing(t *testing.T) {
	broken := errors.New("the dump failed")
	for _, c := range []struct {
		name string
		then func(cancel func()) io.Reader
		want error
	}{
		{"reader", func(func()) io.Reader { return iotest.ErrReader(broken) }, broken},
		{"context", func(cancel func()) io.Reader {
			return io.MultiReader(call(cancel), strings.NewReader("more"))
		}, context.Canceled},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		objects, root := openLocal(t)
		put(t, objects, "shop/kept", "kept")
		body := io.MultiReader(strings.NewReader(strings.Repeat("x", 1<<20)), c.then(cancel))
		err := objects.Put(ctx, "shop/db/1/dump", body)
		if !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", c.name, err, c.want)
		}
		if got := files(t, root); got != "shop/kept" {
			t.Errorf("%s: there is %s", c.name, got)
		}
	}
}

func TestLocalDeletesInOrderAndEmptyFoldersToo(t *testing.T) {
	objects, root := openLocal(t)
	put(t, objects, "shop/db/1/a", "a")
	put(t, objects, "shop/db/1/b", "b")
	put(t, objects, "shop/db/2/a", "a")
	if err := objects.Delete(t.Context(), "shop/db/1/b", "shop/db/1/absent", "shop/db/1/a"); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(root, "shop", "db", "1")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the empty folder is still there: %v", err)
	}
	if err := objects.Delete(t.Context(), "shop/db/2/a"); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(root); err != nil {
		t.Errorf("the store itself is gone: %v", err)
	}
}

func TestLocalSweepsWhatADeadWriterLeft(t *testing.T) {
	objects, root := openLocal(t)
	put(t, objects, "shop/db/1/manifest.json", "{}")
	for _, part := range []string{"shop/db/1/.part-1", "shop/db/2/.part-2", "shop/other/1/.part-3"} {
		path := filepath.Join(root, filepath.FromSlash(part))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if got := keys(t, objects, ""); len(got) != 1 {
		t.Errorf("listed before the sweep: %v", got)
	}
	if err := objects.Sweep(t.Context(), "shop/db/"); err != nil {
		t.Error(err)
	}
	if got := files(t, root); got != "shop/db/1/manifest.json shop/other/1/.part-3" {
		t.Errorf("there is %s", got)
	}
	if _, err := os.Stat(filepath.Join(root, "shop", "db", "2")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("an empty folder stays: %v", err)
	}
}

func TestKeysStayInTheStore(t *testing.T) {
	objects, _ := openLocal(t)
	for _, key := range []string{"", ".", "/etc/passwd", "../x", "a/../../x", "a//b", "a/./b", "a/", "a/.part-1"} {
		if err := objects.Put(t.Context(), key, strings.NewReader("x")); !errors.Is(err, errKey) {
			t.Errorf("Put(%q): %v", key, err)
		}
		if _, err := objects.Open(t.Context(), key); !errors.Is(err, errKey) {
			t.Errorf("Open(%q): %v", key, err)
		}
		if err := objects.Delete(t.Context(), key); !errors.Is(err, errKey) {
			t.Errorf("Delete(%q): %v", key, err)
		}
	}
}

func TestLocalTellsWhatIsWrong(t *testing.T) {
	objects, root := openLocal(t)
	if _, err := objects.Open(t.Context(), "shop/absent"); !errors.Is(err, ops.ErrNotFound) || !strings.Contains(err.Error(), "shop/absent") {
		t.Errorf("an absent object: %v", err)
	}
	if got, err := objects.List(t.Context(), ""); err != nil || len(got) != 0 {
		t.Errorf("a store that is not there yet: %v, %v", got, err)
	}
	put(t, objects, "shop", "x")
	err := objects.Put(t.Context(), "shop/x", strings.NewReader("x"))
	var told *ops.Error
	if !errors.As(err, &told) || told.Summary != "store "+root || !strings.Contains(err.Error(), "shop is a file, not a folder") {
		t.Errorf("a file in the way: %v", err)
	}
}

func TestLocalFolders(t *testing.T) {
	o := Options{Dir: "/projects/shop", Home: "/home/ann", Default: "/home/ann/.local/share/binnacle/backups"}
	for path, want := range map[string]string{
		"": o.Default, "kept": "/projects/shop/kept", "../kept/": "/projects/kept", "~/kept": "/home/ann/kept", "/mnt/disk": "/mnt/disk",
	} {
		objects, err := newLocal(config.Store{Type: config.LocalStore, Path: path}, o)
		if err != nil || objects.root != want {
			t.Errorf("%q is %v (%v), want %s", path, objects, err, want)
		}
	}
	if _, err := newLocal(config.Store{Name: "here", Type: config.LocalStore}, Options{}); err == nil {
		t.Error("a store without any folder was opened")
	}
}

// Helpers

func openLocal(t *testing.T) (ops.Objects, string) {
	t.Helper()
	root := filepath.Join(t.TempDir(), "backups")
	objects, err := Open(t.Context(), config.Store{Name: "here", Type: config.LocalStore, Path: root}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	return objects, root
}

func put(t *testing.T, objects ops.Objects, key, text string) {
	t.Helper()
	if err := objects.Put(t.Context(), key, strings.NewReader(text)); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, objects ops.Objects, key string) string {
	t.Helper()
	r, err := objects.Open(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if _, err := io.Copy(&b, r); err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func keys(t *testing.T, objects ops.Objects, prefix string) []string {
	t.Helper()
	all, err := objects.List(t.Context(), prefix)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, o := range all {
		out = append(out, o.Key)
	}
	return out
}

// files are those below a folder, hidden ones too.
func files(t *testing.T, root string) string {
	t.Helper()
	var out []string
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			out = append(out, filepath.ToSlash(strings.TrimPrefix(path, root+string(filepath.Separator))))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(out, " ")
}

// call is an empty reader that does something when it is read.
func call(f func()) io.Reader {
	return readerFunc(func([]byte) (int, error) {
		f()
		return 0, io.EOF
	})
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(b []byte) (int, error) { return f(b) }
