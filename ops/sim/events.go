package sim

import (
	"context"
	"strings"
	"time"

	"github.com/moby/moby/api/types/events"
)

const maxEvents = 512

// eventLog keeps the engine's last events; sequence numbers count from the first event ever.
type eventLog struct {
	list  []events.Message
	first int64
}

func (l *eventLog) end() int64 { return l.first + int64(len(l.list)) }

// emit records an event of a container; the host's lock is held.
func (e *engine) emit(c *container, action string, extra map[string]string) {
	attrs := map[string]string{"name": c.name, "image": c.config.Image}
	for k, v := range c.config.Labels {
		attrs[k] = v
	}
	for k, v := range extra {
		attrs[k] = v
	}
	e.emitEvent(events.ContainerEventType, events.Action(action), c.id, attrs)
}

// emitEvent records any event; the host's lock is held.
func (e *engine) emitEvent(kind events.Type, action events.Action, id string, attrs map[string]string) {
	now := e.h.now()
	l := &e.events
	l.list = append(l.list, events.Message{
		Type: kind, Action: action, Actor: events.Actor{ID: id, Attributes: attrs}, Scope: "local", Time: now.Unix(), TimeNano: now.UnixNano(),
	})
	if over := len(l.list) - maxEvents; over > maxEvents/4 {
		l.list = append([]events.Message(nil), l.list[over:]...)
		l.first += int64(over)
	}
	e.h.signal()
}

// watchEvents passes every event that match takes to send, those since a time first, until ctx ends, until is
// reached or send fails. A zero since starts now; a zero until never ends.
func (e *engine) watchEvents(ctx context.Context, since, until time.Time, match func(events.Message) bool, send func(events.Message) error) error {
	e.h.mu.Lock()
	seq := e.events.end()
	if !since.IsZero() {
		for seq = e.events.first; seq < e.events.end() && time.Unix(0, e.events.list[seq-e.events.first].TimeNano).Before(since); {
			seq++
		}
	}
	e.h.mu.Unlock()
	var end <-chan time.Time
	if !until.IsZero() {
		ch, stop := e.h.fleet.clock.Timer(until.Sub(e.h.now()))
		defer stop()
		end = ch
	}
	for {
		e.h.mu.Lock()
		seq = max(seq, e.events.first)
		fresh := append([]events.Message(nil), e.events.list[seq-e.events.first:]...)
		seq = e.events.end()
		changed := e.h.changed
		e.h.mu.Unlock()
		for _, m := range fresh {
			if !match(m) {
				continue
			}
			if err := send(m); err != nil {
				return err
			}
		}
		select {
		case <-changed:
		case <-end:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Helpers

// eventMatcher understands the filters of the events endpoint.
func eventMatcher(f filters) func(events.Message) bool {
	return func(m events.Message) bool {
		return f.any("type", func(v string) bool { return string(m.Type) == v }) &&
			f.any("event", func(v string) bool {
				return string(m.Action) == v || strings.HasPrefix(string(m.Action), v+":")
			}) &&
			f.any("container", func(v string) bool {
				return m.Type == events.ContainerEventType && (m.Actor.Attributes["name"] == v || strings.HasPrefix(m.Actor.ID, v))
			}) &&
			f.any("image", func(v string) bool {
				return m.Type == events.ImageEventType && m.Actor.ID == v || m.Actor.Attributes["image"] == v || m.Actor.Attributes["name"] == v
			}) &&
			f.all("label", func(v string) bool { return hasLabel(m.Actor.Attributes, v) })
	}
}
