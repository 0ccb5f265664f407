package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"binnacle/ops"
	"binnacle/ops/command"
	"binnacle/ops/live"
	"binnacle/ops/logs"
)

// logFlags are the options of the top-level logs. Its -s and -c are its own.
type logFlags struct {
	roles, container, since string
	lines                   int
	follow                  bool
}

// usualLines is how much of each container's past is shown when nothing says.
const usualLines = 100

func (p Program) logsCommand(f *flags) *cobra.Command {
	var l logFlags
	cmd := &cobra.Command{
		Use: "logs", Short: "Show the logs of all roles and hosts, merged by time",
		Long: "Shows what the app's containers log, merged by time over roles and hosts: TIME HOST ROLE text.\n" +
			"Secrets are taken out. On this command -s is a role and -c a container; the configuration is\n" +
			"chosen with --config-file, or with -c before the command.",
		Example: "  binnacle logs -f\n  binnacle logs -s web --since 1h\n  binnacle logs -c db -n 20\n  binnacle logs -c kamal-proxy -h web-1",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return p.logs(cmd.Context(), f, l) },
	}
	fs := cmd.Flags()
	fs.StringVar(&f.file, "config-file", "config/deploy.yml", "path of the configuration") // gives its letter away
	fs.StringVarP(&l.roles, "role", "s", "", "of these roles only (comma separated)")
	fs.StringVarP(&l.container, "container", "c", "", "of this container, accessory or kamal-proxy only")
	fs.BoolVarP(&l.follow, "follow", "f", false, "go on with what comes, until interrupted")
	fs.StringVar(&l.since, "since", "", "lines since then: 90s, 1h, 2d, or a time such as 2026-05-01T12:00:00Z")
	fs.IntVarP(&l.lines, "lines", "n", 0, "the newest lines of each container (100 unless --since is given)")
	return cmd
}

// Private

func (p Program) logs(ctx context.Context, f *flags, l logFlags) error {
	s, err := p.open(ctx, f)
	if err != nil {
		return err
	}
	defer s.Close()
	now := s.World.Now()
	since, err := moment(l.since, now)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(ctx, cancelSignals()...)
	defer stop()
	if err := p.look(ctx, f, s, "logs"); err != nil {
		return err
	}
	warm := s.Prewarm(ctx)
	defer warm()
	p.learnSecrets(ctx, s)
	s.Observe(ctx)
	wanted, err := chooseLogs(s, l)
	if err != nil {
		return err
	}
	out := newLogPrinter(p, f, s)
	if l.follow {
		return p.followLogs(ctx, s, wanted, l, now.Sub(since), out)
	}
	return p.pastLogs(ctx, s, wanted, l, since, out)
}

// learnSecrets reads the secrets, so that they are recognised in what is logged.
func (p Program) learnSecrets(ctx context.Context, s *live.Session) {
	if _, err := s.Config.Secrets().All(ctx); err != nil && ctx.Err() == nil {
		_, _ = fmt.Fprintf(p.Stderr, "warning: the secrets are not known, so they are not taken out of the logs: %v\n", err)
	}
}

// pastLogs prints what has been logged so far.
func (p Program) pastLogs(ctx context.Context, s *live.Session, wanted logs.Selection, l logFlags, since time.Time, out *logPrinter) error {
	fleet := s.Store.State().Fleet
	lost := p.tellLost(fleet, s.Selection.Hosts())
	requests := []logs.PastRequest{}
	for _, c := range speaking(fleet, wanted) {
		tail := l.lines
		if tail <= 0 {
			tail = -1
			if since.IsZero() {
				tail = usualLines
			}
		}
		requests = append(requests, logs.PastRequest{Source: logs.SourceOf(c), Since: since, Tail: tail})
	}
	if len(requests) == 0 && !lost {
		return fmt.Errorf("nothing found: no container of %s; %s shows what runs", wanted.Title(fleet), command.ByHand(s.Config, "status"))
	}
	err := s.PastLogs(ctx, requests, out.print, func(source *logs.Source, err error) {
		lost = true
		_, _ = fmt.Fprintf(p.Stderr, "%s: reading the log of %s: %v\n", source.Host(), source.Name, err)
	})
	switch {
	case err != nil && ctx.Err() != nil:
		return ErrFailed // interrupted: there is nothing to add
	case err == nil && lost:
		return ErrFailed
	}
	return err
}

// followLogs prints the past and then what comes, until it is interrupted.
func (p Program) followLogs(ctx context.Context, s *live.Session, wanted logs.Selection, l logFlags, since time.Duration, out *logPrinter) error {
	ready := make(chan struct{})
	close(ready) // the secrets are known
	changed, unsubscribe := s.Store.Dirty()
	defer unsubscribe()
	watcher := s.Watch(ctx)
	defer watcher.Close()
	follower := s.FollowLogs(ctx, ready)
	defer follower.Close()
	span := logs.Span{Tail: l.lines}
	if l.since != "" {
		span = logs.Span{Since: since}
	}
	if l.since == "" && l.lines <= 0 {
		span.Tail = usualLines
	}
	follower.Update(s.Store.State().Fleet)
	follower.Select(wanted, span)
	told := map[string]bool{}
	for seq := uint64(0); ; {
		select {
		case <-ctx.Done():
			return nil
		case <-changed:
			fleet := s.Store.State().Fleet
			follower.Update(fleet)
			p.tellLinks(fleet, s.Selection.Hosts(), told)
		case <-follower.Dirty():
			seq = out.printFrom(follower.View(), seq)
		}
	}
}

// tellLost names the hosts that do not answer.
func (p Program) tellLost(fleet ops.Fleet, hosts []string) bool {
	told := map[string]bool{}
	p.tellLinks(fleet, hosts, told)
	return len(told) > 0
}

// tellLinks says of each host once that it is lost, and that it is back.
func (p Program) tellLinks(fleet ops.Fleet, hosts []string, told map[string]bool) {
	for _, h := range fleet.Hosts {
		if !slices.Contains(hosts, h.Name) {
			continue
		}
		switch {
		case h.Link == ops.LinkLost && !told[h.Name]:
			told[h.Name] = true
			_, _ = fmt.Fprintf(p.Stderr, "%s: lost (%s); its lines are missing\n", h.Name, h.LinkReason)
		case h.Link == ops.LinkLive && told[h.Name]:
			delete(told, h.Name)
			_, _ = fmt.Fprintf(p.Stderr, "%s: back\n", h.Name)
		}
	}
}

// Helpers

// chooseLogs turns -s, -c, and the hosts and roles of every command into what is
// followed.
func chooseLogs(s *live.Session, l logFlags) (logs.Selection, error) {
	fleet := s.Store.State().Fleet
	out := logs.Selection{App: s.App, Hosts: s.Selection.Hosts()}
	app, _ := fleet.App(s.App)
	if l.container != "" {
		return chooseContainer(fleet, app, out, l.container)
	}
	selected := s.Selection.Roles()
	if l.roles == "" {
		for _, r := range selected {
			out.Roles = append(out.Roles, r.Name())
		}
		return out, nil
	}
	for _, name := range list(l.roles) {
		switch {
		case slices.ContainsFunc(app.Roles, func(r ops.AppRole) bool { return r.Name == name }):
			out.Roles = append(out.Roles, name)
		case slices.ContainsFunc(app.Accessories, func(a ops.AppAccessory) bool { return a.Name == name }):
			out.Accessories = append(out.Accessories, name)
		default:
			return out, fmt.Errorf("no role %q; there are %s", name, strings.Join(namesOf(app), ", "))
		}
	}
	return out, nil
}

// chooseContainer finds a container by what a person calls it: accessory, proxy,
// container name, or the beginning of its id.
func chooseContainer(fleet ops.Fleet, app ops.App, out logs.Selection, name string) (logs.Selection, error) {
	for _, a := range app.Accessories {
		if a.Name == name || a.Service == name {
			out.Accessories = []string{a.Name}
			return out, nil
		}
	}
	if name == "proxy" || name == "kamal-proxy" {
		out.Proxy = true
		return out, nil
	}
	known := map[string]bool{}
	for _, c := range fleet.Containers(func(c ops.Container) bool { return slices.Contains(out.Hosts, c.Host) }) {
		if c.Name == name || len(name) >= 4 && strings.HasPrefix(c.ID, name) {
			out.Containers = append(out.Containers, c.Key())
		}
		if c.App == app.ID && c.Running() {
			known[c.Name] = true
		}
	}
	if len(out.Containers) > 0 {
		return out, nil
	}
	names := make([]string, 0, len(known))
	for n := range known {
		names = append(names, n)
	}
	slices.Sort(names)
	return out, fmt.Errorf("no container %q on %s; there are %s", name, strings.Join(out.Hosts, ", "), strings.Join(append(names, "kamal-proxy"), ", "))
}

// speaking are the containers whose past is read: those that run, and where none
// does the newest that ran.
func speaking(fleet ops.Fleet, wanted logs.Selection) []ops.Container {
	newest := map[string]ops.Container{}
	runs := map[string]bool{}
	var out []ops.Container
	for _, c := range fleet.Containers(wanted.Takes) {
		if slices.Contains(wanted.Containers, c.Key()) {
			out = append(out, c)
			continue
		}
		place := c.Host + " " + string(c.Kind) + " " + c.Role + " " + c.Accessory
		if c.Running() {
			runs[place] = true
			out = append(out, c)
		} else if c.Created.After(newest[place].Created) {
			newest[place] = c
		}
	}
	for place, c := range newest {
		if !runs[place] {
			out = append(out, c)
		}
	}
	place := func(host string) int {
		return slices.IndexFunc(fleet.Hosts, func(h ops.Host) bool { return h.Name == host })
	}
	slices.SortFunc(out, func(a, b ops.Container) int {
		return cmp.Or(cmp.Compare(place(a.Host), place(b.Host)), cmp.Compare(a.Name, b.Name))
	})
	return out
}

func namesOf(app ops.App) []string {
	var out []string
	for _, r := range app.Roles {
		out = append(out, r.Name)
	}
	for _, a := range app.Accessories {
		out = append(out, a.Name)
	}
	return out
}

// moment reads --since: a span back from now, or a time.
func moment(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if days, ok := strings.CutSuffix(text, "d"); ok {
		if n, err := strconv.ParseFloat(days, 64); err == nil && n >= 0 {
			return now.Add(-time.Duration(n * 24 * float64(time.Hour))), nil
		}
	}
	if span, err := time.ParseDuration(text); err == nil && span >= 0 {
		return now.Add(-span), nil
	}
	if seconds, err := strconv.ParseInt(text, 10, 64); err == nil && seconds >= 0 {
		return time.Unix(seconds, 0), nil
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02T15:04", time.DateTime, time.DateOnly} {
		if at, err := time.ParseInLocation(layout, text, time.Local); err == nil { //nolint:gosmopolitan // as docker reads it
			return at, nil
		}
	}
	return time.Time{}, errors.New("--since " + text + ": give a span such as 90s, 10m, 1h or 2d, or a time such as 2026-05-01T12:00:00Z")
}
