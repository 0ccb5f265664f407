package operation

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"binnacle/ops"
	"binnacle/ops/command"
)

// MigrateStatus shows which migrations the database has run: as the version that
// runs sees it, unless another one is named.
func MigrateStatus() ops.Operation {
	return ops.Operation{
		Name: "migrate status", Group: "deploy", Summary: "Show which migrations the database has run",
		Scope: ops.ScopeApp, Risk: ops.Read,
		Plan: func(in ops.Input) (ops.Plan, error) {
			s := newStory(in, "migrate status")
			m, err := s.newMigration()
			if err != nil {
				return ops.Plan{}, err
			}
			if m.how.Status == "" {
				return ops.Plan{}, &ops.Error{Summary: "migrate status", Cause: errors.New("no status command is known"), Hint: "status: under migrate: of x-binnacle names it"}
			}
			m.reads, s.version = true, cmp.Or(s.AskedVersion, currentVersion)
			return s.plan(ops.Read, "status of the schema", m.statusStep(), m.clear()), nil
		},
	}
}

// Private

// statusStep asks in the container that runs the version, which needs nothing
// new; without one in a container that goes again.
func (m *migration) statusStep() *ops.Step {
	return &ops.Step{
		ID: "status", Title: "status of the schema", Host: m.host, Timeout: statusTime + 30*time.Minute,
		Lines: []command.Line{m.app.ExecExisting(m.version, m.how.Status, command.ExecOptions{})},
		Run: func(ctx context.Context, r *ops.Run) error {
			if err := m.askSomewhere(ctx, r); err != nil {
				return err
			}
			return r.Report(m.statusText(), m.document())
		},
	}
}

func (m *migration) askSomewhere(ctx context.Context, r *ops.Run) error {
	containers, err := r.Docker().ListContainers(ctx, m.app.Labels()...)
	if err != nil {
		return &ops.Error{Host: m.host, Command: m.app.ListContainers().String(), Cause: err}
	}
	if m.version == currentVersion {
		now, err := m.current(ctx, r)
		if err != nil {
			return err
		}
		if now.ID == "" {
			return &ops.Error{
				Host: m.host, Summary: "no container of role " + m.role.Name() + " runs", Cause: errors.New("there is none to ask"),
				Hint: "--version names a version to ask in a container of its own",
			}
		}
		m.version = versionOf(now, m.app)
	}
	for _, c := range containers {
		if c.Running() && c.Name == m.name() {
			return m.ask(ctx, r, m.app.ExecExisting(m.version, m.how.Status, command.ExecOptions{}))
		}
	}
	if err := m.haveImage(ctx, r); err != nil {
		return err
	}
	return m.look(ctx, r)
}

func (m *migration) statusText() string {
	text := strings.TrimSpace(strings.Join(m.seen.lines, "\n"))
	if !m.seen.table {
		return text
	}
	verdict := "nothing is pending"
	if n := len(m.seen.pending()); n > 0 {
		verdict = fmt.Sprintf("%s pending: %s", counted(n, "migration"), m.byHand("migrate"))
	}
	return text + "\n\n" + m.shown() + ": " + verdict
}

// document is a status as JSON.
func (m *migration) document() any {
	doc := schemaJSON{Version: m.version, Host: m.host, Known: m.seen.table || m.seen.fresh, Migrations: []migrationJSON{}}
	for _, c := range m.seen.changes {
		status := "down"
		if c.up {
			status = "up"
		}
		doc.Migrations = append(doc.Migrations, migrationJSON{Database: c.database, ID: c.id, Name: c.name, Status: status, NoFile: c.lost})
	}
	if doc.Known {
		n := len(m.seen.pending())
		doc.Pending = &n
	} else {
		doc.Output = m.seen.lines
	}
	for _, c := range m.undoes {
		doc.Undoes = append(doc.Undoes, c.id)
	}
	return doc
}

// schemaJSON is the state of a schema as one version sees it.
type schemaJSON struct {
	Version string `json:"version"`
	Host    string `json:"host"`
	// Known says that the migrations are known one by one; otherwise Output is all
	// there is.
	Known      bool            `json:"known"`
	Pending    *int            `json:"pending,omitempty"`
	Migrations []migrationJSON `json:"migrations"`
	Undoes     []string        `json:"undoes,omitempty"`
	Output     []string        `json:"output,omitempty"`
}

type migrationJSON struct {
	Database string `json:"database,omitempty"`
	ID       string `json:"id"`
	Name     string `json:"name"`
	Status   string `json:"status"` // up, down
	NoFile   bool   `json:"no_file,omitempty"`
}
