package sim

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"sync"
	"time"
)

// Behaviour is what a container of an image does.
type Behaviour string

// The behaviours that the demo knows.
const (
	// Serves answers requests and becomes healthy shortly after it starts.
	Serves Behaviour = "serves"
	// NeverHealthy starts, logs a database error and answers 503 for ever.
	NeverHealthy Behaviour = "never-healthy"
	// Exits logs a start-up error and ends with exit code 3.
	Exits Behaviour = "exits"
	// RunsOutOfMemory grows until the kernel kills it.
	RunsOutOfMemory Behaviour = "out-of-memory"
	// Proxies is kamal-proxy.
	Proxies Behaviour = "proxy"
	// StoresSQL is a Postgres server.
	StoresSQL Behaviour = "postgres"
	// StoresKeys is a Redis server.
	StoresKeys Behaviour = "redis"
)

// Image is one image in the simulated registry.
type Image struct {
	// Ref is the full reference, such as registry:5000/fhirlinebot:v1.
	Ref string
	// Runs is what its containers do when started with the image's own command.
	Runs Behaviour
	// Cmd is the default command.
	Cmd []string
	// Env holds NAME=value defaults.
	Env []string
	// Labels are the image's labels; containers inherit them.
	Labels map[string]string
	// Ports are the exposed ports, such as 80/tcp.
	Ports []string
	// Files are files inside the image, by absolute path.
	Files map[string]string
	// Age is how long before the fleet's start it was built.
	Age time.Duration
	// Base names the family whose base layers it shares; Size is in bytes.
	Base string
	Size int64

	layers []layer
	id     string
	built  time.Time
}

type layer struct {
	id   string
	size int64
}

// imageRegistry holds the images that can be pulled, and who may.
type imageRegistry struct {
	mu       sync.Mutex
	images   map[string]*Image
	user     string
	password string
}

const registryServer = "registry:5000"

func newRegistry(images []Image, user, password string, now time.Time) *imageRegistry {
	r := &imageRegistry{images: map[string]*Image{}, user: user, password: password}
	for _, img := range images {
		r.add(img, now)
	}
	return r
}

// add puts an image under its reference.
func (r *imageRegistry) add(img Image, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	img.id = "sha256:" + hash("image", img.Ref)
	img.built = now.Add(-img.Age)
	if img.Size == 0 {
		img.Size = 96 << 20
	}
	img.layers = layersOf(img)
	r.images[img.Ref] = &img
}

// lookup finds an image for a pull by a client that shows the credentials it has for the server.
func (r *imageRegistry) lookup(ref, user, password string) (*Image, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	repo, tag := splitRef(ref)
	if serverOf(ref) == registryServer && (user != r.user || password != r.password) {
		name := strings.TrimPrefix(repo, registryServer+"/")
		return nil, &engineError{500, fmt.Sprintf("Head %q: no basic auth credentials", "https://"+registryServer+"/v2/"+name+"/manifests/"+tag)}
	}
	if img := r.images[ref]; img != nil {
		return img, nil
	}
	return nil, &engineError{404, fmt.Sprintf("manifest for %s not found: manifest unknown: manifest unknown", ref)}
}

// login checks credentials.
func (r *imageRegistry) login(server, user, password string) error {
	if server == registryServer && (user != r.user || password != r.password) {
		return &engineError{401, fmt.Sprintf("login attempt to https://%s/v2/ failed with status: 401 Unauthorized", server)}
	}
	return nil
}

func (i *Image) digest() string { return "sha256:" + hash("digest", i.Ref) }

// Helpers

// layersOf cuts an image into two layers shared by its base and three of its own.
func layersOf(img Image) []layer {
	base := img.Base
	if base == "" {
		base = img.Ref
	}
	shares := []struct {
		key  string
		part int64
	}{{base + "/os", 30}, {base + "/runtime", 34}, {img.Ref + "/gems", 18}, {img.Ref + "/app", 12}, {img.Ref + "/assets", 6}}
	out := make([]layer, len(shares))
	for i, s := range shares {
		out[i] = layer{id: hash("layer", s.key)[:12], size: img.Size * s.part / 100}
	}
	return out
}

func hash(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return hex.EncodeToString(sum[:])
}

// normalRef adds the default tag and drops what Docker Hub's full names carry.
func normalRef(ref string) string {
	ref = strings.TrimPrefix(strings.TrimPrefix(ref, "docker.io/"), "library/")
	if _, tag := splitRef(ref); tag == "" {
		return ref + ":latest"
	}
	return ref
}

// splitRef separates a reference into repository and tag; the tag may be empty.
func splitRef(ref string) (repo, tag string) {
	slash := strings.LastIndex(ref, "/")
	if colon := strings.LastIndex(ref, ":"); colon > slash {
		return ref[:colon], ref[colon+1:]
	}
	return ref, ""
}

// serverOf is the registry's address in a reference, empty for Docker Hub.
func serverOf(ref string) string {
	first, _, ok := strings.Cut(ref, "/")
	if ok && (strings.ContainsAny(first, ".:") || first == "localhost") {
		return first
	}
	return ""
}
