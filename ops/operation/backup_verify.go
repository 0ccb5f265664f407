package operation

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"binnacle/ops"
	"binnacle/ops/backup"
	"binnacle/ops/command"
)

// BackupVerify reads a backup back and lists its archive.
func BackupVerify() ops.Operation {
	return ops.Operation{
		Name: "backup verify", Group: "backup", Summary: "Read a backup back: every checksum, and what its archive lists",
		Scope: ops.ScopeAccessory, Risk: ops.Read,
		Params: []ops.Param{whatParam("what is backed up; everything when not given", false), idParam(), identityParam()},
		Plan: func(in ops.Input) (ops.Plan, error) {
			s := newStory(in, "backup verify")
			all, err := s.protectedBy(in.Params.Text(nameParam))
			if err != nil {
				return ops.Plan{}, err
			}
			verify := eachProtected("verify", "verify", all, func(p *protected) []ops.Node {
				pick := p.pick(in.Params.Text("ID"))
				return []ops.Node{p.readBack(pick), p.readArchive(pick)}
			})
			return s.plan(ops.Read, "verify the backup of "+protectedNames(all), verify), nil
		},
	}
}

// BackupDrill restores a backup into a throwaway container and checks it there.
func BackupDrill() ops.Operation {
	return ops.Operation{
		Name: "backup drill", Group: "backup", Summary: "Restore a backup into a throwaway container, and check it there",
		Scope: ops.ScopeAccessory, Risk: ops.Change,
		Params: []ops.Param{whatParam("what is backed up; everything when not given", false), idParam(), identityParam()},
		Plan: func(in ops.Input) (ops.Plan, error) {
			s := newStory(in, "backup drill")
			all, err := s.protectedBy(in.Params.Text(nameParam))
			if err != nil {
				return ops.Plan{}, err
			}
			drill := eachProtected("drill", "drill", all, func(p *protected) []ops.Node {
				pick, t := p.pick(in.Params.Text("ID")), &trial{protected: p, name: p.scratchName(triedIn)}
				return []ops.Node{p.readBack(pick), p.readArchive(pick), t.restore(), t.check(), t.discard()}
			})
			plan := s.plan(ops.Change, "drill the backup of "+protectedNames(all), drill)
			plan.Effects = append(protectedEffects(s, all), ops.Effect{Label: "starts", Text: "a throwaway container beside each, which is removed again"})
			return plan, nil
		},
	}
}

// Private

// choice is the backup that the steps of one plan are about.
type choice struct {
	id    string
	entry backup.Entry
}

func (p *protected) pick(id string) *choice {
	p.chosen = &choice{id: id}
	return p.chosen
}

// choose finds the backup; with none picked it is the one that this run made.
func (p *protected) choose(ctx context.Context, r *ops.Run, picked *choice) (backup.Entry, error) {
	if picked == nil {
		return p.made, nil
	}
	if picked.entry.ID != "" {
		return picked.entry, nil
	}
	if err := p.open(ctx, r); err != nil {
		return backup.Entry{}, err
	}
	entry, err := p.shelf.Find(ctx, picked.id)
	if missing := new(ops.Error); p.from != p.App && errors.Is(err, ops.ErrNotFound) && errors.As(err, &missing) {
		err = &ops.Error{
			Summary: fmt.Sprintf("backups of %s in %s", p.from, p.Store.Location()), Cause: fmt.Errorf("%s: %w", missing.Summary, ops.ErrNotFound),
			Hint: "that is where " + string(p.App) + " keeps its own: name the other's store for it under x-binnacle, or list with --from",
		}
	}
	if err != nil {
		return backup.Entry{}, err
	}
	picked.entry = entry
	return entry, nil
}

// readBack reads every stored byte and compares the checksums.
func (p *protected) readBack(picked *choice) *ops.Step {
	return &ops.Step{
		ID: "read", Title: "read back", Host: p.storeHost(), Timeout: longest,
		Run: func(ctx context.Context, r *ops.Run) error {
			entry, err := p.choose(ctx, r, picked)
			if err != nil {
				return err
			}
			r.Note("%s", entry.ID)
			told := progress(r, ops.Progress{Text: "reading back", Total: entry.Size})
			return p.climb(ctx, r, entry, ops.Matched, func() error {
				return p.shelf.Verify(ctx, entry, func(done, _ int64) { told(done) })
			})
		},
	}
}

// readArchive has the engine list what is in the archive.
func (p *protected) readArchive(picked *choice) *ops.Step {
	return &ops.Step{
		ID: "archive", Title: "list the archive", Host: p.Host, Timeout: longest,
		Run: func(ctx context.Context, r *ops.Run) error {
			entry, err := p.choose(ctx, r, picked)
			if err != nil {
				return err
			}
			if err := p.unlock(ctx, r, entry); err != nil {
				return err
			}
			if entry.Encrypted && !p.decrypts {
				r.Note("encrypted: give --identity to look inside")
				return ops.ErrSkipped
			}
			at, err := p.place(ctx, r)
			if err != nil {
				return err
			}
			told := progress(r, ops.Progress{Text: "listing", Total: entry.Size})
			return p.climb(ctx, r, entry, ops.Readable, func() error {
				return p.engine.Read(ctx, at, p.shelf.Read(entry, told))
			})
		},
	}
}

// climb runs a check and records how it ended. A check that could not be made,
// because a host or a store failed or it was given up, tells nothing of the backup:
// what is recorded against it is backup.ErrDamaged alone.
func (p *protected) climb(ctx context.Context, r *ops.Run, entry backup.Entry, rung ops.Rung, check func() error) error {
	began := r.Now()
	err := check()
	if err != nil && (ctx.Err() != nil || !errors.Is(err, backup.ErrDamaged)) {
		return err
	}
	if p.from != p.App { // what it comes to elsewhere is not held against it, nor for it
		return err
	}
	record := backup.Check{Rung: rung, At: r.Now(), Took: r.Now().Sub(began), By: p.Performer}
	if err != nil {
		record.Problem = problemOf(err, entry)
	}
	if _, failed := p.shelf.Record(ctx, entry, record); failed != nil {
		return errors.Join(err, failed)
	}
	backed, failed := p.tell(ctx, r)
	if failed != nil || err != nil {
		return errors.Join(err, failed)
	}
	kept, ok := backed.Find(entry.ID)
	if !ok {
		return &ops.Error{Summary: "backup " + entry.ID + " of " + p.Name, Cause: errors.New("somebody has deleted it meanwhile")}
	}
	return r.Report(fmt.Sprintf("%s %s: %s", p.Name, entry.ID, rung), keptDocument{p.Name, kept})
}

// trial is a backup that was restored into a throwaway container.
type trial struct {
	*protected
	name   string
	source backup.Place // that it was made of; it has no container before one is begun
	at     backup.Place
}

func (t *trial) restore() *ops.Step {
	return &ops.Step{
		ID: "restore", Title: "restore into a throwaway container", Host: t.Host, Timeout: longest,
		Run: func(ctx context.Context, r *ops.Run) error {
			entry, err := t.choose(ctx, r, t.chosen)
			if err != nil {
				return err
			}
			if err := t.unlock(ctx, r, entry); err != nil {
				return err
			}
			if err := t.restorable(entry); err != nil {
				return err
			}
			at, err := t.place(ctx, r)
			if err != nil {
				return err
			}
			t.tidy(ctx, r, at)
			if err := t.room(ctx, at, entry); err != nil {
				return err
			}
			t.source = at
			told := progress(r, ops.Progress{Text: "restoring", Total: entry.Size})
			return t.climb(ctx, r, entry, ops.Restored, func() error {
				t.at, err = t.engine.Scratch(ctx, at, t.name, t.shelf.Read(entry, told))
				return err
			})
		},
	}
}

func (t *trial) check() *ops.Step {
	return &ops.Step{
		ID: "check", Title: "check what was restored", Host: t.Host, Timeout: longest,
		Run: func(ctx context.Context, r *ops.Run) error {
			t.at.Tell = r.Line
			entry := t.chosen.entry
			return t.climb(ctx, r, entry, ops.Checked, func() error { return t.compare(ctx, t.at, entry) })
		},
	}
}

func (t *trial) discard() *ops.Step {
	return &ops.Step{
		ID: "discard", Title: "remove the throwaway container", Host: t.Host, Always: true, Timeout: 5 * time.Minute,
		Run: func(ctx context.Context, r *ops.Run) error { return t.remove(ctx, r) },
	}
}

// remove removes what was begun. The data's own container may have stopped
// meanwhile, of which an engine complains: what counts is that nothing is left.
func (t *trial) remove(ctx context.Context, r *ops.Run) error {
	if t.source.Container == "" {
		return ops.ErrSkipped
	}
	t.source.Tell = r.Line
	err := t.engine.Discard(ctx, t.source, t.name)
	if err == nil {
		return nil
	}
	if _, left := r.Docker().InspectContainer(ctx, t.name); errors.Is(left, ops.ErrNotFound) {
		return nil
	}
	return leftBehind(err, t.Host, command.New("docker", "rm", "--force", "--volumes", t.name))
}

// compare holds what was restored against what was dumped, and runs the app's
// own check.
func (p *protected) compare(ctx context.Context, at backup.Place, entry backup.Entry) error {
	was, err := p.shelf.Facts(ctx, entry)
	if err != nil {
		return err
	}
	is, err := p.engine.Look(ctx, at)
	if err != nil {
		return err
	}
	if differences := backup.Compare(was, is); len(differences) > 0 {
		return &ops.Error{Host: p.Host, Summary: "what was restored is not what was dumped", Cause: fmt.Errorf("%s: %w", strings.Join(differences, "; "), backup.ErrDamaged)}
	}
	if p.Check.SQL == "" {
		return nil
	}
	answer, err := p.engine.SQL(ctx, at, strings.NewReader(p.Check.SQL))
	failed := &ops.Error{Host: p.Host, Summary: "the check of " + p.Name, Command: p.Check.SQL, Cause: err}
	var exit *ops.ExitError
	switch {
	case errors.As(err, &exit) && exit.Signal == "":
		failed.Cause = fmt.Errorf("%w (%w)", err, backup.ErrDamaged)
	case err == nil && (answer == "f" || answer == "false" || answer == "0"):
		failed.Cause = fmt.Errorf("it answers %s: %w", answer, backup.ErrDamaged)
	case err == nil:
		return nil
	}
	return failed
}

// room fails when the data would not fit on the host beside what is there, or not
// be read by a server of the same image.
func (p *protected) room(ctx context.Context, at backup.Place, entry backup.Entry) error {
	now, err := p.engine.Look(ctx, at)
	absent := errors.Is(err, ops.ErrNotFound)
	if err != nil && !absent {
		return err
	}
	if at.URL == "" { // else the image is that of the dumped server
		if err := backup.Compatible(p.Engine, entry.EngineVersion, now.Version); err != nil {
			return err
		}
	}
	if absent {
		return nil
	}
	return p.fits(now, entry)
}

// fits wants the dumped size and a fifth of it free: indexes are not dumped.
func (p *protected) fits(now backup.Facts, entry backup.Entry) error {
	need := entry.Plain + entry.Plain/5
	if now.Free < 0 || now.Free >= need {
		return nil
	}
	return &ops.Error{
		Host: p.Host, Summary: "the disk is too full to restore beside what is there",
		Cause: fmt.Errorf("%s are free, %s are needed", sizeText(now.Free), sizeText(need)), Hint: p.byHand("prune all") + ", or restore on another host",
	}
}

// Helpers

// problemOf is what a failed check leaves with the backup, where everybody reads
// it who can read the store: of an encrypted one not what a tool said of the data.
func problemOf(err error, entry backup.Entry) string {
	const most = 300
	told := ops.Describe(err)[0]
	text := told.Summary
	if told.Cause != nil && !entry.Encrypted {
		text += ": " + told.Cause.Error()
	}
	text, _, _ = strings.Cut(strings.TrimPrefix(text, ": "), "\n")
	if runes := []rune(text); len(runes) > most {
		text = string(runes[:most-1]) + "…"
	}
	return cmp.Or(text, "the check failed")
}

// leftBehind tells of something that could not be removed how to be rid of it.
func leftBehind(err error, host string, by command.Line) error {
	return &ops.Error{Host: host, Summary: "something is left behind", Cause: err, Hint: "the next run removes it; or by hand: " + by.String()}
}
