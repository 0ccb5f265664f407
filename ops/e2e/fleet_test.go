//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"os"
	osexec "os/exec"
	"path/filepath"
	"strings"
	"testing"

	"binnacle/ops/e2e/lab"
	"binnacle/ops/e2e/snapshot"
)

func TestHostsTakeSSHAndKeepExitCodes(t *testing.T) {
	for _, host := range freshFleet(t).Hosts() {
		result := ssh(t, host, "hostname; echo trouble >&2; exit 7")
		if result.Stdout != host.Name+"\n" || result.Stderr != "trouble\n" || result.Exit != 7 {
			t.Errorf("%s: %+v", host.Name, result)
		}
	}
}

func TestRegistryHasOneNameEverywhere(t *testing.T) {
	fleet := freshFleet(t)
	for _, host := range fleet.Hosts() {
		login := ssh(t, host, "echo root | docker login %s -u root --password-stdin", fleet.Registry())
		if login.Exit != 0 || !strings.Contains(login.Stdout, "Login Succeeded") {
			t.Errorf("%s: docker login: %+v", host.Name, login)
		}
	}
	host := fleet.Host("vm1")
	for _, name := range []string{"myapp:v1", "myapp:bad", "shop:v3", "busybox:1.36", "postgres:16"} {
		exec(t, host, "docker pull --quiet %s/%s", fleet.Registry(), name)
	}
	label := exec(t, host, "docker inspect --format '{{.Config.Labels.service}} {{.Config.Cmd}} {{.Config.Entrypoint}}' %s/myapp:v1", fleet.Registry())
	if label != "fhirlinebot [/app] []" {
		t.Errorf("myapp:v1 is %q", label)
	}
}

func TestProjectBuildsAndPushes(t *testing.T) {
	fleet := freshFleet(t)
	project, err := fleet.Project(t.Context(), "simple")
	if err != nil {
		t.Fatal(err)
	}
	login := fleet.Registry()
	steps := []string{
		"test -z \"$(git status --porcelain)\" && test \"$(git log --format=%an,%ae)\" = ops,ops@example.com",
		"echo root | docker login " + login + " -u root --password-stdin",
		"docker buildx build --output=type=registry --platform linux/amd64 -t " + login + "/myapp:built --label service=fhirlinebot --file Dockerfile . 2>&1",
	}
	for _, step := range steps {
		result, err := fleet.Run(t.Context(), project, "sh", "-c", step)
		if err != nil || result.Exit != 0 {
			t.Fatalf("%s: %v %+v", step, err, result)
		}
	}
	host := fleet.Host("vm2")
	if got := exec(t, host, "docker run --rm %s/myapp:built cat /version", fleet.Registry()); got != "v4" {
		t.Errorf("the built image has version %q", got)
	}
	deploy, err := os.ReadFile(filepath.Join(project, "config", "deploy.yml"))
	if err != nil {
		t.Fatal(err)
	}
	if text := string(deploy); strings.Contains(text, "registry:5000") || !strings.Contains(text, fleet.SSHConfig()) {
		t.Errorf("deploy.yml is not adapted:\n%s", text)
	}
}

func TestImagesMisbehaveAsNamed(t *testing.T) {
	fleet := freshFleet(t)
	host := fleet.Host("vm3")
	start := "docker run --detach --name %[1]s %[2]s %[3]s/myapp:%[1]s"
	exec(t, host, start, "exits", "", fleet.Registry())
	exec(t, host, start, "bad", "", fleet.Registry())
	exec(t, host, start, "oom", "--memory 32m", fleet.Registry())
	eventually(t, "the image exits ends with code 3", func() bool {
		return exec(t, host, "docker inspect --format '{{.State.Status}} {{.State.ExitCode}}' exits") == "exited 3"
	})
	eventually(t, "the image oom is ended by the kernel", func() bool {
		return exec(t, host, "docker inspect --format '{{.State.OOMKilled}} {{.State.ExitCode}}' oom") == "true 137"
	})
	eventually(t, "the image bad answers 503", func() bool {
		return strings.Contains(exec(t, host, "docker exec bad wget -q -O - http://127.0.0.1/up 2>&1 || true"), "503")
	})
	if logs := exec(t, host, "docker logs bad 2>&1"); !strings.Contains(logs, "could not connect to database") {
		t.Errorf("the log of bad gives no reason:\n%s", logs)
	}
}

func TestResetLeavesHostsEmpty(t *testing.T) {
	fleet := freshFleet(t)
	host := fleet.Host("vm1")
	exec(t, host, "mkdir -p .kamal/apps && echo x > .kamal/y && docker network create kamal && docker volume create data")
	exec(t, host, "docker run --detach --restart unless-stopped --network kamal --volume data:/d %s/myapp:v1", fleet.Registry())
	fleet = freshFleet(t)
	empty := snapshot.Fleet{"vm1": {}, "vm2": {}, "vm3": {}}
	if report := snapshot.Report(snapshot.Diff(empty, stateOf(t, fleet))); report != "" {
		t.Error(report)
	}
	if images := exec(t, host, "docker images --format '{{.Repository}}:{{.Tag}}'"); images != lab.ProxyImage {
		t.Errorf("images left: %s", images)
	}
}

func TestKilledHostComesBackAsItWas(t *testing.T) {
	fleet := freshFleet(t)
	host := fleet.Host("vm3")
	exec(t, host, "echo kept > note; docker run --detach --restart unless-stopped --name job %s/myapp:v1 /app work", fleet.Registry())
	if err := host.Kill(t.Context()); err != nil {
		t.Fatal(err)
	}
	if result := ssh(t, host, "true"); result.Exit != 255 {
		t.Errorf("a dead host answers ssh: %+v", result)
	}
	if err := host.Boot(t.Context()); err != nil {
		t.Fatal(err)
	}
	if result := ssh(t, host, "cat note"); result.Stdout != "kept\n" {
		t.Errorf("after boot: %+v", result)
	}
	eventually(t, "the container runs again", func() bool {
		return exec(t, host, "docker inspect --format '{{.State.Running}}' job") == "true"
	})
}

func TestPausedHostGoesSilentAndComesBack(t *testing.T) {
	host := freshFleet(t).Host("vm2")
	if err := host.Pause(t.Context()); err != nil {
		t.Fatal(err)
	}
	result, err := osexec.CommandContext(t.Context(), "ssh", "-F", shared.SSHConfig(), "-o", "ConnectTimeout=1", host.Name, "true").CombinedOutput()
	if err == nil {
		t.Errorf("a paused host answers: %s", result)
	}
	if err := host.Resume(t.Context()); err != nil {
		t.Fatal(err)
	}
	if result := ssh(t, host, "echo here"); result.Stdout != "here\n" {
		t.Errorf("after resume: %+v", result)
	}
}

func TestCommandLinesOfShortCommandsAreSeen(t *testing.T) {
	fleet := freshFleet(t)
	watch, err := fleet.WatchCommandLines(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ssh(t, fleet.Host("vm1"), "docker login %s -u root -p planted-value", fleet.Registry())
	seen := watch.Stop()
	found := map[string]bool{}
	for host, lines := range seen {
		for _, line := range lines {
			if strings.Contains(line, "planted-value") {
				found[host] = true
			}
		}
	}
	if !found["vm1"] || len(found) != 1 {
		t.Errorf("the planted value was seen on %v", found)
	}
}

func TestLeftoversOfAKilledRunAreRemoved(t *testing.T) {
	ctx := t.Context()
	const id, owner = "deadbeef", "another-boot/1/2/3"
	labels := []string{"--label", "binnacle.e2e.run=" + id, "--label", "binnacle.e2e.owner=" + owner, "--label", "binnacle.e2e.dir=" + t.TempDir()}
	docker(t, append([]string{"network", "create"}, append(labels, "binnacle-e2e-"+id+"-net")...)...)
	docker(t, append([]string{"volume", "create"}, append(labels, "binnacle-e2e-"+id+"-vm1")...)...)
	image := docker(t, "inspect", "--format", "{{.Config.Image}}", "binnacle-e2e-"+shared.ID()+"-vm1")
	docker(t, append([]string{"run", "--detach"}, append(labels, "--volume", "binnacle-e2e-"+id+"-vm1:/d", image, "sleep", "600")...)...)

	if err := lab.Sweep(ctx, func(string, ...any) {}); err != nil {
		t.Fatal(err)
	}
	for _, kind := range []string{"container", "volume", "network"} {
		list := []string{kind, "ls", "--quiet", "--filter", "label=binnacle.e2e.run=" + id}
		if kind == "container" {
			list = append(list, "--all")
		}
		if left := docker(t, list...); left != "" {
			t.Errorf("%s left: %s", kind, left)
		}
	}
	if _, err := shared.Host("vm1").Exec(ctx, "true"); err != nil {
		t.Errorf("the sweep hit a living run: %v", err)
	}
}

func TestTwoFleetsStandSideBySide(t *testing.T) {
	second, err := lab.Start(t.Context(), lab.Options{Hosts: 1, Note: t.Logf})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := second.Remove(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	}()
	if second.Registry() == shared.Registry() {
		t.Fatal("both use one registry address")
	}
	again, err := lab.Open(second.Dir())
	if err != nil {
		t.Fatal(err)
	}
	for _, fleet := range []*lab.Fleet{shared, again} {
		if result := ssh(t, fleet.Host("vm1"), "docker pull --quiet %s/myapp:v1", fleet.Registry()); result.Exit != 0 {
			t.Errorf("fleet %s: %+v", fleet.ID(), result)
		}
	}
}

// Helpers

func docker(t *testing.T, args ...string) string {
	t.Helper()
	out, err := osexec.CommandContext(t.Context(), "docker", args...).Output()
	if err != nil {
		t.Fatal(fmt.Errorf("docker %s: %w", strings.Join(args, " "), err))
	}
	return strings.TrimSpace(string(out))
}
