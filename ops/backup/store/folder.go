package store

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"binnacle/ops"
)

// disk is a file system as a folder needs it. Paths have slashes. Errors match
// fs.ErrNotExist and fs.ErrExist.
type disk interface {
	// write makes a new file of mode 0600 and returns when all of body is durable.
	write(ctx context.Context, path string, body io.Reader) error
	open(path string) (io.ReadCloser, error)
	list(path string) ([]fs.FileInfo, error)
	stat(path string) (fs.FileInfo, error)
	mkdir(path string) error // mode 0700
	rename(from, to string) error
	remove(path string) error // a file, or a folder that is empty
	sync(path string) error   // a folder
	explain(err error, root string) error
}

// folder keeps objects as files below a root. What is not whole yet is a hidden
// file beside its later place.
type folder struct {
	root string
	// use gives the disk for one call, which ends with done.
	use func(ctx context.Context) (d disk, done func(error), err error)
	at  string // for people
}

// cleanLimit bounds what is still done after a failure or a cancel.
const cleanLimit = 15 * time.Second

const partPrefix = ".part-"

// Put writes to a hidden file first. Folders are made as needed.
func (f *folder) Put(ctx context.Context, key string, body io.Reader) error {
	if err := checkKey(key); err != nil {
		return f.failed("", err)
	}
	var name [8]byte
	_, _ = rand.Read(name[:]) // never fails
	part := path.Dir(key) + "/" + partPrefix + hex.EncodeToString(name[:])
	source := &source{ctx: ctx, r: body}
	err := f.on(ctx, func(d disk) error {
		if err := makeAll(d, f.parent(key)); err != nil {
			return err
		}
		if err := d.write(ctx, f.path(part), source); err != nil {
			return d.explain(err, f.root)
		}
		if err := d.rename(f.path(part), f.path(key)); err != nil {
			return err
		}
		return d.sync(f.parent(key))
	})
	if err == nil {
		return nil
	}
	f.discard(ctx, part)
	if source.err != nil {
		return source.err
	}
	return err
}

// Open reads a file.
func (f *folder) Open(ctx context.Context, key string) (io.ReadCloser, error) {
	if err := checkKey(key); err != nil {
		return nil, f.failed("", err)
	}
	d, done, err := f.use(ctx)
	if err != nil {
		return nil, f.failed("", err)
	}
	file, err := d.open(f.path(key))
	if err != nil {
		err = f.told(ctx, d, key, err)
		done(err)
		return nil, err
	}
	return &reading{ctx: ctx, file: file, done: done, told: func(err error) error { return f.told(ctx, d, key, err) }}, nil
}

// List walks the folders that the prefix leads to.
func (f *folder) List(ctx context.Context, prefix string) ([]ops.Object, error) {
	var out []ops.Object
	err := f.on(ctx, func(d disk) error {
		return f.walk(ctx, d, prefix, func(key string, info fs.FileInfo) error {
			if !isPart(key) && strings.HasPrefix(key, prefix) {
				out = append(out, ops.Object{Key: key, Size: info.Size(), Modified: info.ModTime()})
			}
			return nil
		})
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(out, func(a, b ops.Object) int { return cmp.Compare(a.Key, b.Key) })
	return out, nil
}

// Delete removes files, and the folders that are empty then.
func (f *folder) Delete(ctx context.Context, keys ...string) error {
	for _, key := range keys {
		if err := checkKey(key); err != nil {
			return f.failed("", err)
		}
	}
	return f.on(ctx, func(d disk) error {
		for _, key := range keys {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := d.remove(f.path(key)); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
			f.prune(d, key)
		}
		return nil
	})
}

// Sweep removes hidden files.
func (f *folder) Sweep(ctx context.Context, prefix string) error {
	return f.on(ctx, func(d disk) error {
		return f.walk(ctx, d, prefix, func(key string, _ fs.FileInfo) error {
			if !isPart(key) || !strings.HasPrefix(key, prefix) {
				return nil
			}
			if err := d.remove(f.path(key)); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
			f.prune(d, key)
			return nil
		})
	})
}

// Private

// on runs one call on the disk.
func (f *folder) on(ctx context.Context, call func(disk) error) error {
	d, done, err := f.use(ctx)
	if err != nil {
		return f.failed("", err)
	}
	err = f.told(ctx, d, "", call(d))
	done(err)
	return err
}

// discard removes what a Put that failed has left, if the disk can still be had.
// What stays is for Sweep.
func (f *folder) discard(ctx context.Context, part string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanLimit)
	defer cancel()
	_ = f.on(ctx, func(d disk) error {
		_ = d.remove(f.path(part))
		f.prune(d, part)
		return nil
	})
}

// listsAtOnce is how many folders are listed side by side, for those far away.
const listsAtOnce = 8

// walk visits every file in folders that the prefix can lead to, level by level.
func (f *folder) walk(ctx context.Context, d disk, prefix string, visit func(string, fs.FileInfo) error) error {
	for level := []string{""}; len(level) > 0; {
		found := make([][]fs.FileInfo, len(level))
		group, ctx := errgroup.WithContext(ctx)
		group.SetLimit(listsAtOnce)
		for i, dir := range level {
			group.Go(func() (err error) {
				if err = ctx.Err(); err == nil {
					found[i], err = f.entries(d, dir)
				}
				return err
			})
		}
		if err := group.Wait(); err != nil {
			return err
		}
		var below []string
		for i, dir := range level {
			for _, info := range found[i] {
				key := path.Join(dir, info.Name())
				switch {
				case info.IsDir() && (strings.HasPrefix(key+"/", prefix) || strings.HasPrefix(prefix, key+"/")):
					below = append(below, key)
				case info.Mode().IsRegular():
					if err := visit(key, info); err != nil {
						return err
					}
				}
			}
		}
		level = below
	}
	return nil
}

// entries lists a folder, with symbolic links as what they lead to.
func (f *folder) entries(d disk, dir string) ([]fs.FileInfo, error) {
	entries, err := d.list(f.path(dir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	for i, info := range entries {
		if info.Mode()&fs.ModeSymlink == 0 {
			continue
		}
		if to, err := d.stat(f.path(path.Join(dir, info.Name()))); err == nil {
			entries[i] = named{to, info.Name()}
		}
	}
	return entries, err
}

// prune removes the folders above a file that are empty, but not the root.
func (f *folder) prune(d disk, key string) {
	for dir := path.Dir(key); dir != "."; dir = path.Dir(dir) {
		if d.remove(f.path(dir)) != nil {
			return
		}
	}
}

func (f *folder) path(key string) string {
	if key == "" {
		return f.root
	}
	return strings.TrimSuffix(f.root, "/") + "/" + key
}

func (f *folder) parent(key string) string {
	if dir := path.Dir(key); dir != "." {
		return f.path(dir)
	}
	return f.root
}

// told is the error of a call for people; a context's own stays what it is.
func (f *folder) told(ctx context.Context, d disk, key string, err error) error {
	var already *ops.Error
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.As(err, &already):
		return err
	case key != "" && errors.Is(err, fs.ErrNotExist):
		return f.failed(key, ops.ErrNotFound)
	}
	return f.failed(key, d.explain(err, f.root))
}

func (f *folder) failed(key string, err error) error { return failed(f.at, key, err) }

// source reads a body until the context ends, and keeps the body's own error
// apart from those of the store.
type source struct {
	ctx context.Context
	r   io.Reader
	err error
}

func (s *source) Read(b []byte) (int, error) {
	if err := s.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := s.r.Read(b)
	if err != nil && err != io.EOF {
		s.err = err
		return n, errBody // which is no end, whatever the error wraps
	}
	return n, err
}

var errBody = errors.New("what was to be stored could not be read")

// reading is an object that is being read.
type reading struct {
	ctx  context.Context
	file io.ReadCloser
	done func(error)
	told func(error) error
	err  error
}

func (r *reading) Read(b []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := r.file.Read(b)
	if err != nil && !errors.Is(err, io.EOF) {
		r.err = r.told(err)
		return n, r.err
	}
	return n, err
}

func (r *reading) Close() error {
	err := r.file.Close()
	r.done(errors.Join(r.err, err))
	return err
}

// named is what a symbolic link leads to, by the link's name.
type named struct {
	fs.FileInfo
	name string
}

func (n named) Name() string { return n.name }

// Helpers

// makeAll makes a folder and those above it, durably.
func makeAll(d disk, dir string) error {
	info, err := d.stat(dir)
	if err == nil && !info.IsDir() {
		return fmt.Errorf("%s is a file, not a folder", dir)
	}
	if err == nil || !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	parent := path.Dir(dir)
	if err := makeAll(d, parent); err != nil {
		return err
	}
	if err := d.mkdir(dir); err != nil {
		if info, again := d.stat(dir); again != nil || !info.IsDir() {
			return err
		}
	}
	return d.sync(parent)
}

func isPart(key string) bool { return strings.HasPrefix(path.Base(key), partPrefix) }
