package ops

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"sync"
	"time"
)

// execution is one plan while it runs.
type execution struct {
	engine  *Engine
	id      TaskID
	plan    Plan
	journal *Journal

	ctx     context.Context // ends on cancel: no new step starts
	stop    context.CancelCauseFunc
	safe    context.Context // outlives a cancel: atomic and cleanup steps
	abandon context.CancelCauseFunc
	done    chan struct{}

	mu       sync.Mutex
	emitting sync.Mutex
	statuses map[StepID]Status
	errors   []*Error
	serving  []Serving
	lock     string
	asked    bool
}

func (x *execution) run() {
	defer x.stop(nil)
	defer x.abandon(nil)
	x.emit(TaskStarted{
		Task: x.id, At: x.now(), App: x.plan.App, Operation: x.plan.Operation, Title: x.plan.Title, Version: x.plan.Version,
		Risk: x.plan.Risk, User: x.engine.identity.User, Host: x.engine.identity.Host, PID: x.engine.identity.PID,
		Steps: x.plan.Outline(),
	})
	// A parent that ends, as on a signal, is a cancel like any other.
	stopWatch := context.AfterFunc(x.ctx, func() { x.announceCancel(causeText(x.ctx)) })
	err := x.group(x.plan.Root, "")
	stopWatch()
	x.finish(err)
}

func (x *execution) finish(err error) {
	x.mu.Lock()
	status := Done
	switch {
	case err != nil && x.asked && onlyCancelled(x.errors):
		status = Cancelled
	case err != nil:
		status = Failed
	}
	finished := TaskFinished{
		Task: x.id, At: x.now(), Status: status, Errors: x.errors, Serving: x.serving, Lock: x.lock,
	}
	x.mu.Unlock()
	x.emit(finished)
	if jerr := x.journal.Close(); jerr != nil {
		x.engine.store.Emit(Noticed{At: x.now(), Text: "the journal of this task is incomplete: " + jerr.Error(), Err: true})
	}
}

func (x *execution) cancel(by string) {
	x.announceCancel(by)
	x.stop(ErrCancelled)
}

func (x *execution) announceCancel(by string) {
	x.mu.Lock()
	first := !x.asked
	x.asked = true
	x.mu.Unlock()
	if first {
		x.emit(TaskCancelling{Task: x.id, At: x.now(), By: by})
	}
}

func (x *execution) node(n Node, prefix StepID) error {
	switch n := n.(type) {
	case *Group:
		return x.subgroup(n, join(prefix, n.ID))
	case *Step:
		return x.step(n, join(prefix, n.ID))
	}
	return nil
}

// subgroup is a group that front ends see.
func (x *execution) subgroup(g *Group, id StepID) error {
	if g.ID == "" {
		return x.group(g, id)
	}
	x.emit(StepStarted{Task: x.id, Step: id, At: x.now()})
	err := x.group(g, id)
	status := Done
	switch {
	case errors.Is(err, ErrCancelled):
		status = Cancelled
	case err != nil:
		status = Failed
	}
	x.emit(StepFinished{Task: x.id, Step: id, At: x.now(), Status: status})
	return err
}

func (x *execution) group(g *Group, id StepID) error {
	if g == nil {
		return nil
	}
	if g.Mode == Parallel {
		return x.sideBySide(g, id)
	}
	var failure error
	for _, n := range g.Nodes {
		if failure == nil && x.ctx.Err() != nil {
			failure = ErrCancelled
		}
		if failure != nil {
			x.cleanup(n, id)
			continue
		}
		failure = x.node(n, id)
	}
	return failure
}

// cleanup runs the Always steps of a branch that is not going to run.
func (x *execution) cleanup(n Node, prefix StepID) {
	switch n := n.(type) {
	case *Step:
		if n.Always {
			_ = x.step(n, join(prefix, n.ID)) // recorded as an error of the task by step
			return
		}
		x.emit(StepFinished{Task: x.id, Step: join(prefix, n.ID), At: x.now(), Status: Skipped})
	case *Group:
		if n.ID != "" && !hasAlways(n) {
			x.emit(StepFinished{Task: x.id, Step: join(prefix, n.ID), At: x.now(), Status: Skipped})
		}
		for _, sub := range n.Nodes {
			x.cleanup(sub, join(prefix, n.ID))
		}
	}
}

func (x *execution) sideBySide(g *Group, id StepID) error {
	limit := len(g.Nodes)
	if g.Limit > 0 {
		limit = min(g.Limit, limit)
	}
	slots := make(chan struct{}, max(1, limit))
	failures := make([]error, len(g.Nodes))
	var wg sync.WaitGroup
	for i, n := range g.Nodes {
		slots <- struct{}{}
		wg.Add(1)
		go func() {
			defer wg.Done()
			defer func() { <-slots }()
			if x.ctx.Err() != nil {
				x.cleanup(n, id)
				failures[i] = ErrCancelled
				return
			}
			failures[i] = x.node(n, id)
		}()
	}
	wg.Wait()
	return errors.Join(failures...)
}

func (x *execution) step(s *Step, id StepID) error {
	ctx, cancel := x.stepContext(s)
	defer cancel()
	r := &Run{World: x.engine.world, Task: x.id, ID: id, Host: s.Host, x: x}
	x.emit(StepStarted{Task: x.id, Step: id, At: x.now()})
	err := x.call(ctx, s, r)
	r.flush()
	err = x.explain(ctx, s, err)
	status, errs := x.outcome(s, err)
	x.emit(StepFinished{Task: x.id, Step: id, At: x.now(), Status: status, Errors: errs})
	if status == Failed && !s.Soft || status == Cancelled {
		return err
	}
	return nil
}

func (x *execution) stepContext(s *Step) (context.Context, context.CancelFunc) {
	timeout := s.Timeout
	switch {
	case timeout > 0:
	case s.Always:
		timeout = cleanupTimeout
	default:
		timeout = stepTimeout
	}
	parent := x.ctx
	if s.Always || s.Atomic {
		parent = x.safe
	}
	return context.WithTimeoutCause(parent, timeout, fmt.Errorf("timed out after %s", timeout))
}

// call runs the step's body; a panic fails the step, not the program.
func (x *execution) call(ctx context.Context, s *Step, r *Run) (err error) {
	defer func() {
		if p := recover(); p != nil {
			for _, l := range splitLines(string(debug.Stack())) {
				r.Line(Stderr, l)
			}
			err = &Error{Summary: fmt.Sprintf("%s: internal error: %v", s.Title, p), Host: s.Host, Hint: "please report it; the stack is in the task's journal"}
		}
	}()
	if s.Run != nil {
		return s.Run(ctx, r)
	}
	if s.Host == "" {
		return r.Locally(ctx, "", nil, s.Lines...)
	}
	return r.Exec(ctx, s.Lines...)
}

// explain turns the end of a context into why it ended.
func (x *execution) explain(ctx context.Context, s *Step, err error) error {
	if err == nil || ctx.Err() == nil || errors.Is(err, ErrSkipped) {
		return err
	}
	if x.ctx.Err() != nil && !s.Always && !s.Atomic {
		return ErrCancelled
	}
	if cause := context.Cause(ctx); cause != nil && errors.Is(err, ctx.Err()) {
		var known *Error
		if errors.As(err, &known) {
			clone := *known
			clone.Cause = cause
			return &clone
		}
		return &Error{Summary: s.Title, Host: s.Host, Cause: cause}
	}
	return err
}

func (x *execution) outcome(s *Step, err error) (Status, []*Error) {
	switch {
	case err == nil:
		return Done, nil
	case errors.Is(err, ErrSkipped):
		return Skipped, nil
	case errors.Is(err, ErrCancelled):
		return Cancelled, nil
	}
	errs := x.engine.redacted(Describe(err))
	if !s.Soft {
		x.mu.Lock()
		x.errors = append(x.errors, errs...)
		sortSecondary(x.errors)
		x.mu.Unlock()
	}
	return Failed, errs
}

func (x *execution) emit(e Event) {
	x.emitting.Lock()
	defer x.emitting.Unlock()
	x.journal.Write(e)
	x.engine.store.Emit(e)
}

func (x *execution) now() time.Time { return x.engine.world.Now() }

// Helpers

// ErrHalted is the failure of work that never began because other work failed.
var ErrHalted = errors.New("halted at barrier")

// sortSecondary puts failures that only follow from others last.
func sortSecondary(errs []*Error) {
	slices.SortStableFunc(errs, func(a, b *Error) int {
		return btoi(errors.Is(a.Cause, ErrHalted)) - btoi(errors.Is(b.Cause, ErrHalted))
	})
}

func onlyCancelled(errs []*Error) bool {
	return !slices.ContainsFunc(errs, func(e *Error) bool {
		return !errors.Is(e.Cause, ErrCancelled) && !errors.Is(e.Cause, ErrHalted)
	})
}

func hasAlways(g *Group) bool {
	return slices.ContainsFunc(g.Nodes, func(n Node) bool {
		switch n := n.(type) {
		case *Step:
			return n.Always
		case *Group:
			return hasAlways(n)
		}
		return false
	})
}

func causeText(ctx context.Context) string {
	cause := context.Cause(ctx)
	if cause == nil || errors.Is(cause, context.Canceled) {
		return "the program is ending"
	}
	return cause.Error()
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}
