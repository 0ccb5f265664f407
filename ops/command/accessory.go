package command

import (
	"path"

	"binnacle/config"
)

// Accessory builds the commands for one accessory on one host.
type Accessory struct {
	cfg  *config.Config
	acc  *config.Accessory
	host string
}

// NewAccessory is the accessory on a host, named as in deploy.yml.
func NewAccessory(cfg *config.Config, acc *config.Accessory, host string) Accessory {
	return Accessory{cfg: cfg, acc: acc, host: host}
}

// ContainerName is the container's name, which is the accessory's at the proxy
// too.
func (a Accessory) ContainerName() string { return a.acc.ServiceName() }

// Run creates and starts the container.
func (a Accessory) Run() Line {
	run := New("docker", "run", "--name", a.ContainerName(), "--detach", "--restart", a.acc.Restart(), "--network", a.acc.Network()).
		WithArgs(logArgs(a.cfg.Logging())...)
	if port := a.acc.Port(); port != "" {
		run = run.With("--publish", port)
	}
	return run.With("--env", `KAMAL_HOST="`+a.host+`"`).
		WithArgs(a.envArgs()...).
		WithArgs(a.volumeArgs()...).
		WithArgs(Argumentize("--label", a.acc.Labels(), false)...).
		WithArgs(Optionize(a.acc.Options(), false)...).
		With(a.acc.Image(), a.acc.Cmd())
}

// Start starts the stopped container.
func (a Accessory) Start() Line { return New("docker", "container", "start", a.ContainerName()) }

// Stop stops the container.
func (a Accessory) Stop() Line { return New("docker", "container", "stop", a.ContainerName()) }

// Info lists the running container.
func (a Accessory) Info() Line { return New("docker", "ps").With(a.filterArgs()...) }

// Existing prints the id of the container, running or not; nothing when there
// is none.
func (a Accessory) Existing() Line { return New("docker", "ps", "-a", "-q").With(a.filterArgs()...) }

// RunningContainerID prints the short id of the running container.
func (a Accessory) RunningContainerID() Line { return containerID(a.ContainerName(), false) }

// PullImage fetches the image.
func (a Accessory) PullImage() Line { return New("docker", "image", "pull", a.acc.Image()) }

// RemoveContainer removes the stopped container.
func (a Accessory) RemoveContainer() Line {
	return New("docker", "container", "prune", "--force").With(a.filterArgs()...)
}

// RemoveImage removes the image.
func (a Accessory) RemoveImage() Line { return New("docker", "image", "rm", "--force", a.acc.Image()) }

// RemoveServiceDirectory removes the uploaded files and the data directories.
// The data is lost.
func (a Accessory) RemoveServiceDirectory() Line { return New("rm", "-rf", a.ContainerName()) }

// Logs prints the container's log. Container is not used.
func (a Accessory) Logs(o LogOptions) Line { return o.named(a.ContainerName()) }

// ExecExisting runs a command in the container. The words go to the host's
// shell as they are.
func (a Accessory) ExecExisting(words string, o ExecOptions) Line {
	return New("docker", "exec", o.interactive()).WithArgs(Argumentize("--env", o.Env, false)...).With(a.ContainerName(), words)
}

// ExecNew runs a command in a new container with the accessory's environment,
// volumes and options.
func (a Accessory) ExecNew(words string, o ExecOptions) Line {
	return New("docker", "run", o.interactive(), "--rm", "--network", a.acc.Network()).
		WithArgs(a.envArgs()...).WithArgs(Argumentize("--env", o.Env, false)...).
		WithArgs(a.volumeArgs()...).WithArgs(Optionize(a.acc.Options(), false)...).
		With(a.acc.Image(), words)
}

// EnvDir holds the accessories' env files on the host.
func (a Accessory) EnvDir() string { return path.Join(a.cfg.EnvDirectory(), "accessories") }

// EnsureEnvDirectory makes EnvDir.
func (a Accessory) EnsureEnvDirectory() Line { return MakeDirectory(a.EnvDir()) }

// EnvFilePath is the accessory's env file on the host, mode 0600.
func (a Accessory) EnvFilePath() string { return a.acc.EnvFile() }

// SecretRefs are the variables of the env file and the secrets that fill them.
func (a Accessory) SecretRefs() []config.SecretRef { return a.acc.Env().Secrets }

// Directories are the commands that make the data directories, in order.
func (a Accessory) Directories() []Line {
	var lines []Line
	for _, mount := range a.acc.Directories() {
		host := mount.HostPath
		if !path.IsAbs(host) {
			host = "$PWD/" + host
		}
		lines = append(lines, MakeDirectory(host))
		lines = append(lines, permissions(mount, host)...)
	}
	return lines
}

// Upload is a file that an accessory gets from the project.
type Upload struct {
	// Mount says what is uploaded, and where to: Local and HostPath.
	config.Mount
	// Before are the commands to run before the upload, and After those after it.
	Before []Line
	After  []Line
}

// Uploads are the files of the accessory, in order.
func (a Accessory) Uploads() []Upload {
	var uploads []Upload
	for _, mount := range a.acc.Files() {
		uploads = append(uploads, Upload{
			Mount:  mount,
			Before: []Line{MakeParent(mount.HostPath)},
			After:  permissions(mount, mount.HostPath),
		})
	}
	return uploads
}

// ProxyDeploy sends traffic to a container by its short id. The version names
// the error pages to serve.
func (a Accessory) ProxyDeploy(version, containerID string) Line {
	return proxyDeploy(a.ContainerName(), a.acc.Proxy(), version, containerID)
}

// ProxyRemove takes the accessory out of the proxy.
func (a Accessory) ProxyRemove() Line { return proxyExec("remove", a.ContainerName()) }

// Private

func (a Accessory) filterArgs() []string {
	return []string{"--filter", "label=service=" + a.ContainerName()}
}

func (a Accessory) envArgs() []Arg {
	args := Argumentize("--env", a.acc.Env().Clear, false)
	return append(args, ArgumentizeList("--env-file", a.EnvFilePath())...)
}

func (a Accessory) volumeArgs() []Arg {
	args := ArgumentizeList("--volume", a.acc.Volumes()...)
	for _, mount := range append(a.acc.Files(), a.acc.Directories()...) {
		args = append(args, Raw("--volume"), Raw(bindMount(mount.HostPath, mount.ContainerPath, mount.Options)))
	}
	return args
}

// Helpers

func permissions(mount config.Mount, host string) []Line {
	var lines []Line
	if mount.Mode != "" {
		lines = append(lines, New("chmod", mount.Mode, host))
	}
	if mount.Owner != "" {
		lines = append(lines, New("chown", mount.Owner, host))
	}
	return lines
}
