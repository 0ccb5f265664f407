package live

import (
	"context"

	"binnacle/ops/docker"
	"binnacle/ops/logs"
)

// FollowLogs starts a follower of the containers' logs; secrets are taken out
// of each line before it is kept. No log is opened before ready is closed:
// until secrets have been read, nobody can recognise them.
func (s *Session) FollowLogs(ctx context.Context, ready <-chan struct{}) *logs.Follower {
	open := func(ctx context.Context, req logs.Request, each func(logs.Entry)) error {
		select {
		case <-ready:
			return s.openLog(ctx, req, each)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return logs.Follow(ctx, logs.Options{Open: open, Redact: s.Redactor.Redact})
}

// PastLogs reads what containers have logged so far, merged by time. Secrets that
// have been read are taken out of it.
func (s *Session) PastLogs(ctx context.Context, requests []logs.PastRequest, each func(logs.Line), failed func(*logs.Source, error)) error {
	return logs.Past(ctx, logs.Options{Open: s.openLog, Redact: s.Redactor.Redact}, requests, each, failed)
}

// Private

func (s *Session) openLog(ctx context.Context, req logs.Request, each func(logs.Entry)) error {
	options := docker.LogOptions{Since: req.Since, Tail: req.Tail, Follow: req.Follow}
	switch {
	case req.Tail < 0:
		options.Tail = 0 // Docker's word for all
	case req.Tail == 0:
		options.Tail = docker.NoTail
	}
	engine := s.World.Host(req.Container.Host).Engine()
	return engine.Logs(ctx, req.Container.ID, options, func(l docker.LogLine) {
		each(logs.Entry{At: l.At, Stream: l.Stream, Text: l.Text})
	})
}
