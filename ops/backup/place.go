package backup

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"binnacle/ops"
	"binnacle/ops/command"
)

// ScratchOf is the label that tells of a throwaway container whose it is:
// CONTAINER/NAME, the place's container and what is backed up.
const ScratchOf = "binnacle.of"

// Private

// maxAnswer bounds what a command may answer that is kept in memory.
const maxAnswer = 64 << 20

// sh is a script run by the sh of the place's container, with positional
// arguments. Neither may hold a secret: process lists show both.
func (p Place) sh(script string, args ...string) command.Line {
	words := []string{"exec", "-i", p.Container, "sh", "-c", strings.TrimSpace(script)}
	if len(args) > 0 {
		words = append(append(words, "sh"), args...)
	}
	return p.docker(words...)
}

// docker is a docker command of the host, each word quoted.
func (p Place) docker(words ...string) command.Line {
	line := command.New("docker")
	for _, word := range words {
		line = line.With(command.Quote(word))
	}
	return line
}

// stream runs a line on the host with bytes going in and out (nil: none), and
// tells the transcript. What is its purpose, for an error: "reading the tables".
func (p Place) stream(ctx context.Context, what string, line command.Line, stdin io.Reader, stdout io.Writer) error {
	p.Tell(ops.Ran, "# "+what)
	p.Tell(ops.Ran, line.String())
	return p.failed(what, line, p.Remote.Stream(ctx, line, stdin, stdout))
}

// answer is stream for a line that prints little; line breaks at the end are cut.
func (p Place) answer(ctx context.Context, what string, line command.Line, stdin io.Reader) (string, error) {
	var out bounded
	err := p.stream(ctx, what, line, stdin, &out)
	return strings.TrimRight(out.kept.String(), "\r\n"), err
}

// attached is stream for a script that uses the function lifeline: its stdin
// stays open for as long as the command runs.
func (p Place) attached(ctx context.Context, what string, line command.Line, stdout io.Writer) error {
	r, w := io.Pipe()
	defer w.Close()
	return p.stream(ctx, what, line, r, stdout)
}

// beating is attached for a script that has to know whether we still live while
// nothing of its output is taken: a line comes in every now and then.
func (p Place) beating(ctx context.Context, what string, line command.Line, stdout io.Writer) error {
	beat := &beats{tick: time.NewTicker(beatEvery), over: make(chan struct{})}
	defer beat.tick.Stop()
	defer close(beat.over)
	return p.stream(ctx, what, line, beat, stdout)
}

// feed is stream with a part of a backup as stdin. What the command leaves is
// read to the end, so that the bytes are known to be those that were dumped; an
// error of the source comes before that of the command, which it explains.
func (p Place) feed(ctx context.Context, what string, line command.Line, from Source, part string, stdout io.Writer) error {
	reading, stop := context.WithCancel(ctx)
	defer stop()
	r, err := from.Open(reading, part)
	if err != nil {
		return err
	}
	defer r.Close()
	source := &noted{r: r}
	err = p.stream(ctx, what, line, source, stdout)
	if err == nil {
		_, _ = io.Copy(io.Discard, source)
	}
	return cmp.Or(source.end(stop), refused(err))
}

// failed tells the failure of a line for people. A lost connection or a failure
// of the other end of the stream tells itself.
func (p Place) failed(what string, line command.Line, err error) error {
	var exit *ops.ExitError
	if !errors.As(err, &exit) {
		return err
	}
	return &ops.Error{Host: p.Host, Summary: what, Command: brief(line), Cause: err}
}

// throwaway is `docker run` for a container of the place's image, or another,
// that scratches and removeScratch find again: without network, with its data in
// a volume of its own. The words follow: options, image, command.
func (p Place) throwaway(name string, words ...string) command.Line {
	return p.throwawayOn("none", name, words...)
}

// throwawayOn is throwaway on a network.
func (p Place) throwawayOn(network, name string, words ...string) command.Line {
	return p.docker(append([]string{"run", "-d", "--name", name, "--label", p.Label, "--label", p.scratchOf(), "--network", network}, words...)...)
}

// scratches lists the throwaway containers that were made of the place.
func (p Place) scratches(ctx context.Context) ([]string, error) {
	names, err := p.answer(ctx, "listing throwaway containers", p.docker("ps", "-a", "--filter", "label="+p.scratchOf(), "--format", "{{.Names}}"), nil)
	return strings.Fields(names), err
}

// removeScratch removes a throwaway container with its volume. Containers of
// that name that are none stay.
func (p Place) removeScratch(ctx context.Context, name string) error {
	names, err := p.scratches(ctx)
	if err != nil || !slices.Contains(names, name) {
		return err
	}
	_, err = p.answer(ctx, "removing the throwaway container", p.docker("rm", "-f", "-v", name), nil)
	return err
}

func (p Place) scratchOf() string { return ScratchOf + "=" + p.Container + "/" + p.Name }

// Helpers

// lifeline is a function of sh that runs a command without stdin and kills it
// when the stdin of the script ends: docker exec leaves its process behind, with
// all the locks it holds, when the client goes away. It leaves no child behind: a
// PostgreSQL that is process 1 of its container takes the death of an orphan for
// that of a session, and ends all of them. A shell that has just been forked can
// lose a signal that its parent traps.
const lifeline = `exec 3<&0
lifeline() {
  trap 'kill "$run"' HUP INT TERM
  "$@" 3<&- </dev/null & run=$!
  (read -r _; while kill "$run"; do sleep 1; done) <&3 >/dev/null 2>&1 & watch=$!
  while :; do
    wait "$run"; code=$?
    kill -0 "$run" 2>/dev/null || break
  done
  { kill -9 "$watch"; wait "$watch"; } 2>/dev/null
  return "$code"
}
`

// brief is a line without the preparations of its script; the transcript has them.
func brief(line command.Line) string {
	text := line.String()
	start, script, found := strings.Cut(text, "sh -c ")
	last := strings.LastIndexByte(script, '\n')
	if !found || last < 0 {
		return text
	}
	return start + "sh -c '… " + script[last+1:]
}

// uncut is a context for a command that is short and must not go on behind the
// back of what tidies up after it.
func uncut(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), 2*time.Minute)
}

// hint gives an error for people a hint, unless it has one.
func hint(err error, text string) error {
	var told *ops.Error
	if errors.As(err, &told) && told.Hint == "" {
		told.Hint = text
	}
	return err
}

// output is what a command that failed printed last; "" for another error.
func output(err error) string {
	var exit *ops.ExitError
	if errors.As(err, &exit) {
		return exit.Output
	}
	return ""
}

// noted keeps the error of its reader apart from all others. A command that ends
// early leaves somebody in Read: reads are one at a time, and none after end.
type noted struct {
	mu    sync.Mutex
	r     io.Reader
	err   error
	ended atomic.Bool
}

func (n *noted) Read(b []byte) (int, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.ended.Load() {
		return 0, io.ErrClosedPipe
	}
	count, err := n.r.Read(b)
	if err != nil && !errors.Is(err, io.EOF) && !n.ended.Load() {
		n.err = err
	}
	return count, err
}

// end stops a Read under way, waits for it and returns the reader's own error.
func (n *noted) end(stop func()) error {
	n.ended.Store(true)
	stop()
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.err
}

// beats is an empty line every now and then, until it is over.
type beats struct {
	tick *time.Ticker
	over chan struct{}
}

// beatEvery is well below what a script takes for silence.
const beatEvery = 15 * time.Second

func (b *beats) Read(to []byte) (int, error) {
	if len(to) == 0 {
		return 0, nil
	}
	select {
	case <-b.tick.C:
		return copy(to, "\n"), nil
	case <-b.over:
		return 0, io.EOF
	}
}

// bounded keeps what is written to it, up to a bound.
type bounded struct{ kept bytes.Buffer }

func (b *bounded) Write(text []byte) (int, error) {
	if b.kept.Len()+len(text) > maxAnswer {
		return 0, fmt.Errorf("it answers more than %d MiB", maxAnswer>>20)
	}
	return b.kept.Write(text)
}
