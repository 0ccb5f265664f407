package operation

import (
	"context"
	"time"

	"binnacle/ops"
	"binnacle/ops/command"
)

// AppVersion shows which version runs on each host: that of the first role
// there, and nothing where none runs.
func AppVersion() ops.Operation {
	return ops.Operation{
		Name: "app version", Group: "app", Summary: "Show which version of the app runs on its servers",
		Scope: ops.ScopeApp, Risk: ops.Read,
		Plan: func(in ops.Input) (ops.Plan, error) {
			s := newStory(in, "app version")
			return s.shows("version of the app", eachHost("version", "version", s.sel.AppHosts(), func(host string) *ops.Step {
				p := s.placeOf(s.rolesOn(host)[0], host)
				return &ops.Step{
					Title: "version", Timeout: time.Minute, Lines: []command.Line{p.app.CurrentRunningVersion()},
					Run: func(ctx context.Context, r *ops.Run) error {
						current, err := p.current(ctx, r)
						if err != nil {
							return err
						}
						r.Result(versionOf(current, p.app))
						return nil
					},
				}
			})), nil
		},
	}
}
