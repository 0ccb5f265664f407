package config

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The files below testdata/seed are named by the line at which they stand in the
// document they come from. The first is whole; the others are laid over it.
const seedFile = "line-029-deploy.yml"

func seedFragments(t *testing.T) []string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join("testdata", "seed"))
	if err != nil {
		t.Fatal(err)
	}
	names := []string{""}
	for _, entry := range entries {
		if entry.Name() != seedFile {
			names = append(names, entry.Name())
		}
	}
	if len(names) != 5 {
		t.Fatalf("%d fragments, want the whole file and four", len(names))
	}
	return names
}

func seedProject(t *testing.T, fragment string) Options {
	t.Helper()
	options := testProject(t, readTestdata(t, seedFile), Options{Version: "v1"})
	if fragment != "" {
		options.Destination = "fragment"
		writeFile(t, filepath.Join(options.Dir, "config", "deploy.fragment.yml"), readTestdata(t, fragment))
	}
	return options
}

func readTestdata(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "seed", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestSeedLoadsAsItStands(t *testing.T) {
	for _, fragment := range seedFragments(t) {
		t.Run(fragment, func(t *testing.T) {
			c, warnings, err := Load(context.Background(), seedProject(t, fragment))
			if err != nil {
				t.Fatal(err)
			}
			if c.Service() != "fhirlinebot" || c.PrimaryRole() == nil {
				t.Errorf("service %q, primary role %v", c.Service(), c.PrimaryRole())
			}
			if len(warnings) == 0 {
				t.Error("no warnings")
			}
			for _, w := range warnings {
				if w.Line == 0 || w.Column == 0 || w.Path == "" || w.Read == "" || w.Modern == "" && !w.Decision {
					t.Errorf("incomplete warning %#v", w)
				}
			}
		})
	}
}

func TestSeedFixedAndDecidedIsStrict(t *testing.T) {
	for _, fragment := range seedFragments(t) {
		t.Run(fragment, func(t *testing.T) {
			for _, preferred := range []int{0, 1, 2} {
				checkFixedSeed(t, seedProject(t, fragment), preferred)
			}
		})
	}
}

func checkFixedSeed(t *testing.T, options Options, preferred int) {
	t.Helper()
	ctx := context.Background()
	fixed, err := Fix(ctx, options)
	if err != nil {
		t.Fatal(err)
	}
	if len(fixed.ByHand) > 0 {
		t.Errorf("left to do by hand: %v", fixed.ByHand)
	}
	for range 10 {
		if len(fixed.Decisions) == 0 {
			break
		}
		if fixed, err = fixed.Decide(ctx, 0, min(preferred, len(fixed.Decisions[0].Choices)-1)); err != nil {
			t.Fatal(err)
		}
	}
	if len(fixed.Decisions) > 0 {
		t.Fatalf("still undecided: %v", fixed.Decisions[0].ID)
	}
	for _, file := range fixed.Files {
		t.Logf("%s\n%s", file.Path, file.After)
		writeFile(t, file.Path, file.After)
		for line := range strings.Lines(file.Before) {
			if _, comment, ok := strings.Cut(line, "# "); ok && !strings.Contains(file.After, comment) {
				t.Errorf("lost the comment %q", comment)
			}
		}
		writeFile(t, file.Path, file.After)
	}
	options.Strict = true
	if _, _, err := Load(ctx, options); err != nil {
		t.Errorf("strict refuses the fixed files: %v", err)
	}
	for _, file := range fixed.Files {
		writeFile(t, file.Path, file.Before)
	}
}
