package backup

import (
	"context"
	"io"
	"slices"
	"strings"
)

// Scratch restores into a container of the same image that runs nothing.
func (v Volume) Scratch(ctx context.Context, at Place, name string, from Source) (Place, error) {
	line := at.throwaway(name, "--user", "0:0", "--entrypoint", "sh", at.Image, "-c", "while :; do sleep 3600; done")
	if _, err := at.answer(ctx, "starting a throwaway container", line, nil); err != nil && !withoutShell(err) {
		return Place{}, err // without a shell it is made all the same, and does not run
	}
	scratch := at
	scratch.Container, scratch.Database = name, "/binnacle"
	return scratch, v.extract(ctx, scratch, "/", "binnacle", from)
}

// Load restores into a folder of its own in the folder.
func (v Volume) Load(ctx context.Context, at Place, name string, from Source) (Place, error) {
	made := at.docker("exec", "-u", "0:0", at.Container, "sh", "-c", `mkdir -p "$1"`, "sh", at.Database)
	if _, err := at.answer(ctx, "looking at the folder", made, nil); err != nil {
		return Place{}, explainVolume(err)
	}
	loaded := at
	loaded.Database = strings.TrimRight(at.Database, "/") + "/." + name
	return loaded, v.extract(ctx, at, at.Database, "."+name, from)
}

// Swap moves what is in the folder into one of its own, and what was loaded up.
// What it did is undone when something fails, and by Discard when it was killed.
func (Volume) Swap(ctx context.Context, at, loaded Place, keep string) (bool, error) {
	name := strings.TrimPrefix(loaded.Database[strings.LastIndexByte(loaded.Database, '/')+1:], ".")
	line := at.docker("exec", "-u", "0:0", at.Container, "sh", "-c", volumeMove+volumeSwap, "sh", at.Database, name, keep)
	if err := at.stream(ctx, "replacing the files", line, nil, nil); err != nil {
		return false, explainVolume(err)
	}
	return true, nil
}

// Discard removes a throwaway container, or a folder in the folder; a swap that
// did not end is undone first.
func (Volume) Discard(ctx context.Context, at Place, name string) error {
	if err := at.removeScratch(ctx, name); err != nil {
		return err
	}
	line := at.docker("exec", "-u", "0:0", at.Container, "sh", "-c", volumeMove+volumeDiscard, "sh", at.Database, name)
	if _, err := at.answer(ctx, "removing "+name, line, nil); err != nil && !withoutShell(err) {
		return explainVolume(err)
	}
	return nil
}

// Leftovers lists throwaway containers, and folders in the folder.
func (Volume) Leftovers(ctx context.Context, at Place) ([]string, error) {
	names, err := at.scratches(ctx)
	if err != nil {
		return nil, err
	}
	line := at.docker("exec", "-u", "0:0", at.Container, "sh", "-c", volumeLeft, "sh", at.Database)
	said, err := at.answer(ctx, "looking for what restores have left", line, nil)
	switch {
	case err == nil:
		names = append(names, strings.Fields(said)...)
	case !withoutShell(err):
		return nil, explainVolume(err)
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// Private

// extract unpacks the archive into a folder of the container, under a name.
func (Volume) extract(ctx context.Context, at Place, folder, name string, from Source) error {
	renamed := &renamedSource{from: from, prefix: name}
	return at.feed(ctx, "unpacking the files", at.docker("cp", "-", at.Container+":"+folder), renamed, volumeFiles, nil)
}

// volumeMove begins what changes the folder, $1. A swap of NAME and KEEP works on
// the folder .NAME~KEEP, which holds what is new; .KEEP~ holds what is old until
// all of it is in there, and is then called .KEEP. So what is left of a swap
// that was killed tells how far it was, and undo can be killed as well.
const volumeMove = `cd "$1" || exit
move() {
  for entry in "$1"/* "$1"/.*; do
    case ${entry##*/} in . | .. | .binnacle_*) continue ;; esac
    [ -e "$entry" ] || [ -L "$entry" ] || continue
    mv -f "$entry" "$2/" || return
  done
}
like() { chown "$(stat -c %u:%g "$1")" "$2" && chmod "$(stat -c %a "$1")" "$2"; }
undo() { # work
  name=${1%%"~"*} keep=.${1#*"~"}
  if [ -d "$keep" ]; then
    move . "$1" && mv "$keep" "$keep~" || return
  fi
  if [ -d "$keep~" ]; then
    move "$keep~" . && like "$keep~" . && rmdir "$keep~" || return
  fi
  mv "$1" "$name"
}
undoAll() {
  for work in .binnacle_*~binnacle_*; do
    [ ! -d "$work" ] || undo "$work" || exit
  done
}
`

const volumeSwap = `undoAll
work=.$2~$3
swap() {
  mv ".$2" "$work" && mkdir ".$3~" && like . ".$3~" && move . ".$3~" && mv ".$3~" ".$3" && move "$work" . && like "$work" . && rmdir "$work"
}
trap '' HUP INT TERM PIPE
swap "$@" || {
  undo "$work"
  exit 1
}`

const volumeDiscard = `undoAll
rm -rf "./.$2"`

const volumeLeft = `cd "$1" || exit 0
for entry in .binnacle_*; do
  [ -d "$entry" ] || continue
  case $entry in
  *"~"?*) entry=${entry%%"~"*} ;;
  *"~") continue ;;
  esac
  echo "${entry#.}"
done`

// renamedSource puts a folder before every name of the archive.
type renamedSource struct {
	from   Source
	prefix string
}

// Open opens a part; closing it waits for the end of the renaming.
func (s *renamedSource) Open(ctx context.Context, part string) (io.ReadCloser, error) {
	r, err := s.from.Open(ctx, part)
	if err != nil {
		return nil, err
	}
	return filtered(r, func(r io.Reader, w io.Writer) error {
		_, err := walkTar(r, w, s.prefix)
		return err
	}), nil
}

// filtered is what a filter makes of a reader; closing it waits for the filter.
func filtered(r io.ReadCloser, filter func(io.Reader, io.Writer) error) io.ReadCloser {
	out, in := io.Pipe()
	f := &filteredReader{PipeReader: out, from: r, done: make(chan struct{})}
	go func() {
		defer close(f.done)
		in.CloseWithError(filter(r, in))
	}()
	return f
}

type filteredReader struct {
	*io.PipeReader
	from io.Closer
	done chan struct{}
}

// Close ends the filter.
func (f *filteredReader) Close() error {
	_ = f.PipeReader.Close()
	<-f.done
	return f.from.Close()
}
