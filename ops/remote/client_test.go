package remote

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/crypto/ssh"
)

// inBubble runs a test on a Pool, a server in memory and a clock of its own.
func inBubble(t *testing.T, prepare func(*bench, *memServer), test func(*testing.T, *Pool, *memServer)) {
	t.Helper()
	b, s := newMemBench(t)
	if prepare != nil {
		prepare(b, s)
	}
	synctest.Test(t, func(t *testing.T) {
		b.t = t
		pool := b.pool()
		pool.dialNet = s.dial
		defer s.stop()
		defer func() { _ = pool.Close() }()
		test(t, pool, s)
	})
}

func TestKeepAliveNoticesASilentHost(t *testing.T) {
	t.Parallel()
	inBubble(t, func(_ *bench, s *memServer) {
		s.exec = func(_ string, _ ssh.Channel, signals <-chan string) (int, bool) { <-signals; return 0, false }
	}, func(t *testing.T, pool *Pool, s *memServer) {
		host := pool.Host("vm1")
		ended := make(chan error, 1)
		go func() {
			_, err := host.Run(t.Context(), Command{Shell: "follow"})
			ended <- err
		}()
		time.Sleep(95 * time.Second)
		if s.answered() != 3 || host.State().Phase != Connected {
			t.Errorf("after 95 s: %d signs of life, %+v", s.answered(), host.State())
		}
		s.freeze()
		start := time.Now()
		wantKind(t, <-ended, Lost)
		if took := time.Since(start); took > defaultKeepAlive+defaultAliveReply {
			t.Errorf("it took %s to notice", took)
		}
		synctest.Wait()
		if state := host.State(); state.Phase != Failed {
			t.Errorf("%+v", state)
		}
		if out, err := host.Output(withTimeout(t, time.Minute), "true"); err == nil {
			t.Errorf("the bubble's exec waits for a signal, got %q", out)
		}
	})
}

func TestASilentServerTimesOut(t *testing.T) {
	t.Parallel()
	inBubble(t, nil, func(t *testing.T, pool *Pool, _ *memServer) {
		server, client := memPipe()
		defer func() { _ = server.Close() }()
		pool.dialNet = func(context.Context, string, string) (net.Conn, error) { return client, nil }
		start := time.Now()
		wantKind(t, pool.Host("vm1").Connect(t.Context()), Timeout)
		if took := time.Since(start); took != defaultDialTimeout {
			t.Errorf("it took %s", took)
		}
	})
}

func TestThePersonMayTakeLongerThanTheServer(t *testing.T) {
	t.Parallel()
	inBubble(t, func(b *bench, _ *memServer) {
		b.lock("open sesame")
		b.asker = &slowAsker{scriptedAsker: scriptedAsker{passphrases: []string{"open sesame"}}, takes: 3 * time.Minute}
	}, func(t *testing.T, pool *Pool, _ *memServer) {
		if err := pool.Host("vm1").Connect(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestDialsWaitBetweenFailures(t *testing.T) {
	t.Parallel()
	inBubble(t, nil, func(t *testing.T, pool *Pool, s *memServer) {
		down := true
		pool.dialNet = func(ctx context.Context, network, address string) (net.Conn, error) {
			if down {
				return nil, errors.New("no carrier")
			}
			return s.dial(ctx, network, address)
		}
		host := pool.Host("vm1")
		wantKind(t, host.Connect(t.Context()), Unreachable)
		start := time.Now()
		wantKind(t, host.Connect(t.Context()), Unreachable)
		if took := time.Since(start); took < firstBackoff/2 || took > firstBackoff {
			t.Errorf("the second dial came after %s", took)
		}
		// A caller with less time than the wait hears what is wrong.
		err := host.Connect(withTimeout(t, 100*time.Millisecond))
		wantKind(t, err, Timeout)
		if !strings.Contains(err.Error(), "no carrier") || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		down = false
		if err := host.Connect(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestNamesAreLookedUpAgain(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		retries, failures, dials int
		works                    bool
	}{{3, 3, 4, true}, {3, 4, 4, false}, {0, 1, 1, false}} {
		inBubble(t, func(b *bench, _ *memServer) { b.set.DNSRetries = &tc.retries }, func(t *testing.T, pool *Pool, s *memServer) {
			dials := 0
			pool.dialNet = func(ctx context.Context, network, address string) (net.Conn, error) {
				if dials++; dials <= tc.failures {
					return nil, &net.OpError{Op: "dial", Err: &net.DNSError{Err: "server misbehaving", Name: "vm1", IsTemporary: true}}
				}
				return s.dial(ctx, network, address)
			}
			err := pool.Host("vm1").Connect(t.Context())
			if dials != tc.dials || (err == nil) != tc.works {
				t.Errorf("%+v: %d dials, %v", tc, dials, err)
			}
		})
	}
}

func TestADialThatNobodyWaitsForEnds(t *testing.T) {
	t.Parallel()
	inBubble(t, nil, func(t *testing.T, pool *Pool, s *memServer) {
		given := make(chan error, 1)
		pool.dialNet = func(ctx context.Context, _, _ string) (net.Conn, error) {
			<-ctx.Done()
			given <- ctx.Err()
			return nil, ctx.Err()
		}
		host := pool.Host("vm1")
		wantKind(t, host.Connect(withTimeout(t, time.Second)), Timeout)
		if err := <-given; err == nil {
			t.Error("the dial went on")
		}
		pool.dialNet = s.dial
		if err := host.Connect(t.Context()); err != nil {
			t.Errorf("the next caller got %v", err)
		}
	})
}

func TestStartsAreLimited(t *testing.T) {
	t.Parallel()
	inBubble(t, func(b *bench, _ *memServer) { b.set.MaxConcurrentStarts = 2 }, func(t *testing.T, pool *Pool, s *memServer) {
		under := make(chan struct{}, 10)
		var most atomic.Int64
		pool.dialNet = func(ctx context.Context, network, address string) (net.Conn, error) {
			under <- struct{}{}
			if n := int64(len(under)); n > most.Load() {
				most.Store(n)
			}
			time.Sleep(time.Second)
			<-under
			return s.dial(ctx, network, address)
		}
		start := time.Now()
		if err := pool.Prewarm(t.Context(), []string{"a", "b", "c", "d", "e", "f"}); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took != 3*time.Second || most.Load() != 2 {
			t.Errorf("6 dials, at most %d at once, took %s", most.Load(), took)
		}
	})
}

func TestAServerWithoutSessions(t *testing.T) {
	t.Parallel()
	inBubble(t, func(_ *bench, s *memServer) { s.maxOpen = -1 }, func(t *testing.T, pool *Pool, _ *memServer) {
		_, err := pool.Host("vm1").Output(t.Context(), "true")
		wantKind(t, err, Refused)
		if !strings.Contains(err.Error(), "MaxSessions") {
			t.Errorf("got %v", err)
		}
	})
}

func TestARefusedCommandIsNotRepeatedInTheError(t *testing.T) {
	t.Parallel()
	inBubble(t, func(_ *bench, s *memServer) {
		s.exec = func(string, ssh.Channel, <-chan string) (int, bool) { return 0, true }
	}, func(t *testing.T, pool *Pool, _ *memServer) {
		_, err := pool.Host("vm1").Output(t.Context(), "refuse me: hunter22")
		wantKind(t, err, Refused)
		if strings.Contains(err.Error(), "hunter22") {
			t.Errorf("got %v", err)
		}
	})
}

func TestCancelSendsTheSignalFirst(t *testing.T) {
	t.Parallel()
	heard := make(chan string, 1)
	inBubble(t, func(_ *bench, s *memServer) {
		s.exec = func(_ string, _ ssh.Channel, signals <-chan string) (int, bool) {
			heard <- <-signals
			return 143, false
		}
	}, func(t *testing.T, pool *Pool, _ *memServer) {
		start := time.Now()
		_, err := pool.Host("vm1").Run(withTimeout(t, time.Second), Command{Shell: "follow"})
		wantKind(t, err, Timeout)
		if signal := <-heard; signal != "TERM" || time.Since(start) != time.Second {
			t.Errorf("heard %q, after %s", signal, time.Since(start))
		}
	})
}

func TestABlockedWriterDoesNotHoldACancellation(t *testing.T) {
	t.Parallel()
	inBubble(t, func(_ *bench, s *memServer) {
		s.exec = func(_ string, ch ssh.Channel, signals <-chan string) (int, bool) {
			_, _ = io.WriteString(ch, "output that nobody takes")
			<-signals
			return 0, false
		}
	}, func(t *testing.T, pool *Pool, _ *memServer) {
		r, w := io.Pipe()
		start := time.Now()
		_, err := pool.Host("vm1").Run(withTimeout(t, time.Second), Command{Shell: "follow", Stdout: w})
		wantKind(t, err, Timeout)
		if took := time.Since(start); took > time.Second+cancelGrace+shutPatience {
			t.Errorf("it took %s", took)
		}
		_ = r.Close()
	})
}

func TestOutputCarriesTheEndOfStderr(t *testing.T) {
	t.Parallel()
	inBubble(t, func(_ *bench, s *memServer) {
		s.exec = func(_ string, ch ssh.Channel, _ <-chan string) (int, bool) {
			_, _ = io.WriteString(ch, "out")
			_, _ = io.WriteString(ch.Stderr(), strings.Repeat("noise\n", 10_000)+"the reason\n")
			return 2, false
		}
	}, func(t *testing.T, pool *Pool, _ *memServer) {
		out, err := pool.Host("vm1").Output(t.Context(), "fail")
		var exit *ExitError
		if !errors.As(err, &exit) || out != "out" || !strings.HasSuffix(exit.Stderr, "\nthe reason\n") || len(exit.Stderr) != stderrTail {
			t.Errorf("%q, %v, stderr of %d bytes", out, err, len(exit.Stderr))
		}
	})
}

func TestNoSecretKeyShowsInErrors(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.set.KeyData = []string{"-----BEGIN OPENSSH PRIVATE KEY-----\nhunter22\n-----END OPENSSH PRIVATE KEY-----"}
	b.server()
	b.move("id_ed25519", "gone")
	err := b.pool().Host("vm1").Connect(within(t))
	wantKind(t, err, Auth)
	if strings.Contains(err.Error(), "hunter22") || !strings.Contains(err.Error(), "ssh.key_data[0] (not a private key") {
		t.Errorf("got %v", err)
	}
}

func withTimeout(t *testing.T, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}
