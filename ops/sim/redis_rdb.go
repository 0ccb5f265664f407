package sim

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc64"
	"maps"
	"slices"
	"strconv"
	"time"
)

// keyspace is what a Redis holds: strings by key, by number of the database.
type keyspace map[int]map[string]string

// rdbPolynomial is Jones's, bits reversed.
const rdbPolynomial = 0x95ac9329ac4bc9b5

// The opcodes of a dump that holds strings.
const (
	rdbString = 0x00
	rdbAux    = 0xFA
	rdbResize = 0xFB
	rdbSelect = 0xFE
	rdbEnd    = 0xFF
)

var errNoRDB = errors.New("wrong signature or unknown value type, not a dump of this server")

// rdb is the keyspace as a Redis 7.4 writes it to disk.
func (k keyspace) rdb(now time.Time) []byte {
	var b bytes.Buffer
	b.WriteString("REDIS0011")
	for _, aux := range [][2]string{
		{"redis-ver", redisVersion}, {"redis-bits", "64"}, {"ctime", strconv.FormatInt(now.Unix(), 10)},
		{"used-mem", strconv.FormatInt(k.size(), 10)}, {"aof-base", "0"},
	} {
		b.WriteByte(rdbAux)
		writeText(&b, aux[0])
		writeText(&b, aux[1])
	}
	for _, db := range slices.Sorted(maps.Keys(k)) {
		if len(k[db]) == 0 {
			continue
		}
		b.WriteByte(rdbSelect)
		writeLength(&b, db)
		b.WriteByte(rdbResize)
		writeLength(&b, len(k[db]))
		writeLength(&b, 0)
		for _, key := range slices.Sorted(maps.Keys(k[db])) {
			b.WriteByte(rdbString)
			writeText(&b, key)
			writeText(&b, k[db][key])
		}
	}
	b.WriteByte(rdbEnd)
	return binary.LittleEndian.AppendUint64(b.Bytes(), rdbChecksum(b.Bytes()))
}

// readRDB reads what rdb writes, and nothing else.
func readRDB(dump []byte) (keyspace, error) {
	const head, trailer = 9, 8
	if len(dump) < head+1+trailer || string(dump[:head]) != "REDIS0011" {
		return nil, errNoRDB
	}
	body := dump[:len(dump)-trailer]
	if sum := binary.LittleEndian.Uint64(dump[len(body):]); sum != rdbChecksum(body) {
		return nil, fmt.Errorf("wrong RDB checksum expected: (%x) but got (%x)", rdbChecksum(body), sum)
	}
	k, db := keyspace{}, 0
	for r := bytes.NewReader(body[head:]); ; {
		op, err := r.ReadByte()
		if err != nil {
			return nil, err
		}
		switch op {
		case rdbEnd:
			return k, nil
		case rdbSelect:
			if db, err = readLength(r); err == nil {
				k[db] = map[string]string{}
			}
		case rdbResize:
			_, err = readLength(r)
			if err == nil {
				_, err = readLength(r)
			}
		case rdbAux, rdbString:
			var name, value string
			if name, err = readText(r); err == nil {
				value, err = readText(r)
			}
			if op == rdbString && err == nil {
				k.set(db, name, value)
			}
		default:
			err = errNoRDB
		}
		if err != nil {
			return nil, err
		}
	}
}

func (k keyspace) set(db int, key, value string) {
	if k[db] == nil {
		k[db] = map[string]string{}
	}
	k[db][key] = value
}

// clone is a copy of its own.
func (k keyspace) clone() keyspace {
	out := keyspace{}
	for db, keys := range k {
		out[db] = maps.Clone(keys)
	}
	return out
}

// size is about what the server needs for it, in bytes.
func (k keyspace) size() int64 {
	size := int64(1 << 20)
	for _, keys := range k {
		for key, value := range keys {
			size += int64(len(key) + len(value) + 64)
		}
	}
	return size
}

// Helpers

// rdbChecksum begins with zero and inverts nothing, unlike that of the library.
func rdbChecksum(text []byte) uint64 {
	return ^crc64.Update(^uint64(0), crc64.MakeTable(rdbPolynomial), text)
}

func writeText(b *bytes.Buffer, text string) {
	writeLength(b, len(text))
	b.WriteString(text)
}

// writeLength writes 6, 14 or 32 bits.
func writeLength(b *bytes.Buffer, n int) {
	switch {
	case n < 1<<6:
		b.WriteByte(byte(n))
	case n < 1<<14:
		b.Write([]byte{0x40 | byte(n>>8), byte(n)})
	default:
		b.WriteByte(0x80)
		b.Write(binary.BigEndian.AppendUint32(nil, uint32(n)))
	}
}

func readText(r *bytes.Reader) (string, error) {
	n, err := readLength(r)
	if err != nil {
		return "", err
	}
	if n > r.Len() {
		return "", errNoRDB
	}
	text := make([]byte, n)
	_, err = r.Read(text)
	if n == 0 {
		err = nil
	}
	return string(text), err
}

func readLength(r *bytes.Reader) (int, error) {
	first, err := r.ReadByte()
	if err != nil {
		return 0, err
	}
	switch first >> 6 {
	case 0:
		return int(first), nil
	case 1:
		second, err := r.ReadByte()
		return int(first&0x3f)<<8 | int(second), err
	}
	var n uint32
	if first != 0x80 {
		return 0, errNoRDB
	}
	err = binary.Read(r, binary.BigEndian, &n)
	return int(n), err
}
