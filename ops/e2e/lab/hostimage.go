package lab

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

//go:embed host
var recipe embed.FS

// hostPackages is what a server that Kamal deploys to has, and no more: sshd
// (with scp), Docker, and for the fleet's own use socat (the way to the
// registry), docker-registry and busybox-static (for the app images).
func hostPackages() []string {
	return []string{
		"openssh-server", "docker.io", "iptables", "ca-certificates", "procps", "iproute2",
		"curl", "socat", "docker-registry", "busybox-static",
	}
}

const hostImageRepository = "binnacle-e2e-host"

// hostImage returns the name of the host image and makes it when this recipe
// has not been made here before.
func hostImage(ctx context.Context, note func(string, ...any)) (string, error) {
	hash, err := recipeHash()
	if err != nil {
		return "", err
	}
	name := hostImageRepository + ":" + hash
	if _, err := docker(ctx, "image", "inspect", "--format", "{{.Id}}", name); err == nil {
		return name, nil
	}
	note("making the host image %s (once, about a minute)", name)
	work, err := os.MkdirTemp("", "binnacle-e2e-image-")
	if err != nil {
		return "", err
	}
	defer func() { _ = os.RemoveAll(work) }()

	mirror, err := debianMirror(ctx)
	if err == nil {
		err = debootstrap(ctx, work, mirror, name)
	}
	if errors.Is(err, errNoDebootstrap) {
		note("%v; building from a pulled Debian image instead", err)
		err = buildFromDebian(ctx, work, name)
	}
	if err != nil {
		return "", fmt.Errorf("making the host image: %w", err)
	}
	return name, removeOldHostImages(ctx, name)
}

// Private

var errNoDebootstrap = errors.New("debootstrap cannot be used here")

func debootstrap(ctx context.Context, work, mirror, name string) error {
	root := filepath.Join(work, "rootfs")
	_, err := output(ctx, command{
		name: "debootstrap",
		args: []string{"--variant=minbase", "--include=" + strings.Join(hostPackages(), ","), "bookworm", root, mirror},
		env:  aptProxy(ctx),
	})
	if err != nil {
		return err
	}
	if err := writeRecipe(root); err != nil {
		return err
	}
	if _, err := output(ctx, command{name: "chroot", args: []string{root, "sh", "/setup"}}); err != nil {
		return err
	}
	for _, waste := range []string{"setup", "var/cache/apt/archives", "var/lib/apt/lists", "usr/share/doc", "usr/share/man", "usr/share/locale"} {
		if err := os.RemoveAll(filepath.Join(root, waste)); err != nil {
			return err
		}
	}
	return importRoot(ctx, root, name)
}

func importRoot(ctx context.Context, root, name string) error {
	reader, writer := io.Pipe()
	pack := exec.CommandContext(ctx, "tar", "-C", root, "--numeric-owner", "--exclude=./proc/*", "--exclude=./sys/*", "-cf", "-", ".")
	pack.Stdout = writer
	packed := make(chan error, 1)
	go func() {
		err := pack.Run()
		_ = writer.CloseWithError(err)
		packed <- err
	}()
	_, err := output(ctx, command{name: "docker", args: []string{"import", "--change", "LABEL " + labelKind + "=image", "-", name}, stdin: reader})
	_ = reader.CloseWithError(errors.New("docker import ended"))
	return errors.Join(err, <-packed)
}

func buildFromDebian(ctx context.Context, work, name string) error {
	if err := writeRecipe(filepath.Join(work, "root")); err != nil {
		return err
	}
	dockerfile, err := recipe.ReadFile("host/Dockerfile")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(work, "Dockerfile"), dockerfile, 0o600); err != nil {
		return err
	}
	_, err = docker(ctx, "build", "--label", labelKind+"=image", "--build-arg", "PACKAGES="+strings.Join(hostPackages(), " "), "-t", name, work)
	return err
}

// removeOldHostImages drops images of earlier recipes. One that a running
// fleet uses cannot be removed, which is right.
func removeOldHostImages(ctx context.Context, keep string) error {
	list, err := docker(ctx, "image", "ls", "--filter", "label="+labelKind+"=image", "--format", "{{.Repository}}:{{.Tag}}", hostImageRepository)
	if err != nil {
		return err
	}
	for _, name := range strings.Fields(list) {
		if name != keep {
			_, _ = docker(ctx, "image", "rm", name)
		}
	}
	return nil
}

// debianMirror is where apt on this machine gets Debian from.
func debianMirror(ctx context.Context) (string, error) {
	if _, err := exec.LookPath("debootstrap"); err != nil {
		return "", fmt.Errorf("%w: it is not installed", errNoDebootstrap)
	}
	if os.Geteuid() != 0 {
		return "", fmt.Errorf("%w: it needs root", errNoDebootstrap)
	}
	if mirror := os.Getenv("BINNACLE_DEBIAN_MIRROR"); mirror != "" {
		return mirror, nil
	}
	list, err := output(ctx, command{name: "apt-get", args: []string{
		"indextargets", "--format", "$(ORIGIN) $(CODENAME) $(COMPONENT) $(REPO_URI)", "Created-By: Packages",
	}})
	if err != nil {
		return "", fmt.Errorf("%w: %w", errNoDebootstrap, err)
	}
	for line := range strings.Lines(list) {
		fields := strings.Fields(line)
		if len(fields) == 4 && fields[0] == "Debian" && fields[1] == "bookworm" && fields[2] == "main" {
			return fields[3], nil
		}
	}
	return "", fmt.Errorf("%w: apt knows no Debian bookworm mirror (set BINNACLE_DEBIAN_MIRROR)", errNoDebootstrap)
}

func aptProxy(ctx context.Context) []string {
	line, err := output(ctx, command{name: "apt-config", args: []string{"dump", "--format", "%v", "Acquire::http::Proxy"}})
	if err != nil || line == "" {
		return nil
	}
	return []string{"http_proxy=" + line}
}

// Helpers

// recipePaths maps the files of the recipe to their place on a host.
func recipePaths() map[string]string {
	return map[string]string{
		"host/init":         "usr/local/sbin/host-init",
		"host/sshd.conf":    "etc/ssh/sshd_config.d/fleet.conf",
		"host/registry.yml": "etc/docker/registry/fleet.yml",
		"host/setup":        "setup",
	}
}

func writeRecipe(root string) error {
	for from, to := range recipePaths() {
		content, err := recipe.ReadFile(from)
		if err != nil {
			return err
		}
		path := filepath.Join(root, to)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, content, 0o644); err != nil {
			return err
		}
	}
	return nil
}

func recipeHash() (string, error) {
	hash := sha256.New()
	_, _ = fmt.Fprintln(hash, runtime.GOARCH, slices.Sorted(slices.Values(hostPackages())))
	err := fs.WalkDir(recipe, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := recipe.ReadFile(path)
		_, _ = fmt.Fprintf(hash, "%s %d\n%s", path, len(content), content)
		return err
	})
	return hex.EncodeToString(hash.Sum(nil))[:12], err
}
