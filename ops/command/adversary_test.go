package command_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// adversary writes configurations that are valid and as unpleasant as they can
// be, and says for each what Docker has to receive. The same seed makes the same
// configuration for ever: what Kamal made of each is recorded.
type adversary struct {
	random *rand.Rand
	yaml   strings.Builder
	// secrets is the text of .kamal/secrets.
	secrets strings.Builder
	// exec are variables given to exec.
	exec []setting
	// expect holds the arguments that docker must get, by command.
	expect map[string][]string
	// buildEnv holds what the build arguments must be, by name.
	buildEnv map[string]string
	// envFiles holds the lines that Docker must read, by env file.
	envFiles map[string][]string
}

// setting is one key with what Docker has to make of its value.
type setting struct {
	name  string
	value hostile
}

// hostile is a value as YAML text and as the text Ruby reads.
type hostile struct {
	yaml string
	text string
	// bare is true, and list holds the items of a list.
	bare bool
	list []hostile
}

// raw is text that Kamal hands to the shell as it is, with the words that the
// shell makes of it: there variables, quotes and commands work, by design.
type raw struct {
	text  string
	words []string
}

// onHost are the variables of the shell that the commands are given to. Clear
// variables, labels and options expand ${NAME} and nothing else; raw text
// expands all.
var onHost = map[string]string{"HOME": "/home/deploy", "X": "from the host", "EMPTY": ""}

func newAdversary(seed uint64) *adversary {
	a := &adversary{
		random: rand.New(rand.NewPCG(seed, 0x6b616d616c)), expect: map[string][]string{}, envFiles: map[string][]string{},
	}
	a.write()
	return a
}

func (a *adversary) write() {
	root, web, job, db := a.settings(varNames, 4), a.settings(varNames, 3), a.settings(varNames, 3), a.settings(varNames, 4)
	rootLabels, webLabels, dbLabels := a.settings(labelNames, 3), a.settings(labelNames, 2), a.settings(labelNames, 3)
	webOptions, jobOptions, dbOptions := a.options(3), a.options(4), a.options(3)
	logs, jobLogs, proxyOptions := a.settings(logNames, 2), a.settings(logNames, 2), a.options(3)
	buildArgs := a.settings(varNames, 3)
	volumes, dbVolumes := a.raws(rawVolumes, 2), a.raws(rawVolumes, 2)
	cmd, dbCmd := a.raws(rawCommands, 1), a.raws(rawCommands, 1)
	a.exec = a.settings(varNames, 2)
	secrets, dbSecrets := a.secretValues("S"), a.secretValues("D")
	path, header := a.hostile(), a.hostile()
	local := a.fileName()

	y := &a.yaml
	y.WriteString("service: app\nimage: acme/app\nregistry: {username: u, password: [REG]}\nservers:\n  web:\n    hosts: [h1]\n")
	a.envSection("    ", web, nil)
	a.pairs("    labels", webLabels)
	a.pairs("    options", webOptions)
	y.WriteString("  job:\n    hosts: [h2]\n")
	fmt.Fprintf(y, "    cmd: %s\n", quoted(cmd[0].text))
	a.envSection("    ", job, nil)
	a.pairs("    options", jobOptions)
	y.WriteString("    logging:\n")
	a.pairs("      options", jobLogs)
	a.envSection("", root, secrets)
	a.pairs("labels", rootLabels)
	y.WriteString("logging:\n  driver: local\n")
	a.pairs("  options", logs)
	fmt.Fprintf(y, "volumes: [%s]\n", rawList(volumes))
	fmt.Fprintf(y, "proxy:\n  healthcheck: {path: %s}\n  logging: {request_headers: [%s]}\n  run:\n", path.yaml, header.yaml)
	a.pairs("    options", proxyOptions)
	y.WriteString("builder:\n  arch: amd64\n")
	a.pairs("  args", buildArgs)
	fmt.Fprintf(y, "accessories:\n  db:\n    image: mysql\n    host: h1\n    port: 3306\n    cmd: %s\n", quoted(dbCmd[0].text))
	a.envSection("    ", db, dbSecrets)
	a.pairs("    labels", dbLabels)
	a.pairs("    options", dbOptions)
	fmt.Fprintf(y, "    volumes: [%s]\n    files: [%s]\n", rawList(dbVolumes), quoted(local+":/etc/app.conf"))

	logArgs := append([]string{"--log-driver", "local"}, argumentized("--log-opt", logs)...)
	jobLogArgs := append([]string{"--log-driver", "local"}, argumentized("--log-opt", overlaid(logs, jobLogs))...)
	webEnv, jobEnv := argumentized("--env", overlaid(root, web)), argumentized("--env", overlaid(root, job))
	dbEnv := append(argumentized("--env", db), "--env-file", ".kamal/apps/app/env/accessories/db.env")
	webEnv = append(webEnv, "--env-file", ".kamal/apps/app/env/roles/web.env")
	jobEnv = append(jobEnv, "--env-file", ".kamal/apps/app/env/roles/job.env")
	exec := argumentized("--env", a.exec)
	run := func(role, host string) []string {
		return []string{"run", "--detach", "--restart", "unless-stopped", "--name", "app-" + role + "-v1", "--network", "kamal",
			"--hostname", host + "-RANDOM", "--env", "KAMAL_CONTAINER_NAME=app-" + role + "-v1", "--env", "KAMAL_VERSION=v1", "--env", "KAMAL_HOST=" + host}
	}
	ownLabels := func(role string) []string {
		return []string{"--label", "service=app", "--label", "role=" + role, "--label", "destination"}
	}
	dbMounts := append(volumeArgs(dbVolumes), "--volume", "/home/deploy/app-db/etc/app.conf:/etc/app.conf")
	image := []string{"acme/app:v1"}
	a.expect["run web"] = all(run("web", "h1"), webEnv, logArgs, volumeArgs(volumes), ownLabels("web"),
		argumentized("--label", overlaid(rootLabels, webLabels)), optionized(webOptions, false), image)
	a.expect["run job"] = all(run("job", "h2"), jobEnv, jobLogArgs, volumeArgs(volumes), ownLabels("job"),
		argumentized("--label", rootLabels), optionized(jobOptions, false), image, cmd[0].words)
	a.expect["exec new job"] = all([]string{"run", "--rm", "--name", "app-job-exec-v1-RANDOM", "--network", "kamal"}, jobEnv, exec,
		jobLogArgs, volumeArgs(volumes), optionized(jobOptions, false), image, []string{"uptime"})
	a.expect["exec web"] = all([]string{"exec"}, exec, []string{"app-web-v1", "uptime"})
	a.expect["proxy deploy web"] = all([]string{"exec", "kamal-proxy", "kamal-proxy", "deploy", "app-web", "--target=0123456789ab:80",
		"--deploy-timeout=30s", "--drain-timeout=30s"}, optionized([]setting{{"health-check-path", path}}, true),
		[]string{"--buffer-requests", "--buffer-responses"}, optionized([]setting{{"log-request-header", header}}, true))
	a.expect["run db"] = all([]string{"run", "--name", "app-db", "--detach", "--restart", "unless-stopped", "--network", "kamal"}, logArgs,
		[]string{"--publish", "3306:3306", "--env", "KAMAL_HOST=h1"}, dbEnv, dbMounts, []string{"--label", "service=app-db"},
		argumentized("--label", dbLabels), optionized(dbOptions, false), []string{"mysql"}, dbCmd[0].words)
	a.expect["exec new db"] = all([]string{"run", "--rm", "--network", "kamal"}, dbEnv, dbMounts, optionized(dbOptions, false), []string{"mysql", "uptime"})
	a.expect["run proxy"] = all([]string{"run", "--name", "kamal-proxy", "--network", "kamal", "--detach", "--restart", "unless-stopped",
		"--volume", "kamal-proxy-config:/home/kamal-proxy/.config/kamal-proxy",
		"--volume", "/home/deploy/.kamal/proxy/apps-config:/home/kamal-proxy/.apps-config",
		"--publish", "80:80", "--publish", "443:443", "--log-opt", "max-size=10m"},
		optionized(proxyOptions, false), []string{"basecamp/kamal-proxy:v0.9.2", "kamal-proxy", "run"})
	a.expect["build"] = all([]string{"buildx", "build", "--output=type=registry", "--platform", "linux/amd64", "--builder", "kamal-local-docker-container",
		"-t", "acme/app:v1", "-t", "acme/app:latest", "--label", "service=app"},
		buildArguments(buildArgs), []string{"--file", "Dockerfile", "."})
	a.buildEnv = buildEnv(buildArgs)
	a.envFiles["web"], a.envFiles["job"], a.envFiles["db"] = envLines(secrets), envLines(secrets), envLines(dbSecrets)
}

// Values

// pieces are what hostile values are made of.
var pieces = []string{
	"a", "Z9", "-", "--", "-n", " ", "  ", "\t", "\n", "\r", `"`, `""`, "'", "''", "`", "``", "`id`", "$", "$$", "$X", "$HOME", "${X}", "${HOME}",
	"${UNSET_THING}", "$(id)", "$((1+1))", "${", "}", "{", "{a,b}", "#", "#{x}", "#$", "#@", "\\", "\\\\", `\n`, `\$`, `\"`, "!", "!!", "!$", "~", "~/",
	"%", "%s", "%n", "%%", "*", "?", "[a-z]", "|", "||", "&", "&&", ";", ";;", ">", ">>", "<", "<<EOF", "2>&1", "(", ")", "()", "=", ":", ": ", " #", ",",
	"@", "^", "é", "ü", "日本", "🙂", "\u00a0", "\u2003", "ā", "Ĉ", "\u202e", "\ufeff", "’", "“", "\u0301", "\x00", "\x01", "\x1b[31m", "\x7f", "\a", "\b",
	"\f", "\v", "true", "no", "0600", "null", "<%%", "%>",
}

// plain are values that YAML does not read as texts.
var plain = []hostile{
	{yaml: "true", text: "true", bare: true}, {yaml: "yes", text: "true", bare: true}, {yaml: "on", text: "true", bare: true},
	{yaml: "false", text: "false"}, {yaml: "no", text: "false"}, {yaml: "0600", text: "384"}, {yaml: "1_000", text: "1000"},
	{yaml: "1.10", text: "1.1"}, {yaml: "22:22", text: "80520"}, {yaml: "0x1F", text: "31"}, {yaml: "-1", text: "-1"}, {yaml: "08", text: "08"},
	{yaml: "1e3", text: "1e3"}, {yaml: "y", text: "y"}, {yaml: ".5", text: "0.5"}, {yaml: `"0600"`, text: "0600"},
	{yaml: `"no"`, text: "no"}, {yaml: `""`, text: ""}, {yaml: `" "`, text: " "}, {yaml: `"\t\n"`, text: "\t\n"}, {yaml: "-leading", text: "-leading"},
	{yaml: `"--flag=x"`, text: "--flag=x"}, {yaml: "!!str 5", text: "5"}, {yaml: "6379:6379", text: "6379:6379"},
}

func (a *adversary) hostile() hostile {
	switch n := a.random.IntN(60); {
	case n < 8:
		return plain[a.random.IntN(len(plain))]
	case n == 8:
		return asYAML(strings.Repeat(a.text(), 1+a.random.IntN(60)), false)
	default:
		return asYAML(a.text(), a.random.IntN(4) == 0)
	}
}

func (a *adversary) text() string {
	for {
		var b strings.Builder
		for range 1 + a.random.IntN(7) {
			b.WriteString(pieces[a.random.IntN(len(pieces))])
		}
		if text := b.String(); expandable(text) {
			return text
		}
	}
}

var (
	varNames    = []string{"A", "LOWER_case", "WITH.DOT", "with-dash", "_", "N1", "PATHS", "X"}
	labelNames  = []string{"traefik.enable", "com.example/a-b", "team", "a.b.c", "UPPER"}
	logNames    = []string{"max-size", "max-file", "tag", "labels"}
	optionNames = []string{"memory", "health-cmd", "ulimit", "add-host", "user", "cpus", "init", "sysctl"}
)

func (a *adversary) settings(names []string, most int) []setting {
	order := a.random.Perm(len(names))
	list := make([]setting, 1+a.random.IntN(most))
	for i := range list {
		list[i] = setting{name: names[order[i]], value: a.hostile()}
	}
	return list
}

func (a *adversary) options(most int) []setting {
	list := a.settings(optionNames, most)
	for i := range list {
		if a.random.IntN(4) == 0 {
			items := []hostile{a.hostile(), a.hostile()}
			list[i].value = hostile{yaml: "[" + items[0].yaml + ", " + items[1].yaml + "]", list: items}
		}
	}
	return list
}

func (a *adversary) raws(from []raw, count int) []raw {
	order := a.random.Perm(len(from))
	var list []raw
	for _, i := range order[:count] {
		list = append(list, from[i])
	}
	return list
}

// secretValues are secrets of any text that single quotes of a secrets file hold.
func (a *adversary) secretValues(prefix string) []setting {
	var list []setting
	for i := range 1 + a.random.IntN(3) {
		text := strings.NewReplacer("'", "`", "\r", "\n", "\x00", "").Replace(a.text() + a.text())
		if strings.HasSuffix(text, `\`) {
			text += "."
		}
		name := fmt.Sprintf("%s%d", prefix, i)
		fmt.Fprintf(&a.secrets, "%s='%s'\n", name, text)
		list = append(list, setting{name: name, value: hostile{text: text}})
	}
	return list
}

// fileName is any name without what separates paths.
func (a *adversary) fileName() string {
	return "config/" + strings.NewReplacer(":", "", "/", "", "\x00", "", "~", "").Replace(a.text()) + ".conf"
}

var rawVolumes = []raw{
	{"data:/data", []string{"data:/data"}},
	{"$HOME/x:/x", []string{"/home/deploy/x:/x"}},
	{`"${X}":/y`, []string{"from the host:/y"}},
	{`"a b":/z:ro`, []string{"a b:/z:ro"}},
	{`'$X "q"':/q`, []string{`$X "q":/q`}},
	{`a\ b:/c`, []string{"a b:/c"}},
	{"~/data:/e", []string{"/home/deploy/data:/e"}},
	{"*:/star", []string{"*:/star"}},
	{"$(echo sub):/f", []string{"sub:/f"}},
	{"`echo tick`:/g", []string{"tick:/g"}},
	{"%p:/pct", []string{"%p:/pct"}},
	{"-dash:/h", []string{"-dash:/h"}},
	{"données 日本:/u", []string{"données", "日本:/u"}},
}

var rawCommands = []raw{
	{"bin/jobs --flag", []string{"bin/jobs", "--flag"}},
	{`sh -c "echo $X && sleep 1"`, []string{"sh", "-c", "echo from the host && sleep 1"}},
	{`sh -c 'echo $X; sleep 1'`, []string{"sh", "-c", "echo $X; sleep 1"}},
	{`sh -c "echo \$X \"q\""`, []string{"sh", "-c", `echo $X "q"`}},
	{"echo $X", []string{"echo", "from", "the", "host"}},
	{`"" x`, []string{"", "x"}},
	{"--leading -dash", []string{"--leading", "-dash"}},
	{"a   b\tc", []string{"a", "b", "c"}},
	{"café ☕ \u00a0", []string{"café", "☕", "\u00a0"}},
	{`printf %s\\n "a!b" 100%`, []string{"printf", `%s\n`, "a!b", "100%"}},
	{`--config='{"a":[1,2]}'`, []string{`--config={"a":[1,2]}`}},
	{`ls * ?`, []string{"ls", "*", "?"}},
	{`ls $(echo a b)`, []string{"ls", "a", "b"}},
	{"", nil},
}

// Expectations

// argumentized are flags with NAME=VALUE; a blank value leaves the name alone, for
// Docker to take from the shell of the host.
func argumentized(flag string, settings []setting) []string {
	var args []string
	for _, s := range settings {
		word := s.name
		if strings.TrimSpace(s.value.text) != "" {
			word += "=" + received(s.value.text)
		}
		args = append(args, flag, word)
	}
	return args
}

// optionized are flags with a value; true is a bare flag and an empty text no word.
func optionized(settings []setting, eq bool) []string {
	var args []string
	for _, s := range settings {
		items := s.value.list
		if items == nil {
			items = []hostile{s.value}
		}
		for _, item := range items {
			flag := "--" + s.name
			switch {
			case item.bare:
				args = append(args, flag)
			case eq:
				args = append(args, flag+"="+received(item.text))
			case item.text == "":
				args = append(args, flag)
			default:
				args = append(args, flag, received(item.text))
			}
		}
	}
	return args
}

// buildArguments are the flags of build arguments: the values stay out of the list
// of processes, unless no shell passes a variable of such a name on.
func buildArguments(settings []setting) []string {
	var args []string
	for _, s := range settings {
		if strings.ContainsAny(s.name, ".-") {
			args = append(args, argumentized("--build-arg", []setting{s})...)
			continue
		}
		args = append(args, "--build-arg", s.name)
	}
	return args
}

// buildEnv holds the values that Docker finds in the environment for the names.
func buildEnv(settings []setting) map[string]string {
	env := map[string]string{}
	for _, s := range settings {
		if !strings.ContainsAny(s.name, ".-") && strings.TrimSpace(s.value.text) != "" {
			env[s.name] = received(s.value.text)
		}
	}
	return env
}

// envLines are the lines of an env file: backslashes are doubled, but for those
// before a # that Ruby does not escape, and control characters are backslash
// sequences.
func envLines(secrets []setting) []string {
	var lines []string
	for _, s := range secrets {
		var b strings.Builder
		for i := range len(s.value.text) {
			switch rest := s.value.text[i:]; {
			case rest[0] == '\\' && len(rest) > 1 && rest[1] == '#' && (len(rest) == 2 || strings.IndexByte("{$@", rest[2]) < 0):
				b.WriteByte('\\')
			case rest[0] == '\\':
				b.WriteString(`\\`)
			default:
				b.WriteString(controlsEscaped(rest[:1]))
			}
		}
		lines = append(lines, s.name+"="+b.String())
	}
	return lines
}

func volumeArgs(volumes []raw) []string {
	var args []string
	for _, v := range volumes {
		args = append(append(args, "--volume"), v.words...)
	}
	return args
}

func overlaid(below, above []setting) []setting {
	list := append([]setting(nil), below...)
next:
	for _, s := range above {
		for i := range list {
			if list[i].name == s.name {
				list[i] = s
				continue next
			}
		}
		list = append(list, s)
	}
	return list
}

func all(lists ...[]string) []string {
	var joined []string
	for _, list := range lists {
		joined = append(joined, list...)
	}
	return joined
}

// Text

func (a *adversary) pairs(key string, settings []setting) {
	indent := key[:len(key)-len(strings.TrimLeft(key, " "))]
	a.yaml.WriteString(key + ":\n")
	for _, s := range settings {
		fmt.Fprintf(&a.yaml, "%s  %s: %s\n", indent, quoted(s.name), s.value.yaml)
	}
}

func (a *adversary) envSection(indent string, settings, secrets []setting) {
	a.yaml.WriteString(indent + "env:\n")
	a.pairs(indent+"  clear", settings)
	if len(secrets) == 0 {
		return
	}
	var names []string
	for _, s := range secrets {
		names = append(names, s.name)
	}
	fmt.Fprintf(&a.yaml, "%s  secret: [%s]\n", indent, strings.Join(names, ", "))
}

func rawList(list []raw) string {
	var items []string
	for _, r := range list {
		items = append(items, quoted(r.text))
	}
	return strings.Join(items, ", ")
}

// asYAML writes a text in one of YAML's styles. Templates are rendered first, so
// their marks are written as escapes.
func asYAML(text string, single bool) hostile {
	if single && !strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f || r == 0xfeff }) && !strings.Contains(text, "<%") {
		return hostile{yaml: "'" + strings.ReplaceAll(text, "'", "''") + "'", text: text}
	}
	return hostile{yaml: quoted(text), text: text}
}

func quoted(text string) string {
	var b strings.Builder
	for _, r := range text {
		switch {
		case r == '"' || r == '\\':
			b.WriteString(`\` + string(r))
		case r < ' ' || r == 0x7f || r == '%':
			fmt.Fprintf(&b, `\x%02x`, r)
		case r == 0xfeff || r == 0x202e:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	return `"` + b.String() + `"`
}
