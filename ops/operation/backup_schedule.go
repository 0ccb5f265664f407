package operation

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"binnacle/config"
	"binnacle/ops"
	"binnacle/ops/command"
)

// BackupSchedule has backups made by themselves: by cron or systemd of this
// machine, which start this program. Nothing of it stays running.
func BackupSchedule() ops.Operation {
	return ops.Operation{
		Name: "backup schedule", Group: "backup", Summary: "List, install or remove backups that run by themselves",
		Scope: ops.ScopeApp, Risk: ops.Change,
		Params: []ops.Param{
			{Name: "ACTION", Kind: ops.Text, Positional: true, Usage: "list (also when not given), install or remove"},
			whatParam("what is backed up; everything that has a schedule when not given", false),
			{Name: "cron", Kind: ops.Text, Usage: `when, as five fields: "0 2 * * *"; the configured schedule when not given`},
			{Name: "systemd", Kind: ops.Toggle, Usage: "install timers of the user's systemd instead of lines of the crontab"},
		},
		Plan: func(in ops.Input) (ops.Plan, error) {
			s := &schedule{story: newStory(in, "backup schedule"), app: string(in.App)}
			switch action := in.Params.Text("ACTION"); action {
			case "", "list":
				return s.planList()
			case "install":
				return s.planInstall()
			case "remove":
				return s.planRemove()
			default:
				return ops.Plan{}, &ops.Error{Summary: s.command, Cause: fmt.Errorf("there is no action '%s' (options: list, install, remove)", action)}
			}
		},
	}
}

// Private

// schedule is the operation while it is planned and run.
type schedule struct {
	*story
	app       string
	installed []installed // as last read
	unread    error       // why the crontab could not be read
}

// installed is one entry that starts a backup.
type installed struct {
	name string
	cron string // five fields, or what stands in their place
	by   string // "cron" or "systemd"
	file string // of a timer
}

// due is one backup with when it is to run.
type due struct {
	config.Backup
	cron config.Cron
}

func (s *schedule) planList() (ops.Plan, error) {
	if _, err := s.wanted(); err != nil {
		return ops.Plan{}, err
	}
	list := &ops.Step{ID: "list", Title: "read the crontab and the timers", Timeout: time.Minute, Run: func(ctx context.Context, r *ops.Run) error {
		if err := s.read(ctx, r); err != nil {
			return err
		}
		s.remarkUnread(r, "what it may start is not listed")
		return s.report(r)
	}}
	return s.plan(ops.Read, "scheduled backups", list), nil
}

func (s *schedule) planInstall() (ops.Plan, error) {
	all, err := s.dues()
	if err != nil {
		return ops.Plan{}, err
	}
	if s.Program == "" || s.StateDir == "" {
		return ops.Plan{}, &ops.Error{Summary: s.command, Cause: errors.New("nothing can be scheduled from here"), Hint: "run binnacle in the project's folder: a demo fleet ends with the program"}
	}
	place, by := s.intoCrontab, "cron"
	if s.Params.On("systemd") {
		place, by = s.intoTimers, "systemd"
	}
	var names []string
	var effects []ops.Effect
	for _, d := range all {
		names = append(names, d.Name)
		if strings.ContainsAny(s.shell(d), "\n\r") {
			return ops.Plan{}, &ops.Error{Summary: s.command, Cause: errors.New("a path or a variable such as PATH has a line break in it")}
		}
		next, _ := d.cron.Next(s.Now)
		effects = append(effects, ops.Effect{Label: by, Text: fmt.Sprintf("%s at %s, first %s: %s", d.Name, d.cron, atText(next), s.shell(d))})
	}
	install := &ops.Step{ID: "install", Title: "install " + joined(names), Timeout: time.Minute, Atomic: true, Run: func(ctx context.Context, r *ops.Run) error {
		if err := r.Locally(ctx, "", nil, command.New("mkdir", "-p", command.Quote(filepath.Dir(s.log(all[0].Name))))); err != nil {
			return err
		}
		if err := s.read(ctx, r); err != nil {
			return err
		}
		if err := place(ctx, r, all); err != nil {
			return err
		}
		others := func(i installed) bool { return i.by != by && slices.Contains(names, i.name) }
		if err := s.uninstall(ctx, r, others); err != nil {
			return err
		}
		if err := s.read(ctx, r); err != nil {
			return err
		}
		s.remarks(r, all)
		s.remarkUnread(r, "what it may start runs as well")
		return s.report(r)
	}}
	plan := s.plan(ops.Change, "schedule backups of "+joined(names), install)
	plan.Effects = effects
	return plan, nil
}

func (s *schedule) planRemove() (ops.Plan, error) {
	name, title := s.Params.Text(nameParam), "stop scheduled backups"
	if name != "" {
		title += " of " + name
	}
	remove := &ops.Step{ID: "remove", Title: "remove", Timeout: time.Minute, Atomic: true, Run: func(ctx context.Context, r *ops.Run) error {
		if err := s.read(ctx, r); err != nil {
			return err
		}
		ours := func(i installed) bool { return name == "" || i.name == name }
		switch found := slices.ContainsFunc(s.installed, ours); {
		case !found && s.unread != nil:
			r.Say("There was no timer to remove")
		case !found:
			r.Say("There was nothing to remove")
		}
		if err := s.uninstall(ctx, r, ours); err != nil {
			return err
		}
		if err := s.read(ctx, r); err != nil {
			return err
		}
		if errors.Is(s.unread, errUnended) {
			return s.unread // there is an entry of this app
		}
		s.remarkUnread(r, "what it may start stays")
		return s.report(r)
	}}
	return s.plan(ops.Change, title, remove), nil
}

// wanted lists the backups that were asked for by name, or all.
func (s *schedule) wanted() ([]config.Backup, error) {
	name := s.Params.Text(nameParam)
	if name == "" {
		return s.cfg.Backups(), nil
	}
	all, err := s.protectedBy(name)
	var out []config.Backup
	for _, p := range all {
		out = append(out, p.Backup)
	}
	return out, err
}

// dues are the backups to install, each with when it is to run.
func (s *schedule) dues() ([]due, error) {
	wanted, err := s.wanted()
	if err != nil {
		return nil, err
	}
	var all []due
	for _, b := range wanted {
		text := b.Schedule
		if given := s.Params.Text("cron"); given != "" {
			text = given
		}
		if text == "" {
			continue
		}
		cron, err := config.ParseCron(text)
		if err != nil {
			return nil, &ops.Error{Summary: s.command, Cause: err, Hint: `--cron "0 2 * * *" is at two every night`}
		}
		all = append(all, due{b, cron})
	}
	if len(all) == 0 {
		return nil, &ops.Error{Summary: s.command, Cause: errors.New("no schedule is configured"), Hint: `give --cron "0 2 * * *", or write schedule: in x-binnacle`}
	}
	return all, nil
}

// read finds what is installed for this app. A crontab that cannot be read, as
// where cron is forbidden, does not stand in the way of timers.
func (s *schedule) read(ctx context.Context, r *ops.Run) error {
	timers, err := s.readTimers(r)
	if err != nil {
		return err
	}
	blocks, err := s.readBlocks(ctx, r)
	if ctx.Err() != nil {
		return err
	}
	s.installed, s.unread = timers, err
	for _, b := range blocks {
		s.installed = append(s.installed, installed{name: b.name, cron: b.schedule(), by: "cron"})
	}
	slices.SortStableFunc(s.installed, func(a, b installed) int { return strings.Compare(a.name, b.name) })
	return nil
}

func (s *schedule) readBlocks(ctx context.Context, r *ops.Run) ([]cronBlock, error) {
	table, err := readCrontab(ctx, r)
	if errors.Is(err, errNoCrontab) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return table.blocks(s.app)
}

// uninstall removes the entries that are meant.
func (s *schedule) uninstall(ctx context.Context, r *ops.Run, meant func(installed) bool) error {
	var names []string
	for _, i := range s.installed {
		if !meant(i) {
			continue
		}
		if i.by == "cron" {
			names = append(names, i.name)
			continue
		}
		if err := s.removeTimer(ctx, r, i.file); err != nil {
			return err
		}
	}
	if len(names) == 0 {
		return nil
	}
	table, err := readCrontab(ctx, r)
	if err != nil {
		return err
	}
	changed, err := table.without(s.app, names)
	if err != nil {
		return err
	}
	return changed.write(ctx, r, table)
}

// words are this program's command line for a backup operation, each word quoted.
func (s *schedule) words(verb, name string) []string {
	words := append([]string{s.Program}, s.aim(s.cfg.Files()[0])...)
	return append(words, "backup", verb, name, "-y")
}

// verbs are what a scheduled run does, one after another.
func (d due) verbs() []string {
	if d.Retain == (config.Retain{}) {
		return []string{"create"}
	}
	return []string{"create", "prune"}
}

// environment is what a scheduled run needs of this one's: where programs are, and
// where this program keeps its own.
func (s *schedule) environment() config.Pairs {
	var pairs config.Pairs
	for _, name := range []string{"PATH", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_DATA_HOME"} {
		value := s.cfg.Getenv(name)
		if name == "PATH" {
			value = withoutRepeats(value)
		}
		if value != "" {
			pairs = append(pairs, config.Pair{Name: name, Value: config.StringValue(value)})
		}
	}
	return pairs
}

// shell is a scheduled run as a command for sh.
func (s *schedule) shell(d due) string {
	parts := []string{"cd " + command.Quote(s.cfg.Dir())}
	var env []string
	for _, pair := range s.environment() {
		env = append(env, pair.Name+"="+command.Quote(pair.Value.String()))
	}
	if len(env) > 0 {
		parts = append(parts, "export "+strings.Join(env, " "))
	}
	for _, verb := range d.verbs() {
		var words []string
		for _, word := range s.words(verb, d.Name) {
			words = append(words, command.Quote(word))
		}
		parts = append(parts, strings.Join(words, " "))
	}
	return "{ " + strings.Join(parts, " && ") + "; } >>" + command.Quote(s.log(d.Name)) + " 2>&1"
}

// log is the file that scheduled runs write to.
func (s *schedule) log(name string) string {
	return filepath.Join(s.StateDir, "schedule", s.app+"-"+name+".log")
}

// remarks name what this run has and a scheduled one has not.
func (s *schedule) remarks(r *ops.Run, all []due) {
	if s.cfg.Getenv("SSH_AUTH_SOCK") != "" {
		warn(r, "scheduled runs have no SSH agent: the key that reaches the hosts must be in a file and without a passphrase")
	}
	if s.cfg.Getenv("AWS_ACCESS_KEY_ID") != "" && slices.ContainsFunc(all, func(d due) bool { return d.Store.Type == config.S3Store && d.Store.AccessKey == "" }) {
		warn(r, "scheduled runs do not have this shell's AWS_ACCESS_KEY_ID: name secrets in the store, or a profile")
	}
}

// remarkUnread says what is not known, and why.
func (s *schedule) remarkUnread(r *ops.Run, so string) {
	if s.unread != nil {
		warn(r, "the crontab cannot be read, "+so+": "+s.unread.Error())
	}
}

// report tells what is installed, what is not although it has a schedule, and what
// differs from the configuration.
func (s *schedule) report(r *ops.Run) error {
	var rows []scheduleDocument
	for _, i := range s.installed {
		rows = append(rows, s.document(i, r.Now()))
	}
	for _, b := range s.cfg.Backups() {
		if b.Schedule != "" && !slices.ContainsFunc(s.installed, func(i installed) bool { return i.name == b.Name }) {
			problem := "is not installed: " + s.byHand("backup schedule install")
			if s.unread != nil {
				problem = "has no timer"
			}
			rows = append(rows, scheduleDocument{Name: b.Name, Schedule: b.Schedule, Problem: problem})
		}
	}
	if name := s.Params.Text(nameParam); name != "" {
		rows = slices.DeleteFunc(rows, func(d scheduleDocument) bool { return d.Name != name })
	}
	return r.Report(scheduleTable(rows), rows)
}

// scheduleDocument is a row of the list, as JSON.
type scheduleDocument struct {
	Name     string     `json:"name"`
	Schedule string     `json:"schedule"`
	By       string     `json:"by,omitempty"` // cron or systemd, "" when not installed
	Next     *time.Time `json:"next,omitempty"`
	Log      string     `json:"log,omitempty"`
	Problem  string     `json:"problem,omitempty"`
}

func (s *schedule) document(i installed, now time.Time) scheduleDocument {
	d := scheduleDocument{Name: i.name, Schedule: i.cron, By: i.by, Log: s.log(i.name)}
	if cron, err := config.ParseCron(i.cron); err != nil {
		d.Problem = err.Error()
	} else if next, ok := cron.Next(now); ok {
		d.Next = &next
	}
	switch b, ok := s.cfg.Backup(i.name); {
	case !ok:
		d.Problem = "is no backup of the configuration any more: " + s.byHand("backup schedule remove "+i.name)
	case b.Schedule != "" && asInstalled(b.Schedule) != i.cron:
		d.Problem = "the configuration says " + b.Schedule + ": " + s.byHand("backup schedule install "+i.name)
	}
	return d
}

// Helpers

func scheduleTable(rows []scheduleDocument) string {
	if len(rows) == 0 {
		return "No backup runs by itself"
	}
	var out strings.Builder
	w := tabwriter.NewWriter(&out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, "NAME\tSCHEDULE\tBY\tNEXT\tLOG")
	for _, d := range rows {
		next := ""
		if d.Next != nil {
			next = atText(*d.Next)
		}
		_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", d.Name, d.Schedule, d.By, next, d.Log)
	}
	_ = w.Flush()
	for _, d := range rows {
		if d.Problem != "" {
			_, _ = fmt.Fprintf(&out, "! %s: %s\n", d.Name, d.Problem)
		}
	}
	return strings.TrimRight(out.String(), "\n")
}

// asInstalled is a schedule as an entry has it.
func asInstalled(schedule string) string {
	cron, err := config.ParseCron(schedule)
	if err != nil {
		return schedule
	}
	return cron.String()
}

func atText(at time.Time) string { return at.Format("2006-01-02 15:04 MST") }

// withoutRepeats drops the folders of a search path that it has already.
func withoutRepeats(path string) string {
	var folders []string
	for _, folder := range filepath.SplitList(path) {
		if folder != "" && !slices.Contains(folders, folder) {
			folders = append(folders, folder)
		}
	}
	return strings.Join(folders, string(filepath.ListSeparator))
}
