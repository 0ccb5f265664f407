package operation

import "binnacle/ops"

// AppImages shows the app's images on each host.
func AppImages() ops.Operation {
	return ops.Operation{
		Name: "app images", Group: "app", Summary: "Show the app's images on its servers",
		Scope: ops.ScopeApp, Risk: ops.Read,
		Plan: func(in ops.Input) (ops.Plan, error) {
			s := newStory(in, "app images")
			return s.shows("images of the app", eachHost("images", "images", s.sel.AppHosts(), func(host string) *ops.Step {
				return showing("images", s.app(nil, host).ListImages())
			})), nil
		},
	}
}
