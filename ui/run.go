// Package ui is the console: it shows an ops.State and sends intents. The root
// model owns size, focus, layout and dialogs; panes and dialogs are in their
// own packages. It may import ops, ui/theme, ui/kit, ui/widget, ui/pane,
// ui/dialog and Bubble Tea. Only intent.go calls what runs operations.
package ui

import (
	"context"
	"errors"
	"time"

	tea "charm.land/bubbletea/v2"

	"binnacle/ops"
	"binnacle/ui/kit"
	"binnacle/ui/theme"
)

// Source is where the State comes from; *ops.Store is one.
type Source interface {
	State() *ops.State
	Dirty() (<-chan struct{}, func())
}

// Driver carries out what the console asks for.
type Driver interface {
	// Plan asks an operation what it would do; it may look at the hosts first.
	Plan(ctx context.Context, r Request) (Proposal, error)
	// Start runs a plan as a task.
	Start(p Proposal) error
	// Cancel asks a task to stop at a safe point.
	Cancel(id ops.TaskID)
	// Answer answers one of the State's questions.
	Answer(question string, a ops.Answer)
	// Lend makes a command that has the terminal while it runs.
	Lend(ctx context.Context, l Loan) (tea.ExecCommand, error)
}

// Loan is whom the terminal is lent to: the command that a task left for the
// person, or else a shell at the target.
type Loan struct {
	Target kit.Target
	Attach *ops.Attach
}

// Request is an operation with everything that a person said about it.
type Request struct {
	App       ops.AppID
	Operation string
	Target    kit.Target
	Params    ops.Params // by name; kit.VersionParam tells the version's
	Roles     []string
	Hosts     []string
	SkipHooks bool
}

// Proposal is a plan and the task that it becomes once it is started.
type Proposal struct {
	Task ops.TaskID
	Plan ops.Plan
}

// Options make a console.
type Options struct {
	Source  Source
	Driver  Driver
	Catalog ops.Catalog
	Aliases []Alias   // of deploy.yml, for the palette
	App     ops.AppID // "" for the first of the fleet
	// Panes are panes with a source of their own, such as logs and the task
	// view, beside those that draw from the State alone.
	Panes []kit.Pane
	// Changed signals that such a pane has something new; may be nil.
	Changed <-chan struct{}
	Theme   theme.Options
	// FixedTheme keeps Theme.Dark whatever the terminal's background is.
	FixedTheme bool
	Keys       map[string][]string // from keys.yaml
	Refresh    func()              // reads everything again; may be nil
	Look       func(host string)   // tells which host is looked at; may be nil
	Now        func() time.Time    // nil for the real clock
	History    []string            // earlier palette lines, newest last
	Remember   func(line string)   // keeps a palette line; may be nil
	SaveDir    string              // where Save writes; "" for the working folder
}

// Outcome tells how the console was left.
type Outcome struct {
	// Left names the tasks that were left running: the process ends when they do.
	Left []ops.TaskID
}

// framesPerSecond is how often the terminal is written to at most: every
// tick wakes the program up.
const framesPerSecond = 20

// Run shows the console until somebody leaves it or the context ends.
func Run(ctx context.Context, o Options, more ...tea.ProgramOption) (Outcome, error) {
	m, err := New(ctx, o)
	if err != nil {
		return Outcome{}, err
	}
	defer m.close()
	options := append([]tea.ProgramOption{tea.WithContext(ctx), tea.WithFilter(wheelFilter()), tea.WithFPS(framesPerSecond)}, more...)
	_, err = tea.NewProgram(m, options...).Run()
	if errors.Is(err, tea.ErrProgramKilled) && ctx.Err() != nil {
		err = nil // the context's end is a way to leave
	}
	return m.outcome, err
}

// Render draws one frame of a State, with ANSI colours, at a size: for
// screenshots. Keys are pressed first, by name. Options.Now fixes the clock.
func Render(ctx context.Context, o Options, width, height int, keys ...string) (string, error) {
	s, err := NewStage(ctx, o, width, height)
	if err != nil {
		return "", err
	}
	defer s.Close()
	for _, k := range keys {
		s.Press(k)
	}
	return s.Frame(), nil
}
