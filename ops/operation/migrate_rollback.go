package operation

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"binnacle/ops"
)

// MigrateRollback undoes the newest migrations, in the version that runs unless
// another one is named: it has to be one that has their files.
func MigrateRollback() ops.Operation {
	return ops.Operation{
		Name: "migrate rollback", Group: "deploy", Summary: "Undo the newest migrations of the app's database",
		Question: "This will undo migrations: what they added to the database is gone. Are you sure?",
		Scope:    ops.ScopeApp, Risk: ops.DataLoss,
		Params: append([]ops.Param{
			{Name: "step", Kind: ops.Number, Default: "1", Usage: "how many migrations are undone"},
			{Name: "plan", Kind: ops.Toggle, Usage: "name them and change nothing"},
		}, migrateParams()...),
		Plan: func(in ops.Input) (ops.Plan, error) { return planMigrateRollback(newStory(in, "migrate rollback")) },
	}
}

// Private

func planMigrateRollback(s *story) (ops.Plan, error) {
	steps, err := strconv.Atoi(cmp.Or(s.Params.Text("step"), "1"))
	if err != nil || steps < 1 {
		return ops.Plan{}, &ops.Error{Summary: "--step " + s.Params.Text("step"), Cause: errors.New("that is no number of migrations")}
	}
	s.version = cmp.Or(s.AskedVersion, currentVersion)
	m, err := s.newMigration()
	if err != nil {
		return ops.Plan{}, err
	}
	switch {
	case m.how.Rollback == "":
		return ops.Plan{}, &ops.Error{Summary: "migrate rollback", Cause: errors.New("no command is known"), Hint: "rollback: under migrate: of x-binnacle names it"}
	case steps > 1 && !strings.Contains(m.how.Rollback, "%d"):
		return ops.Plan{}, &ops.Error{Summary: "--step", Cause: fmt.Errorf("%q takes no number", m.how.Rollback), Hint: "write %d where it belongs: rollback: under migrate: of x-binnacle"}
	}
	m.undo = steps
	m.advice = m.byHand("migrate status") + " tells what is still there"
	what := "undo " + counted(steps, "migration") + " with " + m.versionText()
	if s.Params.On("plan") {
		return m.preview("what it would do to "+what, m.servingVersion())
	}
	plan, err := m.planned(ops.DataLoss, what, m.servingVersion())
	if err != nil {
		return ops.Plan{}, err
	}
	plan.Confirm = s.cfg.Service()
	plan.Effects = append(plan.Effects,
		ops.Effect{Label: "loses", Text: "what " + theNewest(steps) + " brought: --plan names it", Warn: true},
		ops.Effect{Label: "serves on", Text: "the app, which may need what is undone", Warn: true})
	return plan, nil
}

// servingVersion takes the version that runs, or without one that of the project.
func (m *migration) servingVersion() ops.Node {
	if m.version != currentVersion {
		return nil
	}
	return &ops.Step{ID: "version", Title: "find the version that runs", Host: m.host, Timeout: time.Minute, Run: func(ctx context.Context, r *ops.Run) error {
		now, err := m.current(ctx, r)
		switch {
		case err != nil:
			return err
		case now.ID != "":
			m.version = versionOf(now, m.app)
		case m.Version != "":
			m.version = m.Version
		default:
			return &ops.Error{Host: m.host, Summary: "no container of role " + m.role.Name() + " runs", Cause: errors.New("which version has the migrations?"), Hint: "give --version"}
		}
		r.Note("%s", m.shown())
		return nil
	}}
}

// Helpers

func theNewest(n int) string {
	if n == 1 {
		return "the newest migration"
	}
	return fmt.Sprintf("the newest %d migrations", n)
}
