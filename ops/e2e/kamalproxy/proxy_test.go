package main

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestRouteTakesHostThenWildcardThenLongestPrefix(t *testing.T) {
	p := newProxy(filepath.Join(t.TempDir(), "state"))
	for name, o := range map[string]serviceOptions{
		"any":   {},
		"exact": {Hosts: []string{"a.example.com"}},
		"wild":  {Hosts: []string{"*.example.com"}},
		"api":   {Hosts: []string{"a.example.com"}, PathPrefixes: []string{"/api"}},
		"deep":  {Hosts: []string{"a.example.com"}, PathPrefixes: []string{"/api/v2/"}},
	} {
		place(t, p, name, o)
	}
	for address, want := range map[string]string{
		"a.example.com/":           "exact /",
		"a.example.com/api":        "api /api",
		"a.example.com/apis":       "exact /",
		"a.example.com/api/v2/x":   "deep /api/v2",
		"b.example.com/api":        "wild /",
		"deep.b.example.com/":      "any /",
		"elsewhere.test/":          "any /",
		"a.example.com/api/v2beta": "api /api",
	} {
		host, path, _ := strings.Cut(address, "/")
		found, prefix := p.route(host, "/"+path)
		if got := found.name + " " + prefix; got != want {
			t.Errorf("%s goes to %q, want %q", address, got, want)
		}
	}
}

func TestInstallRefusesAnotherServicesHostAndPath(t *testing.T) {
	p := newProxy(filepath.Join(t.TempDir(), "state"))
	place(t, p, "one", serviceOptions{Hosts: []string{"a.test"}, PathPrefixes: []string{"/x"}})
	place(t, p, "two", serviceOptions{Hosts: []string{"a.test"}, PathPrefixes: []string{"/y"}})
	options, err := serviceOptions{Hosts: []string{"b.test", "a.test"}, PathPrefixes: []string{"x/"}}.completed()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.install("three", options, targetOptions{}, &pool{}); err == nil || err.Error() != "host settings conflict with another service" {
		t.Errorf("err = %v", err)
	}
}

func TestDrainWaitsForFlightsAndCutsTheRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, err := newPool([]string{"one:80"}, targetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		_, _, finish := p.begin(t.Context())
		_, stuck, end := p.begin(t.Context())
		time.AfterFunc(time.Second, finish)
		begun := time.Now()
		p.drain(t.Context(), 5*time.Second)
		if took := time.Since(begun); took != 5*time.Second {
			t.Errorf("drained after %s", took)
		}
		if cause := context.Cause(stuck); !errors.Is(cause, errDrained) {
			t.Errorf("what outlasted the drain ended with %v", cause)
		}
		end()
		if target, _, _ := p.begin(t.Context()); target != nil {
			t.Error("a drained pool takes requests")
		}

		quick, err := newPool([]string{"two:80"}, targetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		_, _, done := quick.begin(t.Context())
		time.AfterFunc(time.Second, done)
		begun = time.Now()
		quick.drain(t.Context(), 5*time.Second)
		if took := time.Since(begun); took != time.Second {
			t.Errorf("drained after %s, want when the last request ended", took)
		}
	})
}

func TestPausedGateWaitsUntilResumedOrTooLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate()
		g.set(gatePaused, "", 10*time.Second)
		if state, _ := g.wait(t.Context(), true); state != gatePaused {
			t.Errorf("a health check waited until %s", state)
		}
		time.AfterFunc(3*time.Second, func() { g.set(gateRunning, "", 0) })
		begun := time.Now()
		if state, _ := g.wait(t.Context(), false); state != gateRunning || time.Since(begun) != 3*time.Second {
			t.Errorf("%s after %s", state, time.Since(begun))
		}
		g.set(gatePaused, "", 10*time.Second)
		begun = time.Now()
		if state, _ := g.wait(t.Context(), false); state != gatePaused || time.Since(begun) != 10*time.Second {
			t.Errorf("%s after %s", state, time.Since(begun))
		}
		g.set(gateStopped, "later", 0)
		if state, message := g.wait(t.Context(), false); state != gateStopped || message != "later" {
			t.Errorf("%s %q", state, message)
		}
	})
}

func TestDeployServesOnceHealthyAndRestoresItself(t *testing.T) {
	var healthy atomic.Bool
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/up" && !healthy.Load() {
			healthy.Store(true)
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		_, _ = w.Write([]byte(r.URL.Path + " " + r.Header.Get("X-Forwarded-Host")))
	}))
	defer app.Close()
	target := strings.TrimPrefix(app.URL, "http://")

	path := filepath.Join(t.TempDir(), "folder", "state")
	p := newProxy(path)
	request := DeployRequest{
		Service: "app", Targets: []string{target}, DeployTimeout: 5 * time.Second,
		Options:       serviceOptions{PathPrefixes: []string{"/sub"}, StripPrefix: true},
		TargetOptions: targetOptions{Health: healthOptions{Path: "/up", Interval: 10 * time.Millisecond, Timeout: time.Second}},
	}
	if err := p.deploy(t.Context(), request); err != nil {
		t.Fatal(err)
	}
	restored := newProxy(path)
	if err := restored.restore(); err != nil {
		t.Fatal(err)
	}
	for name, one := range map[string]*proxy{"deployed": p, "restored": restored} {
		answer := httptest.NewRecorder()
		one.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "http://any.test/sub/page", nil))
		if answer.Code != http.StatusOK || answer.Body.String() != "/page any.test" {
			t.Errorf("%s: %d %q", name, answer.Code, answer.Body)
		}
	}
}

func TestDeployToASickTargetChangesNothing(t *testing.T) {
	app := httptest.NewServer(http.NotFoundHandler())
	defer app.Close()
	p := newProxy(filepath.Join(t.TempDir(), "state"))
	err := p.deploy(t.Context(), DeployRequest{
		Service: "app", Targets: []string{strings.TrimPrefix(app.URL, "http://")}, DeployTimeout: 50 * time.Millisecond,
		TargetOptions: targetOptions{Health: healthOptions{Path: "/up", Interval: 10 * time.Millisecond, Timeout: time.Second}},
	})
	if err == nil || err.Error() != "target failed to become healthy within configured timeout (50ms)" {
		t.Errorf("err = %v", err)
	}
	if rows := p.list(); len(rows) != 0 {
		t.Errorf("services: %v", rows)
	}
}

func TestListPadsBehindTheEscapeCodes(t *testing.T) {
	got := listTable([]listRow{{"application", "*", "/", "0123456789ab:80", "running", "no"}})
	want := "\x1b[3;94mService\x1b[0m      \x1b[3;94mHost\x1b[0m  \x1b[3;94mPath\x1b[0m  \x1b[3;94mTarget\x1b[0m           \x1b[3;94mState\x1b[0m    \x1b[3;94mTLS\x1b[0m  \n" +
		"\x1b[1;34mapplication\x1b[0m  \x1b[m*\x1b[0m     \x1b[m/\x1b[0m     \x1b[m0123456789ab:80\x1b[0m  \x1b[mrunning\x1b[0m  \x1b[mno\x1b[0m   \n"
	if got != want {
		t.Errorf("got\n%q, want\n%q", got, want)
	}
}

// Helpers

func place(t *testing.T, p *proxy, name string, o serviceOptions) {
	t.Helper()
	options, err := o.completed()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.install(name, options, targetOptions{}, &pool{}); err != nil {
		t.Fatal(err)
	}
}
