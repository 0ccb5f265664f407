package operation

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"binnacle/config"
	"binnacle/ops"
	"binnacle/ops/backup"
)

// BackupPull writes a backup into files here, decrypted and unpacked.
func BackupPull() ops.Operation {
	return ops.Operation{
		Name: "backup pull", Group: "backup", Summary: "Fetch a backup into files on this machine, decrypted and unpacked",
		Scope: ops.ScopeAccessory, Risk: ops.Change,
		Params: []ops.Param{
			whatParam("what is backed up", true), idParam(), fromParam(), identityParam(),
			{Name: "to", Kind: ops.Text, Default: ".", Usage: "folder for the files; they go into NAME-ID below it"},
		},
		Plan: func(in ops.Input) (ops.Plan, error) {
			s := newStory(in, "backup pull")
			p, err := s.theOne(in.Params.Text(nameParam))
			if err != nil {
				return ops.Plan{}, err
			}
			plan := s.plan(ops.Change, "pull the backup of "+p.Name, p.pull(p.pick(in.Params.Text("ID"))))
			plan.Effects = append(protectedEffects(s, []*protected{p}), ops.Effect{Label: "writes", Text: "files in " + in.Params.Text("to") + " that are not encrypted", Warn: true})
			return plan, nil
		},
	}
}

// Private

func (p *protected) pull(picked *choice) *ops.Step {
	return &ops.Step{
		ID: "pull", Title: "pull", Host: p.storeHost(), Timeout: longest,
		Run: func(ctx context.Context, r *ops.Run) error {
			entry, err := p.choose(ctx, r, picked)
			if err != nil {
				return err
			}
			if err := p.unlock(ctx, r, entry); err != nil {
				return err
			}
			if err := p.restorable(entry); err != nil {
				return err
			}
			folder := filepath.Join(p.Params.Text("to"), p.Name+"-"+entry.ID)
			here, err := r.World.Store(ctx, config.Store{Name: "files in " + folder, Type: config.LocalStore, Path: folder})
			if err != nil {
				return err
			}
			there, err := here.List(ctx, "")
			if err == nil && len(there) > 0 {
				err = &ops.Error{Summary: "backup pull", Cause: errors.New(folder + " has files in it"), Hint: "--to another folder"}
			}
			if err != nil {
				return err
			}
			if err := p.fetch(ctx, r, entry, here); err != nil {
				return err
			}
			return r.Report(fmt.Sprintf("%s %s is in %s", p.Name, entry.ID, folder), pullDocument{entryDocument: documentOf(entry), Folder: folder})
		},
	}
}

// fetch writes all parts, or leaves none.
func (p *protected) fetch(ctx context.Context, r *ops.Run, entry backup.Entry, to ops.Objects) error {
	from := p.shelf.Read(entry, progress(r, ops.Progress{Text: "fetching", Total: entry.Size}))
	var begun []string
	for _, part := range entry.Parts {
		begun = append(begun, part.Name)
		if err := fetch(ctx, from, part.Name, to); err != nil {
			bounded, stop := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
			defer stop()
			return errors.Join(err, to.Delete(bounded, begun...))
		}
	}
	return nil
}

// pullDocument is what was fetched, as JSON.
type pullDocument struct {
	entryDocument
	Folder string `json:"folder"`
}

// Helpers

func fetch(ctx context.Context, from backup.Source, part string, to ops.Objects) error {
	body, err := from.Open(ctx, part)
	if err != nil {
		return err
	}
	return errors.Join(to.Put(ctx, part, body), body.Close())
}
