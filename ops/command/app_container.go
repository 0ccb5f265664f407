package command

// RenameContainer gives the container of one version the name of another.
func (a App) RenameContainer(from, to string) Line {
	return New("docker", "rename", a.ContainerName(from), a.ContainerName(to))
}

// RemoveContainer removes the stopped container of a version.
func (a App) RemoveContainer(version string) Line {
	return Pipe(a.ContainerIDFor(version), Xargs(New("docker", "container", "rm")))
}

// RemoveContainers removes all stopped containers of the role.
func (a App) RemoveContainers() Line {
	return New("docker", "container", "prune", "--force").With(a.FilterArgs()...)
}

// Info lists the running containers of the role.
func (a App) Info() Line { return New("docker", "ps").With(a.FilterArgs()...) }

// ListContainers lists all containers, stopped ones too.
func (a App) ListContainers() Line {
	return New("docker", "container", "ls", "--all").With(a.FilterArgs()...)
}

// ListContainerNames prints the names of all containers.
func (a App) ListContainerNames() Line { return a.ListContainers().With("--format", "'{{ .Names }}'") }

// ListImages lists the app's images on the host.
func (a App) ListImages() Line { return New("docker", "image", "ls", a.cfg.ImageRepository()) }

// RemoveImages removes all images of the service that no container uses.
func (a App) RemoveImages() Line {
	return New("docker", "image", "prune", "--all", "--force", "--filter", "label=service="+a.cfg.Service())
}

// TagLatest moves the latest tag to a version, which makes it the current one.
func (a App) TagLatest(version string) Line {
	return New("docker", "tag", a.cfg.AbsoluteImage(version), a.cfg.LatestImage())
}

// LogOptions choose lines of a container's log; empty fields choose nothing.
type LogOptions struct {
	// Container is a name or id; empty for the role's current container.
	Container string
	// Timestamps puts Docker's time before each line.
	Timestamps bool
	// Since is a time or an age such as 10m.
	Since string
	// Lines is how many lines from the end, or "all".
	Lines string
	// Grep is a pattern for grep, and GrepOptions are further words for it.
	Grep        string
	GrepOptions string
	// Follow keeps printing until it is stopped.
	Follow bool
}

// Logs prints a container's log, both streams on standard output.
func (a App) Logs(o LogOptions) Line {
	container := a.CurrentRunningContainerID()
	if o.Container != "" {
		container = Sh(New("echo", Quote(o.Container)))
	}
	logs := Xargs(New("docker", "logs").With(o.args()...).With("2>&1"))
	return o.grep(Pipe(container, logs))
}

// Private

func (o LogOptions) args() []string {
	var args []string
	if o.Timestamps {
		args = append(args, "--timestamps")
	}
	if o.Since != "" {
		args = append(args, "--since", Quote(o.Since))
	}
	if o.Lines != "" {
		args = append(args, "--tail", Quote(o.Lines))
	}
	if o.Follow {
		args = append(args, "--follow")
	}
	return args
}

// named is the log of a container by name, in the order of words that Kamal
// uses for the proxy and for accessories.
func (o LogOptions) named(container string) Line {
	logs := New("docker", "logs", container)
	if o.Since != "" {
		logs = logs.With("--since", Quote(o.Since))
	}
	if o.Lines != "" && !o.Follow {
		logs = logs.With("--tail", Quote(o.Lines))
	}
	if o.Timestamps {
		logs = logs.With("--timestamps")
	}
	if o.Follow {
		lines := o.Lines
		if lines == "" {
			lines = "10"
		}
		logs = logs.With("--tail", Quote(lines), "--follow")
	}
	return o.grep(logs.With("2>&1"))
}

// grep filters a log. One that is followed comes line by line, for grep keeps
// back what it does not write to a terminal.
func (o LogOptions) grep(logs Line) Line {
	if o.Grep == "" {
		return logs
	}
	filter := New("grep")
	if o.Follow {
		filter = filter.With("--line-buffered")
	}
	return Pipe(logs, filter.With("'"+inSingleQuotes(o.Grep)+"'", o.GrepOptions))
}
