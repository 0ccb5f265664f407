//go:build unix

package cli

import (
	"os"
	"syscall"
)

func cancelSignals() []os.Signal { return []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP} }

// cancelSignal asks another process to stop its task.
func cancelSignal() os.Signal { return syscall.SIGTERM }
