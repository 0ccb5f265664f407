package operation_test

import (
	"path/filepath"
	"strings"
	"testing"

	"binnacle/config"
	"binnacle/ops/operation"
)

// The two projects that every kind of builder is planned for: as little as can
// be written, and all there is.
const (
	smallProject = `
service: shop
image: acme/shop
servers: [vm1]
registry: { username: root, password: [PASS] }
`
	largeProject = `
service: shop
image: acme/shop
servers:
  web: [vm1, vm2]
  job: { hosts: [vm3], cmd: work }
env: { secret: [TOKEN] }
registry: { server: "registry:5000", username: [TOKEN], password: [PASS] }
`
	largeBuilder = `, args: { RUBY: "3.4", FLAGS: "-O2 -g" }, secrets: [TOKEN], dockerfile: docker/Dockerfile.prod, target: prod,
  ssh: "default=$SSH_AUTH_SOCK", cache: { type: registry, options: mode=max }, provenance: mode=max, sbom: true`
)

// Every kind of builder, planned for a small and a large project on an amd64
// machine. pack and Docker's cloud are not on the real fleet: these plans, and the
// script of the command line that runs them with stand-ins, are what holds them.
func TestPlansOfBuilders(t *testing.T) {
	for name, builder := range map[string]string{
		"docker":        "arch: amd64, driver: docker",
		"local":         "arch: amd64",
		"multiarch":     "arch: [amd64, arm64]",
		"remote":        "arch: arm64, remote: 'ssh://ops@builder:2222'",
		"remote-forced": "arch: amd64, local: false, remote: 'ssh://builder'",
		"hybrid":        "arch: [amd64, arm64], remote: 'ssh://ops@builder'",
		"pack":          "arch: amd64, pack: { builder: 'heroku/builder:24', buildpacks: [heroku/ruby, heroku/procfile] }",
		"cloud":         "arch: [amd64, arm64], driver: cloud acme/builders",
		"context":       "arch: amd64, context: ./app",
	} {
		for size, project := range map[string]string{"small": smallProject, "large": largeProject} {
			more := ""
			if size == "large" {
				more = largeBuilder
			}
			yaml := project + "builder: { " + builder + more + " }\n"
			t.Run(name+"/"+size, func(t *testing.T) { builderGolden(t, name+"-"+size, yaml) })
			if name == "pack" || name == "cloud" {
				continue
			}
			local := strings.Replace(yaml, "registry: {", "registry: { server: \"localhost:5555\" }\nx-was: {", 1)
			t.Run(name+"/"+size+" local registry", func(t *testing.T) { builderGolden(t, name+"-"+size+"-local-registry", local) })
		}
	}
}

func builderGolden(t *testing.T, name, yaml string) {
	t.Helper()
	cfg := parse(t, yaml, "TOKEN=secret-token\nPASS=secret-password\n")
	var out strings.Builder
	for _, op := range operation.Catalog() {
		if op.Group != "build" && op.Group != "registry" {
			continue
		}
		in := input(t, cfg, config.Filter{})
		in.Params = paramsFor(cfg, op)
		in.Hooks = []string{"pre-connect", "pre-build"}
		plan, err := op.Plan(in)
		text := render(cfg, plan, err)
		if strings.Contains(text, "secret-") {
			t.Errorf("%s shows a secret:\n%s", op.Name, text)
		}
		out.WriteString("## " + op.Name + "\n" + text + "\n")
	}
	golden(t, filepath.Join("testdata", "builders", name+".txt"), out.String())
}
