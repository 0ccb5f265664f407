package operation

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"binnacle/config"
	"binnacle/config/secret"
	"binnacle/ops"
	"binnacle/ops/command"
)

// connect reaches every host side by side and makes Kamal's directory there, so
// that an unreachable host fails the run before anything has changed.
func (s *story) connect() ops.Node {
	return eachHost("connect", "connect", s.sel.Hosts(), func(string) *ops.Step {
		return &ops.Step{Title: "connect", Timeout: time.Minute, Lines: []command.Line{command.EnsureRunDirectory(s.cfg)}}
	})
}

// secrets resolves every secret that the plan will need, so that a missing one
// stops the run before it began.
func (s *story) secrets() ops.Node {
	return &ops.Step{ID: "secrets", Title: "secrets", Run: func(ctx context.Context, r *ops.Run) error {
		count := 0
		for _, role := range s.sel.Roles() {
			for _, host := range role.Hosts() {
				entries, err := role.Env(host).Resolve(ctx, s.cfg.Secrets())
				if err != nil {
					return &ops.Error{Summary: "secrets of role " + role.Name(), Cause: err, Hint: "add it to the secrets file as KEY=$KEY or KEY=$(command)"}
				}
				count = max(count, len(entries))
			}
		}
		if _, err := s.auth(ctx, s.cfg.Registry()); err != nil {
			return err
		}
		if count == 0 {
			return ops.ErrSkipped
		}
		r.Note("%d resolved", count)
		return nil
	}}
}

// pull fetches the image on all app hosts, with progress in bytes. Hosts that
// share a mirror of the registry wait until one of them has filled it.
func (s *story) pull() ops.Node {
	image := s.cfg.AbsoluteImage(s.version)
	title := "pull " + image
	if s.cfg.Registry().Local() {
		title += " from this machine"
	}
	hosts := s.sel.AppHosts()
	shared := &mirrors{seeds: map[string]*barrier{}}
	return eachHost("pull", title, hosts, func(string) *ops.Step {
		return &ops.Step{
			Title: "pull", Timeout: 30 * time.Minute,
			Lines: []command.Line{command.New("docker", "pull", image)},
			Run: func(ctx context.Context, r *ops.Run) error {
				pull := func() error {
					return s.withRegistryForward(ctx, r, r.Host, func() error { return s.pullOn(ctx, r, image) })
				}
				if len(hosts) == 1 {
					return pull()
				}
				return shared.pull(ctx, r, pull)
			},
		}
	})
}

func (s *story) pullEffect() ops.Effect {
	return ops.Effect{Label: "hosts", Text: strings.Join(s.sel.AppHosts(), ", ")}
}

// forwardTimeout is how long a host may take to listen for the local registry.
const forwardTimeout = 30 * time.Second

// withRegistryForward lets a host reach the registry of this machine, under the
// name that it has here, while something is done. A remote registry needs none.
func (s *story) withRegistryForward(ctx context.Context, r *ops.Run, host string, do func() error) error {
	registry := s.cfg.Registry()
	if !registry.Local() {
		return do()
	}
	listen, to := fmt.Sprintf("127.0.0.1:%d", registry.LocalPort()), fmt.Sprintf("localhost:%d", registry.LocalPort())
	r.Say("Setting up local registry port forwarding to %s...", host)
	setUp, cancel := context.WithTimeoutCause(ctx, forwardTimeout, fmt.Errorf("timed out after %s", forwardTimeout))
	defer cancel()
	forward, err := r.World.Remote(host).Forward(setUp, listen, to)
	if err != nil {
		var known *ops.Error
		if errors.As(err, &known) {
			return err
		}
		return &ops.Error{Host: host, Summary: "forwarding " + listen + " to the registry here", Cause: err}
	}
	err = do()
	if broken := forward.Close(); err != nil && broken != nil {
		return &ops.Error{
			Host: host, Summary: "the registry of this machine does not answer", Cause: broken,
			Hint: s.byHand("registry setup") + " starts it",
		}
	}
	return err
}

func (s *story) pullOn(ctx context.Context, r *ops.Run, image string) error {
	auth, err := s.auth(ctx, s.cfg.Registry())
	if err != nil {
		return err
	}
	if err := r.Exec(ctx, s.audit(r.Now(), "", "Pulled image with version %s", s.version)); err != nil {
		return err
	}
	r.Ran(command.New("docker", "image", "rm", "--force", image))
	if err := r.Docker().RemoveImage(ctx, image, true); err != nil {
		r.Line(ops.Stderr, err.Error()) // Kamal ignores it too: a running container may use the image
	}
	r.Ran(command.New("docker", "pull", image))
	if err := r.Docker().Pull(ctx, image, auth, r.Progress); err != nil {
		if s.cfg.Registry().Local() && !errors.Is(err, ops.ErrNotFound) {
			return &ops.Error{
				Host: r.Host, Command: "docker pull " + image, Cause: err,
				Hint: "does the local registry run? " + s.byHand("registry setup") + " starts it",
			}
		}
		return registryError(r.Host, image, err)
	}
	return s.checkServiceLabel(ctx, r, image)
}

// checkServiceLabel refuses an image that discovery and prune would not find.
func (s *story) checkServiceLabel(ctx context.Context, r *ops.Run, image string) error {
	img, err := r.Docker().InspectImage(ctx, image)
	if err != nil {
		return &ops.Error{Host: r.Host, Command: "docker image inspect " + image, Cause: err}
	}
	if got := img.Labels["service"]; got != s.cfg.Service() {
		return &ops.Error{
			Host: r.Host, Summary: "image " + image,
			Cause: fmt.Errorf("is missing the 'service' label %q (it has %q)", s.cfg.Service(), got),
			Hint:  fmt.Sprintf("build it with --label service=%s", s.cfg.Service()),
		}
	}
	return nil
}

// auth resolves a registry's credentials.
func (s *story) auth(ctx context.Context, registry config.Registry) (ops.RegistryAuth, error) {
	auth := ops.RegistryAuth{Server: registry.Server}
	if registry.Local() || !registry.Username.Set() && !registry.Password.Set() {
		return auth, nil
	}
	user, err := registry.Username.Resolve(ctx, s.cfg.Secrets())
	if err != nil {
		return auth, &ops.Error{Summary: "registry username", Cause: err, Hint: "set the secret that registry.username names"}
	}
	password, err := registry.Password.Resolve(ctx, s.cfg.Secrets())
	if err != nil {
		return auth, &ops.Error{Summary: "registry password", Cause: err, Hint: "set the secret that registry.password names"}
	}
	auth.Username, auth.Password = user.Reveal(), password
	return auth, nil
}

// login logs a host in to a registry, the password by standard input.
func (s *story) login(ctx context.Context, r *ops.Run, registry config.Registry) error {
	auth, err := s.auth(ctx, registry)
	if err != nil || auth.Username == "" {
		return err
	}
	return r.Exec(ctx, command.Login(registry, secret.New(auth.Username), auth.Password))
}

// Helpers

// registryError adds what to do next to a failed pull.
func registryError(host, image string, err error) error {
	var known *ops.Error
	if errors.As(err, &known) {
		return err
	}
	hint := "is the registry up, and the login right?"
	if errors.Is(err, ops.ErrNotFound) {
		hint = "was this version built and pushed?"
	}
	return &ops.Error{Host: host, Command: "docker pull " + image, Cause: err, Hint: hint}
}
