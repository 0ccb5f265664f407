package sim

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"
	"text/template"
)

// runDocker is the docker command line on a host: the second door to the host's engine.
func runDocker(p *process) int {
	args := p.args[1:]
	for len(args) > 0 && strings.HasPrefix(args[0], "-") {
		switch {
		case args[0] == "-v" || args[0] == "--version":
			p.print("Docker version " + engineVersion + ", build ce12230\n")
			return 0
		case (args[0] == "-H" || args[0] == "--host" || args[0] == "-c" || args[0] == "--context") && len(args) > 1:
			args = args[2:]
		case args[0] == "--help":
			p.print("Usage:  docker [OPTIONS] COMMAND\n")
			return 0
		default:
			return p.complain(125, "unknown flag: %s\nSee 'docker --help'.", args[0])
		}
	}
	if len(args) == 0 {
		p.print("Usage:  docker [OPTIONS] COMMAND\n")
		return 0
	}
	d := dockerCommand{process: p, e: p.h.engine, name: args[0], args: args[1:]}
	if isGroup(args[0]) && len(args) > 1 {
		d.group, d.name, d.args = args[0], args[1], args[2:]
	}
	run := d.find()
	if run == nil {
		return p.complain(1, "docker: '%s' is not a docker command.\nSee 'docker --help'", strings.Join(args[:min(len(args), 2)], " "))
	}
	return run()
}

// dockerCommand is one command line: the management group, if named, the verb and what follows.
type dockerCommand struct {
	*process
	e     *engine
	group string
	name  string
	args  []string
}

// Private

func isGroup(word string) bool {
	switch word {
	case "container", "image", "network", "volume", "system", "buildx", "context", "builder":
		return true
	}
	return false
}

// find returns what a command does; plain verbs are those of containers, and some of images.
func (d dockerCommand) find() func() int {
	switch d.group {
	case "", "container":
		if run := d.findContainer(); run != nil {
			return run
		}
	case "image":
		return d.findImage()
	case "network":
		return d.findNetwork()
	case "volume":
		return d.findVolume()
	case "system":
		return d.findSystem()
	case "buildx", "builder", "context":
		return d.findBuild()
	}
	if d.group != "" {
		return nil
	}
	switch d.name {
	case "images":
		return d.imageLs
	case "rmi":
		return d.imageRm
	case "pull":
		return d.pull
	case "tag":
		return d.tag
	case "info":
		return d.info
	case "version":
		return d.version
	case "login":
		return d.login
	case "logout":
		return d.logout
	case "events":
		return d.events
	case "inspect":
		return d.inspectAny
	}
	return nil
}

func (d dockerCommand) findContainer() func() int {
	switch d.name {
	case "ps", "ls", "list":
		if d.group == "" && d.name != "ps" {
			return nil
		}
		return d.ps
	case "run":
		return func() int { return d.runOrCreate(true) }
	case "create":
		return func() int { return d.runOrCreate(false) }
	case "start", "stop", "restart", "kill", "rm", "pause", "unpause":
		return d.eachContainer
	case "rename":
		return d.rename
	case "logs":
		return d.logs
	case "exec":
		return d.exec
	case "cp":
		return d.cp
	case "wait":
		return d.wait
	case "top":
		return d.top
	case "stats":
		return d.stats
	case "port":
		return d.port
	case "inspect":
		if d.group == "container" {
			return d.inspectAny
		}
	case "prune":
		if d.group == "container" {
			return d.prune
		}
	}
	return nil
}

// complain prints a text of the command line itself.
func (p *process) complain(code int, format string, args ...any) int {
	_, _ = fmt.Fprintf(p.errOut, format+"\n", args...)
	return code
}

// refuse prints an error of the engine.
func (p *process) refuse(err error) int { return p.complain(1, "%s", daemonText(err)) }

// usage complains about missing arguments.
func (d dockerCommand) usage(least int) int {
	word := d.name
	if d.group != "" {
		word = d.group + " " + d.name
	}
	return d.complain(1, "\"docker %s\" requires at least %d argument%s.\nSee 'docker %s --help'.\n\nUsage:  docker %s", word, least, map[bool]string{true: "", false: "s"}[least == 1], word, word)
}

// table prints rows as the docker client does: columns at least ten wide, three blanks between.
func (p *process) table(header []string, rows [][]string) {
	var b bytes.Buffer
	w := tabwriter.NewWriter(&b, 10, 1, 3, ' ', 0)
	_, _ = fmt.Fprintln(w, strings.Join(header, "\t"))
	for _, r := range rows {
		_, _ = fmt.Fprintln(w, strings.Join(r, "\t"))
	}
	_ = w.Flush()
	p.print(b.String())
}

// format prints rows through a Go template; "table" in front asks for columns with a header.
func (p *process) format(text string, header any, rows []any) int {
	asTable := strings.HasPrefix(text, "table ")
	text = strings.TrimPrefix(text, "table ")
	switch text {
	case "json":
		text = "{{json .}}"
	}
	t, err := newTemplate(text)
	if err != nil {
		return p.complain(64, "template parsing error: %v", err)
	}
	var b bytes.Buffer
	if asTable && header != nil {
		rows = append([]any{header}, rows...)
	}
	for _, r := range rows {
		if err := t.Execute(&b, r); err != nil {
			return p.complain(64, "template: %v", strings.TrimPrefix(err.Error(), "template: "))
		}
		b.WriteByte('\n')
	}
	if !asTable {
		p.print(b.String())
		return 0
	}
	var out bytes.Buffer
	w := tabwriter.NewWriter(&out, 10, 1, 3, ' ', 0)
	_, _ = w.Write(b.Bytes())
	_ = w.Flush()
	p.print(out.String())
	return 0
}

// Helpers

// newTemplate parses a format as the docker client does.
func newTemplate(text string) (*template.Template, error) {
	text = strings.NewReplacer(`\t`, "\t", `\n`, "\n").Replace(text)
	return template.New("").Funcs(template.FuncMap{
		"json": func(v any) (string, error) {
			var b bytes.Buffer
			enc := json.NewEncoder(&b)
			enc.SetEscapeHTML(false)
			err := enc.Encode(v)
			return strings.TrimSpace(b.String()), err
		},
		"join": strings.Join, "lower": strings.ToLower, "upper": strings.ToUpper, "split": strings.Split,
		"println":  func(a ...any) string { return fmt.Sprintln(a...) },
		"truncate": func(s string, n int) string { return s[:min(n, len(s))] },
		"title":    func(s string) string { return strings.ToUpper(s[:min(1, len(s))]) + s[min(1, len(s)):] },
	}).Parse(text)
}

// daemonText is an error as the docker client prints it.
func daemonText(err error) string {
	var refused *engineError
	if errors.As(err, &refused) {
		return "Error response from daemon: " + refused.text
	}
	return err.Error()
}

// flagSet is a parsed docker command line: values by flag name, the words after the flags.
type flagSet struct {
	values map[string][]string
	words  []string
}

func (f flagSet) has(name string) bool { return len(f.values[name]) > 0 && f.last(name) != "false" }

func (f flagSet) last(name string) string {
	v := f.values[name]
	if len(v) == 0 {
		return ""
	}
	return v[len(v)-1]
}

// flagSpec says how flags are written: short maps a letter to a name, valued lists names that take a value.
type flagSpec struct {
	short  string // pairs such as "a=all q=quiet"
	valued string
	plain  string
	// stop ends the flags at the first word, for commands that pass the rest on.
	stop bool
}

// flags parses the arguments; the error is the client's complaint.
func (d dockerCommand) flags(spec flagSpec) (flagSet, error) {
	short := map[string]string{}
	for _, pair := range strings.Fields(spec.short) {
		letter, name, _ := strings.Cut(pair, "=")
		short[letter] = name
	}
	takes := func(name string) bool { return strings.Contains(" "+spec.valued+" ", " "+name+" ") }
	out := flagSet{values: map[string][]string{}}
	set := func(name, value string) { out.values[name] = append(out.values[name], value) }
	for i := 0; i < len(d.args); i++ {
		arg := d.args[i]
		switch {
		case arg == "--":
			out.words = append(out.words, d.args[i+1:]...)
			return out, nil
		case strings.HasPrefix(arg, "--"):
			name, value, given := strings.Cut(arg[2:], "=")
			switch {
			case !takes(name) && !strings.Contains(" "+spec.plain+" ", " "+name+" "):
				return out, fmt.Errorf("unknown flag: --%s", name)
			case !takes(name) && !given:
				value = "true"
			case !given && i+1 < len(d.args):
				i++
				value = d.args[i]
			case !given:
				return out, fmt.Errorf("flag needs an argument: --%s", name)
			}
			set(name, value)
		case len(arg) > 1 && arg[0] == '-':
			skip, err := shortFlags(arg[1:], d.args[i+1:], short, takes, set)
			if err != nil {
				return out, err
			}
			i += skip
		default:
			out.words = append(out.words, arg)
			if spec.stop {
				out.words = append(out.words, d.args[i+1:]...)
				return out, nil
			}
		}
	}
	return out, nil
}

// shortFlags reads -abc, -nVALUE and -n VALUE; skip is how many following arguments it took.
func shortFlags(letters string, after []string, short map[string]string, takes func(string) bool, set func(name, value string)) (skip int, err error) {
	for i := 0; i < len(letters); i++ {
		name, ok := short[letters[i:i+1]]
		if !ok {
			return 0, fmt.Errorf("unknown shorthand flag: '%c' in -%s", letters[i], letters)
		}
		if !takes(name) {
			set(name, "true")
			continue
		}
		value := strings.TrimPrefix(letters[i+1:], "=")
		switch {
		case value != "":
			set(name, value)
			return 0, nil
		case len(after) > 0:
			set(name, after[0])
			return 1, nil
		}
		return 0, fmt.Errorf("flag needs an argument: '%c' in -%s", letters[i], letters)
	}
	return 0, nil
}

// flagError prints a complaint about flags, with the client's pointer to help.
func (d dockerCommand) flagError(err error) int {
	word := d.name
	if d.group != "" {
		word = d.group + " " + d.name
	}
	return d.complain(125, "%v\nSee 'docker %s --help'.", err, word)
}
