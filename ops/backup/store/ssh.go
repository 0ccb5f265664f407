package store

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/pkg/sftp"

	"binnacle/config"
	"binnacle/ops"
	"binnacle/ops/remote"
)

// newSSH is a store in a folder of an SSH host.
func newSSH(at config.Store, o Options) (*sshFolder, error) {
	root := strings.TrimRight(strings.TrimPrefix(at.Path, "~/"), "/") // relative paths start at the login home
	switch {
	case at.Path == "" || at.Path == "~":
		return nil, failed(Location(at), "", errors.New("it names no folder"))
	case at.Path == "/":
		root = "/"
	case root == "":
		root = "."
	case o.Host == nil:
		return nil, failed(Location(at), "", errors.New("there is no connection to its host"))
	}
	s := &sshFolder{client: o.Host}
	s.folder = folder{root: root, use: s.use, at: Location(at)}
	return s, nil
}

// sshFolder is a folder on a host. It keeps one SFTP session for the next call.
type sshFolder struct {
	folder
	client *remote.Client

	mu     sync.Mutex
	idle   *session
	closed bool
}

// Close ends the session that is kept.
func (s *sshFolder) Close() error {
	s.mu.Lock()
	idle := s.idle
	s.idle, s.closed = nil, true
	s.mu.Unlock()
	if idle != nil {
		idle.close()
	}
	return nil
}

// Private

// session is an SFTP session.
type session struct {
	stream io.Closer
	files  *sftp.Client
	once   sync.Once
}

// close ends the session at once, and whoever waits for an answer.
func (s *session) close() {
	s.once.Do(func() {
		_ = s.stream.Close()
		_ = s.files.Close()
	})
}

// requestsAtOnce is how many packets of 32 KiB are on their way: as much as a
// channel's window holds.
const requestsAtOnce = 64

// use lends a session, which ends with the context.
func (s *sshFolder) use(ctx context.Context) (disk, func(error), error) {
	one, err := s.take(ctx)
	if err != nil {
		return nil, nil, err
	}
	stop := context.AfterFunc(ctx, one.close)
	return sshDisk{session: one}, func(err error) {
		if !stop() || err != nil && !errors.Is(err, ops.ErrNotFound) || !s.keep(one) {
			one.close()
		}
	}, nil
}

// take gives the session that is kept, if it still answers, or a new one.
func (s *sshFolder) take(ctx context.Context) (*session, error) {
	s.mu.Lock()
	one := s.idle
	s.idle = nil
	s.mu.Unlock()
	if one != nil {
		stop := context.AfterFunc(ctx, one.close)
		_, err := one.files.RealPath(".")
		if stop() && err == nil {
			return one, nil
		}
		one.close()
	}
	stream, err := s.client.Subsystem(ctx, "sftp")
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { _ = stream.Close() })
	files, err := sftp.NewClientPipe(stream, stream,
		sftp.UseConcurrentWrites(true), sftp.UseFstat(true), sftp.MaxConcurrentRequestsPerFile(requestsAtOnce))
	if !stop() {
		err = errors.Join(ctx.Err(), err)
	}
	if err != nil {
		_ = stream.Close()
		if files != nil {
			_ = files.Close()
		}
		return nil, err
	}
	return &session{stream: stream, files: files}, nil
}

func (s *sshFolder) keep(one *session) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.idle != nil {
		return false
	}
	s.idle = one
	return true
}

// sshDisk is the file system of a host.
type sshDisk struct{ *session }

func (d sshDisk) write(_ context.Context, path string, body io.Reader) error {
	file, err := d.files.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL)
	if err != nil {
		return err
	}
	if err = file.Chmod(0o600); err == nil {
		_, err = file.ReadFromWithConcurrency(body, requestsAtOnce)
	}
	if err == nil {
		err = supported(file.Sync(), sftp.ErrSSHFxOpUnsupported)
	}
	return errors.Join(err, file.Close())
}

func (d sshDisk) open(path string) (io.ReadCloser, error) {
	file, err := d.files.Open(path)
	if err != nil {
		return nil, err
	}
	r, w := io.Pipe()
	s := &sshReader{session: d.session, file: file, pipe: r, ended: make(chan struct{})}
	go func() {
		defer close(s.ended)
		_, err := file.WriteTo(w) // asks for many pieces ahead, which Read does not
		_ = w.CloseWithError(err)
	}()
	return s, nil
}

func (d sshDisk) list(path string) ([]fs.FileInfo, error) { return d.files.ReadDir(path) }
func (d sshDisk) stat(path string) (fs.FileInfo, error)   { return d.files.Stat(path) }
func (d sshDisk) remove(path string) error                { return d.files.Remove(path) }

func (d sshDisk) mkdir(path string) error {
	if err := d.files.Mkdir(path); err != nil {
		return err
	}
	return d.files.Chmod(path, 0o700)
}

// rename replaces what is there at once, where the server can do that.
func (d sshDisk) rename(from, to string) error {
	if _, ok := d.files.HasExtension("posix-rename@openssh.com"); ok {
		return d.files.PosixRename(from, to)
	}
	if err := d.files.Remove(to); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return d.files.Rename(from, to)
}

// sync makes the names in a folder durable where the server lets folders be
// opened, as OpenSSH's does. Others say of a folder no more than that they failed.
func (d sshDisk) sync(path string) error {
	unable := []error{sftp.ErrSSHFxOpUnsupported, sftp.ErrSSHFxFailure}
	dir, err := d.files.Open(path)
	if err != nil {
		return supported(err, unable...)
	}
	return errors.Join(supported(dir.Sync(), unable...), supported(dir.Close(), unable...))
}

// leastRoom is what a disk has left that is not full.
const leastRoom = 1 << 20

// explain finds out whether the disk is full: a server says no more than that it
// failed.
func (d sshDisk) explain(err error, root string) error {
	var answer *sftp.StatusError
	var known *fault
	switch {
	case errors.As(err, &known):
		return err
	case errors.Is(err, sftp.ErrSSHFxConnectionLost):
		return &fault{text: "the connection to its host was lost", err: err}
	case errors.As(err, &answer) && errors.Is(answer.FxCode(), sftp.ErrSSHFxFailure):
		if room, failed := d.files.StatVFS(root); failed == nil && room.Bavail*room.Frsize < leastRoom {
			return full(err)
		}
	}
	return err
}

// sshReader is a file of a host that is being read.
type sshReader struct {
	session *session
	file    *sftp.File
	pipe    *io.PipeReader
	ended   chan struct{}
	whole   bool
}

func (r *sshReader) Read(b []byte) (int, error) {
	n, err := r.pipe.Read(b)
	r.whole = r.whole || errors.Is(err, io.EOF)
	return n, err
}

// Close gives up what was asked for ahead: with the session, unless all has come.
func (r *sshReader) Close() error {
	if !r.whole {
		r.session.close()
	}
	_ = r.pipe.Close()
	<-r.ended
	if !r.whole {
		return nil
	}
	return r.file.Close()
}

// Helpers

// supported drops the answers by which a server says that it cannot do something.
func supported(err error, unable ...error) error {
	var answer *sftp.StatusError
	if errors.As(err, &answer) && slices.Contains(unable, error(answer.FxCode())) {
		return nil
	}
	return err
}
