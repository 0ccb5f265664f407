// Package backup dumps, keeps, verifies and restores what an app must not lose:
// databases and folders in containers, as streams between a host and a store,
// without a temporary file on either side. It may import config, ops and
// ops/command; stores themselves are in ops/backup/store.
package backup

import (
	"context"
	"errors"
	"io"

	"binnacle/config"
	"binnacle/ops"
)

// Engine is one kind of data: how it is looked at, dumped and restored with the
// tools of its own container.
type Engine interface {
	// Look asks for version, schema, sizes and counts as they are now.
	Look(ctx context.Context, at Place) (Facts, error)
	// Dump writes the parts of a backup, one after another. The facts are those of
	// the very data that was dumped, as far as the engine can tell.
	Dump(ctx context.Context, at Place, put Put) (Facts, error)
	// Read goes through an archive without restoring it and fails when it is no
	// readable one: `pg_restore --list` and its like, run in the container.
	Read(ctx context.Context, at Place, from Source) error
	// Scratch starts a throwaway container of the same image beside the place's
	// own, restores the archive into it and returns it running. Whatever happens,
	// Discard removes it.
	Scratch(ctx context.Context, at Place, name string, from Source) (Place, error)
	// Load restores the archive beside the data that is there, under a name of its
	// own, and returns where it is. The data that is there is not touched.
	Load(ctx context.Context, at Place, name string, from Source) (Place, error)
	// Swap puts what was loaded in the place of the data that is there, which is
	// kept under the name keep where the engine allows it; kept says whether. When
	// it fails, the old data is in its place.
	Swap(ctx context.Context, at, loaded Place, keep string) (kept bool, err error)
	// Discard removes what Load, Scratch or Swap left under a name; absence is not
	// an error.
	Discard(ctx context.Context, at Place, name string) error
	// Leftovers lists the names of what Load, Scratch and Swap left at the place:
	// of runs that were killed, and data that was kept.
	Leftovers(ctx context.Context, at Place) ([]string, error)
	// SQL runs a script and returns the first column of the first row it answered;
	// ErrNoSQL where there is none to run.
	SQL(ctx context.Context, at Place, script io.Reader) (string, error)
}

// ErrNoSQL tells that an engine runs no SQL.
var ErrNoSQL = errors.New("it runs no SQL")

// Put takes one part of a dump: write is called once, with a writer that goes to
// the store, and its error is returned as it is.
type Put func(part string, write func(io.Writer) error) error

// Source gives the parts of a backup back as they were dumped. A reader ends with
// an error instead of io.EOF when the bytes are not those that were written.
type Source interface {
	Open(ctx context.Context, part string) (io.ReadCloser, error)
}

// Place is where data is: in a container on a host.
type Place struct {
	config.Backup
	Remote    ops.Remote // the host
	Container string     // running, by name
	Image     string     // of that container
	// Tell writes a command or a remark into the task's transcript; never nil.
	Tell func(stream ops.Stream, text string)
	// Label marks throwaway containers with who made them, as --label arguments do:
	// `binnacle.scratch=HOST/PID/TASK`.
	Label string
}

// Facts are what a database says of itself.
type Facts struct {
	Version string  `json:"version"`          // the server's: "16.4", "10.11.14-MariaDB"
	Schema  string  `json:"schema,omitempty"` // the newest version in schema_migrations, if there is such a table
	Tables  []Table `json:"tables,omitempty"` // exact counts, sorted by name
	Size    int64   `json:"size"`             // bytes that the data takes
	Free    int64   `json:"free"`             // bytes free where the data lies; -1 when not known
	Clients int     `json:"clients"`          // connections of others, now
	// Unsure is how many more are in tables, by name, which may go by themselves.
	Unsure map[string]int64 `json:"unsure,omitempty"`
	// Details are what the engine wants to find again at a restore, such as the
	// settings of a database; they go into the backup, encrypted with it.
	Details map[string]string `json:"details,omitempty"`
}

// Table is a table, a Redis database or a folder's first level, and how much is in it.
type Table struct {
	Name string `json:"name"`
	Rows int64  `json:"rows"` // rows, keys, files
}

// Rows is the sum over all tables.
func (f Facts) Rows() int64 {
	var sum int64
	for _, t := range f.Tables {
		sum += t.Rows
	}
	return sum
}

// NewEngine is the engine of that kind.
func NewEngine(kind config.Engine) (Engine, error) {
	switch kind {
	case config.Postgres:
		return Postgres{}, nil
	case config.MySQL:
		return MySQL{}, nil
	case config.Redis:
		return Redis{}, nil
	case config.SQLite:
		return SQLite{}, nil
	case config.Volume:
		return Volume{}, nil
	}
	return nil, errors.New("no engine is called " + string(kind))
}
