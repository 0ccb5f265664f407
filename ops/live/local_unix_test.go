//go:build unix

package live

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"binnacle/ops"
	"binnacle/ops/command"
)

// heard calls back once a command is ready, and keeps what it printed.
type heard struct {
	mu    sync.Mutex
	text  bytes.Buffer
	ready func()
}

func (h *heard) Write(_ ops.Stream, p []byte) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.text.Write(p)
	if h.ready != nil && strings.Contains(h.text.String(), "ready") {
		h.ready()
		h.ready = nil
	}
}

// A command with a grace puts right what it has to once it is told to stop, where
// another would be killed, and its own end is told.
func TestACommandWithAGraceEndsByItself(t *testing.T) {
	t.Parallel()
	const script = `sh -c "trap 'sleep 0.3; echo put right; exit 3' TERM; mkfifo wait; exec 3<>wait; echo ready; while :; do read -r line <&3; done"`
	for _, grace := range []time.Duration{0, time.Minute} {
		ctx, cancel := context.WithCancel(t.Context())
		out := &heard{ready: cancel}
		local := &Local{dir: t.TempDir(), patience: time.Millisecond}
		err := local.Run(ctx, command.New(script).WithGrace(grace), "", nil, out)
		var exit *ops.ExitError
		if !errors.Is(err, context.Canceled) || errors.As(err, &exit) != (grace > 0) || exit != nil && exit.Code != 3 {
			t.Errorf("with %s: %v", grace, err)
		}
		out.mu.Lock()
		if text := out.text.String(); strings.Contains(text, "put right") != (grace > 0) {
			t.Errorf("with %s it said %q", grace, text)
		}
		out.mu.Unlock()
		cancel()
	}
}
