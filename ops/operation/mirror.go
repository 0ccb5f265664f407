package operation

import (
	"context"
	"errors"
	"strings"
	"sync"

	"binnacle/ops"
	"binnacle/ops/command"
)

// mirrors lets one host pull through each mirror of a registry before the
// others that use the same one, so that a layer comes from far only once.
type mirrors struct {
	mu    sync.Mutex
	seeds map[string]*barrier // by the mirror's address
}

// pull pulls on a host when it is the host's turn.
func (m *mirrors) pull(ctx context.Context, r *ops.Run, pull func() error) error {
	mirror, err := firstMirror(ctx, r)
	if err != nil {
		return err
	}
	if mirror == "" {
		return pull()
	}
	filled, first := m.join(mirror)
	if first {
		good := false
		defer func() { filled.decide(good, r.Host) }()
		r.Say("Pulling image on %s to seed the mirror %s...", r.Host, mirror)
		err := pull()
		good = err == nil
		return err
	}
	r.Note("waits for the mirror %s", mirror)
	open, err := filled.wait(ctx)
	if err != nil {
		return err
	}
	if !open {
		return &ops.Error{Host: r.Host, Summary: "the image was not pulled, because its mirror could not be filled on " + filled.host, Cause: ops.ErrHalted}
	}
	r.Note("")
	return pull()
}

// Private

func (m *mirrors) join(mirror string) (filled *barrier, first bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.seeds[mirror] == nil {
		m.seeds[mirror], first = newBarrier(), true
	}
	return m.seeds[mirror], first
}

// Helpers

// firstMirror is the mirror that a host pulls through, "" for none.
func firstMirror(ctx context.Context, r *ops.Run) (string, error) {
	text, err := capture(ctx, r.Remote(), command.FirstMirror())
	var exit *ops.ExitError
	var known *ops.Error
	switch {
	case err == nil:
		return strings.TrimSpace(text), nil
	case errors.As(err, &exit) && strings.Contains(exit.Output, "index out of range"):
		return "", nil
	case errors.As(err, &known):
		return "", err
	}
	return "", &ops.Error{Host: r.Host, Command: command.FirstMirror().String(), Cause: err, Hint: "does Docker run on " + r.Host + "?"}
}
