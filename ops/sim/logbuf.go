package sim

import (
	"sort"
	"time"
)

const maxLogLines = 3000

// logLine is one line that a container printed.
type logLine struct {
	at     time.Time
	stderr bool
	text   string
}

// logBuffer keeps the last lines of a container. Sequence numbers count from the first line ever printed.
type logBuffer struct {
	lines []logLine
	first int64
}

// add appends lines in the order of their time.
func (b *logBuffer) add(lines ...logLine) {
	sort.SliceStable(lines, func(i, j int) bool { return lines[i].at.Before(lines[j].at) })
	b.lines = append(b.lines, lines...)
	if over := len(b.lines) - maxLogLines; over > maxLogLines/4 {
		b.lines = append([]logLine(nil), b.lines[over:]...)
		b.first += int64(over)
	}
}

// addUntil appends the lines that are due and returns those of the future.
func (b *logBuffer) addUntil(now time.Time, lines []logLine) []logLine {
	var due, later []logLine
	for _, l := range lines {
		if l.at.After(now) {
			later = append(later, l)
		} else {
			due = append(due, l)
		}
	}
	b.add(due...)
	return later
}

// end is the sequence number that the next line will get.
func (b *logBuffer) end() int64 { return b.first + int64(len(b.lines)) }

// from returns a copy of the lines with a sequence number of seq and more.
func (b *logBuffer) from(seq int64) []logLine {
	if seq < b.first {
		seq = b.first
	}
	return append([]logLine(nil), b.lines[seq-b.first:]...)
}

// start finds where reading begins for a `since` and a `tail` (-1 is all).
func (b *logBuffer) start(since time.Time, tail int) int64 {
	i := sort.Search(len(b.lines), func(i int) bool { return !b.lines[i].at.Before(since) })
	if tail >= 0 && len(b.lines)-i > tail {
		i = len(b.lines) - tail
	}
	return b.first + int64(i)
}
