package operation

import "binnacle/ops"

// AppDetails shows the running containers of each role.
func AppDetails() ops.Operation {
	return ops.Operation{
		Name: "app details", Group: "app", Summary: "Show the app's running containers",
		Scope: ops.ScopeApp, Risk: ops.Read,
		Plan: func(in ops.Input) (ops.Plan, error) {
			s := newStory(in, "app details")
			return s.shows("details of the app", s.eachPlace("details", "containers", ops.Parallel, func(p *place) *ops.Step {
				return showing("details", p.app.Info())
			})), nil
		},
	}
}

// Private

// eachPlace makes one step per role and host that step returns one for, hosts
// side by side and the roles of a host in the given mode.
func (s *story) eachPlace(id, title string, roles ops.Mode, step func(*place) *ops.Step) *ops.Group {
	g := ops.SideBySide(id, title)
	for _, host := range s.sel.AppHosts() {
		perHost := &ops.Group{Mode: roles}
		for _, role := range s.rolesOn(host) {
			made := step(s.placeOf(role, host))
			if made == nil {
				continue
			}
			made.ID, made.Host, made.Title = role.Name()+"/"+host, host, host+" "+role.Name()
			perHost.Nodes = append(perHost.Nodes, made)
		}
		if len(perHost.Nodes) > 0 {
			g.Nodes = append(g.Nodes, perHost)
		}
	}
	return g
}
