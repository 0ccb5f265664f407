package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"

	"binnacle/ops"
	"binnacle/ops/live"
	"binnacle/ops/logs"
)

// logPrinter prints one line per line logged: TIME HOST ROLE text.
type logPrinter struct {
	out        io.Writer
	notes      io.Writer
	json       bool
	colour     bool
	app        ops.AppID
	host, role int // widths
	dropped    uint64
}

func newLogPrinter(p Program, f *flags, s *live.Session) *logPrinter {
	_, plain := os.LookupEnv("NO_COLOR")
	out := &logPrinter{out: p.Stdout, notes: p.Stderr, json: f.json, colour: p.Terminal && !plain && !f.json, app: s.App}
	app, _ := s.Store.State().Fleet.App(s.App)
	for _, h := range s.Config.AllHosts() {
		out.host = max(out.host, len(h))
	}
	for _, name := range namesOf(app) {
		out.role = max(out.role, len(name))
	}
	return out
}

// Private

// logTime is UTC, with a width that does not change.
const logTime = "2006-01-02T15:04:05.000Z"

type logJSON struct {
	V         int        `json:"v"`
	Time      time.Time  `json:"time"`
	Type      string     `json:"type"`
	App       ops.AppID  `json:"app"`
	Host      string     `json:"host"`
	Role      string     `json:"role"`
	Container string     `json:"container"`
	Version   string     `json:"version,omitempty"`
	Stream    ops.Stream `json:"stream"`
	Level     string     `json:"level,omitempty"`
	Text      string     `json:"text"`
}

func (p *logPrinter) print(l logs.Line) {
	if p.json {
		text, err := json.Marshal(logJSON{
			V: 1, Time: l.At.UTC(), Type: "log", App: p.app, Host: l.Source.Host(), Role: l.Source.Label(),
			Container: l.Source.Name, Version: l.Source.Version, Stream: l.Stream, Level: l.Level.String(), Text: l.Text,
		})
		if err == nil {
			_, _ = fmt.Fprintln(p.out, string(text))
		}
		return
	}
	place := fmt.Sprintf("%-*s %-*s", p.host, l.Source.Host(), p.role, l.Source.Label())
	at := l.At.UTC().Format(logTime)
	if !p.colour {
		_, _ = fmt.Fprintln(p.out, at+" "+place+" "+l.Text)
		return
	}
	_, _ = fmt.Fprintln(p.out, dim+at+" "+plain+accent+place+plain+" "+levelColour(l.Level)+l.Text+plain)
}

// printFrom prints the lines of a ring from a number on, and returns the next.
func (p *logPrinter) printFrom(v logs.View, seq uint64) uint64 {
	if first := v.First(); seq < first {
		if dropped := v.Dropped(); dropped > p.dropped {
			_, _ = fmt.Fprintf(p.notes, "%d lines came faster than they could be printed and are missing\n", first-seq)
			p.dropped = dropped
		}
		seq = first
	}
	for ; seq < v.Next(); seq++ {
		if l, ok := v.Line(seq); ok {
			p.print(l)
		}
	}
	return seq
}

// Helpers

// The colours are those of the terminal's own palette.
const (
	plain  = "\x1b[0m"
	dim    = "\x1b[2m"
	bold   = "\x1b[1m"
	accent = "\x1b[36m"
	red    = "\x1b[31m"
	yellow = "\x1b[33m"
	green  = "\x1b[32m"
)

func levelColour(l logs.Level) string {
	switch l {
	case logs.LevelError, logs.LevelFatal:
		return red
	case logs.LevelWarn:
		return yellow
	case logs.LevelDebug:
		return dim
	case logs.LevelNone, logs.LevelInfo:
	}
	return ""
}
