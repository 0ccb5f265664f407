package sim

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// findTool returns the command of that name, or nil.
func findTool(name string) tool {
	for _, family := range []func(string) tool{fileTool, textTool, systemTool, shellTool} {
		if t := family(name); t != nil {
			return t
		}
	}
	return nil
}

// shellTool knows the commands that run other commands, and those that are built into shells but may be
// called by path.
func shellTool(name string) tool {
	switch name {
	case "env":
		return runEnv
	case "printenv":
		return runPrintenv
	case "sh", "bash", "dash", "ash":
		return runShell
	case "xargs":
		return runXargs
	case "nohup", "setsid", "nice", "ionice", "stdbuf", "sudo":
		return runWrapped
	case "timeout":
		return runTimeout
	case "echo":
		return func(p *process) int {
			words, end := p.args[1:], "\n"
			if len(words) > 0 && words[0] == "-n" {
				words, end = words[1:], ""
			}
			p.print(strings.Join(words, " ") + end)
			return 0
		}
	case "printf":
		return func(p *process) int { return p.viaShell(`printf "$@"`) }
	case "test", "[":
		return func(p *process) int { return p.viaShell(name + ` "$@"`) }
	case "true", ":":
		return func(*process) int { return 0 }
	case "false":
		return func(*process) int { return 1 }
	case "sleep":
		return runSleep
	case "docker":
		return runDocker
	case "which":
		return runWhich
	}
	return nil
}

// databaseTool knows the clients that a database's image brings.
func databaseTool(server Behaviour, name string) tool {
	if server == StoresKeys {
		switch name {
		case "redis-cli":
			return runRedisCLI
		case "redis-server":
			return runRedisServer
		}
	}
	if server != StoresSQL {
		return nil
	}
	switch name {
	case "psql":
		return runPsql
	case "pg_dump":
		return runPgDump
	case "pg_dumpall":
		return runPgDumpAll
	case "pg_restore":
		return runPgRestore
	case "pg_isready":
		return runPgIsReady
	}
	return nil
}

// Private

// lifeline is a function that ends a command with its caller, and watch a process
// that ends the script with it: by way of a third descriptor, which the
// interpreter has none of. Here no process outlives its caller.
var (
	lifeline = regexp.MustCompile(`(?s)exec 3<&0\n(\w+)\(\) \{\n.*?\n\}\n`)
	watch    = regexp.MustCompile(`exec 3<&0\n\(read -r _; kill \$\$\) <&3 [^\n]*\n`)
)

func plainScript(text string) string {
	return watch.ReplaceAllString(lifeline.ReplaceAllString(text, "$1() { \"$$@\"; }\n"), "")
}

// viaShell runs a shell built-in for a caller that named it as a program.
func (p *process) viaShell(script string) int {
	return p.runScript(p.ctx, script, p.args, p.environ(), p.dir, p.in, p.out, p.errOut)
}

func runEnv(p *process) int {
	rest := p.args[1:]
	env := p.environ()
	for len(rest) > 0 && (strings.Contains(rest[0], "=") || rest[0] == "-i") {
		if rest[0] == "-i" {
			env = nil
		} else {
			env = mergeEnv(env, rest[:1])
		}
		rest = rest[1:]
	}
	if len(rest) == 0 {
		for _, kv := range env {
			p.print(kv + "\n")
		}
		return 0
	}
	if findTool(rest[0]) == nil && p.c == nil {
		return p.fail(127, "'%s': No such file or directory", rest[0])
	}
	return p.runArgs(p.ctx, rest, env, p.dir, p.in, p.out, p.errOut)
}

func runShell(p *process) int {
	rest := p.args[1:]
	for len(rest) > 0 && strings.HasPrefix(rest[0], "-") {
		flag := rest[0]
		rest = rest[1:]
		if strings.HasSuffix(flag, "c") && len(rest) > 0 {
			params := rest[1:]
			if len(params) == 0 {
				params = p.args[:1]
			}
			return p.runScript(p.ctx, plainScript(rest[0]), params, p.environ(), p.dir, p.in, p.out, p.errOut)
		}
	}
	if len(rest) > 0 {
		text, err := p.files.readFile(p.path(rest[0]))
		if err != nil {
			return p.fail(127, "%s: %v", rest[0], err)
		}
		return p.runScript(p.ctx, string(text), rest, p.environ(), p.dir, p.in, p.out, p.errOut)
	}
	if p.tty != nil {
		return p.interactive(p.ctx, p.tty, p.environ(), p.dir)
	}
	text, err := io.ReadAll(p.in)
	if err != nil {
		return 1
	}
	return p.runScript(p.ctx, string(text), p.args[:1], p.environ(), p.dir, strings.NewReader(""), p.out, p.errOut)
}

// runXargs reads words as GNU xargs does and runs one command with them.
func runXargs(p *process) int {
	rest, size, empty := p.args[1:], 0, true
	for len(rest) > 0 && strings.HasPrefix(rest[0], "-") {
		switch {
		case rest[0] == "-r" || rest[0] == "--no-run-if-empty":
			empty = false
		case rest[0] == "-n" && len(rest) > 1:
			size, _ = strconv.Atoi(rest[1])
			rest = rest[1:]
		case strings.HasPrefix(rest[0], "-n"):
			size, _ = strconv.Atoi(rest[0][2:])
		case rest[0] == "-0" || rest[0] == "-t":
		default:
			return p.fail(1, "invalid option -- '%s'", strings.TrimLeft(rest[0], "-"))
		}
		rest = rest[1:]
	}
	if len(rest) == 0 {
		rest = []string{"echo"}
	}
	text, err := io.ReadAll(p.in)
	if err != nil {
		return 1
	}
	words := xargsWords(string(text))
	if len(words) == 0 && !empty {
		return 0
	}
	for first := true; first || len(words) > 0; first = false {
		part := words
		if size > 0 && len(part) > size {
			part = words[:size]
		}
		words = words[len(part):]
		code := p.runArgs(p.ctx, append(append([]string(nil), rest...), part...), p.environ(), p.dir, strings.NewReader(""), p.out, p.errOut)
		switch {
		case code == 127 || code == 126:
			return code
		case code != 0:
			return 123
		}
	}
	return 0
}

func runWrapped(p *process) int {
	rest := p.args[1:]
	for len(rest) > 0 && strings.HasPrefix(rest[0], "-") {
		if (rest[0] == "-n" || rest[0] == "-u") && p.args[0] != "sudo" || rest[0] == "-u" {
			rest = rest[1:]
		}
		if len(rest) > 0 {
			rest = rest[1:]
		}
	}
	if len(rest) == 0 {
		return 0
	}
	return p.runArgs(p.ctx, rest, p.environ(), p.dir, p.in, p.out, p.errOut)
}

func runTimeout(p *process) int {
	rest := p.args[1:]
	for len(rest) > 0 && strings.HasPrefix(rest[0], "-") {
		if rest[0] == "-k" || rest[0] == "-s" {
			rest = rest[1:]
		}
		rest = rest[1:]
	}
	if len(rest) < 2 {
		return p.fail(125, "missing operand")
	}
	limit, err := sleepTime(rest[0])
	if err != nil {
		return p.fail(125, "invalid time interval '%s'", rest[0])
	}
	ctx, stop := contextWithClock(p.ctx, p.h.fleet, limit)
	defer stop()
	if in, ok := p.in.(*os.File); ok { // a command that waits for input must not outstay the limit
		unblock := context.AfterFunc(ctx, func() { _ = in.SetReadDeadline(time.Unix(1, 0)) })
		defer unblock()
	}
	code := p.runArgs(ctx, rest[1:], p.environ(), p.dir, p.in, p.out, p.errOut)
	if ctx.Err() != nil && p.ctx.Err() == nil {
		return 124
	}
	return code
}

func runSleep(p *process) int {
	if len(p.args) < 2 {
		return p.fail(1, "missing operand")
	}
	var total time.Duration
	for _, a := range p.args[1:] {
		if a == "infinity" {
			a = "1000000d"
		}
		d, err := sleepTime(a)
		if err != nil {
			return p.fail(1, "invalid time interval '%s'", a)
		}
		total += d
	}
	if sleep(p.ctx, p.h.fleet.clock, total) != nil {
		return 130
	}
	return 0
}

func runWhich(p *process) int {
	code := 0
	for _, name := range p.args[1:] {
		if !p.knows(name) {
			code = 1
			continue
		}
		p.print("/usr/bin/" + name + "\n")
	}
	return code
}

// knows reports a program that the host or the container has.
func (p *process) knows(name string) bool {
	if p.c == nil {
		return findTool(name) != nil
	}
	return name != "docker" && findTool(name) != nil || databaseTool(p.c.image.Runs, name) != nil
}

func runPrintenv(p *process) int {
	for _, name := range p.args[1:] {
		v := p.env.Get(name)
		if !v.IsSet() || !v.Exported {
			return 1
		}
		p.print(v.Str + "\n")
	}
	return 0
}

// Helpers

// sleepTime reads 1.5, 2s, 3m, 1h, 1d.
func sleepTime(text string) (time.Duration, error) {
	unit := time.Second
	switch {
	case strings.HasSuffix(text, "s"):
		text = strings.TrimSuffix(text, "s")
	case strings.HasSuffix(text, "m"):
		text, unit = strings.TrimSuffix(text, "m"), time.Minute
	case strings.HasSuffix(text, "h"):
		text, unit = strings.TrimSuffix(text, "h"), time.Hour
	case strings.HasSuffix(text, "d"):
		text, unit = strings.TrimSuffix(text, "d"), 24*time.Hour
	}
	n, err := strconv.ParseFloat(text, 64)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("not a time: %q", text)
	}
	return time.Duration(n * float64(unit)), nil
}

// xargsWords splits at blanks and honours quotes and backslashes.
func xargsWords(text string) []string {
	var out []string
	var word strings.Builder
	open, quote := false, byte(0)
	for i := 0; i < len(text); i++ {
		ch := text[i]
		switch {
		case quote != 0 && ch == quote:
			quote = 0
		case quote != 0:
			word.WriteByte(ch)
		case ch == '"' || ch == '\'':
			quote, open = ch, true
		case ch == '\\' && i+1 < len(text):
			i++
			word.WriteByte(text[i])
			open = true
		case ch == ' ' || ch == '\t' || ch == '\n':
			if open {
				out = append(out, word.String())
				word.Reset()
				open = false
			}
		default:
			word.WriteByte(ch)
			open = true
		}
	}
	if open {
		out = append(out, word.String())
	}
	return out
}

// eachLine calls do for every line of the named files, or of the standard input; do returns false to stop.
func (p *process) eachLine(names []string, do func(line string) bool) int {
	if len(names) == 0 {
		names = []string{"-"}
	}
	code := 0
	for _, name := range names {
		from := p.in
		if name != "-" {
			data, err := p.files.readFile(p.path(name))
			if err != nil {
				code = p.fail(1, "%s: %v", name, err)
				continue
			}
			from = strings.NewReader(string(data))
		}
		scan := bufio.NewScanner(from)
		scan.Buffer(make([]byte, 0, 4096), 16<<20)
		for scan.Scan() {
			if !do(scan.Text()) {
				return code
			}
		}
	}
	return code
}
