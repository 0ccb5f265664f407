package operation

import (
	"context"
	"fmt"
	"strings"
	"time"

	"binnacle/ops"
)

// Rollback boots a version that every host and role still has. Without a
// version it takes the newest such version that is not serving.
func Rollback() ops.Operation {
	return ops.Operation{
		Name: "rollback", Group: "deploy", Summary: "Go back to a version whose containers are still there", Key: "R",
		Scope: ops.ScopeApp, Risk: ops.Change, Observe: true,
		Params: []ops.Param{{Name: "VERSION", Kind: ops.Version, Positional: true, Usage: "the version to go back to"}},
		Plan:   planRollback,
	}
}

// Private

func planRollback(in ops.Input) (ops.Plan, error) {
	s := newStory(in, "rollback")
	version := in.Params.Text("VERSION")
	if version == "" {
		target, ok := in.Fleet.PreviousVersion(in.App)
		if !ok {
			return ops.Plan{}, &ops.Error{
				Summary: "nothing to roll back to",
				Cause:   fmt.Errorf("no earlier version has a container for every role on every host%s", haveText(in)),
				Hint:    "deploy the version you want instead: " + s.byHand("deploy -P --version VERSION"),
			}
		}
		version = target.Version
	}
	s.become(version)
	hosts := s.sel.Hosts()
	plan := s.plan(ops.Change, "rollback to "+s.shown(),
		s.hook(preConnect, hosts), s.secrets(), s.connect(),
		s.locked(s.checkAvailable(), s.hook("pre-deploy", hosts), s.bootApp()),
		s.hook("post-deploy", hosts))
	plan.Effects = append([]ops.Effect{
		{Label: "to", Text: s.destinationText(), Warn: s.production()},
		{Label: "hosts", Text: strings.Join(hosts, ", ")},
		{Label: "version", Text: s.versionChange()},
	}, s.targetEffects()...)
	plan.Locks = true
	return plan, nil
}

// checkAvailable makes sure, on the hosts and before anything changes, that
// every role has a container of the version.
func (s *story) checkAvailable() ops.Node {
	return eachHost("check", "look for "+s.shown(), s.sel.AppHosts(), func(host string) *ops.Step {
		return &ops.Step{Title: "check", Timeout: time.Minute, Run: func(ctx context.Context, r *ops.Run) error {
			for _, role := range s.rolesOn(host) {
				app := s.app(role, host)
				r.Ran(app.ContainerIDFor(s.version))
				containers, err := r.Docker().ListContainers(ctx, app.Labels()...)
				if err != nil {
					return &ops.Error{Host: host, Command: app.ContainerIDFor(s.version).String(), Cause: err}
				}
				found, have := false, []string{}
				for _, c := range containers {
					found = found || c.Name == app.ContainerName(s.version)
					have = append(have, versionOf(c, app))
				}
				if !found {
					return &ops.Error{
						Host:    host,
						Summary: fmt.Sprintf("the app version '%s' is not available as a container of role %s", s.version, role.Name()),
						Cause:   fmt.Errorf("it has %s", orNone(have)),
						Hint:    s.byHand("details") + " lists what is there",
					}
				}
			}
			return nil
		}}
	})
}

func (s *story) targetEffects() []ops.Effect {
	for _, t := range s.Fleet.RollbackTargets(s.App) {
		if t.Version != s.version {
			continue
		}
		out := []ops.Effect{{Label: "from", Text: fmt.Sprintf("containers created %s", t.Created.UTC().Format(time.DateTime+" UTC"))}}
		if t.Digest != "" {
			out = append(out, ops.Effect{Label: "image", Text: shortDigest(t.Digest)})
		}
		if t.Mixed {
			out = append(out, ops.Effect{Label: "image", Text: "hosts have different images under this version", Warn: true})
		}
		return out
	}
	return nil
}

// Helpers

func haveText(in ops.Input) string {
	var have []string
	for _, t := range in.Fleet.RollbackTargets(in.App) {
		have = append(have, t.Version)
	}
	if len(have) == 0 {
		return ""
	}
	return " (complete: " + strings.Join(have, ", ") + ")"
}

// shortDigest is a digest as registries show it: enough to compare by eye.
func shortDigest(digest string) string {
	const shown = len("sha256:") + 12
	if len(digest) > shown {
		return digest[:shown]
	}
	return digest
}

func orNone(versions []string) string {
	if len(versions) == 0 {
		return "none"
	}
	return strings.Join(versions, ", ")
}
