package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"

	"binnacle/ops"
	"binnacle/ops/live"
	"binnacle/ops/remote"
)

// prompt asks the person at the terminal about host keys and passphrases.
type prompt struct{ program Program }

var _ live.Asker = (*prompt)(nil)

// TrustHostKey shows a fingerprint and wants "yes" in full, as ssh does.
func (q *prompt) TrustHostKey(ctx context.Context, key remote.HostKey) (bool, error) {
	_, _ = fmt.Fprintf(q.program.Stderr,
		"The host key of %s (%s) is not known.\n%s fingerprint: %s\nTrust it and remember it? Type yes or no: ",
		key.Host, key.Address, key.Type, key.Fingerprint)
	line, err := q.program.readLine(ctx)
	return strings.TrimSpace(line) == "yes", err
}

// Passphrase asks for the passphrase of a key, unseen.
func (q *prompt) Passphrase(_ context.Context, path string, again bool) ([]byte, error) {
	if again {
		_, _ = fmt.Fprintln(q.program.Stderr, "That was not it.")
	}
	_, _ = fmt.Fprintf(q.program.Stderr, "Passphrase of %s: ", path)
	file, ok := q.program.Stdin.(*os.File)
	if !ok {
		return nil, errors.New("no terminal to ask for the passphrase")
	}
	typed, err := term.ReadPassword(int(file.Fd()))
	_, _ = fmt.Fprintln(q.program.Stderr)
	return typed, err
}

// Ask asks what a task wants to know before it goes on: which of two choices, the
// first of which is the safe one.
func (q *prompt) Ask(ctx context.Context, question ops.Question) (ops.Answer, error) {
	_, _ = fmt.Fprintln(q.program.Stderr, question.Title)
	for _, l := range question.Lines {
		_, _ = fmt.Fprintln(q.program.Stderr, "  "+l)
	}
	safe, other := question.Choices[0], question.Choices[len(question.Choices)-1]
	yes, err := q.program.confirm(ctx, other+"?")
	switch {
	case errors.Is(err, io.EOF):
		return ops.Answer{}, ops.ErrNobody
	case yes:
		return ops.Answer{Choice: other, Given: true}, nil
	}
	return ops.Answer{Choice: safe, Given: true}, err
}

// confirm asks a yes-or-no question. Only y is yes, as with Kamal.
func (p Program) confirm(ctx context.Context, question string) (bool, error) {
	_, _ = fmt.Fprintf(p.Stderr, "%s [y/N] ", question)
	line, err := p.readLine(ctx)
	if err != nil {
		return false, err
	}
	return strings.TrimSpace(line) == "y", nil
}

// readLine reads one line; the end of the context ends the wait.
func (p Program) readLine(ctx context.Context) (string, error) {
	type answer struct {
		line string
		err  error
	}
	got := make(chan answer, 1)
	go func() {
		line, err := bufio.NewReader(p.Stdin).ReadString('\n')
		if errors.Is(err, io.EOF) && line != "" {
			err = nil
		}
		got <- answer{line, err}
	}()
	select {
	case a := <-got:
		return a.line, a.err
	case <-ctx.Done():
		return "", ctx.Err()
	}
}
