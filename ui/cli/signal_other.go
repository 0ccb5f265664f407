//go:build !unix

package cli

import "os"

func cancelSignals() []os.Signal { return []os.Signal{os.Interrupt} }

// cancelSignal asks another process to stop its task.
func cancelSignal() os.Signal { return os.Interrupt }
