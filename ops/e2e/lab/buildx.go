package lab

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
)

const buildxModule = "github.com/docker/buildx@v0.30.1"

// Buildx returns a folder that holds the docker-buildx plugin and builds it
// from its Go module when the cache does not have it.
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
	return folder, buildModule(ctx, buildxModule, folder, runtime.GOARCH, map[string]string{"./cmd/buildx": "docker-buildx"})
}

// Private

// buildModule builds commands of a module, statically, for Linux on arch, and
// puts them into a folder under the names given. The module's go.mod may rule out `go install`,
// so its source is copied and built as the main module.
func buildModule(ctx context.Context, module, folder, arch string, commands map[string]string) error {
	work, err := os.MkdirTemp("", "binnacle-e2e-build-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(work) }()
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	source := filepath.Join(work, "source")
	if err := copyModule(ctx, module, source); err != nil {
		return fmt.Errorf("fetching %s: %w", module, err)
	}
	for from, name := range commands {
		made := filepath.Join(work, name)
		_, err = output(ctx, command{
			name: "go", dir: source,
			args: []string{"build", "-mod=mod", "-trimpath", "-ldflags=-s -w", "-o", made, from},
			env:  []string{"CGO_ENABLED=0", "GOOS=linux", "GOARCH=" + arch, "GOFLAGS=-buildvcs=false", "GOWORK=off"},
		})
		if err != nil {
			return fmt.Errorf("building %s: %w", module, err)
		}
		if err := install(made, filepath.Join(folder, name)); err != nil {
			return err
		}
	}
	return nil
}

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

// install puts a finished program in place.
func install(from, to string) error {
	content, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return place(content, to, 0o755)
}

// place writes a file at once, so that a reader next door never sees half of it.
func place(content []byte, to string, mode os.FileMode) error {
	partial := fmt.Sprintf("%s.%d", to, os.Getpid())
	if err := os.WriteFile(partial, content, mode); err != nil {
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
