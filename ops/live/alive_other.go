//go:build !unix

package live

import "os"

// Alive tells whether a process of this machine runs.
func Alive(pid int) bool {
	p, err := os.FindProcess(pid)
	if err != nil {
		return false
	}
	_ = p.Release()
	return true
}
