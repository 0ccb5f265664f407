//go:build e2e

package e2e

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"binnacle/ops"
)

func TestDeployBuildsWhatIsCommitted(t *testing.T) {
	fleet := freshFleet(t)
	p := newProject(t, fleet, "simple")
	p.quick(t)
	p.write(t, "version", "v5\n", 0o600)
	p.sh(t, "git commit --quiet --all --message 'Version 5'")
	revision := p.sh(t, "git rev-parse HEAD")
	p.write(t, "version", "v6\n", 0o600)

	out := p.must(t, "setup", "-v").Stdout
	runsOnly(t, fleet, revision)
	if answer := fetch(fleet.Host("vm2"), "/", ""); !strings.HasPrefix(answer, "200 v5 ") {
		t.Errorf("what was not committed is served, or nothing: %s", answer)
	}
	for _, text := range []string{"ignoring these uncommitted changes", "M version", "COPY version /version", "SSH round trips: "} {
		if !strings.Contains(out, text) {
			t.Errorf("it does not say %q:\n%s", text, out)
		}
	}
	if label := exec(t, fleet.Host("vm1"), "docker inspect --format '{{.Config.Labels.service}}' %s/myapp:%s", fleet.Registry(), revision); label != "fhirlinebot" {
		t.Errorf("the image has the service label %q", label)
	}

	load := startLoad(t, fleet, "vm1", "vm2")
	t.Run("a Dockerfile that fails", func(t *testing.T) {
		p.edit(t, "Dockerfile", "COPY app /app\n", "COPY app /app\nRUN [\"/bin/sh\", \"-c\", \"echo cannot find libvips.so.42; exit 4\"]\n")
		p.sh(t, "git commit --quiet --all --message 'A step that fails'")
		failed := p.run(t, "deploy")
		if failed.Exit != 1 {
			t.Errorf("it exits %d", failed.Exit)
		}
		for _, text := range []string{"cannot find libvips.so.42", "exit code: 4", "serving now   vm1 web " + revision} {
			if !strings.Contains(failed.Stderr, text) {
				t.Errorf("it does not say %q:\n%s", text, failed.Output())
			}
		}
		if strings.Contains(failed.Stderr, "vertex") {
			t.Errorf("it shows the progress records of the build:\n%s", failed.Stderr)
		}
	})
	t.Run("an interrupt while it builds", func(t *testing.T) {
		p.edit(t, "Dockerfile", "echo cannot find libvips.so.42; exit 4", "sleep 30; echo $RANDOM")
		p.sh(t, "git commit --quiet --all --message 'A step that takes long'")
		run := p.start(t, "deploy")
		run.until("the step that takes long", func(rec ops.Record) bool { return rec.Type == "output" && strings.Contains(rec.Text, "sleep 30") })
		run.signal(syscall.SIGINT)
		asked := time.Now()
		if code := run.wait(); code != 1 || time.Since(asked) > 15*time.Second {
			t.Errorf("it exits %d after %s\n%s", code, time.Since(asked), run.transcript())
		}
		if end := run.result(); end.Status != ops.Cancelled {
			t.Errorf("it ends as %s\n%s", end.Status, run.transcript())
		}
	})
	t.Run("a kill while it builds", func(t *testing.T) {
		run := p.start(t, "deploy")
		run.untilStep("build/push")
		run.signal(syscall.SIGKILL)
		run.wait()
	})
	runsOnly(t, fleet, revision)
	lockIsFree(t, fleet)
	p.edit(t, "Dockerfile", "sleep 30; echo $RANDOM", "true")
	p.sh(t, "git commit --quiet --all --message 'All well again'")
	p.must(t, "deploy")
	runsOnly(t, fleet, p.sh(t, "git rev-parse HEAD"))
	served(t, load)
}

func TestHooksSeeTheRunAndCanStopIt(t *testing.T) {
	fleet := freshFleet(t)
	p := newProject(t, fleet, "simple")
	p.quick(t)
	p.edit(t, "config/deploy.yml", "service: fhirlinebot\n", "service: fhirlinebot\nboot:\n  limit: 2\n")
	revision := p.sh(t, "git rev-parse HEAD")
	names := []string{"docker-setup", "pre-connect", "pre-build", "pre-deploy", "pre-app-boot", "post-app-boot", "post-deploy"}
	for _, name := range names {
		p.write(t, ".kamal/hooks/"+name, "#!/bin/sh\n{ echo "+name+"; env | grep -e ^KAMAL_ -e ^POSTGRES | sort; } >> seen\n", 0o700)
	}
	p.must(t, "setup")
	all := "vm1,vm2,vm3"
	want := []string{
		hookSaw("pre-connect", all, revision, "setup", "false", true), hookSaw("docker-setup", all, revision, "setup", "true", false),
		hookSaw("pre-build", all, revision, "setup", "true", false), hookSaw("pre-deploy", all, revision, "setup", "true", true),
		hookSaw("pre-app-boot", "vm1,vm2", revision, "setup", "true", false), hookSaw("post-app-boot", "vm1,vm2", revision, "setup", "true", false),
		hookSaw("pre-app-boot", "vm3", revision, "setup", "true", false), hookSaw("post-app-boot", "vm3", revision, "setup", "true", false),
		hookSaw("post-deploy", all, revision, "setup", "true", true),
	}
	if got := p.seen(t); got != strings.Join(want, "") {
		t.Errorf("with setup the hooks saw\n%s\nand should have seen\n%s", got, strings.Join(want, ""))
	}

	p.must(t, "deploy", "-P", "--version", "v2", "-r", "web")
	web := func(name, locked string, secrets bool) string {
		text := hookSaw(name, "vm1,vm2", "v2", "deploy", locked, secrets)
		return strings.Replace(text, "KAMAL_SERVICE=", "KAMAL_ROLES=web\nKAMAL_SERVICE=", 1)
	}
	want = []string{
		web("pre-connect", "false", true), web("pre-deploy", "true", true), web("pre-app-boot", "true", false),
		web("post-app-boot", "true", false), web("post-deploy", "false", true),
	}
	if got := p.seen(t); got != strings.Join(want, "") {
		t.Errorf("with deploy -r web the hooks saw\n%s\nand should have seen\n%s", got, strings.Join(want, ""))
	}

	p.write(t, ".kamal/hooks/pre-deploy", "#!/bin/sh\necho the freeze lasts until Monday\nexit 3\n", 0o700)
	failed := p.run(t, "deploy", "-P", "--version", "v3")
	if failed.Exit != 1 || !strings.Contains(failed.Stderr, "hook `pre-deploy` failed") || !strings.Contains(failed.Stderr, "the freeze lasts until Monday") {
		t.Errorf("a hook that fails: exit %d\n%s", failed.Exit, failed.Output())
	}
	lockIsFree(t, fleet)
	if got := running(t, fleet.Host("vm1"), "fhirlinebot"); len(got) != 1 || got[0] != "fhirlinebot-web-v2" {
		t.Errorf("vm1 runs %v", got)
	}
	p.write(t, ".kamal/hooks/pre-deploy", "#!/bin/sh\necho begun\nsleep 60\n", 0o700)
	run := p.start(t, "deploy", "-P", "--version", "v3")
	run.until("the hook runs", func(rec ops.Record) bool { return rec.Text == "begun" })
	run.signal(syscall.SIGINT)
	asked := time.Now()
	if code := run.wait(); code != 1 || time.Since(asked) > 15*time.Second {
		t.Errorf("interrupted in a hook it exits %d after %s\n%s", code, time.Since(asked), run.transcript())
	}
	lockIsFree(t, fleet)

	p.seen(t)
	p.must(t, "deploy", "-P", "--version", "v3", "-H")
	runsOnly(t, fleet, "v3")
	if got := p.seen(t); got != "" {
		t.Errorf("hooks ran though they were to be skipped:\n%s", got)
	}
}

// Helpers

// hookSaw is what a hook writes down: its variables, without the moments.
func hookSaw(name, hosts, version, command, locked string, secrets bool) string {
	abbreviated := version
	if len(version) == 40 {
		abbreviated = version[:7]
	}
	out := name + "\nKAMAL_COMMAND=" + command + "\nKAMAL_HOSTS=" + hosts + "\nKAMAL_LOCK=" + locked + "\nKAMAL_PERFORMER=ops@example.com\n"
	if secrets {
		out += "KAMAL_REGISTRY_PASSWORD=root\n"
	}
	out += "KAMAL_SERVICE=fhirlinebot\nKAMAL_SERVICE_VERSION=fhirlinebot@" + abbreviated + "\nKAMAL_VERSION=" + version + "\n"
	if secrets {
		out += "POSTGRES_PASSWORD=pgpass\n"
	}
	return out
}

// seen is what hooks wrote down since it was asked last.
func (p *project) seen(t *testing.T) string {
	t.Helper()
	text := p.sh(t, "test ! -e seen || grep -v -e ^KAMAL_RECORDED_AT=20..-..-..T..:..:..Z$ -e '^KAMAL_RUNTIME=[0-9]*$' seen; rm -f seen")
	if text == "" {
		return ""
	}
	return text + "\n"
}
