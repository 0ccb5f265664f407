package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"

	"binnacle/config"
)

// newLocal is a store in a folder of this machine.
func newLocal(at config.Store, o Options) (*folder, error) {
	root := at.Path
	if below, ok := strings.CutPrefix(root, "~/"); ok && o.Home != "" {
		root = filepath.Join(o.Home, below)
	}
	if root == "" {
		root = o.Default
	}
	if root == "" {
		return nil, failed(at.Name, "", fmt.Errorf("it names no path, and there is no folder for the data of this user"))
	}
	if !filepath.IsAbs(root) {
		root = filepath.Join(o.Dir, root)
	}
	root = filepath.Clean(root)
	use := func(context.Context) (disk, func(error), error) { return localDisk{}, func(error) {}, nil }
	return &folder{root: filepath.ToSlash(root), use: use, at: root}, nil
}

// localDisk is the file system of this machine.
type localDisk struct{}

// copyBuffer is how much is read before it is written.
const copyBuffer = 256 << 10

func (localDisk) write(_ context.Context, path string, body io.Reader) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	// Without the file's own ReadFrom, which would read in smaller pieces.
	_, err = io.CopyBuffer(struct{ io.Writer }{file}, struct{ io.Reader }{body}, make([]byte, copyBuffer))
	if err == nil {
		err = file.Sync()
	}
	return errors.Join(err, file.Close())
}

func (localDisk) open(path string) (io.ReadCloser, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	return file, nil
}

func (localDisk) list(path string) ([]fs.FileInfo, error) {
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, err
	}
	out := make([]fs.FileInfo, 0, len(entries))
	for _, e := range entries {
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue // removed meanwhile
		}
		if err != nil {
			return nil, err
		}
		out = append(out, info)
	}
	return out, nil
}

func (localDisk) stat(path string) (fs.FileInfo, error) { return os.Stat(path) }
func (localDisk) mkdir(path string) error               { return os.Mkdir(path, 0o700) }
func (localDisk) rename(from, to string) error          { return os.Rename(from, to) }
func (localDisk) remove(path string) error              { return os.Remove(path) }

// sync makes the names in a folder durable, where the system can do that.
func (localDisk) sync(path string) error {
	if runtime.GOOS == "windows" {
		return nil // it keeps names durable by itself
	}
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	err = dir.Sync()
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, errors.ErrUnsupported) {
		err = nil // a file system that knows no such thing
	}
	return errors.Join(err, dir.Close())
}

func (localDisk) explain(err error, _ string) error {
	if isFull(err) {
		return full(err)
	}
	return err
}
