// Command screenshots draws the pictures of the README from real frames: it
// starts the demo fleet, opens the console on it, presses keys, and writes what
// is on the screen as SVG.
//
//	go run ./screenshots
package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"binnacle/ops"
	"binnacle/ops/live"
	"binnacle/ops/operation"
	"binnacle/ops/sim"
	"binnacle/ui"
	"binnacle/ui/desk"
	"binnacle/ui/theme"
)

// shot is one picture: keys to press, what has to be on the screen then, and
// how big the screen is.
type shot struct {
	name          string
	width, height int
	keys          []string
	until         func(ops.State) bool
	wait          string // text on the frame
}

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	if err := run(ctx, "screenshots"); err != nil {
		fmt.Fprintln(os.Stderr, "screenshots:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out string) error {
	for name, value := range person() {
		if err := os.Setenv(name, value); err != nil {
			return err
		}
	}
	dir, err := os.MkdirTemp("", "binnacle-screenshots-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	fleet, err := sim.Start(ctx, sim.Options{Seed: 7})
	if err != nil {
		return err
	}
	defer func() { _ = fleet.Close() }()
	if err := fleet.WriteProject(dir); err != nil {
		return err
	}
	project := live.Options{Dir: dir, DataDir: dir, Prebuilt: "v3"}
	if err := backUp(ctx, project); err != nil {
		return err
	}
	project.OnScreen = true
	s, err := live.Open(ctx, project)
	if err != nil {
		return err
	}
	defer s.Close()
	d := desk.Open(ctx, s)
	defer d.Close()
	d.Options.Theme, d.Options.FixedTheme = theme.Options{Dark: true, Production: true}, true
	for _, p := range shots() {
		if err := take(ctx, d.Options, p, out); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
	}
	return nil
}

// backUp leaves a backup of each database, one of them drilled.
func backUp(ctx context.Context, project live.Options) error {
	s, err := live.Open(ctx, project)
	if err != nil {
		return err
	}
	defer s.Close()
	for _, run := range []live.Request{
		{Operation: operation.BackupCreate()},
		{Operation: operation.BackupDrill(), Params: ops.Params{"NAME": "db"}},
	} {
		id, plan, err := s.Plan(run)
		if err == nil {
			err = s.Engine.Start(ctx, id, plan)
		}
		if err == nil {
			err = s.Engine.Wait(ctx, id)
		}
		if err != nil {
			return err
		}
		s.Store.Settle()
		if task, _ := s.Store.State().Task(id); task.Status != ops.Done {
			return fmt.Errorf("%s ended as %s: %v", task.Title, task.Status, task.Errors)
		}
	}
	return nil
}

// person is who deploys in the pictures, as git reads it.
func person() map[string]string {
	return map[string]string{
		"GIT_CONFIG_COUNT": "2",
		"GIT_CONFIG_KEY_0": "user.name", "GIT_CONFIG_VALUE_0": "ana",
		"GIT_CONFIG_KEY_1": "user.email", "GIT_CONFIG_VALUE_1": "ana@example.com",
	}
}

// shots are taken in order, on one fleet.
func shots() []shot {
	settled := func(st ops.State) bool {
		n := 0
		for _, h := range st.Fleet.Hosts {
			if h.Link == ops.LinkLive && !h.System.At.IsZero() {
				n++
			}
		}
		return n == 4 && len(st.Fleet.Apps[0].Backups) == 2
	}
	booting := func(st ops.State) bool {
		for _, t := range st.Tasks {
			for _, step := range t.Steps {
				if strings.HasSuffix(string(step.ID), "web-2/settle") && step.Status == ops.Done {
					return true
				}
			}
		}
		return false
	}
	failed := func(st ops.State) bool {
		return len(st.Tasks) > 0 && st.Tasks[len(st.Tasks)-1].Status == ops.Failed
	}
	done := func(st ops.State) bool {
		return len(st.Tasks) == 1 && st.Tasks[0].Status == ops.Done && len(st.Fleet.Versions(st.Fleet.Apps[0].ID)) == 1
	}
	deploy := func(version string) []string {
		keys := append([]string{"D"}, strings.Split(version, "")...)
		return append(keys, "down", "space", "ctrl+s", "see:risk", "tab", "tab", "enter")
	}
	return []shot{
		{name: "overview", width: 120, height: 34, until: settled, wait: "INFO"},
		{name: "overview-80x24", width: 80, height: 24, until: settled, wait: "web-1"},
		{name: "backups", width: 96, height: 18, keys: []string{"7"}, until: settled, wait: "fresh"},
		{name: "deploy", width: 120, height: 26, keys: deploy("v3"), until: booting, wait: "stop old"},
		{name: "rollback", width: 120, height: 34, keys: []string{"R"}, until: done, wait: "v2"},
		{name: "failed", width: 120, height: 34, keys: deploy("v4-bad"), until: failed, wait: "never became healthy"},
	}
}

func take(ctx context.Context, o ui.Options, p shot, out string) error {
	stage, err := ui.NewStage(ctx, o, p.width, p.height)
	if err != nil {
		return err
	}
	defer stage.Close()
	if err := await(ctx, func() bool { stage.Refresh(); return p.keys != nil || p.until(*o.Source.State()) }); err != nil {
		return err
	}
	if p.name == "rollback" {
		if err := await(ctx, func() bool { stage.Refresh(); return p.until(*o.Source.State()) }); err != nil {
			return err
		}
	}
	for _, k := range p.keys {
		text, look := strings.CutPrefix(k, "see:")
		if !look {
			stage.Press(k)
			continue
		}
		if err := await(ctx, func() bool { stage.Refresh(); return strings.Contains(plain(stage.Frame()), text) }); err != nil {
			return fmt.Errorf("%w; the screen was\n%s", err, plain(stage.Frame()))
		}
		time.Sleep(time.Second) // a dialog takes no key in its first moment
	}
	err = await(ctx, func() bool {
		stage.Refresh()
		return p.until(*o.Source.State()) && strings.Contains(plain(stage.Frame()), p.wait)
	})
	if err != nil {
		return fmt.Errorf("%w; the screen was\n%s", err, plain(stage.Frame()))
	}
	return os.WriteFile(filepath.Join(out, p.name+".svg"), []byte(svg(stage.Frame(), p.width, p.height)), 0o644)
}

// await looks again until what is waited for is there.
func await(ctx context.Context, there func() bool) error {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for !there() {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
	return nil
}
