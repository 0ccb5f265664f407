package config

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

type verdict struct {
	Name   string `json:"name"`
	Text   string `json:"deploy.yml"`
	Exit   int    `json:"exit"`
	Output string `json:"output"`
	Config string `json:"config"`
}

var kamalMessage = regexp.MustCompile(`ERROR \((Kamal::ConfigurationError|ArgumentError)\): (.*)`)

func TestVerdictsMatchTheGem(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("testdata", "config-verdicts.json"))
	if err != nil {
		t.Fatal(err)
	}
	var verdicts []verdict
	if err := json.Unmarshal(text, &verdicts); err != nil {
		t.Fatal(err)
	}
	if len(verdicts) != 68 {
		t.Fatalf("%d verdicts, want 68", len(verdicts))
	}
	for _, want := range verdicts {
		t.Run(want.Name, func(t *testing.T) { checkVerdict(t, want) })
	}
}

func checkVerdict(t *testing.T, want verdict) {
	c, _, err := Load(context.Background(), testProject(t, want.Text, Options{Strict: true, Version: "v1"}))
	shown := ""
	if err == nil {
		shown, err = c.KamalYAML()
	}
	switch {
	case want.Exit == 0 && err != nil:
		t.Fatalf("refused what the gem accepts: %v", err)
	case want.Exit == 0:
		if strings.TrimSpace(shown) != strings.TrimSpace(want.Config) {
			t.Errorf("config prints\n%s\nwant\n%s", shown, want.Config)
		}
	case err == nil:
		t.Fatalf("accepted what the gem refuses: %s", want.Output)
	default:
		if want.Name == "valid-only-accessories" {
			return
		}
		problems := problemsOf(t, err)
		m := kamalMessage.FindStringSubmatch(want.Output)
		if got := problems[0].Kamal(); m != nil && got != m[2] {
			t.Errorf("blames %q, want %q (all: %v)", got, m[2], problems)
		}
		for _, problem := range problems {
			if problem.Line == 0 || problem.Column == 0 || problem.File == "" || problem.Hint == "" {
				t.Errorf("no place or hint in %q", problem)
			}
		}
	}
}

func problemsOf(t *testing.T, err error) Errors {
	t.Helper()
	var problems Errors
	if !errors.As(err, &problems) || len(problems) == 0 {
		t.Fatalf("%T %v, want Errors", err, err)
	}
	return problems
}

// testProject writes deploy.yml and returns options that see nothing else.
func testProject(t testing.TB, text string, options Options) Options {
	t.Helper()
	options.Dir = t.TempDir()
	writeFile(t, filepath.Join(options.Dir, "config", "deploy.yml"), text)
	if options.Env == nil {
		options.Env = func(string) (string, bool) { return "", false }
	}
	if options.Arch == "" {
		options.Arch = "amd64"
	}
	return options
}

func writeFile(t testing.TB, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
