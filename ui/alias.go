package ui

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"binnacle/config/secret"
	"binnacle/ops"
	"binnacle/ops/argv"
	"binnacle/ui/dialog"
	"binnacle/ui/kit"
)

// Alias is a shortcut of deploy.yml: a name, and the command line it stands for.
type Alias struct {
	Name string
	Line string
}

// aliasEntries are the aliases that lead to an operation.
func (m *Model) aliasEntries() []dialog.Entry {
	var out []dialog.Entry
	for _, a := range m.options.Aliases {
		op, _, err := m.expanded(a.Name, nil)
		if err != nil {
			continue // the command line says what is wrong with it
		}
		typed := func(args string) kit.Intent { return m.runAlias(a.Name, args) }
		out = append(out, dialog.Entry{
			Name: a.Name, Text: "alias for " + a.Line, Danger: op.Risk > ops.Read, Intent: typed(""), Typed: typed,
		})
	}
	return out
}

// Private

// runAlias runs an alias with what was typed behind it.
func (m *Model) runAlias(name, args string) kit.Intent {
	op, words, err := m.expanded(name, nil)
	if err != nil {
		return kit.Tell{Text: err.Error(), Err: true}
	}
	rest, err := secret.SplitShell(args)
	if err != nil {
		return kit.Tell{Text: err.Error(), Err: true}
	}
	line, err := argv.Reader{Options: optionsOf(op), Command: isCommand(op)}.Read(append(words, rest...))
	if err != nil {
		return kit.Tell{Text: fmt.Sprintf("%s: %v", name, err), Err: true}
	}
	for _, project := range []string{"destination", "config-file"} {
		if _, ok := line.Last(project); ok {
			return kit.Tell{Text: fmt.Sprintf("%s is about another project (--%s); run it from a shell", name, project), Err: true}
		}
	}
	run := kit.Run{Operation: op.Name, Target: kit.Target{App: m.app}, Params: paramsOf(op, line)}
	run.Hosts, run.Roles = listed(line, "hosts"), listed(line, "roles")
	if v, _ := line.Last("primary"); v == "true" {
		app, _ := m.state.Fleet.App(m.app)
		run.Hosts = []string{app.PrimaryHost}
	}
	skip, _ := line.Last("skip-hooks")
	run.SkipHooks = skip == "true"
	run.Ready = !needs(op, run.Params)
	return run
}

// expanded is the operation that an alias leads to, and the words behind it.
func (m *Model) expanded(name string, seen []string) (ops.Operation, []string, error) {
	i := slices.IndexFunc(m.options.Aliases, func(a Alias) bool { return a.Name == name })
	if i < 0 || slices.Contains(seen, name) {
		return ops.Operation{}, nil, fmt.Errorf("alias %s leads to no command", name)
	}
	words, err := secret.SplitShell(m.options.Aliases[i].Line)
	if err != nil {
		return ops.Operation{}, nil, fmt.Errorf("alias %s: %w", name, err)
	}
	lead, err := argv.Reader{Options: everyOption(), UntilWord: true}.Read(words)
	if err != nil || len(lead.Rest) == 0 {
		return ops.Operation{}, nil, fmt.Errorf("alias %s leads to no command", name)
	}
	var before []string
	for _, g := range lead.Given {
		before = append(before, g.String())
	}
	words = lead.Rest
	line := strings.Join(words, " ") + " "
	var found ops.Operation
	for _, op := range m.options.Catalog {
		if strings.HasPrefix(line, op.Name+" ") && len(op.Name) > len(found.Name) {
			found = op
		}
	}
	if found.Name != "" {
		return found, append(before, words[len(found.Words()):]...), nil
	}
	op, more, err := m.expanded(words[0], append(seen, name))
	return op, append(append(before, more...), words[1:]...), err
}

// Helpers

// everyOption are Kamal's options of every command.
func everyOption() []argv.Option {
	return []argv.Option{
		{Name: "verbose", Letter: "v", Kind: argv.Switch}, {Name: "quiet", Letter: "q", Kind: argv.Switch},
		{Name: "version"}, {Name: "primary", Letter: "p", Kind: argv.Switch},
		{Name: "hosts", Letter: "h"}, {Name: "roles", Letter: "r"}, {Name: "config-file", Letter: "c"}, {Name: "destination", Letter: "d"},
		{Name: "skip-hooks", Letter: "H", Kind: argv.Switch}, {Name: "lock-wait", Kind: argv.Switch},
		{Name: "lock-wait-timeout", Kind: argv.Number}, {Name: "lock-wait-interval", Kind: argv.Number},
		{Name: "confirmed", Letter: "y", Kind: argv.Switch, Early: true},
	}
}

func optionsOf(op ops.Operation) []argv.Option {
	var out []argv.Option
	for _, p := range op.Params {
		o := argv.Option{Name: p.Name, Letter: p.Letter}
		switch {
		case p.Positional || p.Kind == ops.Words:
			continue
		case p.Kind == ops.Toggle:
			o.Kind = argv.Switch
		case p.Kind == ops.Number:
			o.Kind = argv.Number
		case p.Kind == ops.List && isCommand(op):
			o.Kind = argv.Pairs
		}
		out = append(out, o)
	}
	return append(out, everyOption()...)
}

func isCommand(op ops.Operation) bool {
	return slices.ContainsFunc(op.Params, func(p ops.Param) bool { return p.Kind == ops.Words })
}

// paramsOf are an operation's parameters as a command line gives them.
func paramsOf(op ops.Operation, line argv.Line) ops.Params {
	out := ops.Params{}
	words := line.Words
	for _, p := range op.Params {
		switch {
		case p.Kind == ops.Words:
			out[p.Name], words = strings.Join(words, " "), nil
		case p.Positional:
			if len(words) > 0 {
				out[p.Name], words = words[0], words[1:]
			}
		case p.Kind == ops.List:
			out.SetList(p.Name, all(line, p.Name))
		default:
			value, _ := line.Last(p.Name)
			out[p.Name] = cmp.Or(value, p.Default)
		}
	}
	if v, ok := line.Last("version"); ok && out["version"] == "" {
		out["version"] = v
	}
	return out
}

func all(line argv.Line, name string) []string {
	var out []string
	for _, g := range line.Given {
		if g.Name == name {
			out = append(out, g.Value)
		}
	}
	return out
}

func listed(line argv.Line, name string) []string {
	text, _ := line.Last(name)
	if text == "" {
		return nil
	}
	return strings.Split(text, ",")
}
