package watch

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"syscall"

	"binnacle/ops"
)

// reason says in a few words why a host does not answer.
func (o Options) reason(err error) string {
	if o.Reason != nil {
		if text := o.Reason(err); text != "" {
			return text
		}
	}
	var unknown *net.DNSError
	var timeout interface{ Timeout() bool }
	switch {
	case errors.As(err, &unknown):
		return "dial: unknown host"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "dial: refused"
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return "dial: no route"
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return "timed out"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.ErrClosedPipe),
		errors.Is(err, net.ErrClosed), errors.Is(err, syscall.ECONNRESET):
		return "connection lost"
	}
	var known *ops.Error
	if errors.As(err, &known) && known.Cause != nil {
		err = known.Cause
	}
	return shortened(err.Error())
}

// Helpers

const longestReason = 60

func shortened(text string) string {
	text, _, _ = strings.Cut(text, "\n")
	if runes := []rune(text); len(runes) > longestReason {
		return string(runes[:longestReason-1]) + "…"
	}
	return text
}
