package command_test

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"binnacle/config"
	"binnacle/config/secret"
	"binnacle/ops/command"
)

// The folders of testdata/adversarial are projects written by hand: every key that
// has an effect on a command, and what people write there by accident. by-hand.json
// holds every command that Kamal 2.12 makes of them.
func TestEveryKeyHasKamalsEffect(t *testing.T) {
	var recorded map[string]kamalSent
	readRecorded(t, "by-hand.json", &recorded)
	if len(recorded) < 20 {
		t.Fatalf("%d projects", len(recorded))
	}
	bin := standIns(t)
	for name, kamal := range recorded {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg, lenient := projectByHand(t, name, true), projectByHand(t, name, false)
			got, leniently := everyCommand(cfg), everyCommand(lenient)
			for key, line := range got {
				if read := leniently[key].Shell(); read != line.Shell() {
					t.Errorf("%s: what is valid is read differently when not strict:\n%s\n%s", key, read, line.Shell())
				}
			}
			shell := dockerShell{bin: bin, home: t.TempDir()}
			for _, key := range slices.Sorted(maps.Keys(kamal.Commands)) {
				if strings.HasPrefix(key, "build: push") {
					sameBuild(t, shell, cfg, got[key], kamal.Commands[key])
					continue
				}
				sameCommand(t, shell, key, got[key].Shell(), kamal.Commands[key])
			}
			for key := range got {
				if builder := cfg.Builder(); builder.Pack != nil && key == "build: push docker" {
					continue
				}
				if _, ok := kamal.Commands[key]; !ok && !got[key].Empty() {
					t.Errorf("%s: Kamal has no such command: %s", key, got[key])
				}
			}
			sameEnvFiles(t, cfg, kamal.EnvFiles)
		})
	}
}

// sameCommand compares the text for the shell, and for `docker run` what sh makes
// of it, complaints included: what breaks in Kamal breaks here in the same way.
func sameCommand(t *testing.T, shell dockerShell, key, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s: sends\n%s\nKamal sends\n%s", key, got, want)
		return
	}
	if strings.HasSuffix(key, ": run") && strings.Contains(want, "$") {
		output, _ := shell.run(t, command.New(want))
		again, _ := shell.run(t, command.New(got))
		if output != again {
			t.Errorf("%s: docker gets\n%q\nfrom Kamal\n%q", key, again, output)
		}
	}
}

// sameBuild compares what Docker gets, with the values of build arguments that ours
// finds in the environment.
func sameBuild(t *testing.T, shell dockerShell, cfg *config.Config, got command.Line, kamal string) {
	t.Helper()
	builder := command.NewBuilder(cfg, "amd64")
	var secrets []secret.Entry
	for _, name := range builder.SecretNames() {
		value, err := cfg.Secrets().Get(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		secrets = append(secrets, secret.Entry{Name: name, Value: value})
	}
	env := builder.Env(secrets)
	ours := shell.arguments(t, got)
	for i := range ours {
		if value, ok := env[ours[i]]; ok && i > 0 && (ours[i-1] == "--build-arg" || ours[i-1] == "--env") {
			ours[i] += "=" + value.Reveal()
		}
	}
	if want := shell.arguments(t, command.New(kamal)); !slices.Equal(ours, want) {
		t.Errorf("builds with\n%q\nKamal with\n%q", ours, want)
	}
}

func sameEnvFiles(t *testing.T, cfg *config.Config, kamal map[string]string) {
	t.Helper()
	specs := map[string]config.EnvSpec{}
	for _, role := range cfg.Roles() {
		for _, host := range role.Hosts() {
			specs[role.Name()+" on "+host] = role.Env(host)
		}
	}
	for _, accessory := range cfg.Accessories() {
		specs[accessory.Name()] = accessory.Env()
	}
	for key, spec := range specs {
		entries, err := spec.Resolve(t.Context(), cfg.Secrets())
		got := command.EnvFile(entries).Reveal()
		if err != nil {
			got = "error: " + err.Error()
		}
		if want := kamal[key]; got != want && (err == nil || !strings.HasPrefix(want, "error: ")) {
			t.Errorf("env file of %s is\n%q\nKamal's\n%q", key, got, want)
		}
	}
}

// Commands

// everyCommand builds what Kamal was asked for, under the same names.
func everyCommand(cfg *config.Config) map[string]command.Line {
	all := map[string]command.Line{}
	for _, role := range cfg.Roles() {
		for _, host := range role.Hosts() {
			addAll(all, role.Name()+" on "+host+": ", appLines(cfg, role, host))
		}
	}
	for _, accessory := range cfg.Accessories() {
		for _, host := range accessory.Hosts() {
			addAll(all, accessory.Name()+" on "+host+": ", accessoryLines(cfg, accessory, host))
		}
	}
	for _, host := range cfg.AllHosts() {
		proxy := command.NewProxy(cfg, host)
		addAll(all, "proxy on "+host+": ", map[string]command.Line{"run": proxy.Run(), "start or run": proxy.StartOrRun()})
	}
	builder, app, prune := command.NewBuilder(cfg, "amd64"), command.NewApp(cfg, nil, ""), command.NewPrune(cfg)
	addAll(all, "build: ", map[string]command.Line{
		"push": builder.BuildPush("v1", command.BuildOptions{}), "push docker": builder.BuildPush("v1", command.BuildOptions{Output: "docker", Dirty: true, NoCache: true}),
		"create": builder.Create(), "remove": builder.Remove(), "inspect": builder.Inspect(), "info": builder.Info(),
		"validate": command.ValidateImage(cfg, "v1"), "pull": command.PullImage(cfg, "v1"), "clean": command.RemoveImage(cfg, "v1"),
	})
	addAll(all, "app: ", map[string]command.Line{
		"containers": app.ListContainers(), "images": app.ListImages(), "tag": app.TagLatest("v1"), "remove images": app.RemoveImages(),
		"error pages": app.EnsureErrorPagesDirectory(), "clean error pages": app.CleanUpErrorPages("v1"),
	})
	addAll(all, "prune: ", map[string]command.Line{"containers": prune.Containers(cfg.RetainContainers()), "images": prune.TaggedImages()})
	return all
}

func appLines(cfg *config.Config, role *config.Role, host string) map[string]command.Line {
	app := command.NewApp(cfg, role, host)
	env := config.Pairs{{Name: "K", Value: config.StringValue("a b")}}
	lines := map[string]command.Line{
		"run": app.Run("v1", "RANDOM"), "start": app.Start("v1"), "stop version": app.StopVersion("v0"), "stop": app.StopCurrent(),
		"exec new":      app.ExecNew("v1", "RANDOM", "uptime", command.ExecOptions{Env: env}),
		"exec detached": app.ExecNew("v1", "RANDOM", "uptime", command.ExecOptions{Detach: true}),
		"exec":          app.ExecExisting("v1", "uptime", command.ExecOptions{Env: env}),
		"status":        app.StatusForVersion("v1"), "current version": app.CurrentRunningVersion(), "info": app.Info(),
		"env directory": app.EnsureEnvDirectory(), "versions": app.ListVersions(),
	}
	if role.Proxied() {
		addAll(lines, "", map[string]command.Line{
			"proxy deploy": app.ProxyDeploy("v1", "0123456789ab"), "proxy remove": app.ProxyRemove(), "live": app.ProxyResume(),
			"maintenance": app.ProxyStop(cfg.DrainTimeout(), `back "soon" $X ${X}`), "tls directory": app.EnsureTLSDirectory(),
		})
		if proxy := role.Proxy(); proxy.CustomCertificate() {
			lines["certificate"] = command.New(proxy.HostCertificate(), proxy.HostKey(), proxy.ContainerCertificate(), proxy.ContainerKey())
		}
	}
	if role.Assets() {
		addAll(lines, "", map[string]command.Line{
			"extract assets": app.ExtractAssets("v1"), "sync assets": app.SyncAssetVolumes("v1", ""),
			"sync old assets": app.SyncAssetVolumes("v1", "v0"), "clean assets": app.CleanUpAssets("v1"),
		})
	}
	return lines
}

func accessoryLines(cfg *config.Config, acc *config.Accessory, host string) map[string]command.Line {
	accessory := command.NewAccessory(cfg, acc, host)
	lines := map[string]command.Line{
		"run": accessory.Run(), "exec new": accessory.ExecNew("uptime", command.ExecOptions{}), "exec": accessory.ExecExisting("uptime", command.ExecOptions{}),
		"start": accessory.Start(), "stop": accessory.Stop(), "info": accessory.Info(), "pull": accessory.PullImage(), "remove image": accessory.RemoveImage(),
		"remove directory": accessory.RemoveServiceDirectory(), "env directory": accessory.EnsureEnvDirectory(),
	}
	if acc.Proxied() {
		lines["proxy deploy"], lines["proxy remove"] = accessory.ProxyDeploy("v1", "0123456789ab"), accessory.ProxyRemove()
	}
	number := -1
	for _, line := range accessory.Directories() {
		switch words := line.String(); {
		case strings.HasPrefix(words, "mkdir"):
			number++
			lines[fmt.Sprintf("directory %d", number)] = line
		case strings.HasPrefix(words, "chmod"):
			lines[fmt.Sprintf("directory %d mode", number)] = line
		default:
			lines[fmt.Sprintf("directory %d owner", number)] = line
		}
	}
	for i, upload := range accessory.Uploads() {
		lines[fmt.Sprintf("file %d", i)] = upload.Before[0]
		for j, line := range upload.After {
			lines[fmt.Sprintf("file %d %s", i, []string{"mode", "owner"}[j])] = line
		}
	}
	return lines
}

func addAll(to map[string]command.Line, prefix string, lines map[string]command.Line) {
	for key, line := range lines {
		to[prefix+key] = line
	}
}

// Projects

// projectByHand loads a folder of testdata/adversarial as a project: a second
// deploy file is that of the destination.
func projectByHand(t *testing.T, name string, strict bool) *config.Config {
	t.Helper()
	dir, destination := t.TempDir(), ""
	from := filepath.Join("testdata", "adversarial", name)
	entries, err := os.ReadDir(from)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		text, err := os.ReadFile(filepath.Join(from, entry.Name()))
		if err != nil {
			t.Fatal(err)
		}
		folder := ".kamal/"
		if rest, ok := strings.CutPrefix(entry.Name(), "deploy."); ok {
			folder = "config/"
			if d, ok := strings.CutSuffix(rest, ".yml"); ok {
				destination = d
			}
		}
		writeIn(t, dir, folder+entry.Name(), string(text))
	}
	cfg, _, err := config.Load(t.Context(), config.Options{
		Dir: dir, Strict: strict, Arch: "amd64", Version: "v1", Destination: destination, Redactor: &secret.Redactor{},
		Env: func(name string) (string, bool) { value, ok := onHost[name]; return value, ok },
	})
	var problems config.Errors
	if errors.As(err, &problems) || err != nil {
		t.Fatal(err)
	}
	return cfg
}
