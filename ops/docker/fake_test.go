package docker_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"binnacle/config/secret"
	"binnacle/ops"
	"binnacle/ops/docker"
)

// pipes is a listener whose connections are pipes, which synctest understands.
type pipes struct {
	conns chan net.Conn
	done  chan struct{}
	dials atomic.Int64
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { return nil }
func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipe"} }

func (p *pipes) dial(ctx context.Context) (net.Conn, error) {
	p.dials.Add(1)
	near, far := net.Pipe()
	select {
	case p.conns <- far:
		return near, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// An engine that was updated, or set back, is spoken to in its new version from
// the second call on.
func TestEngineIsReplaced(t *testing.T) {
	var version atomic.Value
	var paths []string
	p := &pipes{conns: make(chan net.Conn), done: make(chan struct{})}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		w.Header().Set("Api-Version", version.Load().(string))
		paths = append(paths, q.URL.Path)
		switch {
		case q.URL.Path == "/_ping":
		case !strings.HasPrefix(q.URL.Path, "/v"+version.Load().(string)+"/"):
			answer(400, `{"message":"client version 1.41 is too old. Minimum supported API version is 1.44"}`)(w, q)
		default:
			_, _ = io.WriteString(w, "[]")
		}
	})}
	go server.Serve(p)
	t.Cleanup(func() { close(p.done); _ = server.Close() })
	e := docker.New("vm2", p.dial)
	defer e.Close()
	for _, v := range []string{"1.41", "1.50", "1.44"} {
		version.Store(v)
		_, err := e.ListContainers(t.Context())
		if replaced := v != "1.41"; (err != nil) != replaced {
			t.Errorf("first call of %s: %v", v, err)
		}
		if _, err := e.ListContainers(t.Context()); err != nil {
			t.Errorf("second call of %s: %v, asked %v", v, err, paths)
		}
	}
}

// fake is an Engine before a handler, of an engine that speaks API 1.41.
func fake(t *testing.T, handle http.HandlerFunc) (*docker.Engine, *pipes) {
	t.Helper()
	p := &pipes{conns: make(chan net.Conn), done: make(chan struct{})}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		w.Header().Set("Api-Version", "1.41")
		if q.URL.Path == "/_ping" {
			return
		}
		if !strings.HasPrefix(q.URL.Path, "/v1.41/") {
			t.Errorf("asks %s of an engine of 1.41", q.URL.Path)
		}
		handle(w, q)
	})}
	served := make(chan error, 1)
	go func() { served <- server.Serve(p) }()
	e := docker.New("vm2", p.dial)
	t.Cleanup(func() {
		_ = e.Close()
		close(p.done)
		_ = server.Close()
		<-served
	})
	return e, p
}

func answer(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func TestFailuresAreToldForPeople(t *testing.T) {
	pull := func(e *docker.Engine) error {
		return e.Pull(context.Background(), "registry:5000/app:v2", ops.RegistryAuth{}, nil)
	}
	list := func(e *docker.Engine) error { _, err := e.ListContainers(context.Background()); return err }
	for _, test := range []struct {
		name   string
		status int
		body   string
		call   func(*docker.Engine) error
		want   string
	}{
		{"refused", 500, `{"message":"Get \"http://registry:5000/v2/\": dial tcp 10.0.0.9:5000: connect: connection refused"}`, pull,
			"vm2: docker pull registry:5000/app:v2: connection refused (is the registry up? Docker on this host tried 10.0.0.9:5000)"},
		{"in the stream", 200, `{"status":"Pulling from app","id":"v2"}` + "\n" + `{"errorDetail":{"message":"write /var/lib/docker/tmp/x: no space left on device"},"error":"x"}`, pull,
			"vm2: docker pull registry:5000/app:v2: no space left on device (`docker system df`"},
		{"silence", 500, `{"message":"Get \"https://registry:5000/v2/\": net/http: request canceled while waiting for connection (Client.Timeout exceeded while awaiting headers)"}`, pull,
			"the registry does not answer (is it up, and may this host reach it?)"},
		{"another architecture", 404, `{"message":"no matching manifest for linux/arm64/v8 in the manifest list entries"}`, pull,
			"the image has no build for this machine's architecture (add the architecture"},
		{"rate limit", 429, `{"message":"toomanyrequests: You have reached your pull rate limit."}`, pull, "rate limit is reached"},
		{"certificate", 500, `{"message":"Get \"https://r/v2/\": x509: certificate signed by unknown authority"}`, pull, "certificate is not trusted"},
		{"cut stream", 200, `{"status":"Pulling from app","id":"v2"}` + "\n" + `{"status":"Dow`, pull, "the connection to the registry broke"},
		{"unknown words", 500, `{"message":"the moon is in the way"}`, list, "vm2: docker ps --all: the moon is in the way"},
		{"no words", 500, ``, list, "vm2: docker ps --all: request returned 500"},
		{"not JSON", 200, `<html>`, list, "vm2: docker ps --all: invalid character"},
	} {
		t.Run(test.name, func(t *testing.T) {
			e, _ := fake(t, answer(test.status, test.body))
			err := test.call(e)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v", err)
			}
			var told *ops.Error
			if !errors.As(err, &told) || told.Host != "vm2" || told.Command == "" {
				t.Errorf("is no Error of this host: %#v", err)
			}
		})
	}
}

func TestPullSendsCredentials(t *testing.T) {
	var header string
	e, _ := fake(t, func(w http.ResponseWriter, q *http.Request) {
		raw, _ := base64.URLEncoding.DecodeString(q.Header.Get("X-Registry-Auth"))
		header = q.URL.Query().Get("fromImage") + " " + q.URL.Query().Get("tag") + " " + string(raw)
	})
	auth := ops.RegistryAuth{Server: "registry:5000", Username: "kim", Password: secret.New("tide")}
	if err := e.Pull(t.Context(), "registry:5000/app:v2", auth, nil); err != nil {
		t.Fatal(err)
	}
	if want := `registry:5000/app v2 {"username":"kim","password":"tide","serveraddress":"registry:5000"}`; header != want {
		t.Errorf("sent %s", header)
	}
	if err := e.Pull(t.Context(), "registry:5000/app:v2", ops.RegistryAuth{}, nil); err != nil {
		t.Fatal(err)
	}
	if header != "registry:5000/app v2 " {
		t.Errorf("without credentials sent %s", header)
	}
}

// A host that cannot be dialled is dialled once per call, and its own error
// comes through.
func TestDialFailure(t *testing.T) {
	refused := errors.New("vm2: dialing 10.0.0.2:22: connection refused (is sshd running?)")
	dials := 0
	e := docker.New("vm2", func(context.Context) (net.Conn, error) { dials++; return nil, refused })
	_, err := e.ListContainers(t.Context())
	if !errors.Is(err, refused) || dials != 1 {
		t.Errorf("%d dials, %v", dials, err)
	}
	if want := "vm2: docker ps --all: dialing 10.0.0.2:22: connection refused (is sshd running?)"; err.Error() != want {
		t.Errorf("got %v", err)
	}
}

func TestParallelReadsShareADialFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var dials atomic.Int64
		e := docker.New("vm2", func(context.Context) (net.Conn, error) {
			dials.Add(1)
			time.Sleep(time.Second)
			return nil, errors.New("vm2: no route")
		})
		errs := make(chan error, 10)
		for range cap(errs) {
			go func() { _, err := e.Facts(t.Context()); errs <- err }()
		}
		for range cap(errs) {
			if err := <-errs; err == nil || err.Error() != "vm2: docker version: no route" {
				t.Errorf("got %v", err)
			}
		}
		if n := dials.Load(); n != 1 {
			t.Errorf("%d dials", n)
		}
		if _, err := e.Facts(t.Context()); err == nil || dials.Load() != 2 {
			t.Errorf("a later call gives %v after %d dials", err, dials.Load())
		}
	})
}

func TestRecoversAfterALostConnection(t *testing.T) {
	e, p := fake(t, answer(200, "[]"))
	if _, err := e.ListContainers(t.Context()); err != nil {
		t.Fatal(err)
	}
	_ = e.Close() // as when the SSH connection dropped and every channel with it
	if _, err := e.ListContainers(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := p.dials.Load(); n != 2 {
		t.Errorf("%d dials", n)
	}
}

func TestAnswersAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, _ := fake(t, func(_ http.ResponseWriter, q *http.Request) { <-q.Context().Done() })
		start := time.Now()
		_, err := e.ListContainers(t.Context())
		if err == nil || !strings.HasPrefix(err.Error(), "vm2: docker ps --all: no answer within 30s (") || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		if d := time.Since(start); d != 30*time.Second {
			t.Errorf("took %s", d)
		}
		grace := 40 * time.Second
		if err := e.Stop(t.Context(), "web", &grace); err == nil || !strings.Contains(err.Error(), "docker stop -t 40 web: no answer within 2m40s") {
			t.Errorf("got %v", err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := e.Pull(ctx, "app:v1", ops.RegistryAuth{}, nil); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
	})
}

func TestParallelReadsAgreeOnce(t *testing.T) {
	var pings atomic.Int64
	p := &pipes{conns: make(chan net.Conn), done: make(chan struct{})}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		w.Header().Set("Api-Version", "1.41")
		if q.URL.Path == "/_ping" {
			pings.Add(1)
			return
		}
		_, _ = io.WriteString(w, "[]")
	})}
	go server.Serve(p)
	t.Cleanup(func() { close(p.done); _ = server.Close() })
	e := docker.New("vm2", p.dial)
	defer e.Close()
	errs := make(chan error, 20)
	for i := range cap(errs) {
		go func() {
			var err error
			if i%2 == 0 {
				_, err = e.ListContainers(t.Context())
			} else {
				_, err = e.ListImages(t.Context())
			}
			errs <- err
		}()
	}
	for range cap(errs) {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	if n := pings.Load(); n != 1 {
		t.Errorf("%d pings", n)
	}
}

func TestEventStreamThatEnds(t *testing.T) {
	e, _ := fake(t, func(w http.ResponseWriter, q *http.Request) {
		if got := q.URL.Query().Get("filters"); got != `{"container":{"kamal-proxy":true},"event":{"exec_start":true},"type":{"container":true}}` {
			t.Errorf("filters %s", got)
		}
		fmt.Fprintln(w, `{"Type":"container","Action":"health_status: unhealthy","Actor":{"ID":"c1","Attributes":{"name":"web"}},"timeNano":5}`)
	})
	opened := 0
	var got []docker.Event
	filter := docker.EventFilter{Types: []string{"container"}, Actions: []string{"exec_start"}, Container: "kamal-proxy"}
	err := e.Events(t.Context(), filter, func() { opened++ }, func(ev docker.Event) { got = append(got, ev) })
	if err == nil || opened != 1 {
		t.Errorf("opened %d times, ended with %v", opened, err)
	}
	want := docker.Event{At: time.Unix(0, 5).UTC(), Type: "container", Action: "health_status", Detail: "unhealthy", ID: "c1", Name: "web"}
	if len(got) != 1 || got[0] != want {
		t.Errorf("got %+v", got)
	}
	refusing, _ := fake(t, answer(500, `{"message":"no events today"}`))
	if err := refusing.Events(t.Context(), docker.EventFilter{}, func() { t.Error("opened") }, nil); err == nil || !strings.Contains(err.Error(), "no events today") {
		t.Errorf("got %v", err)
	}
}

func TestDiskUsageOfOldEngines(t *testing.T) {
	e, _ := fake(t, answer(200, `{"LayersSize":900,"Images":[{"Id":"a","Size":600,"SharedSize":100,"Containers":1},{"Id":"b","Size":300,"SharedSize":100,"Containers":0}],
		"Containers":[{"Id":"c","State":"running","SizeRw":50},{"Id":"d","State":"exited","SizeRw":70}],
		"Volumes":[{"Name":"v","UsageData":{"RefCount":0,"Size":40}}],"BuildCache":null}`))
	got, err := e.DiskUsage(t.Context())
	want := docker.DiskUsage{
		Images:     docker.DiskShare{Count: 2, Active: 1, Size: 900, Reclaimable: 200},
		Containers: docker.DiskShare{Count: 2, Active: 1, Size: 120, Reclaimable: 70},
		Volumes:    docker.DiskShare{Count: 1, Size: 40, Reclaimable: 40},
	}
	if err != nil || got != want {
		t.Errorf("%+v, %v", got, err)
	}
}
