package operation

import (
	"context"
	"strings"
	"time"

	"binnacle/ops"
	"binnacle/ops/command"
)

// auditLines is how much of each host's audit log is shown, as with Kamal.
const auditLines = 50

// Audit shows the audit log of every host.
func Audit() ops.Operation {
	return ops.Operation{
		Name: "audit", Group: "inspect", Summary: "Show what was done on each host",
		Scope: ops.ScopeApp, Risk: ops.Read,
		Plan: func(in ops.Input) (ops.Plan, error) {
			s := newStory(in, "audit")
			line := command.NewAuditor(s.cfg).Reveal(auditLines)
			return s.plan(ops.Read, "audit", eachHost("audit", "audit log", s.sel.Hosts(), func(host string) *ops.Step {
				return &ops.Step{Title: "audit", Timeout: time.Minute, Lines: []command.Line{line}, Run: func(ctx context.Context, r *ops.Run) error {
					out, err := r.Capture(ctx, line)
					if err != nil {
						return err
					}
					r.Result(strings.TrimRight(out, "\n"))
					return nil
				}}
			})), nil
		},
	}
}
