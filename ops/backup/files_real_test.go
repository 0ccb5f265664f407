//go:build e2e

package backup_test

import (
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"binnacle/config"
	"binnacle/ops"
	"binnacle/ops/backup"
	"binnacle/ops/e2e/lab"
)

// startWith runs an image of lab with options and a command until the test ends.
func startWith(t *testing.T, kind config.Engine, image string, options []string, command ...string) *server {
	t.Helper()
	images, err := lab.LocalDatabases(t.Context(), t.Logf)
	if err != nil {
		t.Fatal(err)
	}
	at := slices.IndexFunc(images, func(name string) bool { return strings.HasSuffix(name, image) })
	if at < 0 {
		t.Fatalf("no image %s among %v", image, images)
	}
	engine, err := backup.NewEngine(kind)
	if err != nil {
		t.Fatal(err)
	}
	s := &server{t: t, engine: engine}
	s.Place = backup.Place{
		Backup: config.Backup{Name: "files", Engine: kind, Host: "here"}, Remote: onHere{}, Image: images[at],
		Container: fmt.Sprintf("binnacle-engine-%s-%d", kind, time.Now().UnixNano()), Label: "binnacle.scratch=test/1/" + t.Name(),
		Tell: func(_ ops.Stream, text string) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.told = append(s.told, text)
		},
	}
	s.here("docker", slices.Concat([]string{"run", "-d", "--name", s.Container}, options, []string{s.Image}, command)...)
	t.Cleanup(func() {
		left, _ := exec.Command("docker", "ps", "-aq", "--filter", "label="+s.Label).Output()
		_ = exec.Command("docker", append([]string{"rm", "-f", "-v", s.Container}, strings.Fields(string(left))...)...).Run()
	})
	return s
}
