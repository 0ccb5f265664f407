package config

import (
	"strings"
	"testing"
)

// mutations are verdicts of the gem on a small valid file with one key set to one
// value: "ok", the message, or "crash" for a Ruby exception.
type mutations struct {
	Base     string `json:"base"`
	Verdicts []struct {
		Path     string `json:"path"`
		Messages []struct {
			Message string   `json:"message"`
			Values  []string `json:"values"`
		} `json:"messages"`
	} `json:"verdicts"`
}

func TestEveryKeyWithEveryKindOfValue(t *testing.T) {
	var all mutations
	readJSON(t, &all, "testdata", "ruby", "verdicts.json")
	options, err := testProject(t, all.Base, Options{Strict: true, Version: "v1"}).complete()
	if err != nil {
		t.Fatal(err)
	}
	base := source{rendered: all.Base, path: "deploy.yml"}
	if err := base.parse(); err != nil {
		t.Fatal(err)
	}
	examples, err := loadSchema()
	if err != nil {
		t.Fatal(err)
	}
	count := 0
	for _, key := range all.Verdicts {
		for _, verdict := range key.Messages {
			for _, value := range verdict.Values {
				count++
				got := verdictOn(t, examples, base.tree, options, key.Path, value)
				if got != verdict.Message && verdict.Message != "crash" {
					t.Errorf("%s: %s: got %q, want %q", key.Path, value, got, verdict.Message)
				}
				if got == "ok" && verdict.Message == "crash" {
					t.Errorf("%s: %s: accepted where the gem dies", key.Path, value)
				}
			}
		}
	}
	if count < 5000 {
		t.Errorf("only %d verdicts", count)
	}
}

func verdictOn(t *testing.T, examples schema, base Value, options Options, path, value string) string {
	t.Helper()
	s := source{rendered: "k: " + value, path: "value"}
	if err := s.parse(); err != nil {
		t.Fatal(err)
	}
	set, _ := s.tree.get("k")
	root := base.inserted(strings.Split(path, "/"), set)
	d := &document{options: options, env: newEnvironment(options), root: root}
	problems := validate(root, options, examples)
	c := d.config(examples)
	problems = problems.with(c.check())
	for _, p := range problems {
		if p.Line == 0 || p.Column == 0 || p.File == "" || p.Hint == "" {
			t.Errorf("%s: %s: no place or hint: %#v", path, value, p)
		}
	}
	if len(problems) > 0 {
		return problems[0].Kamal()
	}
	if _, err := c.KamalYAML(); err != nil {
		return err.Error()
	}
	return "ok"
}

// TestWhatTheGemAcceptsIsReadAsItStands holds the reading of old spellings off
// everything that has a meaning to the gem.
func TestWhatTheGemAcceptsIsReadAsItStands(t *testing.T) {
	var all mutations
	readJSON(t, &all, "testdata", "ruby", "verdicts.json")
	base := source{rendered: all.Base, path: "deploy.yml"}
	if err := base.parse(); err != nil {
		t.Fatal(err)
	}
	for _, key := range all.Verdicts {
		for _, verdict := range key.Messages {
			for _, value := range verdict.Values {
				if verdict.Message != "ok" {
					continue
				}
				s := source{rendered: "k: " + value, path: "value"}
				if err := s.parse(); err != nil {
					t.Fatal(err)
				}
				set, _ := s.tree.get("k")
				root := base.tree.inserted(strings.Split(key.Path, "/"), set)
				for _, w := range modernize(root).warnings() {
					t.Errorf("%s: %s: %s", key.Path, value, w)
				}
			}
		}
	}
}
