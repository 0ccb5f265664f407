package command

import (
	"cmp"

	"binnacle/config"
)

// ExecOptions say how a command is run in a container.
type ExecOptions struct {
	// Env are further variables.
	Env config.Pairs
	// Interactive keeps standard input open, and TTY adds a terminal.
	Interactive bool
	TTY         bool
	// Detach leaves the command running in a new container that stays.
	Detach bool
	// Labels mark a new container, as KEY=VALUE.
	Labels []string
	// EnvFile is read by a new container in place of the role's file on the host.
	EnvFile string
	// Bare starts a new container without the image's entrypoint.
	Bare bool
}

// ExecExisting runs a command in the container of a version. The words go to
// the host's shell as they are.
func (a App) ExecExisting(version, words string, o ExecOptions) Line {
	return New("docker", "exec", o.interactive()).WithArgs(Argumentize("--env", o.Env, false)...).
		With(a.ContainerName(version), words)
}

// ExecNew runs a command in a new container of a version, with the role's
// environment, volumes and options. The suffix of hex digits (6 in Kamal) makes
// the container's name.
func (a App) ExecNew(version, suffixHex, words string, o ExecOptions) Line {
	keep := "--rm"
	if o.Detach {
		keep = "--detach"
	}
	return New("docker", "run", o.interactive(), keep, "--name", a.ExecContainerName(version, suffixHex), "--network", "kamal").
		With(o.bare()...).WithArgs(ArgumentizeList("--label", o.Labels...)...).
		WithArgs(a.envArgsFrom(cmp.Or(o.EnvFile, a.EnvFilePath()))...).WithArgs(Argumentize("--env", o.Env, false)...).
		WithArgs(logArgs(a.role.Logging())...).WithArgs(ArgumentizeList("--volume", a.cfg.Volumes()...)...).
		WithArgs(Optionize(a.role.Options(), false)...).
		With(a.cfg.AbsoluteImage(version), words)
}

// ExecContainerName is the name of the container that ExecNew starts.
func (a App) ExecContainerName(version, suffixHex string) string {
	return a.ContainerPrefix() + "-exec-" + version + "-" + suffixHex
}

// Private

func (o ExecOptions) interactive() string {
	switch {
	case o.Interactive && o.TTY:
		return "-it"
	case o.Interactive:
		return "-i"
	default:
		return ""
	}
}

func (o ExecOptions) bare() []string {
	if o.Bare {
		return []string{"--entrypoint", "''"}
	}
	return nil
}
