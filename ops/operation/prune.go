package operation

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"binnacle/ops"
	"binnacle/ops/command"
)

// pruneAll removes old containers and images on every host, keeping what
// retain_containers says.
func (s *story) pruneAll() ops.Node {
	return s.pruning("prune", s.cfg.RetainContainers(), true)
}

// Private

// pruning removes stopped containers beyond the newest retain, unless that is 0,
// and images that no container has, if asked to.
func (s *story) pruning(title string, retain int, images bool) ops.Node {
	prune := command.NewPrune(s.cfg)
	var lines []command.Line
	if retain > 0 {
		lines = append(lines, prune.ListContainers())
	}
	if images {
		lines = append(lines, prune.DanglingImages(), prune.ListImages())
	}
	return eachHost("prune", title, s.sel.Hosts(), func(string) *ops.Step {
		return &ops.Step{Title: title, Lines: lines, Run: func(ctx context.Context, r *ops.Run) error {
			var notes []string
			if retain > 0 {
				n, err := s.pruneContainers(ctx, r, retain)
				if err != nil {
					return err
				}
				notes = append(notes, counted(n, "container"))
			}
			if images {
				n, err := s.pruneImages(ctx, r)
				if err != nil {
					return err
				}
				notes = append(notes, counted(n, "image tag"))
			}
			r.Note("removed %s", strings.Join(notes, " and "))
			return nil
		}}
	})
}

func (s *story) pruneContainers(ctx context.Context, r *ops.Run, retain int) (removed int, err error) {
	if err := r.Exec(ctx, s.audit(r.Now(), "", "Pruned containers")); err != nil {
		return 0, err
	}
	containers, err := r.Docker().ListContainers(ctx, "service="+s.cfg.Service())
	if err != nil {
		return 0, &ops.Error{Host: r.Host, Command: command.NewPrune(s.cfg).ListContainers().String(), Cause: err}
	}
	old := beyondRetention(containers, retain)
	if len(old) == 0 {
		return 0, nil
	}
	remove := command.New("docker", "rm")
	for _, c := range old {
		remove = remove.With(short(c.ID))
	}
	return len(old), r.Exec(ctx, remove)
}

func (s *story) pruneImages(ctx context.Context, r *ops.Run) (removed int, err error) {
	audit := s.audit(r.Now(), "", "Pruned images")
	if err := r.Exec(ctx, command.And(audit, command.NewPrune(s.cfg).DanglingImages())); err != nil {
		return 0, err
	}
	images, err := r.Docker().ListImages(ctx, "service="+s.cfg.Service())
	if err != nil {
		return 0, &ops.Error{Host: r.Host, Command: command.NewPrune(s.cfg).ListImages().String(), Cause: err}
	}
	containers, err := r.Docker().ListContainers(ctx)
	if err != nil {
		return 0, &ops.Error{Host: r.Host, Command: "docker ps --all", Cause: err}
	}
	tags := s.unusedTags(images, containers)
	if len(tags) == 0 {
		return 0, nil
	}
	return len(tags), r.Exec(ctx, command.New("docker", "rmi").With(tags...))
}

// unusedTags are the tags of the service's images that no container was made
// from. The latest tags of all destinations stay: they tell which container is
// in use.
func (s *story) unusedTags(images []ops.Image, containers []ops.Container) []string {
	latest := s.cfg.ImageRepository() + ":latest"
	needed := func(tag string) bool {
		return tag == latest || strings.HasPrefix(tag, latest+"-") ||
			slices.ContainsFunc(containers, func(c ops.Container) bool { return c.Image == tag })
	}
	var out []string
	for _, img := range images {
		unused := slices.DeleteFunc(slices.Clone(img.Tags), needed)
		if len(unused) > 0 && len(unused) == len(img.Tags) && slices.ContainsFunc(containers, func(c ops.Container) bool { return c.ImageID == img.ID }) {
			unused = unused[1:] // Docker refuses to remove the last tag of an image that a container has
		}
		out = append(out, unused...)
	}
	return out
}

// pruneEffects is what a prune removes, as far as the hosts were seen.
func (s *story) pruneEffects(retain int, images bool) []ops.Effect {
	effects := []ops.Effect{
		{Label: "to", Text: s.destinationText(), Warn: s.production()},
		{Label: "hosts", Text: joined(s.sel.Hosts())},
	}
	if retain > 0 {
		effects = append(effects, ops.Effect{Label: "keeps", Text: "the newest " + strconv.Itoa(retain) + " stopped containers of every role and destination"})
		for _, host := range s.sel.Hosts() {
			h, _ := s.Fleet.Host(host)
			var names []string
			for _, c := range beyondRetention(ofService(h.Containers, s.cfg.Service()), retain) {
				names = append(names, c.Name)
			}
			if len(names) > 0 {
				effects = append(effects, ops.Effect{Label: "loses", Text: host + ": " + joined(names)})
			}
		}
	}
	if images {
		effects = append(effects, ops.Effect{Label: "loses", Text: "images of " + s.cfg.Service() + " that no container has"})
	}
	return effects
}

// Helpers

// beyondRetention are the stopped containers of a service on a host that a prune
// removes. Kamal keeps the newest of all together; where several roles or
// destinations share a host, that can be fewer than a version has. So the newest
// of each role and destination stay as well, but for copies that were replaced:
// nobody rolls back to those.
func beyondRetention(containers []ops.Container, retain int) []ops.Container {
	stopped := slices.DeleteFunc(slices.Clone(containers), func(c ops.Container) bool {
		return c.State != "created" && c.State != "exited" && c.State != "dead"
	})
	slices.SortStableFunc(stopped, func(a, b ops.Container) int { return b.Created.Compare(a.Created) })
	type place struct{ role, destination string }
	kept := map[place]int{}
	var old []ops.Container
	for i, c := range stopped {
		own := place{c.Labels["role"], c.Labels["destination"]}
		target := own.role != "" && !strings.Contains(c.Name, "_replaced_")
		if target {
			kept[own]++
		}
		if i >= retain && (!target || kept[own] > retain) {
			old = append(old, c)
		}
	}
	return old
}

func ofService(containers []ops.Container, service string) []ops.Container {
	return slices.DeleteFunc(slices.Clone(containers), func(c ops.Container) bool { return c.Labels["service"] != service })
}

func counted(n int, what string) string {
	switch n {
	case 0:
		return "no " + what
	case 1:
		return "1 " + what
	}
	return strconv.Itoa(n) + " " + what + "s"
}
