package logs

import (
	"time"

	"binnacle/ops"
)

// Source is one container whose log is followed. It is shared by all of its
// lines and must not be changed.
type Source struct {
	Container ops.ContainerID
	Name      string // container name
	Role      string // role, accessory name, or "proxy"
	Version   string // app containers
}

// Label is the short name of a source within its host: the role, or else the
// container's name.
func (s *Source) Label() string {
	switch {
	case s == nil:
		return ""
	case s.Role != "":
		return s.Role
	case s.Name != "":
		return s.Name
	}
	return short(s.Container.ID)
}

// Host is the source's host; "" for no source.
func (s *Source) Host() string {
	if s == nil {
		return ""
	}
	return s.Container.Host
}

// Entry is one line as a container's log delivers it.
type Entry struct {
	At     time.Time // Docker's timestamp; zero when the driver gave none
	Stream ops.Stream
	Text   string // without line end; may hold anything
}

// Line is one line of the ring. Its text is safe to print: no escape sequence
// and no control character but the tab is left in it.
type Line struct {
	Seq    uint64 // grows by one per line and is never used twice
	At     time.Time
	Source *Source
	Stream ops.Stream
	Text   string
	Level  Level
	// Late marks a line that came after younger lines had been shown: it stands
	// where it arrived, not where its time says.
	Late bool
}

// Helpers

func short(id string) string {
	if len(id) > 12 {
		return id[:12]
	}
	return id
}
