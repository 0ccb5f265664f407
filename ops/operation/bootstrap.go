package operation

import (
	"context"
	"errors"
	"fmt"
	"time"

	"binnacle/ops"
	"binnacle/ops/command"
)

// bootstrap makes sure that Docker is installed on every host, installing it
// where that is allowed, as `kamal server bootstrap` does.
func (s *story) bootstrap() ops.Node {
	return eachHost("docker", "ensure Docker is installed", s.sel.Hosts(), func(string) *ops.Step {
		return &ops.Step{
			Title: "docker", Timeout: 15 * time.Minute, Lines: []command.Line{command.Installed()},
			Run: ensureDocker,
		}
	})
}

// Helpers

func ensureDocker(ctx context.Context, r *ops.Run) error {
	err := r.Exec(ctx, command.Installed())
	var exit *ops.ExitError
	if err == nil || !errors.As(err, &exit) {
		return err
	}
	if err := r.Exec(ctx, command.Superuser()); err != nil {
		return &ops.Error{
			Host: r.Host, Summary: "Docker is not installed and cannot be",
			Cause: fmt.Errorf("no root access"), Hint: "install Docker by hand: https://docs.docker.com/engine/install/",
		}
	}
	r.Say("Missing Docker on %s. Installing…", r.Host)
	if err := r.Exec(ctx, command.InstallDocker()); err != nil {
		return err
	}
	if r.Exec(ctx, command.Root()) == nil || r.Exec(ctx, command.InDockerGroup()) == nil {
		return nil
	}
	if err := r.Exec(ctx, command.AddToDockerGroup()); err != nil {
		return err
	}
	_ = r.Exec(ctx, command.RefreshSession()) // drops the session itself; the next use dials again
	return nil
}
