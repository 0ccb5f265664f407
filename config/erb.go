package config

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"binnacle/config/secret"
)

// render evaluates a file's ERB with trim mode "-". It returns the text and, for
// each of its lines, the line of the template it came from.
func render(ctx context.Context, path, text string, options Options, env *environment) (string, []int, error) {
	if !strings.Contains(text, "<%") {
		return text, nil, nil
	}
	out := &output{}
	at := func(line int) Position { return Position{File: path, Line: line, Column: tagColumn(text, line)} }
	err := evaluate(ctx, path, text, options, env, out)
	var beyond *beyondError
	var problem *Error
	switch {
	case err == nil:
		return out.text.String(), out.lines, nil
	case errors.As(err, &problem):
		problem.Position = at(problem.Line)
		return "", nil, problem
	case !errors.As(err, &beyond):
		return "", nil, err
	case options.Ruby == nil:
		return "", nil, &Error{Position: at(beyond.line), Problem: "this ERB needs Ruby: " + beyond.what,
			Hint: "install ruby, or say it with ENV, backticks, if/else and strings"}
	}
	rendered, err := options.Ruby(ctx, Template{Path: path, Dir: options.Dir, Text: text, Env: env.added()})
	if err != nil {
		return "", nil, &Error{Position: at(beyond.line), Problem: "ruby could not evaluate the template: " + err.Error(),
			Hint: "this line needs Ruby: " + beyond.what}
	}
	return rendered, alignLines(text, rendered), nil
}

// environment is ENV as templates see it: what they set stays set for the files
// and secrets that follow.
type environment struct {
	lookup func(string) (string, bool)
	set    func(name, value string)
	over   map[string]string
	gone   map[string]bool
}

func newEnvironment(options Options) *environment {
	e := &environment{lookup: options.Env, set: options.Setenv, over: map[string]string{}, gone: map[string]bool{}}
	if options.Destination == "" {
		e.gone["KAMAL_DESTINATION"] = true
	} else {
		e.over["KAMAL_DESTINATION"] = options.Destination
	}
	return e
}

// Private

func (e *environment) get(name string) (string, bool) {
	if value, ok := e.over[name]; ok {
		return value, true
	}
	if e.gone[name] {
		return "", false
	}
	return e.lookup(name)
}

func (e *environment) put(name, value string) {
	e.over[name] = value
	if e.set != nil {
		e.set(name, value)
	}
}

func (e *environment) added() map[string]string {
	added := map[string]string{"KAMAL_DESTINATION": ""}
	for name, value := range e.over {
		added[name] = value
	}
	return added
}

// beyondError says that a template uses more of Ruby than is understood here.
type beyondError struct {
	line int
	what string
}

func (e *beyondError) Error() string { return fmt.Sprintf("line %d: %s", e.line, e.what) }

// output collects rendered text and where its lines came from.
type output struct {
	text  strings.Builder
	lines []int
	open  bool
}

// write adds text that began at a line of the template; when it is literal the
// template's lines advance with it.
func (o *output) write(s string, line int, literal bool) {
	for s != "" {
		if !o.open {
			o.lines = append(o.lines, line)
			o.open = true
		}
		n := strings.IndexByte(s, '\n')
		if n < 0 {
			o.text.WriteString(s)
			return
		}
		o.text.WriteString(s[:n+1])
		s = s[n+1:]
		o.open = false
		if literal {
			line++
		}
	}
}

func evaluate(ctx context.Context, path, text string, options Options, env *environment, out *output) error {
	tokens, err := lexTemplate(text)
	if err != nil {
		return err
	}
	p := &rubyParser{tokens: tokens, locals: map[string]bool{}}
	program, err := p.program()
	if err != nil {
		return err
	}
	r := &ruby{ctx: ctx, path: path, options: options, env: env, out: out, locals: map[string]Value{}}
	_, err = program(r)
	return err
}

// ruby is the state of a template while it is evaluated.
type ruby struct {
	ctx     context.Context
	path    string
	options Options
	env     *environment
	out     *output
	locals  map[string]Value
	steps   int
}

func (r *ruby) fail(line int, format string, args ...any) error {
	return &Error{Position: Position{File: r.path, Line: line}, Problem: fmt.Sprintf(format, args...), Hint: "change the template at this line, or what it needs"}
}

// shell is a backtick command: its output counts even when it fails.
func (r *ruby) shell(line int, command string) (Value, error) {
	if r.options.Run == nil {
		return Value{}, r.fail(line, "the template runs a command, and there is no shell to run it: %s", command)
	}
	stdout, err := r.options.Run(r.ctx, command)
	if err != nil && r.ctx.Err() != nil {
		return Value{}, r.ctx.Err()
	}
	return StringValue(stdout), nil
}

// dotenv reads .env files into ENV: Dotenv.load keeps what is set, overload does
// not, and the forms with ! want the files to exist.
func (r *ruby) dotenv(line int, method string, names []string) error {
	if len(names) == 0 {
		names = []string{".env"}
	}
	overwrite, required := strings.HasPrefix(method, "over"), strings.HasSuffix(method, "!")
	if overwrite {
		slices.Reverse(names)
	}
	for _, name := range names {
		entries, err := r.readEnv(name, overwrite)
		if errors.Is(err, os.ErrNotExist) && !required {
			continue
		}
		if err != nil {
			return r.fail(line, "Dotenv.%s: %v", method, err)
		}
		for _, entry := range entries {
			if _, set := r.env.get(entry.Name); !set || overwrite {
				r.env.put(entry.Name, entry.Value.Reveal())
			}
		}
	}
	return nil
}

func (r *ruby) readEnv(name string, overwrite bool) ([]secret.Entry, error) {
	text, err := os.ReadFile(r.options.path(filepath.FromSlash(name)))
	if err != nil {
		return nil, err
	}
	entries, err := secret.ParseEnv(r.ctx, string(text), r.env.get, r.options.Run, overwrite)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return entries, nil
}

// Helpers

// tagColumn is where the first tag of a line stands, counted from 1.
func tagColumn(text string, line int) int {
	for at := range strings.Lines(text) {
		if line--; line == 0 {
			return len([]rune(at[:max(strings.Index(at, "<%"), 0)])) + 1
		}
	}
	return 1
}

// alignLines guesses where the lines of foreign output came from: equal lines pair
// up in order, the others take the line of the last pair.
func alignLines(template, rendered string) []int {
	from := strings.Split(template, "\n")
	var lines []int
	next, last := 0, 1
	for _, line := range strings.Split(rendered, "\n") {
		for i := next; i < len(from); i++ {
			if from[i] == line && strings.TrimSpace(line) != "" {
				next, last = i+1, i+1
				break
			}
		}
		lines = append(lines, last)
	}
	return lines
}
