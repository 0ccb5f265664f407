package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"

	"golang.org/x/crypto/ssh"
)

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

// Private

// unknownKeyError is a host key that no known_hosts file has.
type unknownKeyError struct {
	shown HostKey
	line  string // for known_hosts
	ask   bool   // a person may be asked
}

func (e *unknownKeyError) Error() string {
	return fmt.Sprintf("the host key is not known: %s %s", e.shown.Type, e.shown.Fingerprint)
}

// changedKeyError is a host key other than the one on record, or a revoked one.
type changedKeyError struct {
	shown HostKey
	known []knownKey // what is on record; for a revoked key the revocation
}

func (e *changedKeyError) Error() string {
	if len(e.known) > 0 && e.known[0].marker == markerRevoked {
		return fmt.Sprintf("the host key %s %s is revoked in %s", e.shown.Type, e.shown.Fingerprint, e.known[0].place())
	}
	var known []string
	for _, k := range e.known {
		known = append(known, fmt.Sprintf("%s %s in %s", k.key.Type(), ssh.FingerprintSHA256(k.key), k.place()))
	}
	return fmt.Sprintf("HOST KEY CHANGED: the host shows %s %s, known is %s", e.shown.Type, e.shown.Fingerprint, strings.Join(known, " and "))
}

// authError is a refused log-in, with all that was tried.
type authError struct {
	user  string
	tried []string
	err   error
}

func (e *authError) Error() string {
	if len(e.tried) == 0 {
		return fmt.Sprintf("logging in as %s: there was no key to offer", e.user)
	}
	return fmt.Sprintf("logging in as %s: no key was accepted; tried %s", e.user, strings.Join(e.tried, ", "))
}

func (e *authError) Unwrap() error { return e.err }

// routeError is a failure on the way to a host: at a jump host.
type routeError struct{ err error }

func (e *routeError) Error() string { return "jump host " + e.err.Error() }
func (e *routeError) Unwrap() error { return e.err }

// dialError says in a person's words why the host could not be reached.
func (c *Client) dialError(e *endpoint, err error) *ConnError {
	out := &ConnError{Host: c.name, Op: "dialing " + e.address(), Err: err}
	var (
		route   *routeError
		inner   *ConnError
		unknown *unknownKeyError
		changed *changedKeyError
		auth    *authError
		dns     *net.DNSError
		network net.Error
	)
	switch {
	case c.pool.ctx.Err() != nil:
		out.Kind = Closed
	case errors.As(err, &route) && errors.As(route.err, &inner):
		out.Kind = inner.Kind
	case errors.As(err, &route):
		out.Kind, out.Hint = Misconfigured, "look at ProxyJump in ssh_config and at ssh.proxy in deploy.yml"
	case errors.As(err, &changed):
		out.Kind, out.Hint = HostKeyChanged, changed.hint(e)
	case errors.As(err, &unknown):
		out.Kind, out.Hint = HostKeyUnknown, unknownHint(e)
	case errors.As(err, &auth):
		out.Kind, out.Hint = Auth, auth.hint(e)
	case errors.Is(err, errHandshakeTimeout), errors.Is(err, context.DeadlineExceeded), errors.As(err, &network) && network.Timeout():
		out.Kind, out.Hint = Timeout, fmt.Sprintf("no SSH connection within %s; is the host up and port %d open?", e.timeout, e.port)
	case errors.Is(err, context.Canceled):
		out.Kind = Canceled
	case errors.As(err, &dns):
		out.Kind, out.Hint = Unreachable, "is the name right? ssh_config's HostName can give an address"
	default:
		out.Kind, out.Hint = Unreachable, unreachableHint(e, err)
	}
	if text := sysCause(err); text != nil && out.Kind == Unreachable && route == nil {
		out.Err = text
	}
	return out
}

func (e *changedKeyError) hint(to *endpoint) string {
	if len(e.known) == 0 {
		return ""
	}
	return fmt.Sprintf("refused: either the host was reinstalled or someone is in between; if you are sure, ssh-keygen -R '%s' -f '%s'",
		to.knownAs, e.known[0].path)
}

func (e *authError) hint(to *endpoint) string {
	if e.err != nil && strings.Contains(e.err.Error(), "Too many authentication failures") {
		return "the server gave up after too many keys; name one with ssh.keys and keys_only, or IdentityFile and IdentitiesOnly"
	}
	return fmt.Sprintf("add a public key to ~%s/.ssh/authorized_keys on the host, or name the right one with ssh.keys", to.user)
}

// Helpers

func unknownHint(e *endpoint) string {
	file := "~/.ssh/known_hosts"
	if len(e.userKnown) > 0 {
		file = e.userKnown[0]
	}
	return fmt.Sprintf("compare the fingerprint, then add the key with ssh-keyscan -p %d %s >> %s, or answer the question in the console, or set StrictHostKeyChecking accept-new in ssh_config",
		e.port, e.host, file)
}

func unreachableHint(e *endpoint, err error) string {
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Sprintf("is sshd running and listening on port %d?", e.port)
	case errors.Is(err, errDropped):
		return "sshd turned the connection away; MaxStartups, or a firewall such as fail2ban"
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return "no route to the host; is the network or VPN up?"
	case e.proxyCommand != "":
		return "the ProxyCommand of ssh_config or deploy.yml carries this connection"
	}
	return ""
}

// sysCause is the operating system's short word for a failed dial, where there
// is one: "connection refused" rather than the whole of a net.OpError.
func sysCause(err error) error {
	var op *net.OpError
	if !errors.As(err, &op) || op.Op != "dial" {
		return nil
	}
	var code syscall.Errno
	if errors.As(op.Err, &code) {
		return code
	}
	return op.Err
}

// lossCause names the end of a connection that broke without a word.
func lossCause(err error) error {
	if err == nil || errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed) {
		return errLost
	}
	return err
}

// errLost is the cause of a Lost error when nothing more is known.
var errLost = errors.New("the connection was lost")

// The text below is what golang.org/x/crypto/ssh says where it has no type to
// tell by.

func isAuthFailure(err error) bool {
	text := err.Error()
	return strings.Contains(text, "ssh: unable to authenticate") || strings.Contains(text, "authentication failures") ||
		strings.Contains(text, "too many authentication attempts")
}

func isBroken(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) ||
		strings.Contains(err.Error(), "ssh: disconnect")
}
