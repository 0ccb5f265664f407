// Command app is the web application that the real fleet deploys: one static
// binary that serves a version, and misbehaves in the ways that a deploy has
// to survive.
//
// It runs as `app` (web server on port 80) or `app work` (a worker that prints
// a line a second). What it is comes from two files baked into the image,
// /version and /behavior; the environment can override the behavior:
//
//	APP_BEHAVIOR   good, bad (never healthy), exits (prints a reason and exits
//	               3), late (healthy after HEALTHY_AFTER), oom (eats memory)
//	HEALTHY_AFTER  a Go duration; 5s where the behavior is late, else 0
//
// While the file /unhealthy exists, /up answers 503 whatever the behavior.
//
// It may import the standard library only.
package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()

	app := newApp(time.Now())
	app.log("booting version %s on %s", app.version, app.host)
	if app.behavior == "exits" {
		app.log("fatal: config/credentials.yml.enc cannot be decrypted: wrong key")
		os.Exit(3)
	}

	var err error
	if len(os.Args) > 1 && os.Args[1] == "work" {
		err = app.work(ctx)
	} else {
		err = app.serve(ctx, ":80")
	}
	if err != nil {
		app.log("fatal: %v", err)
		os.Exit(1)
	}
	app.log("stopped")
}

type app struct {
	version  string
	behavior string
	host     string
	name     string
	started  time.Time
	wait     time.Duration
}

func newApp(now time.Time) *app {
	name, _ := os.Hostname()
	a := &app{
		version:  fileOr("/version", "unknown"),
		behavior: envOr("APP_BEHAVIOR", fileOr("/behavior", "good")),
		host:     envOr("KAMAL_HOST", name),
		name:     name,
		started:  now,
	}
	if a.behavior == "late" {
		a.wait = 5 * time.Second
	}
	if d, err := time.ParseDuration(os.Getenv("HEALTHY_AFTER")); err == nil {
		a.wait = d
	}
	return a
}

func (a *app) serve(ctx context.Context, addr string) error {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /up", a.up)
	mux.HandleFunc("GET /slow", a.slow)
	mux.Handle("GET /public/", http.FileServer(http.Dir("/")))
	mux.HandleFunc("/", a.root)

	server := &http.Server{Handler: a.logged(mux), ReadHeaderTimeout: 10 * time.Second}
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	a.log("listening on %s", addr)

	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	if a.behavior == "oom" {
		go a.eat(ctx)
	}

	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	if err := server.Shutdown(grace); err != nil {
		return err
	}
	if err := <-served; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func (a *app) work(ctx context.Context) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for n := 1; ; n++ {
		a.log("worked job %d version=%s", n, a.version)
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

func (a *app) up(w http.ResponseWriter, _ *http.Request) {
	switch {
	case a.behavior == "bad":
		a.log("error: could not connect to database: connection refused (db:5432)")
		http.Error(w, "database connection failed", http.StatusServiceUnavailable)
	case time.Since(a.started) < a.wait:
		http.Error(w, "warming up", http.StatusServiceUnavailable)
	case exists("/unhealthy"):
		http.Error(w, "marked unhealthy", http.StatusServiceUnavailable)
	default:
		fmt.Fprintln(w, "OK")
	}
}

func (a *app) root(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("X-Version", a.version)
	fmt.Fprintf(w, "%s %s %s\n", a.version, a.host, a.name)
}

func (a *app) slow(w http.ResponseWriter, r *http.Request) {
	delay, err := time.ParseDuration(r.URL.Query().Get("ms") + "ms")
	if err != nil || delay < 0 || delay > time.Minute {
		http.Error(w, "ms must be a number of milliseconds up to 60000", http.StatusBadRequest)
		return
	}
	a.log("taking %s to answer", delay)
	select {
	case <-time.After(delay):
		a.root(w, r)
	case <-r.Context().Done():
	}
}

// Private

// eat takes memory until the kernel ends the process; without a limit it stops
// at an amount that a development machine can spare.
func (a *app) eat(ctx context.Context) {
	const step, most = 8 << 20, 256 << 20
	var held [][]byte
	for total := 0; total < most && ctx.Err() == nil; total += step {
		block := make([]byte, step)
		for i := 0; i < len(block); i += 4096 {
			block[i] = 1
		}
		held = append(held, block)
		a.log("cache warmed: %d MB", (total+step)>>20)
	}
	<-ctx.Done()
	_ = held
}

func (a *app) logged(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		begun := time.Now()
		next.ServeHTTP(w, r)
		if r.URL.Path != "/up" {
			a.log("%s %s in %s", r.Method, r.URL.Path, time.Since(begun).Round(time.Microsecond))
		}
	})
}

func (a *app) log(format string, args ...any) {
	fmt.Printf("%s %s\n", time.Now().UTC().Format(time.RFC3339Nano), fmt.Sprintf(format, args...))
}

// Helpers

func fileOr(path, fallback string) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return fallback
	}
	return strings.TrimSpace(string(b))
}

func envOr(name, fallback string) string {
	if v := os.Getenv(name); v != "" {
		return v
	}
	return fallback
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
