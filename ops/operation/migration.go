package operation

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"binnacle/config"
	"binnacle/ops"
	"binnacle/ops/command"
)

// migration brings the schema of the app's database to another version: once,
// on one host, in a new container of the version.
type migration struct {
	*place
	how    config.Migrate
	undo   int    // how many migrations are taken back; 0 brings it forward
	force  bool   // it runs although nothing is pending
	reads  bool   // nothing on the host may change
	advice string // what to do once it failed

	unguarded bool // the database does not take the guard

	bare   bool           // the status is asked without the image's entrypoint, which migrates
	seen   schema         // what the status said
	undoes []schemaChange // what a rollback takes back, newest first
	idle   bool           // there is nothing to do
	sent   bool           // a container was started whose end was not seen
	named  string         // the container that runs the command
}

// The labels of containers that work on the schema: one that changes it is found
// again by its app, and all of a task's own by the task.
const (
	migrationLabel = "binnacle.migration"
	holderLabel    = "binnacle.holder"
	taskLabel      = "binnacle.task"
)

// statusTime bounds a question about the schema, for the app starts for it.
const statusTime = 5 * time.Minute

// newMigration finds where the schema is migrated: on the role's first host that
// is selected, the primary one before others.
func (s *story) newMigration() (*migration, error) {
	how := s.cfg.Migrate()
	name := how.Role
	if name == "" {
		name = s.cfg.PrimaryRoleName()
	}
	role := s.cfg.Role(name)
	if role == nil {
		return nil, &ops.Error{Summary: "migrate", Cause: fmt.Errorf("there is no role %q", name), Hint: "role: under migrate: of x-binnacle names it"}
	}
	for _, host := range s.sel.AppHosts() {
		if slices.ContainsFunc(s.rolesOn(host), func(r *config.Role) bool { return r.Name() == name }) {
			return &migration{place: s.placeOf(role, host), how: how}, nil
		}
	}
	return nil, &ops.Error{
		Summary: "migrate", Cause: fmt.Errorf("no host of role %s is selected", name),
		Hint: "leave --hosts and --roles out, or name one of " + strings.Join(role.Hosts(), ", "),
	}
}

// migrateParams are the flags of all that migrates.
func migrateParams() []ops.Param {
	return []ops.Param{
		{Name: "backup", Kind: ops.Toggle, Usage: "take a backup of the database first"},
		{Name: "without-backup", Kind: ops.Toggle, Usage: "migrate although no backup is as young as the configuration wants it"},
	}
}

// nodes is the story of a migration: a fresh env file, nobody else at it, a look
// at what is pending, the backup, and the command. What comes last always runs:
// it leaves no container behind.
func (m *migration) nodes() (ops.Node, error) {
	gate, err := m.gateNode()
	if err != nil {
		return nil, err
	}
	return ops.InSequence("migrate", "migrate",
		present([]ops.Node{m.freshEnv(), m.alone(), m.lookStep(), gate, m.runStep(), m.clear()})...), nil
}

// effects say what a migration does where.
func (m *migration) effects() []ops.Effect {
	out := []ops.Effect{{
		Label: "migrates", Text: fmt.Sprintf("%s, once, in a new container of %s on %s (%s), for at most %s", m.words(), m.versionText(), m.host, m.role.Name(), boundText(m.how.Timeout)),
		Warn: m.undo > 0,
	}}
	out = append(out, m.waitEffect()...)
	return append(out, m.backupEffect()...)
}

// Private

// gateNode asks for a young backup, or takes one, unless there is nothing to do.
func (m *migration) gateNode() (ops.Node, error) {
	within, take := m.how.BackupWithin, m.Params.On("backup")
	if m.Params.On("without-backup") {
		within = 0
		if take {
			return nil, &ops.Error{Summary: "--backup and --without-backup", Cause: errors.New("give one of them")}
		}
	}
	gate, err := m.backupGate(within, m.how.Backup, take)
	return unless(gate, func() bool { return m.idle }), err
}

func (m *migration) backupEffect() []ops.Effect {
	switch {
	case m.Params.On("backup"):
		return []ops.Effect{{Label: "backup", Text: "is taken first"}}
	case m.how.BackupWithin == 0:
		return nil
	case m.Params.On("without-backup"):
		return []ops.Effect{{Label: "backup", Text: fmt.Sprintf("is not asked for, though it should be younger than %s", boundText(m.how.BackupWithin)), Warn: true}}
	}
	return []ops.Effect{{Label: "backup", Text: fmt.Sprintf("has to be younger than %s", boundText(m.how.BackupWithin))}}
}

// words is the command.
func (m *migration) words() string {
	if m.undo > 0 {
		return strings.ReplaceAll(m.how.Rollback, "%d", strconv.Itoa(m.undo))
	}
	return m.how.Command
}

func (m *migration) versionText() string {
	if m.version == currentVersion {
		return "the version that runs"
	}
	return m.shown()
}

// line is the command in a new container, under a name of its own.
func (m *migration) line(suffix string) command.Line {
	return m.app.ExecNew(m.version, suffix, m.words(), command.ExecOptions{Env: m.guard(), Labels: append(m.labels(), migrationLabel+"="+string(m.App))})
}

func (m *migration) labels() []string {
	return []string{taskLabel + "=" + string(m.Holder.Task), fmt.Sprintf("%s=%s/%d", holderLabel, m.Holder.Host, m.Holder.PID)}
}

// image fetches the image where the host does not have it.
func (m *migration) image() *ops.Step {
	return &ops.Step{ID: "image", Title: "image", Host: m.host, Timeout: 30 * time.Minute, Run: func(ctx context.Context, r *ops.Run) error {
		return m.haveImage(ctx, r)
	}}
}

func (m *migration) haveImage(ctx context.Context, r *ops.Run) error {
	err := m.withRegistryForward(ctx, r, m.host, func() error { return m.ensureImage(ctx, r) })
	if err == nil {
		return nil
	}
	told := ops.Error{Host: m.host, Summary: "image " + m.cfg.AbsoluteImage(m.version), Cause: err}
	if known := new(ops.Error); errors.As(err, &known) {
		told = *known
	}
	if errors.Is(err, ops.ErrNotFound) {
		told.Hint = "build and push it first: " + m.byHand("build push")
		if now, lost := m.current(ctx, r); lost == nil && now.ID != "" && m.AskedVersion == "" {
			told.Hint += "; or take the version that runs: --version " + versionOf(now, m.app)
		}
	}
	return &told
}

// freshEnv writes the role's env file, so that the command does not run with the
// secrets of the last deploy, or on a new host with none.
func (m *migration) freshEnv() *ops.Step {
	return &ops.Step{ID: "env", Title: "env file", Host: m.host, Run: func(ctx context.Context, r *ops.Run) error {
		entries, err := m.role.Env(m.host).Resolve(ctx, m.cfg.Secrets())
		if err != nil {
			return &ops.Error{Summary: "secrets of role " + m.role.Name(), Cause: err}
		}
		if err := r.Exec(ctx, m.app.EnsureEnvDirectory()); err != nil {
			return err
		}
		return r.Upload(ctx, ops.File{Path: m.app.EnvFilePath(), Mode: 0o600, Content: command.EnvFile(entries)})
	}}
}

// alone refuses to start while a migration still runs: one whose process was
// killed goes on without it.
func (m *migration) alone() *ops.Step {
	return &ops.Step{ID: "alone", Title: "no other migration runs", Host: m.host, Timeout: m.LockWait.Timeout + 2*time.Minute, Run: func(ctx context.Context, r *ops.Run) error {
		deadline := r.Now().Add(m.LockWait.Timeout)
		for {
			left, err := m.others(ctx, r)
			if err != nil || len(left) == 0 {
				return err
			}
			if !r.Now().Before(deadline) {
				return m.stillRuns(left[0], r.Now())
			}
			m.tell(r, "Waiting for the migration in %s to end...", left[0].Name)
			if err := r.Pause(ctx, max(m.LockWait.Interval, time.Second)); err != nil {
				return err
			}
		}
	}}
}

// others lists the containers of migrations of the app that run.
func (m *migration) others(ctx context.Context, r *ops.Run) ([]ops.Container, error) {
	label := migrationLabel + "=" + string(m.App)
	all, err := r.Docker().ListContainers(ctx, label)
	if err != nil {
		return nil, &ops.Error{Host: m.host, Command: "docker ps --all --filter label=" + label, Cause: err}
	}
	return slices.DeleteFunc(all, func(c ops.Container) bool { return c.State == "exited" || c.State == "dead" }), nil
}

func (m *migration) stillRuns(c ops.Container, now time.Time) error {
	who := "an unknown process"
	if holder := c.Labels[holderLabel]; holder != "" {
		who = holder
		host, pid, _ := strings.Cut(holder, "/")
		if n, err := strconv.Atoi(pid); err == nil {
			who = fmt.Sprintf("process %d on %s", n, host)
			if host == m.Holder.Host && m.Alive != nil && !m.Alive(n) {
				who += ", which is gone"
			}
		}
	}
	return &ops.Error{
		Host: m.host, Summary: "a migration still runs",
		Cause: fmt.Errorf("container %s, started %s ago by %s", c.Name, now.Sub(c.Created).Round(time.Second), who),
		Hint:  "it ends by itself: wait for it (--lock-wait does); or stop it there: docker stop " + c.Name,
	}
}

// Helpers

func removeByForce(name string) command.Line {
	return command.New("docker", "container", "rm", "--force", name)
}

// boundText is a span without what is zero in it: 30m, 1h30m, 5s.
func boundText(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// unless skips a node's steps when there is nothing to do; those that always run
// know by themselves.
func unless(n ops.Node, idle func() bool) ops.Node {
	switch n := n.(type) {
	case *ops.Group:
		for i := range n.Nodes {
			n.Nodes[i] = unless(n.Nodes[i], idle)
		}
	case *ops.Step:
		body := n.Run
		if n.Always || body == nil {
			return n
		}
		n.Run = func(ctx context.Context, r *ops.Run) error {
			if idle() {
				return ops.ErrSkipped
			}
			return body(ctx, r)
		}
	}
	return n
}
