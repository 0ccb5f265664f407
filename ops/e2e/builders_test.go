//go:build e2e

package e2e

import (
	"context"
	"strings"
	"testing"
	"time"

	"binnacle/ops/e2e/lab"
)

// workshop is a project that is built by BuildKit and goes to its hosts, vm1 and
// vm2, through a local registry. vm3 is this machine's engine.
type workshop struct {
	*project
	builders *lab.Builders
}

// newWorkshop writes the story's project with a local registry and no more of a
// builder than the architecture.
func newWorkshop(t *testing.T, fleet *lab.Fleet) *workshop {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	b, err := fleet.Builders(ctx, fleet.Host("vm3"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
		defer cancel()
		if err := b.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	p := newProject(t, fleet, "simple")
	p.edit(t, "config/deploy.yml",
		"server: "+fleet.Registry()+"\n  username: root\n  password:\n    - KAMAL_REGISTRY_PASSWORD\n", "server: "+b.Registry()+"\n",
		"      - vm3\n", "      - vm2\n",
		"  driver: docker\n", "")
	w := &workshop{project: p, builders: b}
	w.quick(t)
	return w
}

// builder changes what stands below builder, after the architecture, and commits.
func (w *workshop) builder(t *testing.T, dockerfile string, lines ...string) (revision string) {
	t.Helper()
	text := w.sh(t, "sed -e '/^builder:/,/^[a-z]*:/{/^  /d}' config/deploy.yml")
	w.write(t, "config/deploy.yml", strings.Replace(text, "builder:\n", "builder:\n  "+strings.Join(lines, "\n  ")+"\n", 1)+"\n", 0o600)
	if dockerfile != "" {
		w.write(t, "Dockerfile", dockerfile, 0o600)
	}
	w.sh(t, "git add --all --force && git commit --quiet --allow-empty --message 'Another builder'")
	return w.sh(t, "git rev-parse HEAD")
}

func (w *workshop) run(t *testing.T, args ...string) lab.Result {
	t.Helper()
	return w.runWith(t, w.builders.Environ(), args...)
}

func (w *workshop) must(t *testing.T, args ...string) lab.Result {
	t.Helper()
	result := w.run(t, args...)
	if result.Exit != 0 {
		t.Fatalf("binnacle %v exits %d:\n%s", args, result.Exit, result.Output())
	}
	return result
}

// mustSay fails the test unless a run printed every text.
func mustSay(t *testing.T, result lab.Result, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if !strings.Contains(result.Output(), text) {
			t.Errorf("it does not say %q:\n%s", text, result.Output())
		}
	}
}

// A Dockerfile that needs all that a build can be given.
const demandingDockerfile = `FROM scratch
COPY busybox /bin/busybox
RUN ["/bin/busybox", "--install", "-s", "/bin"]
ARG FLAVOR
RUN --mount=type=secret,id=BUILD_TOKEN --mount=type=ssh \
    test "$(wc -c < /run/secrets/BUILD_TOKEN)" = 20 && test -S "$SSH_AUTH_SOCK" && echo "$FLAVOR" > /flavor
COPY app /app
COPY public /public
COPY version /version
CMD ["/app"]
`

func TestBuildersAndTheLocalRegistry(t *testing.T) {
	fleet := freshFleet(t)
	w := newWorkshop(t, fleet)
	desk := fleet.Host("vm3")
	w.sh(t, "echo BUILD_TOKEN=tok-4711-not-in-argv >> .kamal/secrets")

	t.Run("a builder in a container", func(t *testing.T) {
		revision := w.builder(t, demandingDockerfile, "arch: "+w.arch(t), "args: {FLAVOR: van illa}", "secrets: [BUILD_TOKEN]",
			"ssh: default="+fleet.SSHKey(), "cache: {type: registry, options: mode=max}", "provenance: mode=max")
		out := w.must(t, "setup", "-v")
		mustSay(t, out, "Missing compatible builder", "Setting up local registry port forwarding to vm2", "COPY version /version")
		for _, host := range []string{"vm1", "vm2"} {
			if got := running(t, fleet.Host(host), "fhirlinebot"); !strings.Contains(strings.Join(got, " "), "web-"+revision) {
				t.Errorf("%s runs %v", host, got)
			}
		}
		if flavor := exec(t, fleet.Host("vm1"), "docker run --rm %s/myapp:%s cat /flavor", w.builders.Registry(), revision); flavor != "van illa" {
			t.Errorf("the build argument came as %q", flavor)
		}
		w.noForwards(t)
		mustSay(t, w.must(t, "build", "details"), "Builder: local", "kamal-local-registry-docker-container")
	})
	t.Run("a builder on another host", func(t *testing.T) {
		if err := w.builders.Prepare(t.Context(), fleet.Host("vm1")); err != nil {
			t.Fatal(err)
		}
		revision := w.builder(t, "", "arch: "+w.arch(t), "local: false", "remote: ssh://root@vm1", "args: {FLAVOR: far}", "secrets: [BUILD_TOKEN]", "ssh: default="+fleet.SSHKey())
		w.must(t, "build", "create")
		w.must(t, "build", "deliver", "-v")
		if left := exec(t, fleet.Host("vm1"), "docker ps --quiet --filter name=buildx_buildkit_kamal-remote"); left == "" {
			t.Error("nothing was built on vm1")
		}
		w.pulled(t, revision)
		w.noForwards(t)
		mustSay(t, w.must(t, "build", "details"), "Builder: remote", "kamal-remote-ssh---root-vm1-local-registry-context")
		w.must(t, "deploy")
		w.must(t, "build", "remove")
		if again := w.run(t, "build", "remove"); again.Exit != 1 {
			t.Errorf("removing a builder that is not there exits %d", again.Exit)
		}
	})
	t.Run("builders here and there", func(t *testing.T) {
		revision := w.builder(t, "FROM scratch\nCOPY app /app\nCOPY version /version\nCMD [\"/app\"]\n", "arch: [amd64, arm64]", "remote: ssh://root@vm1")
		w.must(t, "build", "deliver")
		w.pulled(t, revision)
		list := exec(t, desk, "curl -fs -H 'Accept: application/vnd.oci.image.index.v1+json' http://%s/v2/myapp/manifests/%s", w.builders.Registry(), revision)
		if !strings.Contains(list, `"arm64"`) || !strings.Contains(list, `"amd64"`) {
			t.Errorf("the image is for\n%s", list)
		}
		w.must(t, "build", "remove")
	})
	t.Run("the working folder", func(t *testing.T) {
		revision := w.builder(t, "", "arch: "+w.arch(t))
		w.write(t, "version", "dirty\n", 0o600)
		w.write(t, "stray", "not in git\n", 0o600)
		w.write(t, "left-out", "not in git, not in the image\n", 0o600)
		w.write(t, ".dockerignore", "left-*\n", 0o600)
		out := w.must(t, "build", "dev", "-v")
		mustSay(t, out, "Files with uncommitted changes will be present", "  version\n", "Untracked files will be present", "  stray\n")
		if strings.Contains(out.Stdout, "  left-out\n") {
			t.Errorf("it warns of a file that the build does not take:\n%s", out.Stdout)
		}
		exec(t, desk, "docker image inspect %[1]s/myapp:%[2]s-dirty %[1]s/myapp:latest-dirty", w.builders.Registry(), revision)
	})
	t.Run("the end of the registry", func(t *testing.T) {
		refused := w.run(t, "registry", "login")
		mustSay(t, refused, "registry setup")
		if refused.Exit != 1 {
			t.Errorf("login to a local registry exits %d", refused.Exit)
		}
		w.must(t, "build", "remove")
		w.must(t, "registry", "remove")
		w.must(t, "registry", "remove") // that there is none is no failure
		if left := exec(t, desk, "docker ps --all --quiet"); left != "" {
			t.Errorf("containers are left: %s", left)
		}
		failed := w.run(t, "build", "pull")
		mustSay(t, failed, "registry setup")
		w.must(t, "registry", "setup")
		w.must(t, "registry", "remove")
	})
}

// Private

func (w *workshop) arch(t *testing.T) string {
	t.Helper()
	return map[string]string{"x86_64": "amd64", "aarch64": "arm64"}[w.sh(t, "uname -m")]
}

// pulled fails the test unless vm1 and vm2 have the image of a version.
func (w *workshop) pulled(t *testing.T, version string) {
	t.Helper()
	for _, host := range []string{"vm1", "vm2"} {
		exec(t, w.fleet.Host(host), "docker image inspect %s/myapp:%s", w.builders.Registry(), version)
	}
}

// noForwards fails the test when a host still listens for the local registry.
func (w *workshop) noForwards(t *testing.T) {
	t.Helper()
	_, port, _ := strings.Cut(w.builders.Registry(), ":")
	for _, host := range []string{"vm1", "vm2"} {
		if listens := exec(t, w.fleet.Host(host), "ss -ltnH 'sport = :%s'", port); listens != "" {
			t.Errorf("%s still listens: %s", host, listens)
		}
	}
}
