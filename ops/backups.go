package ops

import (
	"slices"
	"strings"
	"time"
)

// Rung is how far a backup can be trusted: each rung holds those below it.
type Rung int

// The ladder of trust, weakest first.
const (
	NoRung   Rung = iota
	Dumped        // the dump ended without an error
	Sized         // its size is sane against those before it
	Stored        // the store lists all of it
	Matched       // read back, every checksum is right
	Readable      // its archive lists what is in it
	Restored      // it was restored into a throwaway container of the same image
	Checked       // what was restored has the rows and the schema that were dumped, and passes the app's check
	Fresh         // all of that, and younger than it has to be
)

// String is the word for a rung.
func (r Rung) String() string {
	if r < NoRung || r > Fresh {
		return "unknown"
	}
	return [...]string{"none", "ran", "sized", "stored", "matched", "readable", "restored", "checked", "fresh"}[r]
}

// Backed is one thing that is backed up, and what its store holds of it.
type Backed struct {
	Name      string
	App       AppID
	Engine    string
	Accessory string
	Role      string
	Host      string
	Store     string    // where, for people: "s3://bucket/prefix"
	SeenAt    time.Time // when the store was read; zero: never
	Problem   string    // why it could not be read; what is kept is then from SeenAt
	Kept      []Kept    // newest first
	// Rung is that of the newest good backup, or of the newest where none is good;
	// Fresh included.
	Rung Rung
	// Alarm says what has to be done: never backed up, too old, found damaged, a
	// drill overdue; "" when all is well.
	Alarm  string
	MaxAge time.Duration
}

// Kept is one complete backup in a store.
type Kept struct {
	ID            string
	At            time.Time // when the dump began
	Took          time.Duration
	Size          int64 // bytes in the store
	Plain         int64 // bytes that were dumped
	EngineVersion string
	Schema        string // schema version, "" when the app has none
	Tables        int
	Rows          int64
	Encrypted     bool
	Safety        bool // taken before a restore, of what it was about to replace
	By            string
	Rung          Rung
	CheckedAt     time.Time // of the highest rung
	Problem       string    // what the last verification found wrong
}

// Newest is the newest backup that nothing is known against, safety copies aside:
// they hold what somebody was about to replace.
func (b Backed) Newest() (Kept, bool) {
	for _, k := range b.Kept {
		if k.Problem == "" && !k.Safety {
			return k, true
		}
	}
	return Kept{}, false
}

// Find returns the backup with that id.
func (b Backed) Find(id string) (Kept, bool) {
	i := slices.IndexFunc(b.Kept, func(k Kept) bool { return k.ID == id })
	if i < 0 {
		return Kept{}, false
	}
	return b.Kept[i], true
}

// Remark is what is special about a backup, in words; "" for nothing.
func (k Kept) Remark() string {
	var words []string
	if k.Safety {
		words = append(words, "safety")
	}
	if k.Encrypted {
		words = append(words, "encrypted")
	}
	return strings.Join(words, ", ")
}

// BackupsSeen replaces what is known of one thing that is backed up.
type BackupsSeen struct{ Backed Backed }

func (BackupsSeen) event() {}
