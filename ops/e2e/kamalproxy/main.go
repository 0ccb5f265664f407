// Command kamalproxy stands in for kamal-proxy 0.9.2 on the real fleet where
// its image cannot be pulled. It honours the contract that a deploy rests on:
// the commands and flags, exit codes and error texts, the table of `list`, the
// state file, health checks, routing by host and path, the swap without a lost
// request, draining, maintenance, limits of bodies and the log lines.
//
// It does not do what Kamal never asks for: rollouts, read targets, ACME (a
// service with --tls and no certificate gets a self-signed one), http3.
//
// It may import the standard library, cobra and pflag only.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	if err := newCommand().ExecuteContext(ctx); err != nil {
		os.Exit(1)
	}
}
