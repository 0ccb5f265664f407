//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"os"
	osexec "os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"binnacle/ops/e2e/lab"
)

// A large database goes through in little memory, without a trace on the host's
// disk, about as fast as the command that people write themselves. It is of 200
// MB, or of BINNACLE_BENCH_GB.
func TestALargeDatabaseTakesLittle(t *testing.T) {
	if _, err := osexec.LookPath("zstd"); err != nil && os.Getenv("CI") != "true" {
		t.Skip("zstd is not installed")
	}
	megabytes, wanted := 200, 0.3 // a few seconds, on a shared machine: only what is far off shows
	if gigabytes, err := strconv.Atoi(os.Getenv("BINNACLE_BENCH_GB")); err == nil {
		megabytes, wanted = 1000*gigabytes, 0.85
	}
	p := newProtectedProject(t)
	d := postgresThing()
	d.run(t, p, fmt.Sprintf(`CREATE TABLE large AS
SELECT n AS id, (SELECT string_agg(md5((n * 32 + i)::text), '') FROM generate_series(1, 31) i) AS text FROM generate_series(1, %d) n;
VACUUM (FREEZE, ANALYZE); CHECKPOINT`, megabytes*1000))

	host := p.fleet.Host(d.host)
	line := "ssh -F '%s' vm1 'docker exec fhirlinebot-db pg_dump -U postgres -Fc -Z0 %s' | zstd -q -f -o '%s'"
	byHand := fmt.Sprintf(line, p.fleet.SSHConfig(), lab.BackupDatabase, filepath.Join(t.TempDir(), "dump.zst"))
	var hand, ours time.Duration
	for range 3 {
		begun := time.Now()
		p.sh(t, byHand)
		hand = fastest(hand, time.Since(begun))
		ours = fastest(ours, p.timed(t, "backup", "create", "db"))
	}
	ratio := hand.Seconds() / ours.Seconds()
	t.Logf("%d MB: by hand %s, binnacle %s: %.0f MB/s, %.2f of the throughput by hand", megabytes, hand.Round(time.Millisecond), ours.Round(time.Millisecond), float64(megabytes)/ours.Seconds(), ratio)
	if ratio < wanted {
		t.Errorf("the throughput is %.2f of that by hand, want %.2f", ratio, wanted)
	}
	before := used(t, host)
	_, most := p.measured(t, host, "backup", "create", "db")
	most.within(t, "backup create", before)
	for _, args := range [][]string{{"backup", "verify", "db"}, {"backup", "drill", "db"}, {"restore", "db", "-y"}} {
		took, usage := p.measured(t, host, args...)
		t.Logf("%s takes %s and %d MB of memory", strings.Join(args, " "), took.Round(time.Millisecond), usage.memory>>20)
		if usage.memory > memoryLimit {
			t.Errorf("%s takes %d MB of memory", strings.Join(args, " "), usage.memory>>20)
		}
	}
	p.nothingLeft(t, d)
}

const (
	memoryLimit = 100 << 20
	diskLimit   = 8 << 20
)

// usage is the most that a run took.
type usage struct {
	memory int64 // bytes resident of the program here
	disk   int64 // bytes of the host's disk, of what Docker and root have there
}

func (u usage) within(t *testing.T, what string, before int64) {
	t.Helper()
	t.Logf("%s takes %d MB of memory, the host's disk grows by %d kB", what, u.memory>>20, (u.disk-before)>>10)
	if u.memory > memoryLimit {
		t.Errorf("%s takes %d MB of memory", what, u.memory>>20)
	}
	if u.disk-before > diskLimit {
		t.Errorf("during %s the host's disk grows by %d MB", what, (u.disk-before)>>20)
	}
}

// measured runs binnacle to its end, which must be a success, and watches what it
// takes.
func (p *protectedProject) measured(t *testing.T, host *lab.Host, args ...string) (time.Duration, usage) {
	t.Helper()
	var most usage
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	var out strings.Builder
	cmd := p.command(ctx, args...)
	cmd.Stdout, cmd.Stderr = &out, &out
	begun := time.Now()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	var watchers sync.WaitGroup
	watch := func(every time.Duration, look func()) {
		watchers.Go(func() {
			tick := time.NewTicker(every)
			defer tick.Stop()
			for {
				look()
				select {
				case <-ended:
					return
				case <-tick.C:
				}
			}
		})
	}
	watch(10*time.Millisecond, func() { most.memory = max(most.memory, peak(cmd.Process.Pid)) })
	watch(time.Second, func() { most.disk = max(most.disk, used(t, host)) })
	err := cmd.Wait()
	took := time.Since(begun)
	close(ended)
	watchers.Wait()
	if err != nil {
		t.Fatalf("binnacle %s: %v\n%s", strings.Join(args, " "), err, out.String())
	}
	most.disk = max(most.disk, used(t, host))
	return took, most
}

// Helpers

// peak is the most memory that a process had resident, in bytes; 0 when it is gone.
func peak(pid int) int64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if fields := strings.Fields(line); len(fields) == 3 && fields[0] == "VmHWM:" {
			kilobytes, _ := strconv.ParseInt(fields[1], 10, 64)
			return kilobytes << 10
		}
	}
	return 0
}

// used is what Docker's data and the folders of root and of temporary files take
// on a host, in bytes.
func used(t *testing.T, host *lab.Host) int64 {
	t.Helper()
	text, err := host.Exec(t.Context(), "du -sxcB1 /var/lib/docker/volumes /var/lib/docker/overlay2 /var/lib/docker/containers /root /tmp /var/tmp 2>/dev/null | tail -n 1 | cut -f 1")
	bytes, bad := strconv.ParseInt(text, 10, 64)
	if err != nil || bad != nil {
		t.Errorf("%v, %v", err, bad)
	}
	return bytes
}

func fastest(a, b time.Duration) time.Duration {
	if a == 0 {
		return b
	}
	return min(a, b)
}
