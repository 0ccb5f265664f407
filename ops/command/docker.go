package command

import (
	"path"
	"strconv"
	"strings"

	"binnacle/config"
)

// CreateNetwork creates the network that all containers share. It fails when
// there is one already, which is no reason to stop.
func CreateNetwork() Line { return New("docker", "network", "create", "kamal") }

// Installed prints the version of the Docker client; it fails without Docker.
func Installed() Line { return New("docker", "-v") }

// LocallyInstalled prints the versions of Docker and buildx.
func LocallyInstalled() Line {
	return And(New("docker", "--version"), New("docker", "buildx", "version"))
}

// Superuser succeeds for root, and for who may use sudo without a password.
func Superuser() Line { return New(`[ "${EUID:-$(id -u)}" -eq 0 ] || sudo -nl usermod >/dev/null`) }

// Root succeeds for root.
func Root() Line { return New(`[ "${EUID:-$(id -u)}" -eq 0 ]`) }

// InstallDocker fetches Docker's own installation script and runs it.
func InstallDocker() Line {
	const script = "https://get.docker.com"
	fetch := Or(New("curl", "-fsSL", script), New("wget", "-O", "-", script), New("echo", `"exit 1"`))
	return Pipe(Sh(fetch), New("sh"))
}

// InDockerGroup succeeds when the user may use Docker without being root.
func InDockerGroup() Line { return New(`id -nG "${USER:-$(id -un)}" | grep -qw docker`) }

// AddToDockerGroup lets the user use Docker from the next login on.
func AddToDockerGroup() Line { return New(`sudo -n usermod -aG docker "${USER:-$(id -un)}"`) }

// RefreshSession ends the login, so that the next one has the new group.
func RefreshSession() Line { return New("kill -HUP $PPID") }

// MakeDirectory makes a directory with its parents.
func MakeDirectory(directory string) Line { return New("mkdir", "-p", directory) }

// MakeParent makes the directory that a file lies in.
func MakeParent(file string) Line { return MakeDirectory(path.Dir(file)) }

// RemoveDirectory removes a directory and all in it.
func RemoveDirectory(directory string) Line { return New("rm", "-r", directory) }

// RemoveFile removes a file.
func RemoveFile(file string) Line { return New("rm", file) }

// EnsureRunDirectory makes Kamal's directory in the login home.
func EnsureRunDirectory(cfg *config.Config) Line { return MakeDirectory(cfg.RunDirectory()) }

// AppCount prints how many apps the host knows, which decides whether the proxy
// may be removed.
func AppCount(cfg *config.Config) Line {
	return Pipe(New("ls", path.Join(cfg.RunDirectory(), "apps")), New("wc", "-l"))
}

// Apps prints the names of the apps that the host knows.
func Apps(cfg *config.Config) Line {
	return New("ls", path.Join(cfg.RunDirectory(), "apps"), "2>", "/dev/null", "||", "true")
}

// RemoveAppDirectory removes the app's directory with env files and assets.
func RemoveAppDirectory(cfg *config.Config) Line { return RemoveDirectory(cfg.AppDirectory()) }

// FirstMirror prints the registry mirror that a host pulls through; it fails
// without one.
func FirstMirror() Line {
	return New("docker", "info", "--format", "'{{index .RegistryConfig.Mirrors 0}}'")
}

// Helpers

func containerID(name string, all bool) Line {
	list := New("docker", "container", "ls")
	if all {
		list = list.With("--all")
	}
	return list.With("--filter", "'name=^"+name+"$'", "--quiet")
}

// logArgs are the log driver and options; without either Kamal keeps 10 MB.
func logArgs(logging config.Logging) []Arg {
	if logging.Default() {
		return Argumentize("--log-opt", config.Pairs{{Name: "max-size", Value: config.StringValue("10m")}}, false)
	}
	var args []Arg
	if logging.Driver != "" {
		args = Optionize(config.Pairs{{Name: "log-driver", Value: config.StringValue(logging.Driver)}}, false)
	}
	return append(args, Argumentize("--log-opt", logging.Options, false)...)
}

// bindMount is the value of --volume for a path of the host. A relative one is
// below the login home, and Docker wants it absolute.
func bindMount(hostPath, containerPath, options string) string {
	if !path.IsAbs(hostPath) {
		hostPath = "$PWD/" + hostPath
	}
	mount := hostPath + ":" + containerPath
	if strings.TrimSpace(options) != "" {
		mount += ":" + options
	}
	return mount
}

func stopArgs(timeout *int) []string {
	if timeout == nil {
		return nil
	}
	return []string{"-t", strconv.Itoa(*timeout)}
}
