package operation

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"binnacle/config"
	"binnacle/ops"
	"binnacle/ops/command"
)

// allAccessories is the NAME that means every accessory, where Kamal takes it.
const allAccessories = "all"

// accessoryVerb is an operation that changes accessories: what differs between
// one and the next.
type accessoryVerb struct {
	verb     string // as typed behind "accessory": "reboot"
	summary  string
	question string
	risk     ops.Risk
	all      bool // takes the name "all"
	hidden   bool
	sources  bool // needs secrets and files of this machine
	effects  func(s *story, acc *config.Accessory, hosts []string) []ops.Effect
	lines    func(command.Accessory) []command.Line
	run      func(s *story, ctx context.Context, r *ops.Run, acc *config.Accessory, a command.Accessory) error
	// node is for what is more than one step per host, in place of lines and run.
	node func(s *story, acc *config.Accessory, id, title string) ops.Node
}

func (v accessoryVerb) operation() ops.Operation {
	return ops.Operation{
		Name: "accessory " + v.verb, Group: "accessory", Summary: v.summary, Question: v.question, Hidden: v.hidden,
		Scope: ops.ScopeAccessory, Risk: v.risk, Params: []ops.Param{accessoryParam(v.all)},
		Plan: func(in ops.Input) (ops.Plan, error) {
			s := newStory(in, "accessory "+v.verb)
			accs, err := s.accessoriesCalled(in.Params.Text(nameParam), v.all)
			if err != nil {
				return ops.Plan{}, err
			}
			var sources ops.Node
			if v.sources {
				sources = s.accessorySources(accs)
			}
			plan := s.accessoryPlan(v.risk, v.title(), accs, sources, s.eachAccessory(v.verb, v.title(), accs, func(acc *config.Accessory, id, title string) ops.Node {
				return v.nodeFor(s, acc, id, title)
			}))
			plan.Effects = s.accessoryEffects(accs, v.effects)
			return plan, nil
		},
	}
}

func (v accessoryVerb) nodeFor(s *story, acc *config.Accessory, id, title string) ops.Node {
	if v.node != nil {
		return v.node(s, acc, id, title)
	}
	return s.onAccessory(acc, id, title, v.lines, func(ctx context.Context, r *ops.Run, a command.Accessory) error {
		return v.run(s, ctx, r, acc, a)
	})
}

// title is the verb as people read it.
func (v accessoryVerb) title() string { return strings.ReplaceAll(v.verb, "_", " ") }

// nameParam is the parameter that names an accessory.
const nameParam = "NAME"

func accessoryParam(all bool) ops.Param {
	usage := "the accessory's name in deploy.yml"
	if all {
		usage += ", or all"
	}
	return ops.Param{Name: nameParam, Kind: ops.Text, Positional: true, Required: true, Usage: usage}
}

// Private

// accessoriesCalled are the accessories that a name means. It must be one that
// the selected hosts have.
func (s *story) accessoriesCalled(name string, all bool) ([]*config.Accessory, error) {
	options := namesOf(s.cfg.Accessories())
	if name == "" {
		return nil, &ops.Error{Summary: "which accessory?", Cause: fmt.Errorf("the options are %s", options)}
	}
	if name == allAccessories && all {
		return slices.DeleteFunc(s.cfg.Accessories(), func(acc *config.Accessory) bool { return len(s.sel.AccessoryHostsFor(acc)) == 0 }), nil
	}
	acc := s.cfg.Accessory(name)
	if acc == nil {
		return nil, fmt.Errorf("No accessory by the name of '%s' (options: %s)", name, options) //nolint:staticcheck // Kamal's words
	}
	if len(s.sel.AccessoryHostsFor(acc)) == 0 {
		return nil, &ops.Error{Summary: "accessory " + name, Cause: fmt.Errorf("it is on none of the selected hosts, but on %s", joined(acc.Hosts()))}
	}
	return []*config.Accessory{acc}, nil
}

// accessoryPlan is the plan of a change of accessories: it has no version, and
// reaches only their hosts and the one with the lock. What it needs of this
// machine is looked at before anything else.
func (s *story) accessoryPlan(risk ops.Risk, what string, accs []*config.Accessory, sources ops.Node, under ...ops.Node) ops.Plan {
	plan := s.plan(risk, what+" accessory "+namesOf(accs),
		sources, s.connectTo(s.hostsOf(accs)), s.lockedBeside(under...))
	plan.Version, plan.Locks = "", true
	return plan
}

// eachAccessory does the same to accessories one after another, in the order of
// deploy.yml; the id is the node's own where there is one alone.
func (s *story) eachAccessory(id, what string, accs []*config.Accessory, node func(acc *config.Accessory, id, title string) ops.Node) ops.Node {
	if len(accs) == 1 {
		return node(accs[0], id, what+" "+accs[0].Name())
	}
	g := ops.InSequence(id, what+" accessories")
	for _, acc := range accs {
		g.Nodes = append(g.Nodes, node(acc, acc.Name(), what+" "+acc.Name()))
	}
	return g
}

// onAccessory makes a step per selected host of an accessory, side by side. It
// is not interrupted: half-way an accessory would be neither here nor there.
func (s *story) onAccessory(acc *config.Accessory, id, title string, lines func(command.Accessory) []command.Line, run func(ctx context.Context, r *ops.Run, a command.Accessory) error) ops.Node {
	return eachHost(id, title, s.sel.AccessoryHostsFor(acc), func(host string) *ops.Step {
		builder := command.NewAccessory(s.cfg, acc, host)
		return &ops.Step{
			Title: title, Atomic: true, Timeout: 10 * time.Minute, Lines: lines(builder),
			Run: func(ctx context.Context, r *ops.Run) error {
				if r.Cancelled() {
					return ops.ErrCancelled
				}
				return run(ctx, r, builder)
			},
		}
	})
}

// accessorySources reads what accessories need of this machine, so that a
// missing secret or file stops the run before anything has changed.
func (s *story) accessorySources(accs []*config.Accessory) ops.Node {
	if !slices.ContainsFunc(accs, func(acc *config.Accessory) bool { return len(acc.Files())+len(acc.Env().Secrets) > 0 }) {
		return nil
	}
	return &ops.Step{ID: "sources", Title: "secrets and files of this machine", Run: func(ctx context.Context, r *ops.Run) error {
		for _, acc := range accs {
			if _, err := acc.Env().Resolve(ctx, s.cfg.Secrets()); err != nil {
				return &ops.Error{Summary: "secrets of accessory " + acc.Name(), Cause: err, Hint: "add it to the secrets file as KEY=$KEY or KEY=$(command)"}
			}
			for _, mount := range acc.Files() {
				if _, err := accessoryFile(ctx, r, acc, mount); err != nil {
					return err
				}
			}
		}
		return nil
	}}
}

// connectTo reaches some hosts and the one with the lock.
func (s *story) connectTo(hosts []string) ops.Node {
	if host := s.lockHost(); host != "" && !slices.Contains(hosts, host) {
		hosts = append([]string{host}, hosts...)
	}
	return eachHost("connect", "connect", hosts, func(string) *ops.Step {
		return &ops.Step{Title: "connect", Timeout: time.Minute, Lines: []command.Line{command.EnsureRunDirectory(s.cfg)}}
	})
}

// lockedBeside is locked for what leaves the app's own containers alone: what
// they serve is not read at its end.
func (s *story) lockedBeside(nodes ...ops.Node) ops.Node {
	inner := append([]ops.Node{s.acquire()}, nodes...)
	return ops.InSequence("", "", present(append(inner, s.release()))...)
}

// accessoryEffects is the blast radius of a change of accessories.
func (s *story) accessoryEffects(accs []*config.Accessory, more func(*story, *config.Accessory, []string) []ops.Effect) []ops.Effect {
	effects := []ops.Effect{{Label: "to", Text: s.destinationText(), Warn: s.production()}}
	for _, acc := range accs {
		hosts := s.sel.AccessoryHostsFor(acc)
		effects = append(effects, ops.Effect{Label: "accessory", Text: fmt.Sprintf("%s (%s) on %s", acc.Name(), acc.Image(), joined(hosts))})
		if more != nil {
			effects = append(effects, more(s, acc, hosts)...)
		}
	}
	effects = append(effects, s.sharedEffect(len(accs) > 0)...)
	if l := s.lockEffect(); l.Text != "" {
		effects = append(effects, l)
	}
	return effects
}

// sharedEffect warns of accessories: their containers have no destination in their names.
func (s *story) sharedEffect(accessory bool) []ops.Effect {
	if s.cfg.Destination() == "" || !accessory {
		return nil
	}
	return []ops.Effect{{Label: "shared", Text: "its container serves every destination that names the same host", Warn: true}}
}

// hostsOf are the selected hosts of accessories.
func (s *story) hostsOf(accs []*config.Accessory) []string {
	return slices.DeleteFunc(s.sel.AccessoryHosts(), func(host string) bool {
		return !slices.ContainsFunc(accs, func(acc *config.Accessory) bool { return acc.RunsOn(host) })
	})
}

// narrowed is the same story on some hosts only, under the same lock, as Kamal
// does when it walks groups of hosts.
func (s *story) narrowed(hosts ...string) *story {
	own := *s
	own.sel = s.sel.Only(hosts...)
	return &own
}

// Helpers

func namesOf(accs []*config.Accessory) string {
	names := make([]string, len(accs))
	for i, acc := range accs {
		names[i] = acc.Name()
	}
	return orNone(names)
}
