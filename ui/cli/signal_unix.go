//go:build unix

package cli

import (
	"os"
	"os/signal"
	"syscall"
)

func cancelSignals() []os.Signal { return []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP} }

// cancelSignal asks another process to stop its task.
func cancelSignal() os.Signal { return syscall.SIGTERM }

// outliveReader lets a change go on when nobody reads its output any more, as with
// `deploy | head`: dying of it would leave the lock. The signal is caught and not
// ignored, which the commands that are started would inherit.
func outliveReader() (stop func()) {
	caught := make(chan os.Signal, 1) // nobody looks: the write fails by itself
	signal.Notify(caught, syscall.SIGPIPE)
	return func() { signal.Stop(caught) }
}
