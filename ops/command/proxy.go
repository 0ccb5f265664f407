package command

import (
	"net/netip"
	"path"
	"strconv"

	"binnacle/config"
)

// Proxy builds the commands for kamal-proxy itself on one host.
type Proxy struct {
	cfg *config.Config
	run *config.ProxyRun
}

// NewProxy is the proxy of a host, named as in deploy.yml.
func NewProxy(cfg *config.Config, host string) Proxy { return Proxy{cfg: cfg, run: cfg.ProxyRun(host)} }

// ContainerName is the proxy's container.
func (p Proxy) ContainerName() string { return config.ProxyContainer }

// Image is the proxy's image where deploy.yml says it under proxy/run; "" where
// the boot config files on the host decide.
func (p Proxy) Image() string {
	if p.run == nil {
		return ""
	}
	return p.run.Image()
}

// Run creates and starts the proxy, as deploy.yml says under proxy/run, else as
// the boot config files on the host say.
func (p Proxy) Run() Line {
	if p.run == nil {
		return Pipe(p.BootConfig(), Xargs(p.dockerRun()))
	}
	run := p.dockerRun()
	if p.run.Publish {
		run = run.With(publishArgs(p.run.HTTPPort, p.run.HTTPSPort, p.run.BindIPs)...)
	}
	if p.run.LogMaxSize != "" {
		run = run.With("--log-opt", "max-size="+p.run.LogMaxSize)
	}
	if p.run.MetricsPort != 0 {
		run = run.With("--expose=" + strconv.Itoa(p.run.MetricsPort))
	}
	run = run.WithArgs(Optionize(p.run.Options, false)...).With(p.run.Image(), "kamal-proxy", "run")
	return run.WithArgs(runFlags(p.run.Debug, p.run.MetricsPort)...)
}

// StartOrRun starts the proxy's container, or runs a new one.
func (p Proxy) StartOrRun() Line { return Or(p.Start(), p.Run()) }

// Start starts the stopped container.
func (p Proxy) Start() Line { return New("docker", "container", "start", config.ProxyContainer) }

// Stop stops the container.
func (p Proxy) Stop() Line { return New("docker", "container", "stop", config.ProxyContainer) }

// Info lists the running container.
func (p Proxy) Info() Line {
	return New("docker", "ps", "--filter", "'name=^"+config.ProxyContainer+"$'")
}

// List prints what the proxy serves, one service per line.
func (p Proxy) List() Line { return proxyExec("list") }

// Version prints the tag of the image that the proxy runs.
func (p Proxy) Version() Line {
	image := New("docker", "inspect", config.ProxyContainer, "--format", "'{{.Config.Image}}'")
	return Pipe(image, New("awk", "-F:", "'{print $NF}'"))
}

// Logs prints the proxy's log. Container is not used.
func (p Proxy) Logs(o LogOptions) Line { return o.named(config.ProxyContainer) }

// RemoveContainer removes the stopped container.
func (p Proxy) RemoveContainer() Line {
	return New("docker", "container", "prune", "--force", "--filter", titleFilter(config.ProxyContainer))
}

// RemoveImage removes the proxy's images.
func (p Proxy) RemoveImage() Line {
	return New("docker", "image", "prune", "--all", "--force", "--filter", titleFilter(config.ProxyContainer))
}

// CleanUpTraefik removes the proxy of Kamal 1.
func (p Proxy) CleanUpTraefik() Line {
	filter := titleFilter("Traefik")
	return Chain(New("docker", "container", "stop", "traefik"), And(
		New("docker", "container", "prune", "--force", "--filter", filter),
		New("docker", "image", "prune", "--all", "--force", "--filter", filter)))
}

// EnsureAppsConfigDirectory makes the directory that the proxy's container
// mounts for certificates and error pages.
func (p Proxy) EnsureAppsConfigDirectory() Line { return MakeDirectory(p.appsDirectory()) }

// EnsureDirectory makes the proxy's directory.
func (p Proxy) EnsureDirectory() Line { return MakeDirectory(p.directory()) }

// RemoveDirectory removes the proxy's directory.
func (p Proxy) RemoveDirectory() Line { return RemoveDirectory(p.directory()) }

// Private

func (p Proxy) directory() string { return path.Join(p.cfg.RunDirectory(), "proxy") }

func (p Proxy) appsDirectory() string { return path.Join(p.directory(), "apps-config") }

func (p Proxy) dockerRun() Line {
	return New("docker", "run", "--name", config.ProxyContainer, "--network", "kamal", "--detach", "--restart", "unless-stopped",
		"--volume", "kamal-proxy-config:/home/kamal-proxy/.config/kamal-proxy",
		"--volume", bindMount(p.appsDirectory(), "/home/kamal-proxy/.apps-config", ""))
}

// Helpers

func titleFilter(title string) string { return "label=org.opencontainers.image.title=" + title }

// publishArgs publish the proxy's ports on addresses of the host; none means
// all.
func publishArgs(httpPort, httpsPort int, addresses []string) []string {
	if len(addresses) == 0 {
		addresses = []string{""}
	}
	var args []string
	for _, address := range addresses {
		if address != "" {
			address = bracketed(address) + ":"
		}
		args = append(args,
			"--publish", address+strconv.Itoa(httpPort)+":"+strconv.Itoa(config.ProxyHTTPPort),
			"--publish", address+strconv.Itoa(httpsPort)+":"+strconv.Itoa(config.ProxyHTTPSPort))
	}
	return args
}

func bracketed(address string) string {
	if ip, err := netip.ParseAddr(address); err == nil && ip.Is6() {
		return "[" + address + "]"
	}
	return address
}

func runFlags(debug bool, metricsPort int) []Arg {
	var options config.Pairs
	if debug {
		options = append(options, config.Pair{Name: "debug", Value: config.BoolValue(true)})
	}
	if metricsPort != 0 {
		options = append(options, config.Pair{Name: "metrics-port", Value: config.IntValue(int64(metricsPort))})
	}
	return Optionize(options, false)
}
