package operation

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"binnacle/ops"
	"binnacle/ops/command"
)

// execTime bounds a person's command: it takes what it takes.
const execTime = 30 * 24 * time.Hour

// execution is a command that a person typed, and the places where it runs.
type execution struct {
	*story
	words string // as typed: they go raw to a shell
	// spots are the places; the first is the primary one, and the only one of a
	// command that somebody is connected to.
	spots []spot
	// shell says that the words run in a shell of the container, not of the host.
	shell bool
	// detach leaves the command running and waits for nothing.
	detach bool
	// before are steps that every place needs.
	before []ops.Node
	notes  []string
}

// spot is one place where a person's command runs.
type spot struct {
	id, host, role string // the role is "" for a host itself
	// ready is what comes before the command; attended says that somebody is
	// connected to it.
	ready func(ctx context.Context, r *ops.Run, attended bool) error
	// line is the command. It is asked again once earlier steps have run.
	line func(o command.ExecOptions) command.Line
	// explain adds to a failure what can be done; may be nil.
	explain func(err error) error
}

// execParams are the flags of every command that runs a person's command.
func execParams(more ...ops.Param) []ops.Param {
	return append([]ops.Param{
		{Name: "CMD", Kind: ops.Words, Positional: true, Required: true, Usage: "the command; unquoted | ; $ act on the host, as with Kamal"},
		{Name: "interactive", Letter: "i", Kind: ops.Toggle, Usage: "connect the terminal to it, on the primary host (for a console or a shell)"},
		{Name: "raw", Kind: ops.Toggle, Usage: "print what it prints, byte for byte"},
	}, more...)
}

// newExecution reads what was typed.
func (s *story) newExecution() (*execution, error) {
	x := &execution{story: s, words: strings.TrimSpace(s.Params.Text("CMD")), shell: s.Params.On("shell"), detach: s.Params.On("detach")}
	if x.words == "" && (s.command != "server" || !x.interactive()) {
		return nil, &ops.Error{
			Summary: s.command + " exec", Cause: errors.New("no command provided, you must specify a command to execute"),
			Hint: "for a shell: binnacle " + s.command + " exec -i sh",
		}
	}
	return x, nil
}

// planned is the plan: steps that run it everywhere, or one that makes a single
// place ready for the person to be connected.
func (x *execution) planned(title string) (ops.Plan, error) {
	if len(x.spots) == 0 {
		return ops.Plan{}, &ops.Error{Summary: x.command + " exec", Cause: errors.New("no host to run it on is selected")}
	}
	at := &x.spots[0]
	attach := x.attach()
	var body ops.Node
	if attach == nil {
		body = x.everywhere()
	} else {
		x.spots = x.spots[:1]
		body = x.makeReady(at, attach)
	}
	nodes := slices.Concat([]ops.Node{x.check(at.host)}, x.before, []ops.Node{body})
	plan := x.plan(ops.Change, title, nodes...)
	plan.Heading, plan.Raw, plan.Attach = "App", x.Params.On("raw") || attach != nil && (x.shell || x.interactive()), attach
	plan.Effects = []ops.Effect{
		{Label: "to", Text: x.destinationText(), Warn: x.production()},
		{Label: "on", Text: x.where()},
		{Label: "runs", Text: at.line(command.ExecOptions{}).String()},
	}
	for _, n := range x.notes {
		plan.Effects = append(plan.Effects, ops.Effect{Label: "note", Text: n, Warn: true})
	}
	return plan, nil
}

// Private

func (x *execution) interactive() bool { return x.Params.On("interactive") }

// attach is the command that the person is connected to, without its line; nil
// when it runs as steps. A file goes to a single place; a pipe only where -i or
// --shell asks for it, for the rest of a script may come through it.
func (x *execution) attach() *ops.Attach {
	one := len(x.spots) == 1
	a := &ops.Attach{Host: x.spots[0].host}
	switch {
	case x.interactive():
		a.TTY, a.Stdin = x.Stdin == ops.StdinTerminal, x.Stdin != ops.NoStdin
	case x.detach || !x.Streams:
		return nil
	case x.Stdin.HasData() && x.shell, x.Stdin == ops.StdinFile && one:
		a.Stdin = true
		if !one {
			x.notes = append(x.notes, fmt.Sprintf("the input goes to %s alone, not to all %d places", x.spots[0].name(), len(x.spots)))
		}
	case one && (x.shell || x.Params.On("raw")):
	default:
		if x.Stdin == ops.StdinFile {
			x.notes = append(x.notes, fmt.Sprintf("the input is not read: the command runs in %d places; add -p for one place, or -i", len(x.spots)))
		}
		if x.Stdin == ops.StdinData && one {
			x.notes = append(x.notes, "the input is a pipe and is left alone; -i hands it to the command")
		}
		return nil
	}
	return a
}

// everywhere runs the command in all places side by side and tells what it
// printed.
func (x *execution) everywhere() ops.Node {
	g := ops.SideBySide("exec", "run it")
	for _, at := range x.spots {
		g.Nodes = append(g.Nodes, &ops.Step{
			ID: at.id, Title: cmp.Or(at.role, "run"), Host: at.host, Timeout: execTime, Lines: []command.Line{at.line(command.ExecOptions{Detach: x.detach})},
			Run: func(ctx context.Context, r *ops.Run) error { return x.runAt(ctx, r, at) },
		})
	}
	return g
}

func (x *execution) runAt(ctx context.Context, r *ops.Run, at spot) error {
	if err := at.ready(ctx, r, false); err != nil {
		return err
	}
	out, err := r.Capture(ctx, at.line(command.ExecOptions{Detach: x.detach}))
	if !x.Params.On("raw") {
		out = strings.TrimSpace(out)
	}
	if err == nil || out != "" {
		r.Result(out)
	}
	return at.explained(err)
}

// makeReady prepares the place and completes the line to attach to.
func (x *execution) makeReady(at *spot, a *ops.Attach) ops.Node {
	o := command.ExecOptions{Interactive: x.interactive() || a.Stdin, TTY: a.TTY}
	a.Line = at.line(o)
	return &ops.Step{
		ID: "ready", Title: "make ready", Host: at.host, Timeout: 30 * time.Minute,
		Run: func(ctx context.Context, r *ops.Run) error {
			if err := at.ready(ctx, r, x.interactive()); err != nil {
				return err
			}
			a.Line = at.line(o)
			r.Ran(a.Line)
			return nil
		},
	}
}

// check says what will surprise: input that goes nowhere, and variables that
// the shell at hand does not know.
func (x *execution) check(host string) ops.Node {
	expanded, escaped := variables(x.words)
	if x.shell {
		expanded = nil // the container's shell knows its own
	}
	if x.command == "server" || innerShell(x.words) {
		expanded, escaped = nil, nil
	}
	if len(x.spots) > 1 && x.command == "app" && better(x.words) == migrateByTask {
		x.notes = append(x.notes, fmt.Sprintf("it runs in %d places at once: binnacle %s runs it once, and shows first what is pending", len(x.spots), migrateByTask))
	}
	if len(expanded)+len(escaped)+len(x.notes) == 0 {
		return nil
	}
	s := &ops.Step{ID: "check", Title: "check the command", Timeout: time.Minute}
	if len(expanded) > 0 {
		s.Host, s.Lines = host, []command.Line{unsetProbe(expanded)}
	}
	s.Run = func(ctx context.Context, r *ops.Run) error {
		for _, n := range x.notes {
			warn(r, n)
		}
		for _, name := range escaped {
			warn(r, escapedNote(name, x.shell)+orBetter(x.words))
		}
		if len(expanded) == 0 {
			return nil
		}
		out, err := capture(ctx, r.Remote(), s.Lines[0])
		if err != nil {
			return nil //nolint:nilerr // only a warning is lost; the command itself tells of a host that cannot be reached
		}
		for _, name := range strings.Fields(out) {
			warn(r, fmt.Sprintf("$%s is not set on %s, whose own shell expands it: for the container's, add --shell", name, host)+orBetter(x.words))
		}
		return nil
	}
	return s
}

func (x *execution) where() string {
	names := make([]string, len(x.spots))
	for i, at := range x.spots {
		names[i] = at.name()
	}
	return strings.Join(names, ", ")
}

func (at spot) name() string { return strings.TrimSpace(at.host + " " + at.role) }

func (at spot) explained(err error) error {
	if err == nil || at.explain == nil {
		return err
	}
	return at.explain(err)
}

// Helpers

func warn(r *ops.Run, text string) { r.Fact(ops.Noticed{At: r.Now(), Text: "warning: " + text}) }

// quoted is a person's command in a title: not all of a long one.
func quoted(words string) string {
	const most = 60
	words = strings.Join(strings.Fields(words), " ")
	if runes := []rune(words); len(runes) > most {
		words = string(runes[:most-1]) + "…"
	}
	return "'" + words + "'"
}

// inShell is a command line as one argument for a shell of its own.
func inShell(words string) string { return command.Sh(command.New(words)).String() }
