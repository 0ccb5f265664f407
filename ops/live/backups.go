package live

import (
	"context"
	"strings"
	"sync"
	"time"

	"binnacle/config"
	"binnacle/ops"
	"binnacle/ops/backup"
)

// ObserveBackups looks once at what the stores hold of one thing, or of everything
// for "" and "all". A store that does not answer is in the state with the reason.
func (s *Session) ObserveBackups(ctx context.Context, name string) {
	var reading sync.WaitGroup
	for _, b := range s.Config.Backups() {
		if name != "" && name != "all" && b.Name != name {
			continue
		}
		reading.Go(func() { s.Store.Emit(ops.BackupsSeen{Backed: s.backed(ctx, b)}) })
	}
	reading.Wait()
	s.Store.Settle()
}

// WatchBackups looks at the stores now and then, when asked to, and after each
// task that may have changed them, until the context ends.
func (s *Session) WatchBackups(ctx context.Context, asked <-chan struct{}) {
	if len(s.Config.Backups()) == 0 {
		return
	}
	tail := s.Store.Tail()
	defer tail.Close()
	changes := make(chan struct{}, 1)
	var follow sync.WaitGroup
	defer follow.Wait()
	follow.Go(func() { s.followBackups(ctx, tail, changes) })
	for {
		s.ObserveBackups(ctx, "")
		again := time.NewTimer(backupPause)
		select {
		case <-again.C:
		case <-changes:
			again.Stop()
		case <-asked:
			again.Stop()
		case <-ctx.Done():
			again.Stop()
			return
		}
	}
}

// Private

const (
	// backupPause is how often the stores are read while nothing happens: listing
	// costs money in some.
	backupPause = 15 * time.Minute
	// backupPatience is how long one store may take to list.
	backupPatience = 30 * time.Second
)

func (s *Session) backed(ctx context.Context, b config.Backup) ops.Backed {
	ctx, cancel := context.WithTimeout(ctx, backupPatience)
	defer cancel()
	now := s.World.Now()
	entries, err := s.entries(ctx, b)
	if err != nil {
		return backup.Unseen(s.App, b, b.Store.Location(), s.Redactor.Redact(reasonOf(err)))
	}
	return backup.Describe(s.App, b, b.Store.Location(), entries, now)
}

func (s *Session) entries(ctx context.Context, b config.Backup) ([]backup.Entry, error) {
	objects, err := s.World.Store(ctx, b.Store)
	if err != nil {
		return nil, err
	}
	return backup.NewShelf(objects, s.App, b.Name, backup.Keys{}).List(ctx)
}

// followBackups says when a task has ended that works with backups.
func (s *Session) followBackups(ctx context.Context, tail *ops.Tail, changes chan<- struct{}) {
	concerned := map[ops.TaskID]bool{} // any change may back up first
	for {
		events, more := tail.Next(ctx)
		if !more {
			return
		}
		for _, e := range events {
			switch e := e.(type) {
			case ops.TaskStarted:
				concerned[e.Task] = e.Risk > ops.Read
			case ops.TaskFinished:
				if concerned[e.Task] {
					select {
					case changes <- struct{}{}:
					default:
					}
				}
				delete(concerned, e.Task)
			}
		}
	}
}

// Helpers

// reasonOf is an error in one line.
func reasonOf(err error) string {
	line, _, _ := strings.Cut(ops.Describe(err)[0].Error(), "\n")
	return line
}
