package cli

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"binnacle/ops"
)

// words is a program with one command of each kind, and what was asked of it.
func words(t *testing.T, deploy string) (Program, *ops.Params) {
	t.Helper()
	dir := t.TempDir()
	if deploy != "" {
		writeProject(t, dir, "config/deploy.yml", deploy)
	}
	asked := new(ops.Params)
	operation := func(name string, params ...ops.Param) ops.Operation {
		return ops.Operation{Name: name, Params: params, Plan: func(in ops.Input) (ops.Plan, error) {
			in.Params["operation"] = name
			if len(in.Selection.Hosts()) == 1 {
				in.Params["hosts"] = in.Selection.Hosts()[0]
			}
			*asked = in.Params
			return ops.Plan{}, errPlanned
		}}
	}
	return Program{
		Dir: dir, Stdin: strings.NewReader(""), Stdout: new(bytes.Buffer), Stderr: new(bytes.Buffer),
		Catalog: ops.Catalog{
			operation("app exec", ops.Param{Name: "interactive", Letter: "i", Kind: ops.Toggle},
				ops.Param{Name: "reuse", Kind: ops.Toggle}, ops.Param{Name: "env", Letter: "e", Kind: ops.List},
				ops.Param{Name: "CMD", Kind: ops.Words}),
			operation("app stale_containers", ops.Param{Name: "stop", Letter: "s", Kind: ops.Toggle}),
			operation("app start"), operation("app stop"), operation("deploy"), operation("redeploy"), operation("details"),
			operation("logs", ops.Param{Name: "role", Letter: "s"}),
			operation("proxy boot_config", ops.Param{Name: "SUBCOMMAND", Positional: true, Required: true},
				ops.Param{Name: "publish", Kind: ops.Toggle, Default: "true"}, ops.Param{Name: "http-port", Kind: ops.Number, Default: "80"},
				ops.Param{Name: "publish-host-ip", Kind: ops.List}, ops.Param{Name: "docker-options", Kind: ops.List}),
			operation("lock acquire", ops.Param{Name: "message", Letter: "m", Required: true}),
		},
	}, asked
}

var errPlanned = errors.New("planned")

const deployYML = `
service: shop
image: shop
servers: [ vm1, vm2 ]
registry: { server: registry.example.com, username: me, password: [ PASSWORD ] }
builder: { arch: amd64 }
aliases:
  shell: app exec -i --reuse "bash -l"
  prod-shell: shell -h vm2
  logs: details -p
  de: app stop
  ping: pong
  pong: ping
  torn: app exec "bash
`

func TestCommandLines(t *testing.T) {
	tests := []struct {
		name, line string
		want       map[string]string
	}{
		{"dashes for underscores in a command", "app stale-containers --stop", map[string]string{"operation": "app stale_containers", "stop": "true"}},
		{"a prefix of one command", "app stal", map[string]string{"operation": "app stale_containers"}},
		{"options between the words", "app -h vm2 stop", map[string]string{"operation": "app stop", "hosts": "vm2"}},
		{"options before all", "-h vm2 redep", map[string]string{"operation": "redeploy", "hosts": "vm2"}},
		{"a command within", "app exec ls -la -h vm1 /tmp", map[string]string{"CMD": "ls -la /tmp", "hosts": "vm1"}},
		{"a hash in front of a command", "app exec -e A:1 B:2 env", map[string]string{"CMD": "env", "env": "A:1\x00B:2"}},
		{"our own options belong to the command behind", "app exec apt-get install -y --json", map[string]string{"CMD": "apt-get install -y --json"}},
		{"a negated option", "proxy boot_config set --no-publish", map[string]string{"SUBCOMMAND": "set", "publish": "false"}},
		{"an option that is on by itself", "proxy boot_config set", map[string]string{"publish": "true", "http-port": "80"}},
		{"a list of words", "proxy boot_config set --docker_options a=b c=d --http-port 81", map[string]string{"docker-options": "a=b\x00c=d", "http-port": "81"}},
		{"one word for each time", "proxy boot_config --publish-host-ip 1.2.3.4 set --publish-host-ip=::1", map[string]string{"SUBCOMMAND": "set", "publish-host-ip": "1.2.3.4\x00::1"}},
		{"an alias with the rest of the line", "shell -h vm1 -x", map[string]string{"operation": "app exec", "CMD": "bash -l -x", "interactive": "true", "reuse": "true", "hosts": "vm1"}},
		{"an alias in an alias", "prod-shell", map[string]string{"operation": "app exec", "CMD": "bash -l", "hosts": "vm2"}},
		{"an alias behind options", "-h vm1 shell", map[string]string{"operation": "app exec", "hosts": "vm1"}},
		{"an alias instead of a command of our own", "logs", map[string]string{"operation": "details", "hosts": "vm1"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			p, asked := words(t, deployYML)
			p.Run(t.Context(), strings.Fields(test.line))
			for k, v := range test.want {
				if got := asked.Text(k); got != v {
					t.Errorf("%s\n%s is %q, want %q\n%s", test.line, k, got, v, p.Stderr)
				}
			}
		})
	}
}

func TestCommandLinesRefused(t *testing.T) {
	tests := []struct{ line, want string }{
		{"d", "Ambiguous command d matches [deploy, details, docs]"},
		{"de", "Ambiguous command de matches [deploy, details]"}, // though there is an alias
		{"app sta", "Ambiguous command sta matches [stale_containers, start]"},
		{"nothing", `unknown command "nothing" for "binnacle"`},
		{"app nothing", `unknown command "nothing" for "binnacle app"`},
		{"deploy now", `binnacle deploy does not take "now"`},
		{"deploy --no-such", "unknown flag: --no-such; see binnacle deploy --help"},
		{"-x deploy", "unknown flag: -x"},
		{"lock acquire", "No value provided for required options '--message'"},
		{"proxy boot_config", "binnacle proxy boot_config needs SUBCOMMAND"},
		{"proxy boot_config set --http-port x", "Expected numeric value for '--http-port'"},
		{"--lock-wait-timeout soon deploy", "Expected numeric value for '--lock-wait-timeout'"},
		{"deploy -h", "-h is --hosts, as with Kamal; help is binnacle deploy --help"},
		{"ping", "the aliases in deploy.yml go round in a circle: ping → pong → ping"},
		{"torn", "alias torn:"},
		{"-c elsewhere.yml nothing", "elsewhere.yml"},
	}
	for _, test := range tests {
		t.Run(test.line, func(t *testing.T) {
			p, asked := words(t, deployYML)
			if code := p.Run(t.Context(), strings.Fields(test.line)); code != 1 || *asked != nil {
				t.Errorf("exit %d, planned %v", code, *asked)
			}
			if got := p.Stderr.(*bytes.Buffer).String(); !strings.Contains(got, test.want) {
				t.Errorf("got %swant %s", got, test.want)
			}
		})
	}
}

func TestHelpWithoutACommand(t *testing.T) {
	for _, line := range []string{"", "-h", "app", "app -h", "help", "help app exec", "app help", "app help exec", "app exec --help", "h"} {
		p, asked := words(t, "")
		if code := p.Run(t.Context(), strings.Fields(line)); code != 0 || *asked != nil {
			t.Errorf("%q: exit %d: %s", line, code, p.Stderr)
		}
		out := p.Stdout.(*bytes.Buffer).String()
		if !strings.Contains(out, "Usage:") || strings.Contains(line, "exec") != strings.Contains(out, "binnacle app exec CMD…") {
			t.Errorf("%q: %s", line, out)
		}
	}
}

// TestOwnCommandsNeedNoProject holds that a broken project does not stand in the
// way of commands that have nothing to do with it.
func TestOwnCommandsNeedNoProject(t *testing.T) {
	p, _ := words(t, "aliases: [")
	p.StateDir = t.TempDir()
	if code := p.Run(t.Context(), []string{"tasks"}); code != 0 {
		t.Errorf("exit %d: %s", code, p.Stderr)
	}
	if code := p.Run(t.Context(), []string{"nothing"}); code != 1 || !strings.Contains(p.Stderr.(*bytes.Buffer).String(), "deploy.yml") {
		t.Errorf("a word that an alias may explain: %s", p.Stderr)
	}
}

// Helpers

func writeProject(t *testing.T, dir, name, text string) {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
