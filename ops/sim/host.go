package sim

import (
	"fmt"
	"math"
	"sync"
	"time"
)

// host is one machine of the fleet.
type host struct {
	fleet  *Fleet
	name   string
	number int
	booted time.Time
	faults faultSet

	mu        sync.Mutex
	changed   chan struct{} // closed and replaced at every change of state or logs
	engine    *engine
	proxy     *proxy
	traffic   *traffic
	followers int
	pulsing   bool

	fsMu  sync.Mutex
	files *fileSystem
	sshd  *sshd
	front *proxyFront
}

const homeDir = "/root"

func newHost(f *Fleet, name string, number int) *host {
	h := &host{fleet: f, name: name, number: number, changed: make(chan struct{})}
	h.booted = f.clock.Now().Add(-time.Duration(39+number%23) * 25 * time.Hour)
	h.files = newFileSystem(&h.fsMu, f.clock.Now, func() bool { return h.faults.has(FullDisk) })
	h.engine = newEngine(h)
	h.proxy = newProxy(h)
	h.traffic = newTraffic(h)
	for _, dir := range []string{homeDir, "/tmp", "/etc", "/proc", "/var/run", "/var/lib/docker", "/usr/bin"} {
		_ = h.files.mkdirAll(dir, 0o755)
	}
	_ = h.files.writeFile("/etc/hostname", []byte(name+"\n"), 0o644)
	_ = h.files.writeFile("/etc/os-release", []byte("PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nNAME=\"Debian GNU/Linux\"\nVERSION_ID=\"12\"\nID=debian\n"), 0o644)
	h.files.liveFile("/proc/loadavg", h.loadavg)
	h.files.liveFile("/proc/uptime", func() []byte {
		up := h.now().Sub(h.booted).Seconds()
		return []byte(fmt.Sprintf("%.2f %.2f\n", up, up*1.9))
	})
	h.files.liveFile("/proc/meminfo", h.meminfo)
	h.files.liveFile("/proc/stat", h.procStat)
	h.files.liveFile("/proc/cpuinfo", func() []byte {
		one := "processor\t: %d\nmodel name\t: AMD EPYC 7763 64-Core Processor\ncpu MHz\t\t: 2445.404\n\n"
		return []byte(fmt.Sprintf(one+one, 0, 1))
	})
	return h
}

func (h *host) now() time.Time { return h.fleet.clock.Now() }

// signal wakes everybody who waits for a change of this host; the lock is held.
func (h *host) signal() {
	close(h.changed)
	h.changed = make(chan struct{})
}

// advanceLocked works out everything that was printed up to now, and tells whether there was anything.
func (h *host) advanceLocked(now time.Time) (news bool) {
	h.traffic.advance(now, func(c *container, l logLine) { c.planned = append(c.planned, l) })
	for _, c := range h.engine.containers {
		if c.alive() && c.cursor.Before(now) {
			c.planned = append(c.planned, c.program.lines(c, c.cursor, now)...)
			c.cursor = now
		}
		if len(c.planned) > 0 {
			before := c.log.end()
			c.planned = c.log.addUntil(now, c.planned)
			news = news || c.log.end() != before
		}
	}
	return news
}

// sayLocked adds lines to a container's log.
func (h *host) sayLocked(c *container, words ...string) {
	now := h.now()
	for _, w := range words {
		c.log.add(logLine{at: now, text: stamp(w, now)})
	}
	if len(words) > 0 {
		h.signal()
	}
}

// answerLocked asks a container's program for a page.
func (h *host) answerLocked(c *container, now time.Time) int {
	if c == nil || !c.alive() || c.status != "running" {
		return 0
	}
	status := c.program.answer(c, now)
	if status == 200 && h.faults.has(FailingHealth) && c.config.Labels["role"] != "" {
		return 503
	}
	return status
}

// healthyLocked is what a container's own health check finds.
func (h *host) healthyLocked(c *container, now time.Time) bool {
	if s, ok := c.program.(*script); ok && s.status == 0 { // it serves nothing: being there is enough
		return !now.Before(c.started.Add(s.ready)) && !h.faults.has(FailingHealth)
	}
	status := h.answerLocked(c, now)
	return status >= 200 && status <= 299
}

// follow keeps the host's logs flowing until the returned function is called.
func (h *host) follow() (stop func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.followers++
	if !h.pulsing {
		h.pulsing = true
		h.pulse(h.now())
	}
	return func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.followers--
	}
}

// Private

const pulseEvery = 250 * time.Millisecond

// pulse makes new log lines four times a second as long as somebody follows; the lock is held.
func (h *host) pulse(now time.Time) {
	if h.advanceLocked(now) {
		h.signal()
	}
	h.fleet.schedule.at(now.Add(pulseEvery), func(now time.Time) {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.pulsing = h.followers > 0
		if h.pulsing {
			h.pulse(now)
		}
	})
}

// loads are the machine's load averages.
func (h *host) loads() (one, five, fifteen float64) {
	seed := seedOf(h.name)
	now := h.now()
	base := 0.18 + float64(seed%40)/100
	at := func(d time.Duration) float64 { return base + 0.5*smooth(seed, now.Add(-d)) }
	mean := func(d time.Duration) float64 { return (at(0) + at(d/2) + at(d)) / 3 }
	return round2(at(0)), round2(mean(5 * time.Minute)), round2(mean(15 * time.Minute))
}

func (h *host) loadavg() []byte {
	one, five, fifteen := h.loads()
	return []byte(fmt.Sprintf("%.2f %.2f %.2f 1/%d %d\n", one, five, fifteen, 180+h.number%40, 20000+h.now().Second()*13))
}

const memTotal = 4 << 30

func (h *host) memUsed() uint64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	used := uint64(410 << 20)
	now := h.now()
	for _, c := range h.engine.containers {
		if c.alive() {
			_, m := c.program.load(c, now)
			used += m
		}
	}
	return min(used, memTotal-64<<20)
}

func (h *host) meminfo() []byte {
	used := h.memUsed() / 1024
	total, cached := uint64(memTotal/1024), uint64(900*1024)
	free := total - used
	if cached > free/2 {
		cached = free / 2
	}
	return []byte(fmt.Sprintf("MemTotal:       %8d kB\nMemFree:        %8d kB\nMemAvailable:   %8d kB\nBuffers:        %8d kB\nCached:         %8d kB\nSwapTotal:      %8d kB\nSwapFree:       %8d kB\n",
		total, free-cached, free, 41000, cached, 0, 0))
}

func (h *host) procStat() []byte {
	up := h.now().Sub(h.booted).Seconds()
	total := up * 200 // two processors, 100 ticks a second
	user := total * 0.11
	system := total * 0.03
	line := fmt.Sprintf("%d 0 %d %d 900 0 120 0 0 0", int64(user), int64(system), int64(total-user-system))
	return []byte("cpu  " + line + "\nbtime " + fmt.Sprint(h.booted.Unix()) + "\n")
}

// diskUsage is the root file system's size and use, in bytes.
func (h *host) diskUsage() (size, used uint64) {
	size = 40 << 30
	if h.faults.has(FullDisk) {
		return size, size
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	used = 5<<30 + uint64(h.number%7)*700<<20
	for _, img := range h.engine.uniqueImages() {
		used += uint64(img.Size)
	}
	return size, min(used, size)
}

// Helpers

func round2(f float64) float64 { return math.Round(f*100) / 100 }
