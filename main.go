// Command binnacle is a console for apps deployed with Kamal, and the same
// engine headless.
package main

import (
	"context"
	"os"
	"path/filepath"
	"runtime/debug"

	"golang.org/x/term"

	"binnacle/ops/operation"
	"binnacle/ui/cli"
	"binnacle/ui/desk"
)

// version is set by the release build.
var version = "dev"

func main() {
	os.Exit(run(context.Background(), os.Args[1:]))
}

func run(ctx context.Context, args []string) int {
	debug.SetGCPercent(gcPercent)
	program := cli.Program{
		Catalog: operation.Catalog(), PreConnect: operation.PreConnect, Version: version, StateDir: stateDir(), DataDir: dataDir(),
		Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
		Terminal: term.IsTerminal(int(os.Stdin.Fd())) && term.IsTerminal(int(os.Stdout.Fd())),
	}
	program.Console = desk.Run
	program.Demo = func(ctx context.Context, d cli.DemoRequest) error { return demo(ctx, program, d) }
	return program.Run(ctx, args)
}

// gcPercent trades a little time for memory: it is somebody's laptop.
const gcPercent = 100

// stateDir is where journals go: $XDG_STATE_HOME/binnacle, or its default.
func stateDir() string { return ownDir("XDG_STATE_HOME", ".local", "state") }

// dataDir is where backups go that nobody named a place for:
// $XDG_DATA_HOME/binnacle, or its default.
func dataDir() string { return ownDir("XDG_DATA_HOME", ".local", "share") }

// ownDir is the program's folder in the one that a variable names, or else in one
// below the home; "" without a home.
func ownDir(variable string, below ...string) string {
	if dir := os.Getenv(variable); filepath.IsAbs(dir) {
		return filepath.Join(dir, "binnacle")
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return ""
	}
	return filepath.Join(append(append([]string{home}, below...), "binnacle")...)
}
