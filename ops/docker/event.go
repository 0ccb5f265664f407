package docker

import (
	"context"
	"strings"
	"time"

	"github.com/moby/moby/api/types/events"
	"github.com/moby/moby/client"
)

// Event is one thing that happened in the engine.
type Event struct {
	At     time.Time
	Type   string // container, image
	Action string // start, die, tag …; without its argument
	Detail string // what followed the action: a health status, an exec's command
	ID     string // full id of the container, reference or id of the image
	Name   string // name of the container or image
	ExecID string // of exec_… events
}

// EventFilter chooses events. Empty fields let everything through.
type EventFilter struct {
	Types     []string
	Actions   []string
	Container string // name or id
}

// Events calls each for every event from now on, from this goroutine, and
// opened once the engine listens: what is read after that misses nothing. It
// returns when the context or the connection ends, always with an error.
func (e *Engine) Events(ctx context.Context, filter EventFilter, opened func(), each func(Event)) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	return e.call(ctx, 0, "docker events", func(ctx context.Context) error {
		ctx, accepted := watchAnswer(ctx)
		stream := e.api().Events(ctx, client.EventsListOptions{Filters: filter.query()})
		// The client's goroutine is over once it has closed its error channel.
		defer func() {
			cancel()
			for range stream.Err {
			}
		}()
		// The client returns before it tells why it was refused.
		if !accepted.Load() {
			return lost(<-stream.Err)
		}
		opened()
		for {
			select {
			case m := <-stream.Messages:
				each(happened(m))
			case err := <-stream.Err:
				return lost(err)
			}
		}
	})
}

// Private

func (f EventFilter) query() client.Filters {
	filters := client.Filters{}
	for term, values := range map[string][]string{"type": f.Types, "event": f.Actions} {
		if len(values) > 0 {
			filters.Add(term, values...)
		}
	}
	if f.Container != "" {
		filters.Add("container", f.Container)
	}
	return filters
}

// Helpers

func happened(m events.Message) Event {
	action, detail, _ := strings.Cut(string(m.Action), ":")
	at := time.Unix(0, m.TimeNano)
	if m.TimeNano == 0 {
		at = time.Unix(m.Time, 0)
	}
	return Event{
		At: at.UTC(), Type: string(m.Type), Action: action, Detail: strings.TrimSpace(detail),
		ID: m.Actor.ID, Name: m.Actor.Attributes["name"], ExecID: m.Actor.Attributes["execID"],
	}
}

// lost is the reason for the end of a stream that has no end of its own.
func lost(err error) error {
	if err == nil {
		return errStreamEnded
	}
	return err
}
