package config

import (
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

	// Destination is asked for, and Files are further files of the project.
	Destination string            `json:"destination"`
	Files       map[string]string `json:"files"`
	// Ours is what is said where the gem dies of a Ruby exception.
	Ours string `json:"ours"`
}

var kamalMessage = regexp.MustCompile(`ERROR \((Kamal::ConfigurationError|ArgumentError)\): (.*)`)

func TestVerdictsMatchTheGem(t *testing.T) {
	for file, count := range map[string]int{"config-verdicts.json": 68, "more-verdicts.json": 228} {
		var verdicts []verdict
		readJSON(t, &verdicts, "testdata", file)
		if len(verdicts) != count {
			t.Fatalf("%d verdicts, want %d", len(verdicts), count)
		}
		for _, want := range verdicts {
			t.Run(want.Name, func(t *testing.T) { checkVerdict(t, want) })
		}
	}
}

func checkVerdict(t *testing.T, want verdict) {
	options := testProject(t, want.Text, Options{Strict: true, Version: "v1", Destination: want.Destination})
	for name, text := range want.Files {
		writeFile(t, filepath.Join(options.Dir, filepath.FromSlash(name)), text)
	}
	c, _, err := Load(t.Context(), options)
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
		want := want.Ours
		if m != nil && want == "" {
			want = m[2]
		}
		if got := problems[0].Kamal(); want != "" && got != want {
			t.Errorf("blames %q, want %q (all: %v)", got, want, problems)
		}
		for _, problem := range problems {
			if strings.HasPrefix(problem.Problem, "Configuration file not found in ") {
				continue
			}
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
