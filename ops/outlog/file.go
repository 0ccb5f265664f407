package outlog

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"binnacle/config"
	"binnacle/ops"
)

// fileLog is one task's file, named after when and what it was.
type fileLog struct {
	path  string
	file  *os.File
	out   *bufio.Writer
	began time.Time
	err   error
}

var _ sink = (*fileLog)(nil)

func openFile(cfg *config.Config, e ops.TaskStarted) (*fileLog, error) {
	dir := cfg.Output().FilePath
	if !filepath.IsAbs(dir) {
		dir = filepath.Join(cfg.Dir(), dir)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	path := filepath.Join(dir, fileName(e.At, cfg.Destination(), e.Operation))
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return nil, err
	}
	return &fileLog{path: path, file: file, out: bufio.NewWriter(file), began: e.At}, nil
}

func (l *fileLog) write(e ops.Event) {
	switch e := e.(type) {
	case ops.TaskStarted:
		l.line("# %s (%s)", e.Title, e.App)
	case ops.TaskFinished:
		if e.Status == ops.Done {
			l.line("# Completed in %.1fs", seconds(e.At.Sub(l.began)))
			return
		}
		kind, text := failure(e)
		l.line("# FAILED: %s: %s (%.1fs)", kind, text, seconds(e.At.Sub(l.began)))
	default:
		for _, entry := range entries(e) {
			host := entry.host
			if host == "" {
				host = "local"
			}
			l.line("%s %-8s %s %s", entry.at.Local().Format(time.TimeOnly), host, entry.mark(), entry.text)
		}
	}
	if err := l.out.Flush(); err != nil && l.err == nil {
		l.err = err
	}
}

func (l *fileLog) close() []Report {
	if err := l.out.Flush(); err != nil && l.err == nil {
		l.err = err
	}
	if err := l.file.Close(); err != nil && l.err == nil {
		l.err = err
	}
	if l.err != nil {
		return []Report{{Text: fmt.Sprintf("the log %s is not complete: %v", l.path, l.err), Failed: true}}
	}
	return []Report{{Text: "Logs written to " + l.path}}
}

// Private

func (l *fileLog) line(format string, args ...any) {
	if _, err := fmt.Fprintf(l.out, format+"\n", args...); err != nil && l.err == nil {
		l.err = err
	}
}

// Helpers

// mark tells commands, output and failures apart.
func (e entry) mark() string {
	switch {
	case e.failed:
		return "✕"
	case e.stream == ops.Ran:
		return "$"
	}
	return "|"
}

// fileName is Kamal's: TIME[_DESTINATION]_COMMAND[_SUBCOMMAND].log, local time.
func fileName(at time.Time, destination, operation string) string {
	parts := []string{at.Local().Format("2006-01-02T15-04-05")}
	if destination != "" {
		parts = append(parts, destination)
	}
	return strings.Join(append(parts, strings.Fields(operation)...), "_") + ".log"
}
