package sim

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/moby/moby/api/types/build"
	capi "github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/events"
	"github.com/moby/moby/api/types/image"
	"github.com/moby/moby/api/types/jsonstream"
	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/api/types/registry"
	"github.com/moby/moby/api/types/system"
	"github.com/moby/moby/api/types/volume"
)

// routeImages finds calls on images, whose names hold slashes themselves.
func (c apiCall) routeImages(parts []string) func() {
	if len(parts) == 0 {
		return nil
	}
	last := parts[len(parts)-1]
	name := strings.Join(parts[:len(parts)-1], "/")
	switch c.r.Method + " " + last {
	case "GET json":
		if name == "" {
			return c.imageList
		}
		return func() { c.imageInspect(name) }
	case "POST create":
		return c.imagePull
	case "POST tag":
		return func() { c.imageTag(name) }
	case "POST prune":
		return c.imagePrune
	}
	if c.r.Method == http.MethodDelete {
		return func() { c.imageRemove(strings.Join(parts, "/")) }
	}
	return nil
}

func (c apiCall) routeNetworks(parts []string) func() {
	switch {
	case c.r.Method == http.MethodGet && len(parts) == 0:
		return c.networkList
	case c.r.Method == http.MethodPost && len(parts) == 1 && parts[0] == "create":
		return c.networkCreate
	case c.r.Method == http.MethodGet && len(parts) == 1:
		return func() {
			c.e.h.mu.Lock()
			n := c.e.findNetworkLocked(parts[0])
			var v network.Inspect
			if n != nil {
				v = c.e.networkView(n)
			}
			c.e.h.mu.Unlock()
			if n == nil {
				c.fail(&engineError{404, "network " + parts[0] + " not found"})
				return
			}
			c.send(200, v)
		}
	case c.r.Method == http.MethodDelete && len(parts) == 1:
		return func() { c.done(c.e.removeNetwork(parts[0])) }
	}
	return nil
}

func (c apiCall) routeVolumes(parts []string) func() {
	switch {
	case c.r.Method == http.MethodGet && len(parts) == 0:
		return c.volumeList
	case c.r.Method == http.MethodPost && len(parts) == 1 && parts[0] == "create":
		return c.volumeCreate
	case c.r.Method == http.MethodGet && len(parts) == 1:
		return func() {
			c.e.h.mu.Lock()
			v := c.e.volumes[parts[0]]
			c.e.h.mu.Unlock()
			if v == nil {
				c.fail(&engineError{404, "get " + parts[0] + ": no such volume"})
				return
			}
			c.send(200, volumeView(v))
		}
	case c.r.Method == http.MethodDelete && len(parts) == 1:
		return func() { c.done(c.e.removeVolume(parts[0])) }
	}
	return nil
}

// Private

func (c apiCall) imageList() {
	f, ok := c.filters()
	if !ok {
		return
	}
	if err := f.only("before", "dangling", "label", "reference", "since", "until"); err != nil {
		c.fail(err)
		return
	}
	out := []image.Summary{}
	c.e.h.mu.Lock()
	for _, img := range c.e.uniqueImages() {
		refs := c.e.tagsOf(img)
		match := f.any("reference", func(v string) bool {
			for _, ref := range refs {
				if refMatches(v, ref) {
					return true
				}
			}
			return false
		})
		if match && f.all("label", func(v string) bool { return hasLabel(img.Labels, v) }) && f.any("dangling", func(v string) bool { return v == "false" || v == "0" }) {
			out = append(out, c.e.imageSummary(img))
		}
	}
	c.e.h.mu.Unlock()
	c.send(200, out)
}

func (c apiCall) imageInspect(name string) {
	c.e.h.mu.Lock()
	img := c.e.imageLocked(name)
	var v image.InspectResponse
	if img != nil {
		v = c.e.imageInspect(img)
	}
	c.e.h.mu.Unlock()
	if img == nil {
		c.fail(&engineError{404, "No such image: " + normalRef(name)})
		return
	}
	c.send(200, v)
}

// imagePull streams the progress; a failure after the start comes as the last message.
func (c apiCall) imagePull() {
	ref := c.query("fromImage")
	if tag := c.query("tag"); tag != "" && !strings.HasPrefix(tag, "sha256:") {
		ref += ":" + tag
	}
	who, err := c.credentials()
	if err != nil {
		c.fail(err)
		return
	}
	started := false
	enc := json.NewEncoder(c.w)
	say := func(m jsonstream.Message) error {
		if !started {
			c.w.Header().Set("Content-Type", "application/json")
			started = true
		}
		err := enc.Encode(m)
		c.flush()
		return err
	}
	if err := c.e.pull(c.r.Context(), ref, who, say); err != nil {
		if !started {
			c.fail(err)
			return
		}
		_ = say(jsonstream.Message{Error: &jsonstream.Error{Message: err.Error()}})
	}
}

// credentials reads the header that clients send with a pull.
func (c apiCall) credentials() (login, error) {
	text := c.r.Header.Get(registry.AuthHeader)
	if text == "" {
		return login{}, nil
	}
	data, err := base64.URLEncoding.DecodeString(text)
	if err != nil {
		data, err = base64.RawURLEncoding.DecodeString(text)
	}
	var a registry.AuthConfig
	if err == nil {
		err = json.Unmarshal(data, &a)
	}
	if err != nil {
		return login{}, &engineError{400, "invalid X-Registry-Auth header"}
	}
	return login{a.Username, a.Password}, nil
}

func (c apiCall) imageTag(name string) {
	target := c.query("repo")
	if tag := c.query("tag"); tag != "" {
		target += ":" + tag
	}
	if err := c.e.tag(name, target); err != nil {
		c.fail(err)
		return
	}
	c.w.WriteHeader(http.StatusCreated)
}

func (c apiCall) imageRemove(name string) {
	gone, err := c.e.removeImage(name, c.flag("force"))
	if err != nil {
		c.fail(err)
		return
	}
	c.send(200, gone)
}

func (c apiCall) imagePrune() {
	f, ok := c.filters()
	if !ok {
		return
	}
	all := false
	for _, v := range f["dangling"] {
		all = v == "false" || v == "0"
	}
	c.send(200, c.e.pruneImages(all, f))
}

func (c apiCall) networkList() {
	f, ok := c.filters()
	if !ok {
		return
	}
	out := []network.Summary{}
	c.e.h.mu.Lock()
	for _, n := range c.e.networksLocked() {
		if f.any("name", func(v string) bool { return strings.Contains(n.name, v) }) {
			out = append(out, network.Summary{Network: c.e.networkView(n).Network})
		}
	}
	c.e.h.mu.Unlock()
	c.send(200, out)
}

func (c apiCall) networkCreate() {
	var req network.CreateRequest
	if !c.body(&req) {
		return
	}
	n, err := c.e.createNetwork(req.Name, req.Driver, req.Labels)
	if err != nil {
		c.fail(err)
		return
	}
	c.send(http.StatusCreated, network.CreateResponse{ID: n.id})
}

func (c apiCall) volumeList() {
	out := volume.ListResponse{Volumes: []volume.Volume{}, Warnings: []string{}}
	c.e.h.mu.Lock()
	for _, v := range c.e.volumesLocked() {
		out.Volumes = append(out.Volumes, volumeView(v))
	}
	c.e.h.mu.Unlock()
	c.send(200, out)
}

func (c apiCall) volumeCreate() {
	var req volume.CreateRequest
	if !c.body(&req) {
		return
	}
	c.e.h.mu.Lock()
	v := c.e.addVolume(req.Name, req.Labels)
	c.e.h.mu.Unlock()
	c.send(http.StatusCreated, volumeView(v))
}

func (c apiCall) version() {
	c.send(200, system.VersionResponse{
		Platform: system.PlatformInfo{Name: "Docker Engine - Community"}, Version: engineVersion, APIVersion: apiVersion, MinAPIVersion: minAPIVersion, Os: "linux", Arch: "amd64",
		GitCommit: "41ca978", GoVersion: "go1.22.7", KernelVersion: kernelVersion,
		Components: []system.ComponentVersion{{Name: "Engine", Version: engineVersion}, {Name: "containerd", Version: "1.7.22"}, {Name: "runc", Version: "1.1.14"}},
	})
}

func (c apiCall) auth() {
	var a registry.AuthConfig
	if !c.body(&a) {
		return
	}
	if err := c.e.h.fleet.registry.login(a.ServerAddress, a.Username, a.Password); err != nil {
		c.fail(err)
		return
	}
	c.send(200, registry.AuthResponse{Status: "Login Succeeded"})
}

func (c apiCall) events() {
	f, ok := c.filters()
	if !ok {
		return
	}
	now := c.e.h.now()
	since, err := timeFrom(c.query("since"), now)
	var until time.Time
	if err == nil {
		until, err = timeFrom(c.query("until"), now)
	}
	if err != nil {
		c.fail(&engineError{400, err.Error()})
		return
	}
	c.w.Header().Set("Content-Type", "application/json")
	c.w.WriteHeader(200)
	c.flush()
	enc := json.NewEncoder(c.w)
	_ = c.e.watchEvents(c.r.Context(), since, until, eventMatcher(f), func(m events.Message) error {
		err := enc.Encode(m)
		c.flush()
		return err
	})
}

// systemDf answers with the lists of this API version, whose readers add them up themselves.
func (c apiCall) systemDf() {
	out := struct {
		LayersSize int64
		Images     []image.Summary
		Containers []capi.Summary
		Volumes    []volume.Volume
		BuildCache []build.CacheRecord
	}{Images: []image.Summary{}, Containers: []capi.Summary{}, Volumes: []volume.Volume{}, BuildCache: []build.CacheRecord{}}
	c.e.h.mu.Lock()
	for _, img := range c.e.uniqueImages() {
		s := c.e.imageSummary(img)
		s.SharedSize = 0
		out.LayersSize += img.Size
		out.Images = append(out.Images, s)
	}
	for _, have := range c.e.listLocked() {
		s := c.e.summary(have)
		s.SizeRw, s.SizeRootFs = writableSize(have), have.image.Size
		out.Containers = append(out.Containers, s)
	}
	for _, v := range c.e.volumesLocked() {
		view := volumeView(v)
		view.UsageData = &volume.UsageData{RefCount: 1, Size: volumeSize}
		out.Volumes = append(out.Volumes, view)
	}
	c.e.h.mu.Unlock()
	c.send(200, out)
}
