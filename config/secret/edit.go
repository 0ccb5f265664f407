package secret

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

var (
	secretName = regexp.MustCompile(`\A[A-Za-z0-9_.]+\z`)
	plainValue = regexp.MustCompile(`\A[A-Za-z0-9_./:@%+,-]+\z`)
	separator  = regexp.MustCompile(`\A[ \t]*(=|:)`)
)

// SetIn gives a name a value in the text of a secrets file, and returns the new
// text. Comments, order and all other values stay. The last definition counts,
// so that is the one replaced; a new name goes to the end. No error contains the
// value.
func SetIn(ctx context.Context, text, name string, value Value) (string, error) {
	if !secretName.MatchString(name) {
		return "", fmt.Errorf("%q cannot be the name of a secret: letters, digits, _ and . only", name)
	}
	if strings.ContainsAny(value.Reveal(), "\r\x00") {
		return "", fmt.Errorf("the value of %s has a carriage return or a zero byte, which a secrets file cannot keep", name)
	}
	bom, crlf := strings.HasPrefix(text, "\ufeff"), strings.Contains(text, "\r\n")
	before := normalised(text)
	if _, err := literally(ctx, before); err != nil {
		return "", err
	}
	for _, written := range spellings(value.Reveal()) {
		after := place(before, name, written)
		if !keeps(ctx, before, after, name, value) {
			continue
		}
		if crlf {
			after = strings.ReplaceAll(after, "\n", "\r\n")
		}
		if bom {
			after = "\ufeff" + after
		}
		return after, nil
	}
	return "", fmt.Errorf("the value of %s cannot be written into a secrets file: no quoting keeps it as it is; "+
		"keep it elsewhere and name the command that prints it, as %s=$(…)", name, name)
}

// Private

// place writes a spelled value into the text.
func place(text, name, written string) string {
	all := assignments(text)
	slices.Reverse(all)
	i := slices.IndexFunc(all, func(a assignment) bool { return a.name == name && !a.exported })
	if i < 0 {
		if text != "" && !strings.HasSuffix(text, "\n") {
			text += "\n"
		}
		return text + name + "=" + written + "\n"
	}
	a := all[i]
	if a.to > 0 {
		rest := text[a.to:]
		if strings.HasPrefix(rest, "#") {
			written += " "
		}
		return text[:a.from] + written + rest
	}
	rest := text[a.key:]
	if m := separator.FindString(rest); m != "" {
		rest = rest[len(m):]
	}
	return text[:a.key] + "=" + written + rest
}

// keeps reports that the new text says what was wanted of the name, and that all
// other definitions are written as before.
func keeps(ctx context.Context, before, after, name string, value Value) bool {
	now, err := literally(ctx, after)
	if err != nil || !slices.Equal(others(before, name), others(after, name)) {
		return false
	}
	return slices.ContainsFunc(now, func(e Entry) bool { return e.Name == name && e.Value.Reveal() == value.Reveal() })
}

// others are the definitions of all other names.
func others(text, name string) []string {
	var out []string
	for _, a := range assignments(text) {
		if a.name != name || a.exported {
			out = append(out, a.name+"="+a.raw)
		}
	}
	return out
}

// literally reads a text with commands and variables standing for themselves.
func literally(ctx context.Context, text string) ([]Entry, error) {
	p := parser{ctx: ctx, options: Options{
		Env: func(variable string) (string, bool) {
			return "\x00" + variable, variable != "DOTENV_LINEBREAK_MODE"
		},
		Run:    func(_ context.Context, command string) (string, error) { return "\x01" + command, nil },
		Inline: func(_ context.Context, words []string) (string, error) { return "\x02" + strings.Join(words, " "), nil },
	}}
	return p.parse(text)
}

// Helpers

// spellings are the ways to write a value, the plainest first.
func spellings(value string) []string {
	var out []string
	if plainValue.MatchString(value) || value == "" {
		out = append(out, value)
	}
	escaped := strings.NewReplacer(`\`, `\\`, `"`, `\"`, `$`, `\$`).Replace(value)
	return append(out, "'"+value+"'", `"`+escaped+`"`)
}

// ErrNothingGiven is the error of a value that was asked for and not given.
var ErrNothingGiven = errors.New("no value was given")
