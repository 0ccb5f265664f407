//go:build !windows

package store

import (
	"errors"
	"syscall"
)

// isFull tells whether a disk, or the share of it that a user may fill, is full.
func isFull(err error) bool { return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) }
