package main

import (
	"cmp"
	"context"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"binnacle/ops/sim"
)

var update = flag.Bool("update", false, "rewrite the expectations of the scripts")

// TestMain lets the scripts run this very binary as binnacle.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"binnacle": main})
}

// TestScripts runs the command line as a person would, on demo fleets.
//
//	fleet DIR   starts a fleet that lives as long as the script, with a project for it in DIR
//	keys FILE   prints the paths and types of a JSON document or of JSON lines, for cmp
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:           filepath.Join("ui", "cli", "testdata", "script"),
		UpdateScripts: *update,
		Setup: func(env *testscript.Env) error {
			env.Setenv("XDG_STATE_HOME", filepath.Join(env.WorkDir, "state"))
			env.Setenv("XDG_DATA_HOME", filepath.Join(env.WorkDir, "data"))
			env.Setenv("XDG_CONFIG_HOME", filepath.Join(env.WorkDir, "config-home"))
			env.Setenv("GIT_CONFIG_GLOBAL", filepath.Join(env.WorkDir, "gitconfig"))
			env.Setenv("GIT_CONFIG_NOSYSTEM", "1")
			env.Setenv("GORACE", "atexit_sleep_ms=0") // else every command takes a second more
			return os.WriteFile(filepath.Join(env.WorkDir, "gitconfig"), []byte("[user]\n\tname = Ana\n\temail = ana@example.com\n"), 0o600)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"fleet": startFleet, "keys": printKeys},
	})
}

// Helpers

func startFleet(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: fleet DIR")
	}
	fleet, err := sim.Start(context.Background(), sim.Options{Visitors: -1})
	ts.Check(err)
	ts.Defer(func() { ts.Check(fleet.Close()) })
	dir := ts.MkAbs(args[0])
	ts.Check(fleet.WriteProject(dir))
	// Nobody waits for the job role in a test.
	file := filepath.Join(dir, "config", "deploy.yml")
	text, err := os.ReadFile(file)
	ts.Check(err)
	ts.Check(os.WriteFile(file, append(text, "\nreadiness_delay: 0\n"...), 0o600))
}

// printKeys replaces standard output's place with the shape of JSON: one line
// for each path, sorted.
func printKeys(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: keys FILE")
	}
	seen := map[string]bool{}
	decoder := json.NewDecoder(strings.NewReader(ts.ReadFile(args[0])))
	for decoder.More() {
		var value any
		ts.Check(decoder.Decode(&value))
		prefix := ""
		if record, ok := value.(map[string]any); ok {
			if kind, ok := record["type"].(string); ok {
				prefix = kind
			}
		}
		shape(prefix, value, seen)
	}
	var lines []string
	for line := range seen {
		lines = append(lines, line)
	}
	slices.SortFunc(lines, cmp.Compare)
	_, err := ts.Stdout().Write([]byte(strings.Join(lines, "\n") + "\n"))
	ts.Check(err)
}

func shape(path string, value any, seen map[string]bool) {
	switch v := value.(type) {
	case map[string]any:
		if strings.HasSuffix(path, ".labels") || strings.HasSuffix(path, ".versions") {
			seen[path+" object"] = true
			return
		}
		for k, sub := range v {
			shape(path+"."+k, sub, seen)
		}
	case []any:
		seen[path+"[] array"] = true
		for _, sub := range v {
			shape(path+"[]", sub, seen)
		}
	case string:
		seen[path+" string"] = true
	case float64:
		seen[path+" number"] = true
	case bool:
		seen[path+" bool"] = true
	default:
		seen[path+" null"] = true
	}
}
