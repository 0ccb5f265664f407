package lab

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// The labels by which a run is found again.
const (
	labelKind  = "binnacle.e2e"
	labelRun   = "binnacle.e2e.run"
	labelOwner = "binnacle.e2e.owner"
	labelDir   = "binnacle.e2e.dir"
	labelAddr  = "binnacle.e2e.registry" // on the registry's container
)

// Run is a fleet that exists on this machine, whoever started it.
type Run struct {
	ID    string
	Dir   string // its folder
	Owner string // the process it belongs to, or "kept"
	Dead  bool   // its owner has ended, so the next Start removes it
}

// Kept reports whether the run outlives the process that started it.
func (r Run) Kept() bool { return r.Owner == keptOwner }

// Runs lists the fleets on this machine.
func Runs(ctx context.Context) ([]Run, error) {
	list, err := docker(ctx, "network", "ls", "--filter", "label="+labelRun,
		"--format", fmt.Sprintf(`{{.Label %q}}|{{.Label %q}}|{{.Label %q}}`, labelRun, labelDir, labelOwner))
	if err != nil {
		return nil, err
	}
	var runs []Run
	for line := range strings.Lines(list) {
		fields := strings.Split(strings.TrimSpace(line), "|")
		if len(fields) == 3 {
			runs = append(runs, Run{ID: fields[0], Dir: fields[1], Owner: fields[2], Dead: dead(fields[2])})
		}
	}
	return runs, nil
}

// Remove takes a run away: containers, volumes, network, control groups, the
// images built for its registry, and its folder. Removing what is gone already is no error. The network goes
// last, because a run is listed as long as it has one.
func Remove(ctx context.Context, r Run) error {
	filter := "label=" + labelRun + "=" + r.ID
	problems := []error{removeBuilt(ctx, filter)}
	for _, kind := range []struct{ list, remove []string }{
		{[]string{"container", "ls", "--all"}, []string{"container", "rm", "--force", "--volumes"}},
		{[]string{"volume", "ls"}, []string{"volume", "rm", "--force"}},
	} {
		problems = append(problems, removeAll(ctx, append(kind.list, "--quiet", "--filter", filter), kind.remove))
	}
	problems = append(problems, removeControlGroups(r.ID))
	if strings.Contains(r.Dir, r.ID) {
		problems = append(problems, os.RemoveAll(r.Dir))
	}
	problems = append(problems, removeAll(ctx, []string{"network", "ls", "--quiet", "--filter", filter}, []string{"network", "rm"}))
	if err := errors.Join(problems...); err != nil {
		return fmt.Errorf("removing fleet %s: %w", r.ID, err)
	}
	return nil
}

// Sweep removes the runs whose owner died without removing them.
func Sweep(ctx context.Context, note func(string, ...any)) error {
	runs, err := Runs(ctx)
	if err != nil {
		return err
	}
	var problems []error
	for _, r := range runs {
		if r.Dead {
			note("removing fleet %s, which a killed run left", r.ID)
			problems = append(problems, Remove(ctx, r))
		}
	}
	return errors.Join(problems...)
}

// Private

func (f *Fleet) labels(kind string) []string {
	owner := keptOwner
	if !f.keep {
		owner = thisProcess().String()
	}
	return []string{
		"--label", labelKind + "=" + kind, "--label", labelRun + "=" + f.id,
		"--label", labelDir + "=" + f.dir, "--label", labelOwner + "=" + owner,
	}
}

// removeBuilt removes the images that were built on this machine and pushed to
// the run's registry.
func removeBuilt(ctx context.Context, filter string) error {
	registry, err := docker(ctx, "container", "ls", "--all", "--filter", filter, "--filter", "label="+labelAddr,
		"--format", fmt.Sprintf("{{.Label %q}}", labelAddr))
	if err != nil || registry == "" {
		return err
	}
	return removeAll(ctx, []string{"image", "ls", "--quiet", "--filter", "reference=" + registry + "/*"}, []string{"image", "rm", "--force"})
}

func removeAll(ctx context.Context, list, remove []string) error {
	found, err := docker(ctx, list...)
	if err != nil || found == "" {
		return err
	}
	_, err = docker(ctx, append(remove, strings.Fields(found)...)...)
	if err != nil && strings.Contains(err.Error(), "No such") {
		return nil
	}
	return err
}

// removeControlGroups removes the groups that the hosts' engines made below
// the root of every hierarchy; the kernel keeps them after the containers.
func removeControlGroups(id string) error {
	const root = "/sys/fs/cgroup"
	var groups []string
	for _, pattern := range []string{"/*", "/*/*"} {
		found, err := filepath.Glob(root + pattern + "-" + id + "-*")
		if err != nil {
			return err
		}
		groups = append(groups, found...)
	}
	for _, group := range groups {
		if err := removeTree(group); err != nil && !errors.Is(err, fs.ErrPermission) {
			return err
		}
	}
	return nil
}

// Helpers

// removeTree removes a control group and those below it; only rmdir works there.
func removeTree(group string) error {
	entries, err := os.ReadDir(group)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if entry.IsDir() {
			if err := removeTree(filepath.Join(group, entry.Name())); err != nil {
				return err
			}
		}
	}
	if err := os.Remove(group); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
