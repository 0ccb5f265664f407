package store

import (
	"context"
	"errors"
	"io/fs"

	"binnacle/ops"
	"binnacle/ops/remote"
)

// failed is an error of the store at a place, told for people. key is the object
// that it is about, if it is about one.
func failed(at, key string, err error) error {
	told := &ops.Error{Summary: "store " + at, Cause: err}
	if key != "" {
		told.Summary += ": " + key
	}
	var known *fault
	var conn *remote.ConnError
	switch {
	case errors.As(err, &known):
		told.Cause, told.Hint = known, known.hint
	case errors.As(err, &conn) && conn.Err != nil:
		told.Cause, told.Hint = &fault{text: conn.Op + ": " + conn.Err.Error(), err: err}, conn.Hint
	case errors.Is(err, fs.ErrPermission):
		told.Hint = "whoever uses the store has to be allowed to write there"
	case errors.Is(err, context.DeadlineExceeded):
		told.Cause = &fault{text: "it did not answer in time", err: err}
	}
	return told
}

// fault is what is wrong with a store in words for people, and what to do next.
type fault struct {
	text string
	hint string
	err  error // in the words of the foreign system; not shown
}

func (f *fault) Error() string { return f.text }
func (f *fault) Unwrap() error { return f.err }

func full(err error) error {
	return &fault{text: "the disk is full", hint: "make room there; `binnacle backup prune` removes what need not be kept", err: err}
}
