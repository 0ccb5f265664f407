package docker_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"

	"binnacle/config/secret"
	"binnacle/ops"
	"binnacle/ops/docker"
)

const socket = "/var/run/docker.sock"

// real is the machine's own engine with an image to run.
type real struct {
	*docker.Engine
	api   *client.Client // makes what an operation makes by `docker run`
	image string
	run   string // label value of all that this test makes
	dials *atomic.Int64
}

func TestMain(m *testing.M) {
	code := m.Run()
	if made.Load() {
		if err := clean(everything); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

// everything is the label value of all that this process makes.
var (
	everything = strings.ToLower(rand.Text()[:12])
	made       atomic.Bool
)

// program is what runs in containers, as the layer of an image.
var program = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "docker-test")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "program")
	build := exec.Command("go", "build", "-ldflags", "-s -w", "-o", path, "./testdata/program")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%w: %s", err, out)
	}
	binary, err := os.ReadFile(path)
	return fileLayer("program", 0o755, binary), err
})

// pulled is the reference of an image with the program on the engine.
var pulled = sync.OnceValues(func() (string, error) {
	layer, err := program()
	if err != nil {
		return "", err
	}
	registry := startRegistry()
	defer registry.close()
	registry.push("app", "v1", map[string]string{"binnacle.test": everything, "service": "shop"}, layer)
	made.Store(true)
	e := docker.New("vm1", func(ctx context.Context) (net.Conn, error) { return (&net.Dialer{}).DialContext(ctx, "unix", socket) })
	defer e.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	return registry.ref("app", "v1"), e.Pull(ctx, registry.ref("app", "v1"), ops.RegistryAuth{}, nil)
})

func newReal(t *testing.T) *real {
	t.Helper()
	if conn, err := net.Dial("unix", socket); err == nil {
		_ = conn.Close()
	} else if os.Getenv("CI") == "true" {
		t.Fatal(err)
	} else {
		t.Skip("no Docker engine here: ", err)
	}
	image, err := pulled()
	if err != nil {
		t.Fatal(err)
	}
	r := &real{run: strings.ToLower(rand.Text()[:12]), image: image, dials: &atomic.Int64{}}
	var dialer net.Dialer
	r.Engine = docker.New("vm1", func(ctx context.Context) (net.Conn, error) {
		r.dials.Add(1)
		return dialer.DialContext(ctx, "unix", socket)
	})
	if r.api, err = client.New(client.WithHost("unix://" + socket)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := clean(r.run); err != nil {
			t.Error(err)
		}
		_ = r.Close()
		_ = r.api.Close()
	})
	return r
}

// clean removes what carries a label.
func clean(label string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	api, err := client.New(client.WithHost("unix://" + socket))
	if err != nil {
		return err
	}
	defer api.Close()
	mine := client.Filters{}.Add("label", "binnacle.test="+label)
	containers, err := api.ContainerList(ctx, client.ContainerListOptions{All: true, Filters: mine})
	if err != nil {
		return err
	}
	for _, c := range containers.Items {
		if _, err := api.ContainerRemove(ctx, c.ID, client.ContainerRemoveOptions{Force: true}); err != nil {
			return err
		}
	}
	images, err := api.ImageList(ctx, client.ImageListOptions{Filters: mine})
	if err != nil {
		return err
	}
	for _, i := range images.Items {
		if _, err := api.ImageRemove(ctx, i.ID, client.ImageRemoveOptions{Force: true, PruneChildren: true}); err != nil {
			return err
		}
	}
	return nil
}

// start runs the program and returns the container's name.
func (r *real) start(t *testing.T, change func(*container.Config), args ...string) string {
	t.Helper()
	name := "binnacle-" + r.run + "-" + strings.ToLower(rand.Text()[:6])
	config := &container.Config{
		Image: r.image, Cmd: args, Labels: map[string]string{"binnacle.test": r.run, "service": "shop", "destination": ""},
	}
	if change != nil {
		change(config)
	}
	made, err := r.api.ContainerCreate(t.Context(), client.ContainerCreateOptions{
		Config: config, HostConfig: &container.HostConfig{NetworkMode: "none"}, Name: name,
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.api.ContainerStart(t.Context(), made.ID, client.ContainerStartOptions{}); err != nil {
		t.Fatal(err)
	}
	return name
}

// eventually polls a condition of the real engine.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for tick := time.NewTicker(20 * time.Millisecond); ; <-tick.C {
		if ok() {
			tick.Stop()
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("never: ", what)
		}
	}
}

func TestRealContainerLife(t *testing.T) {
	r := newReal(t)
	ctx := t.Context()
	name := r.start(t, nil, "talk")

	listed, err := r.ListContainers(ctx, "binnacle.test="+r.run, "destination=")
	if err != nil || len(listed) != 1 {
		t.Fatalf("listed %v, %v", listed, err)
	}
	c := listed[0]
	if c.Host != "vm1" || c.Name != name || c.State != "running" || len(c.ID) != 64 || c.Labels["service"] != "shop" || c.Image != r.image {
		t.Errorf("listed %+v", c)
	}
	if other, err := r.ListContainers(ctx, "binnacle.test="+r.run, "destination=staging"); err != nil || len(other) != 0 {
		t.Errorf("another destination lists %v, %v", other, err)
	}
	if err := r.Rename(ctx, name, name+"_replaced_1"); err != nil {
		t.Fatal(err)
	}
	if _, err := r.InspectContainer(ctx, name); !errors.Is(err, ops.ErrNotFound) {
		t.Errorf("the old name gives %v", err)
	}
	eventually(t, "the program has spoken", func() bool {
		lines, err := r.Tail(ctx, name+"_replaced_1", 10) // the engine mixes the two streams as it gets them
		return err == nil && slices.Contains(lines, "last")
	})
	grace := 5 * time.Second
	if err := r.Stop(ctx, name+"_replaced_1", &grace); err != nil {
		t.Fatal(err)
	}
	got, err := r.InspectContainer(ctx, c.ID)
	if err != nil {
		t.Fatal(err)
	}
	if got.State != "exited" || got.ExitCode != 3 || got.Name != name+"_replaced_1" || got.ID != c.ID || got.HasHealth ||
		got.Started.IsZero() || !got.Finished.After(got.Started) || got.Created.Sub(c.Created).Abs() > time.Second {
		t.Errorf("inspected %+v", got)
	}
	listed, err = r.ListContainers(ctx, "binnacle.test="+r.run)
	if err != nil || len(listed) != 1 || listed[0].ExitCode != 3 || listed[0].State != "exited" {
		t.Errorf("after the stop: %+v, %v", listed, err)
	}
	if err := r.Stop(ctx, c.ID, nil); err != nil {
		t.Errorf("stopping twice: %v", err)
	}
}

func TestRealNamesClash(t *testing.T) {
	r := newReal(t)
	one, two := r.start(t, nil, "exit", "0"), r.start(t, nil, "exit", "0")
	err := r.Rename(t.Context(), one, two)
	if err == nil || !strings.Contains(err.Error(), "vm1: docker rename "+one+" "+two+": the name "+two+" is taken (container ") {
		t.Errorf("got %v", err)
	}
	if err := r.Stop(t.Context(), "binnacle-nobody", nil); !errors.Is(err, ops.ErrNotFound) {
		t.Errorf("got %v", err)
	}
}

func TestRealLogs(t *testing.T) {
	r := newReal(t)
	before := time.Now().Add(-time.Minute)
	plain := r.start(t, nil, "talk")
	terminal := r.start(t, func(c *container.Config) { c.Tty = true }, "talk")
	for name, errStream := range map[string]ops.Stream{plain: ops.Stderr, terminal: ops.Stdout} {
		var seen []docker.LogLine
		err := r.Logs(t.Context(), name, docker.LogOptions{Since: before, Follow: true}, func(l docker.LogLine) {
			seen = append(seen, l)
			if l.Text == "last" {
				grace := 5 * time.Second
				if err := r.Stop(t.Context(), name, &grace); err != nil {
					t.Error(err)
				}
			}
		})
		if err != nil || len(seen) != 5 {
			t.Fatalf("%s: %d lines, %v", name, len(seen), err)
		}
		slices.SortStableFunc(seen, func(a, b docker.LogLine) int { return a.At.Compare(b.At) })
		texts := map[string]ops.Stream{}
		for _, l := range seen {
			texts[l.Text] = l.Stream
			if l.At.Before(before) || l.At.After(time.Now().Add(time.Minute)) {
				t.Errorf("%q is of %s", l.Text, l.At)
			}
		}
		if texts["first"] != ops.Stdout || texts["second"] != errStream || texts["bye"] != ops.Stdout {
			t.Errorf("%s: %.200v", name, texts)
		}
		if name == plain && texts[strings.Repeat("x", 40_000)] != ops.Stdout {
			t.Errorf("%s: %d texts: %.200v", name, len(texts), texts)
		}
	}
	var none []docker.LogLine
	if err := r.Logs(t.Context(), plain, docker.LogOptions{Tail: docker.NoTail}, func(l docker.LogLine) { none = append(none, l) }); err != nil || none != nil {
		t.Errorf("no tail gave %v, %v", none, err)
	}
}

func TestRealFollowEndsWithItsContext(t *testing.T) {
	r := newReal(t)
	name := r.start(t, nil, "talk")
	ctx, cancel := context.WithCancel(t.Context())
	err := r.Logs(ctx, name, docker.LogOptions{Follow: true}, func(l docker.LogLine) {
		if l.Text == "last" {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestRealPull(t *testing.T) {
	r := newReal(t)
	registry := newRegistry(t)
	registry.user, registry.password = "kim", "tide-and-moon"
	big := noise(3 << 20)
	labels := map[string]string{"binnacle.test": r.run}
	registry.push("shop", "v1", labels, fileLayer("a", 0o644, big))
	registry.push("shop", "v2", labels, fileLayer("a", 0o644, big), fileLayer("b", 0o644, noise(1<<20)), fileLayer("c", 0o644, noise(2<<20)))
	auth := ops.RegistryAuth{Server: "http://" + registry.ref("", ""), Username: "kim", Password: secret.New("tide-and-moon")}

	var steps []ops.Progress
	if err := r.Pull(t.Context(), registry.ref("shop", "v1"), auth, nil); err != nil {
		t.Fatal(err)
	}
	if err := r.Pull(t.Context(), registry.ref("shop", "v2"), auth, func(p ops.Progress) { steps = append(steps, p) }); err != nil {
		t.Fatal(err)
	}
	last := steps[len(steps)-1]
	if last.Done < 3<<20 || last.Done > 4<<20 || last.Total != last.Done || last.Unit != "bytes" || last.Text != "pulled, 3 of 3 layers" {
		t.Errorf("ended with %+v", last)
	}
	if !slices.IsSortedFunc(steps, func(a, b ops.Progress) int { return int(a.Done - b.Done) }) {
		t.Errorf("went back: %v", steps)
	}
	image, err := r.InspectImage(t.Context(), registry.ref("shop", "v2"))
	if err != nil || image.Labels["binnacle.test"] != r.run || !slices.Contains(image.Tags, registry.ref("shop", "v2")) ||
		len(image.Digests) != 1 || image.Created.Year() != 2026 || image.Size < 6<<20 {
		t.Errorf("pulled %+v, %v", image, err)
	}
}

func TestRealPullFailures(t *testing.T) {
	r := newReal(t)
	registry := newRegistry(t)
	registry.user, registry.password = "kim", "tide-and-moon"
	good := ops.RegistryAuth{Username: "kim", Password: secret.New("tide-and-moon")}
	closed := newRegistry(t)
	closed.close()
	for _, test := range []struct {
		name, ref string
		auth      ops.RegistryAuth
		want      string
		is        error
	}{
		{"no credentials", registry.ref("shop", "v1"), ops.RegistryAuth{}, "access denied by the registry (check registry:", nil},
		{"wrong password", registry.ref("shop", "v1"), ops.RegistryAuth{Username: "kim", Password: secret.New("wrong-password")}, "access denied by the registry", nil},
		{"not pushed", registry.ref("shop", "v9"), good, "no such image in the registry (was " + registry.ref("shop", "v9") + " built and pushed?)", ops.ErrNotFound},
		{"registry down", closed.ref("shop", "v1"), good, "connection refused (is the registry up? Docker on this host tried 127.0.0.1:", nil},
		{"no name", "registry.invalid:5000/shop:v1", good, "no such host: registry.invalid (can this host", nil},
		{"nonsense", "Not A Reference", good, "invalid reference format", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := r.Pull(t.Context(), test.ref, test.auth, nil)
			if err == nil || !strings.HasPrefix(err.Error(), "vm1: docker pull "+test.ref+": ") || !strings.Contains(err.Error(), test.want) {
				t.Fatalf("got %v", err)
			}
			if test.is != nil && !errors.Is(err, test.is) {
				t.Errorf("is not %v", test.is)
			}
			if strings.Contains(fmt.Sprintf("%v %+v", err, ops.Describe(err)), "password") && !strings.Contains(err.Error(), "username and password") {
				t.Errorf("shows a credential: %v", err)
			}
		})
	}
}

func TestRealTags(t *testing.T) {
	r := newReal(t)
	ctx := t.Context()
	base, _, _ := strings.Cut(r.image, ":v1")
	if err := r.Tag(ctx, r.image, base+":latest"); err != nil {
		t.Fatal(err)
	}
	images, err := r.ListImages(ctx, "binnacle.test="+everything)
	if err != nil || len(images) != 1 || len(images[0].Tags) != 2 {
		t.Fatalf("images %+v, %v", images, err)
	}
	for range 2 { // the second time it is absent, which is fine
		if err := r.RemoveImage(ctx, base+":latest", false); err != nil {
			t.Fatal(err)
		}
	}
	name := r.start(t, nil, "talk")
	err = r.RemoveImage(ctx, r.image, false)
	if err == nil || !strings.Contains(err.Error(), "the image is in use by container") {
		t.Errorf("removing the image of %s: %v", name, err)
	}
	if _, err := r.InspectImage(ctx, base+":nothing"); !errors.Is(err, ops.ErrNotFound) {
		t.Errorf("got %v", err)
	}
	if err := r.Tag(ctx, base+":nothing", base+":other"); !errors.Is(err, ops.ErrNotFound) {
		t.Errorf("got %v", err)
	}
}

func TestRealStats(t *testing.T) {
	r := newReal(t)
	name := r.start(t, nil, "burn")
	first, err := r.Stats(t.Context(), name)
	if err != nil || first.Memory <= 0 || first.Limit <= 0 {
		t.Fatalf("%+v, %v", first, err)
	}
	if _, ok := first.CPUSince(docker.Sample{}); ok {
		t.Error("one sample is no rate")
	}
	eventually(t, "a busy loop shows", func() bool {
		next, err := r.Stats(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		percent, ok := next.CPUSince(first)
		return ok && percent > 10 && percent < 115
	})
	if err := r.Stop(t.Context(), name, new(time.Duration)); err != nil {
		t.Fatal(err)
	}
	if got, err := r.InspectContainer(t.Context(), name); err != nil || got.State != "exited" || got.ExitCode == 0 {
		t.Errorf("killed at once: %+v, %v", got, err)
	}
}

func TestRealExec(t *testing.T) {
	r := newReal(t)
	name := r.start(t, nil, "talk")
	got, err := r.Exec(t.Context(), name, "/program", "echo", "hello", "there")
	if err != nil || got.Stdout != "hello there\n" || got.ExitCode != 0 {
		t.Errorf("%+v, %v", got, err)
	}
	got, err = r.Exec(t.Context(), name, "/program", "exit", "7")
	var exit *ops.ExitError
	if !errors.As(err, &exit) || exit.Code != 7 || exit.Output != "going" || got.Stderr != "going\n" || got.ExitCode != 7 {
		t.Errorf("%+v, %v", got, err)
	}
	if err := r.Stop(t.Context(), name, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Exec(t.Context(), name, "/program", "echo"); err == nil || !strings.Contains(err.Error(), "the container is not running") {
		t.Errorf("got %v", err)
	}
}

func TestRealEvents(t *testing.T) {
	r := newReal(t)
	ctx, cancel := context.WithCancel(t.Context())
	opened, seen := make(chan struct{}), make(chan docker.Event, 100)
	done := make(chan error, 1)
	go func() {
		filter := docker.EventFilter{Types: []string{"container", "image"}, Actions: []string{"start", "die", "exec_start", "exec_die", "tag"}}
		done <- r.Events(ctx, filter, func() { close(opened) }, func(e docker.Event) {
			if strings.Contains(e.Name, r.run) {
				seen <- e
			}
		})
	}()
	<-opened
	name := r.start(t, nil, "talk")
	if _, err := r.Exec(t.Context(), name, "/program", "echo", "hi"); err != nil {
		t.Fatal(err)
	}
	var got []string
	var execs []string
	for len(got) < 3 {
		select {
		case e := <-seen:
			got = append(got, strings.TrimSpace(e.Type+" "+e.Action+" "+e.Detail))
			if e.Name != name || time.Since(e.At).Abs() > time.Minute {
				t.Errorf("event %+v", e)
			}
			if e.ExecID != "" {
				execs = append(execs, e.ExecID)
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("only %v", got)
		}
	}
	if want := []string{"container start", "container exec_start /program echo hi", "container exec_die"}; !slices.Equal(got, want) {
		t.Errorf("got %v", got)
	}
	if len(execs) != 2 || execs[0] != execs[1] {
		t.Errorf("execs %v", execs)
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("ended with %v", err)
	}
}

func TestRealEventsOfOneContainer(t *testing.T) {
	r := newReal(t)
	mine, other := r.start(t, nil, "talk"), r.start(t, nil, "talk")
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	filter := docker.EventFilter{Types: []string{"container"}, Actions: []string{"exec_start", "exec_die"}, Container: mine}
	var got []docker.Event
	execs := make(chan error, 1)
	err := r.Events(ctx, filter, func() {
		go func() {
			_, err := r.Exec(ctx, other, "/program", "echo", "other")
			_, err2 := r.Exec(ctx, mine, "/program", "echo", "mine")
			execs <- errors.Join(err, err2)
		}()
	}, func(e docker.Event) {
		if got = append(got, e); len(got) == 2 {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) || len(got) != 2 || got[0].Name != mine || got[0].Detail != "/program echo mine" || got[1].ExecID != got[0].ExecID {
		t.Errorf("%v, %+v", err, got)
	}
	if err := <-execs; err != nil && !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestRealFactsReuseOneConnection(t *testing.T) {
	r := newReal(t)
	r.dials.Store(0)
	for range 10 {
		if _, err := r.ListContainers(t.Context(), "binnacle.test="+r.run); err != nil {
			t.Fatal(err)
		}
	}
	facts, err := r.Facts(t.Context())
	if err != nil || facts.Version == "" || facts.APIVersion == "" || facts.OS != "linux" || strings.Contains(facts.Architecture, "amd64") {
		t.Errorf("%+v, %v", facts, err)
	}
	info, err := r.Info(t.Context())
	if err != nil || info.Root == "" || info.CPUs == 0 || info.Memory == 0 || info.Architecture != facts.Architecture {
		t.Errorf("%+v, %v", info, err)
	}
	if n := r.dials.Load(); n > 1 {
		t.Errorf("%d new connections for 12 reads", n)
	}
}
