package lab

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"binnacle/ops/e2e/golden"
)

// Project writes the project of a story (simple, rich or commands) for this
// fleet into a new folder and returns the folder: deploy.yml and secrets as
// recorded, with this fleet's registry and ssh config, and a Dockerfile with
// what it copies.
// It is a git repository with one commit, by ops <ops@example.com>; editing
// `version` and committing makes another version to build.
func (f *Fleet) Project(ctx context.Context, story string) (string, error) {
	dir, err := os.MkdirTemp(f.dir, story+"-")
	if err != nil {
		return "", err
	}
	if err := f.writeProject(ctx, story, dir); err != nil {
		return "", fmt.Errorf("writing the project of story %s: %w", story, err)
	}
	return dir, nil
}

// Adapt rewrites the text of a recorded deploy.yml for this fleet: its
// registry, its ssh config, the docker driver, this machine's architecture.
func (f *Fleet) Adapt(deploy string) string {
	deploy = strings.ReplaceAll(deploy, goldenRegistry, f.Registry())
	if !strings.Contains(deploy, "driver: docker\n") {
		deploy = strings.Replace(deploy, "arch: amd64\n", "arch: amd64\n  driver: docker\n", 1)
	}
	deploy = strings.Replace(deploy, "arch: amd64\n", "arch: "+f.arch+"\n", 1)
	return deploy + fmt.Sprintf("ssh:\n  config:\n    - %s\n", f.SSHConfig())
}

// Private

const goldenRegistry = "registry:5000"

const dockerfile = `FROM scratch
COPY busybox /bin/busybox
RUN ["/bin/busybox", "--install", "-s", "/bin"]
COPY app /app
COPY public /public
COPY version /version
CMD ["/app"]
`

func (f *Fleet) writeProject(ctx context.Context, story, dir string) error {
	recorded, err := golden.Project(story)
	if err != nil {
		return err
	}
	if err := os.CopyFS(dir, recorded); err != nil {
		return err
	}
	deploy, err := fs.ReadFile(recorded, "config/deploy.yml")
	if err != nil {
		return err
	}
	files := map[string]string{
		"config/deploy.yml":        f.Adapt(string(deploy)),
		"Dockerfile":               dockerfile,
		"version":                  "v4\n",
		"public/assets/common.css": "body { margin: 0 }\n",
		"public/assets/app-v4.css": "/* v4 */\n",
	}
	for name, content := range files {
		path := filepath.Join(dir, name)
		if _, err := fs.Stat(recorded, name); err == nil && name != "config/deploy.yml" {
			continue
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return err
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			return err
		}
	}
	for _, program := range []string{"app", "busybox"} {
		content, err := os.ReadFile(filepath.Join(f.bin(), program))
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, program), content, 0o700); err != nil {
			return err
		}
	}
	return commit(ctx, dir)
}

// commit makes the folder a repository with all files in one commit.
func commit(ctx context.Context, dir string) error {
	for _, args := range [][]string{
		{"init", "--quiet", "--initial-branch=main"},
		{"config", "user.name", "ops"},
		{"config", "user.email", "ops@example.com"},
		{"config", "commit.gpgsign", "false"},
		{"add", "--all", "--force"},
		{"commit", "--quiet", "--message", "The app as it is deployed"},
	} {
		if _, err := output(ctx, command{name: "git", args: args, dir: dir}); err != nil {
			return err
		}
	}
	return nil
}
