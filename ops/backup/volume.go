package backup

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"strconv"
	"strings"

	"binnacle/ops"
	"binnacle/ops/command"
)

// Volume dumps and restores a folder of a container: a volume, or a folder of the
// host that is mounted. A backup has one part, files.tar, as docker cp packs it:
// owners, modes, times and links are kept; sockets are left out. Containers
// without a shell are dumped too.
type Volume struct{}

// Look counts files with the tools of the container; where there are none, all of
// the folder is read. A folder that is not there is ops.ErrNotFound.
func (v Volume) Look(ctx context.Context, at Place) (Facts, error) {
	said, err := at.answer(ctx, "looking at the folder", at.docker("exec", "-u", "0:0", at.Container, "sh", "-c", volumeLook, "sh", at.Database), nil)
	switch {
	case exitCode(err) == 3:
		return Facts{Free: -1}, &ops.Error{Host: at.Host, Summary: "looking at the folder", Cause: fmt.Errorf("there is no folder %s in %s: %w", at.Database, at.Container, ops.ErrNotFound)}
	case withoutShell(err):
		at.Tell(ops.Stderr, "There is no shell in the container: all of the folder is read to count what is in it.")
		at.Pause = false
		return v.copy(ctx, at, io.Discard)
	case err != nil:
		return Facts{Free: -1}, explainVolume(err)
	}
	return readVolume(said)
}

// Dump copies the folder. Files that change meanwhile are copied as they are when
// they are reached, unless the container is paused for it; one that gets shorter
// while it is copied fails the dump.
func (v Volume) Dump(ctx context.Context, at Place, put Put) (facts Facts, err error) {
	err = put(volumeFiles, func(w io.Writer) error {
		facts, err = v.copy(ctx, at, w)
		return err
	})
	return facts, err
}

// Read walks through the archive to its end.
func (Volume) Read(ctx context.Context, _ Place, from Source) error {
	r, err := from.Open(ctx, volumeFiles)
	if err != nil {
		return err
	}
	defer r.Close()
	_, err = walkTar(r, io.Discard, "")
	return unreadable(err)
}

// SQL is ErrNoSQL.
func (Volume) SQL(context.Context, Place, io.Reader) (string, error) { return "", ErrNoSQL }

// Private

const volumeFiles = "files.tar"

// volumePrefix begins the names of folders that restores make in the folder
// itself, where renaming is possible. They are no part of it.
const volumePrefix = ".binnacle_"

// copy streams the archive to w and counts what is in it.
func (Volume) copy(ctx context.Context, at Place, w io.Writer) (Facts, error) {
	line := command.New("sh", "-c", command.Quote(volumeCopy), "sh", command.Quote(at.Container), command.Quote(at.Container+":"+strings.TrimRight(at.Database, "/")+"/."))
	if at.Pause {
		line = line.With("pause")
	}
	out, stdout := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		err := at.beating(ctx, "copying the folder", line, stdout)
		stdout.CloseWithError(err)
		ended <- err
	}()
	facts, err := walkTar(out, w, "")
	out.CloseWithError(err)
	if failed := <-ended; failed != nil && (err == nil || !errors.Is(failed, err)) {
		err = failed
	}
	return facts, explainVolume(err)
}

// volumeLook prints for each folder of the first level, with the name "." for
// the files beside them: the name, how many files are in it; then bytes and df.
const volumeLook = `[ -d "$1" ] && cd "$1" || exit 3
count() { find "$@" ! -type d ! -type s -print0 | tr -cd '\000' | wc -c; }
direct=0
for entry in * .*; do
  case $entry in . | .. | .binnacle_*) continue ;; esac
  if [ -d "$entry" ] && [ ! -L "$entry" ]; then
    printf '%s\0%s\0' "$entry" "$(count "./$entry")"
  elif [ ! -S "$entry" ] && { [ -e "$entry" ] || [ -L "$entry" ]; }; then
    direct=$((direct + 1))
  fi
done
printf '.\0%s\0' "$direct"
printf '\0%s\0%s\0' "$(du -sk . | cut -f 1)" "$(df -Pk . | tail -n 1)"`

// volumeCopy runs on the host: $1 is the container, $2 what to copy, $3 pause or
// nothing. Docker does not inspect or stop the container until docker cp ends, nor
// does a paused one go on. So docker cp ends with us: when stdin does, or, where
// the connection is cut without a word, when no beat has come in for two minutes.
// A store that takes its time ends nothing. The count of what a process has read
// tells of its beats; a docker cp that waits for its reader may ignore a signal.
const volumeCopy = `exec 3<&0
end() { kill $copy; sleep 5; kill -9 $copy; }
trap 'kill $watch $beats 2>/dev/null; [ -z "$paused" ] || docker unpause "$1" >/dev/null' EXIT
trap 'kill $copy 2>/dev/null; exit 1' HUP INT TERM PIPE
paused=$3
[ -z "$paused" ] || docker pause "$1" </dev/null >/dev/null || { paused=; exit 1; }
docker cp "$2" - 3<&- </dev/null & copy=$!
(while read -r _; do :; done; end) <&3 >/dev/null 2>&1 & beats=$!
(was=
while sleep 120; do
  now=$(grep rchar /proc/$beats/io) || exit
  [ "$now" != "$was" ] || end
  was=$now
done) 3<&- </dev/null >/dev/null 2>&1 & watch=$!
wait $copy`

// Helpers

// walkTar copies an archive while it counts what is in it. What restores have left
// is dropped; names get the prefix before them. An archive that ends early fails.
func walkTar(from io.Reader, to io.Writer, prefix string) (Facts, error) {
	facts := Facts{Free: -1, Details: map[string]string{}}
	ending := &endingReader{r: from}
	in, out := tar.NewReader(ending), tar.NewWriter(to)
	counts := folderCounts{".": 0}
	for {
		header, err := in.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return facts, fmt.Errorf("reading the archive of files: %w", err)
		}
		name := strings.TrimPrefix(path.Clean("/"+header.Name), "/")
		first, below, _ := strings.Cut(name, "/")
		if strings.HasPrefix(first, volumePrefix) {
			if strings.Contains(first, "~") {
				return facts, &ops.Error{Summary: "copying the folder", Cause: errors.New("a restore of it was interrupted halfway"), Hint: "restore again, or list and remove what it left"}
			}
			continue
		}
		directory := header.Typeflag == tar.TypeDir
		switch {
		case name == "":
		case directory && below == "":
			counts.add(first, 0)
		case !directory && below == "":
			counts.add(".", 1)
		case !directory:
			counts.add(first, 1)
		}
		facts.Size += header.Size
		if prefix != "" {
			header.Format = tar.FormatPAX // names may get too long for others
			header.Name = prefix + "/" + name
			if directory {
				header.Name += "/"
			}
			if header.Typeflag == tar.TypeLink {
				header.Linkname = prefix + "/" + strings.TrimPrefix(path.Clean("/"+header.Linkname), "/")
			}
		}
		if err := out.WriteHeader(header); err != nil {
			return facts, fmt.Errorf("archiving %s: %w", header.Name, err)
		}
		if _, err := io.Copy(out, in); err != nil { //nolint:gosec // nothing is unpacked, and nothing kept
			return facts, fmt.Errorf("archiving %s: %w", header.Name, err)
		}
	}
	// The end is two blocks of zeros; a stream that was cut between files has none.
	if _, err := io.Copy(io.Discard, ending); err != nil {
		return facts, err
	}
	if !ending.complete() {
		return facts, &ops.Error{
			Summary: "copying the folder", Cause: errors.New("the archive of files ends early: a file has got shorter while it was copied"),
			Hint: "set pause: true for this backup, so that the container stands still meanwhile",
		}
	}
	facts.Tables = counts.tables()
	return facts, out.Close()
}

// folderCounts is how many files are in each folder.
type folderCounts map[string]int64

// add counts under the name as a manifest gives it back: JSON has no bytes that
// are no UTF-8, of which each becomes U+FFFD. Names that are one then are counted
// together.
func (c folderCounts) add(name string, n int64) { c[string([]rune(name))] += n }

func (c folderCounts) tables() []Table {
	var out []Table
	for name, n := range c {
		out = append(out, Table{Name: name, Rows: n})
	}
	sortTables(out)
	return out
}

// endingReader remembers how its reader ended.
type endingReader struct {
	r    io.Reader
	last [2 * 512]byte
	size int64
}

func (e *endingReader) Read(b []byte) (int, error) {
	n, err := e.r.Read(b)
	got := b[:n]
	if len(got) >= len(e.last) {
		copy(e.last[:], got[len(got)-len(e.last):])
	} else {
		copy(e.last[:], e.last[len(got):])
		copy(e.last[len(e.last)-len(got):], got)
	}
	e.size += int64(n)
	return n, err
}

func (e *endingReader) complete() bool {
	return e.size >= int64(len(e.last)) && e.last == [2 * 512]byte{}
}

// readVolume reads what volumeLook prints.
func readVolume(said string) (Facts, error) {
	facts := Facts{Free: -1, Details: map[string]string{}}
	counts := folderCounts{}
	fields := strings.Split(said, "\x00")
	for len(fields) > 1 && fields[0] != "" {
		n, err := strconv.ParseInt(strings.TrimSpace(fields[1]), 10, 64)
		if err != nil {
			return facts, fmt.Errorf("counting the files of %q: %w", fields[0], err)
		}
		counts.add(fields[0], n)
		fields = fields[2:]
	}
	facts.Tables = counts.tables()
	if len(fields) < 3 {
		return facts, errors.New("counting the files ended early")
	}
	used, _ := strconv.ParseInt(strings.TrimSpace(fields[1]), 10, 64)
	facts.Size = used << 10
	if disk := strings.Fields(fields[2]); len(disk) > 3 {
		if kib, err := strconv.ParseInt(disk[3], 10, 64); err == nil {
			facts.Free = kib << 10
		}
	}
	return facts, nil
}

// withoutShell tells a container that has no sh: docker says so in its exit code.
func withoutShell(err error) bool { return exitCode(err) == 126 || exitCode(err) == 127 }

// explainVolume says what to do about what docker printed.
func explainVolume(err error) error {
	said := output(err)
	switch {
	case withoutShell(err):
		return hint(err, "the container has no shell, which putting data into its place needs; restore to a local file and copy it with docker cp")
	case strings.Contains(said, "is paused"):
		return hint(err, "docker unpause the container, then try again")
	case strings.Contains(said, "is not running"):
		return hint(err, "start the container, then try again")
	case strings.Contains(said, "could not find the file"), strings.Contains(said, "o such container:path"):
		return hint(err, "the path has to be a folder in the container")
	}
	return err
}
