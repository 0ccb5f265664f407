package command

import (
	"path"
	"strconv"
	"strings"
	"time"

	"binnacle/config"
	"binnacle/config/secret"
)

// HookPath is the file of a hook, relative to the project unless absolute. The
// hook runs when the file exists.
func HookPath(cfg *config.Config, hook string) string { return path.Join(cfg.HooksPath(), hook) }

// Hook runs a hook in the project's directory.
func Hook(cfg *config.Config, hook string) Line {
	file := HookPath(cfg, hook)
	if !strings.Contains(file, "/") || strings.HasPrefix(file, "-") {
		file = "./" + file
	}
	return New(Quote(file))
}

// HookGetsSecrets tells whether a hook's environment holds all secrets.
func HookGetsSecrets(hook string) bool {
	switch hook {
	case "pre-connect", "pre-deploy", "post-deploy":
		return true
	default:
		return false
	}
}

// HookDetails are what a hook learns about the run.
type HookDetails struct {
	RecordedAt time.Time
	Performer  string
	Version    string
	// Hosts are those of the run, or of the group that boots.
	Hosts []string
	// Roles are those that were asked for; nil when none were.
	Roles []string
	// Locked tells whether the deploy lock is held now.
	Locked bool
	// Command and Subcommand are the outermost command's words.
	Command    string
	Subcommand string
	// Runtime is given to post-deploy only; nil otherwise.
	Runtime *time.Duration
}

// Env are the hook's variables on top of the inherited ones. A secret beats a
// detail of the same name, as in Kamal; see HookGetsSecrets for when to give any.
func (d HookDetails) Env(cfg *config.Config, secrets []secret.Entry) map[string]secret.Value {
	env := map[string]secret.Value{}
	set := func(name, value string) { env["KAMAL_"+name] = secret.New(value) }
	set("RECORDED_AT", timestamp(d.RecordedAt))
	set("PERFORMER", d.Performer)
	if cfg.Destination() != "" {
		set("DESTINATION", cfg.Destination())
	}
	set("VERSION", d.Version)
	set("SERVICE_VERSION", cfg.ServiceVersion(d.Version))
	set("SERVICE", cfg.Service())
	set("HOSTS", strings.Join(d.Hosts, ","))
	if d.Roles != nil {
		set("ROLES", strings.Join(d.Roles, ","))
	}
	set("LOCK", strconv.FormatBool(d.Locked))
	set("COMMAND", d.Command)
	if d.Subcommand != "" {
		set("SUBCOMMAND", d.Subcommand)
	}
	if d.Runtime != nil {
		set("RUNTIME", strconv.Itoa(int(d.Runtime.Round(time.Second)/time.Second)))
	}
	for _, entry := range secrets {
		env[entry.Name] = entry.Value
	}
	return env
}
