package cli

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"binnacle/ops/operation"
)

var update = flag.Bool("update", false, "rewrite docs/commands.md")

// TestKamalsCommands holds that every command and flag of Kamal is there.
func TestKamalsCommands(t *testing.T) {
	var kamal reference
	decoder := json.NewDecoder(bytes.NewReader(kamalText))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&kamal); err != nil {
		t.Fatal(err)
	}
	if len(kamal.Flags) != 12 || len(kamal.Commands) != 90 {
		t.Errorf("Kamal has 12 flags and 90 commands, not %d and %d", len(kamal.Flags), len(kamal.Commands))
	}
	root := Program{Catalog: operation.Catalog()}.command()
	for _, lack := range kamal.missing(root) {
		t.Errorf("missing: %s", lack)
	}
	for _, c := range kamal.Commands {
		if cmd := c.find(root); cmd != nil && cmd.Short == "" {
			t.Errorf("%s has no help", c.Name)
		}
		if cmd := c.find(root); cmd != nil && c.Hidden != cmd.Hidden && !strings.HasSuffix(c.Name, "help") {
			t.Errorf("%s: hidden is %v with Kamal", c.Name, c.Hidden)
		}
	}
}

// TestNoCommandTwice holds that no two operations claim one command.
func TestNoCommandTwice(t *testing.T) {
	seen := map[string]bool{}
	for _, op := range operation.Catalog() {
		if seen[underscored(op.Name)] {
			t.Errorf("%s is in the catalog twice", op.Name)
		}
		seen[underscored(op.Name)] = true
	}
}

// TestDifferencesAreAboutSomething holds that no remark is about nothing.
func TestDifferencesAreAboutSomething(t *testing.T) {
	kamal := kamalCommands()
	known := map[string]bool{}
	for _, f := range kamal.Flags {
		known["--"+f.Name] = true
	}
	for _, c := range kamal.Commands {
		known[c.Name] = true
		for _, f := range c.Flags {
			known[c.Name+" --"+f.Name] = true
		}
	}
	for name := range differences() {
		if !known[name] {
			t.Errorf("differences tells of %q, which Kamal does not have", name)
		}
	}
}

// TestCommandTable holds docs/commands.md up to date: go test ./ui/cli -update
func TestCommandTable(t *testing.T) {
	want := commandTable(Program{Catalog: operation.Catalog()}.command(), kamalCommands())
	file := filepath.Join("..", "..", "docs", "commands.md")
	if *update {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("%s is out of date; run go test ./ui/cli -run TestCommandTable -update", file)
	}
	for _, text := range []string{"`rollback [VERSION]`", "`-P/--skip-push`", "## Only in Binnacle", "`--dry-run`"} {
		if !strings.Contains(want, text) {
			t.Errorf("the table does not tell of %s", text)
		}
	}
}
