package main

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
)

var (
	errNoService = errors.New("service not found")
	errConflict  = errors.New("host settings conflict with another service")
)

// proxy is the set of services, and the way from a request to one of them.
type proxy struct {
	statePath string

	mu       sync.RWMutex
	services map[string]*service
	saving   sync.Mutex
}

func newProxy(statePath string) *proxy {
	return &proxy{statePath: statePath, services: map[string]*service{}}
}

// ServeHTTP sends a request to the service of its host and path.
func (p *proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.RLock()
	found, prefix := p.route(hostOf(r.Host), r.URL.Path)
	p.mu.RUnlock()
	if found == nil {
		writeError(w, "", http.StatusNotFound, "")
		return
	}
	found.serve(w, r, prefix)
}

// deploy changes nothing until every new target has been healthy once, and
// returns when the old targets have been drained.
func (p *proxy) deploy(ctx context.Context, request DeployRequest) error {
	options, err := request.Options.completed()
	if err != nil {
		return err
	}
	slog.Info("Deploying", "service", request.Service, "targets", request.Targets, "hosts", options.Hosts, "paths", options.PathPrefixes, "tls", options.TLSEnabled)
	fresh, err := newPool(request.Targets, request.TargetOptions)
	if err != nil {
		return err
	}
	if !request.Force {
		if err := fresh.awaitHealthy(ctx, request.DeployTimeout); err != nil {
			fresh.close()
			return err
		}
	}
	old, err := p.install(request.Service, options, request.TargetOptions, fresh)
	if err != nil {
		fresh.close()
		return err
	}
	if err := p.save(); err != nil {
		return err
	}
	if old != nil {
		old.drain(ctx, request.DrainTimeout)
		old.close()
	}
	slog.Info("Deployed", "service", request.Service, "targets", request.Targets, "hosts", options.Hosts, "paths", options.PathPrefixes, "tls", options.TLSEnabled)
	return nil
}

func (p *proxy) remove(name string) error {
	p.mu.Lock()
	found := p.services[name]
	delete(p.services, name)
	p.mu.Unlock()
	if found == nil {
		return errNoService
	}
	found.pool().close()
	return p.save()
}

func (p *proxy) gate(ctx context.Context, request GateRequest, state gateState) error {
	p.mu.RLock()
	found := p.services[request.Service]
	p.mu.RUnlock()
	if found == nil {
		return errNoService
	}
	found.gate.set(state, request.Message, request.FailAfter)
	if state != gateRunning {
		found.pool().drain(ctx, request.DrainTimeout)
		found.pool().open()
	}
	slog.Info("Service "+map[gateState]string{gateRunning: "resumed", gatePaused: "paused", gateStopped: "stopped"}[state], "service", request.Service)
	return p.save()
}

func (p *proxy) list() []listRow {
	p.mu.RLock()
	defer p.mu.RUnlock()
	var rows []listRow
	for _, name := range slices.Sorted(maps.Keys(p.services)) {
		rows = append(rows, p.services[name].row())
	}
	return rows
}

// Private

// install puts the pool in place and returns the one that it replaces.
func (p *proxy) install(name string, options serviceOptions, target targetOptions, fresh *pool) (*pool, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for other, s := range p.services {
		if other != name && s.overlaps(options) {
			slog.Error("Host settings conflict with another service", "service", other)
			return nil, errConflict
		}
	}
	existing := p.services[name]
	if existing == nil {
		existing = newService(name)
	}
	if err := existing.configure(options, target); err != nil {
		return nil, err
	}
	p.services[name] = existing
	return existing.swap(fresh), nil
}

// route finds the service of the exact host, else of its wildcard, else of any
// host, and among those the longest path prefix.
func (p *proxy) route(host, path string) (*service, string) {
	candidates := []string{host}
	if _, rest, found := strings.Cut(host, "."); found {
		candidates = append(candidates, "*."+rest)
	}
	for _, candidate := range append(candidates, "") {
		var best *service
		longest := ""
		for _, s := range p.services {
			options := s.settings().options
			if !slices.Contains(options.Hosts, candidate) {
				continue
			}
			for _, prefix := range options.PathPrefixes {
				if within(path, prefix) && len(prefix) > len(longest) {
					best, longest = s, prefix
				}
			}
		}
		if best != nil {
			return best, longest
		}
	}
	return nil, ""
}

// Helpers

func within(path, prefix string) bool {
	return prefix == "/" || path == prefix || strings.HasPrefix(path, prefix+"/")
}

func hostOf(hostport string) string {
	if i := strings.LastIndexByte(hostport, ':'); i > strings.LastIndexByte(hostport, ']') {
		return hostport[:i]
	}
	return hostport
}
