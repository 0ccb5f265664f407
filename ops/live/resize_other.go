//go:build !unix

package live

import "os"

// notifyResize does nothing where a resize sends no signal.
func notifyResize(chan<- os.Signal) {}
