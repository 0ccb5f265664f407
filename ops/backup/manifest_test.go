package backup

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"binnacle/ops"
	"binnacle/ops/opstest"
)

func manifest() Manifest {
	return Manifest{
		V: 1, ID: "20261123T081500Z-abcd", App: "shop", Name: "db", Engine: "postgres", At: time.Date(2026, 11, 23, 8, 15, 0, 0, time.UTC),
		Took: 1500 * time.Millisecond, Parts: []Part{{Name: "dump", Key: "dump.zst", Plain: 20, Size: 10, SHA256: "ab", PlainSHA256: "cd"}},
		Plain: 20, Size: 10, Sized: true,
	}
}

func TestManifestFileIsTwoLines(t *testing.T) {
	content, err := encodeManifest(manifest())
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(content), "\n")
	if len(lines) != 3 || !strings.Contains(lines[0], `"took_ms":1500`) || !strings.HasPrefix(lines[1], `{"sha256":"`) || lines[2] != "" {
		t.Errorf("%s", content)
	}
	if got, err := decodeManifest(manifest().ID, content); err != nil || !reflect.DeepEqual(got, manifest()) {
		t.Errorf("%+v, %v", got, err)
	}
}

// TestManifestsThatAreRefused are sealed rightly, and yet not what this program
// wrote for that backup.
func TestManifestsThatAreRefused(t *testing.T) {
	for name, change := range map[string]func(*Manifest){
		"newer":             func(m *Manifest) { m.V = 2 },
		"older than any":    func(m *Manifest) { m.V = 0 },
		"another's":         func(m *Manifest) { m.ID = "20261123T081500Z-abce" },
		"no parts":          func(m *Manifest) { m.Parts = nil },
		"part elsewhere":    func(m *Manifest) { m.Parts[0].Key = "../../other/dump.zst" },
		"part is the claim": func(m *Manifest) { m.Parts[0].Key = claimName },
		"negative size":     func(m *Manifest) { m.Parts[0].Size = -1 },
	} {
		m := manifest()
		change(&m)
		content, err := encodeManifest(m)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := decodeManifest(manifest().ID, content); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

// TestNewerManifestIsListed holds that what a newer program wrote is neither
// hidden nor called damaged.
func TestNewerManifestIsListed(t *testing.T) {
	m := manifest()
	m.V = 2
	content, err := encodeManifest(m)
	if err != nil {
		t.Fatal(err)
	}
	objects := opstest.New().Objects("store")
	objects.Change("shop/db/"+m.ID+"/"+manifestName, content)
	shelf := NewShelf(objects, "shop", "db", Keys{})
	entries, err := shelf.List(t.Context())
	if err != nil || len(entries) != 1 || entries[0].V != 2 || entries[0].Problem != "it was written by a newer Binnacle" {
		t.Fatalf("%+v, %v", entries, err)
	}
	if err := shelf.Verify(t.Context(), entries[0], nil); err == nil || errors.Is(err, ErrDamaged) {
		t.Errorf("verify: %v", err)
	}
}

func TestCheckFile(t *testing.T) {
	c := Check{Rung: ops.Restored, At: time.Date(2026, 11, 23, 9, 0, 0, 5e6, time.UTC), Took: time.Minute, By: "Ana", Problem: "no space"}
	content, err := encodeCheck(c)
	if err != nil {
		t.Fatal(err)
	}
	if key := checkKey(c); key != "check-20261123T090000.005Z-restored.json" {
		t.Error(key)
	}
	if got := decodeCheck(checkKey(c), content); got != c {
		t.Errorf("%+v", got)
	}
	torn := decodeCheck(checkKey(c), content[:20])
	if torn.Rung != ops.Restored || !torn.At.Equal(c.At) || torn.Problem == "" {
		t.Errorf("torn: %+v", torn)
	}
	if odd := decodeCheck("check-x.json", content[:20]); odd.Rung != ops.Matched || odd.Problem == "" {
		t.Errorf("torn, with a name that tells nothing: %+v", odd)
	}
}

func FuzzManifest(f *testing.F) {
	content, err := encodeManifest(manifest())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(content)
	f.Add([]byte("{}\n"))
	f.Add([]byte("null\n" + string(checksum([]byte("null\n")))))
	f.Fuzz(func(t *testing.T, content []byte) {
		for _, sealed := range [][]byte{content, append(append([]byte{}, content...), checksum(content)...)} {
			m, err := decodeManifest(manifest().ID, sealed)
			if err != nil {
				continue
			}
			again, err := encodeManifest(m)
			if err != nil {
				t.Fatal(err)
			}
			back, err := decodeManifest(manifest().ID, again)
			if err != nil {
				t.Fatalf("%s is refused: %v", again, err)
			}
			if twice, err := encodeManifest(back); err != nil || string(twice) != string(again) {
				t.Errorf("%s comes back as %s, %v", again, twice, err)
			}
		}
	})
}
