package operation_test

import (
	"context"
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"binnacle/config"
	"binnacle/config/secret"
	"binnacle/ops"
	"binnacle/ops/opstest"
)

const scheduledConfig = demoConfig + `
accessories:
  db: { image: "postgres:16", host: vm1 }
  cache: { image: "redis:7", host: vm1 }
x-binnacle:
  backups:
    db: { schedule: 0 2 * * *, retain: { last: 3 } }
`

// schedules is a machine with a crontab, timers and somebody's environment.
type schedules struct {
	*bench
	table  string
	exists bool // whether there is a crontab
	writes int
	// transcript is what all runs wrote.
	transcript string
}

func newSchedules(t *testing.T, table, destination string) *schedules {
	t.Helper()
	return newSchedulesOf(t, scheduledConfig, table, destination)
}

func newSchedulesOf(t *testing.T, yaml, table, destination string) *schedules {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "my shop, 100%")
	write(t, filepath.Join(dir, "config", "deploy.yml"), yaml)
	write(t, filepath.Join(dir, "config", "deploy."+destination+".yml"), "service: shop\n")
	env := map[string]string{"HOME": "/home/ana", "PATH": "/usr/bin:/opt/o'b:/usr/bin"}
	cfg, _, err := config.Load(t.Context(), config.Options{Dir: dir, Version: "v1", Arch: "amd64", Destination: destination,
		Env: func(name string) (string, bool) { value, ok := env[name]; return value, ok }})
	if err != nil {
		t.Fatal(err)
	}
	s := &schedules{bench: newBenchOf(t, cfg), table: table, exists: table != ""}
	s.in.Program, s.in.StateDir = "/opt/binnacle", "/home/ana/state"
	s.world.Sources = map[string]string{}
	s.world.On("", "^crontab -l$", opstest.Reply{Answer: func(context.Context, string) (string, error) {
		if !s.exists {
			return "", &ops.ExitError{Code: 1, Output: "no crontab for ana"}
		}
		return s.table, nil
	}})
	s.world.On("", "^crontab -$", opstest.Reply{Answer: func(context.Context, string) (string, error) {
		s.table, s.exists = s.stdin("crontab -"), true
		s.writes++
		return "", nil
	}})
	s.world.On("", "^crontab -r$", opstest.Reply{Answer: func(context.Context, string) (string, error) { s.table, s.exists = "", false; return "", nil }})
	s.world.On("", "^cat > ", opstest.Reply{Answer: func(_ context.Context, what string) (string, error) {
		s.world.Sources[strings.Trim(strings.TrimPrefix(what, "cat > "), "'")] = s.stdin(what)
		return "", nil
	}})
	s.world.On("", "^rm -f ", opstest.Reply{Answer: func(_ context.Context, what string) (string, error) {
		for _, path := range strings.Fields(strings.TrimPrefix(what, "rm -f ")) {
			delete(s.world.Sources, path)
		}
		return "", nil
	}})
	return s
}

func (s *schedules) stdin(what string) string {
	for _, run := range slices.Backward(s.world.Locally()) {
		if run.What == what {
			return run.Stdin.Reveal()
		}
	}
	return ""
}

// run runs `backup schedule` and returns what it reports, and how it failed.
func (s *schedules) run(params ...string) (rows []map[string]any, failure string) {
	s.t.Helper()
	plan := s.plan("backup schedule", params...)
	store := ops.NewStore(s.t.Context())
	engine := ops.NewEngine(s.world, store, ops.Journals{}, nil, ops.Identity{})
	tail := store.Tail()
	if err := engine.Start(s.t.Context(), "01SCHEDULE", plan); err != nil {
		s.t.Fatal(err)
	}
	engine.Close()
	store.Close()
	for {
		events, ok := tail.Next(s.t.Context())
		if !ok {
			return rows, failure
		}
		for _, e := range events {
			switch e := e.(type) {
			case ops.LineWritten:
				s.transcript += e.Text + "\n"
			case ops.Noticed:
				s.transcript += e.Text + "\n"
			case ops.ResultWritten:
				if err := json.Unmarshal(e.Data, &rows); err != nil {
					s.t.Fatal(err)
				}
			case ops.TaskFinished:
				failure = strings.Join(texts(e.Errors), "\n")
			}
		}
	}
}

func (s *schedules) mustRun(params ...string) []map[string]any {
	s.t.Helper()
	rows, failure := s.run(params...)
	if failure != "" {
		s.t.Fatal(failure)
	}
	return rows
}

const othersTable = "MAILTO=ana\n#\tmine, 5%\n\n*/5 * * * * sync --password=hunter2  \n# binnacle: other db\n1 1 * * * x\n# end of binnacle: other db\n"

func TestScheduleInstallsOnceAndRemovesWithoutATrace(t *testing.T) {
	for _, before := range []string{"", othersTable} {
		s := newSchedules(t, before, "")
		rows := s.mustRun("ACTION", "install")
		dir := strings.ReplaceAll(s.cfg.Dir(), "%", `\%`)
		want := before + "# binnacle: shop db\n" +
			"0 2 * * * { cd '" + dir + `' && export PATH='/usr/bin:/opt/o'\''b' && /opt/binnacle backup create db -y && /opt/binnacle backup prune db -y; }` +
			" >>/home/ana/state/schedule/shop-db.log 2>&1\n# end of binnacle: shop db\n"
		if s.table != want {
			t.Fatalf("crontab\n%s\nwant\n%s", s.table, want)
		}
		if len(rows) != 1 || rows[0]["name"] != "db" || rows[0]["by"] != "cron" || rows[0]["next"] != "2026-01-03T02:00:00Z" || rows[0]["problem"] != nil {
			t.Errorf("reports %v", rows)
		}
		s.mustRun("ACTION", "install", "NAME", "db")
		if s.table != want || s.writes != 1 {
			t.Errorf("installed twice, in %d writes:\n%s", s.writes, s.table)
		}
		s.mustRun("ACTION", "remove")
		if s.table != before || s.exists != (before != "") {
			t.Errorf("removed:\n%q\nwant\n%q", s.table, before)
		}
	}
}

func TestScheduleOfADestinationStandsApart(t *testing.T) {
	s := newSchedules(t, "# binnacle: shop db\n0 1 * * * theirs\n# end of binnacle: shop db\n", "staging")
	s.mustRun("ACTION", "install", "NAME", "cache", "cron", "15 3 * * sun")
	if !strings.Contains(s.table, "# binnacle: shop@staging cache\n15 3 * * sun { cd ") || !strings.Contains(s.table, "/opt/binnacle -d staging backup create cache -y; }") {
		t.Errorf("crontab\n%s", s.table)
	}
	s.mustRun("ACTION", "remove")
	if s.table != "# binnacle: shop db\n0 1 * * * theirs\n# end of binnacle: shop db\n" {
		t.Errorf("took the other destination's: %q", s.table)
	}
}

func TestScheduleReplacesInItsPlace(t *testing.T) {
	s := newSchedules(t, "a\n# binnacle: shop db\n0 1 * * * old\n# end of binnacle: shop db\nb", "")
	s.mustRun("ACTION", "install", "cron", "0 4 * * *", "NAME", "db")
	if !strings.HasPrefix(s.table, "a\n# binnacle: shop db\n0 4 * * * { cd ") || !strings.HasSuffix(s.table, "# end of binnacle: shop db\nb") {
		t.Errorf("crontab\n%s", s.table)
	}
}

func TestScheduleListsWhatIsNotAsItShouldBe(t *testing.T) {
	s := newSchedules(t, "# binnacle: shop old\n0 1 * * * x\n# end of binnacle: shop old\n", "")
	rows := s.mustRun()
	if len(rows) != 2 || !strings.Contains(rows[0]["problem"].(string), "no backup of the configuration") || rows[1]["problem"] != "is not installed: binnacle backup schedule install" {
		t.Errorf("lists %v", rows)
	}
	if s.writes != 0 {
		t.Error("a list wrote the crontab")
	}
	s.mustRun("ACTION", "install", "NAME", "db", "cron", "0 5 * * *")
	if rows := s.mustRun("NAME", "db"); len(rows) != 1 || rows[0]["problem"] != "the configuration says 0 2 * * *: binnacle backup schedule install db" {
		t.Errorf("lists %v", rows)
	}
}

func TestScheduleNeverWritesWhatItCouldNotRead(t *testing.T) {
	tests := []struct {
		name, table string
		fails       *ops.ExitError
		want        string
	}{
		{"no program", "", &ops.ExitError{Code: 127, Output: "sh: crontab: not found"}, "no crontab program on this machine (install cron, or use --systemd)"},
		{"not allowed", "", &ops.ExitError{Code: 1, Output: "You (ana) are not allowed to use this program (crontab)"}, "not allowed"},
		{"without an end", "# binnacle: shop db\n0 1 * * * x\nmine\n", nil, "has no end"},
		{"an entry within an entry", "# binnacle: shop db\n# binnacle: shop cache\n# end of binnacle: shop cache\n", nil, "has no end"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := newSchedules(t, test.table, "")
			if test.fails != nil {
				s.world.On("", "^crontab -l$", opstest.Reply{Err: test.fails})
			}
			if _, failure := s.run("ACTION", "install"); !strings.Contains(failure, test.want) {
				t.Errorf("fails with %q", failure)
			}
			if s.writes != 0 || s.table != test.table {
				t.Errorf("wrote %q", s.table)
			}
		})
	}
}

func TestScheduleKeepsTheCrontabOutOfTheTranscript(t *testing.T) {
	s := newSchedules(t, othersTable, "")
	s.mustRun("ACTION", "install")
	if !strings.Contains(s.transcript, "crontab -\n") || strings.Contains(s.transcript, "hunter2") {
		t.Errorf("says %q", s.transcript)
	}
	for _, call := range s.world.Asked("") {
		if strings.Contains(call, "hunter2") {
			t.Errorf("runs %q", call)
		}
	}
}

func TestScheduleByTimersTakesTheCrontabsPlace(t *testing.T) {
	s := newSchedules(t, othersTable, "")
	s.mustRun("ACTION", "install")
	rows := s.mustRun("ACTION", "install", "systemd", "true")
	if s.table != othersTable {
		t.Errorf("both run: %s", s.table)
	}
	if len(rows) != 1 || rows[0]["by"] != "systemd" || rows[0]["next"] != "2026-01-03T02:00:00Z" {
		t.Errorf("reports %v", rows)
	}
	const units = "/home/ana/.config/systemd/user/binnacle-shop.db"
	dir := strings.ReplaceAll(s.cfg.Dir(), "%", "%%")
	service := "[Unit]\nDescription=Back up db of shop\n\n[Service]\nType=oneshot\nWorkingDirectory=" + dir + "\nEnvironment=\"PATH=/usr/bin:/opt/o'b\"\n" +
		`ExecStart="/opt/binnacle" "backup" "create" "db" "-y"` + "\n" + `ExecStart="/opt/binnacle" "backup" "prune" "db" "-y"` +
		"\nStandardOutput=append:/home/ana/state/schedule/shop-db.log\nStandardError=append:/home/ana/state/schedule/shop-db.log\n"
	if got := s.world.Sources[units+".service"]; got != service {
		t.Errorf("service\n%s\nwant\n%s", got, service)
	}
	if got := s.world.Sources[units+".timer"]; !strings.Contains(got, "\nOnCalendar=*-*-* 02:00:00\nPersistent=true\n") {
		t.Errorf("timer\n%s", got)
	}
	if asked := strings.Join(s.world.Asked(""), "\n"); !strings.Contains(asked, "systemctl --user daemon-reload\nsystemctl --user enable binnacle-shop.db.timer\nsystemctl --user restart binnacle-shop.db.timer") {
		t.Errorf("asked\n%s", asked)
	}
	if rows := s.mustRun("ACTION", "remove", "NAME", "db"); len(s.world.Sources) != 0 || len(rows) != 1 || rows[0]["by"] != nil {
		t.Errorf("left %v, %v", s.world.Sources, rows)
	}
}

// Where cron is forbidden, what is in a crontab still runs.
func TestTimersDoWithoutACrontabThatCannotBeRead(t *testing.T) {
	tests := []struct {
		name, table, remark string
		fails               *ops.ExitError
		unremoved           string
	}{
		{"no program", "", "", &ops.ExitError{Code: 127, Output: "sh: crontab: not found"}, ""},
		{"not allowed", "", "You (ana) are not allowed to use this program (crontab)", &ops.ExitError{Code: 1, Output: "You (ana) are not allowed to use this program (crontab)"}, ""},
		{"no directory", "", "/var/spool/cron: Permission denied", &ops.ExitError{Code: 2, Output: "/var/spool/cron: Permission denied"}, ""},
		{"without an end", "# binnacle: shop cache\n0 1 * * * x\nmine\n", "has no end", nil, "has no end"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := newSchedules(t, test.table, "")
			if test.fails != nil {
				s.world.On("", "^crontab -l$", opstest.Reply{Err: test.fails})
			}
			remarked := func(so string) {
				t.Helper()
				want := "warning: the crontab cannot be read, what it may start " + so + ": "
				if test.remark == "" && strings.Contains(s.transcript, "warning: the crontab") {
					t.Errorf("says %q", s.transcript)
				}
				if test.remark != "" && (!strings.Contains(s.transcript, want) || !strings.Contains(s.transcript, test.remark)) {
					t.Errorf("says %q, want %q", s.transcript, want)
				}
				if strings.Contains(s.transcript, "use --systemd") {
					t.Errorf("advises what was done: %q", s.transcript)
				}
				s.transcript = ""
			}
			if rows := s.mustRun("ACTION", "install", "systemd", "true"); len(rows) != 1 || rows[0]["by"] != "systemd" || rows[0]["problem"] != nil {
				t.Errorf("reports %v", rows)
			}
			remarked("runs as well")
			if rows := s.mustRun(); len(rows) != 1 || rows[0]["by"] != "systemd" {
				t.Errorf("lists %v", rows)
			}
			remarked("is not listed")
			_, failure := s.run("ACTION", "remove")
			if len(s.world.Sources) != 0 || (failure == "") != (test.unremoved == "") || !strings.Contains(failure, test.unremoved) {
				t.Errorf("removing fails with %q and leaves %v", failure, s.world.Sources)
			}
			if test.unremoved == "" {
				remarked("stays")
			}
			if s.writes != 0 || s.table != test.table {
				t.Errorf("wrote %q", s.table)
			}
			if _, failure := s.run("ACTION", "install"); failure == "" || test.fails != nil && !strings.Contains(failure, "--systemd") {
				t.Errorf("by cron it fails with %q", failure)
			}
		})
	}
}

func TestAScheduleIsInstalledAsEveryCronReadsIt(t *testing.T) {
	s := newSchedulesOf(t, strings.ReplaceAll(scheduledConfig, "0 2 * * *", "5/15 2/6 * * *"), "", "")
	rows := s.mustRun("ACTION", "install")
	if !strings.Contains(s.table, "# binnacle: shop db\n5-59/15 2-23/6 * * * { cd ") {
		t.Errorf("crontab\n%s", s.table)
	}
	if len(rows) != 1 || rows[0]["schedule"] != "5-59/15 2-23/6 * * *" || rows[0]["problem"] != nil {
		t.Errorf("reports %v", rows)
	}
}

func TestATimerOfAnotherIsLeftAlone(t *testing.T) {
	s := newSchedules(t, "", "")
	const file, text = "/home/ana/.config/systemd/user/binnacle-shop.db.timer", "[X-Binnacle]\nApp=other\nName=db\n"
	s.world.Sources[file] = text
	if _, failure := s.run("ACTION", "install", "systemd", "true"); !strings.Contains(failure, "is of something else") || s.world.Sources[file] != text {
		t.Errorf("fails with %q, left %q", failure, s.world.Sources[file])
	}
	if rows := s.mustRun(); len(rows) != 1 || rows[0]["by"] != nil {
		t.Errorf("lists %v", rows)
	}
}

func TestATimerThatDoesNotStartLeavesNothing(t *testing.T) {
	s := newSchedules(t, "", "")
	s.world.On("", "^systemctl --user enable", opstest.Reply{Err: &ops.ExitError{Code: 1, Output: "Failed to connect to bus: No medium found"}})
	if _, failure := s.run("ACTION", "install", "systemd", "true"); !strings.Contains(failure, "Failed to connect to bus") || len(s.world.Sources) != 0 {
		t.Errorf("fails with %q, left %v", failure, s.world.Sources)
	}
}

func TestScheduleRefusesWhatCannotBeScheduled(t *testing.T) {
	s := newSchedules(t, "", "")
	for want, params := range map[string][]string{
		"there is no action 'add'":           {"ACTION", "add"},
		"no schedule is configured":          {"ACTION", "install", "NAME", "cache"},
		`"61" is not between 0 and 59`:       {"ACTION", "install", "cron", "61 2 * * *"},
		"no backup by the name of 'nothing'": {"ACTION", "install", "NAME", "nothing"},
	} {
		if _, err := s.tryPlan("backup schedule", params...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v, want %s", params, err, want)
		}
	}
	s.in.Program = ""
	if _, err := s.tryPlan("backup schedule", "ACTION", "install"); err == nil || !strings.Contains(err.Error(), "nothing can be scheduled from here") {
		t.Errorf("without a program: %v", err)
	}
}

func TestAnotherConfigurationFileIsNamed(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "other.yml"), scheduledConfig)
	cfg, _, err := config.Load(t.Context(), config.Options{Dir: dir, File: "other.yml", Version: "v1", Arch: "amd64", Redactor: new(secret.Redactor),
		Env: func(string) (string, bool) { return "", false }})
	if err != nil {
		t.Fatal(err)
	}
	b := newBenchOf(t, cfg)
	b.in.Program, b.in.StateDir = "/opt/binnacle", "/state"
	plan := b.plan("backup schedule", "ACTION", "install")
	if text := plan.Effects[0].Text; !strings.Contains(text, "/opt/binnacle -c "+filepath.Join(dir, "other.yml")+" backup create db") {
		t.Errorf("would run %s", text)
	}
}
