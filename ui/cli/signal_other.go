//go:build !unix

package cli

import "os"

func cancelSignals() []os.Signal { return []os.Signal{os.Interrupt} }

// cancelSignal asks another process to stop its task.
func cancelSignal() os.Signal { return os.Interrupt }

// outliveReader has nothing to do where a write to a closed pipe is only an error.
func outliveReader() (stop func()) { return func() {} }
