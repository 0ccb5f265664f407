// Package opstest is a World that records what is asked of it and answers from
// a script, for tests of plans and of the engine. It may import ops and below.
package opstest

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"binnacle/config/secret"
	"binnacle/ops"
	"binnacle/ops/command"
)

// Call is one thing that was asked of the world.
type Call struct {
	Host string // "" for the local machine
	What string // the command, or `docker <verb> …` for the engine's API
}

// Reply is what a matching command answers.
type Reply struct {
	Stdout string
	Stderr string
	Err    error
	Do     func(ctx context.Context) error // runs before the answer
	// Answer takes the command and makes the answer, in place of the rest.
	Answer func(ctx context.Context, what string) (stdout string, err error)
	// Stream takes the bytes that go in, nil for none, and makes those that come
	// out, in place of the rest.
	Stream func(ctx context.Context, what string, stdin io.Reader, stdout io.Writer) error
}

type rule struct {
	host    string
	pattern *regexp.Regexp
	reply   Reply
	times   int // 0: always
}

// LocalRun is a command that ran on the local machine.
type LocalRun struct {
	What  string
	Dir   string
	Env   map[string]secret.Value
	Stdin secret.Value
}

// World records and answers. The zero World answers everything with success
// and nothing.
type World struct {
	mu      sync.Mutex
	calls   []Call
	rules   []*rule
	engines map[string]*Engine
	files   map[string]string // "host:path" → content as it was uploaded
	modes   map[string]string
	now     time.Time
	before  func(ctx context.Context, c Call) error
	after   func(ctx context.Context, c Call) error
	locally []LocalRun
	stores  map[string]*Objects
	Present map[string]bool   // local files that exist
	Sources map[string]string // local files with content
	// Person answers questions; nil: nobody is there.
	Person func(q ops.Question) ops.Answer
}

// New returns a world whose clock starts at a fixed time.
func New() *World {
	return &World{
		engines: map[string]*Engine{}, files: map[string]string{}, modes: map[string]string{}, Present: map[string]bool{},
		now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
	}
}

// On answers commands that match a pattern on a host ("*" for any, "" local).
// Later rules win.
func (w *World) On(host, pattern string, reply Reply) { w.on(host, pattern, reply, 0) }

// Once is On for the first match only.
func (w *World) Once(host, pattern string, reply Reply) { w.on(host, pattern, reply, 1) }

// Interfere lets faults in: before is asked when a call arrives and its error
// keeps the call from having any effect; after is asked once it had its effect,
// and its error is a lost answer. Either may be nil.
func (w *World) Interfere(before, after func(ctx context.Context, c Call) error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.before, w.after = before, after
}

// Locally lists what ran on the local machine, with its surroundings.
func (w *World) Locally() []LocalRun {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.locally)
}

// Calls lists what was asked, in order.
func (w *World) Calls() []Call {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.calls)
}

// Asked lists what one host was asked.
func (w *World) Asked(host string) []string {
	var out []string
	for _, c := range w.Calls() {
		if c.Host == host {
			out = append(out, c.What)
		}
	}
	return out
}

// File is what was uploaded to a host under a path.
func (w *World) File(host, path string) (content, mode string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.files[host+":"+path], w.modes[host+":"+path]
}

// Engine is a host's Docker engine.
func (w *World) Engine(host string) *Engine {
	w.mu.Lock()
	defer w.mu.Unlock()
	e := w.engines[host]
	if e == nil {
		e = &Engine{world: w, host: host}
		w.engines[host] = e
	}
	return e
}

// Ask asks the Person.
func (w *World) Ask(ctx context.Context, q ops.Question) (ops.Answer, error) {
	if w.Person == nil {
		return ops.Answer{}, ops.ErrNobody
	}
	return w.Person(q), ctx.Err()
}

// Remote is a server of this world.
func (w *World) Remote(host string) ops.Remote { return &remote{world: w, host: host} }

// Local is this world's own machine.
func (w *World) Local() ops.Local { return &local{world: w} }

// Now is the world's clock: it stands still but for Sleep.
func (w *World) Now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

// Sleep moves the clock on and returns at once.
func (w *World) Sleep(ctx context.Context, d time.Duration) error {
	w.mu.Lock()
	w.now = w.now.Add(d)
	w.mu.Unlock()
	return ctx.Err()
}

// Private

func (w *World) on(host, pattern string, reply Reply, times int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.rules = append(w.rules, &rule{host: host, pattern: regexp.MustCompile(pattern), reply: reply, times: times})
}

func (w *World) ask(ctx context.Context, host, what string) (Reply, error) {
	w.mu.Lock()
	w.calls = append(w.calls, Call{host, what})
	before := w.before
	w.mu.Unlock()
	if before != nil {
		if err := before(ctx, Call{host, what}); err != nil {
			return Reply{}, err
		}
	}
	w.mu.Lock()
	var found *rule
	for i := len(w.rules) - 1; i >= 0; i-- {
		r := w.rules[i]
		if (r.host == "*" || r.host == host) && r.times >= 0 && r.pattern.MatchString(what) {
			found = r
			if r.times == 1 {
				r.times = -1
			}
			break
		}
	}
	w.mu.Unlock()
	if found == nil {
		return Reply{}, ctx.Err()
	}
	if found.reply.Answer != nil {
		stdout, err := found.reply.Answer(ctx, what)
		return Reply{Stdout: stdout}, err
	}
	if found.reply.Do != nil {
		if err := found.reply.Do(ctx); err != nil {
			return found.reply, err
		}
	}
	if ctx.Err() != nil {
		return found.reply, ctx.Err()
	}
	return found.reply, found.reply.Err
}

// late loses the answer of a call that had its effect.
func (w *World) late(ctx context.Context, host, what string) error {
	w.mu.Lock()
	after := w.after
	w.mu.Unlock()
	if after == nil {
		return nil
	}
	return after(ctx, Call{host, what})
}

func (w *World) run(ctx context.Context, host string, line command.Line, sink ops.Sink) error {
	reply, err := w.ask(ctx, host, line.String())
	if err == nil {
		err = w.late(ctx, host, line.String())
	}
	if sink != nil {
		if reply.Stdout != "" {
			sink.Write(ops.Stdout, []byte(reply.Stdout))
		}
		if reply.Stderr != "" {
			sink.Write(ops.Stderr, []byte(reply.Stderr))
		}
	}
	return err
}

type remote struct {
	world *World
	host  string
}

func (r *remote) Run(ctx context.Context, line command.Line, sink ops.Sink) error {
	return r.world.run(ctx, r.host, line, sink)
}

// Stream answers as Run does, unless the rule has a Stream of its own; what it is
// fed is read to its end.
func (r *remote) Stream(ctx context.Context, line command.Line, stdin io.Reader, stdout io.Writer) error {
	if stdin == nil {
		stdin = strings.NewReader("")
	}
	if stdout == nil {
		stdout = io.Discard
	}
	reply, err := r.world.ask(ctx, r.host, line.String())
	switch {
	case err != nil:
		return err
	case reply.Stream != nil:
		err = reply.Stream(ctx, line.String(), stdin, stdout)
	default:
		if _, err = io.Copy(io.Discard, stdin); err == nil {
			_, err = io.WriteString(stdout, reply.Stdout)
		}
	}
	if err == nil {
		err = r.world.late(ctx, r.host, line.String())
	}
	return err
}

func (r *remote) Upload(ctx context.Context, f ops.File) error {
	_, err := r.world.ask(ctx, r.host, "upload "+f.Path)
	if err != nil {
		return err
	}
	r.world.mu.Lock()
	r.world.files[r.host+":"+f.Path] = f.Content.Reveal()
	r.world.modes[r.host+":"+f.Path] = fmt.Sprintf("%04o", f.Mode.Perm())
	r.world.mu.Unlock()
	return r.world.late(ctx, r.host, "upload "+f.Path)
}

// Forward records that it was opened, and its end.
func (r *remote) Forward(ctx context.Context, listen, to string) (io.Closer, error) {
	if _, err := r.world.ask(ctx, r.host, "forward "+listen+" to "+to); err != nil {
		return nil, err
	}
	return forward{remote: r, ctx: context.WithoutCancel(ctx), listen: listen}, nil
}

func (r *remote) Docker() ops.Docker { return r.world.Engine(r.host) }

type forward struct {
	*remote
	ctx    context.Context
	listen string
}

// Close records the end.
func (f forward) Close() error {
	_, err := f.world.ask(f.ctx, f.host, "end of forward "+f.listen)
	return err
}

type local struct{ world *World }

func (l *local) Run(ctx context.Context, line command.Line, dir string, env map[string]secret.Value, sink ops.Sink) error {
	l.world.mu.Lock()
	l.world.locally = append(l.world.locally, LocalRun{What: line.String(), Dir: dir, Env: env, Stdin: line.Stdin()})
	l.world.mu.Unlock()
	return l.world.run(ctx, "", line, sink)
}

func (l *local) Exists(path string) bool { return l.world.Present[path] }

func (l *local) ReadFile(path string) ([]byte, error) {
	if content, ok := l.world.Sources[path]; ok {
		return []byte(content), nil
	}
	return nil, fs.ErrNotExist
}

func (l *local) Glob(pattern string) ([]string, error) {
	var out []string
	for path := range l.world.Sources {
		if ok, err := filepath.Match(pattern, path); ok && err == nil {
			out = append(out, path)
		}
	}
	slices.Sort(out)
	return out, nil
}

func (l *local) TempDir() string { return "/tmp" }
