package operation

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"binnacle/ops"
	"binnacle/ops/command"
)

// Migrate brings the schema of the app's database forward, once, on one host.
func Migrate() ops.Operation {
	return ops.Operation{
		Name: "migrate", Group: "deploy", Summary: "Migrate the app's database, once, on one host",
		Scope: ops.ScopeApp, Risk: ops.Change,
		Params: append([]ops.Param{
			{Name: "plan", Kind: ops.Toggle, Usage: "show what is pending and what stands in the way; change nothing"},
			{Name: "force", Kind: ops.Toggle, Usage: "run the command although nothing is pending"},
		}, migrateParams()...),
		Plan: func(in ops.Input) (ops.Plan, error) { return planMigrate(newStory(in, "migrate")) },
	}
}

// Private

func planMigrate(s *story) (ops.Plan, error) {
	if err := s.needVersion(); err != nil {
		return ops.Plan{}, err
	}
	m, err := s.newMigration()
	if err != nil {
		return ops.Plan{}, err
	}
	m.force = s.Params.On("force")
	m.advice = "fix it and run it again: what went through is not run twice"
	if s.Params.On("plan") {
		return m.preview(fmt.Sprintf("what migrating with %s would do", s.shown()))
	}
	return m.planned(ops.Change, "migrate with "+s.shown())
}

// planned is the plan of a migration by itself: it reaches its own host and the
// lock's alone.
func (m *migration) planned(risk ops.Risk, title string, first ...ops.Node) (ops.Plan, error) {
	migrate, err := m.nodes()
	if err != nil {
		return ops.Plan{}, err
	}
	plan := m.plan(risk, title, m.secrets(), m.reach(), m.locked(append(first, m.image(), migrate)...))
	plan.Effects, plan.Locks = m.planEffects(), true
	return plan, nil
}

// reach connects to the hosts that are needed.
func (m *migration) reach() ops.Node {
	hosts := slices.Compact([]string{m.lockHost(), m.host})
	return eachHost("connect", "connect", hosts, func(string) *ops.Step {
		return &ops.Step{Title: "connect", Timeout: time.Minute, Lines: []command.Line{command.EnsureRunDirectory(m.cfg)}}
	})
}

func (m *migration) planEffects() []ops.Effect {
	effects := append([]ops.Effect{{Label: "to", Text: m.destinationText(), Warn: m.production()}}, m.effects()...)
	if l := m.lockEffect(); l.Text != "" {
		effects = append(effects, l)
	}
	return effects
}

// preview is the plan that only looks: what would be run, and whether the gate
// would let it.
func (m *migration) preview(title string, first ...ops.Node) (ops.Plan, error) {
	m.reads = true
	look := m.lookStep()
	body := look.Run
	look.Aloud, look.Run = false, func(ctx context.Context, r *ops.Run) error {
		if err := body(ctx, r); err != nil {
			return err
		}
		return m.reportPlan(ctx, r)
	}
	within := m.how.BackupWithin
	if m.Params.On("without-backup") {
		within = 0
	}
	gate, err := m.backupGate(within, m.how.Backup, false)
	if err != nil {
		return ops.Plan{}, err
	}
	plan := m.plan(ops.Read, title, append(first, m.image(), look, verdict(gate), m.clear())...)
	plan.Effects = m.planEffects()
	return plan, nil
}

// reportPlan tells what would be run.
func (m *migration) reportPlan(ctx context.Context, r *ops.Run) error {
	var text []string
	for _, e := range m.planEffects() {
		text = append(text, e.Label+": "+e.Text)
	}
	running, err := m.others(ctx, r)
	if err != nil {
		return err
	}
	for _, c := range running {
		text = append(text, fmt.Sprintf("in the way: a migration still runs in %s, since %s", c.Name, c.Created.UTC().Format(time.DateTime+" UTC")))
	}
	return r.Report(strings.Join(append(text, m.planText()...), "\n"), m.document())
}

// planText lists what would be run or undone.
func (m *migration) planText() []string {
	what, changes := "would run", m.seen.pending()
	if m.undo > 0 {
		what, changes = "would undo", m.undoes
	}
	switch {
	case !m.seen.table && !m.seen.fresh:
		return append([]string{"the status says:"}, m.seen.lines...)
	case len(changes) == 0 && !m.seen.fresh:
		return []string{"nothing to do: no migration is pending"}
	}
	out := []string{what + " " + counted(len(changes), "migration") + ":"}
	if m.seen.fresh {
		out = []string{"would run all migrations, for the database was never migrated:"}
	}
	for _, c := range changes {
		out = append(out, "  "+c.String())
	}
	return out
}

// Helpers

// verdict runs a gate's check and tells what it says, whatever it says.
func verdict(gate ops.Node) ops.Node {
	step, ok := gate.(*ops.Step)
	if !ok || step == nil {
		return nil
	}
	check := step.Run
	step.Run = func(ctx context.Context, r *ops.Run) error {
		err := check(ctx, r)
		if err != nil && ctx.Err() == nil {
			r.Result("backup: would stop it: " + err.Error())
			return nil
		}
		if err == nil {
			r.Result("backup: young enough")
		}
		return err
	}
	return step
}
