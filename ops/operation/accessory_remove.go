package operation

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"

	"binnacle/config"
	"binnacle/ops"
	"binnacle/ops/command"
)

// AccessoryRemove removes accessories with their images and data directories.
func AccessoryRemove() ops.Operation {
	return accessoryVerb{
		verb: "remove", summary: "Remove an accessory with its container, image and data directories", risk: ops.DataLoss, all: true,
		question: "This will remove all containers, images and data directories of the accessory. Are you sure?",
		effects: func(s *story, acc *config.Accessory, hosts []string) []ops.Effect {
			return append(stopsAccessory(s, acc, hosts), losesAccessory(acc)...)
		},
		node: (*story).removeAccessory,
	}.operation()
}

// AccessoryRemoveContainer removes accessories' stopped containers.
func AccessoryRemoveContainer() ops.Operation {
	return accessoryVerb{
		verb: "remove_container", summary: "Remove an accessory's stopped container", risk: ops.Change, hidden: true,
		lines: func(a command.Accessory) []command.Line { return []command.Line{a.RemoveContainer()} },
		run:   (*story).removeAccessoryContainer,
	}.operation()
}

// AccessoryRemoveImage removes accessories' images.
func AccessoryRemoveImage() ops.Operation {
	return accessoryVerb{
		verb: "remove_image", summary: "Remove an accessory's image", risk: ops.Change, hidden: true,
		lines: func(a command.Accessory) []command.Line { return []command.Line{a.RemoveImage()} },
		run:   (*story).removeAccessoryImage,
	}.operation()
}

// AccessoryRemoveServiceDirectory removes accessories' files and data directories.
func AccessoryRemoveServiceDirectory() ops.Operation {
	return accessoryVerb{
		verb: "remove_service_directory", summary: "Remove an accessory's files and data directories", risk: ops.DataLoss, hidden: true,
		effects: func(_ *story, acc *config.Accessory, _ []string) []ops.Effect { return losesAccessory(acc) },
		lines:   func(a command.Accessory) []command.Line { return []command.Line{a.RemoveServiceDirectory()} },
		run: func(_ *story, ctx context.Context, r *ops.Run, _ *config.Accessory, a command.Accessory) error {
			return r.Exec(ctx, a.RemoveServiceDirectory())
		},
	}.operation()
}

// Private

// removeAccessory removes an accessory with its container, image and data
// directories from all its selected hosts; losesAccessory tells what goes.
func (s *story) removeAccessory(acc *config.Accessory, id, title string) ops.Node {
	lines := func(a command.Accessory) []command.Line {
		return []command.Line{a.Stop(), a.RemoveContainer(), a.RemoveImage(), a.RemoveServiceDirectory()}
	}
	return s.onAccessory(acc, id, title, lines, func(ctx context.Context, r *ops.Run, a command.Accessory) error {
		if err := s.stopAccessory(ctx, r, acc, a); err != nil {
			return err
		}
		if err := s.removeAccessoryContainer(ctx, r, acc, a); err != nil {
			return err
		}
		if err := s.removeAccessoryImage(ctx, r, acc, a); err != nil {
			return err
		}
		return r.Exec(ctx, a.RemoveServiceDirectory())
	})
}

func (s *story) removeAccessoryContainer(ctx context.Context, r *ops.Run, acc *config.Accessory, a command.Accessory) error {
	return r.Exec(ctx, s.audit(r.Now(), "", "Remove %s accessory container", acc.Name()), a.RemoveContainer())
}

// removeAccessoryImage removes the image, unless another container runs it.
func (s *story) removeAccessoryImage(ctx context.Context, r *ops.Run, acc *config.Accessory, a command.Accessory) error {
	if err := r.Exec(ctx, s.audit(r.Now(), "", "Removed %s accessory image", acc.Name())); err != nil {
		return err
	}
	err := r.Exec(ctx, a.RemoveImage())
	var exit *ops.ExitError
	if errors.As(err, &exit) && strings.Contains(exit.Output, "conflict: unable to") {
		r.Note("another container runs %s, so the image stays", acc.Image())
		return nil
	}
	return err
}

// Helpers

// losesAccessory is what a removal of an accessory's directory takes with it.
func losesAccessory(acc *config.Accessory) []ops.Effect {
	var inside []string
	keeps := acc.Volumes()
	for _, mount := range append(acc.Directories(), acc.Files()...) {
		if path.IsAbs(mount.HostPath) {
			keeps = append(keeps, mount.HostPath)
			continue
		}
		inside = append(inside, mount.ContainerPath)
	}
	effects := []ops.Effect{{Label: "loses", Text: fmt.Sprintf("~/%s (%s)", acc.ServiceName(), orNone(inside)), Warn: len(inside) > 0}}
	if len(keeps) > 0 {
		effects = append(effects, ops.Effect{Label: "keeps", Text: "volumes " + joined(keeps)})
	}
	return effects
}
