package backup

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc64"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// rdb is what a walk through a Redis dump found.
type rdb struct {
	version   int
	lasting   map[uint64]int64 // keys without a time to live, by database
	expiring  int64            // keys with one, in all databases
	unsure    map[uint64]int64 // hashes of which only fields have one, by database: whether they last depends on their other fields
	databases int              // the highest number of one, and one
	opaque    string           // what could not be walked through, so that nothing is counted; "" when all could
}

// tables are the keys that a restore brings back whenever it is done. Those with
// a time to live are gone when it ends, also from what is restored; hashes whose
// fields have one may be.
func (r rdb) tables() []Table {
	var out []Table
	for _, n := range slices.Sorted(maps.Keys(r.lasting)) {
		out = append(out, Table{Name: "db" + strconv.FormatUint(n, 10), Rows: r.lasting[n]})
	}
	return out
}

func (r rdb) unsureTables() map[string]int64 {
	out := map[string]int64{}
	for n, keys := range r.unsure {
		out["db"+strconv.FormatUint(n, 10)] = keys
	}
	return out
}

// walkRDB copies a dump while it checks its structure and its checksum. Bytes
// after its end are dropped when they are the mark that a server ends a transfer
// with, and an error otherwise.
func walkRDB(from io.Reader, to io.Writer) (rdb, error) {
	w := &rdbWalk{from: from, to: to, buf: make([]byte, 64<<10), table: crc64.MakeTable(rdbPolynomial), found: rdb{lasting: map[uint64]int64{}, unsure: map[uint64]int64{}}}
	w.run()
	if errors.Is(w.err, io.EOF) {
		w.err = io.ErrUnexpectedEOF
	}
	if w.err != nil {
		return w.found, fmt.Errorf("the Redis dump ends or breaks after %d bytes: %w", w.passed, w.err)
	}
	return w.found, nil
}

// Private

const (
	// rdbPolynomial is Jones's, bits reversed.
	rdbPolynomial = 0x95ac9329ac4bc9b5
	// rdbMark is the length of the mark after a transfer of unknown length.
	rdbMark = 40
	// rdbTrailer is the end's opcode and the checksum.
	rdbTrailer = 9
)

// Opcodes: https://github.com/redis/redis/blob/7.0/src/rdb.h
const (
	rdbSlotInfo   = 0xF4
	rdbFunction   = 0xF5
	rdbModuleAux  = 0xF7
	rdbIdle       = 0xF8
	rdbFrequency  = 0xF9
	rdbAux        = 0xFA
	rdbResize     = 0xFB
	rdbExpireMS   = 0xFC
	rdbExpire     = 0xFD
	rdbSelect     = 0xFE
	rdbEnd        = 0xFF
	rdbModule     = 7
	rdbHashExpire = 22 // Valkey's hash with expiring fields
	rdbHashFields = 24 // Redis's
	rdbHashPacked = 25 // the same, packed
)

// rdbWalk consumes a dump; what is consumed is hashed and written on. After an
// error everything reads as zero.
type rdbWalk struct {
	from   io.Reader
	to     io.Writer
	buf    []byte
	r, n   int // consumed and held bytes of buf
	done   int // hashed and written bytes of buf
	passed int64
	crc    uint64
	table  *crc64.Table
	valkey bool
	found  rdb
	err    error
}

func (w *rdbWalk) run() {
	head := string(w.take(9))
	number, redis := strings.CutPrefix(head, "REDIS")
	if !redis {
		number, w.valkey = strings.CutPrefix(head, "VALKEY")
	}
	version, err := strconv.Atoi(number)
	if w.err == nil && (err != nil || !redis && !w.valkey || version < 5) {
		w.fail("it begins with %q, not with the name and version of a dump", head)
	}
	w.found.version = version
	var db uint64
	expires := false
	for w.err == nil && w.found.opaque == "" {
		switch op := w.byte(); op {
		case rdbEnd:
			w.end()
			return
		case rdbSelect:
			db = w.length()
			if db >= 1<<20 {
				w.fail("it names database %d", db)
			}
			w.found.databases = max(w.found.databases, int(db)+1)
		case rdbResize:
			w.length()
			w.length()
		case rdbSlotInfo:
			w.length()
			w.length()
			w.length()
		case rdbAux:
			w.text()
			w.text()
		case rdbFunction:
			w.text()
		case rdbModuleAux:
			w.module()
		case rdbIdle:
			w.length()
		case rdbFrequency:
			w.skip(1)
		case rdbExpireMS:
			w.skip(8)
			expires = true
		case rdbExpire:
			w.skip(4)
			expires = true
		default:
			w.key(op)
			switch {
			case expires:
				w.found.expiring++
			case w.err != nil:
			case op == rdbHashExpire, op == rdbHashFields, op == rdbHashPacked:
				w.found.unsure[db]++
			default:
				w.found.lasting[db]++
			}
			expires = false
		}
	}
	if w.err == nil {
		w.found.lasting, w.found.unsure = nil, nil
		w.rest()
	}
}

// key consumes a key and its value. A type that is not known ends the walk, not
// the dump: a newer server may have written it.
func (w *rdbWalk) key(kind byte) {
	if !w.knows(kind) {
		w.found.opaque = fmt.Sprintf("type %d of RDB version %d", kind, w.found.version)
		return
	}
	w.text()
	switch kind {
	case 0, 9, 10, 11, 12, 13, 16, 17, 20: // a string, or a small value packed into one
		w.text()
	case 1, 2, 14: // list, set, quicklist
		w.each(func() { w.text() })
	case 3: // sorted set with scores as text
		w.each(func() { w.text(); w.score() })
	case 4: // hash
		w.each(func() { w.text(); w.text() })
	case 5: // sorted set
		w.each(func() { w.text(); w.skip(8) })
	case rdbModule:
		w.module()
	case 15, 19, 21:
		w.stream(kind)
	case 18: // quicklist of plain and packed nodes
		w.each(func() { w.length(); w.text() })
	case rdbHashExpire:
		w.each(func() { w.text(); w.text(); w.skip(8) })
	case rdbHashFields:
		w.skip(8)
		w.each(func() { w.length(); w.text(); w.text() })
	case rdbHashPacked:
		w.skip(8)
		w.text()
	}
}

func (w *rdbWalk) knows(kind byte) bool {
	switch {
	case kind <= 5, kind == rdbModule, kind >= 9 && kind <= 21:
		return true
	case kind == rdbHashExpire:
		return w.valkey
	default:
		return (kind == rdbHashFields || kind == rdbHashPacked) && !w.valkey
	}
}

func (w *rdbWalk) stream(kind byte) {
	w.each(func() { w.text(); w.text() })
	w.lengths(3)
	if kind > 15 {
		w.lengths(5)
	}
	w.each(func() { // consumer groups
		w.text()
		w.lengths(2)
		if kind > 15 {
			w.length()
		}
		w.each(func() { w.skip(16 + 8); w.length() })
		w.each(func() { // consumers
			w.text()
			w.skip(8)
			if kind > 19 {
				w.skip(8)
			}
			w.each(func() { w.skip(16) })
		})
	})
}

// module consumes what a module wrote: marked pieces up to an end mark.
func (w *rdbWalk) module() {
	w.length()
	for w.err == nil {
		switch op := w.length(); op {
		case 0:
			return
		case 1, 2:
			w.length()
		case 3:
			w.skip(4)
		case 4:
			w.skip(8)
		case 5:
			w.text()
		default:
			w.fail("a module's value has a piece of kind %d", op)
		}
	}
}

// end checks the checksum, which is zero where the server makes none, and what
// comes after it.
func (w *rdbWalk) end() {
	w.flush()
	sum := w.crc
	if said := w.take(8); w.err == nil && !sums(said, sum) {
		w.fail("its checksum is wrong")
	}
	w.flush()
	if w.err != nil {
		return
	}
	after, err := io.ReadAll(io.LimitReader(io.MultiReader(bytes.NewReader(w.buf[w.r:w.n]), w.from), rdbMark+1))
	if err != nil {
		w.err = err
	} else if len(after) != 0 && len(after) != rdbMark {
		w.fail("there are bytes after its end")
	}
}

// rest passes what cannot be walked through, up to the end that its checksum tells.
func (w *rdbWalk) rest() {
	w.flush()
	held := append([]byte(nil), w.buf[w.r:w.n]...)
	for w.err == nil {
		if over := len(held) - rdbTrailer - rdbMark; over > 0 {
			w.pass(held[:over])
			held = append(held[:0], held[over:]...)
		}
		n, err := w.from.Read(w.buf)
		held = append(held, w.buf[:n]...)
		if errors.Is(err, io.EOF) {
			break
		}
		w.err = err
	}
	if w.err != nil {
		return
	}
	for _, after := range []int{0, rdbMark} {
		end := len(held) - after - rdbTrailer
		if end >= 0 && held[end] == rdbEnd && sums(held[end+1:end+rdbTrailer], crc(w.crc, w.table, held[:end+1])) {
			w.pass(held[:end+rdbTrailer])
			return
		}
	}
	w.fail("its checksum is wrong")
}

// text consumes a string, whose bytes are of no matter.
func (w *rdbWalk) text() {
	switch n, packed := w.coded(); {
	case !packed:
		w.skip(n)
	case n <= 2: // a number of 1, 2 or 4 bytes
		w.skip(1 << n)
	case n == 3:
		compressed := w.length()
		w.length()
		w.skip(compressed)
	default:
		w.fail("a string is packed in way %d", n)
	}
}

// score consumes a number that is written as text.
func (w *rdbWalk) score() {
	if n := w.byte(); n < 253 {
		w.skip(uint64(n))
	}
}

// length consumes a number.
func (w *rdbWalk) length() uint64 {
	n, packed := w.coded()
	if packed {
		w.fail("a length is no number")
	}
	return n
}

func (w *rdbWalk) lengths(n int) {
	for range n {
		w.length()
	}
}

// coded consumes a length, or the way in which a string is packed.
func (w *rdbWalk) coded() (n uint64, packed bool) {
	first := w.byte()
	switch {
	case first>>6 == 0:
		return uint64(first & 0x3f), false
	case first>>6 == 1:
		return uint64(first&0x3f)<<8 | uint64(w.byte()), false
	case first == 0x80:
		return uint64(binary.BigEndian.Uint32(w.take(4))), false
	case first == 0x81:
		return binary.BigEndian.Uint64(w.take(8)), false
	case first>>6 == 3:
		return uint64(first & 0x3f), true
	}
	w.fail("a length begins with byte %#x", first)
	return 0, false
}

func (w *rdbWalk) each(visit func()) {
	for n := w.length(); n > 0 && w.err == nil; n-- {
		visit()
	}
}

func (w *rdbWalk) byte() byte { return w.take(1)[0] }

// take consumes a few bytes, zeros after an error. They are valid until the next call.
func (w *rdbWalk) take(n int) []byte {
	for w.n-w.r < n && w.err == nil {
		w.fill()
	}
	if w.err != nil {
		return make([]byte, n)
	}
	w.r += n
	return w.buf[w.r-n : w.r]
}

func (w *rdbWalk) skip(n uint64) {
	for n > 0 && w.err == nil {
		if w.r == w.n {
			w.fill()
		}
		step := min(n, uint64(w.n-w.r))
		w.r += int(step)
		n -= step
	}
}

// fill reads more; what is left in the buffer moves to its start.
func (w *rdbWalk) fill() {
	w.flush()
	w.n = copy(w.buf, w.buf[w.r:w.n])
	w.r, w.done = 0, 0
	n, err := w.from.Read(w.buf[w.n:])
	w.n += n
	if n == 0 && w.err == nil {
		w.err = err
	}
}

// flush hashes what was consumed and writes it on.
func (w *rdbWalk) flush() {
	if w.done < w.r {
		w.pass(w.buf[w.done:w.r])
		w.done = w.r
	}
}

func (w *rdbWalk) pass(b []byte) {
	w.crc = crc(w.crc, w.table, b)
	n, err := w.to.Write(b)
	w.passed += int64(n)
	if w.err == nil {
		w.err = err
	}
}

func (w *rdbWalk) fail(format string, args ...any) {
	if w.err == nil {
		w.err = fmt.Errorf(format, args...)
	}
}

// Helpers

// crc is Redis's: neither begun nor ended with all bits set.
func crc(sum uint64, table *crc64.Table, b []byte) uint64 {
	return ^crc64.Update(^sum, table, b)
}

func sums(said []byte, sum uint64) bool {
	n := binary.LittleEndian.Uint64(said)
	return n == 0 || n == sum
}
