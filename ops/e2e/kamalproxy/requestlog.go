package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"
)

// requestNote collects what the log line of a request says and only its
// handlers know.
type requestNote struct {
	service, target string
	options         targetOptions
}

type noteKey struct{}

func noteService(r *http.Request, service string, options targetOptions) {
	if note, ok := r.Context().Value(noteKey{}).(*requestNote); ok {
		note.service, note.options = service, options
	}
}

func noteTarget(r *http.Request, target string) {
	if note, ok := r.Context().Value(noteKey{}).(*requestNote); ok {
		note.target = target
	}
}

// logged gives every request an id and writes one line about it.
func logged(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		begun := time.Now()
		if r.Header.Get("X-Request-ID") == "" {
			r.Header.Set("X-Request-ID", newRequestID())
		}
		note := &requestNote{}
		recorder := &recorder{ResponseWriter: w, status: http.StatusOK}
		next.ServeHTTP(recorder, r.WithContext(context.WithValue(r.Context(), noteKey{}, note)))

		port := 0
		if local, ok := r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr); ok {
			port = local.Port
		}
		client, clientPort, _ := net.SplitHostPort(r.RemoteAddr)
		remote := client
		if forwarded := r.Header.Get("X-Forwarded-For"); forwarded != "" {
			remote = forwarded
		}
		scheme := "http"
		if r.TLS != nil {
			scheme = "https"
		}
		fields := []any{
			"host", hostOf(r.Host), "port", port, "path", r.URL.Path, "request_id", r.Header.Get("X-Request-ID"), "status", recorder.status,
			"service", note.service, "target", note.target, "duration", time.Since(begun).Nanoseconds(), "method", r.Method,
			"req_content_length", r.ContentLength, "req_content_type", r.Header.Get("Content-Type"),
			"resp_content_length", recorder.written, "resp_content_type", recorder.Header().Get("Content-Type"),
			"client_addr", client, "client_port", clientPort, "remote_addr", remote, "user_agent", r.UserAgent(),
			"proto", r.Proto, "scheme", scheme, "query", r.URL.RawQuery,
		}
		fields = append(fields, headerFields("req_", r.Header, note.options.LogRequestHeaders)...)
		fields = append(fields, headerFields("resp_", recorder.Header(), note.options.LogResponseHeaders)...)
		slog.Info("Request", fields...)
	})
}

// Private

type recorder struct {
	http.ResponseWriter
	status  int
	written int64
}

// WriteHeader remembers the status.
func (r *recorder) WriteHeader(status int) {
	r.status = status
	r.ResponseWriter.WriteHeader(status)
}

// Write counts the bytes.
func (r *recorder) Write(b []byte) (int, error) {
	n, err := r.ResponseWriter.Write(b)
	r.written += int64(n)
	return n, err
}

// Unwrap lets http.ResponseController flush and hijack.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// Helpers

func headerFields(prefix string, header http.Header, names []string) []any {
	var fields []any
	for _, name := range names {
		key := prefix + strings.ReplaceAll(strings.ToLower(name), "-", "_")
		fields = append(fields, key, strings.Join(header.Values(name), ","))
	}
	return fields
}

// newRequestID is a random UUID, version 4.
func newRequestID() string {
	var b [16]byte
	_, _ = rand.Read(b[:])
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
