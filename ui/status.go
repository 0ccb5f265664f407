package ui

import (
	"fmt"
	"strings"
	"time"

	"binnacle/ops"
	"binnacle/ui/kit"
	"binnacle/ui/theme"
)

// segment is a part of a line that is shown or left out as a whole.
type segment struct {
	drop   int // the highest goes first; 0 stays
	right  bool
	tight  bool // belongs to the segment before it
	pieces []piece
}

// piece is a text with its meaning.
type piece struct {
	surface theme.Surface
	tone    theme.Tone
	text    string
}

// statusLine says which app in which destination, what serves, the lock, how
// fresh the facts are and what runs.
func statusLine(s *summary, th theme.Theme, now time.Time, width int, leaving string) string {
	segments := []segment{
		{drop: 8, pieces: []piece{{theme.Bar, theme.Dim, "binnacle"}}},
		appSegment(s, th),
		versionSegment(s, th),
		bySegment(s, th, now),
		lockSegment(s, th, now),
		runningSegment(s, th, now, leaving),
		liveSegment(s, th, now),
		{drop: 7, right: true, pieces: []piece{{theme.Bar, theme.Accent, "?"}, {theme.Bar, theme.Dim, " help"}}},
	}
	return line(segments, theme.Bar, th, width)
}

// Private

func appSegment(s *summary, th theme.Theme) segment {
	if !s.known {
		return segment{pieces: []piece{{theme.Bar, theme.Strong, "no app"}}}
	}
	name, word := s.app.Service, s.app.Destination
	if word == "" {
		word = "default"
	}
	surface, arrow := theme.Bar, " "+th.Active+" "
	if th.Production {
		surface, arrow, word = theme.Tint, " "+th.Active, " "+word+" "
	}
	return segment{pieces: []piece{
		{theme.Bar, theme.Strong, kit.Clean(name)}, {theme.Bar, theme.Dim, arrow}, {surface, theme.Brand, kit.Clean(word)},
	}}
}

func versionSegment(s *summary, th theme.Theme) segment {
	switch {
	case !s.known:
		return segment{}
	case len(s.versions) == 0 && s.live < s.hosts:
		return segment{drop: 6, pieces: []piece{{theme.Bar, theme.Dim, "version unknown"}}}
	case len(s.versions) == 0:
		return segment{drop: 6, pieces: []piece{{theme.Bar, theme.Warn, "nothing serves"}}}
	case s.mixed():
		return segment{drop: 1, pieces: []piece{{theme.Bar, theme.Warn, th.Alert + " mixed " + s.versionWords()}}}
	}
	return segment{drop: 1, pieces: []piece{{theme.Bar, theme.Strong, kit.Clean(kit.Version(s.versions[0].version))}}}
}

func bySegment(s *summary, th theme.Theme, now time.Time) segment {
	if s.since.IsZero() || len(s.versions) == 0 {
		return segment{}
	}
	text := kit.Span(now.Sub(s.since)) + " ago"
	if s.by != "" {
		text += " by " + kit.Clean(s.by)
	}
	return segment{drop: 5, tight: true, pieces: []piece{{theme.Bar, theme.Dim, th.Dot + " " + text}}}
}

func lockSegment(s *summary, th theme.Theme, now time.Time) segment {
	lock := s.app.Lock
	switch {
	case !s.known:
		return segment{}
	case lock.SeenAt.IsZero():
		return segment{drop: 9, pieces: []piece{{theme.Bar, theme.Dim, "lock unknown"}}}
	case !lock.Held:
		return segment{drop: 4, pieces: []piece{{theme.Bar, theme.Dim, "lock free"}}}
	case lock.Bare:
		return segment{drop: 2, pieces: []piece{{theme.Bar, theme.Warn, "lock held, no details"}}}
	}
	tone, text := theme.Warn, "lock: "+kit.Cut(kit.Clean(lock.By), 18, th.Ellipsis)
	if !lock.At.IsZero() {
		text += " " + kit.Span(now.Sub(lock.At))
	}
	switch lock.Liveness {
	case ops.HolderDead:
		tone, text = theme.Bad, text+", process gone"
	case ops.HolderLive:
		tone = theme.Busy
	}
	return segment{drop: 2, pieces: []piece{{theme.Bar, tone, text}}}
}

func runningSegment(s *summary, th theme.Theme, now time.Time, leaving string) segment {
	if len(s.running) == 0 {
		return segment{}
	}
	t := s.running[len(s.running)-1]
	text := th.Active + " " + kit.Clean(t.Title) + " " + clock(t.Elapsed(now))
	if t.Cancelling {
		text += ", stopping"
	}
	if leaving != "" {
		text += ", " + leaving
	}
	if n := len(s.running); n > 1 {
		text += fmt.Sprintf(" +%d", n-1)
	}
	return segment{drop: 3, right: true, pieces: []piece{{theme.Bar, theme.Busy, text}}}
}

func liveSegment(s *summary, th theme.Theme, now time.Time) segment {
	seg := segment{drop: 2, right: true}
	say := func(tone theme.Tone, text string) segment {
		seg.pieces = []piece{{theme.Bar, tone, text}}
		return seg
	}
	switch {
	case s.hosts == 0:
		return say(theme.Dim, "no hosts")
	case s.live == s.hosts:
		if age := now.Sub(s.oldest); age >= time.Minute {
			return say(theme.Warn, th.Live+" live "+th.Dot+" "+kit.Span(age))
		}
		return say(theme.Good, th.Live+" live")
	case len(s.lost) > 0:
		return say(theme.Bad, fmt.Sprintf("%s %d of %d live", th.Lost, s.live, s.hosts))
	}
	return say(theme.Busy, fmt.Sprintf("%s connecting %d of %d", th.Waiting, s.live, s.hosts))
}

// Helpers

// clock writes a running time in whole seconds.
func clock(d time.Duration) string {
	if d < 10*time.Second {
		return fmt.Sprintf("%d s", int(d.Seconds()))
	}
	return kit.Took(d)
}

// line sets segments from the left and the right on a surface, as many as fit.
func line(segments []segment, surface theme.Surface, th theme.Theme, width int) string {
	need := func() int {
		total := 2
		for _, s := range segments {
			if w := s.width(); w > 0 {
				total += w + s.gap()
			}
		}
		return total
	}
	for need() > width {
		worst := -1
		for i, s := range segments {
			if s.width() > 0 && s.drop > 0 && (worst < 0 || s.drop > segments[worst].drop) {
				worst = i
			}
		}
		if worst < 0 {
			break
		}
		segments[worst] = segment{}
	}
	var left, right strings.Builder
	lw, rw := 1, 1
	left.WriteString(th.On(surface, theme.Text, " "))
	for _, s := range segments {
		w := s.width()
		if w == 0 {
			continue
		}
		b, total := &left, &lw
		if s.right {
			b, total = &right, &rw
		}
		if b == &right || lw > 1 {
			b.WriteString(th.On(surface, theme.Text, kit.Space(s.gap())))
			w += s.gap()
		}
		for _, p := range s.pieces {
			b.WriteString(th.On(p.surface, p.tone, p.text))
		}
		*total += w
	}
	right.WriteString(th.On(surface, theme.Text, " "))
	fill := th.On(surface, theme.Text, kit.Space(width-lw-rw))
	return kit.Cut(left.String()+fill+right.String(), width, "")
}

func (s segment) gap() int {
	if s.tight {
		return 1
	}
	return 3
}

func (s segment) width() int {
	w := 0
	for _, p := range s.pieces {
		w += kit.Width(p.text)
	}
	return w
}
