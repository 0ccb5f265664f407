package command_test

import (
	"strings"
	"testing"

	"binnacle/config/secret"
	"binnacle/ops/command"
)

func TestBuildPush(t *testing.T) {
	const (
		tags  = " -t acme/app:123 -t acme/app:latest"
		label = ` --label service="app"`
		local = " --builder kamal-local-docker-container"
		pack  = "pack build acme/app --platform linux/amd64 --creation-time now --builder heroku/builder:24 --buildpack heroku/ruby " +
			"--buildpack paketo-buildpacks/image-labels" + tags
		packed = " --path . && docker push acme/app:123 && docker push acme/app:latest"
	)
	build := func(platforms, builder, options string) string {
		return "docker buildx build --output=type=registry --platform " + platforms + builder + tags + options + " 2>&1"
	}
	for _, c := range []struct {
		name, builder string
		mode          command.BuilderMode
		want          string
	}{
		{"local", "{arch: amd64}", "local", build("linux/amd64", local, label+" --file Dockerfile .")},
		{"docker driver", "{arch: amd64, driver: docker}", "local", build("linux/amd64", "", label+" --file Dockerfile .")},
		{"two arches", "{arch: [amd64, arm64]}", "local", build("linux/amd64,linux/arm64", local, label+" --file Dockerfile .")},
		{"hybrid", "{arch: [amd64, arm64], remote: 'ssh://App@127.0.0.1'}", "hybrid",
			build("linux/amd64,linux/arm64", " --builder kamal-hybrid-docker-container-ssh----pp-127-0-0-1", label+" --file Dockerfile .")},
		{"remote", "{arch: arm64, remote: 'ssh://app@host'}", "remote", build("linux/arm64", " --builder kamal-remote-ssh---app-host", label+" --file Dockerfile .")},
		{"remote not needed", "{arch: amd64, remote: 'ssh://app@host'}", "local", build("linux/amd64", local, label+" --file Dockerfile .")},
		{"local disabled", "{arch: amd64, remote: 'ssh://app@host', local: false}", "remote",
			build("linux/amd64", " --builder kamal-remote-ssh---app-host", label+" --file Dockerfile .")},
		{"cloud", "{arch: amd64, driver: cloud org/name}", "cloud", build("linux/amd64", " --builder cloud-org-name", label+" --file Dockerfile .")},
		{"cache", "{arch: amd64, cache: {type: registry, options: 'mode=max'}}", "local",
			build("linux/amd64", local, " --cache-to type=registry,ref=acme/app-build-cache,mode=max --cache-from type=registry,ref=acme/app-build-cache"+label+" --file Dockerfile .")},
		{"options", "{arch: amd64, args: {A: x y, B: 2}, secrets: [T1, T2], dockerfile: D.prod, target: prod, ssh: default=$SSH_AUTH_SOCK, " +
			"provenance: mode=max, sbom: false, context: ./sub}", "local",
			build("linux/amd64", local, label+" --build-arg A --build-arg B --secret id=\"T1\" --secret id=\"T2\""+
				" --file D.prod --target prod --ssh default=$SSH_AUTH_SOCK --provenance mode=max --sbom false ./sub")},
		{"pack", "{arch: amd64, args: {A: 1}, secrets: [T1], pack: {builder: 'heroku/builder:24', buildpacks: [heroku/ruby]}}", "pack",
			pack + " --env BP_IMAGE_LABELS=service=app --env A --env T1" + packed},
	} {
		t.Run(c.name, func(t *testing.T) {
			builder := command.NewBuilder(parse(t, "builder: "+c.builder+"\n"), "amd64")
			if builder.Mode() != c.mode {
				t.Errorf("mode %s, want %s", builder.Mode(), c.mode)
			}
			if got := builder.BuildPush("123", command.BuildOptions{}).String(); got != c.want {
				t.Errorf("\n got %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestBuildOptions(t *testing.T) {
	cfg := parse(t, "builder: {arch: amd64, args: {A: it's $X}}\n")
	line := command.NewBuilder(cfg, "amd64").BuildPush("123", command.BuildOptions{Output: "docker", Dirty: true, NoCache: true, Extra: []string{"--progress=rawjson"}})
	want := `docker buildx build --output=type=docker --platform linux/amd64 --builder kamal-local-docker-container ` +
		`-t acme/app:123-dirty -t acme/app:latest-dirty --label service="app" --build-arg A --file Dockerfile --no-cache --progress=rawjson . 2>&1`
	if line.Shell() != want {
		t.Errorf("\n got %s\nwant %s", line.Shell(), want)
	}
	cfg = parse(t, "builder: {arch: amd64, pack: {builder: b, buildpacks: []}}\n")
	line = command.NewBuilder(cfg, "amd64").BuildPush("123", command.BuildOptions{Output: "docker", NoCache: true})
	if strings.Contains(line.String(), "docker push") || !strings.Contains(line.String(), "--clear-cache") {
		t.Errorf("got %s", line)
	}
}

func TestBuilderLife(t *testing.T) {
	const (
		hybrid = "kamal-hybrid-docker-container-ssh---app-1-1-1-5-local-registry"
		remote = "kamal-remote-ssh---app-1-1-1-5"
	)
	for _, c := range []struct{ name, yaml, create, inspect, remove, info string }{
		{"docker driver", "builder: {arch: amd64, driver: docker}", "", "", "", "docker context ls && docker buildx ls"},
		{"local", "",
			"docker buildx create --name kamal-local-docker-container --driver=docker-container",
			"docker buildx inspect kamal-local-docker-container", "docker buildx rm kamal-local-docker-container", "docker context ls && docker buildx ls"},
		{"local registry", "registry: {server: 'localhost:5000'}",
			"docker buildx create --name kamal-local-registry-docker-container --driver=docker-container --driver-opt network=host",
			"docker buildx inspect kamal-local-registry-docker-container", "docker buildx rm kamal-local-registry-docker-container", "docker context ls && docker buildx ls"},
		{"remote", "builder: {arch: arm64, remote: 'ssh://app@1.1.1.5'}",
			"docker context create " + remote + "-context --description '" + remote + " host' --docker 'host=ssh://app@1.1.1.5' ; " +
				"docker buildx create --name " + remote + " " + remote + "-context",
			"docker buildx inspect " + remote + " | grep -q Endpoint:.*" + remote + "-context && docker context inspect " + remote +
				"-context --format '{{.Endpoints.docker.Host}}' | grep -xq ssh://app@1.1.1.5 || (echo no compatible builder && exit 1)",
			"docker context rm " + remote + "-context ; docker buildx rm " + remote, "docker context ls ; docker buildx ls"},
		{"hybrid", "registry: {server: 'localhost:5000'}\nbuilder: {arch: [amd64, arm64], remote: 'ssh://app@1.1.1.5'}",
			"docker buildx create --platform linux/amd64 --name " + hybrid + " --driver=docker-container --driver-opt network=host && " +
				"docker context create " + hybrid + "-context --description '" + hybrid + " host' --docker 'host=ssh://app@1.1.1.5' && " +
				"docker buildx create --platform linux/arm64 --append --name " + hybrid + " --driver-opt network=host " + hybrid + "-context",
			"docker buildx inspect " + hybrid + " | grep -q Endpoint:.*" + hybrid + "-context && docker context inspect " + hybrid +
				"-context --format '{{.Endpoints.docker.Host}}' | grep -xq ssh://app@1.1.1.5 || (echo no compatible builder && exit 1)",
			"docker context rm " + hybrid + "-context ; docker buildx rm " + hybrid, "docker context ls ; docker buildx ls"},
		{"cloud", "builder: {arch: amd64, driver: cloud org/name}",
			"docker buildx create --driver cloud org/name", "docker buildx inspect cloud-org-name", "docker buildx rm cloud-org-name",
			"docker context ls && docker buildx ls"},
		{"pack", "builder: {arch: amd64, pack: {builder: b, buildpacks: [x]}}", "", "pack builder inspect b", "", "pack builder inspect b"},
	} {
		t.Run(c.name, func(t *testing.T) {
			builder := command.NewBuilder(parse(t, c.yaml+"\n"), "amd64")
			wantLines(t, []command.Line{builder.Create(), builder.Inspect(), builder.Remove(), builder.Info()}, c.create, c.inspect, c.remove, c.info)
		})
	}
}

func TestBuilderEnv(t *testing.T) {
	secrets := []secret.Entry{{Name: "TOKEN", Value: secret.New(planted)}}
	local := command.NewBuilder(parse(t, ""), "amd64")
	remote := command.NewBuilder(parse(t, "builder: {arch: arm64, remote: 'ssh://app@host'}\n"), "amd64")
	if env := local.Env(secrets); len(env) != 1 || env["TOKEN"].Reveal() != planted || !local.LoginLocally() {
		t.Errorf("local: %v", env)
	}
	if env := remote.Env(secrets); env["BUILDKIT_NO_CLIENT_TOKEN"].Reveal() != "1" || len(env) != 2 || remote.LoginLocally() {
		t.Errorf("remote: %v", env)
	}
}

func TestClone(t *testing.T) {
	cfg := parse(t, "")
	clone := command.NewClone(cfg, "/tmp", "/home/me/my app/web", "/home/me/my app")
	// The first 13 digits of the SHA-256 of the project's path.
	const directory = "/tmp/kamal-clones/app-3c588e5e14c82"
	if clone.Directory() != directory || clone.BuildDirectory() != directory+"/my app/web" {
		t.Errorf("%s, %s", clone.Directory(), clone.BuildDirectory())
	}
	wantLines(t, append([]command.Line{clone.EnsureDirectory(), clone.Clone(), clone.RemoveDirectory()}, clone.Reset("abc")[:2]...),
		"mkdir -p "+directory,
		"git -C "+directory+" clone '/home/me/my app' --recurse-submodules",
		"rm -rf "+directory,
		"git -C '"+directory+"/my app/web' remote set-url origin '/home/me/my app'",
		"git -C '"+directory+"/my app/web' fetch origin")
}

// A clone, and a reset of it, must be clean copies of a revision.
func TestCloneWithGit(t *testing.T) {
	root := t.TempDir() + "/it's mine"
	write(t, root+"/file", "1")
	git := func(script string) string {
		return strings.TrimSpace(run(t, root, command.New("git -c user.name=n -c user.email=e -c init.defaultBranch=main "+script)))
	}
	git("init -q")
	git("add file")
	git("commit -q -m one")
	temp := t.TempDir()
	clone := command.NewClone(parse(t, ""), temp, root, root)
	run(t, temp, clone.EnsureDirectory())
	run(t, temp, clone.Clone())
	check := func() {
		t.Helper()
		if status := run(t, temp, clone.Status()); status != "" {
			t.Errorf("dirty: %s", status)
		}
		if got, want := strings.TrimSpace(run(t, temp, clone.Revision())), git("rev-parse HEAD"); got != want {
			t.Errorf("at %s, want %s", got, want)
		}
	}
	check()
	if output, err := sh(t, temp, clone.Clone()); err == nil || !strings.Contains(output, "already exists and is not an empty directory") {
		t.Errorf("cloned twice: %v, %s", err, output)
	}
	write(t, clone.BuildDirectory()+"/stray", "x")
	write(t, root+"/file", "2")
	git("commit -q -a -m two")
	for _, line := range clone.Reset(git("rev-parse HEAD")) {
		run(t, temp, line)
	}
	check()
}
