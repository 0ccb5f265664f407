//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"testing"
	"time"

	"binnacle/ops/e2e/lab"
	"binnacle/ops/e2e/snapshot"
	"binnacle/ops/e2e/traffic"
)

// shared is the fleet of all tests; TestMain alone sets it.
var shared *lab.Fleet

// binnacle is the path of the program under test; TestMain alone sets it.
var binnacle string

func TestMain(m *testing.M) { os.Exit(runTests(m)) }

func runTests(m *testing.M) (code int) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := lab.Reachable(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		if os.Getenv("CI") == "true" {
			return 1
		}
		fmt.Fprintln(os.Stderr, "e2e: the tests are left out")
		return 0
	}
	note := func(format string, args ...any) { fmt.Fprintf(os.Stderr, "e2e: "+format+"\n", args...) }
	program, remove, err := buildProgram(ctx)
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		return 1
	}
	defer remove()
	binnacle = program
	if dir := os.Getenv("BINNACLE_E2E_FLEET"); dir != "" {
		if shared, err = lab.Open(dir); err != nil {
			fmt.Fprintln(os.Stderr, "e2e:", err)
			return 1
		}
		return m.Run()
	}
	fleet, err := lab.Start(ctx, lab.Options{Buildx: true, Note: note})
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		return 1
	}
	defer func() {
		cleanup, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
		defer cancel()
		if err := fleet.Remove(cleanup); err != nil {
			fmt.Fprintln(os.Stderr, "e2e:", err)
			code = 1
		}
	}()
	// An interrupt must still remove the fleet, so the tests run beside it.
	finished := make(chan int, 1)
	shared = fleet
	go func() { finished <- m.Run() }()
	select {
	case code = <-finished:
	case <-ctx.Done():
		code = 1
	}
	return code
}

// freshFleet returns the fleet with every host empty.
func freshFleet(t *testing.T) *lab.Fleet {
	t.Helper()
	if err := shared.Reset(t.Context()); err != nil {
		t.Fatal(err)
	}
	return shared
}

// stateOf reads the state of every host.
func stateOf(t *testing.T, fleet *lab.Fleet) snapshot.Fleet {
	t.Helper()
	hosts := map[string]snapshot.Executor{}
	for _, host := range fleet.Hosts() {
		hosts[host.Name] = host
	}
	state, err := snapshot.Take(t.Context(), hosts, fleet.Registry())
	if err != nil {
		t.Fatal(err)
	}
	return state
}

// startLoad sends 120 requests a second to the proxy of each host named.
func startLoad(t *testing.T, fleet *lab.Fleet, hosts ...string) *traffic.Load {
	t.Helper()
	targets := map[string]string{}
	for _, name := range hosts {
		targets[name] = fleet.Host(name).URL()
	}
	load := traffic.Start(t.Context(), traffic.Options{Targets: targets, Rate: 120})
	t.Cleanup(func() { load.Stop() })
	return load
}

// exec runs a shell command on a host and fails the test unless it exits 0.
func exec(t *testing.T, host *lab.Host, format string, args ...any) string {
	t.Helper()
	out, err := host.Exec(t.Context(), fmt.Sprintf(format, args...))
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// ssh runs a shell command on a host as an operator would.
func ssh(t *testing.T, host *lab.Host, format string, args ...any) lab.Result {
	t.Helper()
	result, err := host.SSH(t.Context(), fmt.Sprintf(format, args...))
	if err != nil {
		t.Fatal(err)
	}
	return result
}

// eventually polls a condition that depends on real processes.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for !condition() {
		if time.Now().After(deadline) {
			t.Fatalf("waited 30s in vain until %s", what)
		}
		time.Sleep(50 * time.Millisecond)
	}
}
