package sim

import (
	"context"
	"io"
	"io/fs"
	"strconv"
	"sync"
)

// fifo is a named pipe, good for one writer and one reader: opening either end
// waits for the other.
type fifo struct {
	r       *io.PipeReader
	w       *io.PipeWriter
	read    chan struct{} // closed when somebody opened it to read
	written chan struct{} // closed when somebody opened it to write
	once    [2]sync.Once
}

// mkfifo makes a named pipe.
func (f *fileSystem) mkfifo(p string, mode fs.FileMode) error {
	pipe := &fifo{read: make(chan struct{}), written: make(chan struct{})}
	pipe.r, pipe.w = io.Pipe()
	if _, err := f.stat(p); err == nil {
		return errExists
	}
	return f.edit(p, mode, true, func(n *node) { n.pipe = pipe })
}

// fifoAt is the named pipe at a path, nil for anything else.
func (f *fileSystem) fifoAt(p string) *fifo {
	f.mu.Lock()
	defer f.mu.Unlock()
	n, err := f.find(p)
	if err != nil {
		return nil
	}
	return n.pipe
}

// open opens one end, which is closed when ctx ends.
func (p *fifo) open(ctx context.Context, write bool) (io.ReadWriteCloser, error) {
	own, other, side := p.read, p.written, 0
	if write {
		own, other, side = p.written, p.read, 1
	}
	p.once[side].Do(func() { close(own) })
	select {
	case <-other:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	end := &fifoEnd{fifo: p, write: write}
	end.stop = context.AfterFunc(ctx, end.shut)
	return end, nil
}

// fifoEnd is an open end of a named pipe.
type fifoEnd struct {
	*fifo
	write bool
	stop  func() bool
}

// Read takes from the pipe.
func (e *fifoEnd) Read(b []byte) (int, error) { return e.r.Read(b) }

// Write hands to the reader.
func (e *fifoEnd) Write(b []byte) (int, error) { return e.w.Write(b) }

// Close ends this side.
func (e *fifoEnd) Close() error {
	e.stop()
	e.shut()
	return nil
}

func (e *fifoEnd) shut() {
	if e.write {
		_ = e.w.Close()
	} else {
		_ = e.r.Close()
	}
}

// Private

func runMkfifo(p *process) int {
	flags, words := cutFlags(p.args[1:], "m")
	mode := fs.FileMode(0o644)
	if n, err := strconv.ParseUint(flags["m"], 8, 32); err == nil {
		mode = fs.FileMode(n)
	}
	code := 0
	for _, w := range words {
		if err := p.files.mkfifo(p.path(w), mode); err != nil {
			code = p.fail(1, "cannot create fifo '%s': %v", w, err)
		}
	}
	return code
}
