package command_test

import (
	"fmt"
	"strings"
	"testing"

	"binnacle/config/secret"
	"binnacle/ops/command"
)

func TestLogin(t *testing.T) {
	for _, c := range []struct{ name, registry, shown, sent string }{
		{"hub", "{username: acme, password: [P]}", `docker login -u "robot\$acme" --password-stdin`, `docker login -u "robot\$acme" --password-stdin`},
		{"secret user", "{server: ghcr.io, username: [U], password: [P]}", "docker login ghcr.io -u [REDACTED] --password-stdin",
			`docker login ghcr.io -u "robot\$acme" --password-stdin`},
		{"local", "{server: 'localhost:5555'}", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			line := command.Login(parse(t, "registry: "+c.registry+"\n").Registry(), secret.New("robot$acme"), secret.New(planted))
			if line.String() != c.shown || line.Shell() != c.sent {
				t.Errorf("shown %s, sent %s", line, line.Shell())
			}
			if !line.Empty() && line.Stdin().Reveal() != planted {
				t.Error("the password is not on standard input")
			}
			if strings.Contains(line.Shell()+fmt.Sprint(line)+fmt.Sprintf("%+v", line), planted) {
				t.Error("the password shows")
			}
		})
	}
}

func TestLocalRegistry(t *testing.T) {
	registry := parse(t, "registry: {server: 'localhost:5555'}\n").Registry()
	wantLines(t, []command.Line{command.SetupLocalRegistry(registry.LocalPort()), command.RemoveLocalRegistry()},
		"docker start kamal-docker-registry || docker run --detach -p 127.0.0.1:5555:5000 --name kamal-docker-registry registry:3",
		"docker stop kamal-docker-registry && docker rm kamal-docker-registry")
}

func TestServerCommands(t *testing.T) {
	wantLines(t, []command.Line{command.InstallDocker(), command.Superuser(), command.InDockerGroup(), command.AddToDockerGroup()},
		`sh -c 'curl -fsSL https://get.docker.com || wget -O - https://get.docker.com || echo "exit 1"' | sh`,
		`[ "${EUID:-$(id -u)}" -eq 0 ] || sudo -nl usermod >/dev/null`,
		`id -nG "${USER:-$(id -un)}" | grep -qw docker`,
		`sudo -n usermod -aG docker "${USER:-$(id -un)}"`)
}
