package main

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"
)

type serverSettings struct {
	debug                            bool
	httpPort, httpsPort, metricsPort string
}

// runServer serves until ctx ends, then lets requests finish for ten seconds.
func runServer(ctx context.Context, settings serverSettings) error {
	level := slog.LevelInfo
	if settings.debug {
		level = slog.LevelDebug
	}
	slog.SetDefault(slog.New(slog.NewJSONHandler(os.Stdout, &slog.HandlerOptions{Level: level})))

	p := newProxy(filepath.Join(stateFolder(), "kamal-proxy.state"))
	if err := p.restore(); err != nil {
		return err
	}
	plain, err := net.Listen("tcp", ":"+settings.httpPort)
	if err != nil {
		return err
	}
	encrypted, err := tls.Listen("tcp", ":"+settings.httpsPort, &tls.Config{
		MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}, GetCertificate: p.certificate,
	})
	if err != nil {
		return errors.Join(err, plain.Close())
	}
	slog.Info("Server started", "http", settings.httpPort, "https", settings.httpsPort)

	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var running sync.WaitGroup
	failures := make(chan error, 3)
	server := &http.Server{Handler: logged(p), ReadHeaderTimeout: 30 * time.Second, ErrorLog: slog.NewLogLogger(slog.Default().Handler(), slog.LevelDebug)}
	running.Go(func() { failures <- server.Serve(plain) })
	running.Go(func() { failures <- server.Serve(encrypted) })
	running.Go(func() { failures <- serveControl(ctx, p) })

	select {
	case err = <-failures:
	case <-ctx.Done():
	}
	grace, done := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer done()
	shut := server.Shutdown(grace)
	cancel()
	running.Wait()
	return errors.Join(err, shut)
}
