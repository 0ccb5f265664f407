package watch

import (
	"context"
	"net"
	"os"
	"os/exec"
	"testing"
	"time"

	"binnacle/ops"
	"binnacle/ops/docker"
)

// here is this machine, without SSH.
type here struct{ engine *docker.Engine }

func (h here) Engine() *docker.Engine { return h.engine }

func (h here) Output(ctx context.Context, shell string) (string, error) {
	out, err := exec.CommandContext(ctx, "sh", "-c", shell).Output()
	return string(out), err
}

func TestRealMachine(t *testing.T) {
	const socket = "/var/run/docker.sock"
	var dialer net.Dialer
	if conn, err := dialer.DialContext(t.Context(), "unix", socket); err == nil {
		_ = conn.Close()
	} else if os.Getenv("CI") == "true" {
		t.Fatal(err)
	} else {
		t.Skip("no Docker engine here: ", err)
	}
	conn := here{docker.New("vm1", func(ctx context.Context) (net.Conn, error) { return dialer.DialContext(ctx, "unix", socket) })}
	defer conn.engine.Close()
	events := make(chan ops.Event, 1000)
	w := New(func(string) Connection { return conn }, func(e ops.Event) { events <- e }, Options{})
	w.Start(t.Context(), "vm1")
	defer w.Close()
	var engine ops.HostSeen
	var system ops.SystemSeen
	missing := map[string]bool{"engine": true, "containers": true, "images": true, "system": true}
	deadline := time.After(20 * time.Second)
	for len(missing) > 0 {
		select {
		case e := <-events:
			switch e := e.(type) {
			case ops.HostSeen:
				engine = e
				delete(missing, "engine")
			case ops.ContainersSeen:
				delete(missing, "containers")
			case ops.ImagesSeen:
				delete(missing, "images")
			case ops.SystemSeen:
				system = e
				delete(missing, "system")
			case ops.HostLost:
				t.Fatal("lost: ", e.Reason)
			}
		case <-deadline:
			t.Fatal("never saw ", missing)
		}
	}
	if engine.Docker.Version == "" || engine.Docker.APIVersion == "" {
		t.Errorf("engine %+v", engine)
	}
	s := system.System
	if s.Uptime <= 0 || s.CPUs < 1 || s.MemUsed <= 0 || s.MemUsed >= s.MemTotal || s.DiskUsed <= 0 || s.DiskUsed > s.DiskTotal {
		t.Errorf("system %+v", s)
	}
}
