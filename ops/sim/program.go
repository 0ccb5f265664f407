package sim

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// program is what runs in a container. Its methods are called with the host's lock held and depend on the
// container and the time alone, so that what it printed can be worked out when somebody asks.
type program interface {
	// lines are those begun after from, up to and including to; some may be printed a little later.
	lines(c *container, from, to time.Time) []logLine
	// ends tells when and how the process ends by itself.
	ends(c *container) (after time.Duration, how ending, ok bool)
	// stop tells how long the process takes to end when asked to, its exit code and its last words.
	stop(c *container) (takes time.Duration, code int, words []string)
	// answer is the HTTP status for a request; 0 is a refused connection.
	answer(c *container, now time.Time) int
	// load is the share of one core and the memory in bytes that the process uses.
	load(c *container, now time.Time) (cpu float64, memory uint64)
	// cpuTime is the processor time used since the start; it never shrinks.
	cpuTime(c *container, now time.Time) time.Duration
}

// script is a program told in data: what it prints while starting, what it prints now and then, and what it
// answers.
type script struct {
	boot     []spoken
	ready    time.Duration
	period   time.Duration
	chatter  func(c *container, k int64, at time.Time) []spoken
	toStderr bool
	status   int // answer once ready; 0 does not listen
	end      *planned
	stopTime time.Duration
	words    []string
	cpu      float64
	memory   uint64
	grows    uint64 // bytes per second
}

// spoken is a line and when it comes, after the start or after what led to it. {rails}, {pg}, {redis} and
// {json} stand for the time in the way that these write it.
type spoken struct {
	after time.Duration
	text  string
}

type planned struct {
	after time.Duration
	how   ending
}

const maxTicks = 400

func (s *script) lines(c *container, from, to time.Time) []logLine {
	var out []logLine
	for _, b := range s.boot {
		at := c.started.Add(b.after)
		if at.After(from) && !at.After(to) || from.Equal(c.started) && b.after == 0 {
			out = append(out, logLine{at: at, stderr: s.toStderr, text: stamp(b.text, at)})
		}
	}
	if s.period <= 0 {
		return out
	}
	begin := c.started.Add(s.ready)
	first, last := int64(from.Sub(begin)/s.period)-1, int64(to.Sub(begin)/s.period)
	for k := max(first, last-maxTicks, 0); k <= last; k++ {
		at := begin.Add(time.Duration(k)*s.period + time.Duration(dice(c.seed, k)%uint64(s.period)))
		if !at.After(from) || at.After(to) {
			continue
		}
		for _, say := range s.chatter(c, k, at) {
			when := at.Add(say.after)
			out = append(out, logLine{at: when, stderr: s.toStderr, text: stamp(say.text, when)})
		}
	}
	return out
}

func (s *script) ends(*container) (time.Duration, ending, bool) {
	if s.end == nil {
		return 0, ending{}, false
	}
	return s.end.after, s.end.how, true
}

func (s *script) stop(*container) (time.Duration, int, []string) { return s.stopTime, 0, s.words }

func (s *script) answer(c *container, now time.Time) int {
	if s.status == 0 || now.Before(c.started.Add(s.ready)) {
		return 0
	}
	return s.status
}

func (s *script) load(c *container, now time.Time) (float64, uint64) {
	age := now.Sub(c.started)
	wave := smooth(c.seed, now)
	memory := s.memory + uint64(float64(s.memory)*0.12*wave) + uint64(float64(s.grows)*age.Seconds())
	cpu := s.cpu * (0.55 + 0.45*wave)
	if age < s.ready+time.Second {
		cpu += 0.6
	}
	return cpu, memory
}

func (s *script) cpuTime(c *container, now time.Time) time.Duration {
	age := now.Sub(c.started).Seconds()
	if age < 0 {
		return 0
	}
	wave := waveArea(c.seed, now) - waveArea(c.seed, c.started)
	starting := min(age, (s.ready + time.Second).Seconds())
	return time.Duration((s.cpu*(0.55*age+0.45*wave) + 0.6*starting) * float64(time.Second))
}

// taskProgram is any other command: it runs in the container's own shell and ends when that does.
type taskProgram struct{ argv []string }

func (*taskProgram) lines(*container, time.Time, time.Time) []logLine { return nil }
func (*taskProgram) ends(*container) (time.Duration, ending, bool)    { return 0, ending{}, false }
func (*taskProgram) stop(*container) (time.Duration, int, []string)   { return 0, 143, nil }
func (*taskProgram) answer(*container, time.Time) int                 { return 0 }
func (*taskProgram) load(*container, time.Time) (float64, uint64)     { return 0.01, 6 << 20 }
func (*taskProgram) cpuTime(c *container, now time.Time) time.Duration {
	return now.Sub(c.started) / 100
}

// Private

// runTask runs a task container's command until it ends.
func (e *engine) runTask(c *container, task *taskProgram) {
	ctx, cancel := context.WithCancel(e.h.fleet.ctx)
	c.cancelTask = cancel
	run := c.run
	e.h.fleet.spawn(func() {
		defer cancel()
		out := &logWriter{h: e.h, c: c}
		errOut := &logWriter{h: e.h, c: c, stderr: true}
		code := e.h.runInContainer(ctx, c, execSpec{argv: task.argv}, strings.NewReader(""), out, errOut)
		out.flush()
		errOut.flush()
		e.h.mu.Lock()
		defer e.h.mu.Unlock()
		if c.run == run && c.alive() {
			e.endLocked(c, e.h.now(), ending{code: code})
		}
	})
}

// Helpers

// programFor chooses by the image's behaviour and the command it was started with.
func programFor(c *container) program {
	cmd := strings.Join(c.config.Cmd, " ")
	own := len(c.config.Entrypoint) == 0 && cmd == strings.Join(c.image.Cmd, " ")
	job := strings.Contains(cmd, "solid_queue") || strings.Contains(cmd, "bin/jobs") || cmd == "/app work"
	web := own || strings.Contains(cmd, "rails server") || strings.Contains(cmd, "puma") || strings.Contains(cmd, "thrust")
	ready := 1100*time.Millisecond + time.Duration(dice(c.seed, 1)%700)*time.Millisecond
	switch c.image.Runs {
	case Proxies:
		if own || strings.HasPrefix(cmd, "kamal-proxy run") {
			return proxyProgram()
		}
	case StoresSQL:
		if own || strings.HasPrefix(cmd, "postgres") {
			return postgresProgram()
		}
	case StoresKeys:
		if own || strings.HasPrefix(cmd, "redis-server") {
			return redisProgram()
		}
	case Exits:
		if job || web {
			return exitingProgram()
		}
	case NeverHealthy:
		if web {
			return brokenProgram(ready)
		}
	case RunsOutOfMemory:
		if web {
			return greedyProgram()
		}
	}
	switch {
	case job:
		return jobProgram(ready)
	case web && c.image.Runs != "":
		return railsProgram(ready)
	}
	return &taskProgram{argv: append(slices.Clone(c.config.Entrypoint), c.config.Cmd...)}
}

// logWriter turns what a task prints into log lines.
type logWriter struct {
	h      *host
	c      *container
	stderr bool
	rest   string
}

// Write splits at line ends.
func (w *logWriter) Write(p []byte) (int, error) {
	w.rest += string(p)
	for {
		line, rest, ok := strings.Cut(w.rest, "\n")
		if !ok {
			return len(p), nil
		}
		w.rest = rest
		w.say(line)
	}
}

func (w *logWriter) flush() {
	if w.rest != "" {
		w.say(w.rest)
		w.rest = ""
	}
}

func (w *logWriter) say(line string) {
	w.h.mu.Lock()
	defer w.h.mu.Unlock()
	w.c.log.add(logLine{at: w.h.now(), stderr: w.stderr, text: line})
	w.h.signal()
}

// stamp fills in the time that a line carries itself.
func stamp(text string, at time.Time) string {
	if !strings.Contains(text, "{") {
		return text
	}
	return strings.NewReplacer(
		"{rails}", "["+at.Format("2006-01-02T15:04:05.000000")+" #1]",
		"{pg}", at.Format("2006-01-02 15:04:05.000")+" UTC",
		"{redis}", at.Format("02 Jan 2006 15:04:05.000"),
		"{json}", at.Format(time.RFC3339Nano),
	).Replace(text)
}

// dice is a repeatable random number for the k-th thing that happens.
func dice(seed uint64, k int64) uint64 {
	z := seed + uint64(k)*0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

func seedOf(text string) uint64 {
	var n uint64
	_, _ = fmt.Sscanf(hash("seed", text)[:16], "%x", &n)
	return n
}
