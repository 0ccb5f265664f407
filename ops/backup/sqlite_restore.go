package backup

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"binnacle/ops"
)

// Scratch restores into a container of the same image that runs nothing.
func (e SQLite) Scratch(ctx context.Context, at Place, name string, from Source) (Place, error) {
	line := at.throwaway(name, "--user", "0:0", "--entrypoint", "sh", at.Image, "-c", "mkdir -m 700 /binnacle && while :; do sleep 3600; done")
	if _, err := at.answer(ctx, "starting a throwaway container", line, nil); err != nil {
		return Place{}, err
	}
	scratch := at
	scratch.Container, scratch.Database = name, "/binnacle/"+sqliteFile
	return scratch, e.receive(ctx, scratch, "", from)
}

// Load restores into a file of its own beside the database: its name and a dot
// before the other.
func (e SQLite) Load(ctx context.Context, at Place, name string, from Source) (Place, error) {
	page := ""
	switch now, err := e.Look(ctx, at); {
	case err == nil:
		page = now.Details["page_size"]
	case !errors.Is(err, ops.ErrNotFound):
		return Place{}, err
	}
	loaded := at
	loaded.Database = at.Database + "." + name
	return loaded, e.receive(ctx, loaded, page, from)
}

// Swap copies the present data to a file of its own, then the loaded data over
// it, page by page in one transaction of the present database: connections stay
// open, and see the old data until they see the new. A file that is not there is
// renamed to.
func (SQLite) Swap(ctx context.Context, at, loaded Place, keep string) (bool, error) {
	kept := at.Database + "." + keep
	line := at.sh(lifeline+sqliteSwap, at.Database, loaded.Database, kept, sqliteURI(at.Database),
		".backup main "+quoteArgument(kept), ".restore main "+quoteArgument(loaded.Database))
	var said strings.Builder
	if err := at.attached(ctx, "replacing the data", line, &said); err != nil {
		return false, explainSQLite(err)
	}
	return strings.Contains(said.String(), "kept"), nil
}

// Discard removes a throwaway container, and a file beside the database.
func (SQLite) Discard(ctx context.Context, at Place, name string) error {
	if err := at.removeScratch(ctx, name); err != nil {
		return err
	}
	file := at.Database + "." + name
	_, err := at.answer(ctx, "removing "+file, at.docker("exec", at.Container, "rm", "-f", file, file+"-wal", file+"-shm", file+"-journal"), nil)
	return err
}

// Leftovers lists throwaway containers, and files beside the database.
func (SQLite) Leftovers(ctx context.Context, at Place) ([]string, error) {
	names, err := at.scratches(ctx)
	if err != nil {
		return nil, err
	}
	said, err := at.answer(ctx, "looking for what restores have left", at.sh(`for file in "$1".binnacle_*; do [ ! -e "$file" ] || echo "${file#"$1".}"; done`, at.Database), nil)
	if err != nil {
		return nil, err
	}
	for _, name := range strings.Fields(said) {
		for _, end := range []string{"-wal", "-shm", "-journal"} {
			name = strings.TrimSuffix(name, end)
		}
		names = append(names, name)
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// Private

// receive writes the parts to a place's file, has SQLite bring in the log, checks
// everything, and leaves one file with pages of that size ("": as they are).
func (SQLite) receive(ctx context.Context, at Place, page string, from Source) error {
	for _, part := range []struct{ name, file string }{{sqliteFile, at.Database}, {sqliteLog, at.Database + "-wal"}} {
		err := at.feed(ctx, "writing "+part.file, at.sh(`umask 077; cat > "$1"`, part.file), from, part.name, nil)
		if err != nil && (part.name == sqliteFile || !errors.Is(err, ops.ErrNotFound)) {
			return err
		}
	}
	script := ".timeout 60000\nPRAGMA journal_mode = DELETE;\nPRAGMA page_size;\nPRAGMA integrity_check(1);\n"
	said, err := at.answer(ctx, "checking what was restored", at.sqlite(), strings.NewReader(script))
	if err != nil {
		return explainSQLite(err)
	}
	answers := strings.Split(strings.TrimSuffix(said, "\x1e"), "\x1e")
	if found := answers[len(answers)-1]; len(answers) < 3 || found != "ok" {
		return &ops.Error{Host: at.Host, Summary: "checking what was restored", Cause: damage{fmt.Errorf("PRAGMA integrity_check: %s", found)}}
	}
	if page == "" || answers[1] == page {
		return nil
	}
	_, err = at.answer(ctx, "giving the pages their size", at.sqlite(), strings.NewReader("PRAGMA page_size = "+page+";\nVACUUM;\n"))
	return explainSQLite(err)
}

// sqliteSwap: $1 is the database, $2 the loaded file, $3 the file to keep, $4 the
// database for sqlite3, $5 and $6 what copies. What is left of a database that is
// gone must not be taken for a part of the new one. A copying that was ended may
// have come to its end all the same, so that what it kept stays.
const sqliteSwap = `umask 077
if [ ! -f "$1" ]; then
  rm -f "$1-wal" "$1-shm" "$1-journal"
  chown "$(stat -c %u:%g "${1%/*}/")" "$2" && chmod 644 "$2" && mv -f "$2" "$1"
  exit
fi
lifeline sqlite3 -batch -bail -init /dev/null "$4" ".timeout 60000" BEGIN "SELECT count(*) FROM sqlite_master" "$5" COMMIT "$6" >/dev/null || {
  code=$?
  [ $code -gt 128 ] || rm -f "$3"
  exit $code
}
echo kept
sqlite3 -batch -init /dev/null "$4" ".timeout 1000" "PRAGMA wal_checkpoint(TRUNCATE)" </dev/null >/dev/null 2>&1 || :`

// Helpers

// quoteArgument quotes an argument of a command that begins with a dot.
func quoteArgument(text string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text) + `"`
}
