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

//go:embed host databases tools
var recipes embed.FS

// debian is a recipe for an image of Debian's packages.
type debian struct {
	repository string            // the image's name; its tag is the recipe's hash
	folder     string            // of the embedded files
	files      map[string]string // an embedded file to its place; what lies at setup is run last, and goes
	packages   []string
	takes      string // how long it is made, for people
}

// image returns the name of the image and makes it when this recipe has not
// been made here before.
func (d debian) image(ctx context.Context, note func(string, ...any)) (string, error) {
	hash, err := d.hash()
	if err != nil {
		return "", err
	}
	name := d.repository + ":" + hash
	if _, err := docker(ctx, "image", "inspect", "--format", "{{.Id}}", name); err == nil {
		return name, nil
	}
	note("making the image %s (once, %s)", name, d.takes)
	work, err := os.MkdirTemp("", "binnacle-e2e-image-")
	if err != nil {
		return "", err
	}
	defer func() { _ = os.RemoveAll(work) }()

	mirror, err := debianMirror(ctx)
	if err == nil {
		err = d.debootstrap(ctx, work, mirror, name)
	}
	if errors.Is(err, errNoDebootstrap) {
		note("%v; building from a pulled Debian image instead", err)
		err = d.buildFromDebian(ctx, work, name)
	}
	if err != nil {
		return "", fmt.Errorf("making the image %s: %w", name, err)
	}
	return name, d.removeOld(ctx, name)
}

// Private

var errNoDebootstrap = errors.New("debootstrap cannot be used here")

func (d debian) debootstrap(ctx context.Context, work, mirror, name string) error {
	root := filepath.Join(work, "rootfs")
	_, err := output(ctx, command{
		name: "debootstrap",
		args: []string{"--variant=minbase", "--include=" + strings.Join(d.packages, ","), "bookworm", root, mirror},
		env:  aptProxy(ctx),
	})
	if err != nil {
		return err
	}
	if err := d.writeFiles(root); err != nil {
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

func (d debian) buildFromDebian(ctx context.Context, work, name string) error {
	if err := d.writeFiles(filepath.Join(work, "root")); err != nil {
		return err
	}
	dockerfile, err := recipes.ReadFile("host/Dockerfile")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(work, "Dockerfile"), dockerfile, 0o600); err != nil {
		return err
	}
	_, err = docker(ctx, "build", "--label", labelKind+"=image", "--build-arg", "PACKAGES="+strings.Join(d.packages, " "), "-t", name, work)
	return err
}

// removeOld drops images of earlier recipes. One that a running fleet uses
// cannot be removed, which is right.
func (d debian) removeOld(ctx context.Context, keep string) error {
	list, err := docker(ctx, "image", "ls", "--filter", "label="+labelKind+"=image", "--format", "{{.Repository}}:{{.Tag}}", d.repository)
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

func (d debian) writeFiles(root string) error {
	for from, to := range d.files {
		content, err := recipes.ReadFile(d.folder + "/" + from)
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

func (d debian) hash() (string, error) {
	hash := sha256.New()
	_, _ = fmt.Fprintln(hash, runtime.GOARCH, slices.Sorted(slices.Values(d.packages)))
	err := fs.WalkDir(recipes, d.folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := recipes.ReadFile(path)
		_, _ = fmt.Fprintf(hash, "%s %d\n%s", path, len(content), content)
		return err
	})
	return hex.EncodeToString(hash.Sum(nil))[:12], err
}

// Helpers

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
