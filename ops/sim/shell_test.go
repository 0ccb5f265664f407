package sim

import (
	"strings"
	"testing"
)

func TestShell(t *testing.T) {
	t.Parallel()
	f := start(t, Options{Clock: fast(), Names: []string{"vm1"}})
	for _, c := range []struct {
		line string
		in   string
		out  string
		err  string
		code int
	}{
		{line: "pwd; echo $HOME; whoami", out: "/root\n/root\nroot\n"},
		{line: "mkdir d && mkdir d", err: "mkdir: cannot create directory 'd': File exists\n", code: 1},
		{line: "mkdir -p d/e/f && ls d", out: "e\n"},
		{line: "mkdir a/b", err: "mkdir: cannot create directory 'a/b': No such file or directory\n", code: 1},
		{line: "/usr/bin/env mkdir -p d && echo \"one\" >> d/log && echo two >> d/log && cat d/log | wc -l", out: "2\n"},
		{line: "cat nope", err: "cat: nope: No such file or directory\n", code: 1},
		{line: "cat nope 2> /dev/null || echo default", out: "default\n"},
		{line: "rm nope", err: "rm: cannot remove 'nope': No such file or directory\n", code: 1},
		{line: "rm -f nope; rm d", err: "rm: cannot remove 'd': Is a directory\n", code: 1},
		{line: "umask 077 && cat > secret && stat -c %a secret && cat secret", in: "s3cret\n", out: "600\ns3cret\n"},
		{line: "echo x > plain; chmod 640 plain; stat -c '%a %s' plain", out: "640 2\n"},
		{line: "printf 'a\\nb\\nc\\n' | while read line; do echo \"<${line#b}>\"; done", out: "<a>\n<>\n<c>\n"},
		{line: "sh -c 'echo $0 $1' zero one; sh -c 'exit 42'", out: "zero one\n", code: 42},
		{line: "X=1 sh -c 'echo $X'; export Y=2; /usr/bin/env sh -c 'echo $Y'", out: "1\n2\n"},
		{line: "echo $(echo in) \"$(printf '%s-' a b)\"", out: "in a-b-\n"},
		{line: "printf 'z a\\n' | xargs echo got", out: "got z a\n"},
		{line: "printf '' | xargs echo empty", out: "empty\n"},
		{line: "printf '' | xargs docker stop", err: "\"docker stop\" requires at least 1 argument.\nSee 'docker stop --help'.\n\nUsage:  docker stop\n", code: 123},
		{line: "printf 'a:b:c\\n' | awk -F: '{print $NF}'", out: "c\n"},
		{line: "printf 'a b\\nc d\\n' | awk 'NR==2 {print $2, $1}'", out: "d c\n"},
		{line: "printf 'aGkK' | base64 -d; echo hi | base64", out: "hi\naGkK\n"},
		{line: "printf '1\\n2\\n3\\n' | tail -n +2; printf '1\\n2\\n3\\n' | head -1", out: "2\n3\n1\n"},
		{line: "printf 'foo bar\\nfoobar\\n' | grep -w foo; printf 'x\\n' | grep -x y", out: "foo bar\n", code: 1},
		{line: "printf 'a1 r:v1\\na2 r:v2\\n' | grep -v -w \"r:v1\\|r:latest\"", out: "a2 r:v2\n"},
		{line: "printf 'a\\nb\\n' | tr -d '\\n'", out: "ab"},
		{line: "mkdir -p src/in dst && echo new > src/in/f && mkdir dst/in && echo old > dst/in/f && echo g > src/g && cp -rnT src dst && cat dst/in/f dst/g", out: "old\ng\n"},
		{line: "mkdir -p v/web-v1 v/web-v2 v/job-v1 && find v -maxdepth 1 -name 'web-*' ! -name web-v2 -exec rm -rf \"{}\" + ; ls v", out: "job-v1\nweb-v2\n"},
		{line: "ls nope", err: "ls: cannot access 'nope': No such file or directory\n", code: 2},
		{line: "nosuch x", err: "bash: line 1: nosuch: command not found\n", code: 127},
		{line: "command -v docker", out: "/usr/bin/docker\n"},
		{line: "[ \"${EUID:-$(id -u)}\" -eq 0 ] || sudo -nl usermod; id -nG | grep -qw docker && echo member", out: "member\n"},
		{line: "test -f plain && [ -d d ] && echo both", out: "both\n"},
		{line: "sleep 1 && echo slept", out: "slept\n"},
		{line: "timeout 1 sleep 60", code: 124},
		{line: "if true; then echo yes; fi; for i in 1 2; do echo $i; done", out: "yes\n1\n2\n"},
		{line: "mv plain moved && cat moved && ls -d moved", out: "x\nmoved\n"},
		{line: "wc -l < secret; cat /proc/loadavg | wc -w", out: "1\n5\n"},
		{line: "echo 'unclosed", err: "syntax error", code: 2},
		{line: "cat > f; tee g < f > /dev/null; sort -r g", in: "1\n2\n", out: "2\n1\n"},
		{line: "hostname; uname -s; cat .kamal/proxy/options 2> /dev/null || echo \"--publish 80:80\"", out: "vm1\nLinux\n--publish 80:80\n"},
	} {
		out, errOut, code := f.sshIn(t, "vm1", c.line, c.in)
		if out != c.out || code != c.code || c.err == "" && errOut != "" || !strings.Contains(errOut, c.err) {
			t.Errorf("%s\n exit %d, want %d\n out %q, want %q\n err %q, want %q", c.line, code, c.code, out, c.out, errOut, c.err)
		}
	}
}

func TestDockerCommandLine(t *testing.T) {
	t.Parallel()
	f := start(t, Options{Clock: fast()})
	for _, c := range []struct {
		line string
		out  string // contained
		err  string // contained
		code int
	}{
		{line: "docker -v", out: "Docker version 27.3.1"},
		{line: "docker version --format '{{.Server.Version}}'", out: "27.3.1\n"},
		{line: "docker ps --filter label=service=fhirlinebot --format '{{.Names}} {{.State}} {{.Label \"role\"}}'", out: "fhirlinebot-web-v2 running web\n"},
		{line: "docker ps --format json | head -1", out: `"Names":"fhirlinebot-web-v2"`},
		{line: "docker ps -a --format 'table {{.Names}}\\t{{.Status}}'", out: "NAMES                STATUS\n"},
		{line: "docker ps --filter bogus=1", err: "Error response from daemon: invalid filter 'bogus'\n", code: 1},
		{line: "docker ps --filter status=happy", err: "invalid value for state (happy)", code: 1},
		{line: "docker container ls --all --filter 'name=^fhirlinebot-web-v1$' --quiet | wc -l", out: "1\n"},
		{line: "docker inspect nope", out: "[]\n", err: "Error: No such object: nope\n", code: 1},
		{line: "docker inspect -f '{{.Id}} {{.State.Status}}' fhirlinebot-db", out: " running\n"},
		{line: "docker inspect --format '{{json .State.Health}}' fhirlinebot-db", out: "null\n"},
		{line: "docker inspect -f '{{ .Config.Labels.service }}' registry:5000/fhirlinebot:v2", out: "fhirlinebot\n"},
		{line: "docker rename fhirlinebot-db fhirlinebot-redis", err: "Error response from daemon: Error when allocating new name: Conflict. The container name \"/fhirlinebot-redis\" is already in use by container", code: 1},
		{line: "docker run -d --name fhirlinebot-db redis:7", err: "docker: Error response from daemon: Conflict. The container name \"/fhirlinebot-db\" is already in use by container", code: 125},
		{line: "docker run -d registry:5000/nope:v1", err: "manifest for registry:5000/nope:v1 not found: manifest unknown: manifest unknown.\nSee 'docker run --help'.", code: 125},
		{line: "docker run -d --network nowhere redis:7", err: "network nowhere not found", code: 125},
		{line: "docker run --bogus redis:7", err: "docker: unknown flag: --bogus.\nSee 'docker run --help'.", code: 125},
		{line: "docker run -d --name clash -p 127.0.0.1:6379:6379 redis:7", err: "Bind for 127.0.0.1:6379 failed: port is already allocated", code: 125},
		{line: "docker run --rm registry:5000/fhirlinebot:v2 cat /rails/REVISION | wc -c", out: "41\n"},
		{line: "docker run --rm -e A=1 registry:5000/fhirlinebot:v2 sh -c 'echo $A $RAILS_ENV; exit 7'", out: "1 production\n", code: 7},
		{line: "docker exec fhirlinebot-web-v2 env", out: "KAMAL_VERSION=v2\n"},
		{line: "docker exec nope true", err: "Error response from daemon: No such container: nope\n", code: 1},
		{line: "docker exec fhirlinebot-web-v1 true", err: "is not running", code: 1},
		{line: "docker exec kamal-proxy kamal-proxy remove nothing", err: "Error: service not found\n", code: 1},
		{line: "docker exec kamal-proxy kamal-proxy deploy x --target=bad/host", err: "Error: bad/host :invalid host pattern\n", code: 1},
		{line: "docker exec kamal-proxy kamal-proxy deploy x --target=abcdef:80 --host=fhirlinebot.example.com --force", err: "Error: host settings conflict with another service\n", code: 1},
		{line: "docker exec kamal-proxy kamal-proxy frobnicate", err: "Error: unknown command \"frobnicate\" for \"kamal-proxy\"\nRun 'kamal-proxy --help' for usage.\n", code: 1},
		{line: "docker rm fhirlinebot-db", err: "container is running: stop the container before removing or force remove", code: 1},
		{line: "docker stop nope", err: "Error response from daemon: No such container: nope\n", code: 1},
		{line: "docker image rm registry:5000/fhirlinebot:v1", err: "conflict: unable to remove repository reference \"registry:5000/fhirlinebot:v1\" (must force)", code: 1},
		{line: "docker image ls registry:5000/fhirlinebot --format '{{.Tag}}' | sort", out: "latest\nv1\nv2\n"},
		{line: "docker images -q --filter reference=registry:5000/fhirlinebot:latest | wc -l", out: "1\n"},
		{line: "docker tag nope:1 x:2", err: "Error response from daemon: No such image: nope:1\n", code: 1},
		{line: "docker network create kamal", err: "Error response from daemon: network with name kamal already exists\n", code: 1},
		{line: "docker network ls --format '{{.Name}}' | sort", out: "bridge\nhost\nkamal\nnone\n"},
		{line: "docker volume ls -q", out: "kamal-proxy-config\n"},
		{line: "docker login registry:5000 -u demo -p wrong", err: "failed with status: 401 Unauthorized", code: 1},
		{line: "echo " + RegistryPassword + " | docker login registry:5000 -u demo --password-stdin", out: "Login Succeeded\n"},
		{line: "docker logout registry:5000 && docker pull registry:5000/fhirlinebot:v3", err: "no basic auth credentials", code: 1},
		{line: "docker login registry:5000", err: "Cannot perform an interactive login from a non TTY device", code: 1},
		{line: "docker logs --tail 1 nope", err: "No such container: nope", code: 1},
		{line: "docker logs --tail 3 --timestamps fhirlinebot-db 2>&1 | grep -c LOG", out: "3\n"},
		{line: "docker info --format '{{.ServerVersion}} {{.Name}}'", out: "27.3.1 web-1\n"},
		{line: "docker info --format '{{index .RegistryConfig.Mirrors 0}}'", err: "error calling index: reflect: slice index out of range", code: 64},
		{line: "docker system df", out: "Images"},
		{line: "docker buildx version", out: "github.com/docker/buildx"},
		{line: "docker top fhirlinebot-web-v2", out: "bin/rails server"},
		{line: "docker port fhirlinebot-db", out: "5432/tcp -> 127.0.0.1:5432\n"},
		{line: "docker stats --no-stream --format '{{.Name}} {{.CPUPerc}}' fhirlinebot-web-v2", out: "fhirlinebot-web-v2 "},
		{line: "docker frobnicate", err: "docker: 'frobnicate' is not a docker command.\n", code: 1},
		{line: "docker container start nope", err: "Error response from daemon: No such container: nope\nError: failed to start containers: nope\n", code: 1},
		{line: "docker run -d --name short redis:7 sleep 1 > /dev/null && docker wait short", out: "0\n"},
		{line: "docker container prune --force --filter label=service=nothing", out: "Total reclaimed space: 0B\n"},
		{line: "docker cp fhirlinebot-web-v2:/rails/REVISION . && wc -c < REVISION", out: "41\n"},
		{line: "docker kill -s HUP fhirlinebot-redis && docker inspect -f '{{.State.Running}}' fhirlinebot-redis", out: "true\n"},
		{line: "docker events --since 1h --until 0s --filter type=network", code: 0},
	} {
		out, errOut, code := f.ssh(t, "web-1", c.line)
		if code != c.code || !strings.Contains(out, c.out) || !strings.Contains(errOut, c.err) {
			t.Errorf("%s\n exit %d, want %d\n out %q, want %q\n err %q, want %q", c.line, code, c.code, out, c.out, errOut, c.err)
		}
	}
}
