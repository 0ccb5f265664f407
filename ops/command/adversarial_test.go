package command_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"binnacle/config"
	"binnacle/ops/command"
)

// The recording of what Kamal makes of the same files begins with writing them.
var writeAdversaries = flag.String("write-adversaries", "", "write the hostile projects to this folder and stop")

const adversaries = 200

// kamalSent is what Kamal 2.12 made of one of the hostile projects: every command
// as the text for the shell, and every env file.
type kamalSent struct {
	Project  string            `json:"project"`
	Commands map[string]string `json:"commands"`
	EnvFiles map[string]string `json:"env_files"`
}

// Every configuration that the generator writes goes through a real sh, with a
// docker on PATH that prints its arguments. They must be what was written into
// the file, and the text for the shell must be Kamal's.
func TestHostileConfigsReachDockerIntact(t *testing.T) {
	var recorded []kamalSent
	if *writeAdversaries == "" {
		readRecorded(t, "kamal.json", &recorded)
		if len(recorded) != adversaries {
			t.Fatalf("%d recorded projects, want %d", len(recorded), adversaries)
		}
	}
	bin := standIns(t)
	for i := range adversaries {
		if testing.Short() && i%10 != 0 {
			continue
		}
		t.Run(fmt.Sprintf("%03d", i), func(t *testing.T) {
			t.Parallel()
			a := newAdversary(uint64(i))
			if *writeAdversaries != "" {
				a.project(t, filepath.Join(*writeAdversaries, fmt.Sprintf("%03d", i)))
				return
			}
			checkAdversary(t, dockerShell{bin: bin, home: t.TempDir()}, a, recorded[i])
		})
	}
}

func checkAdversary(t *testing.T, shell dockerShell, a *adversary, kamal kamalSent) {
	if kamal.Project != a.digest() {
		t.Fatal("the generator writes another project than the recorded one")
	}
	dir := t.TempDir()
	a.project(t, dir)
	cfg, lenient := loadProject(t, dir, true), loadProject(t, dir, false)
	lines, leniently := a.lines(cfg), a.lines(lenient)
	for name, line := range lines {
		if got := leniently[name].Shell(); got != line.Shell() {
			t.Errorf("%s: what is valid is read differently when not strict:\n%s\n%s", name, got, line.Shell())
		}
	}
	if warnings := lenient.Warnings(); len(warnings) > 0 {
		t.Errorf("warns of what is valid: %v", warnings)
	}
	for _, name := range slices.Sorted(maps.Keys(a.expect)) {
		if got := shell.arguments(t, lines[name]); !slices.Equal(got, a.expect[name]) {
			t.Errorf("%s: docker gets\n%q\nwant\n%q", name, got, a.expect[name])
		}
		if got := lines[name].Shell(); name != "build" && got != kamal.Commands[name] {
			t.Errorf("%s: sends\n%s\nKamal sends\n%s", name, got, kamal.Commands[name])
		}
	}
	a.checkBuild(t, shell, cfg, kamal.Commands["build"])
	a.checkEnvFiles(t, cfg, kamal.EnvFiles)
	if local := cfg.Accessory("db").Files()[0].Local; !strings.HasSuffix(local, ".conf") || !strings.Contains(a.yaml.String(), quoted(local+":/etc/app.conf")) {
		t.Errorf("uploads %q", local)
	}
}

// lines are the commands of a hostile project by name.
func (a *adversary) lines(cfg *config.Config) map[string]command.Line {
	var env config.Pairs
	for _, s := range a.exec {
		env = append(env, config.Pair{Name: s.name, Value: config.StringValue(s.value.text)})
	}
	exec := command.ExecOptions{Env: env}
	web, job := command.NewApp(cfg, cfg.Role("web"), "h1"), command.NewApp(cfg, cfg.Role("job"), "h2")
	db := command.NewAccessory(cfg, cfg.Accessory("db"), "h1")
	return map[string]command.Line{
		"run web": web.Run("v1", "RANDOM"), "run job": job.Run("v1", "RANDOM"),
		"exec new job": job.ExecNew("v1", "RANDOM", "uptime", exec), "exec web": web.ExecExisting("v1", "uptime", exec),
		"proxy deploy web": web.ProxyDeploy("v1", "0123456789ab"),
		"run db":           db.Run(), "exec new db": db.ExecNew("uptime", command.ExecOptions{}),
		"run proxy": command.NewProxy(cfg, "h1").Run(),
		"build":     command.NewBuilder(cfg, "amd64").BuildPush("v1", command.BuildOptions{}),
	}
}

// checkBuild holds the build to Kamal's, whose arguments carry the values that
// ours carry in the environment.
func (a *adversary) checkBuild(t *testing.T, shell dockerShell, cfg *config.Config, kamal string) {
	env := command.NewBuilder(cfg, "amd64").Env(nil)
	var got []string
	for _, word := range shell.arguments(t, command.New(kamal)) {
		name, value, given := strings.Cut(word, "=")
		if want, ok := a.buildEnv[name]; ok && given {
			if value != want {
				t.Errorf("Kamal gives %s the value %q, want %q", name, value, want)
			}
			word = name
		}
		got = append(got, word)
	}
	if !slices.Equal(got, a.expect["build"]) {
		t.Errorf("Kamal builds with\n%q\nwant\n%q", got, a.expect["build"])
	}
	for name, want := range a.buildEnv {
		if value := env[name].Reveal(); value != want {
			t.Errorf("build argument %s is %q, want %q", name, value, want)
		}
	}
	if len(env) != len(a.buildEnv) {
		t.Errorf("the build gets %d variables, want %d", len(env), len(a.buildEnv))
	}
}

func (a *adversary) checkEnvFiles(t *testing.T, cfg *config.Config, kamal map[string]string) {
	specs := map[string]config.EnvSpec{
		"web": cfg.Role("web").Env("h1"), "job": cfg.Role("job").Env("h2"), "db": cfg.Accessory("db").Env(),
	}
	for name, spec := range specs {
		entries, err := spec.Resolve(t.Context(), cfg.Secrets())
		if err != nil {
			t.Fatal(err)
		}
		text := command.EnvFile(entries).Reveal()
		if text != kamal[name] {
			t.Errorf("env file of %s is %q, Kamal's %q", name, text, kamal[name])
		}
		if got := readAsDocker(t, text); !slices.Equal(got, a.envFiles[name]) {
			t.Errorf("Docker reads for %s\n%q\nwant\n%q", name, got, a.envFiles[name])
		}
	}
}

// Projects

// project writes the files of a hostile project.
func (a *adversary) project(t *testing.T, dir string) {
	t.Helper()
	exec := map[string]string{}
	for _, s := range a.exec {
		exec[s.name] = s.value.text
	}
	execJSON, err := json.Marshal(exec)
	if err != nil {
		t.Fatal(err)
	}
	order := make([]string, len(a.exec))
	for i, s := range a.exec {
		order[i] = s.name
	}
	writeIn(t, dir, "config/deploy.yml", a.yaml.String())
	writeIn(t, dir, ".kamal/secrets", a.secrets.String())
	writeIn(t, dir, "Dockerfile", "FROM scratch\n")
	writeIn(t, dir, "exec.json", string(execJSON))
	writeIn(t, dir, "exec.order", strings.Join(order, "\n"))
	writeIn(t, dir, "digest", a.digest())
}

func (a *adversary) digest() string {
	sum := sha256.Sum256([]byte(a.yaml.String() + "\x00" + a.secrets.String()))
	return hex.EncodeToString(sum[:8])
}

func readRecorded(t *testing.T, name string, into any) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "adversarial", name))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, into); err != nil {
		t.Fatal(err)
	}
}

func writeIn(t *testing.T, dir, name, text string) {
	t.Helper()
	path := filepath.Join(dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func loadProject(t *testing.T, dir string, strict bool) *config.Config {
	t.Helper()
	cfg, _, err := config.Load(t.Context(), config.Options{
		Dir: dir, Strict: strict, Arch: "amd64",
		Env: func(name string) (string, bool) { value, ok := onHost[name]; return value, ok },
	})
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// Docker

// dockerShell is a machine where docker and pack print their arguments and nothing else is
// installed: what a value makes the shell run ends in an error.
type dockerShell struct{ bin, home string }

// standIns is a folder with docker and pack. It is made before tests run side by
// side: a program that another test's fork still holds open for writing cannot run.
func standIns(t *testing.T) string {
	t.Helper()
	bin := t.TempDir()
	script := "#!/bin/sh\nfor argument do printf '%s\\0' \"$argument\"; done\n"
	for _, name := range []string{"docker", "pack"} {
		if err := os.WriteFile(filepath.Join(bin, name), []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return bin
}

// arguments are those that docker gets when sh runs a Line.
func (s dockerShell) arguments(t *testing.T, line command.Line) []string {
	t.Helper()
	output, complaint := s.run(t, line)
	if complaint != "" {
		t.Errorf("the shell complains: %s\n%s", complaint, line.Shell())
	}
	if output == "" {
		return nil
	}
	return strings.Split(strings.TrimSuffix(output, "\x00"), "\x00")
}

func (s dockerShell) run(t *testing.T, line command.Line) (output, complaint string) {
	t.Helper()
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("needs a shell")
	}
	var out, complaints strings.Builder
	cmd := exec.CommandContext(t.Context(), sh, "-c", line.Shell())
	cmd.Dir, cmd.Stdout, cmd.Stderr = s.home, &out, &complaints
	cmd.Env = []string{"PATH=" + s.bin}
	for name, value := range onHost {
		if name == "HOME" {
			value = s.home
		}
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	if err := cmd.Run(); err != nil {
		complaints.WriteString(err.Error())
	}
	return strings.ReplaceAll(out.String(), s.home, onHost["HOME"]), complaints.String()
}

// readAsDocker reads an env file as Docker's command line does: a variable on each
// line, and the value as it stands.
func readAsDocker(t *testing.T, text string) []string {
	t.Helper()
	var lines []string
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r")
		name, value, given := strings.Cut(strings.TrimLeft(line, " \t"), "=")
		switch {
		case name == "" && !given, strings.HasPrefix(name, "#"):
			continue
		case strings.ContainsAny(name, " \t") || name == "" || !given:
			t.Errorf("Docker refuses or misreads the line %q", line)
		}
		lines = append(lines, name+"="+value)
	}
	return lines
}
