package live

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"binnacle/config"
)

func TestHooksAreFoundWhereTheFileSays(t *testing.T) {
	elsewhere := t.TempDir()
	for _, path := range []string{"", "my hooks", "it's $HOME", elsewhere} {
		dir := t.TempDir()
		text := "service: a\nimage: a\nservers: [h]\nregistry: {username: u, password: p}\nbuilder: {arch: amd64}\n"
		hooks := filepath.Join(dir, ".kamal", "hooks")
		if path != "" {
			text += "hooks_path: \"" + filepath.ToSlash(path) + "\"\n"
			hooks = filepath.Join(dir, path)
		}
		if filepath.IsAbs(path) {
			hooks = path
		}
		for name, content := range map[string]string{filepath.Join(dir, "config", "deploy.yml"): text, filepath.Join(hooks, "pre-build"): "#!/bin/sh\n"} {
			if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(name, []byte(content), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		cfg, _, err := config.Load(t.Context(), config.Options{Dir: dir, Version: "v1", Strict: true})
		if err != nil {
			t.Fatal(err)
		}
		s := &Session{Config: cfg, options: Options{Dir: dir}}
		if got := s.hooks(); !slices.Equal(got, []string{"pre-build"}) {
			t.Errorf("hooks_path %q: found %q", path, got)
		}
	}
}
