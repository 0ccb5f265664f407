package remote

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestRunTellsHowACommandEnded(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.server()
	host := b.pool().Host("vm1")
	for _, tc := range []struct {
		name, shell, stdin     string
		stdout, stderr, signal string
		code                   int
	}{
		{name: "success", shell: "echo out; echo err >&2", stdout: "out\n", stderr: "err\n"},
		{name: "exit code", shell: "echo before; exit 7", stdout: "before\n", code: 7},
		{name: "stdin", shell: "cat; echo end", stdin: "some bytes\n", stdout: "some bytes\nend\n"},
		{name: "stdin not read", shell: "exit 3", stdin: strings.Repeat("x", 8<<20), code: 3},
		{name: "signal", shell: "kill -KILL $$", code: 137, signal: "KILL"},
		{name: "not found", shell: "no-such-command-here 2>/dev/null", code: 127},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			var stdout, stderr bytes.Buffer
			cmd := Command{Shell: tc.shell, Stdout: &stdout, Stderr: &stderr}
			if tc.stdin != "" {
				cmd.Stdin = strings.NewReader(tc.stdin)
			}
			result, err := host.Run(within(t), cmd)
			var exit *ExitError
			if (tc.code != 0) != errors.As(err, &exit) || tc.code == 0 && err != nil {
				t.Fatalf("error is %v", err)
			}
			if result.ExitCode != tc.code || result.Signal != tc.signal || stdout.String() != tc.stdout || stderr.String() != tc.stderr {
				t.Errorf("got %+v, stdout %q, stderr %q", result, stdout.String(), stderr.String())
			}
			if result.Duration <= 0 {
				t.Errorf("the duration is %s", result.Duration)
			}
		})
	}
}

func TestEverythingSharesOneConnection(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	server := b.server()
	pool := b.pool()
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			if out, err := pool.Host("vm1").Output(within(t), "echo hello"); err != nil || out != "hello\n" {
				t.Errorf("got %q, %v", out, err)
			}
		})
	}
	group.Wait()
	stats := pool.Stats()["vm1"]
	if server.connections() != 1 || stats.Dials != 1 || stats.Sessions != 8 || stats.Requests != 8 || stats.Waits != 16 {
		t.Errorf("%d connections, %+v", server.connections(), stats)
	}
}

func TestManyStreamsOutgrowTheServersSessionLimit(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	server := b.server("MaxSessions 2")
	pool := b.pool()
	host := pool.Host("vm1")
	ctx, cancel := context.WithCancel(within(t))
	var following sync.WaitGroup
	for i := range 5 {
		r, w := io.Pipe()
		following.Go(func() {
			_, err := host.Run(ctx, Command{Shell: fmt.Sprintf("echo up; exec sleep 2%d", i), Stdout: w})
			if !errors.Is(err, context.Canceled) {
				t.Errorf("a stream ended with %v", err)
			}
			_ = w.Close()
		})
		line := make([]byte, 3)
		if _, err := io.ReadFull(r, line); err != nil {
			t.Fatalf("a stream did not start: %v", err)
		}
	}
	if out, err := host.Output(ctx, "echo still here"); err != nil || out != "still here\n" {
		t.Errorf("beside the streams: %q, %v", out, err)
	}
	cancel()
	following.Wait()
	if n := server.connections(); n < 3 || n > maxLinks {
		t.Errorf("%d connections for 5 streams and a command, 2 sessions each", n)
	}
}

func TestCancelEndsTheRemoteCommand(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.server()
	host := b.pool().Host("vm1")
	for _, tc := range []struct{ name, shell string }{
		{"a command that heeds TERM", "echo $$; exec sleep 300"},
		{"a shell with a child", "echo $$; sleep 300; echo not reached"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithCancel(within(t))
			var out lockedBuffer
			ended := make(chan error, 1)
			go func() {
				_, err := host.Run(ctx, Command{Shell: tc.shell, Stdout: &out})
				ended <- err
			}()
			eventually(t, "the command runs", func() bool { return strings.HasSuffix(out.String(), "\n") })
			pid := strings.TrimSpace(out.String())
			cancel()
			err := <-ended
			var conn *ConnError
			if !errors.As(err, &conn) || conn.Kind != Canceled || !errors.Is(err, context.Canceled) {
				t.Errorf("Run ended with %v", err)
			}
			if _, err := host.Output(within(t), "kill -0 "+pid+" 2>/dev/null"); err == nil {
				t.Errorf("process %s is still there", pid)
			}
		})
	}
}

func TestCancelReturnsThoughTheCommandDoesNotEnd(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.server()
	host := b.pool().Host("vm1")
	ctx, cancel := context.WithCancel(within(t))
	var out lockedBuffer
	ended := make(chan error, 1)
	go func() {
		_, err := host.Run(ctx, Command{Shell: "trap '' TERM HUP; echo $$; while :; do sleep 1; done", Stdout: &out})
		ended <- err
	}()
	eventually(t, "the command runs", func() bool { return strings.Contains(out.String(), "\n") })
	pid, _, _ := strings.Cut(out.String(), "\n")
	start := time.Now()
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("Run ended with %v", err)
	}
	if took := time.Since(start); took > cancelGrace+2*time.Second {
		t.Errorf("it took %s", took)
	}
	if _, err := host.Output(within(t), "kill -KILL "+pid); err != nil {
		t.Errorf("the process should have gone on: %v", err)
	}
}

func TestAFailingInputFailsTheCommand(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.server()
	broken := errors.New("disk on fire")
	_, err := b.pool().Host("vm1").Run(within(t), Command{
		Shell: "cat >/dev/null", Stdin: io.MultiReader(strings.NewReader("half"), errReader{broken}),
	})
	if !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
}

func TestALostConnectionIsToldFromAnExitCode(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	server := b.server()
	pool := b.pool()
	pool.jitter = func(time.Duration) time.Duration { return 0 }
	host := pool.Host("vm1")
	if host.State().Phase != Idle {
		t.Errorf("before: %+v", host.State())
	}
	var out lockedBuffer
	ended := make(chan error, 1)
	go func() {
		_, err := host.Run(within(t), Command{Shell: "echo up; exec sleep 20", Stdout: &out})
		ended <- err
	}()
	eventually(t, "the command runs", func() bool { return out.String() == "up\n" })
	connected := host.State()
	if connected.Phase != Connected || connected.Err != nil {
		t.Errorf("connected: %+v", connected)
	}
	server.cut()
	var conn *ConnError
	if err := <-ended; !errors.As(err, &conn) || conn.Kind != Lost || conn.Host != "vm1" {
		t.Errorf("the command ended with %v", err)
	}
	<-connected.Changed
	if state := host.State(); state.Phase != Failed || !errors.As(state.Err, &conn) || conn.Kind != Lost {
		t.Errorf("after the loss: %+v", state)
	}
	if out, err := host.Output(within(t), "echo again"); err != nil || out != "again\n" {
		t.Errorf("after the loss: %q, %v", out, err)
	}
	if stats := pool.Stats()["vm1"]; stats.Dials != 2 {
		t.Errorf("%+v", stats)
	}
}

type errReader struct{ err error }

func (r errReader) Read([]byte) (int, error) { return 0, r.err }
