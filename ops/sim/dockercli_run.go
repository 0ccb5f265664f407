package sim

import (
	"context"
	"fmt"
	"io"
	"math"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/docker/go-units"
	capi "github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
)

const runValued = "name network net hostname env env-file log-driver log-opt volume label restart publish expose memory cpus cpu-shares memory-swap memory-reservation user workdir entrypoint " +
	"stop-timeout stop-signal cap-add cap-drop add-host dns mount tmpfs ulimit shm-size sysctl security-opt device gpus pid ipc platform pull network-alias ip health-cmd health-interval health-retries " +
	"health-timeout health-start-period label-file cidfile runtime userns group-add pids-limit cpuset-cpus"

// runOrCreate is `docker run` and `docker container create`.
func (d dockerCommand) runOrCreate(start bool) int {
	f, err := d.flags(flagSpec{
		short:  "d=detach e=env v=volume l=label p=publish P=publish-all i=interactive t=tty u=user w=workdir h=hostname m=memory c=cpu-shares",
		valued: runValued, plain: "detach rm interactive tty init privileged read-only publish-all no-healthcheck quiet oom-kill-disable sig-proxy", stop: true,
	})
	if err != nil {
		return d.complain(125, "docker: %v.\nSee 'docker %s --help'.", err, d.name)
	}
	if len(f.words) == 0 {
		return d.usage(1)
	}
	config, hostConfig, endpoints, err := d.configFrom(f)
	if err != nil {
		return d.complain(125, "docker: %s.\nSee 'docker %s --help'.", daemonText(err), d.name)
	}
	if code := d.ensureImage(config.Image); code != 0 {
		return code
	}
	c, err := d.e.create(f.last("name"), config, hostConfig, endpoints)
	if err != nil {
		return d.runRefused(start, err)
	}
	if !start {
		d.print(c.id + "\n")
		return 0
	}
	if f.has("detach") {
		if err := d.e.start(c.id); err != nil {
			return d.runRefused(true, err)
		}
		d.print(c.id + "\n")
		return 0
	}
	return d.attached(c, f)
}

// Private

// attached runs a container in the foreground.
func (d dockerCommand) attached(c *container, f flagSet) int {
	task, ok := c.program.(*taskProgram)
	if !ok {
		if err := d.e.start(c.id); err != nil {
			return d.runRefused(true, err)
		}
		code := d.follow(c, logRequest{follow: true, tail: -1})
		if code != 0 {
			return code
		}
		exit, err := d.e.wait(d.ctx, c, "not-running")
		if err != nil {
			return 130
		}
		return exit
	}
	spec := execSpec{argv: task.argv}
	if f.has("tty") {
		spec.tty = d.tty
	}
	d.h.mu.Lock()
	c.status, c.started = capi.StateRunning, d.h.now()
	c.run++
	d.e.emit(c, "start", nil)
	d.h.mu.Unlock()
	var in io.Reader = strings.NewReader("")
	if f.has("interactive") {
		in = d.in
	}
	ctx, cancel := context.WithCancel(d.ctx)
	defer cancel()
	d.h.mu.Lock()
	c.cancelTask = cancel
	d.h.mu.Unlock()
	out, errOut := &logWriter{h: d.h, c: c}, &logWriter{h: d.h, c: c, stderr: true}
	code := d.h.runInContainer(ctx, c, spec, in, io.MultiWriter(d.out, out), io.MultiWriter(d.errOut, errOut))
	d.h.mu.Lock()
	defer d.h.mu.Unlock()
	if c.alive() {
		c.byHand = true
		d.e.endLocked(c, d.h.now(), ending{code: code})
	}
	return code
}

func (d dockerCommand) runRefused(start bool, err error) int {
	if !start {
		return d.refuse(err)
	}
	return d.complain(125, "docker: %s.\nSee 'docker run --help'.", daemonText(err))
}

// ensureImage pulls what is not there, as run and create do.
func (d dockerCommand) ensureImage(ref string) int {
	d.h.mu.Lock()
	have := d.e.imageLocked(ref) != nil
	d.h.mu.Unlock()
	if have {
		return 0
	}
	_, _ = fmt.Fprintf(d.errOut, "Unable to find image '%s' locally\n", normalRef(ref))
	if err := d.pullTo(d.errOut, ref); err != nil {
		return d.complain(125, "docker: %s.\nSee 'docker run --help'.", daemonText(err))
	}
	return 0
}

// configFrom turns flags into what the engine takes.
func (d dockerCommand) configFrom(f flagSet) (*capi.Config, *capi.HostConfig, map[string]*network.EndpointSettings, error) {
	config := &capi.Config{
		Image: f.words[0], Cmd: f.words[1:], Hostname: f.last("hostname"), User: f.last("user"), WorkingDir: f.last("workdir"),
		Tty: f.has("tty"), OpenStdin: f.has("interactive"), AttachStdout: !f.has("detach"), AttachStderr: !f.has("detach"), Labels: labelsFrom(f.values["label"]),
		StopSignal: f.last("stop-signal"),
	}
	if e := f.last("entrypoint"); e != "" {
		config.Entrypoint = []string{e}
	}
	env, err := d.envFrom(f)
	if err != nil {
		return nil, nil, nil, err
	}
	config.Env = env
	if text := f.last("stop-timeout"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			return nil, nil, nil, fmt.Errorf("invalid argument %q for \"--stop-timeout\" flag: strconv.ParseInt: parsing %q: invalid syntax", text, text)
		}
		config.StopTimeout = &n
	}
	healthFrom(f, config)
	hc := &capi.HostConfig{
		NetworkMode: capi.NetworkMode(f.last("network") + f.last("net")), AutoRemove: f.has("rm"), Privileged: f.has("privileged"), ReadonlyRootfs: f.has("read-only"),
		CapAdd: f.values["cap-add"], CapDrop: f.values["cap-drop"], ExtraHosts: f.values["add-host"], Binds: f.values["volume"],
		LogConfig: capi.LogConfig{Type: f.last("log-driver"), Config: labelsFrom(f.values["log-opt"])},
	}
	if err := limitsFrom(f, hc); err != nil {
		return nil, nil, nil, err
	}
	if err := portsFrom(f, config, hc); err != nil {
		return nil, nil, nil, err
	}
	policy, err := restartFrom(f.last("restart"))
	if err != nil {
		return nil, nil, nil, err
	}
	hc.RestartPolicy = policy
	var endpoints map[string]*network.EndpointSettings
	if name := string(hc.NetworkMode); name != "" {
		endpoints = map[string]*network.EndpointSettings{name: {Aliases: f.values["network-alias"]}}
	}
	return config, hc, endpoints, nil
}

// envFrom reads files first, then flags; a name alone takes the shell's value, if it has one.
func (d dockerCommand) envFrom(f flagSet) ([]string, error) {
	var out []string
	for _, name := range f.values["env-file"] {
		data, err := d.envFile(name)
		if err != nil {
			return nil, fmt.Errorf("open %s: %v", name, strings.ToLower(err.Error()))
		}
		for _, line := range strings.Split(string(data), "\n") {
			line = strings.TrimLeft(line, " \t")
			if line == "" || line[0] == '#' {
				continue
			}
			out = mergeEnv(out, []string{line})
		}
	}
	for _, pair := range f.values["env"] {
		if !strings.Contains(pair, "=") {
			if v := d.env.Get(pair); v.IsSet() {
				pair += "=" + v.String()
			}
		}
		out = mergeEnv(out, []string{pair})
	}
	return out, nil
}

// envFile reads a file of variables, which may be standard input.
func (d dockerCommand) envFile(name string) ([]byte, error) {
	if name == "/dev/stdin" {
		return io.ReadAll(d.in)
	}
	return d.files.readFile(d.path(name))
}

func limitsFrom(f flagSet, hc *capi.HostConfig) error {
	for _, l := range []struct {
		name string
		to   *int64
	}{{"memory", &hc.Memory}, {"memory-swap", &hc.MemorySwap}, {"memory-reservation", &hc.MemoryReservation}, {"shm-size", &hc.ShmSize}} {
		text := f.last(l.name)
		if text == "" {
			continue
		}
		n, err := units.RAMInBytes(text)
		if err != nil {
			return fmt.Errorf("invalid argument %q for \"--%s\" flag: %w", text, l.name, err)
		}
		*l.to = n
	}
	if text := f.last("cpus"); text != "" {
		n, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return fmt.Errorf("invalid argument %q for \"--cpus\" flag: failed to parse %s as a rational number", text, text)
		}
		hc.NanoCPUs = int64(math.Round(n * 1e9))
	}
	if n, err := strconv.ParseInt(f.last("cpu-shares"), 10, 64); err == nil {
		hc.CPUShares = n
	}
	if f.has("init") {
		on := true
		hc.Init = &on
	}
	return nil
}

// portsFrom reads [IP:][HOST:]CONTAINER[/PROTO] and exposed ports.
func portsFrom(f flagSet, config *capi.Config, hc *capi.HostConfig) error {
	hc.PortBindings = network.PortMap{}
	config.ExposedPorts = network.PortSet{}
	for _, text := range f.values["expose"] {
		p, err := network.ParsePort(text)
		if err != nil {
			return fmt.Errorf("invalid range format for --expose: %s, error: %w", text, err)
		}
		config.ExposedPorts[p] = struct{}{}
	}
	for _, text := range f.values["publish"] {
		rest := text
		var b network.PortBinding
		inner := rest[strings.LastIndex(rest, ":")+1:]
		rest = strings.TrimSuffix(strings.TrimSuffix(rest, inner), ":")
		if rest != "" {
			b.HostPort = rest[strings.LastIndex(rest, ":")+1:]
			ip := strings.Trim(strings.TrimSuffix(strings.TrimSuffix(rest, b.HostPort), ":"), "[]")
			if ip != "" {
				addr, err := netip.ParseAddr(ip)
				if err != nil {
					return fmt.Errorf("invalid IP address: %s", ip)
				}
				b.HostIP = addr
			}
		}
		p, err := network.ParsePort(inner)
		if err != nil {
			return fmt.Errorf("invalid containerPort: %s", inner)
		}
		hc.PortBindings[p] = append(hc.PortBindings[p], b)
		config.ExposedPorts[p] = struct{}{}
	}
	return nil
}

func healthFrom(f flagSet, config *capi.Config) {
	cmd := f.last("health-cmd")
	if cmd == "" {
		return
	}
	h := &capi.HealthConfig{Test: []string{"CMD-SHELL", cmd}}
	h.Interval, _ = time.ParseDuration(f.last("health-interval"))
	h.Timeout, _ = time.ParseDuration(f.last("health-timeout"))
	h.StartPeriod, _ = time.ParseDuration(f.last("health-start-period"))
	h.Retries, _ = strconv.Atoi(f.last("health-retries"))
	config.Healthcheck = h
}

func restartFrom(text string) (capi.RestartPolicy, error) {
	if text == "" {
		return capi.RestartPolicy{Name: "no"}, nil
	}
	name, count, counted := strings.Cut(text, ":")
	p := capi.RestartPolicy{Name: capi.RestartPolicyMode(name)}
	if counted {
		n, err := strconv.Atoi(count)
		if err != nil {
			return p, fmt.Errorf("invalid restart policy format: maximum retry count must be an integer")
		}
		p.MaximumRetryCount = n
	}
	if err := capi.ValidateRestartPolicy(p); err != nil {
		return p, &engineError{400, err.Error()}
	}
	return p, nil
}

func labelsFrom(pairs []string) map[string]string {
	out := map[string]string{}
	for _, pair := range pairs {
		k, v, _ := strings.Cut(pair, "=")
		out[k] = v
	}
	return out
}
