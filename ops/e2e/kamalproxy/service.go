package main

import (
	"fmt"
	"html"
	"html/template"
	"net/http"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
)

// service is a name, what it serves, and the pool of targets that serve it.
type service struct {
	name string
	gate *gate

	config atomic.Pointer[settings]
	mu     sync.Mutex
	active *pool
}

type settings struct {
	options serviceOptions
	target  targetOptions
	pages   *template.Template
	secure  *secure
}

func newService(name string) *service {
	return &service{name: name, gate: newGate()}
}

func (s *service) configure(options serviceOptions, target targetOptions) error {
	next := &settings{options: options, target: target}
	if options.ErrorPagePath != "" {
		pages, err := template.ParseGlob(filepath.Join(options.ErrorPagePath, "*.html"))
		if err != nil {
			return fmt.Errorf("unable to load error pages")
		}
		next.pages = pages
	}
	if options.TLSEnabled {
		made, err := newSecure(options)
		if err != nil {
			return fmt.Errorf("unable to load certificate")
		}
		next.secure = made
	}
	s.config.Store(next)
	return nil
}

func (s *service) swap(fresh *pool) *pool {
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.active
	s.active = fresh
	return old
}

func (s *service) pool() *pool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.active
}

func (s *service) settings() *settings { return s.config.Load() }

func (s *service) overlaps(options serviceOptions) bool {
	mine := s.settings().options
	for _, host := range options.Hosts {
		for _, prefix := range options.PathPrefixes {
			if slices.Contains(mine.Hosts, host) && slices.Contains(mine.PathPrefixes, prefix) {
				return true
			}
		}
	}
	return false
}

func (s *service) serve(w http.ResponseWriter, r *http.Request, prefix string) {
	config := s.settings()
	noteService(r, s.name, config.target)
	if s.redirects(w, r, config) {
		return
	}
	path := r.URL.Path
	if config.options.StripPrefix && prefix != "/" {
		path = "/" + strings.TrimPrefix(strings.TrimPrefix(path, prefix), "/")
	}
	healthCheck := (r.Method == http.MethodGet || r.Method == http.MethodHead) && path == config.target.Health.Path
	switch state, message := s.gate.wait(r.Context(), healthCheck); {
	case state == gateRunning:
	case healthCheck:
		w.WriteHeader(http.StatusOK)
		return
	case state == gateStopped:
		s.fail(w, http.StatusServiceUnavailable, message)
		return
	default:
		s.fail(w, http.StatusGatewayTimeout, "")
		return
	}
	if limit := config.target.MaxRequestBodySize; limit > 0 {
		if r.ContentLength > limit {
			s.fail(w, http.StatusRequestEntityTooLarge, "")
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, limit)
	}
	s.forward(w, r, path)
}

// Private

// forward hands the request to a target. A pool that began to drain since it
// was read refuses, and the pool that took its place is asked.
func (s *service) forward(w http.ResponseWriter, r *http.Request, path string) {
	for range 10 {
		current := s.pool()
		if current == nil {
			break
		}
		if target, ctx, done := current.begin(r.Context()); target != nil {
			defer done()
			noteTarget(r, target.address)
			target.serve(w, r.WithContext(ctx), path, s)
			return
		}
	}
	s.fail(w, http.StatusServiceUnavailable, "")
}

func (s *service) redirects(w http.ResponseWriter, r *http.Request, config *settings) bool {
	if r.TLS != nil && !config.options.TLSEnabled {
		s.fail(w, http.StatusServiceUnavailable, "")
		return true
	}
	host := hostOf(r.Host)
	scheme := "http"
	if r.TLS != nil || config.options.TLSEnabled && config.options.TLSRedirect {
		scheme = "https"
	}
	wrongHost := config.options.CanonicalHost != "" && host != config.options.CanonicalHost
	if wrongHost {
		host = config.options.CanonicalHost
	}
	if wrongHost || r.TLS == nil && scheme == "https" {
		http.Redirect(w, r, scheme+"://"+host+r.URL.RequestURI(), http.StatusMovedPermanently)
		return true
	}
	return false
}

func (s *service) fail(w http.ResponseWriter, status int, message string) {
	pages := s.settings().pages
	if pages != nil && pages.Lookup(strconv.Itoa(status)+".html") != nil {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.WriteHeader(status)
		_ = pages.ExecuteTemplate(w, strconv.Itoa(status)+".html", struct{ Message string }{message})
		return
	}
	writeError(w, s.name, status, message)
}

func (s *service) row() listRow {
	config := s.settings()
	host := strings.Join(config.options.Hosts, ",")
	if host == "" {
		host = "*"
	}
	secured := "no"
	if config.options.TLSEnabled {
		secured = "yes"
	}
	return listRow{s.name, host, strings.Join(config.options.PathPrefixes, ","), strings.Join(s.pool().addresses(), ","), s.gate.current().String(), secured}
}

// Helpers

func writeError(w http.ResponseWriter, _ string, status int, message string) {
	if message == "" {
		message = http.StatusText(status)
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, "<!doctype html><title>%d</title><p>%s</p>\n", status, html.EscapeString(message))
}
