package ops_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"binnacle/ops"
)

func at(minutes int) time.Time {
	return time.Date(2026, 1, 1, 10, 0, 0, 0, time.UTC).Add(time.Duration(minutes) * time.Minute)
}

// begun is a state with one app, one host with a container, and a task of one
// group with two steps.
func begun() ops.State {
	return folded(ops.State{},
		ops.AppOpened{App: ops.App{ID: "shop", Accessories: []ops.AppAccessory{{Name: "db", Service: "shop-db"}}}, Hosts: []string{"vm1"}},
		ops.ContainersSeen{Host: "vm1", At: at(0), Containers: []ops.Container{{ID: "a", Name: "shop-web-v1", State: "running"}}},
		ops.TaskStarted{Task: "T", At: at(0), App: "shop", Operation: "deploy", Title: "deploy v2", Steps: []ops.StepInfo{
			{ID: "boot", Group: true}, {ID: "boot/run", Parent: "boot"}, {ID: "boot/next", Parent: "boot"},
		}})
}

func folded(s ops.State, events ...ops.Event) ops.State {
	for _, e := range events {
		s = ops.Fold(s, e)
	}
	return s
}

func TestFold(t *testing.T) {
	question := ops.Question{ID: "q", Title: "trust it?"}
	tests := []struct {
		name   string
		events []ops.Event
		read   func(ops.State) any
		want   any
	}{
		{"a step starts", []ops.Event{ops.StepStarted{Task: "T", Step: "boot/run", At: at(1)}}, step("boot/run"), "running from 10:01 0s"},
		{"a step ends", []ops.Event{
			ops.StepStarted{Task: "T", Step: "boot/run", At: at(1)},
			ops.StepFinished{Task: "T", Step: "boot/run", At: at(3), Status: ops.Failed, Errors: []*ops.Error{{Summary: "no"}}},
		}, step("boot/run"), "failed from 10:01 2m0s"},
		{"an unknown step", []ops.Event{ops.StepStarted{Task: "T", Step: "other", At: at(1)}}, step("boot/run"), "pending from 00:00 0s"},
		{"an unknown task", []ops.Event{ops.StepStarted{Task: "U", Step: "boot/run", At: at(1)}}, step("boot/run"), "pending from 00:00 0s"},
		{"progress", []ops.Event{ops.StepProgressed{Task: "T", Step: "boot/run", Progress: ops.Progress{Done: 1, Total: 2, Unit: "bytes"}}},
			func(s ops.State) any { return s.Tasks[0].Steps[1].Progress }, ops.Progress{Done: 1, Total: 2, Unit: "bytes"}},
		{"the last note counts", []ops.Event{ops.StepNoted{Task: "T", Step: "boot/run", Note: "one"}, ops.StepNoted{Task: "T", Step: "boot/run", Note: "two"}},
			func(s ops.State) any { return s.Tasks[0].Steps[1].Note }, "two"},
		{"lines are counted", []ops.Event{ops.LineWritten{Task: "T", Step: "boot/run"}, ops.ResultWritten{Task: "T", Step: "boot/next"}},
			func(s ops.State) any { return []uint64{s.Tasks[0].Lines, s.Tasks[0].Steps[1].Lines} }, []uint64{2, 1}},
		{"cancelling", []ops.Event{ops.TaskCancelling{Task: "T"}}, func(s ops.State) any { return s.Tasks[0].Cancelling }, true},
		{"the end skips what never ran", []ops.Event{
			ops.StepFinished{Task: "T", Step: "boot/run", Status: ops.Done},
			ops.TaskFinished{Task: "T", At: at(9), Status: ops.Failed, Lock: "released", Serving: []ops.Serving{{Role: "web", Host: "vm1", Version: "v1"}}},
		}, func(s ops.State) any {
			t := s.Tasks[0]
			return words(t.Status, t.Steps[1].Status, t.Steps[2].Status, t.Lock, t.Serving, t.Elapsed(at(99)))
		}, "failed done skipped released [{web vm1 v1}] 9m0s"},
		{"a notice", []ops.Event{ops.Noticed{Text: "hm"}}, func(s ops.State) any { return s.Notices[0].Text }, "hm"},
		{"only so many notices", notices(150), func(s ops.State) any { return words(len(s.Notices), s.Notices[0].Text) }, "100 50"},
		{"a question", []ops.Event{ops.QuestionAsked{Question: question}}, func(s ops.State) any { return len(s.Questions) }, 1},
		{"its answer", []ops.Event{ops.QuestionAsked{Question: question}, ops.QuestionClosed{ID: "q"}}, func(s ops.State) any { return len(s.Questions) }, 0},
		{"another's answer", []ops.Event{ops.QuestionAsked{Question: question}, ops.QuestionClosed{ID: "r"}}, func(s ops.State) any { return len(s.Questions) }, 1},
		{"the lock", []ops.Event{ops.LockSeen{App: "shop", Lock: ops.Lock{Held: true, By: "Ana"}}}, func(s ops.State) any { return s.Fleet.Apps[0].Lock.By }, "Ana"},
		{"the lock of an unknown app", []ops.Event{ops.LockSeen{App: "blog", Lock: ops.Lock{Held: true}}}, func(s ops.State) any { return s.Fleet.Apps[0].Lock.Held }, false},
		{"an app opened again keeps the hosts' facts", []ops.Event{ops.AppOpened{App: ops.App{ID: "shop"}, Hosts: []string{"vm1", "vm2"}}},
			func(s ops.State) any {
				return words(len(s.Fleet.Apps), len(s.Fleet.Hosts), len(s.Fleet.Hosts[0].Containers))
			}, "1 2 1"},
		{"connecting", []ops.Event{ops.HostConnecting{Host: "vm1", At: at(1)}}, link, "connecting since 10:01 "},
		{"live", []ops.Event{ops.HostConnecting{Host: "vm1", At: at(1)}, ops.HostSeen{Host: "vm1", At: at(2)}, ops.HostSeen{Host: "vm1", At: at(5)}}, link, "live since 10:02 "},
		{"lost", []ops.Event{ops.HostSeen{Host: "vm1", At: at(2)}, ops.HostLost{Host: "vm1", At: at(3), Reason: "dial: refused"}, ops.HostLost{Host: "vm1", At: at(4), Reason: "timeout"}}, link, "lost since 10:03 timeout"},
		{"a retry does not hide the loss", []ops.Event{ops.HostLost{Host: "vm1", At: at(3), Reason: "r"}, ops.HostConnecting{Host: "vm1", At: at(4)}}, link, "lost since 10:03 r"},
		{"a lost host keeps its facts and their age", []ops.Event{ops.HostLost{Host: "vm1", At: at(3)}},
			func(s ops.State) any { h := s.Fleet.Hosts[0]; return words(len(h.Containers), h.SeenAt.Equal(at(0))) }, "1 true"},
		{"an unknown host", []ops.Event{ops.HostSeen{Host: "vm9", At: at(1)}}, func(s ops.State) any { return len(s.Fleet.Hosts) }, 1},
		{"containers are identified and sorted", []ops.Event{ops.ContainersSeen{Host: "vm1", Containers: []ops.Container{{ID: "b", Name: "shop-db"}, {ID: "c", Name: "kamal-proxy"}}}},
			func(s ops.State) any {
				c := s.Fleet.Hosts[0].Containers
				return words(c[0].Kind, c[1].Kind, c[1].Accessory)
			}, "proxy accessory db"},
		{"usage outlives a listing", []ops.Event{
			ops.UsageSeen{Host: "vm1", At: at(1), Usage: []ops.Usage{{ID: "a", CPU: 50, Memory: 7}, {ID: "gone"}}},
			ops.ContainersSeen{Host: "vm1", Containers: []ops.Container{{ID: "a", Name: "shop-web-v1", State: "running"}, {ID: "b", Name: "x"}}},
		}, func(s ops.State) any { c := s.Fleet.Hosts[0].Containers[0]; return words(c.CPU, c.Memory) }, "50 7"},
		{"usage ends with the container", []ops.Event{
			ops.UsageSeen{Host: "vm1", At: at(1), Usage: []ops.Usage{{ID: "a", CPU: 50, Memory: 7}}},
			ops.ContainersSeen{Host: "vm1", Containers: []ops.Container{{ID: "a", Name: "shop-web-v1", State: "exited"}}},
		}, func(s ops.State) any { return s.Fleet.Hosts[0].Containers[0].CPU }, 0.0},
		{"images", []ops.Event{ops.ImagesSeen{Host: "vm1", At: at(1), Images: []ops.Image{{ID: "i"}}}}, func(s ops.State) any { return s.Fleet.Hosts[0].Images[0].ID }, "i"},
		{"the machine", []ops.Event{ops.SystemSeen{Host: "vm1", System: ops.SystemFacts{CPUs: 4}}}, func(s ops.State) any { return s.Fleet.Hosts[0].System.CPUs }, 4},
		{"routes", []ops.Event{ops.RoutesSeen{Host: "vm1", Routes: []ops.Route{{Service: "shop-web"}}}}, func(s ops.State) any { return s.Fleet.Hosts[0].Routes[0].Service }, "shop-web"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before := begun()
			untouched := begun()
			after := folded(before, tt.events...)
			if got := tt.read(after); !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got %v, want %v", got, tt.want)
			}
			if !reflect.DeepEqual(before, untouched) {
				t.Error("folding changed the old state")
			}
			if after.Version != before.Version+uint64(len(tt.events)) {
				t.Errorf("version %d after %d events from %d", after.Version, len(tt.events), before.Version)
			}
		})
	}
}

// Helpers

func step(id ops.StepID) func(ops.State) any {
	return func(s ops.State) any {
		st, _ := s.Tasks[0].Step(id)
		from := st.Started.Format("15:04")
		return fmt.Sprintf("%s from %s %s", st.Status, from, st.Elapsed(st.Started))
	}
}

func link(s ops.State) any {
	h := s.Fleet.Hosts[0]
	return fmt.Sprintf("%s since %s %s", h.Link, h.LinkSince.Format("15:04"), h.LinkReason)
}

func words(values ...any) string { return strings.TrimSpace(fmt.Sprintln(values...)) }

func notices(n int) []ops.Event {
	var out []ops.Event
	for i := range n {
		out = append(out, ops.Noticed{Text: fmt.Sprint(i)})
	}
	return out
}
