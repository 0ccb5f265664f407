package backup

import (
	"context"
	"errors"
	"strings"

	"binnacle/ops"
)

// ErrDamaged tells that a backup itself is at fault, not the way to it: what is
// stored is not what was dumped, or cannot be restored to that.
var ErrDamaged = errors.New("the backup is damaged")

// Private

// damage is why a backup is damaged.
type damage struct{ error }

func (d damage) Is(target error) bool { return target == ErrDamaged }
func (d damage) Unwrap() error        { return d.error }

// Helpers

// unreadable blames an archive that ended in the middle of something, or makes no
// sense. What the store says of it is left as it is.
func unreadable(err error) error {
	if told := new(ops.Error); err == nil || errors.As(err, &told) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return &ops.Error{Summary: "the archive cannot be read", Cause: damage{err}, Hint: "binnacle backup verify tells which backups are whole"}
}

// refused blames an archive that a tool of the container did not take. A tool that
// could not run, or had no room, says nothing of it.
func refused(err error) error {
	var told *ops.Error
	var exit *ops.ExitError
	if !errors.As(err, &told) || !errors.As(err, &exit) || exit.Signal != "" || exit.Code >= 125 {
		return err
	}
	for _, text := range []string{"Error response from daemon", "No space left on device"} {
		if strings.Contains(exit.Output, text) {
			return err
		}
	}
	blamed := *told
	blamed.Cause = damage{told.Cause}
	return &blamed
}
