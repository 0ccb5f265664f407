package operation

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"binnacle/ops"
	"binnacle/ops/command"
)

// schema is what a status command told of the schema.
type schema struct {
	table   bool // it was Rails's table, so that changes are known one by one
	fresh   bool // nothing was ever migrated
	changes []schemaChange
	lines   []string // as printed
}

// schemaChange is one migration.
type schemaChange struct {
	database, id, name string
	up                 bool
	lost               bool // the image has no file for it
}

func (c schemaChange) String() string { return strings.TrimSpace(c.id + "  " + c.name) }

// pending lists what would be run, oldest first.
func (s schema) pending() []schemaChange { return s.with(false) }

// applied lists what has been run, oldest first.
func (s schema) applied() []schemaChange { return s.with(true) }

// last lists the newest n that have been run, newest first.
func (s schema) last(n int) []schemaChange {
	all := s.applied()
	slices.Reverse(all)
	return all[:min(n, len(all))]
}

// lost lists what has been run and has no file in the image.
func (s schema) lost() []schemaChange {
	return slices.DeleteFunc(s.applied(), func(c schemaChange) bool { return !c.lost })
}

// Private

func (s schema) with(up bool) []schemaChange {
	return slices.DeleteFunc(slices.Clone(s.changes), func(c schemaChange) bool { return c.up != up })
}

var (
	schemaHead     = regexp.MustCompile(`^\s*Status\s+Migration ID\s+Migration Name`)
	schemaRow      = regexp.MustCompile(`^\s*(up|down)\s+(\d\S*)\s+(.*?)\s*$`)
	schemaDatabase = regexp.MustCompile(`^database:\s*(\S+)`)
	schemaFile     = regexp.MustCompile(`^(\d+)_(\w+)\.rb$`)
	neverMigrated  = regexp.MustCompile(`(?i)migrations table does not exist`)
)

// noFile is how Rails names a migration that it has no file for.
const noFile = "********** NO FILE **********"

// readSchema reads what `db:migrate:status` prints; of another command it keeps
// the lines alone.
func readSchema(lines []string) schema {
	s := schema{lines: lines}
	database := ""
	for _, l := range lines {
		if found := schemaDatabase.FindStringSubmatch(l); found != nil {
			database = found[1]
		}
		s.table = s.table || schemaHead.MatchString(l)
		s.fresh = s.fresh || neverMigrated.MatchString(l)
		if row := schemaRow.FindStringSubmatch(l); row != nil && s.table {
			s.changes = append(s.changes, schemaChange{database: database, up: row[1] == "up", id: row[2], name: row[3], lost: row[3] == noFile})
		}
	}
	return s
}

// lookStep lists what is pending, or what will be undone, before anything runs.
func (m *migration) lookStep() *ops.Step {
	title := "pending migrations"
	if m.undo > 0 {
		title = "migrations to undo"
	}
	s := &ops.Step{ID: "pending", Title: title, Host: m.host, Timeout: statusTime, Aloud: true}
	if m.how.Status != "" {
		s.Lines = []command.Line{m.statusLine(strings.Repeat("0", 6))}
	}
	s.Run = func(ctx context.Context, r *ops.Run) error {
		if m.how.Status == "" {
			return ops.ErrSkipped
		}
		if err := m.look(ctx, r); err != nil {
			return err
		}
		if m.undo > 0 {
			return m.chooseUndone(r)
		}
		m.tellPending(r)
		m.idle = m.seen.table && len(m.seen.pending()) == 0 && !m.force
		return nil
	}
	return s
}

// look asks the version's image for the status of the schema.
func (m *migration) look(ctx context.Context, r *ops.Run) error {
	if err := m.findEntrypoint(ctx, r); err != nil {
		return err
	}
	err := m.askAnew(ctx, r)
	if m.withoutGuard(r, err) {
		err = m.askAnew(ctx, r)
	}
	return err
}

// askAnew asks in a container that goes again.
func (m *migration) askAnew(ctx context.Context, r *ops.Run) error {
	line := m.statusLine(m.Hex(6))
	if m.reads {
		entries, err := m.role.Env(m.host).Resolve(ctx, m.cfg.Secrets())
		if err != nil {
			return &ops.Error{Summary: "secrets of role " + m.role.Name(), Cause: err}
		}
		line = line.WithStdin(command.EnvFile(entries))
	}
	sent := m.sent
	m.sent = true
	err := m.ask(ctx, r, line)
	m.sent = sent || err != nil && !answered(err)
	return err
}

// ask runs a status command and reads what it prints. A database that was never
// migrated is an answer as well.
func (m *migration) ask(ctx context.Context, r *ops.Run, line command.Line) error {
	out := &lastLines{keep: maxStatusLines}
	err := r.EachLine(ctx, line, func(_ ops.Stream, text string) { out.add(strings.TrimRight(text, "\r")) })
	m.seen = readSchema(out.all())
	if m.seen.fresh && answered(err) {
		m.seen.changes = m.files(ctx, r)
		return nil
	}
	if err == nil {
		return nil
	}
	var known *ops.Error
	if !errors.As(err, &known) || ctx.Err() != nil {
		return err
	}
	told := *known
	told.Summary = "the state of the schema is not known"
	told.Hint = "does the database run, and does " + m.versionText() + " reach it?"
	switch {
	case m.refused(err, m.seen.lines...):
		told.Hint = refusedHint
	case noSuchCommand(err):
		told.Hint = "the image has no such command: command:, status: and rollback: under migrate: of x-binnacle name the app's own"
	}
	return &told
}

// files are the migrations that the version's image has: all that there is to
// know of a database that was never migrated.
func (m *migration) files(ctx context.Context, r *ops.Run) []schemaChange {
	line := command.New("docker", "run", "--rm", "--network", "none", "--entrypoint", "ls", m.cfg.AbsoluteImage(m.version), "db/migrate")
	out, err := capture(ctx, r.Remote(), line)
	if err != nil {
		return nil // other apps keep them elsewhere
	}
	var all []schemaChange
	for _, name := range strings.Fields(out) {
		if file := schemaFile.FindStringSubmatch(name); file != nil {
			all = append(all, schemaChange{id: file[1], name: strings.ReplaceAll(file[2], "_", " ")})
		}
	}
	return all
}

// statusLine asks for the status in a new container; where nothing may change,
// the environment comes by standard input instead of the host's file.
func (m *migration) statusLine(suffix string) command.Line {
	o := command.ExecOptions{Env: m.guard(), Labels: m.labels(), Bare: m.bare}
	if !m.reads {
		return m.app.ExecNew(m.version, suffix, m.how.Status, o)
	}
	o.EnvFile = "/dev/stdin"
	return command.Pipe(command.New("cat"), m.app.ExecNew(m.version, suffix, m.how.Status, o))
}

// migrates finds an entrypoint that migrates by itself.
var migrates = regexp.MustCompile(`migrat|db:prepare|db:setup|alembic|schema:load`)

// findEntrypoint leaves the image's entrypoint out of a mere question where it is
// a script that migrates by itself: the answer would come too late.
func (m *migration) findEntrypoint(ctx context.Context, r *ops.Run) error {
	image := m.cfg.AbsoluteImage(m.version)
	out, err := capture(ctx, r.Remote(), command.New("docker", "image", "inspect", "--format", `'{{range .Config.Entrypoint}}{{println .}}{{end}}'`, image))
	var exit *ops.ExitError
	if err != nil && !errors.As(err, &exit) {
		return &ops.Error{Host: m.host, Command: "docker image inspect " + image, Cause: err}
	}
	script := firstLine(strings.TrimSpace(out))
	if script == "" {
		return nil
	}
	// An image without cat has no script either.
	text, err := capture(ctx, r.Remote(), command.New("docker", "run", "--rm", "--network", "none", "--entrypoint", "cat", image, command.Quote(script), "2>", "/dev/null"))
	if err != nil && !errors.As(err, &exit) {
		return &ops.Error{Host: m.host, Summary: "reading the entrypoint of " + image, Cause: err}
	}
	m.bare = strings.HasPrefix(text, "#!") && migrates.MatchString(text)
	if m.bare {
		r.Say("The status is asked without the image's entrypoint %s, which migrates by itself", script)
	}
	return nil
}

// tellPending says what would be run.
func (m *migration) tellPending(r *ops.Run) {
	pending := m.seen.pending()
	switch {
	case m.seen.fresh:
		r.Note("the database was never migrated")
		r.Say("The database was never migrated: all migrations are pending")
		for _, c := range pending {
			r.Say("  %s", c)
		}
		return
	case !m.seen.table:
		for _, l := range m.seen.lines {
			r.Say("%s", l)
		}
		return
	case len(pending) == 0:
		r.Note("none is pending")
		r.Say("Nothing is pending")
	default:
		r.Note("%d pending", len(pending))
		r.Say("%s pending:", counted(len(pending), "migration"))
		for _, c := range pending {
			r.Say("  %s", c)
		}
	}
	if lost := m.seen.lost(); len(lost) > 0 {
		warn(r, fmt.Sprintf("%s has no file for %s that the database has run: it is older than the schema", m.versionText(), counted(len(lost), "migration")))
	}
}

// pendingText is what is pending, in a few words.
func (m *migration) pendingText() string {
	switch pending := m.seen.pending(); {
	case m.seen.fresh:
		return "all"
	case !m.seen.table:
		return "not known"
	case len(pending) == 0:
		return "none"
	default:
		return fmt.Sprint(len(pending))
	}
}

// chooseUndone names what a rollback undoes, and refuses it in an image that
// does not have the files.
func (m *migration) chooseUndone(r *ops.Run) error {
	if !m.seen.table {
		m.tellPending(r)
		return nil
	}
	m.undoes = m.seen.last(m.undo)
	if len(m.undoes) == 0 {
		r.Say("There is nothing to undo")
		m.idle = true
		return nil
	}
	r.Say("Undoing %s:", counted(len(m.undoes), "migration"))
	for _, c := range m.undoes {
		r.Say("  %s", c)
	}
	r.Note("%d to undo", len(m.undoes))
	for _, c := range m.undoes {
		if c.lost {
			return &ops.Error{
				Host: m.host, Summary: "migration " + c.id + " cannot be undone", Cause: fmt.Errorf("version %s has no file for it", m.shown()),
				Hint: "--version names the version that brought it",
			}
		}
	}
	return nil
}

// Helpers

// maxStatusLines bounds what is kept of a status: more migrations than any app has.
const maxStatusLines = 20000

// noSuchCommand reports a command that the container does not have.
func noSuchCommand(err error) bool {
	var exit *ops.ExitError
	return errors.As(err, &exit) && (exit.Code == 126 || exit.Code == 127)
}

// answered reports a command that ran to its end, well or not.
func answered(err error) bool {
	var exit *ops.ExitError
	return err == nil || errors.As(err, &exit) && exit.Signal == ""
}
