package logs

import (
	"context"
	"sync"
	"time"

	"binnacle/ops"
)

// Past reads what containers have logged so far, merged by time, and calls each
// for every line in turn. A container's own order is never changed. A stream that
// fails is told to failed, and what it gave before still comes. Only a few lines
// of each container are kept at a time.
func Past(ctx context.Context, options Options, requests []PastRequest, each func(Line), failed func(*Source, error)) error {
	ctx, stop := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer stop()
	streams := make([]*pastStream, len(requests))
	for i, r := range requests {
		s := &pastStream{source: r.Source, lines: make(chan Entry, pastBuffer), done: make(chan error, 1)}
		streams[i] = s
		request := Request{Container: r.Source.Container, Since: r.Since, Tail: r.Tail}
		wg.Go(func() { s.read(ctx, options.Open, request) })
	}
	for {
		oldest, err := next(ctx, streams, failed)
		if oldest == nil || err != nil {
			return err
		}
		text := clean(options.Redact, oldest.head.Text)
		each(Line{At: oldest.head.At, Source: oldest.source, Stream: oldest.head.Stream, Text: text, Level: DetectLevel(text)})
		oldest.full = false
	}
}

// PastRequest is one container whose past is read.
type PastRequest struct {
	Source *Source
	Since  time.Time // lines at this time and after; zero for no bound
	Tail   int       // newest lines; below 0 for all
}

// SourceOf is the source that a container's lines carry.
func SourceOf(c ops.Container) *Source { return sourceOf(&c) }

// Private

// pastBuffer is how far a stream may read ahead.
const pastBuffer = 64

type pastStream struct {
	source *Source
	lines  chan Entry
	done   chan error
	head   Entry // the next line, when full
	full   bool
	ended  bool
}

func (s *pastStream) read(ctx context.Context, open Open, request Request) {
	defer close(s.lines)
	s.done <- open(ctx, request, func(e Entry) {
		select {
		case s.lines <- e:
		case <-ctx.Done():
		}
	})
}

// next waits until every stream has shown its next line, and returns the one
// whose line is the oldest; nil when all have ended.
func next(ctx context.Context, streams []*pastStream, failed func(*Source, error)) (*pastStream, error) {
	var oldest *pastStream
	for _, s := range streams {
		if !s.full && !s.ended {
			if err := s.fill(ctx, failed); err != nil {
				return nil, err
			}
		}
		if s.full && (oldest == nil || s.head.At.Before(oldest.head.At)) {
			oldest = s
		}
	}
	return oldest, nil
}

func (s *pastStream) fill(ctx context.Context, failed func(*Source, error)) error {
	before := s.head.At
	select {
	case e, ok := <-s.lines:
		if ok {
			s.head, s.full = e, true
			if e.At.Before(before) { // Docker's clock was set back, or it gave no time
				s.head.At = before
			}
			return nil
		}
	case <-ctx.Done():
		return ctx.Err()
	}
	s.ended = true
	if err := <-s.done; err != nil {
		failed(s.source, err)
	}
	return nil
}
