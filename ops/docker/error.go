package docker

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	cerrdefs "github.com/containerd/errdefs"

	"binnacle/ops"
)

// This file alone knows Docker's own words for failures.

// failed turns any error of a request into one that a person can act on.
func (e *Engine) failed(command string, err error) error {
	if err == nil {
		return nil
	}
	var known *ops.Error
	if errors.As(err, &known) {
		return err
	}
	var dial *dialError
	if errors.As(err, &dial) {
		return &ops.Error{Host: e.host, Command: command, Cause: e.unnamed(dial.cause)}
	}
	var late *timeoutError
	if errors.As(err, &late) {
		return &ops.Error{Host: e.host, Command: command, Cause: err, Hint: "is the Docker daemon of this host busy or hung?"}
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return &ops.Error{Host: e.host, Command: command, Cause: err}
	}
	raw := plain(err)
	out := &ops.Error{Host: e.host, Command: command, Cause: &answer{text: raw, err: err}}
	if cerrdefs.IsNotFound(err) {
		out.Cause = &answer{text: raw, err: err, is: ops.ErrNotFound}
	}
	if t, found := translated(command, raw); found {
		out.Cause = &answer{text: t.cause, err: err, is: t.is}
		out.Hint = t.hint
		out.Evidence = []ops.Evidence{{Title: "Docker's answer", Lines: strings.Split(raw, "\n")}}
	}
	return out
}

// Private

// outdated tells that the engine does not speak the version agreed on any more.
func outdated(err error) bool {
	return cerrdefs.IsInvalidArgument(err) && strings.Contains(err.Error(), "client version")
}

// dialError keeps the cause of a failed connection out of the client's sight,
// which would replace it with advice about a local socket.
type dialError struct{ cause error }

func (d *dialError) Error() string { return "no connection to the Docker socket" }

// errStreamEnded is the end of a stream that the engine should not end.
var errStreamEnded = errors.New("the engine closed the stream")

// timeoutError is a call that took longer than its own bound.
type timeoutError struct{ after time.Duration }

func (t *timeoutError) Error() string { return fmt.Sprintf("no answer within %s", t.after) }
func (t *timeoutError) Timeout() bool { return true }
func (t *timeoutError) Is(target error) bool {
	return target == context.DeadlineExceeded
}

// answer is what Docker said, in our words, with what it means to a program.
type answer struct {
	text string
	err  error
	is   error
}

func (a *answer) Error() string   { return a.text }
func (a *answer) Unwrap() []error { return compact(a.is, a.err) }

// translation is the meaning of one of Docker's failures.
type translation struct {
	cause string
	hint  string
	is    error
}

// phrase is a piece of Docker's text and what it means.
type phrase struct {
	words []string // any of them, lower case
	say   func(command, raw string) translation
}

// translated finds the meaning of a failure. The order matters: a registry's
// refusal often carries several of the words.
func translated(command, raw string) (translation, bool) {
	lower := strings.ToLower(raw)
	for _, p := range phrases() {
		for _, w := range p.words {
			if strings.Contains(lower, w) {
				return p.say(command, raw), true
			}
		}
	}
	if strings.HasPrefix(command, "docker pull ") {
		for _, p := range registryPhrases() {
			for _, w := range p.words {
				if strings.Contains(lower, w) {
					return p.say(command, raw), true
				}
			}
		}
	}
	return translation{}, false
}

func phrases() []phrase {
	return []phrase{
		{[]string{"no space left on device"}, always("no space left on device",
			"`docker system df` shows what takes the space; prune removes old images and containers")},
		{[]string{"is already in use by container"}, nameTaken},
		{[]string{"no such container", "no such image", "no such exec"}, absent},
		{[]string{"unable to remove repository reference", "image is being used by", "image has dependent child images"}, imageInUse},
		{[]string{"does not support reading"}, always("its logging driver keeps no readable logs",
			"set logging driver json-file or local in deploy.yml to see logs here")},
		{[]string{"is not running"}, always("the container is not running", "")},
		{[]string{"client version", "is not supported by this client"}, always("the Docker engine speaks another API version", "try again; Docker 19.03 or newer is needed")},
	}
}

func registryPhrases() []phrase {
	return []phrase{
		{[]string{"no matching manifest"}, always("the image has no build for this machine's architecture",
			"add the architecture to builder: arch: in deploy.yml")},
		{[]string{"toomanyrequests", "rate limit"}, always("the registry's rate limit is reached", "log in to the registry, or wait")},
		{[]string{"pull access denied", "unauthorized", "no basic auth credentials", "authentication required",
			"incorrect username or password", "denied: ", "403 forbidden"}, always("access denied by the registry",
			"check registry: username and password, and that the repository exists")},
		{[]string{"manifest unknown", "manifest for", "name unknown", "not found"}, notPushed},
		{[]string{"server gave http response to https client"}, always("the registry speaks HTTP where Docker wants HTTPS",
			"put TLS in front of it, or list it in insecure-registries of the host's Docker daemon")},
		{[]string{"x509:", "tls: failed to verify"}, always("the registry's certificate is not trusted",
			"is it self-signed or expired? the host's Docker daemon must know its authority")},
		{[]string{"no such host", "server misbehaving", "temporary failure in name resolution"}, noSuchHost},
		{[]string{"connection refused"}, refused},
		{[]string{"i/o timeout", "tls handshake timeout", "client.timeout exceeded", "request canceled while waiting",
			"deadline exceeded", "no route to host", "network is unreachable"}, silent},
		{[]string{"connection reset", "unexpected eof", "broken pipe"}, always("the connection to the registry broke", "try again")},
	}
}

var (
	dialed   = regexp.MustCompile(`dial tcp ([^\s:]+:\d+|\[[^\]]+\]:\d+)`)
	looked   = regexp.MustCompile(`lookup ([^\s:]+)`)
	holder   = regexp.MustCompile(`(?i)name "?/?([^"\s]+)"? is already in use by container "?([0-9a-f]{12})`)
	usedBy   = regexp.MustCompile(`container ([0-9a-f]{12})`)
	prefixes = regexp.MustCompile(`^(Error response from daemon: )+`)
)

func always(cause, hint string) func(string, string) translation {
	return func(string, string) translation { return translation{cause: cause, hint: hint} }
}

func absent(_, raw string) translation {
	return translation{cause: strings.ToLower(raw[:1]) + raw[1:], is: ops.ErrNotFound}
}

func notPushed(command, _ string) translation {
	return translation{
		cause: "no such image in the registry", hint: "was " + lastWord(command) + " built and pushed?", is: ops.ErrNotFound,
	}
}

func nameTaken(_, raw string) translation {
	if m := holder.FindStringSubmatch(raw); m != nil {
		return translation{cause: "the name " + m[1] + " is taken", hint: "container " + m[2] + " has it: rename or remove that one first"}
	}
	return translation{cause: "the name is taken", hint: "rename or remove the container that has it"}
}

func imageInUse(_, raw string) translation {
	if m := usedBy.FindStringSubmatch(raw); m != nil {
		return translation{cause: "the image is in use by container " + m[1]}
	}
	return translation{cause: "the image is in use"}
}

func noSuchHost(_, raw string) translation {
	if m := looked.FindStringSubmatch(raw); m != nil {
		return translation{cause: "no such host: " + m[1], hint: "can this host resolve " + m[1] + "?"}
	}
	return translation{cause: "no such host", hint: "can this host resolve the registry's name?"}
}

func refused(_, raw string) translation {
	return translation{cause: "connection refused", hint: "is the registry up?" + reached(raw)}
}

func silent(_, raw string) translation {
	return translation{cause: "the registry does not answer", hint: "is it up, and may this host reach it?" + reached(raw)}
}

// unnamed drops the host from the front of a connection's error, because the
// error around it says it already.
func (e *Engine) unnamed(err error) error {
	if text, found := strings.CutPrefix(err.Error(), e.host+": "); found {
		return &answer{text: text, err: err}
	}
	return err
}

// Helpers

func reached(raw string) string {
	if m := dialed.FindStringSubmatch(raw); m != nil {
		return " Docker on this host tried " + m[1]
	}
	return ""
}

// plain is Docker's message without the client's words around it.
func plain(err error) string {
	text := strings.TrimPrefix(err.Error(), "error during connect: ")
	text = strings.TrimSpace(prefixes.ReplaceAllString(text, ""))
	if text == "" {
		return "the engine gave no reason"
	}
	return text
}

func lastWord(command string) string { return command[strings.LastIndexByte(command, ' ')+1:] }

func compact(errs ...error) []error {
	var out []error
	for _, err := range errs {
		if err != nil {
			out = append(out, err)
		}
	}
	return out
}
