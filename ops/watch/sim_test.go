package watch_test

import (
	"context"
	"net"
	"testing"
	"time"

	"binnacle/ops"
	"binnacle/ops/docker"
	"binnacle/ops/remote"
	"binnacle/ops/sim"
	"binnacle/ops/watch"
)

// overSSH is a host of the demo fleet.
type overSSH struct {
	client *remote.Client
	engine *docker.Engine
}

func (o overSSH) Engine() *docker.Engine { return o.engine }

func (o overSSH) Output(ctx context.Context, shell string) (string, error) {
	return o.client.Output(ctx, shell)
}

// facts waits for events.
type facts struct {
	t      *testing.T
	events chan ops.Event
}

func (f *facts) until(what string, ok func(ops.Event) bool) {
	f.t.Helper()
	deadline := time.After(30 * time.Second)
	for {
		select {
		case e := <-f.events:
			if ok(e) {
				return
			}
		case <-deadline:
			f.t.Fatal("never saw ", what)
		}
	}
}

func live(e ops.Event) bool { _, ok := e.(ops.HostSeen); return ok }

func TestOverSSH(t *testing.T) {
	fleet, err := sim.Start(t.Context(), sim.Options{Hosts: 1, Visitors: -1, Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer fleet.Close()
	const host = "web-1"
	pool := remote.NewPool(t.Context(), remote.Settings{ConfigFiles: []string{fleet.SSHConfig()}}, remote.Local{Home: t.TempDir()}, nil, nil)
	defer pool.Close()
	client := pool.Host(host)
	conn := overSSH{client, docker.New(host, func(ctx context.Context) (net.Conn, error) {
		return client.DialUnix(ctx, remote.DockerSocket)
	})}
	defer conn.engine.Close()
	f := &facts{t: t, events: make(chan ops.Event, 10_000)}
	w := watch.New(func(string) watch.Connection { return conn }, func(e ops.Event) { f.events <- e }, watch.Options{})
	w.Start(t.Context(), host)
	defer w.Close()

	f.until("the engine", live)
	var running ops.Container
	f.until("a running container with its start", func(e ops.Event) bool {
		seen, _ := e.(ops.ContainersSeen)
		for _, c := range seen.Containers {
			if c.Name != "kamal-proxy" && c.State == "running" && !c.Started.IsZero() {
				running = c
				return true
			}
		}
		return false
	})
	f.until("routes", func(e ops.Event) bool { r, _ := e.(ops.RoutesSeen); return len(r.Routes) > 0 })
	f.until("usage", func(e ops.Event) bool { u, _ := e.(ops.UsageSeen); return len(u.Usage) > 0 })
	if err := conn.engine.Stop(t.Context(), running.ID, nil); err != nil {
		t.Fatal(err)
	}
	f.until("the stop", func(e ops.Event) bool {
		seen, _ := e.(ops.ContainersSeen)
		for _, c := range seen.Containers {
			if c.ID == running.ID && c.State == "exited" && c.Finished.After(c.Started) {
				return true
			}
		}
		return false
	})

	if err := fleet.SetFault(host, sim.CutLink, true); err != nil {
		t.Fatal(err)
	}
	f.until("the loss", func(e ops.Event) bool { _, ok := e.(ops.HostLost); return ok })
	f.until("the host again", live)

	if err := fleet.SetFault(host, sim.DeadHost, true); err != nil {
		t.Fatal(err)
	}
	f.until("a refused dial", func(e ops.Event) bool { l, _ := e.(ops.HostLost); return l.Reason == "dial: refused" })
	if err := fleet.SetFault(host, sim.DeadHost, false); err != nil {
		t.Fatal(err)
	}
	w.Refresh()
	f.until("the host again", live)
	f.until("its containers", func(e ops.Event) bool { _, ok := e.(ops.ContainersSeen); return ok })
}
