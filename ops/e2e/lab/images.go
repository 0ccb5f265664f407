package lab

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"binnacle/ops/e2e/image"
)

// Versions lists the tags under which the app is in the registry, good ones
// first. Bad never gets healthy, exits ends at once with code 3, late gets
// healthy HEALTHY_AFTER its start (5s unless set), oom eats memory.
func Versions() []string { return []string{"v1", "v2", "v3", "bad", "exits", "late", "oom"} }

// ProxyImage is the image that every host has loaded.
const ProxyImage = "basecamp/kamal-proxy:v0.9.2"

// Private

// apps maps the app images to the value of their service label.
func apps() map[string]string { return map[string]string{"myapp": "fhirlinebot", "shop": "shop"} }

func (f *Fleet) pushImages(ctx context.Context, busybox []byte) error {
	registry := "http://" + f.Registry()
	if err := awaitRegistry(ctx, registry); err != nil {
		return err
	}
	binary, err := os.ReadFile(filepath.Join(f.bin(), "app"))
	if err != nil {
		return err
	}
	base, err := baseFiles(busybox).Pack()
	if err != nil {
		return err
	}
	program, err := image.Layer{{Path: "/app", Mode: 0o755, Content: binary}}.Pack()
	if err != nil {
		return err
	}
	for name, service := range apps() {
		for _, version := range Versions() {
			files, err := appFiles(version).Pack()
			if err != nil {
				return err
			}
			made := image.Image{
				Layers: []image.Packed{base, program, files}, Cmd: []string{"/app"}, Arch: f.arch,
				Labels: map[string]string{"service": service}, Created: imageTime(),
			}
			if err := made.Push(ctx, registry, name, version); err != nil {
				return err
			}
		}
	}
	return f.pushAccessories(ctx, registry, base)
}

func (f *Fleet) pushAccessories(ctx context.Context, registry string, base image.Packed) error {
	start, err := databaseFiles().Pack()
	if err != nil {
		return err
	}
	busybox := image.Image{Layers: []image.Packed{base}, Cmd: []string{"sh"}, Arch: f.arch, Created: imageTime()}
	if err := busybox.Push(ctx, registry, "busybox", "1.36"); err != nil {
		return err
	}
	database := image.Image{Layers: []image.Packed{base, start}, Cmd: []string{"/start.sh"}, Arch: f.arch, Created: imageTime()}
	return database.Push(ctx, registry, "postgres", "16")
}

func baseFiles(busybox []byte) image.Layer {
	layer := image.Layer{{Path: "/bin/busybox", Mode: 0o755, Content: busybox}}
	for _, applet := range strings.Fields(applets) {
		layer = append(layer, image.File{Path: "/bin/" + applet, Link: "busybox"})
	}
	return append(layer,
		image.File{Path: "/etc/passwd", Mode: 0o644, Content: []byte("root:x:0:0:root:/root:/bin/sh\n")},
		image.File{Path: "/etc/group", Mode: 0o644, Content: []byte("root:x:0:\n")},
		image.File{Path: "/root/", Mode: 0o700},
		image.File{Path: "/tmp/", Mode: 0o1777},
	)
}

func appFiles(version string) image.Layer {
	behavior := "good"
	if !strings.HasPrefix(version, "v") {
		behavior = version
	}
	return image.Layer{
		{Path: "/version", Mode: 0o644, Content: []byte(version + "\n")},
		{Path: "/behavior", Mode: 0o644, Content: []byte(behavior + "\n")},
		{Path: "/public/assets/common.css", Mode: 0o644, Content: []byte("common\n")},
		{Path: "/public/assets/app-" + version + ".css", Mode: 0o644, Content: []byte("/* " + version + " */\n")},
	}
}

// databaseFiles make an accessory that behaves as far as containers, folders
// and signals go; it stores nothing.
func databaseFiles() image.Layer {
	const start = `#!/bin/sh
mkdir -p /var/lib/postgresql/data
chmod 700 /var/lib/postgresql/data
echo "database system is ready to accept connections"
trap 'echo "database system is shut down"; exit 0' TERM INT
while :; do sleep 3600 & wait $!; done
`
	return image.Layer{{Path: "/start.sh", Mode: 0o755, Content: []byte(start)}}
}

// proxyImage returns the proxy's image as an archive: of the real binary where
// one is named, of the stand-in otherwise.
func (f *Fleet) proxyImage(path string) ([]byte, error) {
	if path == "" {
		path = os.Getenv("BINNACLE_KAMAL_PROXY")
	}
	if path == "" {
		path = filepath.Join(f.bin(), "kamalproxy")
	} else {
		f.note("the proxy is %s", path)
	}
	binary, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading the kamal-proxy binary: %w", err)
	}
	layer, err := image.Layer{
		{Path: "/usr/local/bin/kamal-proxy", Mode: 0o755, Content: binary},
		{Path: "/home/kamal-proxy/.config/kamal-proxy/", Mode: 0o755},
		{Path: "/tmp/", Mode: 0o1777},
	}.Pack()
	if err != nil {
		return nil, err
	}
	made := image.Image{
		Layers: []image.Packed{layer},
		Cmd:    []string{"kamal-proxy", "run"}, Env: []string{"HOME=/home/kamal-proxy"},
		Labels: map[string]string{"org.opencontainers.image.title": "kamal-proxy"},
		Expose: []string{"80/tcp", "443/tcp"}, Arch: f.arch, Created: imageTime(),
	}
	var archive strings.Builder
	err = made.Archive(&archive, ProxyImage)
	return []byte(archive.String()), err
}

// copyBusybox takes the static busybox out of the host image.
func (f *Fleet) copyBusybox(ctx context.Context) ([]byte, error) {
	to := filepath.Join(f.bin(), "busybox")
	if _, err := docker(ctx, "cp", f.name("registry")+":/bin/busybox", to); err != nil {
		return nil, err
	}
	return os.ReadFile(to)
}

func awaitRegistry(ctx context.Context, registry string) error {
	for {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, registry+"/v2/", nil)
		if err != nil {
			return err
		}
		response, err := http.DefaultClient.Do(request)
		if err == nil {
			_ = response.Body.Close()
			if response.StatusCode == http.StatusOK {
				return nil
			}
			err = errors.New(response.Status)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the registry at %s does not answer: %w", registry, err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// Helpers

// imageTime is fixed so that the same inputs give the same image.
func imageTime() time.Time { return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC) }

const applets = "sh cat ls cp mv rm mkdir rmdir ln chmod chown touch find grep sed awk head tail wc sort uniq cut tr " +
	"echo printf sleep true false test env id whoami hostname uname date ps kill stat du df tee xargs seq base64 md5sum sha256sum " +
	"tar gzip gunzip wget nc ping vi less more which dd sync mktemp basename dirname readlink realpath expr"
