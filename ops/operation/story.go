// Package operation holds Kamal's verbs, one in a file: each is a function that
// returns an ops.Operation, listed in catalog.go. Planning is pure; what must be
// decided on the hosts is decided in the steps. It may import config, ops and
// ops/command.
package operation

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"binnacle/config"
	"binnacle/ops"
	"binnacle/ops/command"
)

// story is one operation while it is planned: its input and what the steps of
// the same plan share.
type story struct {
	ops.Input
	cfg     *config.Config
	sel     *config.Selection
	version string
	// lockVersion is what the lock names: the version here, even in a rollback.
	lockVersion string
	// command and subcommand are what the hooks are told was typed.
	command, subcommand string
	lock                *lock
	began               time.Time
}

func newStory(in ops.Input, name string) *story {
	s := &story{Input: in, cfg: in.Config, sel: in.Selection, version: in.Version, lockVersion: in.Version, began: in.Now}
	s.command, s.subcommand, _ = strings.Cut(name, " ")
	s.lock = &lock{held: in.LockHeld, outer: in.LockHeld}
	return s
}

// become makes it the story of another version.
func (s *story) become(version string) {
	s.version = version
	s.cfg = s.cfg.WithVersion(version)
}

func (s *story) needVersion() error {
	if s.version != "" {
		return nil
	}
	_, err := s.cfg.Version()
	if err == nil {
		err = fmt.Errorf("no version")
	}
	return &ops.Error{Summary: "which version?", Cause: err, Hint: "give --version, set VERSION, or run inside the app's git repository"}
}

func (s *story) plan(risk ops.Risk, title string, nodes ...ops.Node) ops.Plan {
	plan := ops.Plan{
		Operation: s.typed(), Title: s.title(title), App: s.App, Version: s.version, Risk: risk,
		Root: ops.InSequence("", "", present(nodes)...),
	}
	if hook := s.hook(preConnect, s.sel.Hosts()); hook != nil && s.connects(plan) {
		plan.Root.Nodes = append([]ops.Node{hook}, plan.Root.Nodes...)
	}
	return plan
}

// connects reports a plan that goes to hosts without having run the hook that
// comes before that.
func (s *story) connects(plan ops.Plan) bool {
	hooked := slices.ContainsFunc(plan.Steps(), func(step *ops.Step) bool { return step.ID == preConnect })
	return !hooked && !s.Connected && len(plan.Hosts()) > 0
}

// typed is the name of the operation.
func (s *story) typed() string { return strings.TrimSpace(s.command + " " + s.subcommand) }

func (s *story) title(what string) string {
	if d := s.cfg.Destination(); d != "" {
		return what + " → " + d
	}
	return what
}

func (s *story) app(role *config.Role, host string) command.App {
	return command.NewApp(s.cfg, role, host)
}

// audit is the command that writes a line to a host's audit log.
func (s *story) audit(now time.Time, role, format string, args ...any) command.Line {
	return command.NewAuditor(s.cfg).Record(s.Performer, now, role, fmt.Sprintf(format, args...))
}

// eachHost makes one step per host, side by side.
func eachHost(id, title string, hosts []string, step func(host string) *ops.Step) *ops.Group {
	g := ops.SideBySide(id, title)
	for _, h := range hosts {
		s := step(h)
		s.ID, s.Host = h, h
		g.Nodes = append(g.Nodes, s)
	}
	return g
}

// Private

// rolesOn lists the selected roles on a host, the effective primary role first.
func (s *story) rolesOn(host string) []*config.Role {
	return s.sel.RolesOn(host)
}

// proxiedOn reports a selected role behind the proxy on the host.
func (s *story) proxiedOn(host string) bool {
	return slices.ContainsFunc(s.rolesOn(host), func(r *config.Role) bool { return r.Proxied() })
}

// Helpers

// present drops what a plan leaves out: nil nodes and groups without members.
func present(nodes []ops.Node) []ops.Node {
	var out []ops.Node
	for _, n := range nodes {
		switch n := n.(type) {
		case nil:
			continue
		case *ops.Step:
			if n == nil {
				continue
			}
		case *ops.Group:
			if n == nil || len(n.Nodes) == 0 {
				continue
			}
		}
		out = append(out, n)
	}
	return out
}

func seconds(n int) time.Duration { return time.Duration(n) * time.Second }
