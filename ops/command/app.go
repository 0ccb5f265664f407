package command

import (
	"strings"

	"binnacle/config"
)

// App builds the commands for one role's containers on one host. With a nil
// role only the service-wide commands make sense: ListContainers,
// ListContainerNames, ListImages, RemoveImages, TagLatest, the error pages and
// the app's directories.
type App struct {
	cfg  *config.Config
	role *config.Role
	host string
}

// NewApp is the role's App on a host, named as in deploy.yml.
func NewApp(cfg *config.Config, role *config.Role, host string) App {
	return App{cfg: cfg, role: role, host: host}
}

// ContainerPrefix is SERVICE-ROLE[-DESTINATION]: the start of the containers'
// names, and the role's name at the proxy.
func (a App) ContainerPrefix() string { return a.role.ContainerPrefix() }

// ContainerName is the name of the container of a version.
func (a App) ContainerName(version string) string { return a.role.ContainerName(version) }

// AssetContainerName is the container that assets are copied from.
func (a App) AssetContainerName() string { return a.ContainerPrefix() + "-assets" }

// Hostname is what a container calls itself: the start of the host's name, at
// most 51 characters, and a suffix of hex digits (12 in Kamal).
func (a App) Hostname(suffixHex string) string {
	name := []rune(a.host)
	return strings.TrimSuffix(string(name[:min(51, len(name))]), ".") + "-" + suffixHex
}

// Run starts a new container of a version. The suffix makes its hostname, see
// Hostname; without one Docker chooses.
func (a App) Run(version, hostnameSuffixHex string) Line {
	run := New("docker", "run", "--detach", "--restart", a.role.Restart(), "--name", a.ContainerName(version), "--network", "kamal")
	if hostnameSuffixHex != "" {
		run = run.With("--hostname", a.Hostname(hostnameSuffixHex))
	}
	run = run.With(
		"--env", `KAMAL_CONTAINER_NAME="`+a.ContainerName(version)+`"`,
		"--env", `KAMAL_VERSION="`+version+`"`,
		"--env", `KAMAL_HOST="`+a.host+`"`)
	if destination := a.cfg.Destination(); destination != "" {
		run = run.With("--env", `KAMAL_DESTINATION="`+destination+`"`)
	}
	run = run.WithArgs(a.envArgs()...).WithArgs(logArgs(a.role.Logging())...).WithArgs(ArgumentizeList("--volume", a.cfg.Volumes()...)...)
	if a.role.Assets() {
		run = run.With("--volume", bindMount(a.role.AssetVolumeDirectory(version), a.role.AssetPath(), a.role.AssetPathOptions()))
	}
	return run.WithArgs(Argumentize("--label", a.role.Labels(), false)...).
		WithArgs(Optionize(a.role.Options(), false)...).
		With(a.cfg.AbsoluteImage(version), a.role.Cmd())
}

// Start starts the stopped container of a version again.
func (a App) Start(version string) Line { return New("docker", "start", a.ContainerName(version)) }

// Stop stops one container by name or id. The timeout is in seconds; nil leaves
// it to Docker. See StopTimeout for the role's.
func (a App) Stop(container string, timeout *int) Line {
	return New("docker", "stop").With(stopArgs(timeout)...).With(container)
}

// StopVersion stops the container of a version, if there is one, with the
// role's timeout.
func (a App) StopVersion(version string) Line {
	return Pipe(a.ContainerIDFor(version), Xargs(New("docker", "stop").With(stopArgs(a.StopTimeout())...)))
}

// StopCurrent stops the current container, whatever its version, with the
// role's timeout.
func (a App) StopCurrent() Line {
	return Pipe(a.CurrentRunningContainerID(), Xargs(New("docker", "stop").With(stopArgs(a.StopTimeout())...)))
}

// StopTimeout is how many seconds `docker stop` waits before it kills; nil is
// Docker's default.
func (a App) StopTimeout() *int { return a.role.DockerStopTimeout() }

// StatusForVersion prints the health of a version's container, or its state
// when it has no health check.
func (a App) StatusForVersion(version string) Line {
	const format = "'{{if .State.Health}}{{.State.Health.Status}}{{else}}{{.State.Status}}{{end}}'"
	return Pipe(a.ContainerIDFor(version), Xargs(New("docker", "inspect", "--format", format)))
}

// HealthLog prints the health check results of a version's container as JSON.
func (a App) HealthLog(version string) Line {
	return Pipe(a.ContainerIDFor(version), Xargs(New("docker", "inspect", "--format", "'{{json .State.Health}}'")))
}

// ContainerIDFor prints the short id of a version's container, running or not;
// nothing when there is none.
func (a App) ContainerIDFor(version string) Line { return containerID(a.ContainerName(version), true) }

// CurrentRunningContainerID prints the id of the role's current container: the
// newest active one of the image tagged latest, else the newest active one.
func (a App) CurrentRunningContainerID() Line { return a.currentRunning("--quiet") }

// CurrentRunningVersion prints the version of the current container.
func (a App) CurrentRunningVersion() Line {
	return Pipe(a.currentRunning("--format", "'{{.Names}}'"), a.versionOfNames())
}

// ListVersions prints the versions of the role's containers in any of the given
// states, one per line; without states those of running ones.
func (a App) ListVersions(statuses ...string) Line {
	list := New("docker", "ps").With(a.FilterArgs(statuses...)...).With("--format", `"{{.Names}}"`)
	return Pipe(list, a.versionOfNames())
}

// Labels are what finds the app's containers, as `key=value`; the destination
// is there even when empty. Without a role they find those of all roles.
func (a App) Labels() []string {
	labels := []string{"service=" + a.cfg.Service(), "destination=" + a.cfg.Destination()}
	if a.role != nil {
		labels = append(labels, "role="+a.role.Name())
	}
	return labels
}

// FilterArgs are the --filter arguments for the Labels and for states.
func (a App) FilterArgs(statuses ...string) []string {
	var args []string
	for _, label := range a.Labels() {
		args = append(args, "--filter", "label="+label)
	}
	for _, status := range statuses {
		args = append(args, "--filter", "status="+status)
	}
	return args
}

// Private

// envArgs are the clear variables and the file with the secret ones.
func (a App) envArgs() []Arg { return a.envArgsFrom(a.EnvFilePath()) }

func (a App) envArgsFrom(file string) []Arg {
	args := Argumentize("--env", a.role.Env(a.host).Clear, false)
	return append(args, ArgumentizeList("--env-file", file)...)
}

func (a App) currentRunning(format ...string) Line {
	latestImage := New("docker", "image", "ls", "--filter", "reference="+a.cfg.LatestImage(), "--format", "'{{.ID}}'")
	latest := New("docker", "ps", "--latest").With(format...).With(a.FilterArgs("running", "restarting")...)
	ofImage := latest.With("--filter").WithArgs(Join(Raw("ancestor="), Substitute(latestImage)))
	return Pipe(Sh(Chain(ofImage, latest)), New("head", "-1"))
}

// versionOfNames strips the prefix from container names.
func (a App) versionOfNames() Line {
	return New("while read line; do echo ${line#" + a.ContainerPrefix() + "-}; done")
}
