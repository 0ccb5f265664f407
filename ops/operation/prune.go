package operation

import (
	"binnacle/ops"
	"binnacle/ops/command"
	"context"
)

// pruneAll removes old containers and images on every host, keeping what
// retain_containers says.
func (s *story) pruneAll() ops.Node {
	prune := command.NewPrune(s.cfg)
	containers := prune.Containers(s.cfg.RetainContainers())
	dangling, tagged := prune.DanglingImages(), prune.TaggedImages()
	return eachHost("prune", "prune", s.sel.Hosts(), func(string) *ops.Step {
		return &ops.Step{
			Title: "prune", Lines: []command.Line{containers, dangling, tagged},
			Run: func(ctx context.Context, r *ops.Run) error {
				return r.Exec(ctx,
					s.audit(r.Now(), "", "Pruned containers"), containers,
					s.audit(r.Now(), "", "Pruned images"), dangling, tagged)
			},
		}
	})
}
