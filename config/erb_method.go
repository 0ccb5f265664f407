package config

import (
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// methodCall is one call of a Ruby method with evaluated arguments.
type methodCall struct {
	ruby  *ruby
	line  int
	name  string
	args  []Value
	block *rubyBlock
	send  string
}

// constantMethod is a call on a constant that templates make, or nil.
func constantMethod(name string) func(methodCall) (Value, error) {
	switch name {
	case "ENV.fetch":
		return envFetch
	case "ENV.key?", "ENV.has_key?", "ENV.include?":
		return envKey
	case "Dotenv.load", "Dotenv.load!", "Dotenv.overload", "Dotenv.overload!", "Dotenv.overwrite", "Dotenv.overwrite!":
		return dotenvLoad
	case "Dotenv.parse":
		return dotenvParse
	case "Kamal::Utils.docker_arch":
		return dockerArch
	case "File.read":
		return fileRead
	case "File.exist?":
		return fileExist
	case "File.join":
		return fileJoin
	case "File.basename":
		return func(c methodCall) (Value, error) { return StringValue(filepath.Base(c.text(0, ""))), nil }
	case "Dir.pwd":
		return func(c methodCall) (Value, error) { return StringValue(c.ruby.options.Dir), nil }
	default:
		return nil
	}
}

// textMethods work on anything that prints; listMethods on lists.
const (
	textMethods = " strip lstrip rstrip chomp chop to_s to_str to_i to_f to_sym split upcase downcase capitalize swapcase empty? nil? " +
		"include? start_with? end_with? gsub sub tr delete lines length size present? blank? presence delete_prefix delete_suffix " +
		"reverse inspect to_json freeze dup squish first last concat casecmp? chars zero? positive? match? scan "
	listMethods = " join map collect each each_with_index select filter reject uniq compact flatten sort any? all? none? to_a take drop count "
	mapMethods  = " fetch key? has_key? keys values dig "
)

func knownMethod(name string) bool {
	return strings.Contains(textMethods+listMethods+mapMethods, " "+name+" ")
}

// on calls the method of a value.
func (c methodCall) on(self Value) (Value, error) {
	if c.ruby.steps++; c.ruby.steps > maxSteps {
		return Value{}, c.ruby.fail(c.line, "the template does not come to an end")
	}
	if v, ok := c.common(self); ok {
		return v, nil
	}
	switch self.kind {
	case List:
		return c.onList(self)
	case Map:
		return c.onMap(self)
	case String, Symbol:
		if len(c.args) > 0 && c.args[0].kind == patternKind {
			return c.onPattern(self.text)
		}
		return c.onText(self.text)
	case Int, Float:
		return c.onNumber(self)
	case Nil:
		if c.name == "to_a" {
			return ListValue(), nil
		}
		if c.name == "to_i" {
			return IntValue(0), nil
		}
		return Value{}, c.ruby.fail(c.line, "undefined method `%s' for nil", c.name)
	}
	return Value{}, c.unknown(self)
}

// Private

func (c methodCall) unknown(self Value) error {
	return &beyondError{c.line, "." + c.name + " of " + self.inspect()}
}

func (c methodCall) common(self Value) (Value, bool) {
	switch c.name {
	case "to_s":
		return StringValue(self.String()), true
	case "inspect":
		return StringValue(self.inspect()), true
	case "nil?":
		return BoolValue(self.IsNil()), true
	case "present?":
		return BoolValue(self.Present()), true
	case "blank?":
		return BoolValue(!self.Present()), true
	case "presence":
		if self.Present() {
			return self, true
		}
		return Value{}, true
	case "freeze", "dup":
		return self, true
	case "to_json":
		return StringValue(rubyJSON(self)), true
	}
	return Value{}, false
}

func (c methodCall) text(i int, fallback string) string {
	if i < len(c.args) {
		return c.args[i].String()
	}
	return fallback
}

func (c methodCall) onText(s string) (Value, error) {
	switch c.name {
	case "strip":
		return StringValue(strings.Trim(s, " \t\n\v\f\r\x00")), nil
	case "lstrip":
		return StringValue(strings.TrimLeft(s, " \t\n\v\f\r\x00")), nil
	case "rstrip":
		return StringValue(strings.TrimRight(s, " \t\n\v\f\r\x00")), nil
	case "chomp":
		if len(c.args) > 0 {
			return StringValue(strings.TrimSuffix(s, c.text(0, ""))), nil
		}
		return StringValue(strings.TrimSuffix(strings.TrimSuffix(s, "\n"), "\r")), nil
	case "chop":
		return StringValue(s[:max(len(s)-1, 0)]), nil
	case "squish":
		return StringValue(strings.Join(strings.Fields(s), " ")), nil
	case "upcase":
		return StringValue(strings.ToUpper(s)), nil
	case "downcase":
		return StringValue(strings.ToLower(s)), nil
	case "swapcase":
		return StringValue(strings.Map(swapCase, s)), nil
	case "capitalize":
		r := []rune(strings.ToLower(s))
		if len(r) > 0 {
			r[0] = unicode.ToUpper(r[0])
		}
		return StringValue(string(r)), nil
	case "to_str":
		return StringValue(s), nil
	case "to_sym":
		return symbol(s), nil
	case "to_i":
		return IntValue(int64(leadingInt(strings.ReplaceAll(s, "_", "")))), nil
	case "to_f":
		return floatValue(leadingFloat(s)), nil
	case "length", "size", "count":
		return IntValue(int64(len([]rune(s)))), nil
	}
	return c.onTextParts(s)
}

func (c methodCall) onTextParts(s string) (Value, error) {
	switch c.name {
	case "empty?":
		return BoolValue(s == ""), nil
	case "include?":
		return BoolValue(strings.Contains(s, c.text(0, ""))), nil
	case "start_with?":
		return BoolValue(slices.ContainsFunc(c.args, func(v Value) bool { return strings.HasPrefix(s, v.String()) })), nil
	case "end_with?":
		return BoolValue(slices.ContainsFunc(c.args, func(v Value) bool { return strings.HasSuffix(s, v.String()) })), nil
	case "casecmp?":
		return BoolValue(strings.EqualFold(s, c.text(0, ""))), nil
	case "delete_prefix":
		return StringValue(strings.TrimPrefix(s, c.text(0, ""))), nil
	case "delete_suffix":
		return StringValue(strings.TrimSuffix(s, c.text(0, ""))), nil
	case "gsub":
		if len(c.args) == 2 {
			return StringValue(strings.ReplaceAll(s, c.text(0, ""), c.text(1, ""))), nil
		}
	case "sub":
		if len(c.args) == 2 {
			return StringValue(strings.Replace(s, c.text(0, ""), c.text(1, ""), 1)), nil
		}
	case "tr":
		if from, to := []rune(c.text(0, "")), []rune(c.text(1, "")); len(from) == 1 && len(to) == 1 && from[0] != '^' {
			return StringValue(strings.ReplaceAll(s, string(from), string(to))), nil
		}
	case "delete":
		if from := c.text(0, ""); len(from) == 1 && from != "^" {
			return StringValue(strings.ReplaceAll(s, from, "")), nil
		}
	case "reverse":
		r := []rune(s)
		slices.Reverse(r)
		return StringValue(string(r)), nil
	case "concat":
		return StringValue(s + c.text(0, "")), nil
	case "lines":
		return textList(slices.Collect(strings.Lines(s))), nil
	case "chars":
		return textList(strings.Split(s, "")), nil
	case "split":
		return textList(rubySplit(s, c.text(0, " "))), nil
	case "first", "last":
		return c.end([]rune(s))
	}
	return Value{}, c.unknown(StringValue(s))
}

// end is first or last of a text, as ActiveSupport adds them.
func (c methodCall) end(r []rune) (Value, error) {
	n := 1
	if len(c.args) > 0 {
		n, _ = c.args[0].Int()
	}
	n = min(max(n, 0), len(r))
	if c.name == "last" {
		return StringValue(string(r[len(r)-n:])), nil
	}
	return StringValue(string(r[:n])), nil
}

func (c methodCall) onNumber(self Value) (Value, error) {
	f, _ := strconv.ParseFloat(self.text, 64)
	switch c.name {
	case "to_i":
		if math.Abs(f) < 1<<53 {
			return IntValue(int64(f)), nil
		}
	case "to_f":
		return floatValue(f), nil
	case "zero?":
		return BoolValue(f == 0), nil
	case "positive?":
		return BoolValue(f > 0), nil
	}
	return Value{}, c.unknown(self)
}

// Constants

func envFetch(c methodCall) (Value, error) {
	name := c.text(0, "")
	if value, ok := c.ruby.env.get(name); ok {
		return StringValue(value), nil
	}
	switch {
	case c.block != nil:
		return c.yield(StringValue(name))
	case len(c.args) > 1:
		return c.args[1], nil
	}
	return Value{}, &Error{Position: Position{File: c.ruby.path, Line: c.line}, Problem: "key not found: " + inspectString(name),
		Hint: "set " + name + " in the environment, or give ENV.fetch a default"}
}

func envKey(c methodCall) (Value, error) {
	_, ok := c.ruby.env.get(c.text(0, ""))
	return BoolValue(ok), nil
}

func dotenvLoad(c methodCall) (Value, error) {
	var names []string
	for _, arg := range c.args {
		names = append(names, arg.texts()...)
	}
	return Value{}, c.ruby.dotenv(c.line, c.name, names)
}

func dotenvParse(c methodCall) (Value, error) {
	parsed := Value{kind: Map}
	names := []string{".env"}
	if len(c.args) > 0 {
		names = ListValue(c.args...).texts()
	}
	for _, name := range names {
		entries, err := c.ruby.readEnv(name, false)
		if err != nil {
			return Value{}, c.ruby.fail(c.line, "Dotenv.parse: %v", err)
		}
		for _, entry := range entries {
			if _, taken := parsed.get(entry.Name); !taken {
				parsed.set(StringValue(entry.Name), StringValue(entry.Value.Reveal()))
			}
		}
	}
	return parsed, nil
}

func dockerArch(c methodCall) (Value, error) {
	out, err := c.ruby.shell(c.line, "docker info --format '{{.Architecture}}'")
	if err != nil {
		return Value{}, err
	}
	switch arch := strings.TrimSpace(out.text); {
	case strings.Contains(arch, "aarch64"):
		return StringValue("arm64"), nil
	case strings.Contains(arch, "x86_64"):
		return StringValue("amd64"), nil
	default:
		return StringValue(arch), nil
	}
}

func fileRead(c methodCall) (Value, error) {
	text, err := os.ReadFile(c.ruby.options.path(filepath.FromSlash(c.text(0, ""))))
	if err != nil {
		return Value{}, c.ruby.fail(c.line, "File.read: %v", err)
	}
	return StringValue(string(text)), nil
}

func fileExist(c methodCall) (Value, error) {
	_, err := os.Stat(c.ruby.options.path(filepath.FromSlash(c.text(0, ""))))
	return BoolValue(err == nil), nil
}

func fileJoin(c methodCall) (Value, error) {
	var b strings.Builder
	for i, arg := range c.args {
		part := arg.String()
		if i > 0 {
			part = "/" + strings.TrimLeft(part, "/")
		}
		if i < len(c.args)-1 {
			part = strings.TrimRight(part, "/")
		}
		b.WriteString(part)
	}
	return StringValue(b.String()), nil
}

// Helpers

func swapCase(r rune) rune {
	if unicode.IsUpper(r) {
		return unicode.ToLower(r)
	}
	return unicode.ToUpper(r)
}

// rubySplit drops empty texts at the end, and takes a space for any white space.
func rubySplit(s, separator string) []string {
	if separator == " " {
		return strings.Fields(s)
	}
	parts := strings.Split(s, separator)
	for len(parts) > 0 && parts[len(parts)-1] == "" {
		parts = parts[:len(parts)-1]
	}
	return parts
}

func leadingFloat(s string) float64 {
	s = strings.TrimSpace(s)
	for end := len(s); end > 0; end-- {
		if f, err := strconv.ParseFloat(s[:end], 64); err == nil {
			return f
		}
		if end > 40 {
			end = 40
		}
	}
	return 0
}
