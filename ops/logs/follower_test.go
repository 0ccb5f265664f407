package logs

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"binnacle/ops"
)

// engine plays the Docker engines of a fleet: logs that grow, and streams that
// can be cut.
type engine struct {
	mu       sync.Mutex
	logs     map[ops.ContainerID][]Entry
	ended    map[ops.ContainerID]bool
	cut      map[ops.ContainerID]error
	changed  chan struct{}
	requests []Request
	open     int
}

func newEngine() *engine {
	return &engine{
		logs: map[ops.ContainerID][]Entry{}, ended: map[ops.ContainerID]bool{}, cut: map[ops.ContainerID]error{},
		changed: make(chan struct{}),
	}
}

func (e *engine) change(do func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	do()
	close(e.changed)
	e.changed = make(chan struct{})
}

func (e *engine) write(key ops.ContainerID, texts ...string) {
	e.change(func() {
		for _, text := range texts {
			e.logs[key] = append(e.logs[key], Entry{At: time.Now(), Stream: ops.Stdout, Text: text})
		}
	})
}

func (e *engine) Open(ctx context.Context, req Request, each func(Entry)) error {
	e.mu.Lock()
	e.requests = append(e.requests, req)
	e.open++
	from := 0
	for from < len(e.logs[req.Container]) && e.logs[req.Container][from].At.Before(req.Since) {
		from++
	}
	if req.Tail >= 0 {
		from = max(from, len(e.logs[req.Container])-req.Tail)
	}
	e.mu.Unlock()
	defer func() { e.mu.Lock(); e.open--; e.mu.Unlock() }()
	for {
		e.mu.Lock()
		fresh := slices.Clone(e.logs[req.Container][from:])
		ended, cut, changed := e.ended[req.Container] || !req.Follow, e.cut[req.Container], e.changed
		e.mu.Unlock()
		for _, entry := range fresh {
			each(entry)
		}
		from += len(fresh)
		if cut != nil {
			return cut
		}
		if ended {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func key(host, id string) ops.ContainerID { return ops.ContainerID{Host: host, ID: id} }

func container(host, id, role, version, state string) ops.Container {
	return ops.Container{
		Host: host, ID: id, Name: "app-" + role + "-" + version, Kind: ops.KindApp, App: "app", Role: role, Version: version,
		State: state, Created: time.Now(),
	}
}

func fleetOf(containers ...ops.Container) ops.Fleet {
	f := ops.Fleet{Apps: []ops.App{{ID: "app", Roles: []ops.AppRole{{Name: "web"}, {Name: "job"}}}}}
	for _, c := range containers {
		h, ok := f.Host(c.Host)
		if !ok {
			h = ops.Host{Name: c.Host}
		}
		h.Containers = append(h.Containers, c)
		f = f.WithHost(h)
	}
	return f
}

func shown(f *Follower) string {
	v := f.View()
	var out []string
	for seq := v.First(); seq < v.Next(); seq++ {
		l, _ := v.Line(seq)
		text := l.Text
		if l.Late {
			text += "(late)"
		}
		out = append(out, l.Source.Host()+":"+text)
	}
	return strings.Join(out, " ")
}

func want(t *testing.T, f *Follower, text string) {
	t.Helper()
	if got := shown(f); got != text {
		t.Errorf("shown %q\n want %q", got, text)
	}
}

// settle lets everything happen that happens within d.
func settle(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func following(t *testing.T, test func(t *testing.T, e *engine, f *Follower)) {
	synctest.Test(t, func(t *testing.T) {
		e := newEngine()
		f := Follow(t.Context(), Options{
			Open:   e.Open,
			Redact: func(s string) string { return strings.ReplaceAll(s, "hunter2", "[REDACTED]") },
		})
		test(t, e, f)
		f.Close()
		if e.open != 0 {
			t.Errorf("%d streams are still open after Close", e.open)
		}
	})
}

func TestFollowerMergesHostsByTime(t *testing.T) {
	following(t, func(t *testing.T, e *engine, f *Follower) {
		one, two := key("h1", "c1"), key("h2", "c2")
		for i := range 3 {
			e.write(one, fmt.Sprintf("a%d", i))
			time.Sleep(time.Millisecond)
			e.write(two, fmt.Sprintf("b%d", i))
			time.Sleep(time.Millisecond)
		}
		f.Update(fleetOf(container("h1", "c1", "web", "v1", "running"), container("h2", "c2", "web", "v1", "running")))
		f.Select(Selection{App: "app", Roles: []string{"web"}}, Span{})
		settle(time.Second)
		want(t, f, "h1:a0 h2:b0 h1:a1 h2:b1 h1:a2 h2:b2")
		s := f.Status()
		if s.Count(Live) != 2 || s.Late != 0 {
			t.Errorf("status: %d live, %d late", s.Count(Live), s.Late)
		}
	})
}

func TestFollowerSilentStreamDelaysBriefly(t *testing.T) {
	following(t, func(t *testing.T, e *engine, f *Follower) {
		f.Update(fleetOf(container("h1", "c1", "web", "v1", "running"), container("h2", "c2", "web", "v1", "running")))
		f.Select(Selection{App: "app", Roles: []string{"web"}}, Span{})
		settle(2 * time.Second)
		e.write(key("h1", "c1"), "hello")
		settle(299 * time.Millisecond)
		want(t, f, "")
		settle(2 * time.Millisecond)
		want(t, f, "h1:hello")
	})
}

func TestFollowerResumesWithoutRepeating(t *testing.T) {
	following(t, func(t *testing.T, e *engine, f *Follower) {
		c := key("h1", "c1")
		f.Update(fleetOf(container("h1", "c1", "web", "v1", "running")))
		f.Select(Selection{App: "app", Roles: []string{"web"}}, Span{})
		settle(time.Second)
		e.write(c, "same", "same", "x")
		settle(time.Second)
		e.change(func() { e.cut[c] = errors.New("connection reset") })
		settle(100 * time.Millisecond)
		s := f.Status()
		if s.Count(Retrying) != 1 || s.Sources[0].Err == nil {
			t.Fatalf("a cut stream must be retrying with its error: %+v", s.Sources)
		}
		e.write(c, "missed")
		e.change(func() { delete(e.cut, c) })
		settle(2 * time.Second)
		e.write(c, "after")
		settle(time.Second)
		want(t, f, "h1:same h1:same h1:x h1:missed h1:after")
		if s := f.Status(); s.Count(Live) != 1 || s.Sources[0].Err != nil {
			t.Errorf("after the resume: %+v", s.Sources)
		}
	})
}

func TestFollowerBacksOff(t *testing.T) {
	following(t, func(t *testing.T, e *engine, f *Follower) {
		e.change(func() { e.cut[key("h1", "c1")] = errors.New("refused") })
		f.Update(fleetOf(container("h1", "c1", "web", "v1", "running")))
		f.Select(Selection{App: "app", Roles: []string{"web"}}, Span{})
		settle(time.Minute)
		if n := len(e.requests); n < 5 || n > 10 {
			t.Errorf("%d attempts within a minute, want a few", n)
		}
	})
}

func TestFollowerJoinsWhatADeployBrings(t *testing.T) {
	following(t, func(t *testing.T, e *engine, f *Follower) {
		old, fresh := container("h1", "old", "web", "v1", "running"), container("h1", "new", "web", "v2", "running")
		f.Update(fleetOf(old))
		f.Select(Selection{App: "app", Roles: []string{"web"}}, Span{})
		settle(time.Second)
		e.write(key("h1", "old"), "v1 serves")
		settle(time.Second)
		e.write(key("h1", "new"), "v2 boots")
		f.Update(fleetOf(old, fresh))
		settle(time.Second)
		e.write(key("h1", "old"), "v1 says goodbye")
		e.change(func() { e.ended[key("h1", "old")] = true })
		old.State = "exited"
		f.Update(fleetOf(old, fresh))
		settle(time.Second)
		e.write(key("h1", "new"), "v2 serves")
		settle(time.Second)
		want(t, f, "h1:v1 serves h1:v2 boots h1:v1 says goodbye h1:v2 serves")
		f.Update(fleetOf(fresh))
		settle(time.Second)
		if s := f.Status(); len(s.Sources) != 1 || s.Sources[0].Source.Version != "v2" {
			t.Errorf("sources at the end: %+v", s.Sources)
		}
	})
}

func TestFollowerTakesAContainerThatDiedAtOnce(t *testing.T) {
	following(t, func(t *testing.T, e *engine, f *Follower) {
		stale := container("h1", "stale", "web", "v0", "exited")
		time.Sleep(time.Second)
		f.Update(fleetOf(stale))
		f.Select(Selection{App: "app", Roles: []string{"web"}}, Span{})
		settle(time.Second)
		e.write(key("h1", "stale"), "old news")
		e.write(key("h1", "bad"), "FATAL no database")
		e.change(func() { e.ended[key("h1", "bad")] = true })
		f.Update(fleetOf(stale, container("h1", "bad", "web", "v3", "exited")))
		settle(time.Minute)
		want(t, f, "h1:FATAL no database")
		if n := len(e.requests); n != 1 {
			t.Errorf("%d requests: a stopped container must not be asked again", n)
		}
	})
}

func TestFollowerFollowsARestart(t *testing.T) {
	following(t, func(t *testing.T, e *engine, f *Follower) {
		c, id := container("h1", "c1", "web", "v1", "running"), key("h1", "c1")
		f.Update(fleetOf(c))
		f.Select(Selection{App: "app", Containers: []ops.ContainerID{id}}, Span{})
		settle(time.Second)
		e.write(id, "one")
		e.change(func() { e.ended[id] = true })
		c.State = "exited"
		f.Update(fleetOf(c))
		settle(time.Minute)
		if s := f.Status(); s.Count(Ended) != 1 {
			t.Fatalf("sources: %+v", s.Sources)
		}
		e.change(func() { delete(e.ended, id) })
		c.State = "running"
		f.Update(fleetOf(c))
		settle(time.Second)
		e.write(id, "two")
		settle(time.Second)
		want(t, f, "h1:one h1:two")
	})
}

func TestFollowerSelectStartsAnew(t *testing.T) {
	following(t, func(t *testing.T, e *engine, f *Follower) {
		e.write(key("h1", "w"), "web")
		e.write(key("h1", "j"), "job")
		f.Update(fleetOf(container("h1", "w", "web", "v1", "running"), container("h1", "j", "job", "v1", "running")))
		f.Select(Selection{App: "app", Roles: []string{"web"}}, Span{})
		settle(time.Second)
		want(t, f, "h1:web")
		f.Select(Selection{App: "app", Roles: []string{"job"}}, Span{})
		settle(time.Second)
		want(t, f, "h1:job")
		if f.View().First() == 0 {
			t.Error("sequence numbers began again")
		}
		if e.open != 1 {
			t.Errorf("%d streams are open, want 1", e.open)
		}
	})
}

func TestFollowerSpans(t *testing.T) {
	following(t, func(t *testing.T, e *engine, f *Follower) {
		id := key("h1", "c1")
		for i := range 10 {
			e.write(id, fmt.Sprint(i))
			time.Sleep(time.Minute)
		}
		f.Update(fleetOf(container("h1", "c1", "web", "v1", "running")))
		web := Selection{App: "app", Roles: []string{"web"}}
		for _, c := range []struct {
			span Span
			want string
		}{
			{Span{Since: 150 * time.Second}, "h1:8 h1:9"},
			{Span{Tail: 3}, "h1:7 h1:8 h1:9"},
			{Span{Head: 2}, "h1:0 h1:1"},
		} {
			f.Select(web, c.span)
			settle(400 * time.Millisecond)
			want(t, f, c.want)
		}
		settle(time.Minute)
		if s := f.Status(); s.Count(Ended) != 1 {
			t.Errorf("a head that was read must end: %+v", s.Sources)
		}
	})
}

func TestFollowerRedactsAndCleans(t *testing.T) {
	following(t, func(t *testing.T, e *engine, f *Follower) {
		e.write(key("h1", "c1"), "password=hunter2", "\x1b[31mhunt\x1b[0mer2 ERROR")
		f.Update(fleetOf(container("h1", "c1", "web", "v1", "running")))
		f.Select(Selection{App: "app", Roles: []string{"web"}}, Span{})
		settle(time.Second)
		want(t, f, "h1:password=[REDACTED] h1:[REDACTED] ERROR")
		v := f.View()
		if l, _ := v.Line(v.Next() - 1); l.Level != LevelError {
			t.Errorf("level = %v", l.Level)
		}
	})
}

func TestFollowerCountsTheRateWithoutThePast(t *testing.T) {
	following(t, func(t *testing.T, e *engine, f *Follower) {
		id := key("h1", "c1")
		for range 100 {
			e.write(id, "past")
		}
		settle(time.Hour)
		f.Update(fleetOf(container("h1", "c1", "web", "v1", "running")))
		f.Select(Selection{App: "app", Roles: []string{"web"}}, Span{})
		settle(time.Second)
		if r := f.Status().Rate; r != 0 {
			t.Errorf("the past counts as %v lines/s", r)
		}
		for range 50 {
			e.write(id, "now")
			time.Sleep(100 * time.Millisecond)
		}
		synctest.Wait()
		if r := f.Status().Rate; r < 9 || r > 11 {
			t.Errorf("rate = %v, want 10", r)
		}
		settle(10 * time.Second)
		if r := f.Status().Rate; r != 0 {
			t.Errorf("rate after silence = %v", r)
		}
		for len(f.Dirty()) > 0 {
			<-f.Dirty()
		}
		settle(time.Minute)
		if len(f.Dirty()) != 0 {
			t.Error("silence is not idle: something signals")
		}
	})
}

func TestFollowerNeverWaitsForReaders(t *testing.T) {
	following(t, func(t *testing.T, e *engine, f *Follower) {
		f.Update(fleetOf(container("h1", "c1", "web", "v1", "running")))
		f.Select(Selection{App: "app", Roles: []string{"web"}}, Span{})
		settle(time.Second)
		for range 5000 { // nobody reads Dirty
			e.write(key("h1", "c1"), "x")
		}
		settle(time.Second)
		if n := f.View().Len(); n != 5000 {
			t.Errorf("%d lines, want 5000", n)
		}
	})
}

func TestSelection(t *testing.T) {
	db := ops.Container{Host: "h1", ID: "db", Name: "app-db", Kind: ops.KindAccessory, App: "app", Accessory: "db", State: "running"}
	proxy := ops.Container{Host: "h1", ID: "px", Name: "kamal-proxy", Kind: ops.KindProxy, State: "running"}
	f := fleetOf(container("h1", "w1", "web", "v1", "running"), container("h2", "w2", "web", "v1", "restarting"),
		container("h1", "j1", "job", "v1", "running"), container("h1", "w0", "web", "v0", "exited"), db, proxy)
	later := time.Now().Add(time.Hour)
	for _, c := range []struct {
		name  string
		s     Selection
		title string
		want  string
	}{
		{"all roles", Everything("app", f), "web+job", "w1 j1 w2"},
		{"one host", Selection{App: "app", Roles: []string{"web"}, Hosts: []string{"h2"}}, "web on h2", "w2"},
		{"accessory", Selection{App: "app", Accessories: []string{"db"}}, "db", "db"},
		{"proxy", Selection{App: "app", Proxy: true}, "proxy", "px"},
		{"stopped by identity", Selection{App: "app", Containers: []ops.ContainerID{key("h1", "w0")}}, "app-web-v0 on h1", "w0"},
		{"many", Selection{App: "app", Containers: []ops.ContainerID{key("h1", "w0"), key("h1", "w1"), key("h1", "j1")}}, "3 containers", "w1 j1 w0"},
		{"other app", Selection{App: "other", Roles: []string{"web"}}, "web", ""},
		{"nothing", Selection{App: "app"}, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			var ids []string
			for _, m := range c.s.match(f, later) {
				ids = append(ids, m.source.Container.ID)
			}
			if got := strings.Join(ids, " "); got != c.want {
				t.Errorf("matches %q, want %q", got, c.want)
			}
			if got := c.s.Title(f); got != c.title {
				t.Errorf("title %q, want %q", got, c.title)
			}
		})
	}
}

func TestSpanNames(t *testing.T) {
	var names []string
	for _, s := range Spans() {
		names = append(names, s.String())
	}
	if got := strings.Join(names, " "); got != "tail head 1m 5m 15m 30m 1h" {
		t.Errorf("spans are %q", got)
	}
}

func TestFollowerWaitsForASelectionToRest(t *testing.T) {
	following(t, func(t *testing.T, e *engine, f *Follower) {
		var all []ops.Container
		for i := range 20 {
			all = append(all, container("h1", fmt.Sprintf("c%02d", i), "web", "v1", "running"))
			e.write(key("h1", fmt.Sprintf("c%02d", i)), fmt.Sprintf("from %d", i))
		}
		f.Update(fleetOf(all...))
		for i := range 20 {
			f.Select(Selection{App: "app", Containers: []ops.ContainerID{key("h1", fmt.Sprintf("c%02d", i))}}, Span{})
			settle(20 * time.Millisecond)
		}
		settle(time.Second)
		want(t, f, "h1:from 19")
		if n := len(e.requests); n > 3 {
			t.Errorf("%d streams were opened on the way", n)
		}
	})
}

func TestFollowerShowsThePastOfHostsThatConnectOneByOneInOrder(t *testing.T) {
	following(t, func(t *testing.T, e *engine, f *Follower) {
		for i := range 4 {
			e.write(key(fmt.Sprintf("h%d", i%2), "c"), fmt.Sprint(i))
			time.Sleep(time.Millisecond)
		}
		fleet := fleetOf(container("h0", "c", "web", "v1", "running")).WithHost(ops.Host{Name: "h1", Link: ops.LinkConnecting}).
			WithHost(ops.Host{Name: "h2", Link: ops.LinkConnecting})
		f.Select(Selection{App: "app", Roles: []string{"web"}}, Span{})
		f.Update(fleet)
		settle(500 * time.Millisecond)
		want(t, f, "")
		f.Update(fleet.WithHost(fleetOf(container("h1", "c", "web", "v1", "running")).Hosts[0]))
		settle(400 * time.Millisecond)
		want(t, f, "")
		settle(200 * time.Millisecond) // h2 does not come: it is waited for no longer
		want(t, f, "h0:0 h1:1 h0:2 h1:3")
	})
}

func TestFollowerTriesAtOnceWhenAHostIsBack(t *testing.T) {
	following(t, func(t *testing.T, e *engine, f *Follower) {
		id := key("h1", "c1")
		fleet := fleetOf(container("h1", "c1", "web", "v1", "running"))
		linked := func(state ops.LinkState) ops.Fleet {
			h := fleet.Hosts[0]
			h.Link = state
			return fleet.WithHost(h)
		}
		f.Update(linked(ops.LinkLive))
		f.Select(Selection{App: "app", Roles: []string{"web"}}, Span{})
		settle(time.Second)
		e.change(func() { e.cut[id] = errors.New("connection lost") })
		f.Update(linked(ops.LinkLost))
		settle(time.Minute)
		e.change(func() { delete(e.cut, id) })
		e.write(id, "while away")
		f.Update(linked(ops.LinkLive))
		settle(400 * time.Millisecond)
		want(t, f, "h1:while away")
	})
}

// A flood from many containers passes through the follower.
func BenchmarkFollower(b *testing.B) {
	const streams = 20
	perStream := b.N/streams + 1
	var containers []ops.Container
	for i := range streams {
		containers = append(containers, container(fmt.Sprintf("h%d", i), "c", "web", "v1", "running"))
	}
	f := Follow(b.Context(), Options{Open: func(ctx context.Context, _ Request, each func(Entry)) error {
		for i := range perStream {
			each(Entry{At: time.Now(), Stream: ops.Stdout, Text: fmt.Sprintf("INFO GET /patients/%d 200 38ms rid=5f1c", i)})
		}
		<-ctx.Done()
		return ctx.Err()
	}})
	defer f.Close()
	f.Update(fleetOf(containers...))
	f.Select(Selection{App: "app", Roles: []string{"web"}}, Span{})
	for v := f.View(); v.Next() < uint64(streams*perStream); v = f.View() {
		<-f.Dirty()
	}
}
