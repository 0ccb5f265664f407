package operation

import (
	"context"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"binnacle/ops"
	"binnacle/ops/command"
)

// Details shows the proxy, app and accessory containers of every host.
func Details() ops.Operation {
	return ops.Operation{
		Name: "details", Group: "inspect", Summary: "Show all containers of the app, its accessories and the proxy",
		Scope: ops.ScopeApp, Risk: ops.Read,
		Plan: func(in ops.Input) (ops.Plan, error) {
			s := newStory(in, "details")
			line := command.New("docker", "ps", "--all")
			return s.plan(ops.Read, "details", eachHost("details", "containers", s.sel.Hosts(), func(host string) *ops.Step {
				return &ops.Step{Title: "details", Timeout: time.Minute, Lines: []command.Line{line}, Run: func(ctx context.Context, r *ops.Run) error {
					containers, err := r.Docker().ListContainers(ctx)
					if err != nil {
						return &ops.Error{Host: host, Command: line.String(), Cause: err}
					}
					for i, c := range containers {
						if found, err := r.Docker().InspectContainer(ctx, c.ID); err == nil { // it may be gone meanwhile
							containers[i].Started = found.Started
						}
					}
					r.Result(s.table(containers, r.Now()))
					return nil
				}}
			})), nil
		},
	}
}

// Private

func (s *story) table(containers []ops.Container, now time.Time) string {
	var out strings.Builder
	w := tabwriter.NewWriter(&out, 0, 0, 3, ' ', 0)
	_, _ = fmt.Fprintln(w, "CONTAINER ID\tKIND\tNAME\tVERSION\tIMAGE\tSTATE\tHEALTH\tUP\tPORTS")
	for _, kind := range []ops.Kind{ops.KindProxy, ops.KindApp, ops.KindAccessory} {
		for _, c := range containers {
			c = s.Fleet.Identify(c)
			if c.Kind != kind || kind != ops.KindProxy && c.App != s.App {
				continue
			}
			_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", short(c.ID), kind, c.Name, c.Version, c.Image,
				stateText(c), c.Health, upText(c, now), strings.Join(c.Ports, ", "))
		}
	}
	_ = w.Flush()
	lines := strings.Split(strings.TrimRight(out.String(), "\n"), "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " ")
	}
	return strings.Join(lines, "\n")
}

// Helpers

func stateText(c ops.Container) string {
	if c.State == "exited" || c.State == "dead" {
		return fmt.Sprintf("%s (%d)", c.State, c.ExitCode)
	}
	return c.State
}

func upText(c ops.Container, now time.Time) string {
	if !c.Running() || c.Started.IsZero() {
		return ""
	}
	return now.Sub(c.Started).Round(time.Second).String()
}
