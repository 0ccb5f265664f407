package sim

import (
	"fmt"
	"sort"
	"time"
)

// traffic is the stream of visitors of one host. Who comes when follows from the seed and the time, so that
// nothing runs while nobody looks: the requests since the last look are played when somebody does.
type traffic struct {
	h      *host
	seed   uint64
	gap    time.Duration // mean time between visitors
	cursor time.Time
	counts map[requestKind]uint64
}

// requestKind is what the proxy's metrics count by.
type requestKind struct {
	service string
	method  string
	status  int
}

const maxReplay = 600

func newTraffic(h *host) *traffic {
	return &traffic{h: h, seed: seedOf("traffic" + h.name + h.fleet.seedText), cursor: h.now(), counts: map[requestKind]uint64{}}
}

// advance plays the visitors up to now; the host's lock is held.
func (t *traffic) advance(now time.Time, say func(*container, logLine)) {
	from := t.cursor
	if !now.After(from) {
		return
	}
	t.cursor = now
	proxy := t.h.proxy.container()
	if t.gap <= 0 || proxy == nil || !proxy.alive() {
		return
	}
	epoch := t.h.booted
	first, last := int64(from.Sub(epoch)/t.gap)-1, int64(now.Sub(epoch)/t.gap)
	if skipped := last - maxReplay - first; skipped > 0 {
		t.count(t.h.proxy.visit(t.visitor(last-maxReplay, epoch)), uint64(skipped))
		first = last - maxReplay
	}
	for k := first; k <= last; k++ {
		v := t.visitor(k, epoch)
		if !v.at.After(from) || v.at.After(now) || v.at.Before(proxy.started) {
			continue
		}
		got := t.h.proxy.visit(v)
		t.count(got, 1)
		say(proxy, logLine{at: v.at.Add(got.took), text: got.proxyLine()})
		if got.target != nil && got.reached {
			for _, l := range got.appLines() {
				say(got.target, l)
			}
		}
	}
}

// visitor is one request on its way in.
type visitor struct {
	k      int64
	seed   uint64
	at     time.Time
	method string
	path   string
	host   string
	addr   string
	agent  string
}

// visited is a request and what became of it.
type visited struct {
	visitor
	route   string
	target  *container
	address string // the target as the proxy writes it
	status  int
	took    time.Duration
	reached bool
	size    int
}

// Private

func (t *traffic) visitor(k int64, epoch time.Time) visitor {
	roll := dice(t.seed, k)
	at := epoch.Add(time.Duration(k)*t.gap + time.Duration(roll%uint64(t.gap)))
	pages := []struct{ method, path string }{
		{"GET", "/"}, {"GET", "/patients"}, {"GET", "/patients/%d"}, {"GET", "/patients/%d/observations"}, {"GET", "/api/v1/sync"},
		{"POST", "/api/v1/observations"}, {"GET", "/assets/application-%x.css"}, {"GET", "/patients/%d/timeline"}, {"PATCH", "/patients/%d"}, {"GET", "/sessions/new"},
	}
	page := pages[roll>>8%uint64(len(pages))]
	path := page.path
	if page.path != "/" && len(path) > 2 && containsVerb(path) {
		path = fmt.Sprintf(path, 100+roll>>16%4900)
	}
	agents := []string{"Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0", "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15", "fhir-client/4.2"}
	return visitor{
		k: k, seed: t.seed, at: at, method: page.method, path: path,
		addr: fmt.Sprintf("10.%d.%d.%d", 20+roll>>32%4, roll>>40%250, 1+roll>>48%250), agent: agents[roll>>20%3],
	}
}

func (t *traffic) count(v visited, n uint64) {
	t.counts[requestKind{v.route, v.method, v.status}] += n
}

// proxyLine is the proxy's JSON line for a request.
func (v visited) proxyLine() string {
	return fmt.Sprintf(`{"time":%q,"level":"INFO","msg":"Request","host":%q,"port":80,"path":%q,"request_id":%q,"status":%d,"service":%q,"target":%q,"duration":%d,"method":%q,"req_content_length":0,"req_content_type":"","resp_content_length":%d,"resp_content_type":"text/html; charset=utf-8","client_addr":%q,"client_port":"%d","remote_addr":%q,"user_agent":%q,"proto":"HTTP/1.1","scheme":"http","query":""}`,
		v.at.Add(v.took).Format(time.RFC3339Nano), v.host, v.path, v.id(), v.status, v.route, v.address, v.took.Nanoseconds(), v.method, v.size, v.addr, 30000+v.k%30000, v.addr, v.agent)
}

// appLines are what Rails prints about a request.
func (v visited) appLines() []logLine {
	line := func(after time.Duration, level, word, text string) logLine {
		at := v.at.Add(after)
		return logLine{at: at, text: fmt.Sprintf("%s, %s %5s -- : [%s] %s", level, stamp("{rails}", at), word, v.id(), text)}
	}
	out := []logLine{line(time.Millisecond, "I", "INFO", fmt.Sprintf("Started %s %q for %s at %s", v.method, v.path, v.addr, v.at.Format("2006-01-02 15:04:05 -0700")))}
	if v.took > 700*time.Millisecond {
		out = append(out, line(v.took-2*time.Millisecond, "W", "WARN", fmt.Sprintf("Slow query (%.1fms) SELECT \"observations\".* FROM \"observations\" WHERE \"observations\".\"patient_id\" = $1", float64(v.took.Microseconds())/1000*0.86)))
	}
	text := fmt.Sprintf("Completed %d %s in %dms (Views: %.1fms | ActiveRecord: %.1fms)", v.status, statusText(v.status), v.took.Milliseconds(), float64(v.took.Microseconds())/3000, float64(v.took.Microseconds())/5000)
	if v.status >= 500 {
		return append(out, line(v.took-time.Millisecond, "E", "ERROR", text))
	}
	return append(out, line(v.took-time.Millisecond, "I", "INFO", text))
}

func (v visited) id() string { return requestID(v.seed, v.k) }

// requestCounts returns the metrics in a steady order; the lock is held.
func (t *traffic) requestCounts() []requestKind {
	out := make([]requestKind, 0, len(t.counts))
	for k := range t.counts {
		out = append(out, k)
	}
	sort.Slice(out, func(i, j int) bool {
		a, b := out[i], out[j]
		return a.service+a.method < b.service+b.method || a.service+a.method == b.service+b.method && a.status < b.status
	})
	return out
}

// Helpers

func containsVerb(path string) bool {
	for i := 0; i+1 < len(path); i++ {
		if path[i] == '%' {
			return true
		}
	}
	return false
}

// tookFor is how long the app thinks about a request: mostly tens of milliseconds, now and then much more.
func tookFor(v visitor) time.Duration {
	roll := dice(v.seed^0x7007, v.k)
	took := 14*time.Millisecond + time.Duration(roll%96)*time.Millisecond + time.Duration(roll>>8%1000)*time.Microsecond
	if roll>>20%61 == 0 {
		took += 780*time.Millisecond + time.Duration(roll>>30%900)*time.Millisecond
	}
	return took
}
