package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"sync"
	"time"

	"binnacle/ops"
	"binnacle/ops/command"
	"binnacle/ops/live"
)

// secondInterrupt is how soon a second interrupt must follow to quit at once.
const secondInterrupt = 3 * time.Second

// run plans an operation, runs it and prints it. The error of a failed task is
// ErrFailed: the task's own errors are on the screen.
func (p Program) run(ctx context.Context, f *flags, op ops.Operation, params ops.Params) error {
	s, err := p.open(ctx, f)
	if err != nil {
		return err
	}
	defer s.Close()
	connected, err := p.preConnect(ctx, f, s, op, params)
	if err != nil {
		return err
	}
	warming, enough := context.WithCancel(ctx)
	warm := func() {}
	if connected && (!f.dryRun || op.Observe) {
		warm = s.Prewarm(warming)
	}
	defer func() { enough(); warm() }()
	if op.Observe {
		s.Observe(ctx)
	}
	if op.Stores {
		s.ObserveBackups(ctx, params.Text("NAME"))
	}
	id, plan, err := s.Plan(live.Request{
		Operation: op, Params: params, SkipHooks: f.skipHooks, Roles: f.roles, Connected: connected, Agreed: f.yes, Flags: f.manner(),
	})
	if err != nil {
		return err
	}
	if plan.Risk != ops.Read && !plan.Stream && plan.Attach == nil {
		defer outliveReader()()
	}
	if len(plan.Hosts()) == 0 && plan.Attach == nil {
		enough() // it is all done here
	}
	if f.dryRun {
		return p.printPlan(f, plan)
	}
	if plan.Attach != nil && f.json {
		return fmt.Errorf("%s connects you to a command, which cannot be told as JSON: leave --json out", op.Name)
	}
	if ok, err := p.agreed(ctx, f, op, params, plan); err != nil || !ok {
		return err
	}
	if err := p.follow(ctx, f, s, id, plan); err != nil || plan.Attach == nil {
		return err
	}
	return p.attach(ctx, f, s, plan)
}

// Private

// preConnect runs the pre-connect hook when hosts or stores are looked at before
// there is a plan, a dry run's too. It returns whether hosts may be reached: the hook
// has run, or there is none. The plans of all other operations run it themselves.
func (p Program) preConnect(ctx context.Context, f *flags, s *live.Session, op ops.Operation, params ops.Params) (bool, error) {
	if p.PreConnect == nil {
		return true, nil
	}
	id, plan, err := s.Plan(live.Request{Operation: p.PreConnect(op.Name), Params: params, SkipHooks: f.skipHooks, Roles: f.roles})
	switch {
	case err != nil:
		return false, err
	case len(plan.Steps()) == 0:
		return true, nil
	case !op.Observe && !op.Stores:
		return false, nil
	}
	own := *f
	own.json, own.quiet = false, true // what was asked for comes after it
	return true, p.follow(ctx, &own, s, id, plan)
}

// look runs the pre-connect hook for a command that only looks, by its name.
func (p Program) look(ctx context.Context, f *flags, s *live.Session, name string) error {
	_, err := p.preConnect(ctx, f, s, ops.Operation{Name: name, Observe: true}, nil)
	return err
}

// agreed asks what the operation wants asked, and before a choice that was made
// for the person: the version of a rollback. Where nobody can be asked, -y must
// say so. What only looks is never asked about.
func (p Program) agreed(ctx context.Context, f *flags, op ops.Operation, params ops.Params, plan ops.Plan) (bool, error) {
	question := op.Question
	if question == "" && op.Name == "rollback" && params.Text("VERSION") == "" && p.Terminal && !f.json {
		question = plan.Title + "?"
	}
	if f.yes || question == "" || plan.Risk == ops.Read {
		return true, nil
	}
	for _, e := range plan.Effects {
		_, _ = fmt.Fprintf(p.Stderr, "%10s  %s\n", e.Label, e.Text)
	}
	ok, err := p.agree(ctx, question, plan)
	if errors.Is(err, io.EOF) {
		return false, fmt.Errorf("%s: nobody is there to confirm it; give -y", op.Name)
	}
	if err == nil && !ok {
		_, _ = fmt.Fprintln(p.Stderr, "Aborted")
	}
	return ok, err
}

// agree asks the question. A person who is there has to type the word of what
// would lose data; a pipe answers as it does for Kamal.
func (p Program) agree(ctx context.Context, question string, plan ops.Plan) (bool, error) {
	if plan.Confirm == "" || !p.Terminal {
		return p.confirm(ctx, question)
	}
	_, _ = fmt.Fprintf(p.Stderr, "%s Type %s to go on: ", question, plan.Confirm)
	line, err := p.readLine(ctx)
	return strings.TrimSpace(line) == plan.Confirm, err
}

// follow starts a plan, prints its events until it ends, and turns signals
// into cancelling at a safe point.
func (p Program) follow(ctx context.Context, f *flags, s *live.Session, id ops.TaskID, plan ops.Plan) error {
	tail := s.Store.Tail()
	defer tail.Close()
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, cancelSignals()...)
	defer signal.Stop(signals)
	if err := s.Engine.Start(ctx, id, plan); err != nil {
		return err
	}
	out := p.printer(f, plan, s)
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() { p.onSignals(signals, done, s, id, plan) })
	finished := out.follow(ctx, tail, id)
	close(done)
	wg.Wait()
	p.tellLogs(f, s, id)
	if finished.Status != ops.Done {
		return ErrFailed
	}
	return nil
}

// tellLogs says where the task's logs went.
func (p Program) tellLogs(f *flags, s *live.Session, id ops.TaskID) {
	for _, r := range s.Logs.Reports(id) {
		switch {
		case r.Failed:
			_, _ = fmt.Fprintln(p.Stderr, "warning: "+r.Text)
		case !f.quiet && !f.json:
			_, _ = fmt.Fprintln(p.Stdout, r.Text)
		}
	}
}

func (p Program) onSignals(signals <-chan os.Signal, done <-chan struct{}, s *live.Session, id ops.TaskID, plan ops.Plan) {
	var last time.Time
	for {
		select {
		case <-done:
			return
		case sig := <-signals:
			now := time.Now()
			if !last.IsZero() && now.Sub(last) < secondInterrupt {
				_, _ = fmt.Fprintln(p.Stderr, "Quitting now. "+leftBehind(s, id))
				os.Exit(1)
			}
			last = now
			if plan.Risk != ops.Read {
				_, _ = fmt.Fprintf(p.Stderr, "Got %s: stopping at a safe point and releasing the lock. Again within 3 s to quit at once.\n", sig)
			}
			s.Engine.Cancel(id, sig.String())
		}
	}
}

// Helpers

// leftBehind says what a quit without waiting leaves.
func leftBehind(s *live.Session, id ops.TaskID) string {
	task, ok := s.Store.State().Task(id)
	if !ok {
		return ""
	}
	var running []string
	held := false
	for _, st := range task.Steps {
		if st.Status == ops.Running && !st.Group {
			running = append(running, strings.TrimSpace(st.Host+" "+st.Title))
		}
		held = held || st.ID == "lock" && st.Status == ops.Done
	}
	text := "In flight: " + strings.Join(running, ", ") + "."
	if len(running) == 0 {
		text = "Nothing was in flight."
	}
	if held {
		text += " The deploy lock is still held; to look at it and free it: " +
			command.ByHand(s.Config, "lock status") + ", " + command.ByHand(s.Config, "lock release") + "."
	}
	for _, check := range task.Unattended() {
		text += " It goes on without us and may hold a lock until it has stopped; to look at that: " + check + "."
	}
	return text
}
