package cli

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"
	"github.com/google/go-cmp/cmp"

	"binnacle/ops"
)

func monitorState(webs int, now time.Time) *ops.State {
	app := ops.App{ID: "shop@staging", Accessories: []ops.AppAccessory{{Name: "db", Service: "shop-db", Hosts: []string{"web-1"}}}}
	web := ops.AppRole{Name: "web"}
	var fleet ops.Fleet
	for i := 1; i <= webs; i++ {
		name := fmt.Sprintf("web-%d", i)
		web.Hosts = append(web.Hosts, name)
		h := ops.Host{
			Name: name, Link: ops.LinkLive, Docker: ops.DockerFacts{Version: "28.1"},
			System: ops.SystemFacts{At: now, Load: 0.5, MemUsed: 1 << 30, MemTotal: 4 << 30, DiskUsed: 10 << 30, DiskTotal: 40 << 30, Uptime: 50 * time.Hour},
			Containers: []ops.Container{{
				Host: name, ID: fmt.Sprint("c", i), Name: "shop-web-staging-v2", Kind: ops.KindApp, App: app.ID, Role: "web", Version: "v2",
				State: "running", Health: "healthy", Started: now.Add(-90 * time.Minute), Created: now.Add(-90 * time.Minute),
			}},
		}
		fleet.Hosts = append(fleet.Hosts, h)
	}
	last := &fleet.Hosts[webs-1]
	last.Containers[0].State, last.Containers[0].Health, last.Containers[0].ExitCode = "exited", "", 3
	fleet.Hosts[0].Containers = append(fleet.Hosts[0].Containers, ops.Container{
		Host: "web-1", ID: "d", Name: "shop-db", Kind: ops.KindAccessory, App: app.ID, Accessory: "db", Image: "postgres:17",
		State: "running", Started: now.Add(-30 * time.Hour), Restarts: 2,
	})
	fleet.Hosts[1].Link, fleet.Hosts[1].LinkReason, fleet.Hosts[1].SeenAt = ops.LinkLost, "refused", now.Add(-10*time.Second)
	app.Roles = []ops.AppRole{web}
	app.Lock = ops.Lock{Held: true, By: "Ana", At: now.Add(-75 * time.Second), Message: "Automatic deploy lock\nx"}
	fleet.Apps = []ops.App{app}
	return &ops.State{Fleet: fleet}
}

func monitorPicture(webs int) picture {
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	state := monitorState(webs, now)
	var hosts []string
	for _, h := range state.Fleet.Hosts {
		hosts = append(hosts, h.Name)
	}
	task := ops.Task{
		ID: "T", Title: "deploy v3", Started: now.Add(-12 * time.Second),
		Steps: []ops.StepState{{StepInfo: ops.StepInfo{Title: "pull", Host: "web-1"}, Status: ops.Running}},
	}
	return newPicture(state, "shop@staging", hosts, []runningTask{{task: task, last: "web-1 layer 3 of 5"}}, now)
}

func TestMonitorTellsEverythingThatMatters(t *testing.T) {
	want := `shop@staging  2026-05-01 12:00:00Z
lock held by Ana for 1m15s: Automatic deploy lock
TASK       FOR  STEP        LAST LINE
deploy v3  12s  web-1 pull  web-1 layer 3 of 5
HOST   LINK                        DOCKER  LOAD  MEMORY        DISK            UP
web-1  live                        28.1    0.50  1.0G of 4.0G  10.0G of 40.0G  2d02h
web-2  lost refused, seen 10s ago  28.1    0.50  1.0G of 4.0G  10.0G of 40.0G  2d02h
web-3  live                        28.1    0.50  1.0G of 4.0G  10.0G of 40.0G  2d02h
APP  HOST   VERSION  STATE                 HEALTH   UP
web  web-1  v2       running               healthy  1h30m
web  web-2  v2       unknown, was running  healthy
web  web-3  v2       exited 3
ACCESSORY  HOST   IMAGE        STATE                HEALTH  UP
db         web-1  postgres:17  running, 2 restarts          1d06h`
	if diff := cmp.Diff(want, strings.Join(monitorPicture(3).lines(0, 0), "\n")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestMonitorFitsEveryScreen(t *testing.T) {
	for _, webs := range []int{2, 3, 40} {
		for _, colour := range []bool{false, true} {
			p := monitorPicture(webs)
			p.colour = colour
			for width := 1; width <= 200; width += 7 {
				for height := 1; height <= 60; height++ {
					lines := p.lines(width, height)
					if len(lines) > height {
						t.Fatalf("%d hosts at %dx%d: %d lines", webs, width, height, len(lines))
					}
					for _, l := range lines {
						if ansi.StringWidth(l) > width || strings.Contains(l, "\n") {
							t.Fatalf("%d hosts at %dx%d: %q is too wide", webs, width, height, l)
						}
					}
				}
			}
		}
	}
}

func TestMonitorKeepsTroubleInView(t *testing.T) {
	text := strings.Join(monitorPicture(40).lines(80, 24), "\n")
	for _, want := range []string{"web-2   lost refused", "web     web-40  v2       exited 3", "more", "deploy v3", "lock held by Ana", "postgres:17"} {
		if !strings.Contains(strings.Join(strings.Fields(text), " "), strings.Join(strings.Fields(want), " ")) {
			t.Errorf("%q is not to be seen:\n%s", want, text)
		}
	}
	small := strings.Join(monitorPicture(40).lines(60, 3), "\n")
	if want := "39 of 40 hosts live, 38 containers running, 1 task"; !strings.Contains(small, want) {
		t.Errorf("%q is not in the smallest picture:\n%s", want, small)
	}
}

func TestMoment(t *testing.T) {
	now := time.Date(2026, 5, 3, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Time{
		"": {}, "1h": now.Add(-time.Hour), "90s": now.Add(-90 * time.Second), "2d": now.Add(-48 * time.Hour), "0s": now,
		"2026-05-01T12:00:00Z": now.Add(-48 * time.Hour), "1777636800": time.Unix(1777636800, 0),
	} {
		if got, err := moment(text, now); err != nil || !got.Equal(want) {
			t.Errorf("%q is %s, %v, want %s", text, got, err, want)
		}
	}
	for _, text := range []string{"yesterday", "-1h", "d"} {
		if _, err := moment(text, now); err == nil || !strings.Contains(err.Error(), "10m") {
			t.Errorf("%q: %v", text, err)
		}
	}
}
