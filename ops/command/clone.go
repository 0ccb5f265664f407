package command

import (
	"crypto/sha256"
	"encoding/hex"
	"path"
	"path/filepath"
	"strings"

	"binnacle/config"
)

// Clone builds the commands for the local git clone that images are built from,
// so that nothing uncommitted gets into them.
type Clone struct {
	root      string
	directory string
	build     string
}

// NewClone is the clone of the repository at root for the project at cwd, both
// absolute, below the machine's temporary directory.
func NewClone(cfg *config.Config, tempDir, cwd, root string) Clone {
	sum := sha256.Sum256([]byte(cwd))
	directory := path.Join(tempDir, "kamal-clones", cfg.Service()+"-"+hex.EncodeToString(sum[:])[:13])
	below := strings.TrimPrefix(strings.TrimPrefix(cwd, root), "/")
	return Clone{root: root, directory: directory, build: directory + "/" + filepath.Base(root) + "/" + below}
}

// Directory is the folder to make before cloning, and to delete before a second
// try.
func (c Clone) Directory() string { return c.directory }

// BuildDirectory is where the build runs: the project's folder in the clone.
func (c Clone) BuildDirectory() string { return c.build }

// EnsureDirectory makes the Directory.
func (c Clone) EnsureDirectory() Line { return MakeDirectory(Quote(c.directory)) }

// RemoveDirectory deletes the Directory.
func (c Clone) RemoveDirectory() Line { return New("rm", "-rf", Quote(c.directory)) }

// Clone clones the repository with its submodules. It fails with "already exists
// and is not an empty directory" when Reset is due instead.
func (c Clone) Clone() Line {
	return New("git", "-C", Quote(c.directory), "clone", Quote(c.root), "--recurse-submodules")
}

// Reset are the commands that bring an existing clone to a revision.
func (c Clone) Reset(revision string) []Line {
	return []Line{
		c.git("remote", "set-url", "origin", Quote(c.root)),
		c.git("fetch", "origin"),
		c.git("reset", "--hard", revision),
		c.git("clean", "-fdx"),
		c.git("submodule", "update", "--init"),
		c.git("gc", "--auto", "--quiet"),
	}
}

// Status prints what differs from the revision; nothing in a good clone.
func (c Clone) Status() Line { return c.git("status", "--porcelain") }

// Revision prints the revision of the clone.
func (c Clone) Revision() Line { return c.git("rev-parse", "HEAD") }

// GitRoot prints the root of the project's repository.
func GitRoot() Line { return New("git", "rev-parse", "--show-toplevel") }

// GitPrefix prints the project's folder below the root of its repository.
func GitPrefix() Line { return New("git", "rev-parse", "--show-prefix") }

// GitModified prints the files of the project's folder that differ from what is
// staged.
func GitModified() Line { return New("git", "ls-files", "--modified") }

// GitUntracked prints the files of the project's folder that git does not know,
// ignored ones too.
func GitUntracked() Line { return New("git", "ls-files", "--others") }

// GitRevision prints the project's revision.
func GitRevision() Line { return New("git", "rev-parse", "HEAD") }

// GitCommit is the commit that a name stands for; it fails for a name that git
// does not know.
func GitCommit(name string) Line {
	return New("git", "rev-parse", "--verify", "--quiet", Quote(name+"^{commit}"))
}

// GitStatus prints the project's uncommitted changes.
func GitStatus() Line { return New("git", "status", "--porcelain") }

// GitUserName prints who takes locks; it fails when git knows no name.
func GitUserName() Line { return New("git", "config", "user.name") }

// GitUserEmail prints who performs operations; it fails when git knows none.
func GitUserEmail() Line { return New("git", "config", "user.email") }

// Private

func (c Clone) git(words ...string) Line { return New("git", "-C", Quote(c.build)).With(words...) }
