package watch

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"binnacle/ops"
	"binnacle/ops/command"
)

// The table of `kamal-proxy list` in a pipe.
const proxyTable = "\x1b[3;94mService\x1b[0m   \x1b[3;94mHost\x1b[0m           \x1b[3;94mPath\x1b[0m  \x1b[3;94mTarget\x1b[0m                               \x1b[3;94mState\x1b[0m    \x1b[3;94mTLS\x1b[0m  \n" +
	"\x1b[1;34mshop-web\x1b[0m  \x1b[ma.test,b.test\x1b[0m  \x1b[m/\x1b[0m     \x1b[m0123456789ab:3000,cdef01234567:3000\x1b[0m  \x1b[mrunning\x1b[0m  \x1b[myes\x1b[0m  \n"

func TestFirstFacts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMachine(t, "vm1")
		started := time.Now().Add(-time.Hour)
		m.set(fakeContainer{id: "c1", name: "shop-web-v1", state: "running", started: started, restarts: 2, cores: 0.5})
		m.set(fakeContainer{id: "c2", name: "shop-web-v0", state: "exited", started: started})
		m.set(fakeContainer{id: "c3", name: proxyName, state: "running", started: started})
		m.routes, m.output = proxyTable, systemOutput
		var r record
		w := New(connectTo(m), r.emit, Options{Jitter: exactly})
		w.Start(t.Context(), "vm1")
		time.Sleep(2 * time.Second)
		w.Close()
		events := r.take()

		if _, ok := events[0].(ops.HostConnecting); !ok {
			t.Errorf("starts with %T", events[0])
		}
		if seen := last[ops.HostSeen](t, events); seen.Docker.Version != "20.10.24" || seen.Docker.Architecture != "x86_64" {
			t.Errorf("engine %+v", seen)
		}
		containers := last[ops.ContainersSeen](t, events).Containers
		if len(containers) != 3 || containers[2].Name != "shop-web-v1" || containers[2].Restarts != 2 || !containers[2].Started.Equal(started) {
			t.Errorf("containers %+v", containers)
		}
		if images := last[ops.ImagesSeen](t, events).Images; len(images) != 1 {
			t.Errorf("images %+v", images)
		}
		if system := last[ops.SystemSeen](t, events).System; system.CPUs != 2 || system.At.IsZero() {
			t.Errorf("system %+v", system)
		}
		if routes := last[ops.RoutesSeen](t, events).Routes; len(routes) != 1 || routes[0].Service != "shop-web" {
			t.Errorf("routes %+v", routes)
		}
		usage := last[ops.UsageSeen](t, events).Usage
		slices.SortFunc(usage, func(a, b ops.Usage) int { return strings.Compare(a.ID, b.ID) })
		if len(usage) != 2 || usage[0] != (ops.Usage{ID: "c1", CPU: 50, Memory: 1000}) {
			t.Errorf("usage %+v", usage)
		}
		if n := len(of[ops.HostLost](events)); n > 0 {
			t.Error("lost at the end of the watch")
		}
	})
}

func TestEventsAreGathered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMachine(t, "vm1")
		m.set(fakeContainer{id: "c1", name: "web", state: "running"})
		var r record
		w := New(connectTo(m), r.emit, Options{Jitter: exactly})
		w.Start(t.Context(), "vm1")
		defer w.Close()
		time.Sleep(3 * time.Second)
		r.take()

		before := m.count("containers json")
		m.set(fakeContainer{id: "c2", name: "web2", state: "running"})
		for range 500 { // a burst is one reading
			m.happen("container", "start", "c2", "web2", "")
		}
		time.Sleep(containersSettle + 10*time.Millisecond)
		if n := m.count("containers json") - before; n != 1 {
			t.Errorf("%d listings for a burst", n)
		}
		if got := last[ops.ContainersSeen](t, r.take()).Containers; len(got) != 2 {
			t.Errorf("sees %+v", got)
		}
		before = m.count("containers json")
		for i := range 200 { // no pause between events is no reason to wait
			m.set(fakeContainer{id: "c1", name: "web", state: "running", restarts: i})
			m.happen("container", "die", "c1", "web", "")
			time.Sleep(50 * time.Millisecond)
		}
		if n := m.count("containers json") - before; n < 40 || n > 70 {
			t.Errorf("%d listings in 10 s of events", n)
		}
		time.Sleep(time.Second)
		if got := last[ops.ContainersSeen](t, r.take()).Containers[0]; got.Restarts != 199 {
			t.Errorf("the last change is missing: %+v", got)
		}
	})
}

func TestDetailsAreReadOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMachine(t, "vm1")
		for i := range 50 {
			m.set(fakeContainer{id: fmt.Sprint("old", i), name: fmt.Sprint("old", i), state: "exited"})
		}
		var r record
		w := New(connectTo(m), r.emit, Options{Jitter: exactly})
		w.Start(t.Context(), "vm1")
		defer w.Close()
		time.Sleep(10*containersEvery + containersEvery/2) // not while it lists: it might see the start before it is told
		if n := m.count("inspect"); n != 50 {
			t.Errorf("%d inspections", n)
		}
		m.set(fakeContainer{id: "old7", name: "old7", state: "running"})
		m.happen("container", "start", "old7", "old7", "")
		time.Sleep(time.Second)
		if n := m.count("inspect"); n != 51 {
			t.Errorf("%d inspections after one start", n)
		}
	})
}

func TestLostHost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMachine(t, "vm1")
		m.down = true
		var r record
		w := New(connectTo(m), r.emit, Options{Jitter: exactly})
		start := time.Now()
		w.Start(t.Context(), "vm1")
		defer w.Close()
		time.Sleep(100 * time.Second)
		var tries []int
		r.mu.Lock()
		for i, e := range r.events {
			switch e := e.(type) {
			case ops.HostConnecting:
				tries = append(tries, int(r.times[i].Sub(start)/time.Second))
			case ops.HostLost:
				if e.Reason != "dial: refused" {
					t.Errorf("reason %q", e.Reason)
				}
			}
		}
		r.mu.Unlock()
		if want := []int{0, 1, 3, 7, 15, 31, 61, 91}; !slices.Equal(tries, want) {
			t.Errorf("tries after %v seconds", tries)
		}

		m.mu.Lock()
		m.down = false
		m.mu.Unlock()
		r.take()
		w.Refresh("vm1") // does not wait out the half minute
		time.Sleep(time.Second)
		last[ops.HostSeen](t, r.take())

		m.cut()
		time.Sleep(900 * time.Millisecond)
		if lost := last[ops.HostLost](t, r.take()); lost.Reason != "connection lost" {
			t.Errorf("reason %q", lost.Reason)
		}
		time.Sleep(time.Second) // waits are short again after a life
		events := r.take()
		last[ops.HostSeen](t, events)
		last[ops.ContainersSeen](t, events)
	})
}

func TestSilentHostIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMachine(t, "vm1")
		var r record
		w := New(connectTo(m), r.emit, Options{Jitter: exactly})
		w.Start(t.Context(), "vm1")
		defer w.Close()
		time.Sleep(3 * time.Second)
		m.mu.Lock() // connections stay open, nothing answers
		m.delay, m.outputErr = time.Hour, context.DeadlineExceeded
		m.mu.Unlock()
		time.Sleep(time.Minute)
		if lost := of[ops.HostLost](r.take()); len(lost) == 0 || lost[0].Reason != "timed out" {
			t.Errorf("lost %+v", lost)
		}
		w.Close()
		m.mu.Lock()
		m.delay = 0
		m.mu.Unlock()
		time.Sleep(2 * time.Hour) // let the handlers go
	})
}

func TestRoutesFollowTheProxy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMachine(t, "vm1")
		m.set(fakeContainer{id: "c3", name: proxyName, state: "running"})
		m.routes = proxyTable
		var r record
		w := New(connectTo(m), r.emit, Options{Jitter: exactly})
		w.Start(t.Context(), "vm1")
		defer w.Close()
		time.Sleep(3 * time.Second)
		settled := m.count("exec start")

		m.happen("container", "exec_start: kamal-proxy list", "c3", proxyName, "e1") // what reading causes itself
		m.happen("container", "exec_die", "c3", proxyName, "e1")
		time.Sleep(time.Second)
		if n := m.count("exec start"); n != settled {
			t.Errorf("%d readings follow a reading", n-settled)
		}
		m.happen("container", "exec_start: kamal-proxy deploy shop-web --target=1", "c3", proxyName, "e2")
		time.Sleep(time.Second)
		if n := m.count("exec start"); n != settled {
			t.Error("reads before the deploy is over")
		}
		m.happen("container", "exec_die", "c3", proxyName, "e2")
		time.Sleep(routesSettle + 10*time.Millisecond)
		if n := m.count("exec start"); n != settled+1 {
			t.Errorf("%d readings after a deploy", n-settled)
		}
		r.take()
		m.set(fakeContainer{id: "c3", name: proxyName, state: "exited"})
		m.happen("container", "die", "c3", proxyName, "")
		time.Sleep(time.Second)
		if routes := last[ops.RoutesSeen](t, r.take()).Routes; len(routes) != 0 {
			t.Errorf("a stopped proxy serves %+v", routes)
		}
	})
}

func TestLargeFleetIsLeftAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var machines []*machine
		var names []string
		for i := range 100 {
			m := newMachine(t, fmt.Sprint("vm", i))
			m.set(fakeContainer{id: "c1", name: "web", state: "running"})
			m.output = systemOutput
			machines, names = append(machines, m), append(names, m.name)
		}
		var r record
		w := New(connectTo(machines...), r.emit, Options{Jitter: exactly})
		w.Start(t.Context(), names...)
		defer w.Close()
		w.Focus("vm1")
		time.Sleep(10 * time.Minute)
		quiet, watched := machines[0], machines[1]
		if n := quiet.count("containers stats"); n != 0 {
			t.Errorf("%d stats of a host out of sight", n)
		}
		if n := watched.count("containers stats"); n < 100 {
			t.Errorf("%d stats of the host in sight", n)
		}
		if n := quiet.count("system"); n < 10 || n > 25 {
			t.Errorf("%d system readings in ten minutes out of sight", n)
		}
		if n := quiet.count("containers json"); n > 22 {
			t.Errorf("%d listings of an idle host", n)
		}
		if n := quiet.count("dial"); n > 14 {
			t.Errorf("%d connections in ten minutes", n)
		}
		w.Focus("vm0")
		r.take()
		time.Sleep(3 * time.Second)
		if seen := last[ops.UsageSeen](t, r.take()); seen.Host != "vm0" {
			t.Errorf("usage of %s", seen.Host)
		}
	})
}

func TestLocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMachine(t, "vm1")
		held := func(message string) string {
			return "held\nLocked by: Kim at 2026-01-02T03:04:05Z\nVersion: v7\nMessage: " + message
		}
		ours := "Automatic deploy lock (binnacle laptop pid 42 task 01J)"
		var r record
		w := New(connectTo(m), r.emit, Options{Jitter: exactly, Machine: "laptop", Alive: func(pid int) bool { return pid == 42 }})
		w.Start(t.Context(), "vm1")
		defer w.Close()
		time.Sleep(time.Minute)
		if n := m.count("lock"); n != 0 {
			t.Errorf("looks %d times for no lock", n)
		}
		w.Follow(Lock{App: "shop", Host: "vm1", Probe: command.New("probe")})
		for _, test := range []struct {
			name, out string
			want      ops.Lock
		}{
			{"free", "", ops.Lock{}},
			{"being made", "held\n", ops.Lock{Held: true, Bare: true}},
			{"by a live process here", held(ours), ops.Lock{Held: true, Liveness: ops.HolderLive}},
			{"by a dead process here", held(strings.Replace(ours, "42", "41", 1)), ops.Lock{Held: true, Liveness: ops.HolderDead}},
			{"elsewhere", held(strings.Replace(ours, "laptop", "desk", 1)), ops.Lock{Held: true, Liveness: ops.HolderUnknown}},
			{"by Kamal", held("Automatic deploy lock"), ops.Lock{Held: true, Liveness: ops.HolderUnknown}},
			{"by hand", held("hands off"), ops.Lock{Held: true, Liveness: ops.HolderManual}},
		} {
			m.mu.Lock()
			m.output = test.out
			m.mu.Unlock()
			w.Refresh()
			time.Sleep(time.Second)
			got := last[ops.LockSeen](t, r.take())
			if got.App != "shop" || got.Lock.Held != test.want.Held || got.Lock.Bare != test.want.Bare || got.Lock.SeenAt.IsZero() ||
				test.want.Liveness != "" && got.Lock.Liveness != test.want.Liveness {
				t.Errorf("%s: %+v", test.name, got)
			}
		}
		before := m.count("lock")
		time.Sleep(time.Minute)
		if n := m.count("lock") - before; n < 11 || n > 13 {
			t.Errorf("looks %d times a minute", n)
		}
	})
}

func TestLocksOfOneHostAreOneCommand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMachine(t, "vm1")
		m.output = lockDivider + "\nheld\nLocked by: Kim at 2026-01-02T03:04:05Z\nVersion: v7\nMessage: m" + lockDivider + "\n"
		locks := []Lock{{App: "a", Host: "vm1"}, {App: "b", Host: "vm1"}, {App: "c", Host: "vm1"}}
		events, err := Observe(t.Context(), connectTo(m), []string{"vm1"}, locks, Options{})
		if err != nil {
			t.Fatal(err)
		}
		var held []ops.AppID
		for _, l := range of[ops.LockSeen](events) {
			if l.Lock.Held {
				held = append(held, l.App)
			}
		}
		if !slices.Equal(held, []ops.AppID{"b"}) || m.count("lock") != 1 {
			t.Errorf("held %v after %d commands", held, m.count("lock"))
		}
		m.output = "garbage"
		if _, err := Observe(t.Context(), connectTo(m), []string{"vm1"}, locks, Options{}); err == nil {
			t.Error("takes garbage for three free locks")
		}
	})
}

func TestObserve(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var machines []*machine
		var names []string
		for i := range 5 {
			m := newMachine(t, fmt.Sprint("vm", i))
			m.delay = 100 * time.Millisecond
			machines, names = append(machines, m), append(names, m.name)
		}
		machines[3].down = true
		start := time.Now()
		events, err := Observe(t.Context(), connectTo(machines...), names[:4], []Lock{{App: "shop", Host: "vm0"}, {App: "shop", Host: "vm4"}}, Options{})
		if took := time.Since(start); took != 200*time.Millisecond { // agreeing on a version, and everything else
			t.Errorf("took %s", took)
		}
		var told *ops.Error
		if !errors.As(err, &told) || told.Host != "vm3" {
			t.Errorf("error %v", err)
		}
		var kinds []string
		for _, e := range events {
			kinds = append(kinds, strings.TrimPrefix(fmt.Sprintf("%T", e), "ops."))
		}
		all := []string{"HostSeen", "ContainersSeen", "ImagesSeen"}
		want := slices.Concat(all, []string{"LockSeen"}, all, all, []string{"HostLost", "LockSeen"})
		if !slices.Equal(kinds, want) {
			t.Errorf("facts %v", kinds)
		}
	})
}

func TestObserveSeesWhatARunningProxyServes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMachine(t, "vm1")
		m.routes = proxyTable
		for _, state := range []string{"running", "exited"} {
			m.set(fakeContainer{id: "c3", name: proxyName, state: state})
			events, err := Observe(t.Context(), connectTo(m), []string{"vm1"}, nil, Options{})
			if err != nil {
				t.Fatal(err)
			}
			seen := of[ops.RoutesSeen](events)
			if state == "running" && (len(seen) != 1 || len(seen[0].Routes) != 1 || seen[0].Routes[0].Service != "shop-web") || state == "exited" && len(seen) > 0 {
				t.Errorf("%s, it serves %+v", state, seen)
			}
		}
	})
}

func TestCloseEndsEverything(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, gone := newMachine(t, "vm1"), newMachine(t, "vm2")
		gone.down = true
		var r record
		w := New(connectTo(m, gone), r.emit, Options{})
		w.Close() // before the start too
		w.Start(t.Context(), "vm1", "vm2")
		time.Sleep(5 * time.Second)
		w.Close()
		r.take()
		time.Sleep(time.Minute)
		w.Add("vm1")
		w.Refresh()
		time.Sleep(time.Minute)
		if events := r.take(); len(events) > 0 {
			t.Errorf("%d events after the end, first %T", len(events), events[0])
		}
	})
}
