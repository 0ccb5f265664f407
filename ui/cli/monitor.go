package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"binnacle/ops"
	"binnacle/ops/live"
)

// monitorFlags are how often monitor draws.
type monitorFlags struct {
	once     bool
	interval time.Duration
}

const (
	usualInterval  = 2 * time.Second
	shortestGap    = 250 * time.Millisecond // between two pictures, however much changes
	settleSpan     = 3 * time.Second
	leastInterval  = 100 * time.Millisecond
	recentJournals = 12 // newest journals in which running tasks are looked for
)

func (p Program) monitorCommand(f *flags) *cobra.Command {
	var m monitorFlags
	cmd := &cobra.Command{
		Use: "monitor", Short: "Show hosts, containers, accessories, the lock and running tasks on one screen, live",
		Long: "Shows the app on one screen and draws it anew when something changes, until interrupted. Where the\n" +
			"output is no terminal, it is printed as plain text once per interval.",
		Example: "  binnacle monitor\n  binnacle monitor --once\n  binnacle monitor --interval 10s | tee fleet.log",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return p.monitor(cmd.Context(), f, m) },
	}
	cmd.Flags().BoolVar(&m.once, "once", false, "print what is, and end")
	cmd.Flags().DurationVar(&m.interval, "interval", usualInterval, "draw at least this often")
	return cmd
}

// Private

func (p Program) monitor(ctx context.Context, f *flags, m monitorFlags) error {
	if m.interval < leastInterval {
		return fmt.Errorf("--interval %s: give %s or more", m.interval, leastInterval)
	}
	s, err := p.open(ctx, f)
	if err != nil {
		return err
	}
	defer s.Close()
	if err := p.look(ctx, f, s, "monitor"); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(ctx, cancelSignals()...)
	defer stop()
	view := &monitorView{program: p, session: s, flags: f, journals: newJournalReader(s.Journals(), s.App)}
	if view.file, _ = p.Stdout.(*os.File); view.file != nil && !m.once && !f.json {
		view.screen = term.IsTerminal(int(view.file.Fd()))
	}
	if view.screen {
		_, _ = fmt.Fprintf(p.Stderr, "connecting to %s…\n", counted(len(s.Selection.Hosts()), "host"))
	}
	s.Observe(ctx) // what has to be asked is asked before the screen is taken
	watcher := s.Watch(ctx)
	defer watcher.Close()
	view.settle(ctx)
	if m.once {
		return view.draw()
	}
	return view.follow(ctx, m.interval)
}

// monitorView draws one session.
type monitorView struct {
	program  Program
	session  *live.Session
	flags    *flags
	journals *journalReader
	file     *os.File
	screen   bool // drawn in place
	before   bool // something was printed
}

// settle waits a moment for what hosts tell only when they are watched, so that
// the first picture is whole.
func (v *monitorView) settle(ctx context.Context) {
	changed, unsubscribe := v.session.Store.Dirty()
	defer unsubscribe()
	late := time.NewTimer(settleSpan)
	defer late.Stop()
	for !told(v.session.Store.State().Fleet, v.session.Selection.Hosts()) {
		select {
		case <-changed:
		case <-late.C:
			return
		case <-ctx.Done():
			return
		}
	}
}

// follow draws until the context ends, which is how it is meant to end.
func (v *monitorView) follow(ctx context.Context, interval time.Duration) error {
	changed, unsubscribe := v.session.Store.Dirty()
	defer unsubscribe()
	if v.screen {
		_, _ = fmt.Fprint(v.file, otherScreen)
		defer func() { _, _ = fmt.Fprint(v.file, usualScreen) }()
	} else {
		changed = nil // a log wants a steady pace
	}
	next := time.NewTimer(interval)
	defer next.Stop()
	for {
		if err := v.draw(); err != nil || ctx.Err() != nil {
			return err
		}
		drawn := time.Now()
		next.Reset(interval)
		for waiting := true; waiting; {
			select {
			case <-ctx.Done():
				return nil
			case <-changed:
				next.Reset(max(0, shortestGap-time.Since(drawn)))
			case <-next.C:
				waiting = false
			}
		}
	}
}

func (v *monitorView) draw() error {
	state, now := v.session.Store.State(), v.session.World.Now()
	if v.flags.json {
		text, err := json.Marshal(stateDocument(state, now))
		if err == nil {
			_, err = fmt.Fprintln(v.program.Stdout, string(text))
		}
		return err
	}
	picture := newPicture(state, v.session.App, v.session.Selection.Hosts(), v.journals.running(), now)
	if v.screen {
		return v.redraw(picture)
	}
	if v.before {
		_, _ = fmt.Fprintln(v.program.Stdout)
	}
	v.before = true
	_, err := fmt.Fprintln(v.program.Stdout, strings.Join(picture.lines(0, 0), "\n"))
	return err
}

// redraw writes over what is on the screen, line by line, so that nothing
// flickers.
func (v *monitorView) redraw(picture picture) error {
	width, height, err := term.GetSize(int(v.file.Fd()))
	if err != nil {
		return errors.Join(errors.New("the terminal does not tell its size"), err)
	}
	_, plainly := os.LookupEnv("NO_COLOR")
	picture.colour = !plainly
	var out strings.Builder
	out.WriteString(topLeft)
	for i, line := range picture.lines(width, height) {
		if i > 0 {
			out.WriteByte('\n')
		}
		out.WriteString(line + restOfLine)
	}
	out.WriteString(restOfScreen)
	_, err = v.file.WriteString(out.String())
	return err
}

// What a terminal is told.
const (
	otherScreen  = "\x1b[?1049h\x1b[?25l" // and no cursor
	usualScreen  = "\x1b[?25h\x1b[?1049l"
	topLeft      = "\x1b[H"
	restOfLine   = "\x1b[K"
	restOfScreen = "\x1b[J"
)

// journalReader finds the tasks of an app that run on this machine, and what
// each said last.
type journalReader struct {
	journals ops.Journals
	app      ops.AppID
	over     map[string]bool // journals of tasks that have ended
}

func newJournalReader(journals ops.Journals, app ops.AppID) *journalReader {
	return &journalReader{journals: journals, app: app, over: map[string]bool{}}
}

// runningTask is a task and its newest line.
type runningTask struct {
	task ops.Task
	last string
}

func (r *journalReader) running() []runningTask {
	if r.journals.Dir == "" {
		return nil
	}
	entries, err := r.journals.List(r.app)
	if err != nil {
		return nil
	}
	var out []runningTask
	for _, e := range entries[max(0, len(entries)-recentJournals):] {
		if r.over[e.Path] {
			continue
		}
		events, err := r.journals.Read(e.Path)
		if err != nil && len(events) == 0 {
			continue
		}
		task, last, ok := replayed(events, e.Task)
		if !ok {
			continue
		}
		if task.Status.Ended() || !live.Alive(task.PID) {
			r.over[e.Path] = true
			continue
		}
		out = append(out, runningTask{task: task, last: last})
	}
	return out
}

// Helpers

// told reports that every host which answers has told its figures, and since when
// its containers run.
func told(fleet ops.Fleet, hosts []string) bool {
	for _, h := range fleet.Hosts {
		if !slices.Contains(hosts, h.Name) || h.Link == ops.LinkLost {
			continue
		}
		since := func(c ops.Container) bool { return c.Running() && c.Started.IsZero() }
		if h.System.At.IsZero() || slices.ContainsFunc(h.Containers, since) {
			return false
		}
	}
	return true
}

// replayed is a task from its events, and the newest thing it said.
func replayed(events []ops.Event, id ops.TaskID) (task ops.Task, last string, ok bool) {
	var state ops.State
	for _, e := range events {
		state = ops.Fold(state, e)
		switch e := e.(type) {
		case ops.LineWritten:
			last = strings.TrimSpace(e.Host + " " + e.Text)
		case ops.StepNoted:
			last = e.Note
		}
	}
	task, ok = state.Task(id)
	return task, last, ok
}

func counted(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
