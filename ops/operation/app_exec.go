package operation

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"binnacle/config"
	"binnacle/ops"
	"binnacle/ops/command"
)

// AppExec runs a command in containers of the app: new ones, or those that run.
func AppExec() ops.Operation {
	return ops.Operation{
		Name: "app exec", Group: "app", Summary: "Run a command in the app's containers",
		Scope: ops.ScopeApp, Risk: ops.Change,
		Params: execParams(
			ops.Param{Name: "reuse", Kind: ops.Toggle, Usage: "run it in the containers that run now, not in new ones"},
			ops.Param{Name: "shell", Kind: ops.Toggle, Usage: "run it in a shell of the container: $VAR, | and > are the container's"},
			ops.Param{Name: "env", Letter: "e", Kind: ops.List, Usage: "set a variable for it: NAME:value (may be repeated)"},
			ops.Param{Name: "detach", Kind: ops.Toggle, Usage: "leave it running in new containers that stay"},
		),
		Plan: func(in ops.Input) (ops.Plan, error) { return newStory(in, "app exec").appExec() },
	}
}

// Private

func (s *story) appExec() (ops.Plan, error) {
	if err := s.execConflicts(); err != nil {
		return ops.Plan{}, err
	}
	x, err := s.newExecution()
	if err != nil {
		return ops.Plan{}, err
	}
	env, err := execEnv(s.Params.List("env"))
	if err != nil {
		return ops.Plan{}, err
	}
	reuse := s.Params.On("reuse")
	where := "in a new container of"
	if reuse {
		where = "in the container of"
	}
	switch {
	case s.AskedVersion != "":
		s.version = s.AskedVersion
	case reuse:
		s.version = currentVersion
	default:
		s.become(s.cfg.LatestTag())
	}
	for _, p := range s.execPlaces() {
		x.spots = append(x.spots, s.execSpot(x, p, env, reuse))
	}
	if reuse && s.AskedVersion == "" && len(x.spots) > 0 {
		x.before = append(x.before, s.findVersion())
	}
	return x.planned(fmt.Sprintf("app exec %s %s %s", quoted(x.words), where, s.execVersionText()))
}

// execConflicts refuses flags that contradict each other.
func (s *story) execConflicts() error {
	for _, c := range []struct {
		flag string
		not  []string
	}{{"detach", []string{"interactive", "reuse"}}, {"raw", []string{"interactive", "detach"}}} {
		others := slices.DeleteFunc(slices.Clone(c.not), func(name string) bool { return !s.Params.On(name) })
		if s.Params.On(c.flag) && len(others) > 0 {
			return &ops.Error{
				Summary: s.command + " exec",
				Cause:   fmt.Errorf("%s%s is not compatible with %s", strings.ToUpper(c.flag[:1]), c.flag[1:], strings.Join(others, " or ")),
			}
		}
	}
	return nil
}

// currentVersion stands in a plan for the version that the primary host runs.
const currentVersion = "CURRENT"

func (s *story) execVersionText() string {
	if s.version == currentVersion {
		return "the version that runs"
	}
	return "version " + s.shown()
}

// execPlaces lists every role on every host, the primary role on the primary
// host first.
func (s *story) execPlaces() []*place {
	var out []*place
	for _, host := range s.sel.AppHosts() {
		for _, role := range s.rolesOn(host) {
			p := s.placeOf(role, host)
			if host == s.sel.PrimaryHost() && role.Name() == s.sel.PrimaryRole().Name() {
				out = slices.Insert(out, 0, p)
				continue
			}
			out = append(out, p)
		}
	}
	return out
}

func (s *story) execSpot(x *execution, p *place, env config.Pairs, reuse bool) spot {
	words := x.words
	if x.shell {
		words = inShell(words)
	}
	suffix := strings.Repeat("0", 6)
	at := spot{id: p.role.Name() + "/" + p.host, host: p.host, role: p.role.Name()}
	at.line = func(o command.ExecOptions) command.Line {
		o.Env = env
		if reuse {
			return p.app.ExecExisting(s.version, words, o)
		}
		return p.app.ExecNew(s.version, suffix, words, o)
	}
	at.ready = func(ctx context.Context, r *ops.Run, attended bool) error {
		role := ""
		if reuse {
			role = p.role.Name()
		} else {
			suffix = s.Hex(6)
			if err := s.ensureImage(ctx, r); err != nil {
				return err
			}
		}
		if attended { // Kamal writes no line for those either
			return nil
		}
		return r.Exec(ctx, s.audit(r.Now(), role, "Executed cmd '%s' on app version %s", x.words, s.version))
	}
	at.explain = func(err error) error { return s.explainExec(err, reuse) }
	return at
}

// findVersion learns which version the primary host runs: it is the one meant
// everywhere.
func (s *story) findVersion() *ops.Step {
	p := s.placeOf(s.sel.PrimaryRole(), s.sel.PrimaryHost())
	return &ops.Step{
		ID: "version", Title: "find the running version", Host: p.host, Timeout: time.Minute,
		Run: func(ctx context.Context, r *ops.Run) error {
			current, err := p.current(ctx, r)
			if err != nil {
				return err
			}
			if current.ID == "" {
				return &ops.Error{
					Host: p.host, Summary: "no container of role " + p.role.Name() + " runs", Cause: errors.New("there is none to use again"),
					Hint: "leave --reuse out for a new container, or start the app: " + s.byHand("app start"),
				}
			}
			s.version = versionOf(current, p.app)
			r.Note("%s", s.shown())
			return nil
		},
	}
}

// ensureImage fetches the image where the host does not have it, with the
// registry's credentials in the request.
func (s *story) ensureImage(ctx context.Context, r *ops.Run) error {
	image := s.cfg.AbsoluteImage(s.version)
	_, err := r.Docker().InspectImage(ctx, image)
	if !errors.Is(err, ops.ErrNotFound) {
		return err
	}
	auth, err := s.auth(ctx, s.cfg.Registry())
	if err != nil {
		return err
	}
	r.Ran(command.New("docker", "pull", image))
	if err := r.Docker().Pull(ctx, image, auth, r.Progress); err != nil {
		return registryError(r.Host, image, err)
	}
	return nil
}

func (s *story) explainExec(err error, reuse bool) error {
	var known *ops.Error
	var exit *ops.ExitError
	if !errors.As(err, &known) || !errors.As(err, &exit) || known.Hint != "" {
		return err
	}
	told := *known
	switch {
	case reuse && strings.Contains(exit.Output, "No such container"):
		told.Hint = "this host does not run version " + s.shown() + ", which the primary host does; --version names another"
	case strings.Contains(exit.Output, ".env: no such file"):
		told.Hint = "the app's env file is not on this host yet: a deploy writes it"
	}
	return &told
}

// Helpers

var envName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// execEnv reads variables written NAME:value.
func execEnv(given []string) (config.Pairs, error) {
	var out config.Pairs
	for _, pair := range given {
		name, value, found := strings.Cut(pair, ":")
		if !found || !envName.MatchString(name) {
			return nil, &ops.Error{Summary: "-e " + pair, Cause: errors.New("that is no NAME:value")}
		}
		out = append(out, config.Pair{Name: name, Value: config.StringValue(value)})
	}
	return out, nil
}
