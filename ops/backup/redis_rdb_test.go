package backup

import (
	"bytes"
	"encoding/binary"
	"hash/crc64"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

// snapshot is what redis-server 7.0 sent: every kind of value in databases 0 and
// 3, and one key that expires in database 7.
func snapshot(t testing.TB) []byte {
	t.Helper()
	content, err := os.ReadFile("testdata/redis-7.0.rdb")
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func TestWalkRDBCountsWhatLasts(t *testing.T) {
	content := snapshot(t)
	mark := []byte(strings.Repeat("0123456789", 4))
	for name, in := range map[string][]byte{"a file": content, "a transfer": append(bytes.Clone(content), mark...)} {
		for kind, reader := range map[string]io.Reader{"whole": bytes.NewReader(in), "by bytes": iotest.OneByteReader(bytes.NewReader(in))} {
			var out bytes.Buffer
			found, err := walkRDB(reader, &out)
			if err != nil {
				t.Fatalf("%s, %s: %v", name, kind, err)
			}
			if !bytes.Equal(out.Bytes(), content) {
				t.Errorf("%s, %s: %d bytes come out of %d", name, kind, out.Len(), len(content))
			}
			if want := []Table{{"db0", 84}, {"db3", 3}}; !slices.Equal(found.tables(), want) || found.expiring != 11 || found.databases != 8 {
				t.Errorf("%s, %s: %v, %d expire, %d databases", name, kind, found.tables(), found.expiring, found.databases)
			}
		}
	}
}

func TestWalkRDBFindsFlippedBitsAndCuts(t *testing.T) {
	content := snapshot(t)
	for at := 0; at < len(content); at += 1 + at/60*at%97 {
		broken := bytes.Clone(content)
		broken[at] ^= 1 << (at % 8)
		if _, err := walkRDB(bytes.NewReader(broken), io.Discard); err == nil {
			t.Errorf("a flipped bit in byte %d of %d is not found", at, len(content))
		}
		if _, err := walkRDB(bytes.NewReader(content[:at]), io.Discard); err == nil {
			t.Errorf("%d bytes of %d are a dump", at, len(content))
		}
	}
	if _, err := walkRDB(bytes.NewReader(append(bytes.Clone(content), 'x')), io.Discard); err == nil {
		t.Error("a byte after the end is not found")
	}
}

// TestWalkRDBPassesWhatItDoesNotKnow holds that values of newer servers are
// neither counted nor refused, and still checked.
func TestWalkRDBPassesWhatItDoesNotKnow(t *testing.T) {
	b := []byte("REDIS0099\xfe\x00\xfb\x01\x00\x63")
	for n := range 200_000 {
		b = append(b, byte(n*7))
	}
	b = append(b, rdbEnd)
	b = binary.LittleEndian.AppendUint64(b, crc(0, crc64.MakeTable(rdbPolynomial), b))
	for _, in := range [][]byte{b, append(bytes.Clone(b), make([]byte, rdbMark)...)} {
		var out bytes.Buffer
		found, err := walkRDB(bytes.NewReader(in), &out)
		if err != nil || found.opaque == "" || len(found.tables()) != 0 || !bytes.Equal(out.Bytes(), b) {
			t.Errorf("%v, %q, %v, %d bytes of %d", err, found.opaque, found.tables(), out.Len(), len(b))
		}
	}
	b[1000] ^= 1
	if _, err := walkRDB(bytes.NewReader(b), io.Discard); err == nil {
		t.Error("a flipped bit is not found")
	}
}

// TestHashesWithExpiringFieldsMayLast holds a snapshot with such hashes to what a
// server says that has restored it: all of them, some without such fields any more,
// and some gone.
func TestHashesWithExpiringFieldsMayLast(t *testing.T) {
	for name, c := range map[string]struct{ head, hash, info string }{
		"Redis":         {"REDIS0012", "\x18\x01%\x00\x00\x00\x00\x00\x00\x00\x00\x01\x02\x01f\x01v", "subexpiry"},
		"Redis, packed": {"REDIS0012", "\x19\x01%\x00\x00\x00\x00\x00\x00\x00\x00\x03abc", "subexpiry"},
		"Valkey":        {"VALKEY080", "\x16\x01%\x01\x01f\x01v\x00\x00\x00\x00\x00\x00\x00\x00", "keys_with_volatile_items"},
	} {
		t.Run(name, func(t *testing.T) {
			hash := func(key string) string { return strings.Replace(c.hash, "%", key, 1) }
			dump := c.head + "\xfe\x00\x00\x01a\x01v\x00\x01b\x01v" + hash("c") + hash("d") +
				"\xfc\x00\x00\x00\x00\x00\x00\x00\x00" + hash("e") + "\xfe\x05" + hash("c") + "\xff\x00\x00\x00\x00\x00\x00\x00\x00"
			found, err := walkRDB(strings.NewReader(dump), io.Discard)
			if err != nil {
				t.Fatal(err)
			}
			was := Facts{Tables: found.tables(), Unsure: found.unsureTables()}
			if want := []Table{{"db0", 2}}; !slices.Equal(was.Tables, want) || was.Unsure["db0"] != 2 || was.Unsure["db5"] != 1 || found.expiring != 1 {
				t.Errorf("found: %v, %v, %d expire", was.Tables, was.Unsure, found.expiring)
			}
			for said, same := range map[string]bool{
				"db0:keys=5,expires=1,avg_ttl=7,%=3\r\ndb5:keys=1,expires=0,avg_ttl=0,%=1\r\n": true,
				"db0:keys=4,expires=0,avg_ttl=0,%=2\r\ndb5:keys=1,expires=0,avg_ttl=0,%=0\r\n": true,
				"db0:keys=4,expires=0,avg_ttl=0,%=0\r\n":                                       true,
				"db0:keys=2,expires=0,avg_ttl=0,%=0\r\n":                                       true,
				"db0:keys=5,expires=1,avg_ttl=7\r\ndb5:keys=1,expires=0,avg_ttl=0\r\n":         true, // a server that does not tell
				"db0:keys=1,expires=0,avg_ttl=0,%=0\r\ndb5:keys=1,expires=0,avg_ttl=0,%=1\r\n": false,
				"db0:keys=5,expires=0,avg_ttl=0,%=0\r\n":                                       false,
				"db5:keys=2,expires=0,avg_ttl=0,%=0\r\n":                                       false,
				"db0:keys=3,expires=0,avg_ttl=0,%=0\r\ndb7:keys=1,expires=0,avg_ttl=0,%=0\r\n": false,
			} {
				is := readRedis("redis_version:8.0.0\r\n" + strings.ReplaceAll(said, "%", c.info)).facts
				if differences := Compare(was, is); (len(differences) == 0) != same {
					t.Errorf("%q: %v", said, differences)
				}
			}
		})
	}
}

func FuzzWalkRDB(f *testing.F) {
	f.Add(snapshot(f))
	f.Add([]byte("VALKEY080\xfe\x00\xfb\x01\x00\x16\x01k\x01\x01f\x01v\x00\x00\x00\x00\x00\x00\x00\x00\xff\x00\x00\x00\x00\x00\x00\x00\x00"))
	f.Add([]byte("REDIS0012\xfe\x00\x18\x01k\x00\x00\x00\x00\x00\x00\x00\x00\x01\x02\x01f\x01v\xff\x00\x00\x00\x00\x00\x00\x00\x00"))
	f.Add([]byte("REDIS0011\xf7\x81\x00\x00\x00\x00\x00\x00\x00\x01\x02\x01\x05\x01a\x00\xff\x00\x00\x00\x00\x00\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, in []byte) {
		var out bytes.Buffer
		if _, err := walkRDB(bytes.NewReader(in), &out); err != nil {
			return
		}
		if !bytes.HasPrefix(in, out.Bytes()) || len(in)-out.Len() != 0 && len(in)-out.Len() != rdbMark {
			t.Errorf("%d bytes come out of %d", out.Len(), len(in))
		}
		if _, err := walkRDB(&out, io.Discard); err != nil {
			t.Errorf("what came out is none: %v", err)
		}
	})
}
