package operation

import (
	"context"
	"strings"
	"time"

	"binnacle/config"
	"binnacle/config/secret"
	"binnacle/ops"
	"binnacle/ops/command"
)

// bootAccessories boots all accessories in file order, the hosts of one side
// by side. A host that has a container of it already, stopped ones too, keeps it.
func (s *story) bootAccessories() ops.Node {
	g := ops.InSequence("accessories", "accessories")
	for _, acc := range s.cfg.Accessories() {
		hosts := s.sel.AccessoryHostsFor(acc)
		if len(hosts) == 0 {
			continue
		}
		g.Nodes = append(g.Nodes, eachHost(acc.Name(), acc.Name()+" "+acc.Image(), hosts, func(host string) *ops.Step {
			builder := command.NewAccessory(s.cfg, acc, host)
			return &ops.Step{
				Title: acc.Name(), Timeout: 30 * time.Minute, Lines: []command.Line{builder.Run()},
				Run: func(ctx context.Context, r *ops.Run) error { return s.bootAccessory(ctx, r, acc, builder) },
			}
		}))
	}
	return g
}

// Private

func (s *story) bootAccessory(ctx context.Context, r *ops.Run, acc *config.Accessory, builder command.Accessory) error {
	existing, err := r.Docker().ListContainers(ctx, "service="+acc.ServiceName())
	if err != nil {
		return &ops.Error{Host: r.Host, Command: builder.Existing().String(), Cause: err}
	}
	if err := r.Exec(ctx, builder.Directories()...); err != nil {
		return err
	}
	for _, upload := range builder.Uploads() {
		if err := s.putAccessoryFile(ctx, r, acc, upload); err != nil {
			return err
		}
	}
	if len(existing) > 0 {
		r.Say("Skipping booting `%s` on %s, a container already exists", acc.Name(), r.Host)
		r.Note("already there (%s)", existing[0].State)
		return nil
	}
	return s.runAccessory(ctx, r, acc, builder)
}

func (s *story) runAccessory(ctx context.Context, r *ops.Run, acc *config.Accessory, builder command.Accessory) error {
	registry := s.cfg.Registry()
	if own := acc.Registry(); own != nil {
		registry = *own
	}
	if err := s.login(ctx, r, registry); err != nil {
		return err
	}
	if err := ensureNetwork(ctx, r); err != nil {
		return err
	}
	entries, err := acc.Env().Resolve(ctx, s.cfg.Secrets())
	if err != nil {
		return &ops.Error{Summary: "secrets of accessory " + acc.Name(), Cause: err}
	}
	if err := r.Exec(ctx, s.audit(r.Now(), "", "Booted %s accessory", acc.Name()), builder.EnsureEnvDirectory()); err != nil {
		return err
	}
	if err := r.Upload(ctx, ops.File{Path: builder.EnvFilePath(), Mode: 0o600, Content: command.EnvFile(entries)}); err != nil {
		return err
	}
	id, err := r.Capture(ctx, builder.Run())
	if err != nil {
		return err
	}
	if acc.Proxied() {
		return r.Exec(ctx, builder.ProxyDeploy(s.version, short(lastLine(id))))
	}
	return nil
}

func (s *story) putAccessoryFile(ctx context.Context, r *ops.Run, acc *config.Accessory, upload command.Upload) error {
	read := func() ([]byte, error) { return r.World.Local().ReadFile(acc.LocalPath(upload.Mount)) }
	if upload.Template {
		read = func() ([]byte, error) { return acc.RenderFile(ctx, upload.Mount) }
	}
	content, err := read()
	if err != nil {
		return &ops.Error{Summary: "file " + upload.Local + " of accessory " + acc.Name(), Cause: err}
	}
	if err := r.Exec(ctx, upload.Before...); err != nil {
		return err
	}
	if err := r.Upload(ctx, ops.File{Path: upload.HostPath, Mode: 0o755, Content: secret.New(string(content))}); err != nil {
		return err
	}
	return r.Exec(ctx, upload.After...)
}

// Helpers

func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.TrimSpace(lines[len(lines)-1])
}
