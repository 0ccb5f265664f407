package config

import (
	"regexp"
	"strings"
)

// patternKind is a Ruby regular expression while a template is evaluated; it never
// gets into a tree. Its text is what Go's regexp takes.
const patternKind Kind = -1

var (
	rubyBackslash = regexp.MustCompile(`\\[hZ]`)
	replacement   = regexp.MustCompile(`\\(?:([0-9])|k<([A-Za-z_]\w*)>)`)
)

// pattern is a regular expression that means the same to Ruby and to Go.
func (p *rubyParser) pattern() (expr, error) {
	t := p.next()
	text, err := p.interpolated(t.parts)
	if err != nil {
		return nil, err
	}
	flags := "m"
	for _, flag := range t.text {
		switch flag {
		case 'i':
			flags += "i"
		case 'm':
			flags += "s"
		default:
			return nil, &beyondError{t.line, "this regular expression"}
		}
	}
	compile := func(source string) (Value, error) {
		source = "(?" + flags + ")" + rubyBackslash.ReplaceAllStringFunc(source, func(s string) string {
			if s == `\h` {
				return `[0-9a-fA-F]`
			}
			return `(?:\n?\z)`
		})
		if _, err := regexp.Compile(source); err != nil {
			return Value{}, &beyondError{t.line, "this regular expression"}
		}
		return Value{kind: patternKind, text: source}, nil
	}
	if len(t.parts) <= 1 && plainParts(t.parts) != "" && !t.parts[0].code {
		compiled, err := compile(t.parts[0].text)
		return constant(compiled), err
	}
	return func(r *ruby) (Value, error) {
		source, err := text(r)
		if err != nil {
			return Value{}, err
		}
		return compile(source.text)
	}, nil
}

// Private

// onPattern calls a method of a text whose first argument is a pattern.
func (c methodCall) onPattern(s string) (Value, error) {
	re, err := regexp.Compile(c.args[0].text)
	if err != nil {
		return Value{}, &beyondError{c.line, "this regular expression"}
	}
	switch {
	case c.name == "match?":
		return BoolValue(re.MatchString(s)), nil
	case c.name == "gsub" && len(c.args) == 2:
		return StringValue(re.ReplaceAllString(s, goReplacement(c.args[1].String()))), nil
	case c.name == "sub" && len(c.args) == 2:
		at := re.FindStringSubmatchIndex(s)
		if at == nil {
			return StringValue(s), nil
		}
		middle := re.ExpandString(nil, goReplacement(c.args[1].String()), s, at)
		return StringValue(s[:at[0]] + string(middle) + s[at[1]:]), nil
	case c.name == "split" && re.NumSubexp() == 0 && !re.MatchString(""):
		parts := re.Split(s, -1)
		for len(parts) > 0 && parts[len(parts)-1] == "" {
			parts = parts[:len(parts)-1]
		}
		return textList(parts), nil
	case c.name == "scan" && re.NumSubexp() == 0:
		return textList(re.FindAllString(s, -1)), nil
	}
	return Value{}, &beyondError{c.line, "." + c.name + " with this regular expression"}
}

// matchOperator is =~ and !~, of which only the truth counts here.
func matchOperator(line int, op string, a, b Value) (Value, error) {
	if a.kind == patternKind {
		a, b = b, a
	}
	if b.kind != patternKind || !a.scalar() {
		return Value{}, &beyondError{line, "the operator " + op}
	}
	re, err := regexp.Compile(b.text)
	if err != nil {
		return Value{}, &beyondError{line, "this regular expression"}
	}
	at := re.FindStringIndex(a.text)
	switch {
	case op == "!~":
		return BoolValue(a.IsNil() || at == nil), nil
	case a.IsNil() || at == nil:
		return Value{}, nil
	default:
		return IntValue(int64(len([]rune(a.text[:at[0]])))), nil
	}
}

// patternPart is text[/re/] and text[/re/, n].
func patternPart(line int, s string, args []Value) (Value, error) {
	re, err := regexp.Compile(args[0].text)
	if err != nil {
		return Value{}, &beyondError{line, "this regular expression"}
	}
	group := 0
	if len(args) > 1 {
		group, _ = args[1].Int()
	}
	at := re.FindStringSubmatchIndex(s)
	if at == nil || group < 0 || group > re.NumSubexp() || at[2*group] < 0 {
		return Value{}, nil
	}
	return StringValue(s[at[2*group]:at[2*group+1]]), nil
}

// Helpers

// goReplacement turns \1 and \k<name> into what Go's regexp takes.
func goReplacement(s string) string {
	s = strings.ReplaceAll(s, "$", "$$")
	return replacement.ReplaceAllString(s, "$${$1$2}")
}
