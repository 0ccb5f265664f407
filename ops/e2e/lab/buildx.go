package lab

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

const buildxModule = "github.com/docker/buildx@v0.30.1"

// Buildx returns a folder that holds the docker-buildx plugin and builds it
// from its Go module when the cache does not have it. The module's go.mod
// rules out `go install`, so its source is copied and built as the main module.
func Buildx(ctx context.Context, note func(string, ...any)) (string, error) {
	cache, err := cacheFolder()
	if err != nil {
		return "", err
	}
	folder := filepath.Join(cache, filepath.Base(buildxModule))
	plugin := filepath.Join(folder, "docker-buildx")
	if _, err := os.Stat(plugin); err == nil {
		return folder, nil
	}
	note("building the buildx plugin (once, about two minutes)")
	work, err := os.MkdirTemp("", "binnacle-e2e-buildx-")
	if err != nil {
		return "", err
	}
	defer func() { _ = os.RemoveAll(work) }()

	if err := os.MkdirAll(folder, 0o700); err != nil {
		return "", err
	}
	source := filepath.Join(work, "source")
	if err := copyModule(ctx, buildxModule, source); err != nil {
		return "", fmt.Errorf("fetching buildx: %w", err)
	}
	made := filepath.Join(work, "docker-buildx")
	_, err = output(ctx, command{
		name: "go", dir: source,
		args: []string{"build", "-mod=mod", "-trimpath", "-ldflags=-s -w", "-o", made, "./cmd/buildx"},
		env:  []string{"CGO_ENABLED=0", "GOFLAGS=-buildvcs=false", "GOWORK=off"},
	})
	if err != nil {
		return "", fmt.Errorf("building buildx: %w", err)
	}
	return folder, install(made, plugin)
}

// Private

func copyModule(ctx context.Context, module, to string) error {
	text, err := output(ctx, command{name: "go", args: []string{"mod", "download", "-json", module}, dir: os.TempDir()})
	if err != nil {
		return err
	}
	var found struct{ Dir string }
	if err := json.Unmarshal([]byte(text), &found); err != nil {
		return err
	}
	return os.CopyFS(to, os.DirFS(found.Dir))
}

// install puts a finished file in place at once, so that a reader next door
// never sees half of it.
func install(from, to string) error {
	content, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	partial := fmt.Sprintf("%s.%d", to, os.Getpid())
	if err := os.WriteFile(partial, content, 0o755); err != nil {
		return err
	}
	return os.Rename(partial, to)
}

// Helpers

func cacheFolder() (string, error) {
	base, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	folder := filepath.Join(base, "binnacle-e2e")
	return folder, os.MkdirAll(folder, 0o700)
}
