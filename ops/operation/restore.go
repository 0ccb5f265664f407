package operation

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"binnacle/config"
	"binnacle/ops"
	"binnacle/ops/backup"
)

// Restore puts a backup in the place of the data that is there.
func Restore() ops.Operation {
	return ops.Operation{
		Name: "restore", Group: "backup", Summary: "Put a backup in the place of the data that is there",
		Scope: ops.ScopeAccessory, Risk: ops.DataLoss, Stores: true, Question: "Restore?",
		Params: []ops.Param{
			whatParam("what to restore", true), idParam(), fromParam(), identityParam(),
			{Name: "maintenance", Kind: ops.Toggle, Usage: "answer with a maintenance page and stop the other roles while the data is swapped"},
			{Name: "live", Kind: ops.Toggle, Usage: "swap while clients are connected: what they write meanwhile is lost, and they have to connect again"},
			{Name: "without-safety", Kind: ops.Toggle, Usage: "do not save the data that is there first, nor count it: for data too damaged to be read"},
			{Name: "sql", Kind: ops.Text, Usage: "file with SQL that is run on the restored data before anybody sees it, to anonymise it for instance"},
			{Name: "scratch", Kind: ops.Toggle, Usage: "restore into a throwaway container and leave it running, to look at; the data that is there is not touched"},
		},
		Plan: func(in ops.Input) (ops.Plan, error) {
			s := newStory(in, "restore")
			p, err := s.theOne(in.Params.Text(nameParam))
			if err != nil {
				return ops.Plan{}, err
			}
			if in.Params.Text("sql") != "" && !p.database() {
				return ops.Plan{}, &ops.Error{Summary: "restore --sql", Cause: fmt.Errorf("%s is %s: %w", p.Name, p.Engine, backup.ErrNoSQL)}
			}
			p.pick(in.Params.Text("ID"))
			t := &restoration{protected: p, name: p.scratchName(loadedFor)}
			if in.Params.On("scratch") {
				return t.scratchPlan(), nil
			}
			return t.plan()
		},
	}
}

// Private

// restoration is one backup on its way into the place of the data that is there.
type restoration struct {
	*protected
	name    string // of what is loaded beside
	sql     []byte // a person's script
	since   time.Time
	at      backup.Place
	loaded  backup.Place
	absent  bool // there is no data to replace
	begun   bool // something may have been loaded
	swapped bool
	saved   string   // the safety copy
	kept    string   // the name under which the old data is kept
	stale   []string // what earlier restores kept
}

// plan checks everything and loads beside the old data first; only then are
// writers held off, the old data saved, and both swapped.
func (t *restoration) plan() (ops.Plan, error) {
	s := t.story
	hosts := []string{t.Host}
	var hold, let, safety ops.Node
	if t.Params.On("maintenance") {
		// All that write, whatever was selected: what one goes on to write is lost.
		whole, err := s.cfg.Select(config.Filter{})
		if err != nil {
			return ops.Plan{}, err
		}
		s.sel, hosts = whole, whole.Hosts()
		if role := t.cfg.Role(t.Role); t.URL != "" && role != nil && !role.Proxied() {
			return ops.Plan{}, &ops.Error{
				Summary: "restore " + t.Name + " --maintenance", Cause: fmt.Errorf("the database is reached through the containers of role %s, which would be stopped", t.Role),
				Hint: "name a role behind the proxy under backups: of x-binnacle, or give --live",
			}
		}
		writers := &writers{story: s, spared: func() string { return t.at.Container }}
		hold, let = writers.hold(), writers.let()
	}
	if !t.Params.On("without-safety") {
		safety = t.safety()
	}
	nodes := []ops.Node{t.check(), t.load(), t.compare()}
	if t.Params.Text("sql") != "" {
		nodes = append(nodes, t.script())
	}
	nodes = append(nodes, hold, safety, t.swap(), let, t.discard(), t.report())
	restore := ops.InSequence("restore", "restore "+t.Name, present(nodes)...)
	restore.Host = t.Host
	plan := s.plan(ops.DataLoss, "restore "+t.Name, s.connectTo(hosts), s.lockedBeside(restore))
	plan.Effects, plan.Locks = t.effects(), true
	plan.Confirm = cmp.Or(s.cfg.Destination(), s.cfg.Service())
	return plan, nil
}

// check finds both ends and everything that would be in the way, before
// anything is changed.
func (t *restoration) check() *ops.Step {
	return &ops.Step{
		ID: "check", Title: "check backup, versions, disk and writers", Host: t.Host, Timeout: longest,
		Run: func(ctx context.Context, r *ops.Run) error {
			t.since = r.Now()
			entry, err := t.choose(ctx, r, t.chosen)
			if err != nil {
				return err
			}
			if err := t.unlock(ctx, r, entry); err != nil {
				return err
			}
			if err := cmp.Or(t.restorable(entry), t.itself(entry)); err != nil {
				return err
			}
			if entry.Problem != "" {
				warn(r, "backup "+entry.ID+": "+entry.Problem)
			}
			if t.sql, err = t.readScript(r); err != nil {
				return err
			}
			if t.at, err = t.place(ctx, r); err != nil {
				return err
			}
			t.tidy(ctx, r, t.at)
			now, err := t.look(ctx, r)
			if err != nil {
				return err
			}
			if err := cmp.Or(backup.Compatible(t.Engine, entry.EngineVersion, now.Version), t.fits(now, entry), t.writing(now)); err != nil {
				return err
			}
			if err := t.sweep(ctx, r); err != nil {
				return err
			}
			r.Note("%s of %s, %s", entry.ID, entry.At.UTC().Format(time.DateTime), sizeText(entry.Plain))
			return nil
		},
	}
}

// look asks for the data that is there. Where it need not be readable, it is
// taken as it is.
func (t *restoration) look(ctx context.Context, r *ops.Run) (backup.Facts, error) {
	now, err := t.engine.Look(ctx, t.at)
	var exit *ops.ExitError
	switch t.absent = errors.Is(err, ops.ErrNotFound); {
	case err == nil, t.absent:
		return now, nil
	case errors.As(err, &exit) && t.Params.On("without-safety"):
		r.Line(ops.Stderr, err.Error())
		return backup.Facts{Free: -1}, nil
	}
	return now, err
}

// writing refuses while clients are connected that would lose what they write.
func (t *restoration) writing(now backup.Facts) error {
	if t.absent || now.Clients == 0 || t.Params.On("maintenance") || t.Params.On("live") {
		return nil
	}
	return &ops.Error{
		Host: t.Host, Summary: "restore " + t.Name, Cause: fmt.Errorf("%d clients are connected to %s", now.Clients, orNothing(cmp.Or(t.Database, t.Name))),
		Hint: "--maintenance holds them off; --live swaps under them, and loses what they write meanwhile",
	}
}

// itself refuses to put another destination's backup where it was taken from: an
// accessory's container has no destination in its name, so that two of them may
// share it.
func (t *restoration) itself(entry backup.Entry) error {
	if t.from == t.App || t.Accessory == "" || entry.Accessory != t.Accessory || entry.Host != t.Host || entry.Database != t.Database {
		return nil
	}
	return &ops.Error{
		Host: t.Host, Summary: "restore " + t.Name, Cause: fmt.Errorf("%s is the database of %s itself, which %s shares", t.containerText(), t.from, t.App),
		Hint: "give the destination an accessory on another host, or restore without --from and with the destination that is meant",
	}
}

// sweep removes what restores that were killed have loaded, and data that an
// earlier restore kept: this one keeps its own.
func (t *restoration) sweep(ctx context.Context, r *ops.Run) error {
	left, err := t.engine.Leftovers(ctx, t.at)
	if err != nil {
		return err
	}
	for _, name := range left {
		if !strings.HasPrefix(name, t.scratchPrefix(loadedFor)) {
			continue
		}
		if err := t.engine.Discard(ctx, t.at, name); err != nil {
			return err
		}
		r.Say("Removed %s, which a restore has left that did not end", name)
	}
	return nil
}

func (t *restoration) load() *ops.Step {
	return &ops.Step{
		ID: "load", Title: "load beside the data that is there", Host: t.Host, Timeout: longest,
		Run: func(ctx context.Context, r *ops.Run) error {
			t.tellTo(r)
			entry := t.chosen.entry
			told := progress(r, ops.Progress{Text: "loading", Total: entry.Size})
			t.begun = true
			loaded, err := t.engine.Load(ctx, t.at, t.name, t.shelf.Read(entry, told))
			if err != nil {
				return err
			}
			t.loaded = loaded
			return nil
		},
	}
}

func (t *restoration) compare() *ops.Step {
	return &ops.Step{
		ID: "compare", Title: "compare with what was dumped", Host: t.Host, Timeout: longest,
		Run: func(ctx context.Context, r *ops.Run) error {
			t.tellTo(r)
			if err := t.protected.compare(ctx, t.loaded, t.chosen.entry); err != nil {
				return err
			}
			r.Note("%d tables, %d rows", t.chosen.entry.Tables, t.chosen.entry.Rows)
			return nil
		},
	}
}

func (t *restoration) script() *ops.Step {
	return &ops.Step{
		ID: "sql", Title: "run " + t.Params.Text("sql"), Host: t.Host, Timeout: longest,
		Run: func(ctx context.Context, r *ops.Run) error {
			t.tellTo(r)
			_, err := t.engine.SQL(ctx, t.loaded, bytes.NewReader(t.sql))
			return err
		},
	}
}

// safety saves the data that is about to be replaced.
func (t *restoration) safety() *ops.Step {
	return &ops.Step{
		ID: "safety", Title: "save the data that is there", Host: t.Host, Timeout: longest,
		Run: func(ctx context.Context, r *ops.Run) error {
			if t.absent {
				r.Note("there is none")
				return ops.ErrSkipped
			}
			t.tellTo(r)
			if err := t.stillQuiet(ctx, r); err != nil {
				return err
			}
			own := *t.protected
			own.from = t.App
			if err := own.open(ctx, r); err != nil {
				return err
			}
			entry, err := own.write(ctx, r, t.at, true)
			if exit := new(ops.ExitError); errors.As(err, &exit) {
				return errors.Join(err, &ops.Error{Host: t.Host, Summary: "the data that is there was not saved, so it was not replaced", Hint: "--without-safety replaces it all the same"})
			}
			if err != nil {
				return err
			}
			t.saved = entry.ID
			if _, err := own.tell(ctx, r); err != nil {
				r.Line(ops.Stderr, err.Error())
			}
			r.Note("%s", entry.ID)
			r.Say("The data that was there is kept as backup %s of %s", entry.ID, t.Name)
			return nil
		},
	}
}

// stillQuiet fails when clients have come since the check: it was quick, and the
// loading long.
func (t *restoration) stillQuiet(ctx context.Context, r *ops.Run) error {
	if t.absent || t.Params.On("maintenance") || t.Params.On("live") {
		return nil
	}
	now, err := t.look(ctx, r)
	if err != nil {
		return err
	}
	return t.writing(now)
}

// swap is not interrupted: engines leave the old data in place when it fails.
func (t *restoration) swap() *ops.Step {
	return &ops.Step{
		ID: "swap", Title: "swap", Host: t.Host, Atomic: true, Timeout: time.Hour,
		Run: func(ctx context.Context, r *ops.Run) error {
			if r.Cancelled() {
				return ops.ErrCancelled
			}
			t.tellTo(r)
			if err := t.stillQuiet(ctx, r); err != nil {
				return err
			}
			before, err := t.engine.Leftovers(ctx, t.at)
			if err != nil {
				return err
			}
			keep := t.scratchName(keptFrom)
			kept, err := t.engine.Swap(ctx, t.at, t.loaded, keep)
			t.swapped = err == nil || errors.Is(err, backup.ErrUnsaved)
			if err != nil {
				return err
			}
			if kept {
				t.kept = keep
			}
			for _, name := range before {
				if strings.HasPrefix(name, t.scratchPrefix(keptFrom)) && name != keep {
					t.stale = append(t.stale, name)
				}
			}
			if err := r.Exec(ctx, t.audit(r.Now(), "", "Restored %s from backup %s", t.Name, t.chosen.entry.ID)); err != nil {
				r.Line(ops.Stderr, err.Error()) // it is restored all the same
			}
			return nil
		},
	}
}

// discard removes what was loaded, unless it is in its place now; then what
// earlier restores kept goes.
func (t *restoration) discard() *ops.Step {
	return &ops.Step{
		ID: "discard", Title: "tidy up", Host: t.Host, Always: true, Timeout: 15 * time.Minute,
		Run: func(ctx context.Context, r *ops.Run) error {
			if !t.begun {
				return ops.ErrSkipped
			}
			t.tellTo(r)
			if err := t.engine.Discard(ctx, t.at, t.name); err != nil {
				return errors.Join(err, &ops.Error{Host: t.Host, Summary: t.name + " may be left behind", Hint: "the next restore of " + t.Name + " removes it"})
			}
			for _, name := range t.stale {
				if err := t.engine.Discard(ctx, t.at, name); err != nil {
					r.Line(ops.Stderr, err.Error())
				}
			}
			return nil
		},
	}
}

// report tells what is there now, once it was swapped, whatever failed after that.
func (t *restoration) report() *ops.Step {
	return &ops.Step{
		ID: "report", Title: "look at the result", Host: t.Host, Always: true, Timeout: 30 * time.Minute,
		Run: func(ctx context.Context, r *ops.Run) error {
			if !t.swapped {
				return ops.ErrSkipped
			}
			t.tellTo(r)
			took := r.Now().Sub(t.since)
			doc := restoreDocument{Name: t.Name, ID: t.chosen.entry.ID, Host: t.Host, TookMS: took.Milliseconds(), Safety: t.saved, Kept: t.kept}
			text := fmt.Sprintf("%s on %s is backup %s now", t.Name, t.Host, doc.ID)
			now, failed := t.engine.Look(ctx, t.at)
			if failed == nil {
				doc.Tables, doc.Rows = len(now.Tables), now.Rows()
				text += fmt.Sprintf(": %d tables, %d rows", doc.Tables, doc.Rows)
			}
			text += fmt.Sprintf(", in %s", took.Round(timeStep(took)))
			if t.kept != "" {
				text += "\nthe data from before is kept beside it as " + t.kept + " until the next restore"
			}
			return errors.Join(failed, r.Report(text, doc))
		},
	}
}

// tellTo has what is done at both places told to the step that does it.
func (t *restoration) tellTo(r *ops.Run) { t.at.Tell, t.loaded.Tell = r.Line, r.Line }

// scratchPlan restores into a container that is left for the person.
func (t *restoration) scratchPlan() ops.Plan {
	s := t.story
	trial := &trial{protected: t.protected, name: t.scratchName(scratchFor)}
	nodes := []ops.Node{trial.restore(), trial.check()}
	if t.Params.Text("sql") != "" {
		nodes = append(nodes, trial.script())
	}
	nodes = append(nodes, trial.leave())
	plan := s.plan(ops.Change, "restore "+t.Name+" into a throwaway container", ops.InSequence("restore", "restore "+t.Name, nodes...))
	plan.Effects = append(t.source(), ops.Effect{Label: "into", Text: "a new container " + t.scratchName(copyOf) + " on " + t.Host})
	return plan
}
