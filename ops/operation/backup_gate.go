package operation

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"binnacle/config"
	"binnacle/ops"
)

// backupGate stops what comes after it unless the newest good backup of the
// app's database is younger than within. With take, one is made first. It is nil
// where nothing is asked for.
func (s *story) backupGate(within time.Duration, name string, take bool) (ops.Node, error) {
	if within == 0 && !take {
		return nil, nil //nolint:nilnil // no gate is no failure
	}
	p, err := s.gated(name)
	if err != nil {
		return nil, err
	}
	if take {
		return ops.InSequence("backup", "back up "+p.Name, p.goodDump()), nil
	}
	return &ops.Step{
		ID: "gate", Title: "look for a backup of " + p.Name, Host: p.storeHost(), Timeout: 5 * time.Minute,
		Run: func(ctx context.Context, r *ops.Run) error {
			if err := p.open(ctx, r); err != nil {
				return err
			}
			backed, err := p.tell(ctx, r)
			if err != nil {
				return err
			}
			newest, found := backed.Newest()
			switch age := r.Now().Sub(newest.At); {
			case !found:
				err = errors.New("there is no good backup of " + p.Name)
			case age > within:
				err = fmt.Errorf("the newest good backup of %s is %s old, at most %s are allowed", p.Name, boundText(age.Round(time.Minute)), boundText(within))
			default:
				r.Note("%s, %s old", newest.ID, ageText(age))
				return nil
			}
			return &ops.Error{Summary: "no fresh backup", Cause: err, Hint: "--backup takes one first"}
		},
	}, nil
}

// Private

// goodDump is a dump that something else relies on: one of a suspicious size
// does not do.
func (p *protected) goodDump() *ops.Step {
	step := p.dump()
	dump := step.Run
	step.Run = func(ctx context.Context, r *ops.Run) error {
		err := dump(ctx, r)
		if err == nil && p.made.Problem != "" {
			err = &ops.Error{Summary: "no good backup", Cause: errors.New(p.made.ID + " of " + p.Name + ": " + p.made.Problem), Hint: "look at it: " + p.byHand("backup show "+p.Name)}
		}
		return err
	}
	return step
}

// gated is the database that the gate looks at: the one named, or the only one.
func (s *story) gated(name string) (*protected, error) {
	all, err := s.protectedBy(name)
	if err != nil {
		return nil, err
	}
	databases := slices.DeleteFunc(slices.Clone(all), func(p *protected) bool { return !p.database() })
	switch {
	case name != "" && len(all) == 1: // whatever it is of
		return all[0], nil
	case len(databases) == 1:
		return databases[0], nil
	}
	failed := &ops.Error{Summary: "which backup guards the migration?", Cause: errors.New("no database is backed up"), Hint: "name it: migrate: {backup: NAME} under x-binnacle"}
	if len(databases) > 0 {
		failed.Cause = fmt.Errorf("%d databases are backed up: %s", len(databases), protectedNames(databases))
	}
	return nil, failed
}

// database reports an engine that SQL is spoken to.
func (p *protected) database() bool {
	return p.Engine == config.Postgres || p.Engine == config.MySQL || p.Engine == config.SQLite
}
