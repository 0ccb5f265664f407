package live

import (
	"context"

	"binnacle/ops/docker"
	"binnacle/ops/logs"
)

// FollowLogs starts a follower of the containers' logs; secrets are taken out
// of each line before it is kept.
func (s *Session) FollowLogs(ctx context.Context) *logs.Follower {
	return logs.Follow(ctx, logs.Options{Open: s.openLog, Redact: s.Redactor.Redact})
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
