package remote

import "fmt"

// Kind is the short reason of a failure.
type Kind string

// The reasons for which a host cannot be used.
const (
	Unreachable    Kind = "unreachable"
	Timeout        Kind = "timeout"
	Auth           Kind = "auth"
	HostKeyUnknown Kind = "host key unknown"
	HostKeyChanged Kind = "host key changed"
	Lost           Kind = "lost"     // the connection broke; a command may still be running
	Refused        Kind = "refused"  // the host is there and will not open this channel
	Canceled       Kind = "canceled" // the caller's context ended
	Misconfigured  Kind = "misconfigured"
	Closed         Kind = "closed" // the Pool is closed
)

// ConnError says that a host could not be reached or was lost, as opposed to
// a command that ran and failed (see ExitError). It wraps its cause.
type ConnError struct {
	Host string // as in deploy.yml
	Kind Kind
	Op   string // such as "dialing 10.0.0.2:22"
	Hint string // what to do next; may be empty
	Err  error
}

// Error gives host, what was being done, the cause and the hint.
func (e *ConnError) Error() string {
	text := e.Host + ": " + e.Op
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	if e.Hint != "" {
		text += " (" + e.Hint + ")"
	}
	return text
}

// Unwrap returns the cause.
func (e *ConnError) Unwrap() error { return e.Err }

// ExitError says that a remote command ran and did not exit with 0.
type ExitError struct {
	Host   string
	Code   int    // 128 + n when a signal ended it
	Signal string // such as "TERM"; empty when it exited by itself
	Stderr string // the last 4 KB, where Output collected them; not part of Error, it may hold anything
}

// Error gives the host and the exit code or signal.
func (e *ExitError) Error() string {
	if e.Signal != "" {
		return fmt.Sprintf("%s: command was ended by signal %s", e.Host, e.Signal)
	}
	return fmt.Sprintf("%s: command exited with %d", e.Host, e.Code)
}
