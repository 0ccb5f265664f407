package ops

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/oklog/ulid/v2"

	"binnacle/config/secret"
)

// Engine runs plans as tasks: one change per app at a time, any number of
// reads. Start, Cancel and Wait are all that front ends need.
type Engine struct {
	world    World
	store    *Store
	journals Journals
	redactor *secret.Redactor
	identity Identity

	mu    sync.Mutex
	tasks map[TaskID]*execution
	wg    sync.WaitGroup
}

// Identity is who runs tasks and where, for journals and the lock.
type Identity struct {
	User string
	Host string
	PID  int
}

// ErrBusy is returned when an app already has a running change.
type ErrBusy struct {
	App   AppID
	Task  TaskID
	Title string
}

// Error names the running task.
func (e *ErrBusy) Error() string {
	return fmt.Sprintf("%s is busy: %s (task %s)", e.App, e.Title, e.Task)
}

// NewEngine makes an engine over a world. An empty journal folder keeps no
// journals.
func NewEngine(world World, store *Store, journals Journals, redactor *secret.Redactor, identity Identity) *Engine {
	return &Engine{
		world: world, store: store, journals: journals, redactor: redactor, identity: identity,
		tasks: map[TaskID]*execution{},
	}
}

// NewTaskID makes the identifier that a plan's lock message and its task share.
func (e *Engine) NewTaskID() TaskID {
	return TaskID(ulid.MustNew(ulid.Timestamp(e.world.Now()), rand.Reader).String())
}

// Identity tells who runs the tasks.
func (e *Engine) Identity() Identity { return e.identity }

// Start runs a plan in the background. The context is the program's: when it
// ends, the task is cancelled at a safe point.
func (e *Engine) Start(ctx context.Context, id TaskID, plan Plan) error {
	x := &execution{
		engine: e, id: id, plan: plan, done: make(chan struct{}),
		statuses: map[StepID]Status{},
	}
	x.ctx, x.stop = context.WithCancelCause(ctx)
	x.safe, x.abandon = context.WithCancelCause(context.WithoutCancel(ctx))
	if err := e.admit(x); err != nil {
		return err
	}
	if plan.Risk != Read && e.journals.Dir != "" {
		journal, err := e.journals.Create(plan.App, id)
		if err != nil {
			e.forget(x)
			return err
		}
		x.journal = journal
	}
	e.wg.Add(1)
	go func() {
		defer e.wg.Done()
		x.run()
		e.forget(x)
		close(x.done)
	}()
	return nil
}

// Cancel asks a task to stop at a safe point; by says who asked.
func (e *Engine) Cancel(id TaskID, by string) {
	if x := e.find(id); x != nil {
		x.cancel(by)
	}
}

// Abandon drops a task without waiting for safe points: the last resort of a
// second interrupt. What is left behind is in the task's last events.
func (e *Engine) Abandon(id TaskID) {
	if x := e.find(id); x != nil {
		x.cancel("abandoned")
		x.abandon(ErrCancelled)
	}
}

// Wait blocks until a task has ended, or the context does.
func (e *Engine) Wait(ctx context.Context, id TaskID) error {
	x := e.find(id)
	if x == nil {
		return nil
	}
	select {
	case <-x.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Running lists the tasks that have not ended.
func (e *Engine) Running() []TaskID {
	e.mu.Lock()
	defer e.mu.Unlock()
	var out []TaskID
	for id := range e.tasks {
		out = append(out, id)
	}
	return out
}

// Close waits for all tasks to end.
func (e *Engine) Close() { e.wg.Wait() }

// Private

func (e *Engine) admit(x *execution) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if x.plan.Risk != Read {
		for _, other := range e.tasks {
			if other.plan.App == x.plan.App && other.plan.Risk != Read {
				return &ErrBusy{App: other.plan.App, Task: other.id, Title: other.plan.Title}
			}
		}
	}
	e.tasks[x.id] = x
	return nil
}

func (e *Engine) forget(x *execution) {
	e.mu.Lock()
	delete(e.tasks, x.id)
	e.mu.Unlock()
}

func (e *Engine) find(id TaskID) *execution {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.tasks[id]
}

func (e *Engine) redact(text string) string {
	if e.redactor == nil {
		return text
	}
	return e.redactor.Redact(text)
}

// redacted copies errors with every secret value taken out.
func (e *Engine) redacted(errs []*Error) []*Error {
	out := make([]*Error, 0, len(errs))
	for _, err := range errs {
		clean := &Error{
			Summary: e.redact(err.Summary), Host: err.Host, Command: e.redact(err.Command), Hint: e.redact(err.Hint),
		}
		if err.Cause != nil {
			clean.Cause = &redactedError{text: e.redact(err.Cause.Error()), err: err.Cause}
		}
		for _, ev := range err.Evidence {
			lines := make([]string, len(ev.Lines))
			for i, l := range ev.Lines {
				lines[i] = e.redact(l)
			}
			clean.Evidence = append(clean.Evidence, Evidence{Title: ev.Title, Lines: lines})
		}
		out = append(out, clean)
	}
	return out
}

// redactedError shows a redacted text and is still found by errors.Is.
type redactedError struct {
	text string
	err  error
}

func (r *redactedError) Error() string        { return r.text }
func (r *redactedError) Is(target error) bool { return errors.Is(r.err, target) }

// stepTimeout bounds a step that names no bound of its own.
const stepTimeout = 10 * time.Minute

// cleanupTimeout bounds an Always step that names no bound of its own.
const cleanupTimeout = time.Minute
