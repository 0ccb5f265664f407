//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// fault is something that breaks while a backup or a restore is under way.
type fault struct {
	name   string
	happen func(*testing.T, *protectedProject, thing, *process)
	mend   func(*testing.T, *protectedProject, thing) // what a person has to do before the next run
}

func faults() []fault {
	return []fault{
		{
			name:   "killed",
			happen: func(_ *testing.T, _ *protectedProject, _ thing, run *process) { run.signal(syscall.SIGKILL) },
			mend: func(t *testing.T, p *protectedProject, _ thing) {
				t.Helper()
				if held := exec(t, p.fleet.Host("vm1"), "ls -d .kamal/lock-* 2>/dev/null || true"); held != "" {
					p.must(t, "lock", "release")
				}
			},
		},
		{
			name: "cut off from the host",
			happen: func(t *testing.T, p *protectedProject, d thing, _ *process) {
				t.Helper()
				exec(t, p.fleet.Host(d.host), "pkill -KILL -f '^sshd: root' || true")
			},
		},
		{
			name: "the container restarted",
			happen: func(t *testing.T, p *protectedProject, d thing, _ *process) {
				t.Helper()
				exec(t, p.fleet.Host(d.host), "docker kill %[1]s >/dev/null; docker start %[1]s >/dev/null", d.container())
			},
		},
		{
			name:   "the store stopped",
			happen: func(_ *testing.T, p *protectedProject, _ thing, _ *process) { p.s3.Stop() },
			mend: func(t *testing.T, p *protectedProject, _ thing) {
				t.Helper()
				if err := p.s3.Start(t.Context()); err != nil {
					t.Fatal(err)
				}
			},
		},
	}
}

// Whatever breaks at any moment of a backup or a restore: no incomplete backup is
// listed, the data is as it was or as it was restored, the app is served, and the
// next run succeeds and leaves nothing of the one before.
func TestNothingIsLostWhateverBreaks(t *testing.T) {
	p := newProtectedProject(t)
	p.keepIn(t, "s3")
	const seed = 20260101
	points := 10 // each thing once in a backup and once in a restore
	if n, err := strconv.Atoi(os.Getenv("BINNACLE_KILLS")); err == nil {
		points = 2 * max(1, n/2)
	}
	random := rand.New(rand.NewPCG(seed, seed))
	moments := random.Perm(points / 2)
	took := map[string]time.Duration{}
	for _, thing := range things() {
		thing.run(t, p, thing.fill)
		took["backup "+thing.name] = p.timed(t, "backup", "create", thing.name)
		took["restore "+thing.name] = p.timed(t, "restore", thing.name, "-y")
	}
	for i := range points {
		thing, fault := things()[i%5], faults()[i/2%4]
		verb, args := "backup", []string{"backup", "create", thing.name}
		if i%2 == 1 {
			verb, args = "restore", []string{"restore", thing.name, "-y"}
		}
		at := (float64(moments[i/2]) + random.Float64()) / float64(points/2)
		t.Run(fmt.Sprintf("%s of %s, %s at %.0f %%", verb, thing.name, fault.name, 100*at), func(t *testing.T) {
			good := thing.text(t, p)
			if verb == "restore" {
				thing.run(t, p, thing.spoil)
			}
			before, listed := thing.text(t, p), len(p.kept(t, thing.name))

			run := p.start(t, args...)
			time.Sleep(time.Duration(at * float64(took[verb+" "+thing.name])))
			fault.happen(t, p, thing, run)
			code := run.wait()
			t.Logf("it exits %d: %s", code, said(run))
			if fault.mend != nil {
				fault.mend(t, p, thing)
			}
			thing.await(t, p)

			eventually(t, "the app answers", func() bool { return p.serving() })
			now := thing.text(t, p)
			if now != before && now != good {
				same(t, "neither the data from before nor that of the backup", now, before)
			}
			if code == 0 && verb == "restore" {
				same(t, "the restore that ended well", now, good)
			}
			kept := p.kept(t, thing.name)
			if len(kept) < listed || len(kept) > listed+1 || code == 0 && len(kept) != listed+1 {
				t.Errorf("%d backups were listed, now %d", listed, len(kept))
			}
			p.must(t, "backup", "verify", thing.name, kept[0].ID)

			p.must(t, args...)
			same(t, "after the next run", thing.text(t, p), good)
			p.nothingLeft(t, thing)
		})
	}
}

// timed is how long a run takes that nothing disturbs.
func (p *protectedProject) timed(t *testing.T, args ...string) time.Duration {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	begun := time.Now()
	if out, err := p.command(ctx, args...).CombinedOutput(); err != nil {
		t.Fatalf("binnacle %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return time.Since(begun)
}

func (p *protectedProject) serving() bool {
	for _, name := range []string{"vm1", "vm2"} {
		if !up(p.fleet.Host(name)) {
			return false
		}
	}
	return true
}

// Helpers

// said is what a run told of its failure.
func said(run *process) string {
	run.mu.Lock()
	defer run.mu.Unlock()
	var told []string
	for _, rec := range run.records {
		for _, e := range rec.Errors {
			if text, err := json.Marshal(e); err == nil && rec.Type == "task_finished" {
				told = append(told, string(text))
			}
		}
	}
	return strings.Join(append(told, strings.TrimSpace(run.stderr.String())), " | ")
}
