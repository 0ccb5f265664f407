package docker_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
)

// registry is the part of a registry that a pull needs.
type registry struct {
	server    *httptest.Server
	blobs     map[string][]byte
	manifests map[string][]byte
	user      string // when set, credentials are wanted
	password  string
}

const manifestType = "application/vnd.docker.distribution.manifest.v2+json"

func newRegistry(t *testing.T) *registry {
	t.Helper()
	r := startRegistry()
	t.Cleanup(r.close)
	return r
}

// close does not wait for connections that Docker keeps for later.
func (r *registry) close() {
	r.server.CloseClientConnections()
	r.server.Close()
}

func startRegistry() *registry {
	r := &registry{blobs: map[string][]byte{}, manifests: map[string][]byte{}}
	r.server = httptest.NewServer(r)
	return r
}

// ref is a reference to an image in this registry.
func (r *registry) ref(name, tag string) string {
	return strings.TrimPrefix(r.server.URL, "http://") + "/" + name + ":" + tag
}

// push stores an image of the given layers that runs /program.
func (r *registry) push(name, tag string, labels map[string]string, layers ...[]byte) {
	type descriptor struct {
		MediaType string `json:"mediaType"`
		Size      int    `json:"size"`
		Digest    string `json:"digest"`
	}
	var diffs []string
	var descriptors []descriptor
	for _, plain := range layers {
		var packed bytes.Buffer
		zip := gzip.NewWriter(&packed)
		_, _ = zip.Write(plain)
		_ = zip.Close()
		diffs = append(diffs, digest(plain))
		descriptors = append(descriptors, descriptor{
			MediaType: "application/vnd.docker.image.rootfs.diff.tar.gzip", Size: packed.Len(), Digest: r.blob(packed.Bytes()),
		})
	}
	config, _ := json.Marshal(map[string]any{
		"architecture": "amd64", "os": "linux", "created": "2026-01-02T03:04:05Z",
		"config": map[string]any{"Entrypoint": []string{"/program"}, "Labels": labels},
		"rootfs": map[string]any{"type": "layers", "diff_ids": diffs},
	})
	manifest, _ := json.Marshal(map[string]any{
		"schemaVersion": 2, "mediaType": manifestType, "layers": descriptors,
		"config": descriptor{MediaType: "application/vnd.docker.container.image.v1+json", Size: len(config), Digest: r.blob(config)},
	})
	r.manifests[name+":"+tag] = manifest
	r.manifests[name+":"+digest(manifest)] = manifest
}

func (r *registry) blob(content []byte) string {
	r.blobs[digest(content)] = content
	return digest(content)
}

func (r *registry) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	if user, password, _ := q.BasicAuth(); user != r.user || password != r.password {
		w.Header().Set("WWW-Authenticate", `Basic realm="test"`)
		refuse(w, http.StatusUnauthorized, "UNAUTHORIZED", "authentication required")
		return
	}
	rest := strings.TrimPrefix(q.URL.Path, "/v2/")
	if name, reference, ok := strings.Cut(rest, "/manifests/"); ok {
		if manifest, found := r.manifests[name+":"+reference]; found {
			w.Header().Set("Content-Type", manifestType)
			w.Header().Set("Docker-Content-Digest", digest(manifest))
			_, _ = w.Write(manifest)
			return
		}
		refuse(w, http.StatusNotFound, "MANIFEST_UNKNOWN", "manifest unknown")
		return
	}
	if _, sum, ok := strings.Cut(rest, "/blobs/"); ok {
		if blob, found := r.blobs[sum]; found {
			w.Header().Set("Content-Length", strconv.Itoa(len(blob)))
			_, _ = w.Write(blob)
			return
		}
		refuse(w, http.StatusNotFound, "BLOB_UNKNOWN", "blob unknown")
	}
}

func refuse(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"errors": []map[string]string{{"code": code, "message": message}}})
}

func digest(content []byte) string {
	sum := sha256.Sum256(content)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// fileLayer is a layer with one file.
func fileLayer(name string, mode int64, content []byte) []byte {
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	_ = w.WriteHeader(&tar.Header{Name: name, Mode: mode, Size: int64(len(content))})
	_, _ = w.Write(content)
	_ = w.Close()
	return out.Bytes()
}

// noise does not compress, and is another layer in every run.
func noise(n int) []byte {
	out := make([]byte, n)
	_, _ = rand.Read(out)
	return out
}
