package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"binnacle/ops/live"
	"binnacle/ops/sim"
	"binnacle/ui/cli"
)

// demoVersion is the version that waits in the demo's registry to be deployed.
const demoVersion = "v3"

// demo runs a fresh demo fleet: under the console, under one command, or for
// others until it is interrupted. Nothing of it is left afterwards.
func demo(ctx context.Context, program cli.Program, d cli.DemoRequest) (err error) {
	fleet, err := sim.Start(ctx, sim.Options{Hosts: d.Hosts})
	if err != nil {
		return fmt.Errorf("starting the demo fleet: %w", err)
	}
	defer func() { err = errors.Join(err, fleet.Close()) }()
	if d.Serve != "" {
		return serveDemo(ctx, program, fleet, d.Serve)
	}
	run, err := demoFolder(program.StateDir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(run)) }()
	project := filepath.Join(run, "fhirlinebot")
	if err := fleet.WriteProject(project); err != nil {
		return err
	}
	program.Dir, program.StateDir, program.DataDir, program.Prebuilt = project, run, run, demoVersion
	if len(d.Args) > 0 {
		if code := program.Run(ctx, d.Args); code != 0 {
			return cli.ExitCode(code)
		}
		return nil
	}
	if !program.Terminal {
		return errors.New("the console needs a terminal; run a command instead: binnacle demo -- status")
	}
	return program.Console(ctx, live.Options{Dir: project, StateDir: run, DataDir: run, Prebuilt: demoVersion})
}

func serveDemo(ctx context.Context, program cli.Program, fleet *sim.Fleet, dir string) error {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := fleet.WriteProject(dir); err != nil {
		return err
	}
	hosts := fleet.Hosts()
	_, _ = fmt.Fprintf(program.Stdout, "%d hosts are up; the project is in %s\n\n  cd %s && binnacle\n  ssh -F %s %s docker ps\n\nInterrupt to end.\n",
		len(hosts), dir, dir, filepath.Join(dir, "ssh_config"), hosts[0].Name)
	<-ctx.Done()
	return nil
}

// Helpers

// demoFolder makes the folder of this run, and removes those of runs that died.
func demoFolder(stateDir string) (string, error) {
	if stateDir == "" {
		stateDir = os.TempDir()
	}
	all := filepath.Join(stateDir, "demo")
	if err := os.MkdirAll(all, 0o700); err != nil {
		return "", err
	}
	entries, err := os.ReadDir(all)
	if err != nil {
		return "", err
	}
	for _, e := range entries {
		pid, err := strconv.Atoi(strings.TrimPrefix(e.Name(), "run-"))
		if err == nil && !live.Alive(pid) {
			_ = os.RemoveAll(filepath.Join(all, e.Name())) // another run may have been quicker
		}
	}
	run := filepath.Join(all, fmt.Sprintf("run-%d", os.Getpid()))
	return run, os.MkdirAll(run, 0o700)
}
