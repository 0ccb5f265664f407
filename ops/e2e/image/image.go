// Package image makes small container images out of files, without a builder:
// it pushes them to a registry over HTTP or writes them as an archive for
// `docker load`. The real fleet makes its app, accessory and proxy images this
// way because the result depends on nothing but its inputs.
//
// It may import the standard library only.
package image

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"path"
	"strings"
	"time"
)

// File is one entry of a layer. A Link makes it a symbolic link; a Path that
// ends in a slash makes it a directory.
type File struct {
	Path    string // absolute
	Mode    int64  // permission bits
	Content []byte
	Link    string
}

// Layer is a set of files in the order in which they are written.
type Layer []File

// Packed is a layer ready to be sent. Packing costs far more than sending, so
// images that share a layer share the packed one.
type Packed struct {
	digest string // hex, of the plain tar
	plain  []byte
	zipped []byte
}

// Pack writes the layer as a tar and compresses it.
func (l Layer) Pack() (Packed, error) {
	var plain, zipped bytes.Buffer
	if err := l.write(&plain); err != nil {
		return Packed{}, err
	}
	zip, err := gzip.NewWriterLevel(&zipped, gzip.BestSpeed)
	if err != nil {
		return Packed{}, err
	}
	if _, err := zip.Write(plain.Bytes()); err != nil {
		return Packed{}, err
	}
	if err := zip.Close(); err != nil {
		return Packed{}, err
	}
	return Packed{digest: hexOf(plain.Bytes()), plain: plain.Bytes(), zipped: zipped.Bytes()}, nil
}

// Image is what a container starts from.
type Image struct {
	Layers     []Packed // lowest first
	Entrypoint []string
	Cmd        []string
	Env        []string // NAME=value; PATH is added
	Labels     map[string]string
	Expose     []string // such as "80/tcp"
	Created    time.Time
	Arch       string // as in GOARCH
}

// Archive writes the image in the format of `docker save`, named by ref.
func (i Image) Archive(w io.Writer, ref string) error {
	config, err := i.config()
	if err != nil {
		return fmt.Errorf("describing image %s: %w", ref, err)
	}
	type entry struct {
		Config   string
		RepoTags []string
		Layers   []string
	}
	index := entry{Config: hexOf(config) + ".json", RepoTags: []string{ref}}
	files := Layer{{Path: "/" + index.Config, Mode: 0o644, Content: config}}
	for _, layer := range i.Layers {
		name := layer.digest + ".tar"
		index.Layers = append(index.Layers, name)
		files = append(files, File{Path: "/" + name, Mode: 0o644, Content: layer.plain})
	}
	manifest, err := json.Marshal([]entry{index})
	if err != nil {
		return err
	}
	files = append(files, File{Path: "/manifest.json", Mode: 0o644, Content: manifest})
	return files.write(w)
}

// Private

// config is the image configuration of the OCI image specification.
func (i Image) config() ([]byte, error) {
	var diffIDs []string
	for _, layer := range i.Layers {
		diffIDs = append(diffIDs, "sha256:"+layer.digest)
	}
	exposed := map[string]struct{}{}
	for _, port := range i.Expose {
		exposed[port] = struct{}{}
	}
	type runtime struct {
		Env          []string
		Entrypoint   []string `json:",omitempty"`
		Cmd          []string
		Labels       map[string]string   `json:",omitempty"`
		ExposedPorts map[string]struct{} `json:",omitempty"`
	}
	type rootfs struct {
		Type    string   `json:"type"`
		DiffIDs []string `json:"diff_ids"`
	}
	return json.Marshal(struct {
		Created      time.Time `json:"created"`
		Architecture string    `json:"architecture"`
		OS           string    `json:"os"`
		Config       runtime   `json:"config"`
		RootFS       rootfs    `json:"rootfs"`
	}{
		Created: i.Created, Architecture: i.Arch, OS: "linux",
		Config: runtime{
			Env:        append([]string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}, i.Env...),
			Entrypoint: i.Entrypoint, Cmd: i.Cmd, Labels: i.Labels, ExposedPorts: exposed,
		},
		RootFS: rootfs{Type: "layers", DiffIDs: diffIDs},
	})
}

func (l Layer) write(w io.Writer) error {
	out := tar.NewWriter(w)
	made := map[string]bool{".": true, "": true}
	for _, f := range l {
		name := strings.TrimPrefix(f.Path, "/")
		if err := writeParents(out, path.Dir(strings.TrimSuffix(name, "/")), made); err != nil {
			return err
		}
		header := &tar.Header{Name: name, Mode: f.Mode, Size: int64(len(f.Content)), Typeflag: tar.TypeReg}
		switch {
		case f.Link != "":
			header.Typeflag, header.Linkname, header.Size, header.Mode = tar.TypeSymlink, f.Link, 0, 0o777
		case strings.HasSuffix(name, "/"):
			header.Typeflag = tar.TypeDir
			made[strings.TrimSuffix(name, "/")] = true
		}
		if err := out.WriteHeader(header); err != nil {
			return err
		}
		if _, err := out.Write(f.Content); err != nil {
			return err
		}
	}
	return out.Close()
}

// Helpers

func writeParents(out *tar.Writer, dir string, made map[string]bool) error {
	if made[dir] {
		return nil
	}
	if err := writeParents(out, path.Dir(dir), made); err != nil {
		return err
	}
	made[dir] = true
	return out.WriteHeader(&tar.Header{Name: dir + "/", Mode: 0o755, Typeflag: tar.TypeDir})
}

func hexOf(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
