package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"golang.org/x/term"

	"binnacle/ops"
	"binnacle/ops/live"
)

// ExitCode ends a command with the exit code of the remote one that the person
// was connected to.
type ExitCode int

// Error is for those who do not know what it is.
func (c ExitCode) Error() string { return fmt.Sprintf("exit code %d", int(c)) }

// attach connects the person to the command that the plan left for them.
func (p Program) attach(ctx context.Context, f *flags, s *live.Session, plan ops.Plan) error {
	ctx, stop := context.WithCancel(ctx)
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, cancelSignals()...)
	defer signal.Stop(signals)
	var got syscall.Signal
	var watching sync.WaitGroup
	watching.Go(func() {
		select {
		case sig := <-signals:
			got, _ = sig.(syscall.Signal)
			stop()
		case <-ctx.Done():
		}
	})
	p.announce(f, plan)
	err := s.World.Attach(ctx, *plan.Attach, p.Stdin, p.Stdout, p.Stderr)
	stop()
	watching.Wait()
	var exit *ops.ExitError
	switch {
	case got != 0:
		return ExitCode(128 + int(got))
	case errors.As(err, &exit):
		return ExitCode(exit.Code)
	case err == nil && !plan.Raw:
		_, _ = fmt.Fprintln(p.Stdout)
	}
	return err
}

// Private

// announce says where the command runs: above its output as with any other, or
// beside it when nothing but its bytes may be there.
func (p Program) announce(f *flags, plan ops.Plan) {
	switch {
	case f.quiet:
	case plan.Attach.TTY:
		_, _ = fmt.Fprintf(p.Stderr, "%s on %s\n", plan.Title, plan.Attach.Host)
	case !plan.Raw:
		_, _ = fmt.Fprintln(p.Stdout, hostHeading(plan, plan.Attach.Host))
	case isTerminal(p.Stdout):
		_, _ = fmt.Fprintln(p.Stderr, hostHeading(plan, plan.Attach.Host))
	}
}

// Helpers

// hostHeading stands above what a command printed on a host, as with Kamal.
func hostHeading(plan ops.Plan, host string) string { return plan.Heading + " Host: " + host }

// stdinOf tells what a standard input is good for.
func stdinOf(r io.Reader) ops.Stdin {
	file, ok := r.(*os.File)
	if !ok {
		if r == nil {
			return ops.NoStdin
		}
		return ops.StdinData
	}
	info, err := file.Stat()
	switch {
	case err != nil:
		return ops.NoStdin
	case info.Mode().IsRegular():
		return ops.StdinFile
	case info.Mode()&(os.ModeNamedPipe|os.ModeSocket) != 0:
		return ops.StdinData
	case isTerminal(file):
		return ops.StdinTerminal
	}
	return ops.NoStdin
}

func isTerminal(stream any) bool {
	file, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}
