package operation

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"binnacle/ops"
	"binnacle/ops/backup"
)

// BackupList shows what the stores hold.
func BackupList() ops.Operation {
	return ops.Operation{
		Name: "backup list", Group: "backup", Summary: "List the backups that the stores hold, and how far each is trusted",
		Scope: ops.ScopeAccessory, Risk: ops.Read,
		Params: []ops.Param{whatParam("what is backed up; everything when not given", false), fromParam()},
		Plan: func(in ops.Input) (ops.Plan, error) {
			s := newStory(in, "backup list")
			all, err := s.protectedBy(in.Params.Text(nameParam))
			if err != nil {
				return ops.Plan{}, err
			}
			s.takenFrom(all, in.Params.Text("from"))
			list := &listing{found: map[string]ops.Backed{}}
			read := ops.SideBySide("read", "read the stores")
			for _, p := range all {
				read.Nodes = append(read.Nodes, list.read(p))
			}
			nodes := []ops.Node{read, list.print(all)}
			if in.Params.Text(nameParam) == "" {
				nodes = append(nodes, s.unprotected())
			}
			return s.plan(ops.Read, "backups of "+protectedNames(all), nodes...), nil
		},
	}
}

// Private

// fromParam names another destination whose backups are meant.
func fromParam() ops.Param {
	return ops.Param{Name: "from", Kind: ops.Text, Usage: "the destination whose backups are meant, or the service's name for the one without a destination; this one when not given"}
}

// takenFrom makes the backups another destination's.
func (s *story) takenFrom(all []*protected, destination string) {
	if destination == "" {
		return
	}
	if destination == s.cfg.Service() {
		destination = ""
	}
	for _, p := range all {
		p.from = ops.NewAppID(s.cfg.Service(), destination)
	}
}

// listing gathers what several stores hold.
type listing struct {
	mu    sync.Mutex
	found map[string]ops.Backed
}

func (l *listing) read(p *protected) *ops.Step {
	return &ops.Step{
		ID: p.Name, Title: p.Name, Host: p.storeHost(), Timeout: 5 * time.Minute,
		Run: func(ctx context.Context, r *ops.Run) error {
			err := p.open(ctx, r)
			backed := ops.Backed{}
			if err == nil {
				backed, err = p.tell(ctx, r)
			}
			if err != nil {
				backed = backup.Unseen(p.App, p.Backup, p.Store.Location(), problemOf(err, backup.Entry{}))
			}
			l.mu.Lock()
			l.found[p.Name] = backed
			l.mu.Unlock()
			return err
		},
	}
}

// print shows what could be read, also when a store could not.
func (l *listing) print(all []*protected) *ops.Step {
	return &ops.Step{
		ID: "list", Title: "list", Always: true,
		Run: func(_ context.Context, r *ops.Run) error {
			l.mu.Lock()
			defer l.mu.Unlock()
			backed := make([]ops.Backed, 0, len(all))
			for _, p := range all {
				if b, ok := l.found[p.Name]; ok {
					backed = append(backed, b)
				}
			}
			return r.Report(backupTable(backed, r.Now()), backed)
		},
	}
}

// unprotected names the data that none of the backups is of; nil where there is none.
func (s *story) unprotected() ops.Node {
	folders := s.cfg.Unprotected()
	if len(folders) == 0 {
		return nil
	}
	return &ops.Step{
		ID: "unprotected", Title: "data that is not backed up", Always: true,
		Run: func(_ context.Context, r *ops.Run) error {
			text := "not backed up: " + strings.Join(folders, "\nnot backed up: ")
			return r.Report(text, map[string][]string{"unprotected": folders})
		},
	}
}

// BackupShow tells everything about one backup.
func BackupShow() ops.Operation {
	return ops.Operation{
		Name: "backup show", Group: "backup", Summary: "Show one backup: its parts, its checks, its tables",
		Scope: ops.ScopeAccessory, Risk: ops.Read,
		Params: []ops.Param{whatParam("what is backed up", true), idParam(), fromParam(), identityParam()},
		Plan: func(in ops.Input) (ops.Plan, error) {
			s := newStory(in, "backup show")
			p, err := s.theOne(in.Params.Text(nameParam))
			if err != nil {
				return ops.Plan{}, err
			}
			return s.plan(ops.Read, "backup of "+p.Name, p.show(in.Params.Text("ID"))), nil
		},
	}
}

func (p *protected) show(id string) *ops.Step {
	return &ops.Step{
		ID: "show", Title: "show", Host: p.storeHost(), Timeout: 5 * time.Minute,
		Run: func(ctx context.Context, r *ops.Run) error {
			if err := p.open(ctx, r); err != nil {
				return err
			}
			entry, err := p.shelf.Find(ctx, id)
			if err != nil {
				return err
			}
			doc := documentOf(entry)
			text := entryText(entry, p.Store.Location())
			facts, err := p.facts(ctx, r, entry)
			switch {
			case ctx.Err() != nil:
				return err
			case errors.Is(err, errEncrypted):
				text += "\ntables     encrypted: give --identity FILE to see them"
			case err != nil:
				text += "\ntables     " + err.Error()
			default:
				doc.TableRows = facts.Tables
				text += tableRows(facts)
			}
			return r.Report(text, doc)
		},
	}
}

// facts are what a backup says of its data, if it can be read.
func (p *protected) facts(ctx context.Context, r *ops.Run, entry backup.Entry) (backup.Facts, error) {
	if err := p.unlock(ctx, r, entry); err != nil {
		return backup.Facts{}, err
	}
	if err := p.restorable(entry); err != nil {
		return backup.Facts{}, err
	}
	return p.shelf.Facts(ctx, entry)
}

// Helpers

func protectedNames(all []*protected) string {
	names := make([]string, len(all))
	for i, p := range all {
		names[i] = p.Name
	}
	return joined(names)
}

// backupTable is the list as people read it.
func backupTable(all []ops.Backed, now time.Time) string {
	var out strings.Builder
	w := tabwriter.NewWriter(&out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, "NAME\tID\tAGE\tSIZE\tROWS\tTRUST\tSCHEMA\tSTORE")
	for _, b := range all {
		if len(b.Kept) == 0 && b.Problem != "" {
			_, _ = fmt.Fprintf(w, "%s\tunknown\t\t\t\t\t\t%s\n", b.Name, b.Store)
		} else if len(b.Kept) == 0 {
			_, _ = fmt.Fprintf(w, "%s\tnone\t\t\t\t\t\t%s\n", b.Name, b.Store)
		}
		for _, k := range b.Kept {
			_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\t%d/8 %s%s\t%s\t%s\n",
				b.Name, k.ID, ageText(now.Sub(k.At)), sizeText(k.Size), k.Rows, k.Rung, k.Rung, marks(k), k.Schema, b.Store)
		}
	}
	_ = w.Flush()
	for _, b := range all {
		if b.Problem != "" {
			_, _ = fmt.Fprintf(&out, "! %s: the store cannot be read: %s\n", b.Name, b.Problem)
		}
		if b.Alarm != "" {
			_, _ = fmt.Fprintf(&out, "! %s: %s\n", b.Name, b.Alarm)
		}
		for _, k := range b.Kept {
			if k.Problem != "" {
				_, _ = fmt.Fprintf(&out, "! %s %s: %s\n", b.Name, k.ID, k.Problem)
			}
		}
	}
	return strings.TrimRight(out.String(), "\n")
}

func marks(k ops.Kept) string {
	var out string
	if k.Encrypted {
		out += " encrypted"
	}
	if k.Safety {
		out += " safety"
	}
	if k.Problem != "" {
		out += " !"
	}
	return out
}

// ageText is a span in its largest unit.
func ageText(d time.Duration) string {
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(max(0, d).Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh", int(d.Hours()))
	}
	return fmt.Sprintf("%dd", int(d.Hours())/24)
}

// timeStep is what a duration is rounded to so that three digits tell it.
func timeStep(d time.Duration) time.Duration {
	switch {
	case d < time.Second:
		return time.Millisecond
	case d < time.Minute:
		return 100 * time.Millisecond
	}
	return time.Second
}

// sizeText is a size in decimal units, as disks and bills count.
func sizeText(n int64) string {
	units := []string{"B", "kB", "MB", "GB", "TB"}
	size, unit := float64(n), 0
	for size >= 1000 && unit < len(units)-1 {
		size, unit = size/1000, unit+1
	}
	if unit == 0 {
		return fmt.Sprintf("%d B", n)
	}
	return fmt.Sprintf("%.1f %s", size, units[unit])
}
