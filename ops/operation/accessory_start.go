package operation

import (
	"context"
	"errors"
	"strings"

	"binnacle/config"
	"binnacle/ops"
	"binnacle/ops/command"
)

// AccessoryStart starts an accessory's stopped container.
func AccessoryStart() ops.Operation {
	return accessoryVerb{
		verb: "start", summary: "Start an accessory's stopped container", risk: ops.Change,
		lines: func(a command.Accessory) []command.Line { return []command.Line{a.Start()} },
		run:   (*story).startAccessory,
	}.operation()
}

// AccessoryStop stops an accessory's container and takes it out of the proxy.
func AccessoryStop() ops.Operation {
	return accessoryVerb{
		verb: "stop", summary: "Stop an accessory's container", risk: ops.Disrupt, effects: stopsAccessory,
		lines: func(a command.Accessory) []command.Line { return []command.Line{a.Stop()} },
		run:   (*story).stopAccessory,
	}.operation()
}

// AccessoryRestart stops and starts an accessory's container.
func AccessoryRestart() ops.Operation {
	return accessoryVerb{
		verb: "restart", summary: "Restart an accessory's container", risk: ops.Disrupt,
		effects: func(_ *story, acc *config.Accessory, _ []string) []ops.Effect {
			return []ops.Effect{{Label: "stops", Text: acc.Name() + ", and starts the same container again", Warn: true}}
		},
		lines: func(a command.Accessory) []command.Line { return []command.Line{a.Stop(), a.Start()} },
		run: func(s *story, ctx context.Context, r *ops.Run, acc *config.Accessory, a command.Accessory) error {
			if err := s.stopAccessory(ctx, r, acc, a); err != nil {
				return err
			}
			return s.startAccessory(ctx, r, acc, a)
		},
	}.operation()
}

// Private

func (s *story) startAccessory(ctx context.Context, r *ops.Run, acc *config.Accessory, a command.Accessory) error {
	if err := r.Exec(ctx, s.audit(r.Now(), "", "Started %s accessory", acc.Name())); err != nil {
		return err
	}
	if err := r.Exec(ctx, a.Start()); err != nil {
		return withHint(err, "No such container", s.byHand("accessory boot "+acc.Name()))
	}
	if !acc.Proxied() {
		return nil
	}
	c, err := r.Docker().InspectContainer(ctx, a.ContainerName())
	switch {
	case err != nil:
		return &ops.Error{Host: r.Host, Command: a.RunningContainerID().String(), Cause: err}
	case !c.Running():
		return s.explainAccessory(ctx, r, acc, &ops.Error{Host: r.Host, Cause: errors.New("its container is " + c.State + " after the start")})
	}
	return s.explainAccessory(ctx, r, acc, r.Exec(ctx, a.ProxyDeploy(s.version, short(c.ID))))
}

// stopAccessory stops an accessory, unless it is stopped already or not there.
func (s *story) stopAccessory(ctx context.Context, r *ops.Run, acc *config.Accessory, a command.Accessory) error {
	if err := r.Exec(ctx, s.audit(r.Now(), "", "Stopped %s accessory", acc.Name())); err != nil {
		return err
	}
	r.Ran(a.Stop())
	switch err := r.Docker().Stop(ctx, a.ContainerName(), nil); {
	case errors.Is(err, ops.ErrNotFound):
		r.Note("no container")
	case err != nil:
		return &ops.Error{Host: r.Host, Command: a.Stop().String(), Cause: err}
	}
	if !acc.Proxied() {
		return nil
	}
	if err := r.Exec(ctx, a.ProxyRemove()); err != nil && !unrouted(err) {
		return withHint(err, "is not running", s.byHand("proxy start"))
	}
	return nil
}

// stopsAccessory is the effect of a stop.
func stopsAccessory(_ *story, acc *config.Accessory, _ []string) []ops.Effect {
	text := acc.Name() + ": what uses it fails until it is started again"
	if acc.Proxied() {
		text += ", and the proxy does not know it until then"
	}
	return []ops.Effect{{Label: "stops", Text: text, Warn: true}}
}

// Helpers

// unrouted reports the failure of a removal from the proxy that had nothing to
// remove: the proxy does not know the service, or is gone itself.
func unrouted(err error) bool {
	var exit *ops.ExitError
	return errors.As(err, &exit) && (strings.Contains(exit.Output, "service not found") || strings.Contains(exit.Output, "No such container"))
}

// withHint adds what to do next to a command that failed with certain words.
func withHint(err error, words, hint string) error {
	var known *ops.Error
	var exit *ops.ExitError
	if !errors.As(err, &known) || !errors.As(err, &exit) || !strings.Contains(exit.Output, words) {
		return err
	}
	told := *known
	told.Hint = hint
	return &told
}
