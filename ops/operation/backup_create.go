package operation

import (
	"context"
	"fmt"

	"binnacle/ops"
	"binnacle/ops/backup"
)

// BackupCreate dumps databases and folders into their stores.
func BackupCreate() ops.Operation {
	return ops.Operation{
		Name: "backup create", Group: "backup", Summary: "Back up databases and folders to their store",
		Scope: ops.ScopeAccessory, Risk: ops.Change,
		Params: []ops.Param{
			whatParam("what to back up; everything when not given", false),
			{Name: "verify", Kind: ops.Toggle, Usage: "read the backup back when it is done"},
			identityParam(),
		},
		Plan: func(in ops.Input) (ops.Plan, error) {
			s := newStory(in, "backup create")
			all, err := s.protectedBy(in.Params.Text(nameParam))
			if err != nil {
				return ops.Plan{}, err
			}
			create := eachProtected("backup", "back up", all, func(p *protected) []ops.Node {
				nodes := []ops.Node{p.dump()}
				if in.Params.On("verify") {
					nodes = append(nodes, p.readBack(nil), p.readArchive(nil))
				}
				return nodes
			})
			plan := s.plan(ops.Change, "back up "+protectedNames(all), create)
			plan.Effects = protectedEffects(s, all)
			return plan, nil
		},
	}
}

// Private

// dump writes one backup and leaves what it wrote in p.made.
func (p *protected) dump() *ops.Step {
	return &ops.Step{
		ID: "dump", Title: "dump", Host: p.Host, Timeout: longest,
		Run: func(ctx context.Context, r *ops.Run) error {
			if err := p.open(ctx, r); err != nil {
				return err
			}
			at, err := p.place(ctx, r)
			if err != nil {
				return err
			}
			p.tidy(ctx, r, at)
			entry, err := p.write(ctx, r, at, false)
			if err != nil {
				return err
			}
			backed, err := p.tell(ctx, r)
			if err != nil { // the backup is there all the same
				r.Line(ops.Stderr, err.Error())
				backed = backup.Describe(p.App, p.Backup, p.Store.Location(), []backup.Entry{entry}, r.Now())
			}
			kept, _ := backed.Find(entry.ID)
			r.Note("%s, %s in the store", entry.ID, sizeText(kept.Size))
			if kept.Problem != "" {
				warn(r, p.Name+": "+kept.Problem)
			}
			text := fmt.Sprintf("%s %s: %s dumped, %s in %s after %s", p.Name, kept.ID, sizeText(kept.Plain), sizeText(kept.Size), p.Store.Location(), kept.Took.Round(timeStep(kept.Took)))
			return r.Report(text, keptDocument{p.Name, kept})
		},
	}
}

// write dumps the place into the store.
func (p *protected) write(ctx context.Context, r *ops.Run, at backup.Place, safety bool) (backup.Entry, error) {
	var usual int64
	if before, err := p.shelf.Find(ctx, ""); err == nil {
		usual = before.Plain
	}
	told := progress(r, ops.Progress{Text: "dumping", Usual: usual})
	draft := backup.Draft{
		Backup: p.Backup, Image: at.Image, Safety: safety, By: p.Performer,
		Claim: backup.Claim{Host: p.Holder.Host, PID: p.Holder.PID, Task: string(p.Holder.Task)}, Now: r.Now,
	}
	entry, err := p.shelf.Write(ctx, draft, func(put backup.Put) (backup.Facts, error) {
		return p.engine.Dump(ctx, at, put)
	}, func(plain, _ int64) { told(plain) })
	if err != nil {
		return backup.Entry{}, err
	}
	p.made = entry
	return entry, nil
}
