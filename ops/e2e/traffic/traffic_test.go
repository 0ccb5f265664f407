package traffic

import (
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"
)

func TestLoadCountsEveryRequestThatWentWrong(t *testing.T) {
	var served, refuse atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		served.Add(1)
		switch refuse.Load() {
		case 1:
			w.WriteHeader(http.StatusServiceUnavailable)
		case 2:
			panic(http.ErrAbortHandler)
		default:
			w.Header().Set("X-Version", "v1")
		}
	}))
	defer server.Close()
	load := Start(t.Context(), Options{Targets: map[string]string{"a": server.URL}, Rate: 500})
	await(t, func() bool { return load.Report().Sent["a"] > 20 })
	if r := load.Report(); r.Failed != 0 {
		t.Fatalf("failures while all is well:\n%s", r)
	}
	refuse.Store(1)
	await(t, func() bool { return kinds(load.Report())["status"] > 0 })
	refuse.Store(2)
	await(t, func() bool { return kinds(load.Report())["reset"] > 0 })
	report := load.Stop()
	// A request on a reused connection that ends without an answer is sent
	// again by net/http, so more may be served than were counted.
	if report.Sent["a"] > int(served.Load()) {
		t.Errorf("%d counted, %d served", report.Sent["a"], served.Load())
	}
	if seen := report.Seen("a"); len(seen) != 1 || seen[0] != "v1" {
		t.Errorf("versions %v", seen)
	}
}

func TestLoadCountsRefusedConnections(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	load := Start(t.Context(), Options{Targets: map[string]string{"a": "http://" + address}})
	await(t, func() bool { return load.Report().Failed > 5 })
	if report := load.Stop(); kinds(report)["refused"] != report.Failed {
		t.Errorf("not all refused:\n%s", report)
	}
}

// Helpers

func kinds(r Report) map[string]int {
	count := map[string]int{}
	for _, f := range r.Failures {
		count[f.Kind]++
	}
	return count
}

func await(t *testing.T, condition func() bool) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for !condition() {
		if time.Now().After(deadline) {
			t.Fatal("waited 10s in vain")
		}
		time.Sleep(5 * time.Millisecond)
	}
}
