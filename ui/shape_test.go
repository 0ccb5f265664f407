package ui_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"

	"binnacle/ops"
)

// shaped reports a frame that is not exactly h lines or wider than w.
func shaped(frame string, w, h int) error {
	lines := strings.Split(frame, "\n")
	if len(lines) != max(h, 1) {
		return fmt.Errorf("%d lines at a height of %d", len(lines), h)
	}
	for i, line := range lines {
		if got := ansi.StringWidth(line); got > w {
			return fmt.Errorf("line %d is %d wide at a width of %d: %q", i, got, w, ansi.Strip(line))
		}
	}
	return nil
}

// hostile is a fleet with names that try to break a screen.
func hostile() []ops.Event {
	a := shop()
	wide, escape := "漢字ホスト名がとても長い-1", "web\x1b[31m-2\r\n\t👩‍👩‍👧"
	a.Hosts = []string{wide, escape}
	a.App.Roles = []ops.AppRole{{Name: "web", Hosts: a.Hosts}}
	a.App.Accessories = []ops.AppAccessory{{Name: "데이터베이스", Service: "shop-db", Image: strings.Repeat("x", 300), Hosts: a.Hosts}}
	events := []ops.Event{a}
	for _, h := range a.Hosts {
		events = append(events, up(h, 97, container(h, "web", "v2", "running"), container(h, "web", strings.Repeat("🙂", 40), "exited"))...)
	}
	events = append(events, ops.HostLost{Host: wide, At: noon(), Reason: strings.Repeat("reason ", 40) + "\x1b]0;title\a"})
	events = append(events, ops.Noticed{At: noon(), Text: "line one\nline two\x1b[2J", Err: true})
	started := deployTask("T9", "v\x1b[1m3", noon())
	started.Title = strings.Repeat("very long ", 30)
	return append(append(events, hostileBackups()...), started)
}

func TestEveryPaneAtEverySize(t *testing.T) {
	sizes := [][2]int{{1, 1}, {3, 2}, {20, 5}, {40, 12}, {80, 24}, {80, 50}, {99, 18}, {100, 18}, {200, 50}, {300, 100}}
	keys := [][]string{
		{}, {"2"}, {"3"}, {"4"}, {"5"}, {"6"}, {"f"}, {"d"}, {"2", "d"}, {"?"}, {":"}, {"/"}, {"L"}, {"R"}, {"D"}, {"q"}, {"2", "/", "w", "enter"},
		{":", "r", "e", "m", "o", "v", "e", "enter"},
		{"7"}, {"7", "d"}, {"7", "G", "d"}, {"3", "b"}, {"3", "G", "X"}, {"3", "G", "d"}, {":", "r", "e", "s", "t", "o", "r", "e", "enter"},
	}
	for name, events := range map[string][]ops.Event{
		"empty": nil, "deploying": scenes()["deploying"], "dead lock": scenes()["deadlock"], "hostile": hostile(), "big": big(30),
	} {
		w := newWorld(events...)
		w.plan = ops.Plan{Title: strings.Repeat("a long title ", 12), Risk: ops.DataLoss, Effects: []ops.Effect{
			{Label: "a label that is long", Text: strings.Repeat("words and words ", 30), Warn: true},
		}}
		w.saves = t.TempDir()
		for i, press := range keys {
			if i > 6 && name != "hostile" && name != "deploying" {
				break // dialogs do not depend on these fleets
			}
			s := w.stage(t, 80, 24)
			for _, k := range press {
				s.Press(k)
			}
			for _, size := range sizes {
				s.Resize(size[0], size[1])
				if err := shaped(s.Frame(), size[0], size[1]); err != nil {
					t.Fatalf("%s after %v at %v: %v", name, press, size, err)
				}
			}
		}
	}
}

func TestHostileTextDoesNotReachTheTerminal(t *testing.T) {
	s := newWorld(hostile()...).stage(t, 200, 50)
	for _, k := range []string{"", "6", "5", "2", "d", "esc", "7", "d", "esc", "3", "G", "d", "esc", "X"} {
		if k != "" {
			s.Press(k)
		}
		if frame := s.Frame(); strings.Contains(frame, "\x1b[2J") || strings.Contains(frame, "\x1b]0;") || strings.ContainsAny(frame, "\r\t\a") {
			t.Fatalf("after %q an escape sequence of a host is in the frame", k)
		}
	}
}

// TestMonkey presses keys at random while the fleet changes and the window is
// resized; nothing may panic, and every frame keeps its shape.
func TestMonkey(t *testing.T) {
	for seed := range uint64(4) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { monkey(t, rand.New(rand.NewPCG(seed, 7)), 500*time.Millisecond) })
	}
}

func monkey(t *testing.T, r *rand.Rand, bound time.Duration) {
	t.Helper()
	w := newWorld(fleet()...)
	w.plan = ops.Plan{Title: "a plan", Risk: ops.Disrupt}
	s := w.stage(t, 80, 24)
	width, height := 80, 24
	keys := append(strings.Split("jkhlgGdDsRLEfo/:?-+1234567nNcxOMyq!bBXVAP3737", ""),
		"enter", "esc", "tab", "shift+tab", "space", "up", "down", "left", "right", "pgup", "pgdown", "ctrl+d", "ctrl+u", "ctrl+s", "backspace", "ctrl+g")
	var trail []string
	for end := time.Now().Add(bound); time.Now().Before(end); {
		switch r.IntN(12) {
		case 0:
			width, height = r.IntN(220)+1, r.IntN(60)+1
			s.Resize(width, height)
			trail = append(trail, fmt.Sprintf("%dx%d", width, height))
		case 1, 2:
			w.happen(churn(r)...)
			w.now = w.now.Add(time.Duration(r.IntN(3000)) * time.Millisecond)
			s.Refresh()
		default:
			k := keys[r.IntN(len(keys))]
			trail = append(trail, k)
			s.Press(k)
		}
		if err := shaped(s.Frame(), width, height); err != nil {
			t.Fatalf("%v after %v", err, trail)
		}
	}
}

func churn(r *rand.Rand) []ops.Event {
	host := []string{"web-1", "web-2", "web-3", "job-1"}[r.IntN(4)]
	switch r.IntN(9) {
	case 7:
		events := append(guarded(), neglected()...)
		return events[r.IntN(len(events)):]
	case 0:
		return lost(host)
	case 1:
		return up(host, int64(r.IntN(100)))
	case 2:
		return up(host, 50, container(host, "web", fmt.Sprint("v", r.IntN(5)), "running"), container(host, "web", fmt.Sprint("w", r.IntN(5)), "exited"))
	case 3:
		return []ops.Event{deployTask(ops.TaskID(fmt.Sprint("M", r.IntN(20))), "v9", noon())}
	case 4:
		return []ops.Event{ops.TaskFinished{Task: ops.TaskID(fmt.Sprint("M", r.IntN(20))), At: noon(), Status: ops.Failed}}
	case 5:
		return []ops.Event{ops.QuestionAsked{Question: ops.Question{ID: fmt.Sprint("q", r.Int()), Title: "what now?", Choices: []string{"no", "yes"}}}}
	case 6:
		return []ops.Event{deadLock()}
	}
	return []ops.Event{ops.Noticed{At: noon(), Text: "something"}}
}

func BenchmarkView(b *testing.B) {
	for name, events := range map[string][]ops.Event{"4-hosts": fleet(), "200-hosts": big(200)} {
		for _, size := range [][2]int{{140, 40}, {200, 50}} {
			b.Run(fmt.Sprintf("%s-%dx%d-key", name, size[0], size[1]), func(b *testing.B) {
				s := newWorld(events...).stage(b, size[0], size[1])
				for i := 0; b.Loop(); i++ {
					s.Press([]string{"j", "k"}[i%2])
					_ = s.Frame()
				}
			})
			b.Run(fmt.Sprintf("%s-%dx%d-usage", name, size[0], size[1]), func(b *testing.B) {
				w := newWorld(events...)
				s := w.stage(b, size[0], size[1])
				host := w.state.Fleet.Hosts[0]
				for i := 0; b.Loop(); i++ {
					w.happen(ops.UsageSeen{Host: host.Name, At: noon(), Usage: []ops.Usage{{ID: host.Containers[0].ID, CPU: float64(i % 90), Memory: 5 << 20}}})
					s.Refresh()
					_ = s.Frame()
				}
			})
		}
	}
}
