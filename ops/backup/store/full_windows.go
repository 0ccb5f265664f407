package store

import (
	"errors"
	"syscall"
)

// isFull tells whether a disk is full, in either of the system's two words.
func isFull(err error) bool {
	const handleDiskFull, diskFull = syscall.Errno(39), syscall.Errno(112)
	return errors.Is(err, handleDiskFull) || errors.Is(err, diskFull)
}
