package sim

import (
	"io"
	"io/fs"
	"path"
	"sort"
	"strings"
	"sync"
	"time"
)

// fsError is an error text as GNU tools print it.
type fsError string

// Error is the text.
func (e fsError) Error() string { return string(e) }

// Is lets errors.Is match the standard library's kinds.
func (e fsError) Is(target error) bool {
	return target == fs.ErrNotExist && e == errNoEntry || target == fs.ErrExist && e == errExists
}

const (
	errNoEntry  fsError = "No such file or directory"
	errExists   fsError = "File exists"
	errNotDir   fsError = "Not a directory"
	errIsDir    fsError = "Is a directory"
	errNotEmpty fsError = "Directory not empty"
	errNoSpace  fsError = "No space left on device"
	errReadOnly fsError = "Read-only file system"
)

// node is one file or directory.
type node struct {
	name    string
	dir     bool
	mode    fs.FileMode // permission bits
	owner   string
	mtime   time.Time
	data    []byte
	entries map[string]*node
	// live, when set, makes the content at each reading; such a file cannot be written.
	live func() []byte
	pipe *fifo // set for a named pipe
}

// fileSystem is one host's files, in memory. A directory node can hang in several trees at once, which is
// how a bind mount works; all trees of a host therefore share one lock.
type fileSystem struct {
	mu   *sync.Mutex
	root *node
	now  func() time.Time
	full func() bool
}

func newFileSystem(mu *sync.Mutex, now func() time.Time, full func() bool) *fileSystem {
	f := &fileSystem{mu: mu, now: now, full: full}
	f.root = f.newDir("/", 0o755)
	return f
}

// stat returns a copy of the facts about a path.
func (f *fileSystem) stat(p string) (nodeInfo, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	n, err := f.find(p)
	if err != nil {
		return nodeInfo{}, err
	}
	return infoOf(n), nil
}

// readFile returns a file's content.
func (f *fileSystem) readFile(p string) ([]byte, error) {
	f.mu.Lock()
	n, err := f.find(p)
	if err == nil && n.dir {
		err = errIsDir
	}
	if err != nil {
		f.mu.Unlock()
		return nil, err
	}
	live, data := n.live, append([]byte(nil), n.data...)
	f.mu.Unlock()
	if live != nil {
		return live(), nil
	}
	return data, nil
}

// readDir lists a directory, sorted by name.
func (f *fileSystem) readDir(p string) ([]nodeInfo, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	n, err := f.find(p)
	if err != nil {
		return nil, err
	}
	if !n.dir {
		return nil, errNotDir
	}
	out := make([]nodeInfo, 0, len(n.entries))
	for name, e := range n.entries {
		info := infoOf(e)
		info.name = name
		out = append(out, info)
	}
	sort.Slice(out, func(i, j int) bool { return out[i].name < out[j].name })
	return out, nil
}

// writeFile replaces or creates a file.
func (f *fileSystem) writeFile(p string, data []byte, mode fs.FileMode) error {
	return f.edit(p, mode, true, func(n *node) { n.data = append([]byte(nil), data...) })
}

// appendFile adds to a file, creating it when it is not there.
func (f *fileSystem) appendFile(p string, data []byte, mode fs.FileMode) error {
	return f.edit(p, mode, true, func(n *node) { n.data = append(n.data, data...) })
}

// mkdir makes one directory.
func (f *fileSystem) mkdir(p string, mode fs.FileMode) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	parent, name, err := f.parent(p)
	if err != nil {
		return err
	}
	if _, there := parent.entries[name]; there || name == "" {
		return errExists
	}
	if f.full() {
		return errNoSpace
	}
	f.link(parent, f.newDir(name, mode))
	return nil
}

// mkdirAll makes a directory and what leads to it.
func (f *fileSystem) mkdirAll(p string, mode fs.FileMode) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := f.root
	for _, name := range split(p) {
		next := n.entries[name]
		switch {
		case !n.dir:
			return errNotDir
		case next == nil && f.full():
			return errNoSpace
		case next == nil:
			next = f.newDir(name, mode)
			f.link(n, next)
		}
		n = next
	}
	if !n.dir {
		return errExists
	}
	return nil
}

// remove deletes a path; a directory only when all is set or it is empty.
func (f *fileSystem) remove(p string, all bool) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	n, err := f.find(p)
	if err != nil {
		return err
	}
	if n.dir && !all && len(n.entries) > 0 {
		return errNotEmpty
	}
	parent, name, err := f.parent(p)
	if err != nil {
		return err
	}
	if name == "" {
		return errReadOnly
	}
	delete(parent.entries, name)
	parent.mtime = f.now()
	return nil
}

// rename moves from to to, replacing a file that is there.
func (f *fileSystem) rename(from, to string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	n, err := f.find(from)
	if err != nil {
		return err
	}
	src, srcName, err := f.parent(from)
	if err != nil {
		return err
	}
	if dst, derr := f.find(to); derr == nil && dst.dir {
		to = path.Join(to, srcName)
	}
	parent, name, err := f.parent(to)
	if err != nil {
		return err
	}
	delete(src.entries, srcName)
	n.name = name
	f.link(parent, n)
	return nil
}

// change applies edit to what is at p.
func (f *fileSystem) change(p string, edit func(n *node)) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	n, err := f.find(p)
	if err != nil {
		return err
	}
	edit(n)
	return nil
}

// mount hangs a directory of this host at p, making what leads there.
func (f *fileSystem) mount(p string, source *node) {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := f.root
	names := split(p)
	for i, name := range names {
		if i == len(names)-1 {
			n.entries[name] = source
			return
		}
		next := n.entries[name]
		if next == nil || !next.dir {
			next = f.newDir(name, 0o755)
			f.link(n, next)
		}
		n = next
	}
}

// nodeAt returns the node itself, for mounting elsewhere.
func (f *fileSystem) nodeAt(p string) (*node, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.find(p)
}

// liveFile puts a file whose content is made when it is read.
func (f *fileSystem) liveFile(p string, make func() []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	parent, name, err := f.parent(p)
	if err != nil {
		return
	}
	f.link(parent, &node{name: name, mode: 0o444, owner: "root", mtime: f.now(), live: make})
}

// open gives what a shell redirection needs.
func (f *fileSystem) open(p string, read, write, appendTo, create bool, mode fs.FileMode) (io.ReadWriteCloser, error) {
	if read && !write {
		data, err := f.readFile(p)
		if err != nil {
			return nil, err
		}
		return &openFile{fs: f, path: p, rest: data}, nil
	}
	err := f.edit(p, mode, create, func(n *node) {
		if !appendTo {
			n.data = nil
		}
	})
	if err != nil {
		return nil, err
	}
	return &openFile{fs: f, path: p, mode: mode}, nil
}

// openFile is an open file: reads come from what was there at opening, writes append.
type openFile struct {
	fs   *fileSystem
	path string
	mode fs.FileMode
	rest []byte
}

// Read takes from the content.
func (o *openFile) Read(p []byte) (int, error) {
	if len(o.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(p, o.rest)
	o.rest = o.rest[n:]
	return n, nil
}

// Write appends to the file.
func (o *openFile) Write(p []byte) (int, error) {
	if err := o.fs.appendFile(o.path, p, o.mode); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Close does nothing: all was written.
func (o *openFile) Close() error { return nil }

// nodeInfo is what stat tells; it is an fs.FileInfo and an fs.DirEntry.
type nodeInfo struct {
	name  string
	dir   bool
	mode  fs.FileMode
	owner string
	size  int64
	mtime time.Time
	pipe  bool
}

// Name is the base name.
func (i nodeInfo) Name() string { return i.name }

// Size is in bytes.
func (i nodeInfo) Size() int64 { return i.size }

// Mode holds the permission and directory bits.
func (i nodeInfo) Mode() fs.FileMode {
	switch {
	case i.dir:
		return fs.ModeDir | i.mode
	case i.pipe:
		return fs.ModeNamedPipe | i.mode
	}
	return i.mode
}

// ModTime is the last change.
func (i nodeInfo) ModTime() time.Time { return i.mtime }

// IsDir tells a directory.
func (i nodeInfo) IsDir() bool { return i.dir }

// Sys is nothing.
func (i nodeInfo) Sys() any { return nil }

// Type holds the type bits.
func (i nodeInfo) Type() fs.FileMode { return i.Mode().Type() }

// Info is the value itself.
func (i nodeInfo) Info() (fs.FileInfo, error) { return i, nil }

// Private

// edit opens p for writing and applies change, under the lock.
func (f *fileSystem) edit(p string, mode fs.FileMode, create bool, change func(*node)) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.full() {
		return errNoSpace
	}
	parent, name, err := f.parent(p)
	if err != nil {
		return err
	}
	n := parent.entries[name]
	switch {
	case name == "" || n != nil && n.dir:
		return errIsDir
	case n != nil && n.live != nil:
		return errReadOnly
	case n == nil && !create:
		return errNoEntry
	case n == nil:
		n = &node{name: name, mode: mode.Perm(), owner: "root"}
		f.link(parent, n)
	}
	change(n)
	n.mtime = f.now()
	return nil
}

func (f *fileSystem) find(p string) (*node, error) {
	n := f.root
	for _, name := range split(p) {
		if !n.dir {
			return nil, errNotDir
		}
		next := n.entries[name]
		if next == nil {
			return nil, errNoEntry
		}
		n = next
	}
	if strings.HasSuffix(p, "/") && !n.dir {
		return nil, errNotDir
	}
	return n, nil
}

func (f *fileSystem) parent(p string) (*node, string, error) {
	names := split(p)
	if len(names) == 0 {
		return f.root, "", nil
	}
	dir, err := f.find("/" + strings.Join(names[:len(names)-1], "/"))
	if err != nil {
		return nil, "", err
	}
	if !dir.dir {
		return nil, "", errNotDir
	}
	return dir, names[len(names)-1], nil
}

func (f *fileSystem) link(parent, n *node) {
	parent.entries[n.name] = n
	parent.mtime = f.now()
}

func (f *fileSystem) newDir(name string, mode fs.FileMode) *node {
	return &node{name: name, dir: true, mode: mode.Perm(), owner: "root", mtime: f.now(), entries: map[string]*node{}}
}

// Helpers

func infoOf(n *node) nodeInfo {
	size := int64(len(n.data))
	if n.dir {
		size = 4096
	}
	return nodeInfo{name: n.name, dir: n.dir, mode: n.mode, owner: n.owner, size: size, mtime: n.mtime, pipe: n.pipe != nil}
}

func split(p string) []string {
	clean := strings.Trim(path.Clean("/"+p), "/")
	if clean == "" {
		return nil
	}
	return strings.Split(clean, "/")
}
