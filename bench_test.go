//go:build linux

package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"binnacle/ops/sim"
)

// TestAHundredHosts measures the console on a fleet of a hundred web hosts in
// another process: how long until all are listed, and what it costs to sit
// there. It is left out unless BINNACLE_BENCH is set, and asserts no times.
func TestAHundredHosts(t *testing.T) {
	if os.Getenv("BINNACLE_BENCH") == "" {
		t.Skip("a benchmark: set BINNACLE_BENCH")
	}
	binary := filepath.Join(t.TempDir(), "binnacle")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, load := range []struct {
		name     string
		visitors float64
	}{{"nobody visits", -1}, {"12 requests a second", 12}} {
		t.Run(load.name, func(t *testing.T) {
			project := t.TempDir()
			fleet, err := sim.Start(t.Context(), sim.Options{Hosts: 100, Visitors: load.visitors})
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = fleet.Close() }()
			if err := fleet.WriteProject(project); err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			s := open(t, project, 200, 50, binary)
			s.await(t, "Hosts", "113")
			t.Logf("all %d hosts listed after %d ms", len(fleet.Hosts()), time.Since(began).Milliseconds())
			for _, after := range []time.Duration{10 * time.Second, 35 * time.Second} {
				time.Sleep(after - time.Since(began))
				from := cpuOf(t, s.cmd.Process.Pid)
				time.Sleep(10 * time.Second)
				t.Logf("from second %.0f: %.1f %% of a core, %d MB resident", after.Seconds(),
					(cpuOf(t, s.cmd.Process.Pid)-from).Seconds()*10, residentOf(t, s.cmd.Process.Pid)>>20)
			}
			s.send(t, "q")
			s.ended(t)
		})
	}
}

// Helpers

// cpuOf is the processor time that a process has used, as the scheduler counts
// it: the ticks of /proc/PID/stat are too coarse for something that mostly sleeps.
func cpuOf(t *testing.T, pid int) time.Duration {
	t.Helper()
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	if err != nil || len(threads) == 0 {
		t.Fatalf("no scheduler statistics of %d: %v", pid, err)
	}
	var sum time.Duration
	for _, path := range threads {
		stat, err := os.ReadFile(path)
		if err != nil {
			continue // a thread that has just ended
		}
		ns, err := strconv.ParseInt(strings.Fields(string(stat))[0], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		sum += time.Duration(ns)
	}
	return sum
}

// residentOf is a process's resident memory in bytes.
func residentOf(t *testing.T, pid int) int {
	t.Helper()
	statm, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		t.Fatal(err)
	}
	pages, err := strconv.Atoi(strings.Fields(string(statm))[1])
	if err != nil {
		t.Fatal(err)
	}
	return pages * os.Getpagesize()
}
