package operation

import (
	"binnacle/ops"
	"binnacle/ops/command"
)

// AccessoryLogs shows an accessory's log of all its hosts, or follows that of one.
func AccessoryLogs() ops.Operation {
	return ops.Operation{
		Name: "accessory logs", Group: "accessory", Summary: "Show an accessory's log",
		Scope: ops.ScopeAccessory, Risk: ops.Read, Params: append([]ops.Param{accessoryParam(false)}, logParams()...),
		Plan: func(in ops.Input) (ops.Plan, error) {
			s := newStory(in, "accessory logs")
			accs, err := s.accessoriesCalled(in.Params.Text(nameParam), false)
			if err != nil {
				return ops.Plan{}, err
			}
			options, err := logOptions(in.Params)
			if err != nil {
				return ops.Plan{}, err
			}
			acc := accs[0]
			plan := s.logsPlan("logs of "+acc.Name(), s.sel.AccessoryHostsFor(acc), options, func(host string) command.Line {
				return command.NewAccessory(s.cfg, acc, host).Logs(options)
			})
			plan.Version = ""
			return plan, nil
		},
	}
}

// Private

// logsPlan shows the logs of some hosts, or follows that of the first.
func (s *story) logsPlan(title string, hosts []string, options command.LogOptions, line func(host string) command.Line) ops.Plan {
	if options.Follow {
		hosts = hosts[:min(len(hosts), 1)]
	}
	plan := s.plan(ops.Read, title, eachHost("logs", title, hosts, func(host string) *ops.Step {
		return logStep(host, line(host), options)
	}))
	plan.Stream = options.Follow
	return plan
}
