package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "binnacle"

// mayImport is the import rule: a package may import, of this module, what its
// row names, and what stands below those. Packages without a row, such as
// those of the real fleet's tests, are not part of the program.
func mayImport() map[string][]string {
	low := []string{"config/secret", "config", "ops/command", "ops"}
	hosts := append(slices.Clone(low), "ops/remote", "ops/docker", "ops/logs", "ops/watch")
	return map[string][]string{
		"config/secret": {},
		"config/docs":   {},
		"config":        {"config/secret", "config/docs"},
		"ops/command":   {"config", "config/secret"},
		"ops":           {"config", "config/secret", "ops/command"},
		"ops/opstest":   low,
		"ops/argv":      {},
		"ops/outlog":    low,
		"ops/operation": append(slices.Clone(low), "ops/backup"),
		"ops/backup":    low,
		// A store on another host goes through the SSH connections of the program.
		"ops/backup/store": append(slices.Clone(low), "ops/remote"),
		"ops/remote":       {},
		"ops/docker":       low,
		"ops/logs":         low,
		"ops/watch":        append(slices.Clone(low), "ops/docker"),
		"ops/sim":          {"ops/sim/", "config/secret"},
		"ops/live":         append(slices.Clone(hosts), "ops/outlog", "ops/backup", "ops/backup/store"),
		"ui/theme":         {"ops", "ui/theme"},
		"ui/kit":           {"ops", "ui/theme"},
		"ui/widget":        append(slices.Clone(low), "ops/logs", "ui/kit", "ui/theme"),
		"ui/pane":          append(slices.Clone(low), "ops/logs", "ui/kit", "ui/theme", "ui/widget"),
		"ui/dialog":        append(slices.Clone(low), "ui/kit", "ui/theme", "ui/widget"),
		"ui":               append(slices.Clone(low), "ops/argv", "ops/logs", "ui/kit", "ui/theme", "ui/widget", "ui/pane", "ui/dialog"),
		"ui/cli":           append(slices.Clone(hosts), "ops/live", "ops/argv"),
		"ui/desk":          append(slices.Clone(hosts), "ops/live", "ops/operation", "ui", "ui/kit", "ui/pane", "ui/theme"),
	}
}

func TestImportsRunOneWay(t *testing.T) {
	rules := mayImport()
	for _, p := range packages(t) {
		name := strings.TrimPrefix(p.ImportPath, module+"/")
		allowed, ruled := rules[name]
		if !ruled {
			if p.ImportPath != module && !strings.HasPrefix(name, "ops/e2e") && !strings.HasPrefix(name, "ops/sim/") && !strings.HasPrefix(name, "screenshots") {
				t.Errorf("package %s has no import rule; add it here and to ARCHITECTURE.md", name)
			}
			continue
		}
		for _, imported := range p.Imports {
			sub, ours := strings.CutPrefix(imported, module+"/")
			if ours && !slices.ContainsFunc(allowed, func(a string) bool { return a == sub || strings.HasSuffix(a, "/") && strings.HasPrefix(sub, a) }) {
				t.Errorf("%s imports %s, which the import rule forbids", name, sub)
			}
			if network(imported) && (name == "config" || name == "config/secret" || name == "ops/command") {
				t.Errorf("%s imports %s, but configuration knows no network", name, imported)
			}
			if strings.Contains(imported, "charm.land/") && !strings.HasPrefix(name, "ui") {
				t.Errorf("%s imports %s, but operations know no terminal", name, imported)
			}
		}
	}
}

// TestNoContextFromNowhere holds that a context comes from the caller, and that
// nothing runs before main.
func TestNoContextFromNowhere(t *testing.T) {
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || strings.HasPrefix(path, "ops/e2e/") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.SelectorExpr:
				if x, ok := n.X.(*ast.Ident); ok && x.Name == "context" && (n.Sel.Name == "Background" || n.Sel.Name == "TODO") && file.Name.Name != "main" {
					t.Errorf("%s uses context.%s", path, n.Sel.Name)
				}
			case *ast.FuncDecl:
				if n.Recv == nil && n.Name.Name == "init" {
					t.Errorf("%s has an init function", path)
				}
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestNoInsecureHostKeys(t *testing.T) {
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || path == "main_test.go" {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if id, ok := n.(*ast.Ident); ok && id.Name == "InsecureIgnoreHostKey" {
				t.Errorf("%s accepts any host key", path)
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// Helpers

type goPackage struct {
	ImportPath string
	Imports    []string
}

func packages(t *testing.T) []goPackage {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Imports", "./...").Output()
	if err != nil {
		t.Fatal(err)
	}
	var list []goPackage
	for decoder := json.NewDecoder(bytes.NewReader(out)); ; {
		var p goPackage
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			return list
		} else if err != nil {
			t.Fatal(err)
		}
		list = append(list, p)
	}
}

func network(imported string) bool {
	return imported == "net" || imported == "net/http" || strings.Contains(imported, "x/crypto/ssh") || strings.Contains(imported, "moby/")
}
