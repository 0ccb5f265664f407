package backup

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os/exec"
	"strings"
	"testing"
	"testing/iotest"

	"binnacle/config"
	"binnacle/ops"
	"binnacle/ops/command"
)

// taker is a host whose commands read some of what they are fed.
type taker struct {
	ops.Remote
	take int64
	err  error
}

func (r taker) Stream(_ context.Context, _ command.Line, stdin io.Reader, _ io.Writer) error {
	if _, err := io.CopyN(io.Discard, stdin, r.take); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	return r.err
}

type onePart struct{ io.Reader }

func (p onePart) Open(context.Context, string) (io.ReadCloser, error) { return io.NopCloser(p), nil }

// A command that ends early says nothing about the bytes that it has not read.
func TestFeedReadsToTheEnd(t *testing.T) {
	damaged := errors.New("damaged")
	exit := &ops.ExitError{Code: 1, Output: "unexpected end of file"}
	bad := func() io.Reader { return io.MultiReader(strings.NewReader("0123456789"), iotest.ErrReader(damaged)) }
	for name, c := range map[string]struct {
		from io.Reader
		host taker
		want error
	}{
		"all is well":                {strings.NewReader("0123456789"), taker{take: 3}, nil},
		"damage that it never saw":   {bad(), taker{take: 3}, damaged},
		"damage that it stumbled on": {bad(), taker{take: 20, err: exit}, damaged},
		"its own failure":            {strings.NewReader("0123456789"), taker{take: 3, err: exit}, exit},
	} {
		at := Place{Remote: c.host, Tell: func(ops.Stream, string) {}}
		err := at.feed(t.Context(), "reading it", command.New("cat"), onePart{c.from}, "x", nil)
		if (c.want == nil) != (err == nil) || !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

func TestErrorsNameTheLastCommandOfAScript(t *testing.T) {
	at := Place{Backup: config.Backup{Host: "h"}, Container: "app-db"}
	err := at.failed("dumping", at.sh("export A=1\nlifeline pg_dump -Fc", "x"), &ops.ExitError{Code: 1, Output: "no"})
	var told *ops.Error
	if !errors.As(err, &told) || told.Command != "docker exec -i app-db sh -c '… lifeline pg_dump -Fc' sh x" || told.Host != "h" {
		t.Errorf("%#v", told)
	}
}

// A command below a lifeline has no stdin, ends with its code, is killed when the
// script's stdin ends, and leaves no child behind.
func TestLifeline(t *testing.T) {
	for name, shell := range shells(t) {
		run := func(script string, hold bool) (string, error) {
			cmd := exec.CommandContext(t.Context(), shell[0], append(shell[1:], "-c", lifeline+script)...)
			var out bytes.Buffer
			cmd.Stdout, cmd.Stderr = &out, &out
			stdin, err := cmd.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			if !hold {
				stdin.Close()
			}
			err = cmd.Wait()
			return strings.TrimSpace(out.String()), err
		}
		var exit *exec.ExitError
		if out, err := run(`lifeline sh -c 'cat; echo out; exit 3'; code=$?; read -r left < /proc/$$/task/$$/children; echo "$code[$left]"; exit $code`, true); !errors.As(err, &exit) || exit.ExitCode() != 3 || out != "out\n3[]" {
			t.Errorf("%s: %q, %v", name, out, err)
		}
		if out, err := run(`lifeline sleep 600; echo "$?"`, false); err != nil || !strings.HasSuffix(out, "143") {
			t.Errorf("%s: when stdin ends: %q, %v", name, out, err)
		}
		if out, err := run(`lifeline echo one && lifeline echo two`, true); err != nil || out != "one\ntwo" {
			t.Errorf("%s: two after another: %q, %v", name, out, err)
		}
	}
}
