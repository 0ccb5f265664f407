package sim

import (
	"context"
	"time"
)

// logRequest says which lines of a log are wanted.
type logRequest struct {
	follow bool
	stamps bool
	tail   int // -1 is all
	since  time.Time
	until  time.Time
}

// render is the line as it is printed, with its line end.
func (l logLine) render(stamps bool) string {
	if stamps {
		return l.at.UTC().Format("2006-01-02T15:04:05.000000000Z07:00") + " " + l.text + "\n"
	}
	return l.text + "\n"
}

// readLog passes a container's lines to say; with follow it goes on until the container ends, ctx does, or say
// fails.
func (e *engine) readLog(ctx context.Context, c *container, req logRequest, say func(logLine) error) error {
	if req.follow {
		defer e.h.follow()()
	}
	e.h.mu.Lock()
	e.h.advanceLocked(e.h.now())
	seq := c.log.start(req.since, req.tail)
	e.h.mu.Unlock()
	for {
		e.h.mu.Lock()
		lines := c.log.from(seq)
		seq = c.log.end()
		over := !c.alive() || e.containers[c.id] == nil
		changed := e.h.changed
		e.h.mu.Unlock()
		for _, l := range lines {
			if l.at.Before(req.since) || !req.until.IsZero() && l.at.After(req.until) {
				continue
			}
			if err := say(l); err != nil {
				return err
			}
		}
		if !req.follow || over || !req.until.IsZero() && e.h.now().After(req.until) {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
