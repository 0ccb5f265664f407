package command_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"binnacle/config/secret"
	"binnacle/ops/command"
)

func TestHookEnvironment(t *testing.T) {
	runtime := 12600 * time.Millisecond
	details := command.HookDetails{
		RecordedAt: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Performer: "ann@example.com",
		Version: "1dff49b51912abb34a4dc9b666729eff2526f3bc", Hosts: []string{"a", "b"}, Roles: []string{"web", "job"},
		Locked: true, Command: "app", Subcommand: "boot", Runtime: &runtime,
	}
	env := details.Env(parseFor(t, "staging", ""), []secret.Entry{{Name: "TOKEN", Value: secret.New(planted)}})
	want := map[string]string{
		"KAMAL_RECORDED_AT": "2026-01-02T03:04:05Z", "KAMAL_PERFORMER": "ann@example.com", "KAMAL_DESTINATION": "staging",
		"KAMAL_VERSION": details.Version, "KAMAL_SERVICE_VERSION": "app@1dff49b", "KAMAL_SERVICE": "app", "KAMAL_HOSTS": "a,b",
		"KAMAL_ROLES": "web,job", "KAMAL_LOCK": "true", "KAMAL_COMMAND": "app", "KAMAL_SUBCOMMAND": "boot", "KAMAL_RUNTIME": "13",
		"TOKEN": planted,
	}
	for name, value := range want {
		if got, ok := env[name]; !ok || got.Reveal() != value {
			t.Errorf("%s is %q, want %q", name, got.Reveal(), value)
		}
	}
	if len(env) != len(want) {
		t.Errorf("%d variables, want %d", len(env), len(want))
	}
	if shown := fmt.Sprint(env); strings.Contains(shown, planted) {
		t.Error("the environment shows a secret")
	}
	few := command.HookDetails{Command: "deploy"}.Env(parse(t, ""), nil)
	for _, name := range []string{"KAMAL_DESTINATION", "KAMAL_ROLES", "KAMAL_SUBCOMMAND", "KAMAL_RUNTIME"} {
		if _, ok := few[name]; ok {
			t.Errorf("%s is there", name)
		}
	}
}

func TestHookFiles(t *testing.T) {
	for path, want := range map[string]string{"": ".kamal/hooks/pre-build", "my hooks": "'my hooks/pre-build'", ".": "./pre-build", "/abs": "/abs/pre-build"} {
		yaml := ""
		if path != "" {
			yaml = "hooks_path: '" + path + "'\n"
		}
		if got := command.Hook(parse(t, yaml), "pre-build").String(); got != want {
			t.Errorf("%q: %s, want %s", path, got, want)
		}
	}
	for hook, want := range map[string]bool{"pre-connect": true, "pre-deploy": true, "post-deploy": true, "pre-build": false, "pre-app-boot": false, "docker-setup": false} {
		if command.HookGetsSecrets(hook) != want {
			t.Errorf("%s: %v", hook, !want)
		}
	}
}

// Whatever the folder is called, sh runs the hook in it.
func TestHooksOfAnyFolderRun(t *testing.T) {
	for _, folder := range []string{"my hooks", "it's", "$X `id` $(id)", "-dash", "é日本", "a\nb", "*?[a]", "~", "%s", "#a", "a;b|c&d", `back\slash`, "!x", "{a,b}"} {
		dir := t.TempDir()
		write(t, filepath.Join(dir, folder, "pre-build"), "#!/bin/sh\nprintf ran\n")
		if err := os.Chmod(filepath.Join(dir, folder, "pre-build"), 0o755); err != nil {
			t.Fatal(err)
		}
		if got := run(t, dir, command.Hook(parse(t, "hooks_path: "+quoted(folder)+"\n"), "pre-build")); got != "ran" {
			t.Errorf("%q: %q", folder, got)
		}
	}
}
