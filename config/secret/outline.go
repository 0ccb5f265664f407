package secret

import (
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"strings"
)

// Place is where a secret is defined and where its value comes from. It is read
// from the file's text alone: nothing is evaluated, and no value is in it.
type Place struct {
	Name string
	File string
	Line int
	From string
}

// Outline lists the secrets that the files define, in the order in which the
// files name them first. Of several definitions the one that counts is told.
func (s *Secrets) Outline() ([]Place, error) {
	var out []Place
	index := map[string]int{}
	for _, file := range s.Candidates() {
		text, err := s.options.ReadFile(file)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("reading secrets: %w", err)
		}
		for _, a := range assignments(string(text)) {
			if a.exported {
				continue
			}
			place := Place{Name: a.name, File: file, Line: a.line, From: origin(a.raw)}
			if i, known := index[a.name]; known {
				out[i] = place
				continue
			}
			index[a.name] = len(out)
			out = append(out, place)
		}
	}
	return out, nil
}

// Private

// assignment is one definition in a file's text, whose line ends are \n.
type assignment struct {
	name     string
	raw      string
	line     int
	exported bool // `export NAME` of a name from before: no definition
	key      int  // where the name ends
	from, to int  // the raw value; both 0 for none
}

func assignments(text string) []assignment {
	text = normalised(text)
	var out []assignment
	for _, at := range dotenvLine.FindAllStringSubmatchIndex(text, -1) {
		a := assignment{
			name: text[at[4]:at[5]], key: at[5], line: 1 + strings.Count(text[:at[4]], "\n"),
			exported: at[2] >= 0 && at[6] < 0,
		}
		if at[6] >= 0 {
			a.raw, a.from, a.to = text[at[6]:at[7]], at[6], at[7]
		}
		out = append(out, a)
	}
	return out
}

// Helpers

func normalised(text string) string {
	return lineBreaks.ReplaceAllString(strings.TrimPrefix(text, "\ufeff"), "\n")
}

var (
	wholeVariable = regexp.MustCompile(`\A\$\{?(\w+)\}?\z`)
	wholeCommand  = regexp.MustCompile(`(?s)\A\$\(\s*(.*)\)\z`)
	adapterOption = regexp.MustCompile(`(?:--adapter|-a)[ =]*([\w-]+)`)
	anyVariable   = regexp.MustCompile(`\$(?:\w+|\{\w+\})`)
)

// origin says where a raw value comes from. Of a command only the program is
// named: its arguments may be secret.
func origin(raw string) string {
	value, quote := unquote(strings.TrimSpace(raw))
	if quote == '\'' {
		return "the file"
	}
	if value == "" {
		return "empty"
	}
	if m := wholeVariable.FindStringSubmatch(value); m != nil {
		return "$" + m[1]
	}
	if m := wholeCommand.FindStringSubmatch(value); m != nil {
		return originOfCommand(m[1])
	}
	switch {
	case strings.Contains(strings.ReplaceAll(value, `\$(`, ""), "$("):
		return "the file and a command"
	case anyVariable.MatchString(strings.ReplaceAll(value, `\$`, "")):
		return "the file and variables"
	}
	return "the file"
}

func originOfCommand(command string) string {
	words := strings.Fields(command)
	switch {
	case len(words) == 0:
		return "a command"
	case !secretsInline.MatchString(command):
		if strings.ContainsAny(words[0], "=$'\"\\(") {
			return "a command"
		}
		return "command " + words[0]
	case strings.HasPrefix(strings.TrimSpace(secretsInline.ReplaceAllString(command, "")), "extract"):
		if m := anyVariable.FindString(command); m != "" {
			return "secrets extract from " + m
		}
		return "secrets extract"
	}
	if m := adapterOption.FindStringSubmatch(command); m != nil {
		return "secrets fetch from " + m[1]
	}
	return "secrets fetch"
}
