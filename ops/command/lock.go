package command

import (
	"encoding/base64"
	"path"
	"strings"
	"time"

	"binnacle/config"
)

// AutomaticLockMessage is how the lock of a deploy starts its message; Kamal
// waits for such a lock only.
const AutomaticLockMessage = "Automatic deploy lock"

// Lock builds the commands for the app's deploy lock, a directory that only
// one holder can make.
type Lock struct{ cfg *config.Config }

// NewLock is the lock of the app.
func NewLock(cfg *config.Config) Lock { return Lock{cfg: cfg} }

// Dir is the lock's directory.
func (l Lock) Dir() string {
	return path.Join(l.cfg.RunDirectory(), "lock-"+l.cfg.ServiceAndDestination())
}

// DetailsFile says who holds the lock.
func (l Lock) DetailsFile() string { return path.Join(l.Dir(), "details") }

// EnsureDir makes the directory that locks are made in.
func (l Lock) EnsureDir() Line { return EnsureRunDirectory(l.cfg) }

// Acquire takes the lock. It fails with mkdir's "cannot create directory" when
// the lock is held.
func (l Lock) Acquire(details LockDetails) Line {
	return And(New("mkdir", l.Dir()), Write(New("echo", `"`+details.Encode()+`"`), l.DetailsFile()))
}

// Release gives the lock back. It fails with "No such file or directory" when
// there is no lock, or one without details.
func (l Lock) Release() Line {
	return And(New("rm", l.DetailsFile()), New("rm", "-r", l.Dir()))
}

// ReleaseBare removes a lock without details, which Release cannot.
func (l Lock) ReleaseBare() Line { return New("rmdir", l.Dir()) }

// Status prints the details of the lock, see ParseLockDetails; it fails when
// the lock is free.
func (l Lock) Status() Line {
	return And(Write(New("stat", l.Dir()), "/dev/null"), Pipe(New("cat", l.DetailsFile()), New("base64", "-d")))
}

// LockDetails say who holds a lock, since when, for which version and why.
type LockDetails struct {
	LockedBy string
	At       time.Time
	Version  string
	Message  string
}

// Text is the details as people and Kamal read them: three lines without a line
// break at the end.
func (d LockDetails) Text() string {
	return strings.TrimSpace("Locked by: " + d.LockedBy + " at " + timestamp(d.At) +
		"\nVersion: " + d.Version +
		"\nMessage: " + d.Message)
}

// Encode is the Text in base64, in lines of 60 characters.
func (d LockDetails) Encode() string {
	encoded := base64.StdEncoding.EncodeToString([]byte(d.Text()))
	var b strings.Builder
	for len(encoded) > 0 {
		n := min(60, len(encoded))
		b.WriteString(encoded[:n] + "\n")
		encoded = encoded[n:]
	}
	return b.String()
}

// Automatic tells a deploy's lock from one that a person took.
func (d LockDetails) Automatic() bool { return strings.Contains(d.Message, AutomaticLockMessage) }

// ParseLockDetails reads what Status prints. ok is false when the text has not
// the form of Text.
func ParseLockDetails(text string) (details LockDetails, ok bool) {
	holder, rest, _ := strings.Cut(strings.TrimSpace(text), "\n")
	holder, ok = strings.CutPrefix(holder, "Locked by:")
	if !ok {
		return LockDetails{}, false
	}
	if i := strings.LastIndex(holder, " at "); i >= 0 {
		if at, err := time.Parse(time.RFC3339, strings.TrimSpace(holder[i+4:])); err == nil {
			details.At, holder = at, holder[:i]
		}
	}
	details.LockedBy = strings.TrimSpace(holder)
	version, message, _ := strings.Cut(rest, "\n")
	details.Version = strings.TrimSpace(strings.TrimPrefix(version, "Version:"))
	details.Message = strings.TrimSpace(strings.TrimPrefix(message, "Message:"))
	return details, true
}

// Helpers

// timestamp is a time as Kamal writes it: UTC, whole seconds.
func timestamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05Z") }
