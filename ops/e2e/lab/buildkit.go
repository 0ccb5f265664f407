package lab

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"binnacle/ops/e2e/image"
)

// The images that Kamal's builders and its local registry start from, by the
// names that stand in its commands. The lab makes them where it needs them:
// BuildKit from its Go module on Debian's runc, the registry from Debian's.
const (
	BuildkitImage = "moby/buildkit:buildx-stable-1"
	RegistryImage = "registry:3"
)

const buildkitModule = "github.com/moby/buildkit@v0.26.1"

// Private

// buildkitArchive is the path of an archive of BuildKit's image.
func (f *Fleet) buildkitArchive(ctx context.Context) (string, error) {
	return f.cachedImage(ctx, BuildkitImage, buildkitModule, func(host, cache string) (image.Layer, image.Image, error) {
		binaries, err := f.buildkitBinaries(ctx, cache)
		if err != nil {
			return nil, image.Image{}, err
		}
		runc, err := hostFiles(ctx, host, "/usr/sbin/runc")
		return append(binaries, runc...), image.Image{Entrypoint: []string{"buildkitd"}}, err
	})
}

// registryArchive is the path of an archive of the local registry's image.
func (f *Fleet) registryArchive(ctx context.Context) (string, error) {
	const settings = "/etc/docker/registry/fleet.yml"
	return f.cachedImage(ctx, RegistryImage, "", func(host, _ string) (image.Layer, image.Image, error) {
		files, err := hostFiles(ctx, host, "/usr/bin/docker-registry", settings)
		return files, image.Image{Cmd: []string{"docker-registry", "serve", settings}}, err
	})
}

// cachedImage keeps an image as an archive, named by what it is made of.
func (f *Fleet) cachedImage(ctx context.Context, name, recipe string, make func(host, cache string) (image.Layer, image.Image, error)) (string, error) {
	cache, err := cacheFolder()
	if err != nil {
		return "", err
	}
	host, err := hostImage(ctx, f.note)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256([]byte(strings.Join([]string{"1", name, recipe, f.arch, host}, "\n")))
	path := filepath.Join(cache, "image-"+hex.EncodeToString(sum[:])[:12]+".tar")
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	files, made, err := make(host, cache)
	if err != nil {
		return "", fmt.Errorf("making the image %s: %w", name, err)
	}
	packed, err := files.Pack()
	if err != nil {
		return "", err
	}
	made.Layers, made.Arch, made.Created = []image.Packed{packed}, f.arch, imageTime()
	var archive strings.Builder
	if err := made.Archive(&archive, name); err != nil {
		return "", err
	}
	return path, place([]byte(archive.String()), path, 0o600)
}

func (f *Fleet) buildkitBinaries(ctx context.Context, cache string) (image.Layer, error) {
	folder := filepath.Join(cache, filepath.Base(buildkitModule)+"-"+f.arch)
	commands := map[string]string{"./cmd/buildkitd": "buildkitd", "./cmd/buildctl": "buildctl"}
	if _, err := os.Stat(filepath.Join(folder, "buildkitd")); err != nil {
		f.note("building BuildKit (once, about three minutes)")
		if err := buildModule(ctx, buildkitModule, folder, f.arch, commands); err != nil {
			return nil, err
		}
	}
	layer := image.Layer{{Path: "/tmp/", Mode: 0o1777}, {Path: "/etc/buildkit/", Mode: 0o755}, {Path: "/run/buildkit/", Mode: 0o755}}
	for _, name := range []string{"buildctl", "buildkitd"} {
		content, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil {
			return nil, err
		}
		layer = append(layer, image.File{Path: "/usr/bin/" + name, Mode: 0o755, Content: content})
	}
	return layer, nil
}

// Helpers

// hostFiles takes a program and the libraries it needs out of the host image,
// and further files.
func hostFiles(ctx context.Context, host, program string, others ...string) (image.Layer, error) {
	pack := fmt.Sprintf("tar --dereference -cPf - %s %s $(ldd %s | grep -o '/[^ ]*')", program, strings.Join(others, " "), program)
	text, err := output(ctx, command{name: "docker", args: []string{"run", "--rm", host, "sh", "-c", pack}})
	if err != nil {
		return nil, err
	}
	var layer image.Layer
	files := tar.NewReader(strings.NewReader(text))
	for {
		header, err := files.Next()
		if errors.Is(err, io.EOF) {
			return layer, nil
		}
		if err != nil {
			return nil, err
		}
		content, err := io.ReadAll(files)
		if err != nil {
			return nil, err
		}
		layer = append(layer, image.File{Path: header.Name, Mode: header.Mode, Content: content})
	}
}
