package live_test

import (
	"context"
	"io"
	"strings"
	"testing"
	"time"

	"binnacle/config"
	"binnacle/ops"
	"binnacle/ops/backup"
	"binnacle/ops/command"
	"binnacle/ops/live"
	"binnacle/ops/sim"
)

// trial is one database of the demo fleet, with the store of its backups.
type trial struct {
	backup.Place
	t      *testing.T
	fleet  *sim.Fleet
	engine backup.Engine
	shelf  *backup.Shelf
}

// trials are the databases of a demo fleet of their own.
func trials(t *testing.T) map[config.Engine]*trial {
	t.Helper()
	fleet, err := sim.Start(t.Context(), sim.Options{Hosts: 1, Visitors: -1, Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = fleet.Close() })
	dir := t.TempDir()
	if err := fleet.WriteProject(dir); err != nil {
		t.Fatal(err)
	}
	s, err := live.Open(t.Context(), live.Options{Dir: dir, Version: "v3", StateDir: t.TempDir(), DataDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	out := map[config.Engine]*trial{}
	for _, b := range s.Config.Backups() {
		engine, err := backup.NewEngine(b.Engine)
		if err != nil {
			t.Fatal(err)
		}
		objects, err := s.World.Store(t.Context(), b.Store)
		if err != nil {
			t.Fatal(err)
		}
		image := map[config.Engine]string{config.Postgres: "postgres:16", config.Redis: "redis:7"}[b.Engine]
		out[b.Engine] = &trial{
			t: t, fleet: fleet, engine: engine, shelf: backup.NewShelf(objects, "fhirlinebot", b.Name, backup.Keys{}),
			Place: backup.Place{
				Backup: b, Remote: s.World.Remote(b.Host), Container: "fhirlinebot-" + b.Accessory, Image: image, Label: "binnacle.scratch=here/1/x",
				Tell: func(ops.Stream, string) {},
			},
		}
	}
	return out
}

// on runs a command line on the host.
func (d *trial) on(line string) string {
	d.t.Helper()
	var out strings.Builder
	if err := d.Remote.Stream(d.t.Context(), command.New("sh", "-c", command.Quote(line)), nil, &out); err != nil {
		d.t.Fatalf("%s: %v", line, err)
	}
	return out.String()
}

// content is every row or key of the data at a place.
func (d *trial) content(at backup.Place) string {
	d.t.Helper()
	if d.Engine == config.Redis {
		return d.on(`for n in 0 1 2; do echo $n; docker exec ` + at.Container + ` redis-cli -n $n KEYS '*' | sed 's/.*/GET "&"/' | docker exec -i ` + at.Container + ` redis-cli -n $n; done`)
	}
	return d.on(`for table in patients observations claims users schema_migrations; do docker exec ` + at.Container + ` psql -U postgres -At -d ` + at.Database + ` -c "SELECT * FROM $table"; done`)
}

func (d *trial) write(dump func(backup.Put) (backup.Facts, error)) (backup.Entry, error) {
	draft := backup.Draft{Backup: d.Backup, Image: d.Image, Claim: backup.Claim{Host: "here", PID: 1}, Now: time.Now}
	return d.shelf.Write(d.t.Context(), draft, dump, nil)
}

func (d *trial) create() backup.Entry {
	d.t.Helper()
	entry, err := d.write(func(put backup.Put) (backup.Facts, error) { return d.engine.Dump(d.t.Context(), d.Place, put) })
	if err != nil {
		d.t.Fatal(err)
	}
	return entry
}

func (d *trial) fault(fault sim.Fault, on bool) {
	d.t.Helper()
	if err := d.fleet.SetFault(d.Host, fault, on); err != nil {
		d.t.Error(err)
	}
}

func (d *trial) left() []string {
	d.t.Helper()
	names, err := d.engine.Leftovers(d.t.Context(), d.Place)
	if err != nil {
		d.t.Fatal(err)
	}
	return names
}

// filled is a backup whose archive finds the disk full.
type filled struct {
	backup.Source
	fill func()
}

// Open opens a part, after the disk has filled up when it is the data.
func (f *filled) Open(ctx context.Context, part string) (io.ReadCloser, error) {
	if part != "settings.json" {
		f.fill()
	}
	return f.Source.Open(ctx, part)
}

// The link is cut while the first part is being dumped.
func TestCutDumpIsNoBackup(t *testing.T) {
	for _, d := range trials(t) {
		cut := false
		_, err := d.write(func(put backup.Put) (backup.Facts, error) {
			return d.engine.Dump(t.Context(), d.Place, func(part string, write func(io.Writer) error) error {
				return put(part, func(w io.Writer) error {
					if !cut {
						cut = true
						d.fault(sim.CutLink, true)
					}
					return write(w)
				})
			})
		})
		if d.Engine == config.Postgres && err == nil {
			t.Errorf("%s: the dump goes on without the session that holds its snapshot", d.Name)
		}
		if d.Engine == config.Redis && err != nil { // it begins afterwards, on a new link
			t.Error(err)
		}
		entries, listed := d.shelf.List(t.Context())
		if listed != nil || len(entries) > 0 != (err == nil) {
			t.Errorf("%s: listed are %d backups, %v, after %v", d.Name, len(entries), listed, err)
		}
	}
}

// A disk that is full on the way into the database is told in its own words, and
// the data that is there stays.
func TestFullDiskWhileRestoring(t *testing.T) {
	for _, d := range trials(t) {
		before, entry := d.content(d.Place), d.create()
		_, err := d.engine.Load(t.Context(), d.Place, "binnacle_restore_full", &filled{d.shelf.Read(entry, nil), func() { d.fault(sim.FullDisk, true) }})
		if err == nil || !strings.Contains(err.Error(), "No space left on device") {
			t.Errorf("%s: a full disk is %v", d.Name, err)
		}
		if err := d.engine.Discard(t.Context(), d.Place, "binnacle_restore_full"); err != nil {
			t.Error(err)
		}
		d.fault(sim.FullDisk, false)
		if left := d.left(); len(left) > 0 || d.content(d.Place) != before {
			t.Errorf("%s: left %v, or the data has changed", d.Name, left)
		}
	}
}
