package operation

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"binnacle/ops"
	"binnacle/ops/command"
)

// runStep runs the command and shows what it prints as it comes.
func (m *migration) runStep() *ops.Step {
	return &ops.Step{
		ID: "run", Title: m.words(), Host: m.host, Timeout: m.how.Timeout, Aloud: true,
		Lines: []command.Line{m.line(strings.Repeat("0", 6))}, Run: m.run,
	}
}

// Private

func (m *migration) run(ctx context.Context, r *ops.Run) error {
	if m.idle {
		return ops.ErrSkipped
	}
	suffix := m.Hex(6)
	m.named, m.sent = m.app.ExecContainerName(m.version, suffix), true
	line, last := m.line(suffix), &lastLines{keep: lastKept, telling: tellsWhy}
	err := r.EachLine(ctx, line, func(stream ops.Stream, text string) {
		text = strings.TrimRight(text, "\r")
		last.add(text)
		r.Line(stream, text)
	})
	if err = m.ended(ctx, r, line, err); err != nil {
		return m.explained(ctx, line, err, last.all(), last.told)
	}
	r.Note("%s", m.done())
	return r.Exec(ctx, m.audit(r.Now(), m.role.Name(), "%s", m.audited()))
}

// ended settles how the command ended. An exit status is an answer; for one that
// was lost with the connection the host is asked.
func (m *migration) ended(ctx context.Context, r *ops.Run, line command.Line, err error) error {
	var exit *ops.ExitError
	switch {
	case err == nil, errors.As(err, &exit) && exit.Signal == "":
		m.sent = false // Docker removes what has ended
		return err
	case ctx.Err() != nil:
		return err
	}
	r.Say("The connection was lost; asking %s how the migration ended...", m.host)
	code, found := m.await(ctx, r)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case found && code == 0:
		m.sent = false
		return nil
	case found:
		m.sent = false
		return &ops.Error{Host: m.host, Command: line.String(), Cause: &ops.ExitError{Host: m.host, Code: code}}
	}
	if m.look(ctx, r) == nil && m.seen.table && m.reached() {
		return nil
	}
	return err
}

// await waits for a container that may still run; false when it is not there any
// more, or cannot be asked.
func (m *migration) await(ctx context.Context, r *ops.Run) (int, bool) {
	for range 3 {
		out, err := r.Capture(ctx, command.New("docker", "wait", m.named))
		if code, bad := strconv.Atoi(strings.TrimSpace(out)); err == nil && bad == nil {
			return code, true
		}
		var exit *ops.ExitError
		if err == nil || errors.As(err, &exit) || r.World.Sleep(ctx, 2*time.Second) != nil {
			return 0, false
		}
	}
	return 0, false
}

// reached reports that the schema is where the command should have brought it.
func (m *migration) reached() bool {
	if m.undo == 0 {
		return len(m.seen.pending()) == 0
	}
	return m.undoes != nil && !slices.ContainsFunc(m.seen.applied(), func(c schemaChange) bool { return slices.Contains(m.undoes, c) })
}

// explained tells a failure with the last lines that were printed, and what to do:
// the line that tells why may have come long before.
func (m *migration) explained(ctx context.Context, line command.Line, err error, last, why []string) error {
	if errors.Is(err, ops.ErrCancelled) {
		return err
	}
	told := &ops.Error{Host: m.host, Summary: m.what() + " failed", Command: line.String(), Cause: err, Hint: m.advice}
	var exit *ops.ExitError
	var known *ops.Error
	errors.As(err, &exit)
	if errors.As(withLines(err, last), &known) {
		told.Cause, told.Evidence = known.Cause, known.Evidence
	}
	switch {
	case ctx.Err() != nil:
		told.Cause = ctx.Err()
		told.Hint = "its container is stopped; a longer bound: timeout: under migrate: of x-binnacle. " + m.advice
	case noSuchCommand(err):
		told.Hint = "the image has no such command: command: and rollback: under migrate: of x-binnacle name the app's own"
	case exit == nil:
		told.Hint = "how it ended is not known: " + m.byHand("migrate status") + " tells what is pending"
	case m.refused(err, why...):
		told.Hint = refusedHint
	case slices.ContainsFunc(append(why, exit.Output), lockWaited.MatchString):
		told.Hint = m.waitHint()
	}
	return told
}

// clear removes the containers of this task that are still there: after a
// cancel, a timeout or a lost connection.
func (m *migration) clear() *ops.Step {
	return &ops.Step{ID: "clear", Title: "remove its container", Host: m.host, Always: true, Timeout: 2 * time.Minute, Run: func(ctx context.Context, r *ops.Run) error {
		if !m.sent {
			return ops.ErrSkipped
		}
		left, err := m.own(ctx, r)
		if err == nil && len(left) == 0 {
			return ops.ErrSkipped
		}
		for _, c := range left {
			err = errors.Join(err, m.remove(ctx, r, c))
		}
		if err != nil {
			return &ops.Error{
				Host: m.host, Summary: "a migration may still run", Cause: err,
				Hint: "look for it there: docker ps --filter label=" + migrationLabel + "=" + string(m.App),
			}
		}
		m.sent = false
		return nil
	}}
}

// own lists the containers of this task.
func (m *migration) own(ctx context.Context, r *ops.Run) ([]ops.Container, error) {
	return r.Docker().ListContainers(ctx, taskLabel+"="+string(m.Holder.Task))
}

// remove stops a container, which its own --rm then removes.
func (m *migration) remove(ctx context.Context, r *ops.Run, c ops.Container) error {
	r.Ran(command.New("docker", "stop", c.Name))
	if err := r.Docker().Stop(ctx, c.ID, nil); err != nil && !errors.Is(err, ops.ErrNotFound) {
		return err
	}
	r.Note("stopped %s", c.Name)
	for range 10 {
		if _, err := r.Docker().InspectContainer(ctx, c.ID); errors.Is(err, ops.ErrNotFound) {
			return nil
		}
		if err := r.World.Sleep(ctx, 500*time.Millisecond); err != nil {
			return err
		}
	}
	return r.Exec(ctx, removeByForce(c.Name))
}

func (m *migration) what() string {
	if m.undo > 0 {
		return "the rollback of the schema"
	}
	return "the migration"
}

// done says what was done, as far as it is known.
func (m *migration) done() string {
	switch n := len(m.seen.pending()); {
	case m.undo > 0 && m.seen.table:
		return "undid " + counted(len(m.undoes), "migration")
	case m.undo > 0:
		return "done"
	case n > 0:
		return "ran " + counted(n, "migration")
	}
	return "done"
}

func (m *migration) audited() string {
	if m.undo > 0 {
		return fmt.Sprintf("Rolled back %s with app version %s", counted(m.undo, "migration"), m.version)
	}
	return "Migrated with app version " + m.version
}

// Helpers

// withLines puts the last lines of a command that failed under its error, in
// place of the end that the error has of them.
func withLines(err error, last []string) error {
	var known *ops.Error
	if !errors.As(err, &known) || len(last) == 0 {
		return err
	}
	told := *known
	told.Evidence = append(slices.Clone(known.Evidence), ops.Evidence{Title: "its last lines", Lines: last})
	var exit *ops.ExitError
	if errors.As(err, &exit) {
		told.Cause = &ops.ExitError{Host: exit.Host, Code: exit.Code, Signal: exit.Signal}
	}
	return &told
}

// lastLines keeps the end of what a command printed.
type lastLines struct {
	keep    int            // how many
	telling *regexp.Regexp // lines to keep wherever they were; nil: none
	mu      sync.Mutex
	lines   []string
	told    []string // the first of those
}

// lastKept is how many lines of a command go into an error.
const lastKept = 20

func (l *lastLines) add(text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.telling != nil && len(l.told) < l.keep && l.telling.MatchString(text) {
		l.told = append(l.told, text)
	}
	l.lines = append(l.lines, text)
	if len(l.lines) > 2*l.keep {
		l.lines = slices.Clone(l.lines[len(l.lines)-l.keep:])
	}
}

func (l *lastLines) all() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.lines[max(0, len(l.lines)-l.keep):])
}
