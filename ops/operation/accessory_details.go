package operation

import (
	"binnacle/config"
	"binnacle/ops"
	"binnacle/ops/command"
)

// AccessoryDetails shows accessories' running containers.
func AccessoryDetails() ops.Operation {
	return ops.Operation{
		Name: "accessory details", Group: "accessory", Summary: "Show an accessory's running containers",
		Scope: ops.ScopeAccessory, Risk: ops.Read, Params: []ops.Param{accessoryParam(true)},
		Plan: func(in ops.Input) (ops.Plan, error) {
			s := newStory(in, "accessory details")
			accs, err := s.accessoriesCalled(in.Params.Text(nameParam), true)
			if err != nil {
				return ops.Plan{}, err
			}
			plan := s.plan(ops.Read, "details of accessory "+namesOf(accs),
				s.eachAccessory("details", "details of", accs, func(acc *config.Accessory, id, title string) ops.Node {
					return eachHost(id, title, s.sel.AccessoryHostsFor(acc), func(host string) *ops.Step {
						return showing(acc.Name(), command.NewAccessory(s.cfg, acc, host).Info())
					})
				}))
			plan.Version, plan.Heading = "", "Accessory"
			if len(accs) == 1 {
				plan.Heading += " " + accs[0].Name()
			}
			return plan, nil
		},
	}
}
