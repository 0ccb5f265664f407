package pane

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/exp/golden"

	"binnacle/ops"
	"binnacle/ops/logs"
	"binnacle/ui/kit"
	"binnacle/ui/theme"
)

// logSource is a follower whose lines and states the test decides.
type logSource struct {
	ring     *logs.Ring
	status   logs.Status
	selected []logs.Selection
	span     logs.Span
	updates  int
	pokes    int
}

func (s *logSource) View() logs.View     { return s.ring.View() }
func (s *logSource) Status() logs.Status { return s.status }
func (s *logSource) Update(ops.Fleet)    { s.updates++ }
func (s *logSource) Poke()               { s.pokes++ }
func (s *logSource) Select(sel logs.Selection, span logs.Span) {
	s.selected = append(s.selected, sel)
	s.span = span
}

func logFleet() ops.Fleet {
	app := ops.App{
		ID: appID, Service: "fhirlinebot", Destination: "production", PrimaryHost: "web-1",
		Roles:       []ops.AppRole{{Name: "web", Hosts: []string{"web-1", "web-2"}, Proxied: true, Primary: true}, {Name: "job", Hosts: []string{"job-1"}}},
		Accessories: []ops.AppAccessory{{Name: "db", Hosts: []string{"web-1"}}},
	}
	app2 := func(host, id, role, version, state string, created float64) ops.Container {
		return ops.Container{
			Host: host, ID: id, Name: "fhirlinebot-" + role + "-production-" + version, Kind: ops.KindApp, App: appID,
			Role: role, Version: version, State: state, Created: after(created),
		}
	}
	f := ops.Fleet{}.WithApp(app)
	f = f.WithHost(ops.Host{Name: "web-1", Link: ops.LinkLive, Containers: []ops.Container{
		app2("web-1", "w1", "web", "v2", "running", 100), app2("web-1", "w1old", "web", "v1", "exited", 50), app2("web-1", "w1older", "web", "v0", "exited", 10),
		{Host: "web-1", ID: "db", Name: "fhirlinebot-db", Kind: ops.KindAccessory, App: appID, Accessory: "db", State: "running"},
		{Host: "web-1", ID: "px", Name: "kamal-proxy", Kind: ops.KindProxy, State: "running"},
	}})
	f = f.WithHost(ops.Host{Name: "web-2", Link: ops.LinkLive, Containers: []ops.Container{app2("web-2", "w2", "web", "v2", "running", 100)}})
	return f.WithHost(ops.Host{Name: "job-1", Link: ops.LinkLive, Containers: []ops.Container{app2("job-1", "j1", "job", "v2", "running", 100)}})
}

func logSourceOf(texts ...string) *logSource {
	s := &logSource{ring: logs.NewRing(0)}
	hosts := []*logs.Source{
		{Container: ops.ContainerID{Host: "web-1", ID: "w1"}, Role: "web"}, {Container: ops.ContainerID{Host: "job-1", ID: "j1"}, Role: "job"},
		{Container: ops.ContainerID{Host: "web-2", ID: "w2"}, Role: "web"},
	}
	for i, h := range hosts {
		s.status.Sources = append(s.status.Sources, logs.SourceStatus{Source: h, State: logs.Live, Since: after(float64(i))})
	}
	for i, text := range texts {
		s.ring.Append(logs.Line{
			At: after(float64(i)), Source: hosts[i%len(hosts)], Stream: ops.Stdout, Text: logs.Clean(text), Level: logs.DetectLevel(logs.Clean(text)),
		})
	}
	s.status.Rate = 212.4
	return s
}

var logTexts = []string{
	"INFO  GET /patients 200 38ms  rid=5f1c", "SyncJob done 1.2s", "WARN slow query 412ms  SELECT \"claims\".*", "INFO  GET /up 200 2ms",
	`{"level":"error","msg":"job failed","job":"Sync"}`, "GET /patients 502 target web-3 rid=77aa",
	"\x1b[31mERROR\x1b[0m a very long line that does not fit into eighty columns whatever one does about it, so it is cut",
}

func logScene(w, h int) kit.Scene {
	return kit.Scene{
		State: &ops.State{Fleet: logFleet()}, App: appID, Width: w, Height: h, Focused: true, Now: after(60),
		Theme: theme.New(theme.Options{Dark: true}),
	}
}

func TestLogsFrames(t *testing.T) {
	for _, c := range []struct {
		name   string
		w, h   int
		filter string
		keys   []kit.Action
		change func(*logSource)
	}{
		{"80x24", 78, 10, "", nil, nil},
		{"200x50", 140, 10, "", nil, nil},
		{"wrapped with full times", 78, 12, "", []kit.Action{"logs.wrap", "logs.times", "logs.times", "logs.times", "logs.times"}, nil},
		{"filtered", 78, 6, "get", nil, nil},
		{"in context", 78, 6, "up", []kit.Action{"logs.around", kit.Previous}, nil},
		{"nothing matches", 78, 4, "nowhere", nil, nil},
		{"cut", 78, 6, "", nil, func(s *logSource) {
			s.status.Sources[2].State, s.status.Sources[2].Err, s.status.Sources[2].Since = logs.Retrying, errors.New("dial tcp: connection refused"), after(50)
			s.status.Late = 3
		}},
		{"no lines", 78, 4, "", nil, func(s *logSource) { s.ring.Clear(); s.status.Rate = 0 }},
		{"marked and paused", 78, 6, "", []kit.Action{kit.Up, "logs.mark"}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			source := logSourceOf(logTexts...)
			if c.change != nil {
				c.change(source)
			}
			p := NewLogs(source)
			scene := logScene(c.w, c.h)
			scene.Filter = kit.NewFilter(c.filter)
			p.Sync(scene)
			for _, k := range c.keys {
				p.Update(kit.Do{Action: k})
			}
			golden.RequireEqual(t, []byte("Logs  "+p.Head().Note+"\n"+bare(p.View())))
		})
	}
}

func TestLogsOfALargeFleetBeginWithItsPrimaryHost(t *testing.T) {
	source := logSourceOf()
	p := NewLogs(source)
	scene := logScene(80, 10)
	state := *scene.State
	app := state.Fleet.Apps[0]
	app.PrimaryHost = "web-1"
	app.Roles = slices.Clone(app.Roles)
	for i := range manyHosts {
		app.Roles[0].Hosts = append(slices.Clone(app.Roles[0].Hosts), fmt.Sprintf("more-%d", i))
	}
	state.Fleet.Apps = []ops.App{app}
	scene.State = &state
	p.Sync(scene)
	want := logs.Selection{App: appID, Roles: []string{"web"}, Accessories: []string{"db"}, Proxy: true, Hosts: []string{"web-1"}}
	if got := source.selected[len(source.selected)-1]; !got.Equal(want) {
		t.Errorf("selected %+v\n    want %+v", got, want)
	}
}

func TestLogsFollowWhatIsPointedAt(t *testing.T) {
	id := func(host, c string) ops.ContainerID { return ops.ContainerID{Host: host, ID: c} }
	for _, c := range []struct {
		name   string
		target kit.Target
		marked []kit.Target
		keys   []kit.Action
		want   logs.Selection
	}{
		{"nothing", kit.Target{}, nil, nil, logs.Selection{App: appID, Roles: []string{"web", "job"}}},
		{"what serves stands for its place", kit.Target{Host: "web-1", Role: "web", Container: "w1"}, nil, nil,
			logs.Selection{App: appID, Roles: []string{"web"}, Hosts: []string{"web-1"}}},
		{"what stopped is itself", kit.Target{Host: "web-1", Role: "web", Container: "w1old"}, nil, nil,
			logs.Selection{App: appID, Containers: []ops.ContainerID{id("web-1", "w1old")}}},
		{"host", kit.Target{Host: "web-1"}, nil, nil,
			logs.Selection{App: appID, Roles: []string{"web"}, Accessories: []string{"db"}, Proxy: true, Hosts: []string{"web-1"}}},
		{"accessory", kit.Target{Host: "web-1", Accessory: "db", Container: "db"}, nil, nil,
			logs.Selection{App: appID, Accessories: []string{"db"}, Hosts: []string{"web-1"}}},
		{"proxy", kit.Target{Host: "web-1", Container: "px"}, nil, nil, logs.Selection{App: appID, Proxy: true, Hosts: []string{"web-1"}}},
		{"role", kit.Target{Role: "job"}, nil, nil, logs.Selection{App: appID, Roles: []string{"job"}}},
		{"marks win", kit.Target{Host: "web-1"}, []kit.Target{{Host: "web-2", Container: "w2"}, {Host: "job-1", Container: "j1"}}, nil,
			logs.Selection{App: appID, Containers: []ops.ContainerID{id("web-2", "w2"), id("job-1", "j1")}}},
		{"previous", kit.Target{Host: "web-1", Role: "web", Container: "w1"}, nil, []kit.Action{"logs.previous"},
			logs.Selection{App: appID, Containers: []ops.ContainerID{id("web-1", "w1old")}}},
		{"previous of the previous", kit.Target{Host: "web-1", Role: "web", Container: "w1"}, nil, []kit.Action{"logs.previous", "logs.previous"},
			logs.Selection{App: appID, Roles: []string{"web"}, Hosts: []string{"web-1"}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			source := logSourceOf()
			p := NewLogs(source)
			scene := logScene(80, 10)
			scene.Target, scene.Marked = c.target, c.marked
			p.Sync(scene)
			for _, k := range c.keys {
				p.Update(kit.Do{Action: k})
			}
			if got := source.selected[len(source.selected)-1]; !got.Equal(c.want) {
				t.Errorf("selected %+v\n    want %+v", got, c.want)
			}
		})
	}
}

func TestLogsStayWithAPlaceThroughADeploy(t *testing.T) {
	source := logSourceOf()
	p := NewLogs(source)
	scene := logScene(80, 10)
	scene.Target = kit.Target{Host: "web-1", Role: "web", Container: "w1"}
	p.Sync(scene)
	fleet := logFleet()
	h, _ := fleet.Host("web-1")
	h.Containers = append([]ops.Container(nil), h.Containers...)
	h.Containers[0].State = "exited"
	h.Containers = append(h.Containers, ops.Container{Host: "web-1", ID: "w3", Kind: ops.KindApp, App: appID, Role: "web", Version: "v3", State: "running", Created: after(200)})
	scene.State = &ops.State{Fleet: fleet.WithHost(h)}
	p.Sync(scene)
	p.Sync(scene)
	if len(source.selected) != 1 {
		t.Errorf("selected %d times: %+v", len(source.selected), source.selected)
	}
	if source.updates != 2 {
		t.Errorf("the follower got %d fleets, want each once", source.updates)
	}
}

func TestLogsSpans(t *testing.T) {
	source := logSourceOf(logTexts...)
	p := NewLogs(source)
	p.Sync(logScene(80, 10))
	for _, c := range []struct {
		key  kit.Action
		want string
	}{
		{"logs.more", "1m"}, {"logs.more", "5m"}, {"logs.less", "1m"}, {"logs.less", "tail"}, {"logs.less", "tail"},
		{"logs.span-6", "1h"}, {"logs.more", "1h"}, {"logs.span-1", "head"}, {"logs.span-0", "tail"},
	} {
		p.Update(kit.Do{Action: c.key})
		if got := source.span.String(); got != c.want {
			t.Errorf("after %s the span is %s, want %s", c.key, got, c.want)
		}
	}
}

func TestLogsIntents(t *testing.T) {
	source := logSourceOf(logTexts...)
	p := NewLogs(source)
	scene := logScene(60, 3)
	p.Sync(scene)
	act := func(keys ...kit.Action) kit.Intent {
		var intent kit.Intent
		for _, k := range keys {
			intent, _ = p.Update(kit.Do{Action: k})
		}
		return intent
	}
	copied := func(keys ...kit.Action) kit.Copy {
		out, _ := act(keys...).(kit.Copy)
		return out
	}
	p.Update(kit.Click{X: 3, Y: 2})
	if got := copied("logs.copy"); got.Text != "ERROR a very long line that does not fit into eighty columns whatever one does about it, so it is cut" || got.What != "line" {
		t.Errorf("a clicked line is copied whole: %+v", got)
	}
	if got := copied("logs.copy"); got.What != "3 lines" || !strings.Contains(got.Text, "2026-11-23T14:02:05Z web-2 web GET /patients 502") {
		t.Errorf("what is on screen is copied: %+v", got)
	}
	if got := copied(kit.Toggle, kit.Up, "logs.copy"); got.What != "2 lines" {
		t.Errorf("what is selected is copied: %+v", got)
	}
	scene.Filter = kit.NewFilter("get")
	p.Sync(scene)
	save, _ := act("logs.save").(kit.Save)
	if save.Name != "logs-web+job-20261123-140300.log" || strings.Count(save.Text(), "\n") != 3 {
		t.Errorf("saves %q:\n%s", save.Name, save.Text())
	}
	scene.Filter = kit.NewFilter("")
	p.Sync(scene)
	if _, ok := act(kit.Next).(kit.Tell); !ok {
		t.Error("n without a word to look for must say what to do")
	}
}

func TestLogsScanOnLater(t *testing.T) {
	source := logSourceOf()
	for i := range 160_000 {
		source.ring.Append(logs.Line{At: after(0), Source: source.status.Sources[0].Source, Text: fmt.Sprint(i)})
	}
	p := NewLogs(source)
	scene := logScene(80, 10)
	scene.Filter = kit.NewFilter("7")
	p.Sync(scene)
	if source.pokes == 0 || !strings.Contains(p.Head().Note, "searching") {
		t.Fatal("a long search must go on later, and say so")
	}
	for n := 0; p.more; n++ {
		if n > 20 {
			t.Fatal("the search does not end")
		}
		p.Sync(scene)
	}
	if strings.Contains(p.Head().Note, "searching") {
		t.Error("the search is over")
	}
}

func TestLogsExactSize(t *testing.T) {
	random := rand.New(rand.NewPCG(14, 15))
	spec := NewLogs(logSourceOf()).Spec()
	for range 60 {
		w, h := 1+random.IntN(200), 1+random.IntN(50)
		source := logSourceOf(append(logTexts, "日本語\t👩‍🚀 \x1b[2J", strings.Repeat("x", 3000), "")...)
		if random.IntN(2) == 0 {
			source.status.Sources[0].State, source.status.Sources[0].Err = logs.Retrying, errors.New("cut:\nby 日本語")
		}
		p := NewLogs(source)
		scene := logScene(w, h)
		scene.Theme = theme.New(theme.Options{ASCII: random.IntN(2) == 0, NoColor: random.IntN(2) == 0})
		for range 8 {
			var msg tea.Msg = kit.Do{Action: spec.Keys[random.IntN(len(spec.Keys))].ID}
			switch random.IntN(5) {
			case 0:
				msg = kit.Wheel{Lines: random.IntN(9) - 4}
			case 1:
				msg = kit.Click{X: 1, Y: random.IntN(h)}
			case 2:
				msg = kit.Do{Action: []kit.Action{kit.Up, kit.Top, kit.PageDown, kit.Toggle, kit.Next, kit.Right}[random.IntN(6)]}
			case 3:
				scene.Filter = kit.NewFilter([]string{"", "x", "!x", "zzz"}[random.IntN(4)])
			}
			p.Sync(scene)
			p.Update(msg)
			exactly(t, p.View(), w, h)
		}
	}
}

// A real follower under the pane: what containers say arrives on screen.
func TestLogsOverAFollower(t *testing.T) {
	f := logs.Follow(t.Context(), logs.Options{Open: func(_ context.Context, req logs.Request, each func(logs.Entry)) error {
		each(logs.Entry{At: time.Now(), Stream: ops.Stdout, Text: "hello from " + req.Container.ID})
		return nil
	}})
	defer f.Close()
	p := NewLogs(f)
	scene := logScene(80, 10)
	deadline := time.After(5 * time.Second)
	for {
		p.Sync(scene)
		if v := p.View(); strings.Contains(v, "hello from w1") && strings.Contains(v, "hello from j1") {
			return
		}
		select {
		case <-f.Dirty():
		case <-deadline:
			t.Fatalf("not shown:\n%s", bare(p.View()))
		}
	}
}
