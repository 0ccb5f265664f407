package operation_test

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"binnacle/ops"
	"binnacle/ops/opstest"
)

// leftover is a container that an old deploy left on a host.
type leftover struct{ role, destination, version, state string }

// Several roles and destinations share the host. Kamal counts all their stopped
// containers together; what a rollback of any of them needs stays here.
func TestAPruneKeepsWhatARollbackNeeds(t *testing.T) {
	var history []leftover // newest first
	for _, v := range []string{"v9", "v8", "v7", "v6"} {
		for _, role := range []string{"web", "job", "cron"} {
			history = append(history, leftover{role, "", v, "exited"})
		}
	}
	history = append(history, leftover{"web", "staging", "s2", "exited"}, leftover{"web", "staging", "s1", "dead"})
	tests := []struct {
		name    string
		history []leftover
		retain  int
		gone    []string
	}{
		{"two of each role and destination stay", history, 2, []string{"web--v7", "job--v7", "cron--v7", "web--v6", "job--v6", "cron--v6"}},
		{"one of each", history, 1, []string{
			"web--v8", "job--v8", "cron--v8", "web--v7", "job--v7", "cron--v7", "web--v6", "job--v6", "cron--v6", "web-staging-s1",
		}},
		{"the newest of all stay as with Kamal", history[:3], 5, nil},
		{"copies that were replaced are no version", []leftover{
			{"web", "", "v9_replaced_ab", "exited"}, {"web", "", "v8_replaced_ab", "exited"}, {"web", "", "v8", "exited"}, {"web", "", "v7", "exited"}, {"web", "", "v6", "created"},
		}, 2, []string{"web--v6"}},
		{"what runs is not counted", []leftover{{"web", "", "v9", "running"}, {"web", "", "v8", "exited"}, {"web", "", "v7", "paused"}, {"web", "", "v6", "exited"}}, 1, []string{"web--v6"}},
		{"without a role it is Kamal's count", []leftover{{"", "", "b", "exited"}, {"", "", "a", "exited"}}, 1, []string{"--a"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t, demoConfig)
			ids := b.leave("vm1", tt.history)
			if task := b.start(b.plan("prune containers", "retain", strconv.Itoa(tt.retain)), nil); task.Status != ops.Done {
				t.Fatal(texts(task.Errors))
			}
			var gone []string
			for _, c := range b.world.Asked("vm1") {
				if removed, ok := strings.CutPrefix(c, "docker rm "); ok {
					for _, id := range strings.Fields(removed) {
						gone = append(gone, ids[id])
					}
				}
			}
			slices.Sort(gone)
			slices.Sort(tt.gone)
			if !slices.Equal(gone, tt.gone) {
				t.Errorf("removed %v\nwant    %v", gone, tt.gone)
			}
		})
	}
}

func TestAPruneOfImagesKeepsWhatContainersAndLatestTagsName(t *testing.T) {
	b := newBench(t, demoConfig)
	engine := b.world.Engine("vm1")
	repo, labels := b.cfg.ImageRepository(), map[string]string{"service": "shop"}
	for _, c := range engine.Containers() {
		engine.Change(c.ID, func(c *ops.Inspection) { c.Image = repo + ":" + strings.TrimPrefix(c.Name, "shop-web-") })
	}
	engine.AddImage(ops.Image{ID: "sha256:s1", Tags: []string{repo + ":latest-staging", repo + ":s1"}, Labels: labels})
	engine.AddImage(ops.Image{ID: "sha256:x", Tags: []string{"other/repo:x"}, Labels: labels})
	engine.AddImage(ops.Image{ID: "sha256:held", Tags: []string{repo + ":held"}, Labels: labels})
	engine.Add(ops.Inspection{Container: ops.Container{ID: "held", Name: "debug", Image: "sha256:held", ImageID: "sha256:held", State: "exited"}})
	if task := b.start(b.plan("prune images"), nil); task.Status != ops.Done {
		t.Fatal(texts(task.Errors))
	}
	var rmi []string
	for _, c := range b.world.Asked("vm1") {
		if strings.HasPrefix(c, "docker rmi ") {
			rmi = append(rmi, c)
		}
	}
	if want := []string{"docker rmi " + repo + ":v3 " + repo + ":s1 other/repo:x"}; !slices.Equal(rmi, want) {
		t.Errorf("removed by %v\nwant       %v", rmi, want)
	}
}

func TestAPruneWritesDownWhatItDid(t *testing.T) {
	b := newBench(t, demoConfig)
	if task := b.start(b.plan("prune all"), nil); task.Status != ops.Done || len(b.held()) > 0 {
		t.Fatalf("%s, held %v: %v", task.Status, b.held(), texts(task.Errors))
	}
	asked := strings.Join(b.world.Asked("vm3"), "\n")
	containers, images := strings.Index(asked, "] Pruned containers"), strings.Index(asked, "] Pruned images")
	if containers < 0 || images < containers {
		t.Errorf("vm3's audit log lacks a line:\n%s", asked)
	}
	if !strings.Contains(asked, "docker image prune --force --filter label=service=shop") {
		t.Errorf("images without a tag stay:\n%s", asked)
	}
}

func TestAPruneThatFailsIsAFailure(t *testing.T) {
	b := newBench(t, demoConfig)
	b.leave("vm2", []leftover{{"web", "", "v9", "exited"}, {"web", "", "v8", "exited"}})
	b.world.On("vm2", "^docker rm ", opstest.Reply{Answer: func(context.Context, string) (string, error) {
		return "", &ops.ExitError{Host: "vm2", Code: 1, Output: "removal is already in progress"}
	}})
	task := b.start(b.plan("prune containers", "retain", "1"), nil)
	if text := strings.Join(texts(task.Errors), "\n"); task.Status != ops.Failed || !strings.Contains(text, "vm2: docker rm") || len(b.held()) > 0 {
		t.Errorf("%s, held %v: %s", task.Status, b.held(), text)
	}
}

func TestRetainMustKeepSomething(t *testing.T) {
	b := newBench(t, demoConfig)
	for _, given := range []string{"0", "-1", "all"} {
		if _, err := b.tryPlan("prune containers", "retain", given); err == nil || !strings.Contains(err.Error(), "--retain "+given) {
			t.Errorf("--retain %s: %v", given, err)
		}
	}
}

// Helpers

// leave puts containers on a host in place of those it has, newest first, and
// returns their names by short id.
func (b *bench) leave(host string, history []leftover) map[string]string {
	for _, c := range b.world.Engine(host).Containers() {
		b.world.Engine(host).Change(c.ID, func(c *ops.Inspection) { c.Labels = nil })
	}
	ids := map[string]string{}
	for i, l := range history {
		id := strings.Repeat(strconv.Itoa(i%10), 6) + strings.Repeat(string(rune('a'+i/10)), 58)
		name := l.role + "-" + l.destination + "-" + l.version
		ids[id[:12]] = name
		labels := map[string]string{"service": "shop", "destination": l.destination, "role": l.role}
		b.world.Engine(host).Add(ops.Inspection{Container: ops.Container{
			ID: id, Name: name, State: l.state, Labels: labels, Created: b.world.Now().Add(-time.Duration(i) * time.Hour),
		}})
	}
	return ids
}
