package operation

import "binnacle/ops"

// AppBoot boots the app's containers again: the version given, or as with Kamal
// the image behind the latest tag.
func AppBoot() ops.Operation {
	return ops.Operation{
		Name: "app boot", Group: "app", Summary: "Boot the app on its servers, or reboot it",
		Scope: ops.ScopeApp, Risk: ops.Change,
		Plan: func(in ops.Input) (ops.Plan, error) {
			s := newStory(in, "app boot")
			if in.AskedVersion == "" {
				s.become(in.Config.LatestTag())
			}
			plan := s.plan(ops.Change, "boot "+s.shown(),
				s.secrets(), s.connect(), s.locked(s.bootApp()))
			plan.Effects = s.appEffects()
			plan.Locks = true
			return plan, nil
		},
	}
}

// Private

// appEffects is the blast radius of what concerns the app's own containers.
func (s *story) appEffects() []ops.Effect {
	return []ops.Effect{
		{Label: "to", Text: s.destinationText(), Warn: s.production()},
		{Label: "hosts", Text: joined(s.sel.AppHosts())},
		{Label: "version", Text: s.versionChange()},
	}
}
