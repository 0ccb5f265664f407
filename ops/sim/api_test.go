package sim

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/moby/moby/api/pkg/stdcopy"
	capi "github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/registry"
	"github.com/moby/moby/client"
	"golang.org/x/crypto/ssh"
)

// fast is a clock at which the demo's seconds are short.
func fast() Clock { return NewFastClock(time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC), 25) }

// docker is the real client on a direct-streamlocal channel of the host's SSH connection.
func (f *fleetUnderTest) docker(t *testing.T, host string) *client.Client {
	t.Helper()
	conn := f.client(t, host)
	c, err := client.New(client.WithHost("unix:///var/run/docker.sock"), client.WithDialContext(func(context.Context, string, string) (net.Conn, error) {
		return conn.Dial("unix", "/var/run/docker.sock")
	}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func TestAPIListsAndInspects(t *testing.T) {
	t.Parallel()
	f := start(t, Options{Clock: fast()})
	d := f.docker(t, "web-1")
	list, err := d.ContainerList(t.Context(), client.ContainerListOptions{All: true, Filters: client.Filters{}.Add("label", "service=fhirlinebot").Add("label", "destination=")})
	if err != nil {
		t.Fatal(err)
	}
	if len(list.Items) != 2 || list.Items[0].Names[0] != "/fhirlinebot-web-v2" || list.Items[0].State != "running" || list.Items[1].State != "exited" {
		t.Fatalf("the app's containers are %+v", list.Items)
	}
	got, err := d.ContainerInspect(t.Context(), "fhirlinebot-web-v2", client.ContainerInspectOptions{})
	if err != nil {
		t.Fatal(err)
	}
	c := got.Container
	if c.Config.Image != "registry:5000/fhirlinebot:v2" || !c.State.Running || c.HostConfig.RestartPolicy.Name != "unless-stopped" || c.NetworkSettings.Networks["kamal"] == nil {
		t.Errorf("inspect says %+v", c)
	}
	if _, err := d.ContainerInspect(t.Context(), "nope", client.ContainerInspectOptions{}); err == nil || !strings.Contains(err.Error(), "No such container: nope") {
		t.Errorf("inspecting what is not there gives %v", err)
	}
	du, err := d.DiskUsage(t.Context(), client.DiskUsageOptions{Images: true, Containers: true, Volumes: true})
	if err != nil || du.Images.TotalCount != 5 || du.Containers.TotalCount != 5 {
		t.Errorf("disk usage is %+v, %v", du, err)
	}
	info, err := d.Info(t.Context(), client.InfoOptions{})
	if err != nil || info.Info.Name != "web-1" || info.Info.ContainersRunning != 4 {
		t.Errorf("info is %+v, %v", info, err)
	}
}

func TestAPIPullTellsBytes(t *testing.T) {
	t.Parallel()
	f := start(t, Options{Clock: fast()})
	d := f.docker(t, "web-2")
	auth, _ := json.Marshal(registry.AuthConfig{Username: RegistryUser, Password: RegistryPassword})
	pull, err := d.ImagePull(t.Context(), "registry:5000/fhirlinebot:v3", client.ImagePullOptions{RegistryAuth: base64.URLEncoding.EncodeToString(auth)})
	if err != nil {
		t.Fatal(err)
	}
	done, total, shared, lastStatus := map[string]int64{}, map[string]int64{}, 0, ""
	for m, err := range pull.JSONMessages(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if m.Status == "Already exists" {
			shared++
		}
		if m.Status == "Downloading" {
			if m.Progress.Current < done[m.ID] || m.Progress.Current > m.Progress.Total {
				t.Errorf("layer %s went from %d to %d of %d", m.ID, done[m.ID], m.Progress.Current, m.Progress.Total)
			}
			done[m.ID], total[m.ID] = m.Progress.Current, m.Progress.Total
		}
		lastStatus = m.Status
	}
	if shared != 2 || len(done) == 0 || lastStatus != "Status: Downloaded newer image for registry:5000/fhirlinebot:v3" {
		t.Errorf("%d shared layers, %d downloaded, at last %q", shared, len(done), lastStatus)
	}
	for ref, want := range map[string]string{"registry:5000/fhirlinebot:v9": "manifest for registry:5000/fhirlinebot:v9 not found: manifest unknown"} {
		_, err := d.ImagePull(t.Context(), ref, client.ImagePullOptions{RegistryAuth: base64.URLEncoding.EncodeToString(auth)})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("pulling %s gives %v", ref, err)
		}
	}
	if _, err := d.ImagePull(t.Context(), "registry:5000/fhirlinebot:v3", client.ImagePullOptions{}); err == nil || !strings.Contains(err.Error(), "no basic auth credentials") {
		t.Errorf("pulling without credentials gives %v", err)
	}
}

func TestAPIEventsAndLifecycle(t *testing.T) {
	t.Parallel()
	f := start(t, Options{Clock: fast()})
	d := f.docker(t, "job-1")
	ctx, cancel := context.WithCancel(t.Context())
	events := d.Events(ctx, client.EventsListOptions{Filters: client.Filters{}.Add("type", "container").Add("label", "service=demo")})
	created, err := d.ContainerCreate(t.Context(), client.ContainerCreateOptions{
		Name: "demo-1", Config: &capi.Config{Image: "registry:5000/fhirlinebot:v2", Cmd: []string{"bin/rails", "solid_queue:start"}, Labels: map[string]string{"service": "demo"}}, HostConfig: &capi.HostConfig{NetworkMode: "kamal"},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []func() error{
		func() error {
			_, err := d.ContainerStart(t.Context(), created.ID, client.ContainerStartOptions{})
			return err
		},
		func() error {
			_, err := d.ContainerRename(t.Context(), created.ID, client.ContainerRenameOptions{NewName: "demo-2"})
			return err
		},
		func() error {
			_, err := d.ContainerStop(t.Context(), "demo-2", client.ContainerStopOptions{})
			return err
		},
		func() error {
			_, err := d.ContainerRemove(t.Context(), "demo-2", client.ContainerRemoveOptions{})
			return err
		},
	} {
		if err := step(); err != nil {
			t.Fatal(err)
		}
	}
	var seen []string
	for len(seen) < 7 {
		select {
		case m := <-events.Messages:
			seen = append(seen, string(m.Action))
		case err := <-events.Err:
			t.Fatal(err)
		case <-time.After(10 * time.Second):
			t.Fatalf("no further event after %v", seen)
		}
	}
	cancel()
	if got, want := strings.Join(seen, " "), "create start rename kill die stop destroy"; got != want {
		t.Errorf("events are %q, want %q", got, want)
	}
}

func TestAPILogs(t *testing.T) {
	t.Parallel()
	f := start(t, Options{Clock: fast(), Visitors: 40})
	d := f.docker(t, "web-1")
	logs, err := d.ContainerLogs(t.Context(), "fhirlinebot-web-v2", client.ContainerLogsOptions{ShowStdout: true, ShowStderr: true, Timestamps: true, Tail: "20", Follow: true})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = logs.Close() }()
	r, w := io.Pipe()
	copied := make(chan error, 1)
	go func() {
		_, err := stdcopy.StdCopy(w, w, logs)
		copied <- err
		_ = w.Close()
	}()
	var last time.Time
	dec := newLineReader(r)
	for range 120 {
		line, err := dec()
		if err != nil {
			t.Fatal(err)
		}
		stamp, text, _ := strings.Cut(line, " ")
		at, err := time.Parse(time.RFC3339Nano, stamp)
		if err != nil || at.Before(last) || text == "" {
			t.Fatalf("after %v came %q (%v)", last, line, err)
		}
		last = at
	}
	if _, err := d.ContainerStop(t.Context(), "fhirlinebot-web-v2", client.ContainerStopOptions{}); err != nil {
		t.Fatal(err)
	}
	for { // a followed log ends with its container
		if _, err := dec(); err != nil {
			break
		}
	}
	if err := <-copied; err != nil {
		t.Errorf("the stream ended with %v", err)
	}
}

func TestAPIStatsOnlyGrow(t *testing.T) {
	t.Parallel()
	f := start(t, Options{Clock: fast()})
	d := f.docker(t, "web-3")
	stats, err := d.ContainerStats(t.Context(), "fhirlinebot-web-v2", client.ContainerStatsOptions{Stream: true})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = stats.Body.Close() }()
	dec := json.NewDecoder(stats.Body)
	var last capi.StatsResponse
	for i := range 15 {
		var s capi.StatsResponse
		if err := dec.Decode(&s); err != nil {
			t.Fatal(err)
		}
		cpu, system := s.CPUStats.CPUUsage.TotalUsage-last.CPUStats.CPUUsage.TotalUsage, s.CPUStats.SystemUsage-last.CPUStats.SystemUsage
		if i > 0 && (s.CPUStats.CPUUsage.TotalUsage <= last.CPUStats.CPUUsage.TotalUsage || float64(cpu)/float64(system)*2 > 0.5) {
			t.Fatalf("the processor counter went from %d to %d", last.CPUStats.CPUUsage.TotalUsage, s.CPUStats.CPUUsage.TotalUsage)
		}
		if s.MemoryStats.Usage == 0 || s.MemoryStats.Usage > s.MemoryStats.Limit {
			t.Fatalf("memory is %d of %d", s.MemoryStats.Usage, s.MemoryStats.Limit)
		}
		last = s
	}
}

func TestAPIExec(t *testing.T) {
	t.Parallel()
	f := start(t, Options{Clock: fast()})
	d := f.docker(t, "web-1")
	made, err := d.ExecCreate(t.Context(), "fhirlinebot-web-v2", client.ExecCreateOptions{Cmd: []string{"sh", "-c", "cat; echo $KAMAL_VERSION >&2; exit 4"}, AttachStdin: true, AttachStdout: true, AttachStderr: true})
	if err != nil {
		t.Fatal(err)
	}
	conn, err := d.ExecAttach(t.Context(), made.ID, client.ExecAttachOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn.Conn, "hello\n"); err != nil {
		t.Fatal(err)
	}
	if err := conn.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	var out, errOut bytes.Buffer
	if _, err := stdcopy.StdCopy(&out, &errOut, conn.Reader); err != nil {
		t.Fatal(err)
	}
	if out.String() != "hello\n" || errOut.String() != "v2\n" {
		t.Errorf("exec printed %q and %q", out.String(), errOut.String())
	}
	until(t, "the exit code", func() bool {
		got, err := d.ExecInspect(t.Context(), made.ID, client.ExecInspectOptions{})
		return err == nil && !got.Running && got.ExitCode == 4
	})
}

func TestDialStdioIsTheSameEngine(t *testing.T) {
	t.Parallel()
	f := start(t, Options{Clock: fast()})
	conn := f.client(t, "web-1")
	d, err := client.New(client.WithHost("unix:///var/run/docker.sock"), client.WithDialContext(func(context.Context, string, string) (net.Conn, error) {
		return dialStdio(conn)
	}))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = d.Close() }()
	list, err := d.ContainerList(t.Context(), client.ContainerListOptions{})
	if err != nil || len(list.Items) != 4 {
		t.Fatalf("the list has %d containers, %v", len(list.Items), err)
	}
}

// Helpers

// stdioConn is a connection over a command's streams.
type stdioConn struct {
	io.Reader
	io.WriteCloser
	session *ssh.Session
}

func dialStdio(c *ssh.Client) (net.Conn, error) {
	s, err := c.NewSession()
	if err != nil {
		return nil, err
	}
	in, err := s.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := s.StdoutPipe()
	if err != nil {
		return nil, err
	}
	return &stdioConn{out, in, s}, s.Start("docker system dial-stdio")
}

func (c *stdioConn) Close() error                     { _ = c.WriteCloser.Close(); return c.session.Close() }
func (c *stdioConn) LocalAddr() net.Addr              { return socketAddr{} }
func (c *stdioConn) RemoteAddr() net.Addr             { return socketAddr{} }
func (c *stdioConn) SetDeadline(time.Time) error      { return nil }
func (c *stdioConn) SetReadDeadline(time.Time) error  { return nil }
func (c *stdioConn) SetWriteDeadline(time.Time) error { return nil }

// newLineReader returns a function that reads one line.
func newLineReader(r io.Reader) func() (string, error) {
	var rest []byte
	buf := make([]byte, 4096)
	return func() (string, error) {
		for {
			if line, after, ok := bytes.Cut(rest, []byte("\n")); ok {
				rest = append([]byte(nil), after...)
				return string(line), nil
			}
			n, err := r.Read(buf)
			rest = append(rest, buf[:n]...)
			if n == 0 && err != nil {
				return "", err
			}
		}
	}
}
