// Package traffic sends a steady stream of requests and keeps count of every
// one that did not come back well: refused and reset connections, timeouts,
// and answers other than 2xx.
//
// It may import the standard library only.
package traffic

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Options say what to send where.
type Options struct {
	Targets map[string]string // base URL by name, such as a host's
	Path    string            // "/" when empty
	Host    string            // Host header; empty means the URL's
	Rate    int               // requests a second to each target; 0 means 100
	Timeout time.Duration     // of one request; 0 means 10s
}

// Load is a stream that is under way.
type Load struct {
	stop    context.CancelFunc
	senders sync.WaitGroup
	begun   time.Time

	mu     sync.Mutex
	report Report
}

// Report is what became of the requests.
type Report struct {
	Sent     map[string]int // answered or failed, by target
	Skipped  int            // not sent because too many were waiting for an answer
	Failures []Failure      // the first 100
	Failed   int
	Versions []Version // each change of the version that a target answered with
	Elapsed  time.Duration
}

// Failure is a request that did not come back well.
type Failure struct {
	After  time.Duration // since the start
	Target string
	Kind   string // refused, reset, timeout, status or other
	Detail string
}

// Version is the first answer with another version than the one before it.
type Version struct {
	After   time.Duration
	Target  string
	Version string // of the X-Version header
}

// waiting is the most requests to one target that may be without an answer.
const waiting = 256

// Start begins to send until Stop. Every other request uses a connection of
// its own, so that a port that refuses for a moment is noticed.
func Start(ctx context.Context, options Options) *Load {
	ctx, cancel := context.WithCancel(ctx)
	load := &Load{stop: cancel, begun: time.Now(), report: Report{Sent: map[string]int{}}}
	if options.Rate == 0 {
		options.Rate = 100
	}
	if options.Timeout == 0 {
		options.Timeout = 10 * time.Second
	}
	if options.Path == "" {
		options.Path = "/"
	}
	for name, base := range options.Targets {
		load.senders.Go(func() { load.send(ctx, options, name, base) })
	}
	return load
}

// Report returns what has become of the requests so far.
func (l *Load) Report() Report {
	l.mu.Lock()
	defer l.mu.Unlock()
	report := l.report
	report.Sent = map[string]int{}
	for name, n := range l.report.Sent {
		report.Sent[name] = n
	}
	report.Failures, report.Versions = slices.Clone(l.report.Failures), slices.Clone(l.report.Versions)
	report.Elapsed = time.Since(l.begun)
	return report
}

// Stop sends no more, waits for the answers that are due and returns the report.
func (l *Load) Stop() Report {
	l.stop()
	l.senders.Wait()
	return l.Report()
}

// Rate is the lowest number of requests a second that any target got.
func (r Report) Rate() float64 {
	lowest := -1.0
	for _, n := range r.Sent {
		if rate := float64(n) / r.Elapsed.Seconds(); lowest < 0 || rate < lowest {
			lowest = rate
		}
	}
	return max(lowest, 0)
}

// Seen lists the versions that a target answered with, in order of appearance.
func (r Report) Seen(target string) []string {
	var seen []string
	for _, v := range r.Versions {
		if v.Target == target {
			seen = append(seen, v.Version)
		}
	}
	return seen
}

// String says it in a few lines.
func (r Report) String() string {
	var out strings.Builder
	total := 0
	for _, n := range r.Sent {
		total += n
	}
	fmt.Fprintf(&out, "%d requests in %s (%.0f/s at the slowest target), %d failed, %d not sent\n",
		total, r.Elapsed.Round(time.Millisecond), r.Rate(), r.Failed, r.Skipped)
	for _, v := range r.Versions {
		fmt.Fprintf(&out, "  %8s  %s answers %s\n", v.After.Round(time.Millisecond), v.Target, v.Version)
	}
	for _, f := range r.Failures[:min(len(r.Failures), 10)] {
		fmt.Fprintf(&out, "  %8s  %s failed: %s %s\n", f.After.Round(time.Millisecond), f.Target, f.Kind, f.Detail)
	}
	return out.String()
}

// Private

func (l *Load) send(ctx context.Context, options Options, name, base string) {
	kept := &http.Transport{MaxIdleConnsPerHost: waiting}
	single := &http.Transport{DisableKeepAlives: true}
	defer kept.CloseIdleConnections()
	clients := []*http.Client{client(kept, options), client(single, options)}

	tick := time.NewTicker(time.Second / time.Duration(options.Rate))
	defer tick.Stop()
	slots := make(chan struct{}, waiting)
	var open sync.WaitGroup
	defer open.Wait()
	last := &lastVersion{}
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		select {
		case slots <- struct{}{}:
		default:
			l.skip()
			continue
		}
		open.Go(func() {
			defer func() { <-slots }()
			// A request that was begun gets its answer, also after Stop.
			l.one(context.WithoutCancel(ctx), clients[n%2], options, name, base, last)
		})
	}
}

func (l *Load) one(ctx context.Context, client *http.Client, options Options, name, base string, last *lastVersion) {
	sent := time.Since(l.begun)
	version, err := get(ctx, client, base+options.Path, options.Host)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.report.Sent[name]++
	if err != nil {
		l.report.Failed++
		if len(l.report.Failures) < 100 {
			l.report.Failures = append(l.report.Failures, Failure{After: sent, Target: name, Kind: kindOf(err), Detail: err.Error()})
		}
		return
	}
	// Answers may overtake each other; only one to a later request than the
	// last that counted is a change.
	if version != last.version && sent >= last.sent {
		last.version = version
		l.report.Versions = append(l.report.Versions, Version{After: sent, Target: name, Version: version})
	}
	last.sent = max(last.sent, sent)
}

func (l *Load) skip() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.report.Skipped++
}

type lastVersion struct {
	version string
	sent    time.Duration
}

var errStatus = errors.New("status")

// Helpers

func client(transport *http.Transport, options Options) *http.Client {
	return &http.Client{Transport: transport, Timeout: options.Timeout, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

func get(ctx context.Context, client *http.Client, address, host string) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return "", err
	}
	request.Host = host
	response, err := client.Do(request)
	if err != nil {
		return "", err
	}
	defer func() { _ = response.Body.Close() }()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		return "", err
	}
	if response.StatusCode < 200 || response.StatusCode > 299 {
		return "", fmt.Errorf("%w %d", errStatus, response.StatusCode)
	}
	return response.Header.Get("X-Version"), nil
}

func kindOf(err error) string {
	var timeout net.Error
	switch {
	case errors.Is(err, errStatus):
		return "status"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "refused"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "reset"
	case errors.As(err, &timeout) && timeout.Timeout():
		return "timeout"
	}
	return "other"
}
