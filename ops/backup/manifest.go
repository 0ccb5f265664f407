package backup

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"binnacle/config"
	"binnacle/ops"
)

// Manifest says what a backup is. It is written last: without it a backup does
// not exist. It is never encrypted, so names of tables are not in it.
type Manifest struct {
	V             int           `json:"v"`
	ID            string        `json:"id"`
	App           ops.AppID     `json:"app"`
	Destination   string        `json:"destination,omitempty"`
	Name          string        `json:"name"`
	Accessory     string        `json:"accessory,omitempty"`
	Role          string        `json:"role,omitempty"`
	Engine        config.Engine `json:"engine"`
	EngineVersion string        `json:"engine_version,omitempty"`
	Image         string        `json:"image,omitempty"`
	Host          string        `json:"host,omitempty"`
	Database      string        `json:"database,omitempty"`
	Schema        string        `json:"schema,omitempty"`
	At            time.Time     `json:"at"` // when the dump began
	Took          time.Duration `json:"-"`  // took_ms
	By            string        `json:"by,omitempty"`
	From          string        `json:"from,omitempty"` // the machine that ran Binnacle
	Encrypted     bool          `json:"encrypted"`
	Recipients    []string      `json:"recipients,omitempty"` // public keys
	Safety        bool          `json:"safety,omitempty"`     // taken before a restore, of what it was about to replace
	Parts         []Part        `json:"parts"`                // in the order they were dumped, facts last
	Plain         int64         `json:"plain"`                // bytes that were dumped
	Size          int64         `json:"size"`                 // bytes in the store
	Tables        int           `json:"tables"`
	Rows          int64         `json:"rows"`
	Sized         bool          `json:"sized"`            // the size is sane against those before it
	Remark        string        `json:"remark,omitempty"` // why it is not
}

// Part is one stream of a dump, and its object.
type Part struct {
	Name        string `json:"name"`
	Key         string `json:"key"`    // of the object, in the backup's folder: dump.zst.age
	Plain       int64  `json:"plain"`  // bytes that were dumped
	Size        int64  `json:"size"`   // bytes in the store
	SHA256      string `json:"sha256"` // of the bytes in the store
	PlainSHA256 string `json:"plain_sha256"`
}

// Check is one attempt to climb to a rung, after the backup was made.
type Check struct {
	Rung    ops.Rung      `json:"-"` // its word
	At      time.Time     `json:"at"`
	Took    time.Duration `json:"-"` // took_ms
	By      string        `json:"by,omitempty"`
	Problem string        `json:"problem,omitempty"` // why it failed; "" when it passed
}

// Claim says who is writing a backup that has no manifest yet.
type Claim struct {
	Host string    `json:"host"` // the machine that runs Binnacle
	PID  int       `json:"pid"`
	Task string    `json:"task,omitempty"`
	At   time.Time `json:"at"`
}

// Private

const (
	manifestVersion = 1
	manifestName    = "manifest.json"
	claimName       = "claim.json"
	checkPrefix     = "check-"
	factsPart       = "facts"
	// sealedLimit bounds what is read of a manifest, a claim or a check.
	sealedLimit = 1 << 20

	idTime    = "20060102T150405Z"
	checkTime = "20060102T150405.000Z"
)

var (
	errSeal  = errors.New("it is not what was written")
	errNewer = errors.New("it was written by a newer Binnacle")
)

// manifestLine and checkLine are the first lines of the files.
type manifestLine struct {
	Manifest
	TookMS int64 `json:"took_ms"`
}

type checkLine struct {
	Check
	Word   string `json:"rung"`
	TookMS int64  `json:"took_ms"`
}

// Helpers

// newID makes a backup's identifier: sorted by name is sorted by time.
func newID(at time.Time) string {
	var salt [2]byte
	_, _ = rand.Read(salt[:]) // never fails
	return at.UTC().Format(idTime) + "-" + hex.EncodeToString(salt[:])
}

// parseID is the time in an identifier; false when it is none, and the folder
// of that name nothing of ours.
func parseID(id string) (time.Time, bool) {
	stamp, salt, _ := strings.Cut(id, "-")
	at, err := time.Parse(idTime, stamp)
	if _, bad := hex.DecodeString(salt); err != nil || bad != nil || len(salt) != 4 {
		return time.Time{}, false
	}
	return at, true
}

func encodeManifest(m Manifest) ([]byte, error) {
	return seal(manifestLine{m, m.Took.Milliseconds()})
}

// decodeManifest reads the manifest of the backup of that identifier.
func decodeManifest(id string, content []byte) (Manifest, error) {
	line, err := unseal[manifestLine](content)
	if err != nil {
		return Manifest{}, err
	}
	m := line.Manifest
	m.Took = time.Duration(line.TookMS) * time.Millisecond
	switch {
	case m.V > manifestVersion:
		return Manifest{V: m.V}, errNewer
	case m.V != manifestVersion, m.ID != id, len(m.Parts) == 0, m.Took.Milliseconds() != line.TookMS:
		return Manifest{}, errSeal
	}
	for _, p := range m.Parts {
		if !partKey(p.Key) || p.Size < 0 || p.Plain < 0 {
			return Manifest{}, errSeal
		}
	}
	return m, nil
}

// partKey tells whether an object of that name can be a part.
func partKey(name string) bool {
	return name != "" && !strings.HasPrefix(name, ".") && !strings.ContainsAny(name, "/\\\x00") &&
		name != manifestName && name != claimName && !strings.HasPrefix(name, checkPrefix)
}

func encodeCheck(c Check) ([]byte, error) {
	return seal(checkLine{c, c.Rung.String(), c.Took.Milliseconds()})
}

// decodeCheck reads a check from the object of that name. One that is damaged is
// a check that failed: it may have said so.
func decodeCheck(name string, content []byte) Check {
	named := checkOf(name)
	line, err := unseal[checkLine](content)
	rung, ok := rungOf(line.Word)
	if err != nil || !ok {
		named.Problem = "the record " + name + " is damaged"
		return named
	}
	line.Rung, line.Took = rung, time.Duration(line.TookMS)*time.Millisecond
	return line.Check
}

func checkKey(c Check) string {
	return checkPrefix + c.At.UTC().Format(checkTime) + "-" + c.Rung.String() + ".json"
}

// checkOf is what a check's name tells of it; the lowest rung that a check can
// have where it tells nothing.
func checkOf(name string) Check {
	stamp, word, _ := strings.Cut(strings.TrimSuffix(strings.TrimPrefix(name, checkPrefix), ".json"), "-")
	at, _ := time.Parse(checkTime, stamp)
	rung, ok := rungOf(word)
	if !ok {
		rung = ops.Matched
	}
	return Check{Rung: rung, At: at}
}

func rungOf(word string) (ops.Rung, bool) {
	for r := ops.NoRung; r <= ops.Fresh; r++ {
		if r.String() == word {
			return r, true
		}
	}
	return ops.NoRung, false
}

// seal makes two lines: the value as JSON, and the checksum of the first line
// with its newline.
func seal(value any) ([]byte, error) {
	line, err := json.Marshal(value)
	if err != nil {
		return nil, err
	}
	line = append(line, '\n')
	return append(line, checksum(line)...), nil
}

// unseal reads what seal wrote, and fails when one bit of it is another.
func unseal[T any](content []byte) (T, error) {
	var value T
	end := bytes.IndexByte(content, '\n') + 1
	if end == 0 || !bytes.Equal(content[end:], checksum(content[:end])) {
		return value, errSeal
	}
	if err := json.Unmarshal(content[:end], &value); err != nil {
		return value, fmt.Errorf("%w: %w", errSeal, err)
	}
	return value, nil
}

func checksum(line []byte) []byte {
	return fmt.Appendf(nil, "{\"sha256\":\"%x\"}\n", sha256.Sum256(line))
}
