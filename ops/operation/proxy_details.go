package operation

import (
	"slices"

	"binnacle/ops"
	"binnacle/ops/command"
)

// ProxyDetails shows the proxy's running containers.
func ProxyDetails() ops.Operation {
	return ops.Operation{
		Name: "proxy details", Group: "proxy", Summary: "Show kamal-proxy's containers",
		Scope: ops.ScopeApp, Risk: ops.Read,
		Plan: func(in ops.Input) (ops.Plan, error) {
			s := newStory(in, "proxy details")
			plan := s.plan(ops.Read, "details of the proxy",
				eachHost("details", "details", s.sel.ProxyHosts(), func(host string) *ops.Step {
					return showing("kamal-proxy", command.NewProxy(s.cfg, host).Info())
				}))
			plan.Version, plan.Heading = "", "Proxy"
			return plan, nil
		},
	}
}

// ProxyLogs shows the proxy's log of all hosts, or follows that of one.
func ProxyLogs() ops.Operation {
	return ops.Operation{
		Name: "proxy logs", Group: "proxy", Summary: "Show kamal-proxy's log",
		Scope: ops.ScopeApp, Risk: ops.Read, Params: logParams(),
		Plan: func(in ops.Input) (ops.Plan, error) {
			s := newStory(in, "proxy logs")
			options, err := logOptions(in.Params)
			if err != nil {
				return ops.Plan{}, err
			}
			hosts := s.sel.ProxyHosts()
			if primary := s.sel.PrimaryHost(); options.Follow && slices.Contains(hosts, primary) {
				hosts = []string{primary}
			}
			plan := s.logsPlan("logs of the proxy", hosts, options, func(host string) command.Line {
				return command.NewProxy(s.cfg, host).Logs(options)
			})
			plan.Version, plan.Heading = "", "Proxy"
			return plan, nil
		},
	}
}
