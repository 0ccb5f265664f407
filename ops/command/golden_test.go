package command_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"binnacle/config"
	"binnacle/config/secret"
	"binnacle/ops/command"
)

// The files testdata/*.txt hold every different command that Kamal 2.12 ran for
// the deploy.yml beside them, with times, ids and random suffixes replaced.
func TestEveryCommandOfKamalIsBuilt(t *testing.T) {
	for _, story := range []string{"simple", "rich", "commands"} {
		t.Run(story, func(t *testing.T) {
			text, err := os.ReadFile(filepath.Join("testdata", story+".txt"))
			if err != nil {
				t.Fatal(err)
			}
			built := map[string]bool{}
			for _, line := range commandsOf(load(t, story+".yml")) {
				built[normalize(line.String())] = true
			}
			for kamal := range strings.Lines(string(text)) {
				if want := expected(strings.TrimSpace(kamal)); !built[want] {
					t.Errorf("not built:\n%s", want)
				}
			}
		})
	}
}

// The commands that run containers must be built for exactly the hosts and
// versions that Kamal built them for: none may differ in an argument.
func TestRunCommandsAreKamalsOnly(t *testing.T) {
	for _, story := range []string{"simple", "rich"} {
		text, err := os.ReadFile(filepath.Join("testdata", story+".txt"))
		if err != nil {
			t.Fatal(err)
		}
		cfg := load(t, story+".yml")
		for _, role := range cfg.Roles() {
			for _, host := range role.Hosts() {
				run := normalize(command.NewApp(cfg, role, host).Run("v1", "RANDOM").String())
				if !strings.Contains("\n"+string(text), "\n"+run+"\n") {
					t.Errorf("%s: %s on %s runs what Kamal did not run:\n%s", story, role.Name(), host, run)
				}
			}
		}
	}
}

func TestNoCommandShowsASecret(t *testing.T) {
	const secrets = `
registry: {server: registry.example.com, username: [U], password: planted-password}
builder: {arch: amd64, args: {TOKEN: planted-argument}, secrets: [T]}
env: {secret: [S]}
accessories: {db: {image: db, host: 1.1.1.1, env: {secret: [S]}}}
`
	cfg := parse(t, secrets)
	lines := append(commandsOf(cfg), command.Login(cfg.Registry(), secret.New("planted-user"), secret.New("planted-password")))
	hidden := 0
	for _, line := range lines {
		if strings.Contains(line.String()+fmt.Sprintf("%v %+v", line, line.Args()), "planted") {
			t.Errorf("shows a secret: %s", line)
		}
		hidden += len(line.Secrets())
	}
	if hidden == 0 {
		t.Error("no command carries a secret: the test tests nothing")
	}
}

// Helpers

// expected is a command of Kamal's with the differences that are meant.
func expected(kamal string) string {
	kamal = strings.Replace(kamal, "-u [REDACTED] -p [REDACTED]", `-u "root" --password-stdin`, 1)
	return strings.Replace(kamal, "--build-arg [REDACTED]", "--build-arg COMMIT_SHA", 1)
}

var auditTime = regexp.MustCompile(`"\[2026-01-02T03:04:05Z\]`)

func normalize(line string) string { return auditTime.ReplaceAllString(line, `"[TIME]`) }

func load(t *testing.T, file string) *config.Config {
	t.Helper()
	cfg, _, err := config.Load(t.Context(), config.Options{
		File: filepath.Join("testdata", file),
		Env:  func(string) (string, bool) { return "", false },
		Arch: "amd64",
	})
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

var versions = []string{"v1", "v2", "latest", "REVISION"}

// commandsOf builds everything that can be built for a configuration.
func commandsOf(cfg *config.Config) []command.Line {
	lines := append(serviceCommands(cfg), builderCommands(cfg)...)
	for _, host := range cfg.AllHosts() {
		lines = append(lines, proxyCommands(command.NewProxy(cfg, host))...)
		for _, role := range cfg.RolesOn(host) {
			lines = append(lines, appCommands(command.NewApp(cfg, role, host), role)...)
		}
		for _, accessory := range cfg.AccessoriesOn(host) {
			lines = append(lines, accessoryCommands(command.NewAccessory(cfg, accessory, host), accessory)...)
		}
	}
	return append(lines, auditCommands(cfg)...)
}

func serviceCommands(cfg *config.Config) []command.Line {
	service, lock, prune := command.NewApp(cfg, nil, ""), command.NewLock(cfg), command.NewPrune(cfg)
	lines := []command.Line{
		command.CreateNetwork(), command.Installed(), command.LocallyInstalled(), command.FirstMirror(),
		command.EnsureRunDirectory(cfg), command.RemoveAppDirectory(cfg), command.AppCount(cfg),
		command.Login(cfg.Registry(), secret.New("root"), secret.New("hunter2")), command.Logout(cfg.Registry()),
		service.ListContainers(), service.ListImages(), service.RemoveImages(), service.RemoveProxyAppDirectory(),
		lock.EnsureDir(), lock.Release(), lock.Status(),
		prune.Containers(cfg.RetainContainers()), prune.DanglingImages(), prune.TaggedImages(),
		command.NewAuditor(cfg).Reveal(50),
		command.New("uptime | wc -l"),
	}
	for _, version := range versions {
		lines = append(lines, service.TagLatest(version),
			command.PullImage(cfg, version), command.RemoveImage(cfg, version), command.ValidateImage(cfg, version))
	}
	return lines
}

func builderCommands(cfg *config.Config) []command.Line {
	builder := command.NewBuilder(cfg, "amd64")
	clone := command.NewClone(cfg, "TMPDIR", "/projects/commands", "/projects/commands")
	lines := append(clone.Reset("REVISION"), clone.Status(), clone.Revision(),
		builder.Info(), builder.BuildPush("REVISION", command.BuildOptions{}))
	// The name of the clone depends on where the project was.
	name := filepath.Base(clone.Directory())
	for i := range lines {
		lines[i] = command.New(strings.ReplaceAll(lines[i].String(), name, "fhirlinebot-7fe69b5d907ff"))
	}
	return lines
}

func proxyCommands(proxy command.Proxy) []command.Line {
	lines := []command.Line{
		proxy.StartOrRun(), proxy.Run(), proxy.Start(), proxy.Stop(), proxy.Info(), proxy.Version(), proxy.BootConfig(),
		proxy.EnsureAppsConfigDirectory(), proxy.EnsureDirectory(), proxy.RemoveDirectory(),
		proxy.RemoveContainer(), proxy.RemoveImage(),
		proxy.Logs(command.LogOptions{Lines: "3", Timestamps: true}),
	}
	for _, file := range []string{command.BootOptions, command.BootImage, command.BootImageVersion, command.BootRunCommand} {
		lines = append(lines, proxy.ResetBootFile(file))
	}
	return lines
}

func appCommands(app command.App, role *config.Role) []command.Line {
	lines := []command.Line{
		app.CurrentRunningVersion(), app.CurrentRunningContainerID(), app.StopCurrent(), app.ListVersions(), app.Info(),
		app.RemoveContainers(), app.EnsureEnvDirectory(),
		app.Logs(command.LogOptions{Lines: "3", Timestamps: true}),
		app.Logs(command.LogOptions{Lines: "100"}),
		app.Logs(command.LogOptions{Since: "1m", Grep: "version", Timestamps: true}),
	}
	if role.Proxied() {
		lines = append(lines, app.ProxyRemove(), app.ProxyResume(), app.ProxyStop(30, ""), app.ProxyStop(10, ""))
	}
	env := config.Pairs{{Name: "A", Value: config.StringValue("1")}, {Name: "B", Value: config.StringValue("2")}}
	for i, version := range versions {
		lines = append(lines,
			app.Run(version, "RANDOM"), app.Start(version), app.StopVersion(version), app.ContainerIDFor(version),
			app.StatusForVersion(version), app.RemoveContainer(version), app.RenameContainer(version, version+"_replaced_RANDOM"),
			app.ExtractAssets(version), app.CleanUpAssets(version),
			app.SyncAssetVolumes(version, ""), app.SyncAssetVolumes(version, versions[1-i%2]),
			app.SyncAssetVolumes(version, version+"_replaced_RANDOM"),
			app.ExecNew(version, "RANDOM", "hostname", command.ExecOptions{}),
			app.ExecNew(version, "RANDOM", "env", command.ExecOptions{Env: env}),
			app.ExecNew(version, "RANDOM", "sleep 1", command.ExecOptions{Detach: true}),
			app.ExecExisting(version, "cat /commit", command.ExecOptions{}),
			app.ExecExisting(version, "sh -c 'exit 42'", command.ExecOptions{}))
		if role.Proxied() {
			lines = append(lines, app.ProxyDeploy(version, "CONTAINER"))
		}
	}
	return lines
}

func accessoryCommands(accessory command.Accessory, acc *config.Accessory) []command.Line {
	lines := []command.Line{
		accessory.Run(), accessory.Start(), accessory.Stop(), accessory.Info(), accessory.Existing(),
		accessory.RunningContainerID(), accessory.PullImage(), accessory.EnsureEnvDirectory(),
		accessory.RemoveContainer(), accessory.RemoveImage(), accessory.RemoveServiceDirectory(),
		accessory.Logs(command.LogOptions{Lines: "5", Timestamps: true}),
		accessory.ExecExisting("hostname", command.ExecOptions{}),
	}
	for _, upload := range accessory.Uploads() {
		lines = append(append(lines, upload.Before...), upload.After...)
	}
	if acc.Proxied() {
		lines = append(lines, accessory.ProxyDeploy("", "CONTAINER"), accessory.ProxyRemove())
	}
	return append(lines, accessory.Directories()...)
}

// auditCommands record every message that Kamal wrote in the stories.
func auditCommands(cfg *config.Config) []command.Line {
	at := time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
	messages := []string{
		"Pruned containers", "Pruned images", "Stopped app", "Stopped proxy", "Started proxy", "Rebooted proxy",
		"Removed proxy container", "Removed proxy image", "Removed all app containers", "Removed all app images",
		"Removed .kamal/apps/" + cfg.ServiceAndDestination(), "Executed cmd 'sh -c 'exit 42'' on app version REVISION",
		"Executed cmd 'cat /commit' on app version REVISION", "Executed cmd 'hostname' on db accessory",
	}
	for _, version := range versions {
		messages = append(messages, "Pulled image with version "+version, "Booted app version "+version, "Started app version "+version,
			"Removed app container with version "+version, "Tagging "+cfg.AbsoluteImage(version)+" as the latest image",
			"Renaming container "+version+" to "+version+"_replaced_RANDOM")
	}
	for _, words := range []string{"env", "hostname", "sleep 1"} {
		messages = append(messages, "Executed cmd '"+words+"' on app version latest")
	}
	for _, host := range cfg.AllHosts() {
		messages = append(messages, "Executed cmd 'uptime | wc -l' on "+host)
	}
	for _, accessory := range cfg.Accessories() {
		name := accessory.Name()
		messages = append(messages, "Booted "+name+" accessory", "Started "+name+" accessory", "Stopped "+name+" accessory",
			"Pull "+name+" accessory image", "Remove "+name+" accessory container", "Removed "+name+" accessory image")
	}
	var lines []command.Line
	for _, message := range messages {
		for _, role := range []string{"", "web", "job"} {
			lines = append(lines, command.NewAuditor(cfg).Record("ops@example.com", at, role, message))
		}
	}
	return lines
}
