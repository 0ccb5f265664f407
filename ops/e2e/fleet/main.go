// Command fleet puts a real fleet on this machine for people to use, and takes
// it away again. See package lab for what it consists of and needs.
//
//	go run ./ops/e2e/fleet up [-hosts 3] [-story simple]
//	go run ./ops/e2e/fleet list
//	go run ./ops/e2e/fleet down [ID]
//	go run ./ops/e2e/fleet images
//
// `up` prints a folder; a project in it is ready to deploy. `down` without an
// id removes every fleet that `up` started and every one whose owner died. `images`
// makes the images of database servers, such as binnacle-e2e/postgres:15, which
// stay.
//
// It may import ops/e2e/lab and the standard library only.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"syscall"

	"binnacle/ops/e2e/lab"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := command(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "fleet:", err)
		os.Exit(1)
	}
}

func command(ctx context.Context, args []string) error {
	verb := ""
	if len(args) > 0 {
		verb, args = args[0], args[1:]
	}
	switch verb {
	case "up":
		return up(ctx, args)
	case "list":
		return list(ctx)
	case "down":
		return down(ctx, args)
	case "images":
		return images(ctx)
	}
	return errors.New("usage: fleet up [-hosts N] [-story simple|rich|commands] | list | down [ID] | images")
}

// Private

func up(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("up", flag.ContinueOnError)
	hosts := flags.Int("hosts", 3, "how many hosts")
	story := flags.String("story", "simple", "whose project to write: simple, rich or commands")
	proxy := flags.String("kamal-proxy", "", "a real kamal-proxy binary (default: $BINNACLE_KAMAL_PROXY, else the stand-in)")
	if err := flags.Parse(args); err != nil {
		return err
	}
	fleet, err := lab.Start(ctx, lab.Options{Hosts: *hosts, Keep: true, KamalProxy: *proxy, Buildx: true, Note: note})
	if err != nil {
		return err
	}
	project, err := fleet.Project(ctx, *story)
	if err != nil {
		return err
	}
	fmt.Printf("fleet     %s\nregistry  %s\n", fleet.ID(), fleet.Registry())
	for _, host := range fleet.Hosts() {
		fmt.Printf("%-9s %s port %d, proxy %s\n", host.Name, host.Address, host.SSHPort, host.URL())
	}
	fmt.Printf("ssh       ssh -F %s %s\n", fleet.SSHConfig(), fleet.Hosts()[0].Name)
	fmt.Printf("project   %s\n\n", project)
	fmt.Printf("cd %s && export DOCKER_CONFIG=%s/docker\nbinnacle setup --skip-push --version v1\n", project, fleet.Dir())
	return nil
}

func list(ctx context.Context) error {
	runs, err := lab.Runs(ctx)
	if err != nil {
		return err
	}
	for _, run := range runs {
		state := "in use"
		if run.Dead {
			state = "left behind"
		}
		fmt.Printf("%s  %s  %s\n", run.ID, state, run.Dir)
	}
	return nil
}

func down(ctx context.Context, args []string) error {
	runs, err := lab.Runs(ctx)
	if err != nil {
		return err
	}
	var problems []error
	removed := 0
	for _, run := range runs {
		wanted := run.Dead || run.Kept()
		if len(args) > 0 {
			wanted = run.ID == args[0]
		}
		if wanted {
			note("removing fleet %s", run.ID)
			problems = append(problems, lab.Remove(ctx, run))
			removed++
		}
	}
	if len(args) > 0 && removed == 0 {
		return fmt.Errorf("there is no fleet %s", args[0])
	}
	return errors.Join(problems...)
}

func images(ctx context.Context) error {
	names, err := lab.LocalDatabases(ctx, note)
	slices.Sort(names)
	for _, name := range names {
		fmt.Println(name)
	}
	return err
}

func note(format string, args ...any) {
	fmt.Fprintf(os.Stderr, format+"\n", args...)
}
