//go:build e2e

package e2e

import (
	"bufio"
	"encoding/base64"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	osexec "os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"binnacle/ops/e2e/lab"
)

// planted is a secret that must not be seen: its marks are the texts to look
// for, so that a part of it counts too.
type planted struct {
	kind  string
	value string
	marks []string
}

func plantedSecrets(t *testing.T, fleet *lab.Fleet) map[string]planted {
	t.Helper()
	key, err := os.ReadFile(fleet.SSHKey())
	if err != nil {
		t.Fatal(err)
	}
	return map[string]planted{
		"RAILS_MASTER_KEY":        {kind: "environment", value: "mark01-master"},
		"DB_URL":                  {kind: "aliased environment", value: "postgres://app:mark02-db@db:5432/app?sslmode=on"},
		"JOB_TOKEN":               {kind: "a role's environment", value: "mark03-job"},
		"TAG_TOKEN":               {kind: "a tag's environment", value: "mark04-tag"},
		"POSTGRES_PASSWORD":       {kind: "an accessory's environment", value: "mark05-postgres"},
		"KAMAL_REGISTRY_PASSWORD": {kind: "registry password", value: "mark06-registry"},
		"REGISTRY_USER":           {kind: "registry user", value: "mark07-user"},
		"BUILD_TOKEN":             {kind: "build secret", value: "mark08-build"},
		"SSH_KEY":                 {kind: "ssh key", value: string(key), marks: []string{strings.Split(string(key), "\n")[1]}},
		"PEM":                     {kind: "several lines", value: "-----BEGIN\nmark10-first\nmark10-second line\n-----END\n", marks: []string{"mark10"}},
		"QUOTED":                  {kind: "quotes", value: `mark11 "it's" 'so'`, marks: []string{"mark11"}},
		"DOLLARS":                 {kind: "dollars and spaces", value: "mark12 $HOME `id` #{x}", marks: []string{"mark12"}},
		"BACKSLASHES":             {kind: "backslashes", value: `mark13\n\t\\end`, marks: []string{"mark13"}},
		"ENCODED":                 {kind: "base64", value: "mark14-encoded?>", marks: []string{base64.StdEncoding.EncodeToString([]byte("mark14-encoded?>")), "mark14"}},
		"IN_URL":                  {kind: "URL-encoded", value: "mark15/&=ü", marks: []string{"mark15", url.QueryEscape("mark15/&=ü")}},
		"JSON":                    {kind: "JSON", value: `{"mark16": "a\"b"}`, marks: []string{"mark16"}},
		"COMMAND":                 {kind: "the output of a command", value: "mark17-command"},
		"COMMON":                  {kind: "the common secrets", value: "mark18-common"},
		"UNUSED":                  {kind: "a secret nothing asks for", value: "mark19-unused"},
		"HOOK":                    {kind: "a secret hooks print", value: "mark20-hook"},
		"SHORT":                   {kind: "under six characters", value: "mk21", marks: []string{"mk21"}},
	}
}

// marksOf are the texts by which a secret would be recognised: as it is, and
// within the base64 of a longer text, wherever it begins there.
func (p planted) marksOf() []string {
	marks := p.marks
	if len(marks) == 0 {
		marks = []string{p.value[strings.Index(p.value, "mark"):][:6]}
	}
	for _, mark := range slices.Clone(marks) {
		if len(mark) < 6 {
			continue // so little of base64 is found by chance
		}
		for shift := range 3 {
			text := base64.RawStdEncoding.EncodeToString([]byte(strings.Repeat("x", shift) + mark))
			marks = append(marks, text[(shift*8+5)/6:len(text)-1])
		}
	}
	return marks
}

// What is secret is neither printed nor recorded nor put into the arguments of
// a process, here or on a host, however a command ends and whatever it prints.
func TestSecretsAreSeenNowhere(t *testing.T) {
	fleet := freshFleet(t)
	p := newProject(t, fleet, "simple")
	secrets := plantedSecrets(t, fleet)
	p.plant(t, secrets)
	onHosts, err := fleet.WatchCommandLines(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	here := watchHere(t, fleet)

	var said []output
	run := func(exit int, args ...string) {
		t.Helper()
		result := p.run(t, args...)
		said = append(said, output{"binnacle " + strings.Join(args, " "), result.Output()})
		if result.Exit != exit {
			t.Errorf("binnacle %s exits %d:\n%s", strings.Join(args, " "), result.Exit, result.Output())
		}
	}
	run(0, "setup", "-v")
	run(0, "deploy", "--json", "-P", "--version", "v2")
	run(0, "deploy", "--dry-run", "-v")
	run(0, "deploy", "--dry-run", "--json")
	run(0, "rollback", "-v")
	p.edit(t, "config/deploy.yml", "readiness_delay: 0\n", "readiness_delay: 2\ndeploy_timeout: 3\n")
	p.edit(t, "config/deploy.yml", "cmd: /app work", "cmd: sh -c 'echo $JOB_TOKEN $DATABASE_URL; echo \"$PEM\"; echo \"$QUOTED $DOLLARS\"; exit 9'")
	run(1, "deploy", "-v", "-P", "--version", "v3")
	run(1, "deploy", "-P", "--version", "bad", "--json")
	p.edit(t, "Dockerfile", "BUILD_TOKEN)\"'", "BUILD_TOKEN)\"; exit 5'")
	p.sh(t, "git commit --quiet --all --message 'A build that fails'")
	run(1, "deploy")
	run(1, "deploy", "-v")
	p.write(t, ".kamal/hooks/pre-deploy", "#!/bin/sh\ncat $0.txt; exit 6\n", 0o700)
	run(1, "deploy", "-P", "--version", "v2")
	for _, args := range []string{"status --json", "details", "audit", "config", "tasks", "tasks --json", "lock status"} {
		run(0, strings.Fields(args)...)
	}
	said = append(said, p.shownTasks(t)...)
	said = append(said, p.recorded(t)...)
	said = append(said, p.frames(t)...)
	for host, lines := range onHosts.Stop() {
		said = append(said, output{"the processes of " + host, strings.Join(lines, "\n")})
	}
	said = append(said, output{"the processes here", here()})

	shown := false
	for _, one := range said {
		shown = shown || strings.Contains(one.text, "[REDACTED]")
		for name, secret := range secrets {
			for _, mark := range secret.marksOf() {
				at := strings.Index(one.text, mark)
				if name == "REGISTRY_USER" && strings.HasPrefix(one.where, "the processes") {
					continue // docker login takes the user as an argument only
				}
				if at >= 0 {
					t.Errorf("%s (%s) is in %s: …%s…", name, secret.kind, one.where, one.text[max(0, at-200):min(len(one.text), at+60)])
				}
			}
		}
		if at := strings.Index(one.text, "mark22"); at >= 0 && strings.HasPrefix(one.where, "the processes") {
			t.Errorf("the build argument is in %s: …%s…", one.where, one.text[max(0, at-200):min(len(one.text), at+60)])
		}
	}
	if !shown {
		t.Error("nothing was redacted: the secrets were never near any output")
	}
}

// Helpers

type output struct{ where, text string }

// plant puts the secrets into everything that can hold one, and makes hooks,
// the build and the app print them.
func (p *project) plant(t *testing.T, secrets map[string]planted) {
	t.Helper()
	var file, forms strings.Builder
	for name, s := range secrets {
		switch name {
		case "COMMON":
			p.write(t, ".kamal/secrets-common", name+"="+s.value+"\n", 0o600)
		case "COMMAND":
			p.write(t, "vault", s.value+"\n", 0o600)
			file.WriteString("COMMAND=$(cat vault)\n")
		case "DOLLARS":
			fmt.Fprintf(&file, "DOLLARS='%s'\n", s.value)
		case "SSH_KEY":
			fmt.Fprintf(&file, "SSH_KEY=$(cat %s)\n", p.fleet.SSHKey())
		default:
			p.write(t, "values/"+name, s.value, 0o600)
			fmt.Fprintf(&file, "%s=$(cat values/%s)\n", name, name)
		}
		if len(s.value) >= 6 {
			quoted := strconv.Quote(s.value)
			fmt.Fprintf(&forms, "%s is %s\nquoted %s\nbase64 %s\nurl %s %s\n", name, s.value, quoted,
				base64.StdEncoding.EncodeToString([]byte(s.value)), url.QueryEscape(s.value), url.PathEscape(s.value))
		}
	}
	p.write(t, ".kamal/secrets", file.String(), 0o600)
	for _, hook := range []string{"pre-connect", "pre-build", "pre-deploy", "post-deploy"} {
		p.write(t, ".kamal/hooks/"+hook, "#!/bin/sh\ncat $0.txt\necho \"$HOOK $UNUSED\" >&2\n", 0o700)
		p.write(t, ".kamal/hooks/"+hook+".txt", forms.String(), 0o600)
	}
	p.edit(t, "config/deploy.yml",
		"      - vm2\n", "      - vm2: [planted]\n",
		"    cmd: /app work\n", "    cmd: /app work\n    env:\n      secret:\n        - JOB_TOKEN\n",
		"    - RAILS_MASTER_KEY\n", "    - RAILS_MASTER_KEY\n    - DATABASE_URL:DB_URL\n    - PEM\n    - QUOTED\n    - DOLLARS\n    - BACKSLASHES\n"+
			"    - ENCODED\n    - IN_URL\n    - JSON\n    - COMMAND\n    - COMMON\n    - HOOK\n    - SHORT\n"+
			"  tags:\n    planted:\n      secret:\n        - TAG_TOKEN\n",
		"  username: root\n", "  username:\n    - REGISTRY_USER\n",
		"  driver: docker\n", "  driver: docker\n  secrets:\n    - BUILD_TOKEN\n  args:\n    TOKEN: mark22-argument\n",
		"service: fhirlinebot\n", "service: fhirlinebot\nreadiness_delay: 0\n",
		p.fleet.SSHConfig()+"\n", p.fleet.SSHConfig()+"\n  key_data:\n    - SSH_KEY\n")
	p.edit(t, "Dockerfile", "COPY app /app\n",
		"COPY app /app\nARG TOKEN\nRUN --mount=type=secret,id=BUILD_TOKEN /bin/sh -c 'echo \"the token is $(cat /run/secrets/BUILD_TOKEN)\"'\n")
	p.write(t, ".gitignore", "values\nvault\n.kamal\nseen\n", 0o600)
	p.sh(t, "git rm -rq --cached .kamal; git add --all; git commit --quiet --message 'With secrets'")
}

// recorded is every file that the runs left: journals, logs.
func (p *project) recorded(t *testing.T) []output {
	t.Helper()
	var out []output
	err := filepath.WalkDir(p.state, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		out = append(out, output{path, string(text)})
		return err
	})
	if err != nil || len(out) == 0 {
		t.Errorf("no journals to look at: %v", err)
	}
	return out
}

// frames are what the console shows of every container's log in turn.
func (p *project) frames(t *testing.T) []output {
	t.Helper()
	s := newScreen(t, p, 200, 50)
	s.await("Containers", "vm3", "live")
	s.keys("2")
	var out []output
	for i := range 18 {
		out = append(out, output{fmt.Sprintf("frame %d", i), s.frame()})
		s.keys("j")
		time.Sleep(400 * time.Millisecond) // the log of what is pointed at comes when the cursor rests
	}
	s.keys("5")
	s.keys("Enter")
	s.await("evidence")
	out = append(out, output{"the frame of a task", s.frame()})
	s.keys("q")
	return out
}

// shownTasks is `tasks show` of everything that ran, as text and as JSON.
func (p *project) shownTasks(t *testing.T) []output {
	t.Helper()
	journals, err := filepath.Glob(filepath.Join(p.state, "binnacle", "tasks", "*", "*.jsonl"))
	if err != nil || len(journals) == 0 {
		t.Fatalf("no journals: %v", err)
	}
	var out []output
	for _, journal := range journals {
		id := strings.TrimSuffix(filepath.Base(journal), ".jsonl")
		for _, args := range [][]string{{"tasks", "show", id}, {"tasks", "show", id, "--json"}} {
			out = append(out, output{strings.Join(args, " "), p.must(t, args...).Stdout})
		}
	}
	return out
}

// watchHere records the command lines of this machine until the returned
// function is called, which gives them back. Values that a hook or a build is
// handed in its environment are no command lines.
func watchHere(t *testing.T, fleet *lab.Fleet) func() string {
	t.Helper()
	cmd := osexec.CommandContext(t.Context(), filepath.Join(fleet.Dir(), "bin", "argv"))
	stdout, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	var reader sync.WaitGroup
	var lines []string
	began := make(chan struct{}, 1)
	reader.Go(func() {
		scan := bufio.NewScanner(stdout)
		scan.Buffer(nil, 4<<20)
		for scan.Scan() {
			if len(lines) == 0 {
				began <- struct{}{}
			}
			lines = append(lines, scan.Text())
		}
	})
	<-began
	return func() string {
		_ = cmd.Process.Kill()
		reader.Wait()
		_ = cmd.Wait()
		if !slices.ContainsFunc(lines, func(l string) bool { return strings.Contains(l, "docker buildx build") }) {
			t.Error("the watching of processes here saw no build")
		}
		return strings.Join(lines, "\n")
	}
}
