package sim

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"

	capi "github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
)

func (c apiCall) routeContainers(parts []string) func() {
	method := c.r.Method
	if len(parts) == 1 {
		switch method + " " + parts[0] {
		case "GET json":
			return c.containerList
		case "POST create":
			return c.containerCreate
		case "POST prune":
			return c.containerPrune
		}
	}
	if len(parts) == 1 && method == "DELETE" {
		return func() { c.done(c.e.remove(parts[0], c.flag("force"), c.flag("v"))) }
	}
	if len(parts) != 2 {
		return nil
	}
	id := parts[0]
	switch method + " " + parts[1] {
	case "GET json":
		return func() { c.containerInspect(id) }
	case "GET logs":
		return func() { c.containerLogs(id) }
	case "GET stats":
		return func() { c.containerStats(id) }
	case "GET top":
		return func() { c.containerTop(id) }
	case "POST wait":
		return func() { c.containerWait(id) }
	case "POST exec":
		return func() { c.execCreate(id) }
	}
	if method == "POST" {
		return c.containerAct(id, parts[1])
	}
	return nil
}

// Private

// containerAct is one of the calls that change a container and answer with nothing.
func (c apiCall) containerAct(id, verb string) func() {
	switch verb {
	case "start":
		return func() {
			if c.alreadyIs(id, true) {
				return
			}
			c.done(c.e.start(id))
		}
	case "stop":
		return func() {
			if c.alreadyIs(id, false) {
				return
			}
			c.done(c.e.stop(c.r.Context(), id, c.grace()))
		}
	case "restart":
		return func() { c.done(c.e.restart(c.r.Context(), id, c.grace())) }
	case "kill":
		return func() { c.done(c.e.kill(id, c.query("signal"))) }
	case "rename":
		return func() { c.done(c.e.rename(id, c.query("name"))) }
	case "pause", "unpause":
		return func() { c.done(c.e.freeze(id, verb == "pause")) }
	case "resize":
		return func() { c.w.WriteHeader(http.StatusOK) }
	}
	return nil
}

// alreadyIs answers 304 when there is nothing to do.
func (c apiCall) alreadyIs(id string, alive bool) bool {
	c.e.h.mu.Lock()
	have, err := c.e.findLocked(id)
	same := err == nil && have.alive() == alive
	c.e.h.mu.Unlock()
	if same {
		c.w.WriteHeader(http.StatusNotModified)
	}
	return same
}

func (c apiCall) grace() time.Duration {
	if n, err := strconv.Atoi(c.query("t")); err == nil {
		return time.Duration(n) * time.Second
	}
	return -1
}

func (c apiCall) find(id string) (*container, bool) {
	c.e.h.mu.Lock()
	have, err := c.e.findLocked(id)
	c.e.h.mu.Unlock()
	if err != nil {
		c.fail(err)
		return nil, false
	}
	return have, true
}

func (c apiCall) containerList() {
	f, ok := c.filters()
	if !ok {
		return
	}
	limit, _ := strconv.Atoi(c.query("limit"))
	all := c.flag("all") || limit > 0 || len(f["status"]) > 0 || len(f["exited"]) > 0
	c.e.h.mu.Lock()
	match, err := c.e.containerMatcher(f)
	if err != nil {
		c.e.h.mu.Unlock()
		c.fail(err)
		return
	}
	out := []capi.Summary{}
	for _, have := range c.e.listLocked() {
		if !match(have) || !all && !have.alive() || limit > 0 && len(out) == limit {
			continue
		}
		s := c.e.summary(have)
		if c.flag("size") {
			s.SizeRw, s.SizeRootFs = writableSize(have), have.image.Size
		}
		out = append(out, s)
	}
	c.e.h.mu.Unlock()
	c.send(200, out)
}

func (c apiCall) containerInspect(id string) {
	c.e.h.mu.Lock()
	have, err := c.e.findLocked(id)
	var data []byte
	if err == nil {
		v := c.e.inspect(have)
		if c.flag("size") {
			rw, root := writableSize(have), have.image.Size
			v.SizeRw, v.SizeRootFs = &rw, &root
		}
		data, err = json.Marshal(v)
	}
	c.e.h.mu.Unlock()
	if err != nil {
		c.fail(err)
		return
	}
	c.w.Header().Set("Content-Type", "application/json")
	_, _ = c.w.Write(data)
}

func (c apiCall) containerCreate() {
	req := capi.CreateRequest{Config: &capi.Config{}}
	if !c.body(&req) {
		return
	}
	if req.HostConfig == nil {
		req.HostConfig = &capi.HostConfig{}
	}
	var endpoints map[string]*network.EndpointSettings
	if req.NetworkingConfig != nil {
		endpoints = req.NetworkingConfig.EndpointsConfig
	}
	made, err := c.e.create(strings.TrimPrefix(c.query("name"), "/"), req.Config, req.HostConfig, endpoints)
	if err != nil {
		c.fail(err)
		return
	}
	c.send(http.StatusCreated, capi.CreateResponse{ID: made.id, Warnings: []string{}})
}

func (c apiCall) containerPrune() {
	f, ok := c.filters()
	if !ok {
		return
	}
	match, err := c.e.containerMatcher(f)
	if err != nil {
		c.fail(err)
		return
	}
	ids := c.e.prune(match)
	c.send(200, capi.PruneReport{ContainersDeleted: ids, SpaceReclaimed: uint64(len(ids)) * 1100})
}

func (c apiCall) containerTop(id string) {
	titles, rows, err := c.e.top(id)
	if err != nil {
		c.fail(err)
		return
	}
	c.send(200, capi.TopResponse{Titles: titles, Processes: rows})
}

func (c apiCall) containerWait(id string) {
	have, ok := c.find(id)
	if !ok {
		return
	}
	c.w.Header().Set("Content-Type", "application/json")
	c.w.WriteHeader(200)
	c.flush()
	code, err := c.e.wait(c.r.Context(), have, c.query("condition"))
	if err != nil {
		return
	}
	_ = json.NewEncoder(c.w).Encode(capi.WaitResponse{StatusCode: int64(code)})
}

func (c apiCall) containerLogs(id string) {
	have, ok := c.find(id)
	if !ok {
		return
	}
	wantOut, wantErr := c.flag("stdout"), c.flag("stderr")
	if !wantOut && !wantErr {
		c.fail(&engineError{400, "Bad parameters: you must choose at least one stream"})
		return
	}
	now := c.e.h.now()
	req := logRequest{follow: c.flag("follow"), stamps: c.flag("timestamps"), tail: -1}
	if n, err := strconv.Atoi(c.query("tail")); err == nil {
		req.tail = n
	}
	var err error
	if req.since, err = timeFrom(c.query("since"), now); err == nil {
		req.until, err = timeFrom(c.query("until"), now)
	}
	if err != nil {
		c.fail(&engineError{400, err.Error()})
		return
	}
	framed := !have.config.Tty
	c.w.Header().Set("Content-Type", map[bool]string{true: "application/vnd.docker.multiplexed-stream", false: "application/vnd.docker.raw-stream"}[framed])
	c.w.WriteHeader(200)
	c.flush()
	_ = c.e.readLog(c.r.Context(), have, req, func(l logLine) error {
		if l.stderr && !wantErr || !l.stderr && !wantOut {
			return nil
		}
		data := []byte(l.render(req.stamps))
		if framed {
			data = frame(l.stderr, data)
		}
		_, err := c.w.Write(data) //nolint:gosec // a log, sent as a stream and never as a page
		if req.follow {
			c.flush()
		}
		return err
	})
}

func (c apiCall) containerStats(id string) {
	have, ok := c.find(id)
	if !ok {
		return
	}
	stream := c.query("stream") == "" || c.flag("stream")
	enc := json.NewEncoder(c.w)
	c.w.Header().Set("Content-Type", "application/json")
	for {
		sample := c.e.stats(have, c.e.h.now())
		if c.flag("one-shot") {
			sample.PreCPUStats = capi.CPUStats{}
			sample.PreRead = time.Time{}
		}
		if err := enc.Encode(sample); err != nil || !stream {
			return
		}
		c.flush()
		if sleep(c.r.Context(), c.e.h.fleet.clock, time.Second) != nil {
			return
		}
		c.e.h.mu.Lock()
		_, there := c.e.containers[have.id]
		c.e.h.mu.Unlock()
		if !there {
			return
		}
	}
}

// Helpers

// frame wraps a chunk in the header that tells the two streams apart.
func frame(stderr bool, data []byte) []byte {
	stream := byte(1)
	if stderr {
		stream = 2
	}
	n := len(data)
	return append([]byte{stream, 0, 0, 0, byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}, data...)
}
