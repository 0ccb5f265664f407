package image

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

func sample(t *testing.T) Image {
	t.Helper()
	return Image{
		Layers: []Packed{
			pack(t, Layer{{Path: "/bin/busybox", Mode: 0o755, Content: []byte("program")}, {Path: "/bin/sh", Link: "busybox"}}),
			pack(t, Layer{{Path: "/etc/app/", Mode: 0o700}, {Path: "/etc/app/version", Mode: 0o644, Content: []byte("v1\n")}}),
		},
		Cmd: []string{"sh"}, Env: []string{"A=1"}, Labels: map[string]string{"service": "app"},
		Created: time.Unix(0, 0).UTC(), Arch: "amd64",
	}
}

func TestArchiveNamesItsConfigAndLayers(t *testing.T) {
	var out bytes.Buffer
	if err := sample(t).Archive(&out, "app:v1"); err != nil {
		t.Fatal(err)
	}
	files := untar(t, out.Bytes())
	var index []struct {
		Config   string
		RepoTags []string
		Layers   []string
	}
	if err := json.Unmarshal(files["manifest.json"], &index); err != nil {
		t.Fatal(err)
	}
	if len(index) != 1 || index[0].RepoTags[0] != "app:v1" || len(index[0].Layers) != 2 {
		t.Fatalf("manifest %+v", index)
	}
	if hexOf(files[index[0].Config])+".json" != index[0].Config {
		t.Error("the config is not named by its digest")
	}
	for i, name := range index[0].Layers {
		if !strings.Contains(string(files[index[0].Config]), "sha256:"+hexOf(files[name])) {
			t.Errorf("layer %d is not in the config", i)
		}
	}
	second := untar(t, files[index[0].Layers[1]])
	if string(second["etc/app/version"]) != "v1\n" {
		t.Errorf("layer 2 holds %v", second)
	}
	var again bytes.Buffer
	if err := sample(t).Archive(&again, "app:v1"); err != nil || !bytes.Equal(out.Bytes(), again.Bytes()) {
		t.Errorf("the same inputs give another archive (%v)", err)
	}
}

func TestPushSendsEachBlobOnce(t *testing.T) {
	registry := &fakeRegistry{blobs: map[string][]byte{}, manifests: map[string][]byte{}}
	server := httptest.NewServer(registry)
	defer server.Close()
	for _, tag := range []string{"v1", "v2"} {
		if err := sample(t).Push(t.Context(), server.URL, "app", tag); err != nil {
			t.Fatal(err)
		}
	}
	if len(registry.blobs) != 3 || registry.uploads != 3 {
		t.Errorf("%d blobs, %d uploads; want 3 of each", len(registry.blobs), registry.uploads)
	}
	var sent manifest
	if err := json.Unmarshal(registry.manifests["v2"], &sent); err != nil {
		t.Fatal(err)
	}
	for _, part := range append(sent.Layers, sent.Config) {
		if len(registry.blobs[part.Digest]) != part.Size {
			t.Errorf("%s has %d bytes, the manifest says %d", part.Digest, len(registry.blobs[part.Digest]), part.Size)
		}
	}
}

func TestPushSaysWhatTheRegistryRefused(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "no space left", http.StatusInsufficientStorage)
	}))
	defer server.Close()
	err := sample(t).Push(t.Context(), server.URL, "app", "v1")
	if err == nil || !strings.Contains(err.Error(), "app:v1") || !strings.Contains(err.Error(), "no space left") {
		t.Errorf("err = %v", err)
	}
}

// Helpers

func pack(t *testing.T, l Layer) Packed {
	t.Helper()
	packed, err := l.Pack()
	if err != nil {
		t.Fatal(err)
	}
	return packed
}

// fakeRegistry takes what the registry API takes, and checks the digests.
type fakeRegistry struct {
	mu        sync.Mutex
	blobs     map[string][]byte
	manifests map[string][]byte
	uploads   int
}

func (f *fakeRegistry) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	body, err := io.ReadAll(r.Body)
	switch {
	case err != nil:
		w.WriteHeader(http.StatusBadRequest)
	case r.Method == http.MethodHead:
		if f.blobs[r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:]] == nil {
			w.WriteHeader(http.StatusNotFound)
		}
	case r.Method == http.MethodPost:
		w.Header().Set("Location", "/v2/app/blobs/uploads/1?state=x")
		w.WriteHeader(http.StatusAccepted)
	case strings.Contains(r.URL.Path, "/uploads/"):
		digest := r.URL.Query().Get("digest")
		if digest != "sha256:"+hexOf(body) || r.URL.Query().Get("state") != "x" {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		f.blobs[digest] = body
		f.uploads++
		w.WriteHeader(http.StatusCreated)
	case strings.Contains(r.URL.Path, "/manifests/"):
		f.manifests[r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:]] = body
		w.WriteHeader(http.StatusCreated)
	}
}

func untar(t *testing.T, b []byte) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	in := tar.NewReader(bytes.NewReader(b))
	for {
		header, err := in.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(in)
		if err != nil {
			t.Fatal(err)
		}
		files[header.Name] = content
	}
}
