package operation

import (
	"context"
	"errors"
	"path/filepath"
	"strings"

	"binnacle/config/secret"
	"binnacle/ops"
	"binnacle/ops/command"
)

// Private

// intoTimers installs timers of the user's own systemd. A new one that cannot be
// started leaves no files.
func (s *schedule) intoTimers(ctx context.Context, r *ops.Run, all []due) error {
	dir, err := s.unitDir()
	if err != nil {
		return err
	}
	if err := r.Locally(ctx, "", nil, command.New("mkdir", "-p", command.Quote(dir))); err != nil {
		return err
	}
	for _, d := range all {
		if err := s.intoTimer(ctx, r, dir, d); err != nil {
			return err
		}
	}
	warn(r, "timers of a user run while that one is logged in; `loginctl enable-linger` has them run always")
	return nil
}

func (s *schedule) intoTimer(ctx context.Context, r *ops.Run, dir string, d due) error {
	timer := filepath.Join(dir, s.unit(d.Name)+".timer")
	text, missing := r.World.Local().ReadFile(timer)
	if missing == nil {
		if app, i := readTimer(string(text)); app != s.app || i.name != d.Name {
			return &ops.Error{Summary: "scheduling " + d.Name, Cause: errors.New(timer + " is of something else"), Hint: "call the backup something else in x-binnacle, or remove the file"}
		}
	}
	err := r.Locally(ctx, "", nil,
		command.New("cat", ">", command.Quote(serviceOf(timer))).WithStdin(secret.New(s.serviceUnit(d))),
		command.New("cat", ">", command.Quote(timer)).WithStdin(secret.New(s.timerUnit(d))),
		command.New("systemctl", "--user", "daemon-reload"),
		command.New("systemctl", "--user", "enable", command.Quote(filepath.Base(timer))),
		command.New("systemctl", "--user", "restart", command.Quote(filepath.Base(timer))))
	if err == nil {
		return nil
	}
	var undo error
	if missing != nil {
		undo = r.Locally(context.WithoutCancel(ctx), "", nil, command.New("rm", "-f", command.Quote(timer), command.Quote(serviceOf(timer))))
	}
	return &ops.Error{Summary: "starting the timer of " + d.Name, Cause: errors.Join(err, undo), Hint: "the user's systemd must run here; without --systemd it is cron"}
}

// readTimers finds the timers of this app.
func (s *schedule) readTimers(r *ops.Run) ([]installed, error) {
	dir, err := s.unitDir()
	if err != nil {
		return nil, nil //nolint:nilerr // without a home there are no timers
	}
	local := r.World.Local()
	files, err := local.Glob(filepath.Join(dir, s.unit("*")+".timer"))
	if err != nil {
		return nil, &ops.Error{Summary: "looking for timers in " + dir, Cause: err}
	}
	var found []installed
	for _, file := range files {
		text, err := local.ReadFile(file)
		if err != nil {
			return nil, &ops.Error{Summary: "reading a timer", Cause: err}
		}
		if app, i := readTimer(string(text)); app == s.app && i.name != "" {
			i.file = file
			found = append(found, i)
		}
	}
	return found, nil
}

// removeTimer stops a timer and removes its files.
func (s *schedule) removeTimer(ctx context.Context, r *ops.Run, timer string) error {
	return r.Locally(ctx, "", nil,
		command.New("systemctl", "--user", "disable", "--now", command.Quote(filepath.Base(timer))),
		command.New("rm", "-f", command.Quote(timer), command.Quote(serviceOf(timer))),
		command.New("systemctl", "--user", "daemon-reload"))
}

// unitDir is where the user's units are.
func (s *schedule) unitDir() (string, error) {
	if dir := s.cfg.Getenv("XDG_CONFIG_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "systemd", "user"), nil
	}
	if home := s.cfg.Getenv("HOME"); filepath.IsAbs(home) {
		return filepath.Join(home, ".config", "systemd", "user"), nil
	}
	return "", &ops.Error{Summary: s.command, Cause: errors.New("HOME is not set")}
}

// unit is the name of a backup's units. An @ would make them a template.
func (s *schedule) unit(name string) string {
	return "binnacle-" + strings.ReplaceAll(s.app, "@", ".") + "." + name
}

func (s *schedule) serviceUnit(d due) string {
	lines := []string{
		"[Unit]", "Description=Back up " + d.Name + " of " + unitText(s.app), "",
		"[Service]", "Type=oneshot", "WorkingDirectory=" + unitText(s.cfg.Dir()),
	}
	for _, pair := range s.environment() {
		lines = append(lines, "Environment="+unitWord(pair.Name+"="+pair.Value.String()))
	}
	for _, verb := range d.verbs() {
		var words []string
		for _, word := range s.words(verb, d.Name) {
			words = append(words, strings.ReplaceAll(unitWord(word), "$", "$$"))
		}
		lines = append(lines, "ExecStart="+strings.Join(words, " "))
	}
	log := unitText(s.log(d.Name))
	return strings.Join(append(lines, "StandardOutput=append:"+log, "StandardError=append:"+log), "\n") + "\n"
}

func (s *schedule) timerUnit(d due) string {
	lines := []string{"[Unit]", "Description=When " + d.Name + " of " + unitText(s.app) + " is backed up", "", "[Timer]"}
	for _, expression := range d.cron.Calendar() {
		lines = append(lines, "OnCalendar="+expression)
	}
	lines = append(lines, "Persistent=true", "", "[Install]", "WantedBy=timers.target",
		"", "[X-Binnacle]", "App="+s.app, "Name="+d.Name, "Schedule="+d.cron.String())
	return strings.Join(lines, "\n") + "\n"
}

// Helpers

// readTimer finds in a timer whose it is.
func readTimer(text string) (app string, i installed) {
	i.by = "systemd"
	for line := range strings.Lines(text) {
		switch key, value, _ := strings.Cut(strings.TrimSpace(line), "="); key {
		case "App":
			app = value
		case "Name":
			i.name = value
		case "Schedule":
			i.cron = value
		}
	}
	return app, i
}

func serviceOf(timer string) string { return strings.TrimSuffix(timer, ".timer") + ".service" }

// unitText is a text in a unit, where % begins a specifier.
func unitText(text string) string { return strings.ReplaceAll(text, "%", "%%") }

// unitWord is one quoted word in a unit.
func unitWord(text string) string {
	return `"` + unitText(strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text)) + `"`
}
