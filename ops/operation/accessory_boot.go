package operation

import (
	"context"
	"errors"
	"strings"
	"time"

	"binnacle/config"
	"binnacle/config/secret"
	"binnacle/ops"
	"binnacle/ops/command"
)

// AccessoryBoot boots accessories where they have no container yet.
func AccessoryBoot() ops.Operation {
	return accessoryVerb{
		verb: "boot", summary: "Boot an accessory where it has no container", risk: ops.Change, all: true, sources: true,
		effects: func(_ *story, acc *config.Accessory, _ []string) []ops.Effect {
			return []ops.Effect{{Label: "keeps", Text: acc.Name() + " where a container exists; its directories and files are made again there too"}}
		},
		node: (*story).bootAccessoryOn,
	}.operation()
}

// bootAccessories boots all accessories in file order, the hosts of one side
// by side. A host that has a container of it already, stopped ones too, keeps it.
func (s *story) bootAccessories() ops.Node {
	g := ops.InSequence("accessories", "accessories")
	for _, acc := range s.cfg.Accessories() {
		if len(s.sel.AccessoryHostsFor(acc)) > 0 {
			g.Nodes = append(g.Nodes, s.bootAccessoryOn(acc, acc.Name(), acc.Name()+" "+acc.Image()))
		}
	}
	return g
}

// Private

func (s *story) bootAccessoryOn(acc *config.Accessory, id, title string) ops.Node {
	return eachHost(id, title, s.sel.AccessoryHostsFor(acc), func(host string) *ops.Step {
		builder := command.NewAccessory(s.cfg, acc, host)
		return &ops.Step{
			Title: acc.Name(), Timeout: 30 * time.Minute, Lines: []command.Line{builder.Run()},
			Run: func(ctx context.Context, r *ops.Run) error { return s.bootAccessory(ctx, r, acc, builder) },
		}
	})
}

func (s *story) bootAccessory(ctx context.Context, r *ops.Run, acc *config.Accessory, builder command.Accessory) error {
	existing, err := r.Docker().ListContainers(ctx, "service="+acc.ServiceName())
	if err != nil {
		return &ops.Error{Host: r.Host, Command: builder.Existing().String(), Cause: err}
	}
	if len(existing) > 0 {
		if err := s.putAccessoryFiles(ctx, r, acc, builder); err != nil {
			return err
		}
		r.Say("Skipping booting `%s` on %s, a container already exists", acc.Name(), r.Host)
		r.Note("already there (%s)", existing[0].State)
		return nil
	}
	if err := s.prepareAccessory(ctx, r, acc); err != nil {
		return err
	}
	return s.runAccessory(ctx, r, acc, builder)
}

// prepareAccessory logs the host in to the accessory's registry and makes the
// network.
func (s *story) prepareAccessory(ctx context.Context, r *ops.Run, acc *config.Accessory) error {
	if err := s.login(ctx, r, s.registryOf(acc)); err != nil {
		return err
	}
	return ensureNetwork(ctx, r)
}

// runAccessory puts an accessory's files in place, and runs it on a host that has
// no container of it.
func (s *story) runAccessory(ctx context.Context, r *ops.Run, acc *config.Accessory, builder command.Accessory) error {
	if err := s.putAccessoryFiles(ctx, r, acc, builder); err != nil {
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
	if !acc.Proxied() {
		return nil
	}
	return s.explainAccessory(ctx, r, acc, r.Exec(ctx, builder.ProxyDeploy(s.version, short(lastLine(id)))))
}

// putAccessoryFiles makes the directories of an accessory and uploads its files.
func (s *story) putAccessoryFiles(ctx context.Context, r *ops.Run, acc *config.Accessory, builder command.Accessory) error {
	if err := r.Exec(ctx, builder.Directories()...); err != nil {
		return err
	}
	return s.uploadAccessoryFiles(ctx, r, acc, builder)
}

func (s *story) uploadAccessoryFiles(ctx context.Context, r *ops.Run, acc *config.Accessory, builder command.Accessory) error {
	for _, upload := range builder.Uploads() {
		content, err := accessoryFile(ctx, r, acc, upload.Mount)
		if err != nil {
			return err
		}
		if err := r.Exec(ctx, upload.Before...); err != nil {
			return err
		}
		if err := r.Upload(ctx, ops.File{Path: upload.HostPath, Mode: 0o755, Content: secret.New(string(content))}); err != nil {
			return err
		}
		if err := r.Exec(ctx, upload.After...); err != nil {
			return err
		}
	}
	return nil
}

// registryOf is the registry that an accessory's image comes from: its own, or
// else the app's.
func (s *story) registryOf(acc *config.Accessory) config.Registry {
	if own := acc.Registry(); own != nil {
		return *own
	}
	return s.cfg.Registry()
}

// Helpers

// accessoryFile reads a file of an accessory; a template is rendered with the
// accessory's environment.
func accessoryFile(ctx context.Context, r *ops.Run, acc *config.Accessory, mount config.Mount) ([]byte, error) {
	read := func() ([]byte, error) { return r.World.Local().ReadFile(acc.LocalPath(mount)) }
	if mount.Template {
		read = func() ([]byte, error) { return acc.RenderFile(ctx, mount) }
	}
	content, err := read()
	if err != nil {
		return nil, &ops.Error{Summary: "file " + mount.Local + " of accessory " + acc.Name(), Cause: err}
	}
	return content, nil
}

// explainAccessory adds the end of its log to a proxy's refusal of an accessory.
func (s *story) explainAccessory(ctx context.Context, r *ops.Run, acc *config.Accessory, err error) error {
	var known *ops.Error
	if !errors.As(err, &known) {
		return err
	}
	told := *known
	told.Summary, told.Hint = "accessory "+acc.Name()+" is not served", s.byHand("accessory logs "+acc.Name())
	if lines, terr := r.Docker().Tail(ctx, acc.ServiceName(), evidenceLines); terr == nil && len(lines) > 0 {
		told.Evidence = append(told.Evidence, ops.Evidence{Title: "log of " + acc.ServiceName(), Lines: lines})
	}
	return &told
}

func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.TrimSpace(lines[len(lines)-1])
}
