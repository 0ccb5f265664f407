// Package argv reads command lines by the rules that Kamal's users know: options
// anywhere, dashes or underscores in their names, letters in a bunch, hashes and
// lists of several words, and words that are a command of their own. It imports
// the standard library alone.
package argv

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Kind says what an option takes.
type Kind int

// The kinds of options.
const (
	Value  Kind = iota // one word
	Switch             // nothing; --no-NAME turns it off
	Number             // one number
	Pairs              // NAME:value, as many as follow
	Many               // all words up to the next option
)

// Option is one option of a command.
type Option struct {
	Name   string // long, with dashes
	Letter string // "" for none
	Kind   Kind
	// Early options count only before the first word of a command line that ends
	// in somebody else's command: behind it they belong to that command.
	Early bool
}

// Given is one value of an option; Many and Pairs give several.
type Given struct {
	Name  string
	Value string // of a Switch: "true" or "false"
}

// String is the spelling without doubt: --name=value.
func (g Given) String() string { return "--" + g.Name + "=" + g.Value }

// Line is a command line that has been read.
type Line struct {
	Given []Given
	Words []string
	Rest  []string // what UntilWord left unread
}

// Last is the value that an option was given last.
func (l Line) Last(name string) (string, bool) {
	for _, g := range slices.Backward(l.Given) {
		if g.Name == name {
			return g.Value, true
		}
	}
	return "", false
}

// Reader knows a command's options.
type Reader struct {
	Options []Option
	// Command keeps options that nobody knows as words: the words are a command.
	Command bool
	// UntilWord stops at the first word.
	UntilWord bool
}

// UnknownError is an option that the command does not have.
type UnknownError struct{ Text string }

// Error names the option.
func (e *UnknownError) Error() string { return "unknown flag: " + e.Text }

// ValueError is an option whose value is missing or wrong.
type ValueError struct {
	Option Option
	Text   string // as typed
	Why    string
}

// Error says what is wrong.
func (e *ValueError) Error() string { return e.Why }

// Read reads a command line. Everything behind `--` is a word.
func (r Reader) Read(args []string) (Line, error) {
	p := &reading{Reader: r, args: args}
	for len(p.args) > 0 {
		arg := p.args[0]
		if arg == "--" && !r.UntilWord {
			p.line.Words = append(p.line.Words, p.args[1:]...)
			return p.line, nil
		}
		option, err := p.option(arg)
		if err != nil {
			return p.line, err
		}
		if option {
			continue
		}
		if r.UntilWord {
			p.line.Rest = p.args
			return p.line, nil
		}
		p.line.Words = append(p.line.Words, p.shift())
	}
	return p.line, nil
}

// Private

type reading struct {
	Reader
	args []string
	line Line
}

// option consumes an option with its values; false leaves a word.
func (p *reading) option(arg string) (bool, error) {
	name, value, attached := split(arg)
	if letters := bunch(arg); letters != "" {
		return p.letters(arg, letters)
	}
	if name == "" {
		return false, nil
	}
	o, negated, ok := p.find(name)
	if !ok {
		if p.Command {
			return false, nil
		}
		return false, &UnknownError{Text: name}
	}
	p.shift()
	if attached {
		return true, p.attached(o, name, value, negated)
	}
	return true, p.take(o, name, negated)
}

// letters takes `-vd` apart when all of it is known; `-dstaging` is -d with its
// value.
func (p *reading) letters(arg, letters string) (bool, error) {
	known := func(letter rune) bool { _, _, ok := p.find("-" + string(letter)); return ok }
	if !strings.ContainsFunc(letters, func(l rune) bool { return !known(l) }) {
		apart := make([]string, 0, len(letters))
		for _, l := range letters {
			apart = append(apart, "-"+string(l))
		}
		p.args = append(apart, p.args[1:]...)
		return true, nil
	}
	if p.Command {
		return false, nil
	}
	first := "-" + letters[:1]
	if o, _, ok := p.find(first); ok && o.Kind != Switch {
		p.shift()
		return true, p.attached(o, first, letters[1:], false)
	}
	i := strings.IndexFunc(letters, func(l rune) bool { return !known(l) })
	return false, &UnknownError{Text: fmt.Sprintf("-%s in %s", letters[i:i+1], arg)}
}

func (p *reading) attached(o Option, name, value string, negated bool) error {
	switch o.Kind {
	case Switch:
		on, ok := truth(value)
		if !ok {
			return &ValueError{Option: o, Text: name, Why: fmt.Sprintf("%s=%s: give true or false", name, value)}
		}
		p.give(o, fmt.Sprint(on != negated))
		return nil
	case Pairs, Many:
		return p.several(o, name, value)
	}
	return p.one(o, name, value)
}

func (p *reading) take(o Option, name string, negated bool) error {
	if o.Kind == Switch {
		on := true
		if len(p.args) > 0 && !p.Command {
			if said, ok := truth(p.args[0]); ok {
				on = said
				p.shift()
			}
		}
		p.give(o, fmt.Sprint(on != negated))
		return nil
	}
	if negated {
		return nil
	}
	if len(p.args) == 0 || looksLikeOption(p.args[0]) {
		return &ValueError{Option: o, Text: name, Why: fmt.Sprintf("No value provided for option '%s'", name)}
	}
	if o.Kind == Pairs || o.Kind == Many {
		return p.several(o, name, p.shift())
	}
	return p.one(o, name, p.shift())
}

func (p *reading) one(o Option, name, value string) error {
	if o.Kind == Number && !number.MatchString(value) {
		return &ValueError{Option: o, Text: name, Why: fmt.Sprintf("Expected numeric value for '%s'; got %q", name, value)}
	}
	p.give(o, value)
	return nil
}

func (p *reading) several(o Option, name, first string) error {
	if o.Kind == Pairs && !strings.Contains(first, ":") {
		return &ValueError{Option: o, Text: name, Why: fmt.Sprintf("%s %s: write it as NAME:value", name, first)}
	}
	p.give(o, first)
	for len(p.args) > 0 && isValue(p.args[0]) && (o.Kind == Many || strings.Contains(p.args[0], ":")) {
		p.give(o, p.shift())
	}
	return nil
}

func (p *reading) give(o Option, value string) {
	p.line.Given = append(p.line.Given, Given{Name: o.Name, Value: value})
}

func (p *reading) shift() string {
	arg := p.args[0]
	p.args = p.args[1:]
	return arg
}

// find knows an option by letter or name; `--no-x` and `--skip-x` negate x.
func (p *reading) find(name string) (o Option, negated, ok bool) {
	long, isLong := strings.CutPrefix(name, "--")
	if !isLong {
		i := slices.IndexFunc(p.Options, func(o Option) bool { return o.Letter != "" && "-"+o.Letter == name && p.counts(o) })
		if i < 0 {
			return Option{}, false, false
		}
		return p.Options[i], false, true
	}
	long = strings.ReplaceAll(long, "_", "-")
	for _, prefix := range []string{"", "no-", "skip-"} {
		bare, found := strings.CutPrefix(long, prefix)
		if !found {
			continue
		}
		i := slices.IndexFunc(p.Options, func(o Option) bool { return o.Name == bare && p.counts(o) })
		if i >= 0 {
			return p.Options[i], prefix != "", true
		}
	}
	return Option{}, false, false
}

func (p *reading) counts(o Option) bool {
	return !o.Early || !p.Command || len(p.line.Words) == 0
}

// Helpers

// The shapes of options.
var (
	longOption  = regexp.MustCompile(`^--\w+(-\w+)*$`)
	shortOption = regexp.MustCompile(`^-[A-Za-z]$`)
	withValue   = regexp.MustCompile(`(?s)^(--\w+(?:-\w+)*|-[A-Za-z])=(.*)$`)
	withNumber  = regexp.MustCompile(`^(-[A-Za-z])([-+]?(?:\d*\.\d+|\d+))$`)
	letters     = regexp.MustCompile(`^-([A-Za-z]{2,})$`)
	number      = regexp.MustCompile(`^[-+]?(\d*\.\d+|\d+)$`)
	optionLike  = regexp.MustCompile(`^--?\S`)
)

func split(arg string) (name, value string, attached bool) {
	if longOption.MatchString(arg) || shortOption.MatchString(arg) {
		return arg, "", false
	}
	for _, shape := range []*regexp.Regexp{withValue, withNumber} {
		if m := shape.FindStringSubmatch(arg); m != nil {
			return m[1], m[2], true
		}
	}
	return "", "", false
}

func bunch(arg string) string {
	if m := letters.FindStringSubmatch(arg); m != nil {
		return m[1]
	}
	return ""
}

// looksLikeOption tells what cannot be the value of an option before it.
func looksLikeOption(arg string) bool {
	name, _, _ := split(arg)
	return name != "" || bunch(arg) != "" || arg == "--"
}

// isValue tells what a list may go on with.
func isValue(arg string) bool { return !optionLike.MatchString(arg) }

func truth(text string) (on, ok bool) {
	switch text {
	case "true", "TRUE", "t", "T":
		return true, true
	case "false", "FALSE", "f", "F":
		return false, true
	}
	return false, false
}
