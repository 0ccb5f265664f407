package live

import (
	"context"
	"strings"

	"binnacle/config"
	"binnacle/ops"
	"binnacle/ops/remote"
)

// Helpers

// describe is an app as its configuration has it.
func describe(cfg *config.Config) ops.App {
	app := ops.App{
		ID: ops.NewAppID(cfg.Service(), cfg.Destination()), Service: cfg.Service(), Destination: cfg.Destination(),
		ConfigFile: strings.Join(cfg.Files(), " + "), Repository: cfg.ImageRepository(), PrimaryHost: cfg.PrimaryHost(),
	}
	for _, r := range cfg.Roles() {
		app.Roles = append(app.Roles, ops.AppRole{Name: r.Name(), Hosts: r.Hosts(), Proxied: r.Proxied(), Primary: r.Primary()})
	}
	for _, a := range cfg.Accessories() {
		app.Accessories = append(app.Accessories, ops.AppAccessory{
			Name: a.Name(), Service: a.ServiceName(), Image: a.Image(), Hosts: a.Hosts(),
		})
	}
	return app
}

// sshSettings are the ssh and sshkit sections for the pool, keys resolved.
func sshSettings(ctx context.Context, cfg *config.Config) (remote.Settings, error) {
	ssh, kit := cfg.SSH(), cfg.SSHKit()
	s := remote.Settings{
		User: ssh.User.Value, Port: ssh.Port.Value, Proxy: ssh.Proxy.Value, ProxyCommand: ssh.ProxyCommand.Value,
		Keys: ssh.Keys.Value, ConfigFiles: ssh.ConfigFiles.Value, NoConfig: ssh.NoConfig,
		MaxConcurrentStarts: kit.MaxConcurrentStarts,
	}
	if ssh.KeysOnly.Set {
		s.KeysOnly = &ssh.KeysOnly.Value
	}
	if ssh.ForwardAgent.Set {
		s.ForwardAgent = &ssh.ForwardAgent.Value
	}
	if kit.DNSRetries > 0 {
		s.DNSRetries = &kit.DNSRetries
	}
	for _, name := range ssh.KeyData.Value {
		if strings.Contains(name, "PRIVATE KEY") {
			s.KeyData = append(s.KeyData, name) // the key itself, as older files have it
			continue
		}
		value, err := cfg.Secrets().Get(ctx, name)
		if err != nil {
			return s, &ops.Error{Summary: "ssh.key_data", Cause: err, Hint: "set the secret that it names"}
		}
		s.KeyData = append(s.KeyData, value.Reveal())
	}
	return s, nil
}
