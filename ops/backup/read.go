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
	"strings"

	"filippo.io/age"
	"github.com/klauspost/compress/zstd"

	"binnacle/ops"
)

// Read is the source of a backup's parts. tell is called with the stored bytes
// read so far; it must not block, and may be nil.
func (s *Shelf) Read(e Entry, tell func(stored int64)) Source {
	return &source{shelf: s, entry: e, tell: tell}
}

// Facts are what the data said of itself when it was dumped. They are encrypted
// with the backup.
func (s *Shelf) Facts(ctx context.Context, e Entry) (Facts, error) {
	from, err := s.Read(e, nil).Open(ctx, factsPart)
	if err != nil {
		return Facts{}, err
	}
	content, err := io.ReadAll(from)
	if err := errors.Join(err, from.Close()); err != nil {
		return Facts{}, err
	}
	var facts Facts
	if err := json.NewDecoder(bytes.NewReader(content)).Decode(&facts); err != nil {
		return Facts{}, s.damaged(e, "part "+factsPart, err)
	}
	return facts, nil
}

// Verify reads every stored byte of a backup back and compares it with the
// checksums, of its records too; that takes no identity. tell is called with how
// many of how many bytes are done; it must not block, and may be nil.
func (s *Shelf) Verify(ctx context.Context, e Entry, tell func(done, total int64)) error {
	content, err := s.small(ctx, s.key(e.ID, manifestName))
	if err != nil {
		return s.unread(e, "the manifest", err)
	}
	m, err := decodeManifest(e.ID, content)
	if errors.Is(err, errNewer) {
		return &ops.Error{Summary: "backup " + e.ID + " of " + s.name + " cannot be verified", Cause: err}
	} else if err != nil {
		return s.damaged(e, "the manifest", err)
	}
	folders, err := s.folders(ctx, e.ID)
	if err != nil {
		return err
	}
	var done int64
	chunk := make([]byte, buffer)
	for _, p := range m.Parts {
		body, err := s.objects.Open(ctx, s.key(e.ID, p.Key))
		if err != nil {
			return s.unread(e, "part "+p.Name, err)
		}
		stored := &stored{from: body, sum: sha256.New(), tell: func(n int64) {
			if tell != nil {
				tell(done+n, m.Size)
			}
		}}
		_, err = io.CopyBuffer(io.Discard, struct{ io.Reader }{stored}, chunk)
		if err := errors.Join(err, body.Close()); err != nil {
			return s.unread(e, "part "+p.Name, err)
		}
		if err := stored.check(p); err != nil {
			return s.damaged(e, "part "+p.Name, err)
		}
		done += p.Size
	}
	for _, f := range folders {
		for _, o := range f.objects {
			if !strings.HasPrefix(o.Key, checkPrefix) {
				continue
			}
			content, err := s.small(ctx, s.key(e.ID, o.Key))
			if err != nil {
				return s.unread(e, o.Key, err)
			}
			if _, err := unseal[checkLine](content); err != nil {
				return s.damaged(e, o.Key, err)
			}
		}
	}
	return nil
}

// Private

// source is a backup that is read.
type source struct {
	shelf *Shelf
	entry Entry
	tell  func(stored int64)
	done  int64 // of the parts before
}

// Open gives a part back as it was dumped. The reader ends with an error that
// names the part when one byte is another than was written.
func (s *source) Open(ctx context.Context, part string) (io.ReadCloser, error) {
	for _, p := range s.entry.Parts {
		if p.Name == part {
			return s.open(ctx, p)
		}
	}
	return nil, &ops.Error{Summary: "backup " + s.entry.ID + " of " + s.entry.Name + " has no part " + part, Cause: ops.ErrNotFound}
}

func (s *source) open(ctx context.Context, p Part) (io.ReadCloser, error) {
	if s.entry.Encrypted && len(s.shelf.keys.Identities) == 0 {
		return nil, &ops.Error{
			Summary: "backup " + s.entry.ID + " of " + s.entry.Name + " is encrypted, and there is no identity to read it",
			Hint:    identityHint,
		}
	}
	body, err := s.shelf.objects.Open(ctx, s.shelf.key(s.entry.ID, p.Key))
	if err != nil {
		return nil, s.shelf.unread(s.entry, "part "+p.Name, err)
	}
	before := s.done
	r := &reader{source: s, part: p, body: body, plain: sha256.New()}
	r.stored = &stored{from: body, sum: sha256.New(), tell: func(n int64) {
		s.done = before + n
		if s.tell != nil {
			s.tell(s.done)
		}
	}}
	if err := r.unpack(); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}

var (
	errOther  = errors.New("what it unpacks to is not what was dumped")
	errLonger = errors.New("it unpacks to more than was dumped")
)

const identityHint = "name the file that holds it: --identity FILE"

// reader gives one part as it was dumped.
type reader struct {
	source *source
	part   Part
	body   io.Closer
	stored *stored
	packed *zstd.Decoder
	plain  hash.Hash
	count  int64
	err    error // how it ended
}

func (r *reader) unpack() error {
	var from io.Reader = bufio.NewReaderSize(r.stored, buffer)
	var err error
	if r.source.entry.Encrypted {
		if from, err = age.Decrypt(from, r.source.shelf.keys.Identities...); err != nil {
			return r.undecrypted(err)
		}
	}
	r.packed, err = zstd.NewReader(from, zstd.WithDecoderConcurrency(2), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(readWindow))
	return err
}

func (r *reader) Read(b []byte) (int, error) {
	if r.err != nil {
		return 0, r.err
	}
	n, err := r.packed.Read(b)
	r.plain.Write(b[:n])
	r.count += int64(n)
	switch {
	case err == io.EOF: //nolint:errorlint // a reader's end is the value itself
		r.err = r.end()
	case err != nil:
		r.err = r.broken("cannot be decompressed", err)
	case r.count > r.part.Plain:
		r.err = r.broken("", errLonger)
	}
	return n, r.err
}

func (r *reader) Close() error {
	if r.packed != nil {
		r.packed.Close()
	}
	return r.body.Close()
}

// end compares all that was read with what was written.
func (r *reader) end() error {
	if _, err := io.Copy(io.Discard, r.stored); err != nil {
		return r.broken("", err)
	}
	if err := r.stored.check(r.part); err != nil {
		return r.source.shelf.damaged(r.source.entry, "part "+r.part.Name, err)
	}
	if r.count != r.part.Plain || hex.EncodeToString(r.plain.Sum(nil)) != r.part.PlainSHA256 {
		return r.source.shelf.damaged(r.source.entry, "part "+r.part.Name, errOther)
	}
	return io.EOF
}

// broken tells a store that could not be read from bytes that are wrong.
func (r *reader) broken(what string, err error) error {
	what = strings.TrimSpace("part " + r.part.Name + " " + what)
	if r.stored.err != nil {
		return r.source.shelf.unread(r.source.entry, "part "+r.part.Name, r.stored.err)
	}
	return r.source.shelf.damaged(r.source.entry, what, err)
}

func (r *reader) undecrypted(err error) error {
	if none := new(age.NoIdentityMatchError); r.stored.err == nil && errors.As(err, &none) {
		e := r.source.entry
		return &ops.Error{
			Summary: "backup " + e.ID + " of " + e.Name + " is encrypted to others than the identity given",
			Cause:   errors.New("it can be read by who has the key of " + strings.Join(e.Recipients, ", ")),
			Hint:    identityHint,
		}
	}
	return r.broken("cannot be decrypted", err)
}

// stored counts and sums what comes from the store.
type stored struct {
	from  io.Reader
	sum   hash.Hash
	count int64
	tell  func(count int64)
	err   error // of the store
}

func (s *stored) Read(b []byte) (int, error) {
	n, err := s.from.Read(b)
	s.sum.Write(b[:n])
	s.count += int64(n)
	s.tell(s.count)
	if err != nil && !errors.Is(err, io.EOF) {
		s.err = err
	}
	return n, err
}

func (s *stored) check(p Part) error {
	switch {
	case s.count != p.Size:
		return fmt.Errorf("it has %d bytes, not %d", s.count, p.Size)
	case hex.EncodeToString(s.sum.Sum(nil)) != p.SHA256:
		return errors.New("its checksum is not the one that was written down")
	}
	return nil
}

// unread tells that the store did not give something of a backup.
func (s *Shelf) unread(e Entry, what string, err error) error {
	if errors.Is(err, ops.ErrNotFound) {
		return s.damaged(e, what, errors.New("it is missing"))
	}
	return &ops.Error{Summary: what + " of backup " + e.ID + " of " + s.name + " cannot be read from the store", Cause: err}
}

func (s *Shelf) damaged(e Entry, what string, err error) error {
	return &ops.Error{Summary: "backup " + e.ID + " of " + s.name + " is damaged: " + what, Cause: damage{err}, Hint: s.byHand("backup verify") + " tells which backups are whole"}
}
