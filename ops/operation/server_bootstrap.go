package operation

import "binnacle/ops"

// ServerBootstrap makes sure that the servers can run the app: Docker is there,
// and what the docker-setup hook adds.
func ServerBootstrap() ops.Operation {
	return ops.Operation{
		Name: "server bootstrap", Group: "server", Summary: "Install Docker where it is missing, and run the docker-setup hook",
		Scope: ops.ScopeApp, Risk: ops.Change,
		Plan: func(in ops.Input) (ops.Plan, error) {
			s := newStory(in, "server bootstrap")
			hosts := s.sel.Hosts()
			plan := s.plan(ops.Change, "bootstrap the servers",
				s.hook(preConnect, hosts), s.connect(), s.locked(s.bootstrap(), s.hook("docker-setup", hosts)))
			plan.Effects = []ops.Effect{
				{Label: "to", Text: s.destinationText(), Warn: s.production()},
				{Label: "hosts", Text: joined(hosts)},
				{Label: "installs", Text: "Docker, where it is missing, with the script of get.docker.com"},
			}
			plan.Locks = true
			return plan, nil
		},
	}
}
