// Package desk wires the console to a live session: watcher, logs, engine and
// remote shells. It may import everything below live and everything of ui.
package desk

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"

	tea "charm.land/bubbletea/v2"

	"binnacle/config"
	"binnacle/ops"
	"binnacle/ops/live"
	"binnacle/ops/logs"
	"binnacle/ops/operation"
	"binnacle/ops/watch"
	"binnacle/ui"
	"binnacle/ui/kit"
	"binnacle/ui/pane"
	"binnacle/ui/theme"
)

// Run opens a project's console. When it is left while a task runs and is to go
// on, it returns when the task has ended.
func Run(ctx context.Context, o live.Options) error {
	o.OnScreen = true
	s, err := live.Open(ctx, o)
	if err != nil {
		return err
	}
	defer s.Close()
	d := Open(ctx, s)
	defer d.Close()
	d.Options.Theme = themeFor(s)
	if d.Options.Keys, err = ui.LoadKeys(filepath.Join(configDir(), "keys.yaml")); err != nil {
		return err
	}
	outcome, err := ui.Run(ctx, d.Options)
	if err != nil {
		return err
	}
	return wait(ctx, s, outcome.Left)
}

// Desk is a session with what a console needs beside it.
type Desk struct {
	Options ui.Options

	watcher  *watch.Watcher
	follower *logs.Follower
	stop     context.CancelFunc
	work     sync.WaitGroup
}

// Open starts to watch the session's hosts and to follow logs.
func Open(ctx context.Context, s *live.Session) *Desk {
	for _, w := range s.Warnings {
		s.Store.Emit(ops.Noticed{At: s.World.Now(), Text: w.String()})
	}
	reading, stop := context.WithCancel(ctx)
	again := make(chan struct{}, 1)
	ready := make(chan struct{})
	d := &Desk{watcher: s.Watch(ctx), follower: s.FollowLogs(ctx, ready), stop: stop}
	d.work.Go(func() {
		for _, e := range s.History(remembered) {
			s.Store.Emit(e)
		}
	})
	d.work.Go(func() { s.WatchBackups(reading, again) })
	d.work.Go(func() {
		defer close(ready)
		knowSecrets(reading, s)
	})
	d.Options = ui.Options{
		Source: s.Store, Driver: &driver{ctx: context.WithoutCancel(ctx), session: s}, Catalog: operation.Catalog(), App: s.App,
		Panes:   []kit.Pane{pane.NewLogs(d.follower), pane.NewTask(s.Store)},
		Changed: d.follower.Dirty(), Refresh: func() {
			d.watcher.Refresh()
			select {
			case again <- struct{}{}:
			default:
			}
		},
		Look: func(host string) { d.watcher.Focus(host) },
	}
	for _, a := range s.Config.Aliases() {
		d.Options.Aliases = append(d.Options.Aliases, ui.Alias{Name: a.Name, Line: a.Value.String()})
	}
	return d
}

// Close stops watching and following.
func (d *Desk) Close() {
	d.stop()
	d.work.Wait()
	d.follower.Close()
	d.watcher.Close()
}

// Private

// remembered is how many earlier tasks the console starts with.
const remembered = 12

// knowSecrets reads the secrets, so that they are taken out of what containers
// log: what nobody has resolved, nobody can recognise.
func knowSecrets(ctx context.Context, s *live.Session) {
	_, err := s.Config.Secrets().All(ctx)
	if err != nil && ctx.Err() == nil {
		s.Store.Emit(ops.Noticed{At: s.World.Now(), Text: "secrets are not known, so logs are not redacted: " + err.Error(), Err: true})
	}
}

// wait stays with the tasks that were left running without a screen.
func wait(ctx context.Context, s *live.Session, left []ops.TaskID) error {
	failed := false
	for _, id := range left {
		if err := s.Engine.Wait(ctx, id); err != nil {
			return err
		}
		task, ok := s.Store.State().Task(id)
		failed = failed || ok && task.Status != ops.Done
	}
	if failed {
		return errors.New("a task that was left running failed: binnacle tasks")
	}
	return nil
}

// driver carries out the console's intents on a session.
type driver struct {
	ctx     context.Context //nolint:containedctx // tasks outlive the screen that started them
	session *live.Session
}

// Plan plans a request against what the watcher knows of the hosts.
func (d *driver) Plan(_ context.Context, r ui.Request) (ui.Proposal, error) {
	op, ok := operation.Catalog().Find(r.Operation)
	if !ok {
		return ui.Proposal{}, errors.New("no operation " + r.Operation)
	}
	request := live.Request{
		Operation: op, Params: r.Params, Version: r.Params.Text("version"), SkipHooks: r.SkipHooks,
		Roles: strings.Join(r.Roles, ","),
	}
	if len(r.Roles)+len(r.Hosts) > 0 {
		request.Filter = &config.Filter{Hosts: r.Hosts, Roles: r.Roles}
	}
	id, plan, err := d.session.Plan(request)
	return ui.Proposal{Task: id, Plan: plan}, err
}

// Start runs a plan as a task. The task does not end with the screen.
func (d *driver) Start(p ui.Proposal) error {
	return d.session.Engine.Start(d.ctx, p.Task, p.Plan)
}

// Cancel asks a task to stop at a safe point.
func (d *driver) Cancel(id ops.TaskID) { d.session.Engine.Cancel(id, "you") }

// Answer answers a question.
func (d *driver) Answer(question string, a ops.Answer) { d.session.Questions.Answer(question, a) }

// Lend lends the terminal to what a task left for the person, or to a shell on a
// host or in a container.
func (d *driver) Lend(ctx context.Context, l ui.Loan) (tea.ExecCommand, error) {
	switch {
	case l.Attach != nil:
		return d.session.World.Lend(ctx, *l.Attach), nil
	case l.Target.Host == "":
		return nil, errors.New("choose a host or a container first")
	}
	return d.session.World.Shell(ctx, l.Target.Host, l.Target.Container), nil
}

// Helpers

// themeFor lets production look different from everything else.
func themeFor(s *live.Session) theme.Options {
	o := theme.FromEnv(os.Getenv)
	d := s.Config.Destination()
	o.Production = d == "" || strings.Contains(d, "prod")
	return o
}

// configDir is where the person's own settings are.
func configDir() string {
	if dir := os.Getenv("XDG_CONFIG_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "binnacle")
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return ""
	}
	return filepath.Join(home, ".config", "binnacle")
}
