package operation

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"binnacle/ops"
	"binnacle/ops/backup"
)

// BackupPrune deletes the backups that the retention rule does not keep.
func BackupPrune() ops.Operation {
	return ops.Operation{
		Name: "backup prune", Group: "backup", Summary: "Delete the backups that the retention rule does not keep",
		Scope: ops.ScopeAccessory, Risk: ops.DataLoss, Stores: true,
		Params: []ops.Param{whatParam("what is backed up; everything when not given", false)},
		Plan: func(in ops.Input) (ops.Plan, error) {
			s := newStory(in, "backup prune")
			all, err := s.protectedBy(in.Params.Text(nameParam))
			if err != nil {
				return ops.Plan{}, err
			}
			prune := eachProtected("prune", "prune", all, func(p *protected) []ops.Node { return []ops.Node{p.prune()} })
			plan := s.plan(ops.DataLoss, "prune backups of "+protectedNames(all), prune)
			plan.Effects = []ops.Effect{{Label: "of", Text: s.destinationText(), Warn: s.production()}}
			for _, p := range all {
				plan.Effects = append(plan.Effects, p.pruneEffects()...)
			}
			return plan, nil
		},
	}
}

// Private

// prune deletes by the rule as it stands when it runs, one backup after another.
func (p *protected) prune() *ops.Step {
	return &ops.Step{
		ID: "prune", Title: "delete by the rule", Host: p.storeHost(), Timeout: time.Hour,
		Run: func(ctx context.Context, r *ops.Run) error {
			if err := p.open(ctx, r); err != nil {
				return err
			}
			if err := p.clean(ctx, r); err != nil {
				return err
			}
			entries, err := p.shelf.List(ctx)
			if err != nil {
				return err
			}
			keep, drop := backup.Retain(entries, p.Retain, r.Now())
			var failed error
			for i, v := range drop {
				r.Note("%d of %d", i+1, len(drop))
				if failed = p.shelf.Delete(ctx, v.Entry); failed != nil {
					break
				}
				r.Say("Deleted %s %s of %s", p.Name, v.ID, v.At.UTC().Format(time.DateOnly))
			}
			if _, err := p.tell(ctx, r); cmp.Or(failed, err) != nil {
				return cmp.Or(failed, err)
			}
			r.Note("%d deleted, %d kept", len(drop), len(keep))
			return r.Report(fmt.Sprintf("%s: %d deleted, %d kept", p.Name, len(drop), len(keep)), pruneDocument{p.Name, ids(drop), ids(keep)})
		},
	}
}

// pruneEffects tell what the rule would delete of what was last seen in the store.
func (p *protected) pruneEffects() []ops.Effect {
	app, _ := p.Fleet.App(p.App)
	i := slices.IndexFunc(app.Backups, func(b ops.Backed) bool { return b.Name == p.Name })
	if i < 0 {
		return []ops.Effect{{Label: p.Name, Text: "the store was not read: what goes is settled when it runs", Warn: true}}
	}
	if app.Backups[i].Problem != "" {
		return []ops.Effect{{Label: p.Name, Text: "the store cannot be read: " + app.Backups[i].Problem, Warn: true}}
	}
	var entries []backup.Entry
	for _, k := range app.Backups[i].Kept {
		entries = append(entries, backup.Entry{
			Manifest: backup.Manifest{ID: k.ID, Name: p.Name, At: k.At, Safety: k.Safety, Size: k.Size}, Rung: k.Rung, CheckedAt: k.CheckedAt, Problem: k.Problem,
		})
	}
	keep, drop := backup.Retain(entries, p.Retain, p.Now)
	effects := []ops.Effect{{Label: p.Name, Text: fmt.Sprintf("%d of %d are deleted", len(drop), len(entries)), Warn: len(drop) > 0}}
	for _, v := range drop {
		effects = append(effects, ops.Effect{Label: "deletes", Text: fmt.Sprintf("%s, %s, %s", v.ID, ageText(p.Now.Sub(v.At)), sizeText(v.Size)), Warn: true})
	}
	for _, v := range keep {
		effects = append(effects, ops.Effect{Label: "keeps", Text: v.ID + ": " + joined(v.Reasons)})
	}
	return effects
}

// pruneDocument is what became of one thing's backups, as JSON.
type pruneDocument struct {
	Name    string   `json:"name"`
	Deleted []string `json:"deleted"`
	Kept    []string `json:"kept"`
}

// Helpers

func ids(verdicts []backup.Verdict) []string {
	out := []string{}
	for _, v := range verdicts {
		out = append(out, v.ID)
	}
	return out
}
