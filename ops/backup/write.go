package backup

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"slices"
	"sync/atomic"
	"time"

	"filippo.io/age"
	"github.com/klauspost/compress/zstd"

	"binnacle/config"
	"binnacle/ops"
)

// Draft is what is known of a backup before it is made.
type Draft struct {
	Backup config.Backup
	Image  string // of the container
	Claim  Claim  // who makes it; its time is set when it begins
	By     string // the performer
	Safety bool   // taken before a restore, of what it was about to replace
	Now    func() time.Time
}

// Write makes a backup of what dump puts. It is there when Write returns nil, and
// nothing of it is left otherwise, cancelled or not; should the store not let
// that be removed, Clean does later. tell is called with the bytes that were
// dumped and stored so far; it must not block, and may be nil.
//
// A suspicious size is no error: the entry's Problem tells it.
func (s *Shelf) Write(ctx context.Context, d Draft, dump func(Put) (Facts, error), tell func(plain, stored int64)) (Entry, error) {
	if asked := len(d.Backup.Encrypt.Recipients); asked != len(s.keys.Recipients) {
		return Entry{}, &ops.Error{
			Summary: "backup of " + s.name + " refused",
			Cause:   fmt.Errorf("it has to be encrypted to %d recipients, and %d of them can be read", asked, len(s.keys.Recipients)),
		}
	}
	before, err := s.List(ctx)
	if err != nil {
		return Entry{}, err
	}
	w := &writer{shelf: s, tell: tell}
	w.manifest(d)
	if err := w.write(ctx, d, dump, before); err != nil {
		return Entry{}, errors.Join(err, w.undo(ctx))
	}
	// The manifest makes it a backup: a claim that stays is removed by Clean.
	bounded, stop := context.WithTimeout(context.WithoutCancel(ctx), undoTimeout)
	defer stop()
	_ = s.objects.Delete(bounded, s.key(w.m.ID, claimName))
	return Entry{Manifest: w.m}.climb(nil), nil
}

// Private

const (
	// undoTimeout bounds the removal of what a failed backup wrote.
	undoTimeout = 30 * time.Second
	// window is how far back zstd looks, as at level 3 of its command. It bounds
	// the memory that writing takes; reading accepts no more than readWindow.
	window     = 2 << 20
	readWindow = 16 << 20
	// buffer saves the hops that small writes would make.
	buffer = 256 << 10
)

// writer makes one backup.
type writer struct {
	shelf  *Shelf
	m      Manifest
	tell   func(plain, stored int64)
	broken error // the first failure of the store: no engine may pass over it
	plain  atomic.Int64
	stored atomic.Int64
}

func (w *writer) manifest(d Draft) {
	b, at := d.Backup, d.Now().UTC()
	w.m = Manifest{
		V: manifestVersion, ID: newID(at), App: w.shelf.app, Destination: w.shelf.app.Destination(), Name: w.shelf.name,
		Accessory: b.Accessory, Role: b.Role, Engine: b.Engine, Image: d.Image, Host: b.Host, Database: b.Database,
		At: at, By: d.By, From: d.Claim.Host, Safety: d.Safety,
		Encrypted: len(w.shelf.keys.Recipients) > 0, Recipients: b.Encrypt.Recipients,
	}
}

func (w *writer) write(ctx context.Context, d Draft, dump func(Put) (Facts, error), before []Entry) error {
	claim := d.Claim
	claim.At = w.m.At
	if err := w.small(ctx, claimName, claim); err != nil {
		return err
	}
	facts, err := dump(func(part string, write func(io.Writer) error) error {
		if part == factsPart {
			return errors.New("no part of a dump is called " + factsPart)
		}
		return w.part(ctx, part, write)
	})
	switch {
	case w.broken != nil:
		return w.broken
	case err != nil:
		return err
	}
	if len(w.m.Parts) == 0 {
		return &ops.Error{Host: w.m.Host, Summary: "nothing was dumped of " + w.m.Name}
	}
	w.m.Plain = w.plain.Load()
	if err := w.part(ctx, factsPart, func(to io.Writer) error { return json.NewEncoder(to).Encode(facts) }); err != nil {
		return err
	}
	w.m.Size = w.stored.Load()
	w.m.EngineVersion, w.m.Schema, w.m.Tables, w.m.Rows = facts.Version, facts.Schema, len(facts.Tables), facts.Rows()
	if err := w.listed(ctx); err != nil {
		return err
	}
	if err := Sane(w.m.Plain, history(before)); err != nil {
		w.m.Remark = err.Error()
	}
	w.m.Sized = w.m.Remark == ""
	w.m.Took = d.Now().Sub(w.m.At).Truncate(time.Millisecond)
	return w.small(ctx, manifestName, manifestLine{w.m, w.m.Took.Milliseconds()})
}

// part streams one part to the store.
func (w *writer) part(ctx context.Context, name string, write func(io.Writer) error) error {
	p := Part{Name: name, Key: name + ".zst"}
	if w.m.Encrypted {
		p.Key += ".age"
	}
	if !partKey(p.Key) || slices.ContainsFunc(w.m.Parts, func(o Part) bool { return o.Name == name }) {
		return errors.New("a part of a dump cannot be called " + name)
	}
	from, to := io.Pipe()
	put := make(chan error, 1)
	go func() {
		err := w.shelf.objects.Put(ctx, w.shelf.key(w.m.ID, p.Key), from)
		from.CloseWithError(errors.Join(err, errClosed)) // who still writes is told
		put <- err
	}()
	sink := &sink{to: to, sum: sha256.New(), total: &w.stored}
	source := &counted{sum: sha256.New(), total: &w.plain}
	err := w.feed(sink, source, write)
	if err == nil && source.count == 0 {
		err = &ops.Error{Host: w.m.Host, Summary: "the dump of " + w.m.Name + " is empty", Hint: "part " + name + " had no bytes"}
	}
	to.CloseWithError(err) // nil: the end
	if stored := <-put; stored != nil && (err == nil || sink.failed) {
		w.broken = w.unwritable(stored)
		return w.broken
	}
	if err != nil {
		return err
	}
	p.Plain, p.PlainSHA256 = source.count, hex.EncodeToString(source.sum.Sum(nil))
	p.Size, p.SHA256 = sink.count, hex.EncodeToString(sink.sum.Sum(nil))
	w.m.Parts = append(w.m.Parts, p)
	return nil
}

// feed runs what writes a part into the chain that counts, compresses and
// encrypts it.
func (w *writer) feed(to io.Writer, from *counted, write func(io.Writer) error) (err error) {
	out := bufio.NewWriterSize(to, buffer)
	var sealed io.WriteCloser = unsealed{out}
	if w.m.Encrypted {
		if sealed, err = age.Encrypt(out, w.shelf.keys.Recipients...); err != nil {
			return err
		}
	}
	// The fastest level keeps up with pg_dump on two cores; on dumps it packs about as well as the next.
	packed, err := zstd.NewWriter(sealed, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(2), zstd.WithWindowSize(window))
	if err != nil {
		return err
	}
	from.to = packed
	from.tell = func() {
		if w.tell != nil {
			w.tell(w.plain.Load(), w.stored.Load())
		}
	}
	if err := write(from); err != nil {
		_ = packed.Close() // ends its goroutines
		return err
	}
	for _, end := range []func() error{packed.Close, sealed.Close, out.Flush} {
		if err := end(); err != nil {
			return err
		}
	}
	from.tell()
	return nil
}

// small writes one of the sealed files beside the parts.
func (w *writer) small(ctx context.Context, name string, value any) error {
	content, err := seal(value)
	if err != nil {
		return err
	}
	if err := w.shelf.objects.Put(ctx, w.shelf.key(w.m.ID, name), bytes.NewReader(content)); err != nil {
		return w.unwritable(err)
	}
	return nil
}

// listed fails when the store does not list every part as it was written.
func (w *writer) listed(ctx context.Context) error {
	folders, err := w.shelf.folders(ctx, w.m.ID)
	if err != nil {
		return err
	}
	var f folder
	if len(folders) > 0 {
		f = folders[0]
	}
	if lacks := f.lacks(w.m); lacks != "" {
		return w.unwritable(errors.New("it took everything, but lists otherwise: " + lacks))
	}
	return nil
}

// undo removes what was written, also when that was because of a cancel.
func (w *writer) undo(ctx context.Context) error {
	bounded, stop := context.WithTimeout(context.WithoutCancel(ctx), undoTimeout)
	defer stop()
	if err := w.shelf.remove(bounded, w.m.ID); err != nil {
		return &ops.Error{
			Summary: "what was stored of backup " + w.m.ID + " could not be removed", Cause: err,
			Hint: "it is not listed; the next backup removes it",
		}
	}
	return nil
}

func (w *writer) unwritable(err error) error {
	return &ops.Error{Summary: "backup " + w.m.ID + " of " + w.m.Name + " could not be stored", Cause: err}
}

// counted takes what is dumped: counts it, sums it, and hands it on.
type counted struct {
	to    io.Writer
	sum   hash.Hash
	count int64
	total *atomic.Int64
	tell  func()
}

func (c *counted) Write(b []byte) (int, error) {
	n, err := c.to.Write(b)
	c.sum.Write(b[:n])
	c.count += int64(n)
	c.total.Add(int64(n))
	c.tell()
	return n, err
}

// sink does the same for what goes to the store, and remembers whether the store
// was first to fail.
type sink struct {
	to     *io.PipeWriter
	sum    hash.Hash
	count  int64
	total  *atomic.Int64
	failed bool
}

func (s *sink) Write(b []byte) (int, error) {
	n, err := s.to.Write(b)
	s.sum.Write(b[:n])
	s.count += int64(n)
	s.total.Add(int64(n))
	s.failed = s.failed || err != nil
	return n, err
}

// errClosed ends a dump whose store stopped taking it.
var errClosed = errors.New("the store takes no more")

// unsealed stands where encryption would.
type unsealed struct{ io.Writer }

func (unsealed) Close() error { return nil }
