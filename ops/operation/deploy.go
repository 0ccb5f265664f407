package operation

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"binnacle/ops"
	"binnacle/ops/command"
)

// Deploy builds or pulls the image, and boots it everywhere under the lock.
func Deploy() ops.Operation {
	return ops.Operation{
		Name: "deploy", Group: "deploy", Summary: "Deploy the app to its servers", Key: "D",
		Scope: ops.ScopeApp, Risk: ops.Change, Params: deployParams(),
		Plan: func(in ops.Input) (ops.Plan, error) {
			s := newStory(in, "deploy")
			return s.deployPlan(fmt.Sprintf("deploy %s", s.shown()), deployParts{proxy: true, prune: true})
		},
	}
}

// Redeploy is a deploy without the proxy and the pruning.
func Redeploy() ops.Operation {
	return ops.Operation{
		Name: "redeploy", Group: "deploy", Summary: "Deploy again, leaving proxy and old containers alone",
		Scope: ops.ScopeApp, Risk: ops.Change, Params: buildParams(),
		Plan: func(in ops.Input) (ops.Plan, error) {
			s := newStory(in, "redeploy")
			return s.deployPlan(fmt.Sprintf("redeploy %s", s.shown()), deployParts{})
		},
	}
}

// Setup installs Docker where it is missing, boots the accessories and deploys.
func Setup() ops.Operation {
	return ops.Operation{
		Name: "setup", Group: "deploy", Summary: "Set up servers and accessories, then deploy",
		Scope: ops.ScopeApp, Risk: ops.Change, Params: deployParams(),
		Plan: func(in ops.Input) (ops.Plan, error) {
			s := newStory(in, "setup")
			return s.deployPlan(fmt.Sprintf("setup and deploy %s", s.shown()), deployParts{servers: true, proxy: true, prune: true})
		},
	}
}

// Private

// deployParts are what the three deploys differ in.
type deployParts struct {
	servers bool // bootstrap and accessories, all under the lock
	proxy   bool
	prune   bool
}

func (s *story) deployPlan(title string, parts deployParts) (ops.Plan, error) {
	if err := s.needVersion(); err != nil {
		return ops.Plan{}, err
	}
	migrate, migrates, err := s.migrateFirst()
	if err != nil {
		return ops.Plan{}, err
	}
	image := s.pull()
	if !s.Params.On("skip-push") {
		image = ops.InSequence("", "", s.build(command.BuildOptions{NoCache: s.Params.On("no-cache")}), s.pull())
	}
	var before, under []ops.Node
	if parts.servers {
		under = append(under, s.bootstrap(), s.hook("docker-setup", s.sel.Hosts()), image)
	} else {
		before = append(before, image)
	}
	under = append(under, s.hook("pre-deploy", s.sel.Hosts()))
	if parts.proxy {
		under = append(under, s.ensureProxy())
	}
	if parts.servers {
		under = append(under, s.bootAccessories())
	}
	under = append(under, s.stopStale(), migrate, s.bootApp())
	if parts.prune {
		under = append(under, s.pruneAll())
	}
	after := s.hook("post-deploy", s.sel.Hosts())
	if parts.servers && after != nil {
		under = append(under, after) // setup holds the lock to the very end
		after = nil
	}
	nodes := append([]ops.Node{s.secrets(), s.connect()}, before...)
	plan := s.plan(ops.Change, title, append(nodes, s.locked(under...), after)...)
	plan.Effects = append(s.deployEffects(parts), migrates...)
	plan.Locks = true
	return plan, nil
}

// migrateFirst is the migration before the first new container; nil when it is
// not asked for.
func (s *story) migrateFirst() (ops.Node, []ops.Effect, error) {
	if !s.Params.On("migrate") {
		for _, name := range []string{"backup", "without-backup"} {
			if s.Params.On(name) {
				return nil, nil, &ops.Error{Summary: "--" + name, Cause: errors.New("it is about the migration"), Hint: "give --migrate as well"}
			}
		}
		return nil, nil, nil
	}
	m, err := s.newMigration()
	if err != nil {
		return nil, nil, err
	}
	m.advice = "nothing was booted, what ran before serves on; fix it, and deploy with --migrate again: what went through is not run twice"
	nodes, err := m.nodes()
	return nodes, m.effects(), err
}

// deployEffects is the blast radius of a deploy.
func (s *story) deployEffects(parts deployParts) []ops.Effect {
	effects := []ops.Effect{
		{Label: "to", Text: s.destinationText(), Warn: s.production()},
		{Label: "hosts", Text: strings.Join(s.sel.Hosts(), ", ")},
		{Label: "version", Text: s.versionChange()},
	}
	if !s.Params.On("skip-push") {
		effects = append(effects, s.newBuild(command.BuildOptions{}).effects()...)
	}
	if parts.prune {
		effects = append(effects, ops.Effect{Label: "prunes", Text: fmt.Sprintf("stopped containers but the newest %d of every role", s.cfg.RetainContainers())})
	}
	if l := s.lockEffect(); l.Text != "" {
		effects = append(effects, l)
	}
	return effects
}

func (s *story) destinationText() string {
	if d := s.cfg.Destination(); d != "" {
		return d
	}
	return s.cfg.Service() + " (no destination)"
}

// production reports a destination that is the real thing: none, or named so.
func (s *story) production() bool {
	d := s.cfg.Destination()
	return d == "" || strings.Contains(d, "prod")
}

func (s *story) versionChange() string {
	var now []string
	for v, n := range s.Fleet.Versions(s.App) {
		now = append(now, fmt.Sprintf("%s on %d", v, n))
	}
	slices.Sort(now)
	if !s.looked() {
		return s.shown()
	}
	if len(now) == 0 {
		return s.shown() + " (nothing is running now)"
	}
	return s.shown() + " in place of " + strings.Join(now, ", ")
}

// looked reports that the hosts were seen before the plan was made.
func (s *story) looked() bool {
	return slices.ContainsFunc(s.Fleet.Hosts, func(h ops.Host) bool { return !h.SeenAt.IsZero() || len(h.Containers) > 0 })
}

func (s *story) lockEffect() ops.Effect {
	app, _ := s.Fleet.App(s.App)
	if !app.Lock.Held {
		return ops.Effect{}
	}
	return ops.Effect{Label: "lock", Text: strings.Join(DescribeLock(app.Lock), ", "), Warn: true}
}

// shown is a version as people read it: a git revision is cut.
func (s *story) shown() string {
	if len(s.version) == 40 && !strings.Contains(s.version, "_") {
		return s.version[:7]
	}
	return s.version
}

// Helpers

// deployParams are the flags of a deploy that may migrate.
func deployParams() []ops.Param {
	return slices.Concat(buildParams(), []ops.Param{
		{Name: "migrate", Kind: ops.Toggle, Usage: "migrate the database before the first new container boots"},
	}, migrateParams())
}

func buildParams() []ops.Param {
	return []ops.Param{
		{Name: "skip-push", Letter: "P", Kind: ops.Toggle, Usage: "skip image build and push"},
		{Name: "no-cache", Kind: ops.Toggle, Usage: "build without the build cache"},
	}
}
