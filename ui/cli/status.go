package cli

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"binnacle/ops"
)

func (p Program) statusCommand(f *flags) *cobra.Command {
	return &cobra.Command{
		Use: "status", Short: "Show what is known of hosts, containers and the lock; everything with --json", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return p.status(cmd.Context(), f) },
	}
}

// Private

func (p Program) status(ctx context.Context, f *flags) error {
	s, err := p.open(ctx, f)
	if err != nil {
		return err
	}
	defer s.Close()
	if err := p.look(ctx, f, s, "status"); err != nil {
		return err
	}
	var stores sync.WaitGroup
	stores.Go(func() { s.ObserveBackups(ctx, "") })
	s.Observe(ctx)
	stores.Wait()
	state := s.Store.State()
	if f.json {
		err = p.writeJSON(stateDocument(state, s.World.Now()))
	} else {
		p.printStatus(state, s.App)
	}
	if err != nil {
		return err
	}
	for _, h := range state.Fleet.Hosts {
		if h.Link == ops.LinkLost {
			return ErrFailed
		}
	}
	return nil
}

// printBackups tells the newest backup of each thing, and what is wrong with it.
func (p Program) printBackups(all []ops.Backed) {
	if len(all) == 0 {
		return
	}
	w := tabwriter.NewWriter(p.Stdout, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, "BACKUP\tNEWEST\tTRUST\tSTORE\tALARM")
	for _, b := range all {
		at := "never"
		if newest, ok := b.Newest(); ok {
			at = newest.At.UTC().Format(time.RFC3339)
		} else if len(b.Kept) > 0 {
			at = "none is good"
		}
		trust := fmt.Sprintf("%d/8 %s", b.Rung, b.Rung)
		if b.Problem != "" {
			at, trust = "unknown", "unknown: "+b.Problem
		}
		_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", b.Name, at, trust, b.Store, b.Alarm)
	}
	_ = w.Flush()
}

func (p Program) printStatus(state *ops.State, id ops.AppID) {
	app, _ := state.Fleet.App(id)
	w := tabwriter.NewWriter(p.Stdout, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, "HOST\tSTATE\tDOCKER\tROLE\tVERSION\tCONTAINER")
	for _, h := range state.Fleet.Hosts {
		if h.Link == ops.LinkLost {
			_, _ = fmt.Fprintf(w, "%s\tlost (%s)\t\t\t\t\n", h.Name, h.LinkReason)
			continue
		}
		rows := 0
		for _, c := range h.Containers {
			if c.App != id && c.Kind != ops.KindProxy || !c.Running() {
				continue
			}
			rows++
			what := c.Role
			if what == "" {
				what = strings.TrimSpace(string(c.Kind) + " " + c.Accessory)
			}
			_, _ = fmt.Fprintf(w, "%s\tlive\t%s\t%s\t%s\t%s\n", h.Name, h.Docker.Version, what, c.Version, c.Name)
		}
		if rows == 0 {
			_, _ = fmt.Fprintf(w, "%s\tlive\t%s\t-\t\t\n", h.Name, h.Docker.Version)
		}
	}
	_ = w.Flush()
	p.printBackups(app.Backups)
	lock := "free"
	if app.Lock.Held {
		lock = fmt.Sprintf("held by %s since %s (%s): %s", app.Lock.By, app.Lock.At.UTC().Format(time.RFC3339), app.Lock.Liveness, app.Lock.Message)
	}
	_, _ = fmt.Fprintln(p.Stdout, "lock: "+lock)
}
