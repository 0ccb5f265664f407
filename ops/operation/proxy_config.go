package operation

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strconv"

	"binnacle/config"
	"binnacle/config/secret"
	"binnacle/ops"
	"binnacle/ops/command"
)

// ProxyBootConfig sets, shows or resets how the proxy is booted on its hosts.
// What is shown is a read.
func ProxyBootConfig() ops.Operation {
	return ops.Operation{
		Name: "proxy boot_config", Group: "proxy", Summary: "Set, get or reset how kamal-proxy is booted (deprecated: proxy/run in deploy.yml says it)",
		Scope: ops.ScopeApp, Risk: ops.Change,
		Params: []ops.Param{
			{Name: "SUBCOMMAND", Kind: ops.Text, Positional: true, Required: true, Usage: "set, get or reset"},
			{Name: "publish", Kind: ops.Toggle, Default: "true", Usage: "publish the proxy's ports on the host"},
			{Name: "publish-host-ip", Kind: ops.List, Usage: "address of the host to publish on (may be repeated); all when not given"},
			{Name: "http-port", Kind: ops.Number, Default: strconv.Itoa(config.ProxyHTTPPort), Usage: "HTTP port to publish on the host"},
			{Name: "https-port", Kind: ops.Number, Default: strconv.Itoa(config.ProxyHTTPSPort), Usage: "HTTPS port to publish on the host"},
			{Name: "log-max-size", Kind: ops.Text, Default: config.ProxyLogMaxSize, Usage: "size at which the proxy's log is cut"},
			{Name: "registry", Kind: ops.Text, Usage: "registry of the proxy's image"},
			{Name: "repository", Kind: ops.Text, Usage: "repository of the proxy's image, without its last part kamal-proxy"},
			{Name: "image-version", Kind: ops.Text, Usage: "version of the proxy"},
			{Name: "metrics-port", Kind: ops.Number, Usage: "port for Prometheus metrics"},
			{Name: "debug", Kind: ops.Toggle, Usage: "run the proxy in debug mode"},
			{Name: "docker-options", Kind: ops.List, Usage: "flags for docker run: option=value option2=value2"},
		},
		Plan: planBootConfig,
	}
}

// Private

func planBootConfig(in ops.Input) (ops.Plan, error) {
	s := newStory(in, "proxy boot_config")
	switch sub := in.Params.Text("SUBCOMMAND"); sub {
	case "set":
		settings, err := bootSettings(in.Params)
		if err != nil {
			return ops.Plan{}, err
		}
		return s.bootConfigPlan("set the proxy's boot configuration", settings.Files()), nil
	case "reset":
		return s.bootConfigPlan("reset the proxy's boot configuration", command.DefaultBootSettings().Files()), nil
	case "get":
		plan := s.plan(ops.Read, "the proxy's boot configuration", s.warnDeprecated(),
			eachHost("config", "boot configuration", s.sel.ProxyHosts(), func(host string) *ops.Step {
				return showing("kamal-proxy", command.NewProxy(s.cfg, host).BootConfig())
			}))
		plan.Version = ""
		return plan, nil
	default:
		return ops.Plan{}, &ops.Error{Summary: "proxy boot_config", Cause: fmt.Errorf("Unknown boot_config subcommand %s", sub), Hint: "give set, get or reset"} //nolint:staticcheck // Kamal's words
	}
}

// bootConfigPlan writes the files that have a text, and removes the others. As
// with Kamal it takes no lock.
func (s *story) bootConfigPlan(title string, files []command.BootContent) ops.Plan {
	hosts := s.sel.ProxyHosts()
	plan := s.plan(ops.Change, title, s.warnDeprecated(), eachHost("config", "boot configuration", hosts, func(host string) *ops.Step {
		proxy := command.NewProxy(s.cfg, host)
		lines := []command.Line{proxy.EnsureDirectory()}
		for _, f := range files {
			if f.Text == "" {
				lines = append(lines, proxy.ResetBootFile(f.Name))
			}
		}
		return &ops.Step{Title: "boot configuration", Atomic: true, Lines: lines, Run: func(ctx context.Context, r *ops.Run) error {
			return putBootConfig(ctx, r, proxy, files)
		}}
	}))
	plan.Version = ""
	plan.Effects = []ops.Effect{{Label: "to", Text: s.destinationText(), Warn: s.production()}, {Label: "hosts", Text: orNone(hosts)}}
	for _, f := range files {
		if f.Text != "" {
			plan.Effects = append(plan.Effects, ops.Effect{Label: "writes", Text: f.Name + ": " + f.Text})
		}
	}
	plan.Effects = append(plan.Effects, ops.Effect{Label: "later", Text: "the proxy that runs goes on as it is until it is rebooted"})
	return plan
}

// warnDeprecated says that deploy.yml is the place for it, and where these files
// do nothing because it says so already.
func (s *story) warnDeprecated() ops.Node {
	return &ops.Step{ID: "deprecated", Title: "deprecation", Run: func(_ context.Context, r *ops.Run) error {
		warn(r, "proxy boot_config is deprecated: set proxy/run in deploy.yml instead")
		var ignored []string
		for _, host := range s.sel.ProxyHosts() {
			if s.cfg.ProxyRun(host) != nil {
				ignored = append(ignored, host)
			}
		}
		if len(ignored) > 0 {
			warn(r, "these files do nothing on "+joined(ignored)+": proxy/run in deploy.yml decides there")
		}
		return nil
	}}
}

// Helpers

func putBootConfig(ctx context.Context, r *ops.Run, proxy command.Proxy, files []command.BootContent) error {
	if err := r.Exec(ctx, proxy.EnsureDirectory()); err != nil {
		return err
	}
	for _, f := range files {
		if f.Text == "" {
			if err := removeIfThere(ctx, r, proxy.ResetBootFile(f.Name)); err != nil {
				return err
			}
			continue
		}
		if err := r.Upload(ctx, ops.File{Path: proxy.BootFile(f.Name), Mode: 0o640, Content: secret.New(f.Text)}); err != nil {
			return err
		}
	}
	return nil
}

// bootSettings reads the flags of `proxy boot_config set`.
func bootSettings(p ops.Params) (command.BootSettings, error) {
	s := command.DefaultBootSettings()
	s.Publish, s.Debug = p.Text("publish") != "false", p.On("debug")
	s.HostIPs, s.DockerOptions = p.List("publish-host-ip"), p.List("docker-options")
	s.Registry, s.Repository, s.ImageVersion = p.Text("registry"), p.Text("repository"), p.Text("image-version")
	if size, given := p["log-max-size"]; given {
		s.LogMaxSize = size
	}
	for name, port := range map[string]*int{"http-port": &s.HTTPPort, "https-port": &s.HTTPSPort, "metrics-port": &s.MetricsPort} {
		text := p.Text(name)
		if text == "" {
			continue
		}
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 || n > 65535 {
			return s, &ops.Error{Summary: "--" + name + " " + text, Cause: errors.New("that is no port")}
		}
		*port = n
	}
	for _, ip := range s.HostIPs {
		if _, err := netip.ParseAddr(ip); err != nil {
			return s, fmt.Errorf("Invalid publish IP address: %s", ip) //nolint:staticcheck // Kamal's words
		}
	}
	return s, nil
}
