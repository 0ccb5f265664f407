package secret

import (
	"context"
	"fmt"
	"regexp"
	"strings"
)

// dotenvLine is the grammar of dotenv 3: text that it does not match is skipped.
var dotenvLine = regexp.MustCompile(`(?m)^[\s\v]*(export[\s\v]+)?([\w.]+)` +
	`(?:(?:[\s\v]*=[\s\v]*?|:[\s\v]+?)([\s\v]*'(?:\\'|[^'])*'|[\s\v]*"(?:\\"|[^"])*"|[^#\n]+)?)?` +
	`[\s\v]*(?:#.*)?$`)

var (
	lineBreaks    = regexp.MustCompile(`\r\n?`)
	unescaped     = regexp.MustCompile(`(?s)\\([^$])`)
	secretsInline = regexp.MustCompile(`\A\s*(?:kamal|binnacle)\s*secrets\s+`)
)

// FormatError is dotenv's complaint about `export NAME` of a name that no
// earlier line has set.
type FormatError struct{ Line string }

// Error implements error with dotenv's words.
func (e *FormatError) Error() string {
	return fmt.Sprintf("Line %q has an unset variable", e.Line)
}

// ParseEnv reads the text of a .env file by the same grammar, with variables
// resolved against env and commands run by run; run may be nil, which leaves
// commands as they are written. Unless it overwrites, a name that env has keeps
// the value it has there.
func ParseEnv(ctx context.Context, text string, env func(string) (string, bool), run Runner, overwrite bool) ([]Entry, error) {
	p := parser{ctx: ctx, options: Options{Env: env, Run: run}, keep: !overwrite}
	return p.parse(text)
}

// Private

// parser evaluates one file. Later lines see the names that earlier lines set.
type parser struct {
	ctx     context.Context
	options Options
	failed  func(Failure)
	keep    bool

	names  []string
	values map[string]string
}

func (p *parser) parse(text string) ([]Entry, error) {
	p.values = map[string]string{}
	text = lineBreaks.ReplaceAllString(strings.TrimPrefix(text, "\ufeff"), "\n")
	for _, at := range dotenvLine.FindAllStringSubmatchIndex(text, -1) {
		key, exported, hasValue := text[at[4]:at[5]], at[2] >= 0, at[6] >= 0
		if value, ok := p.kept(key); ok {
			p.set(key, value)
			continue
		}
		if exported && !hasValue {
			if _, set := p.values[key]; !set {
				return nil, &FormatError{Line: text[at[0]:at[1]]}
			}
			continue
		}
		raw := ""
		if hasValue {
			raw = text[at[6]:at[7]]
		}
		value, err := p.value(raw)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", key, err)
		}
		p.set(key, value)
	}
	entries := make([]Entry, len(p.names))
	for i, name := range p.names {
		entries[i] = Entry{Name: name, Value: New(p.values[name])}
	}
	return entries, nil
}

func (p *parser) set(key, value string) {
	if _, known := p.values[key]; !known {
		p.names = append(p.names, key)
	}
	p.values[key] = value
}

// kept is the value that a name has already, when files do not overwrite.
func (p *parser) kept(key string) (string, bool) {
	if !p.keep || p.options.Env == nil || key == "DOTENV_LINEBREAK_MODE" {
		return "", false
	}
	return p.options.Env(key)
}

func (p *parser) value(raw string) (string, error) {
	value, quote := unquote(strings.Trim(raw, " \t\n\v\f\r\x00"))
	if quote == '\'' {
		return value, nil
	}
	if quote == '"' {
		value = p.protectLineBreaks(value)
	}
	value = unescaped.ReplaceAllString(value, "$1")
	value, err := p.substituteCommands(value)
	if err != nil {
		return "", err
	}
	return p.substituteVariables(value), nil
}

func (p *parser) protectLineBreaks(value string) string {
	mode, set := p.values["DOTENV_LINEBREAK_MODE"]
	if !set {
		mode = p.env("DOTENV_LINEBREAK_MODE")
	}
	if mode == "legacy" {
		return strings.NewReplacer(`\n`, "\n", `\r`, "\r").Replace(value)
	}
	return strings.NewReplacer(`\n`, `\\n`, `\r`, `\\r`).Replace(value)
}

func (p *parser) substituteCommands(value string) (string, error) {
	var out strings.Builder
	for i := 0; i < len(value); {
		start := i
		escaped := value[i] == '\\'
		if escaped {
			i++
		}
		if i >= len(value) || value[i] != '$' {
			out.WriteByte(value[start])
			i = start + 1
			continue
		}
		end := closingParen(value, i+1)
		switch {
		case end < 0:
			out.WriteByte(value[start])
			i = start + 1
			continue
		case escaped:
			out.WriteString(value[i:end])
		default:
			result, err := p.command(p.substituteVariables(value[i+2 : end-1]))
			if err != nil {
				return "", err
			}
			out.WriteString(result)
		}
		i = end
	}
	return out.String(), nil
}

func (p *parser) command(command string) (string, error) {
	if secretsInline.MatchString(command) {
		words, err := SplitShell(command)
		if err != nil {
			return "", err
		}
		inline := p.options.Inline
		if inline == nil {
			inline = Vaults{Run: noProcess, Env: p.options.Env}.Inline
		}
		result, err := inline(p.ctx, words[min(2, len(words)):])
		if err != nil {
			return "", err
		}
		return chomp(result), nil
	}
	if p.options.Run == nil {
		return "$(" + command + ")", nil
	}
	stdout, err := p.options.Run(p.ctx, command)
	if err != nil {
		if p.ctx.Err() != nil {
			return "", p.ctx.Err()
		}
		if p.failed != nil {
			p.failed(Failure{Command: command, Err: err})
		}
	}
	return chomp(stdout), nil
}

func (p *parser) substituteVariables(value string) string {
	var out strings.Builder
	for i := 0; i < len(value); {
		dollar := i
		if value[i] == '\\' && i+1 < len(value) && value[i+1] == '$' {
			dollar++
		}
		if value[dollar] != '$' || dollar+1 < len(value) && value[dollar+1] == '(' {
			out.WriteByte(value[i])
			i++
			continue
		}
		name, end := variableAt(value, dollar+1)
		switch {
		case dollar > i || name == "":
			out.WriteString(value[dollar:end])
		default:
			out.WriteString(p.lookup(name))
		}
		i = end
	}
	return out.String()
}

func (p *parser) lookup(name string) string {
	if value, ok := p.values[name]; ok {
		return value
	}
	return p.env(name)
}

func (p *parser) env(name string) string {
	if p.options.Env == nil {
		return ""
	}
	value, _ := p.options.Env(name)
	return value
}

// Helpers

// noProcess is what a reader that was given no world answers to adapters.
func noProcess(_ context.Context, c Command) (string, error) {
	return "", fmt.Errorf("%s: no command can be run here", c)
}

func unquote(value string) (string, byte) {
	if n := len(value); n >= 2 && (value[0] == '\'' || value[0] == '"') && value[n-1] == value[0] {
		return value[1 : n-1], value[0]
	}
	return value, 0
}

// closingParen returns the place after the parenthesis that closes the one at
// i, or -1 when there is none, or nothing in between.
func closingParen(s string, i int) int {
	if i >= len(s) || s[i] != '(' {
		return -1
	}
	depth, empty := 0, true
	for ; i < len(s); i++ {
		switch s[i] {
		case '\\':
			if i+1 >= len(s) || s[i+1] == '\n' {
				return -1
			}
			i++
			empty = false
		case '(':
			depth++
			empty = true
		case ')':
			if empty {
				return -1
			}
			if depth--; depth == 0 {
				return i + 1
			}
		default:
			empty = false
		}
	}
	return -1
}

func variableAt(s string, i int) (name string, end int) {
	if i < len(s) && s[i] == '{' {
		i++
	}
	start := i
	for i < len(s) && (s[i] == '_' || s[i] >= '0' && s[i] <= '9' || s[i] >= 'A' && s[i] <= 'Z' || s[i] >= 'a' && s[i] <= 'z') {
		i++
	}
	name = s[start:i]
	if i < len(s) && s[i] == '}' {
		i++
	}
	return name, i
}

func chomp(s string) string {
	if t, ok := strings.CutSuffix(s, "\r\n"); ok {
		return t
	}
	if t, ok := strings.CutSuffix(s, "\n"); ok {
		return t
	}
	return strings.TrimSuffix(s, "\r")
}
