package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"binnacle/ops/argv"
)

// kindAnnotation marks a flag that takes more, or other, than one word.
const kindAnnotation = "binnacle/kind"

// ownAnnotation marks a flag that every command takes and Kamal does not have.
const ownAnnotation = "binnacle/own"

// groupAnnotation marks a command that only holds others.
const groupAnnotation = "binnacle/group"

// commandAnnotation marks a command whose words are somebody else's command.
const commandAnnotation = "binnacle/command"

// spelled rewrites a command line as Kamal takes it into one that leaves no
// doubt: whole command names first, then --name=value, then the words.
func (p Program) spelled(ctx context.Context, root *cobra.Command, args []string) ([]string, error) {
	if len(args) > 0 && strings.HasPrefix(args[0], cobra.ShellCompRequestCmd) {
		return args, nil
	}
	if len(args) == 1 && args[0] == "--version" {
		return []string{"version"}, nil
	}
	return p.resolve(ctx, root, args, nil)
}

// ambiguousError is a word that several commands begin with.
type ambiguousError struct {
	word    string
	matches []string
	kamals  bool // Kamal would not know either
}

// Error lists them.
func (e *ambiguousError) Error() string {
	return fmt.Sprintf("Ambiguous command %s matches [%s]", e.word, strings.Join(e.matches, ", "))
}

// Private

// resolve finds the command and reads its options; seen are the aliases that
// led here.
func (p Program) resolve(ctx context.Context, root *cobra.Command, args, seen []string) ([]string, error) {
	cmd, given := root, []argv.Given(nil)
	for cmd.HasSubCommands() && !askedForHelp(args) {
		line, err := argv.Reader{Options: optionsOf(cmd), UntilWord: true}.Read(args)
		if err != nil {
			return nil, explained(cmd, err)
		}
		given, args = append(given, line.Given...), line.Rest
		if len(args) == 0 || args[0] == "--" {
			break
		}
		if cmd == root {
			text, err := p.alias(ctx, root, given, args)
			if err != nil {
				return nil, err
			}
			if text != "" {
				return p.expand(ctx, root, given, text, args, seen)
			}
		}
		next, err := lookUp(cmd, args[0])
		if err != nil {
			return nil, err
		}
		if next == nil {
			break
		}
		cmd, args = next, args[1:]
		if cmd.Name() == "help" {
			return append(append([]string{"help"}, path(cmd.Parent())...), args...), nil
		}
	}
	if askedForHelp(args) && cmd.HasSubCommands() {
		args = []string{"--help"}
	}
	line, err := argv.Reader{Options: optionsOf(cmd), Command: cmd.Annotations[commandAnnotation] != ""}.Read(args)
	if err != nil {
		return nil, explained(cmd, err)
	}
	given = append(given, line.Given...)
	if err := complete(cmd, given); err != nil {
		return nil, err
	}
	out := path(cmd)
	for _, g := range given {
		out = append(out, g.String())
	}
	if len(line.Words) > 0 {
		out = append(append(out, "--"), line.Words...)
	}
	return out, nil
}

// Helpers

// lookUp resolves a word below a command: a name, or the beginning of exactly one.
// Kamal's commands come first, so that what they shorten to stays theirs. Nil
// means that a command that runs by itself may take the word.
func lookUp(parent *cobra.Command, word string) (*cobra.Command, error) {
	name := underscored(word)
	var kamals, ours []*cobra.Command
	for _, c := range parent.Commands() {
		if underscored(c.Name()) == name {
			return c, nil
		}
		switch {
		case !strings.HasPrefix(underscored(c.Name()), name):
		case isKamals(c):
			kamals = append(kamals, c)
		default:
			ours = append(ours, c)
		}
	}
	matches := kamals
	if len(matches) == 0 {
		matches = ours
	}
	switch len(matches) {
	case 1:
		return matches[0], nil
	case 0:
		if parent.Annotations[groupAnnotation] == "" {
			return nil, nil //nolint:nilnil // the word is an argument
		}
		return nil, noSuchCommand(parent, []string{word})
	}
	names := make([]string, 0, len(matches))
	for _, c := range matches {
		names = append(names, c.Name())
	}
	slices.Sort(names)
	return nil, &ambiguousError{word: word, matches: names, kamals: len(kamals) > 0}
}

// askedForHelp knows a lone -h for help, as Kamal does where a command is missing.
func askedForHelp(args []string) bool {
	return len(args) == 1 && slices.Contains([]string{"-h", "-?", "-D"}, args[0])
}

func path(cmd *cobra.Command) []string {
	var words []string
	for c := cmd; c.HasParent(); c = c.Parent() {
		words = append(words, c.Name())
	}
	slices.Reverse(words)
	return words
}

func underscored(name string) string { return strings.ReplaceAll(name, "-", "_") }

// optionsOf are a command's flags and those that every command takes.
func optionsOf(cmd *cobra.Command) []argv.Option {
	var out []argv.Option
	seen := map[string]bool{}
	add := func(f *pflag.Flag) {
		if seen[f.Name] {
			return
		}
		seen[f.Name] = true
		_, own := f.Annotations[ownAnnotation]
		out = append(out, argv.Option{Name: f.Name, Letter: f.Shorthand, Kind: kindOf(f), Early: own})
	}
	cmd.LocalFlags().VisitAll(add)
	cmd.InheritedFlags().VisitAll(add)
	return out
}

func kindOf(f *pflag.Flag) argv.Kind {
	if kind := f.Annotations[kindAnnotation]; len(kind) == 1 {
		switch kind[0] {
		case "numeric":
			return argv.Number
		case "hash":
			return argv.Pairs
		case "array":
			return argv.Many
		}
	}
	switch f.Value.Type() {
	case "bool":
		return argv.Switch
	case "int", "float64":
		return argv.Number
	}
	return argv.Value
}

// complete refuses a line that lacks an option it must have.
func complete(cmd *cobra.Command, given []argv.Given) error {
	var missing []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		_, required := f.Annotations[cobra.BashCompOneRequiredFlag]
		if required && !slices.ContainsFunc(given, func(g argv.Given) bool { return g.Name == f.Name || g.Name == "help" }) {
			missing = append(missing, "--"+f.Name)
		}
	})
	if len(missing) == 0 {
		return nil
	}
	return fmt.Errorf("No value provided for required options '%s'; see %s --help", strings.Join(missing, "', '"), cmd.CommandPath()) //nolint:staticcheck // Kamal's words
}

// explained adds where help is; -h alone is the slip that many make.
func explained(cmd *cobra.Command, err error) error {
	var missing *argv.ValueError
	if errors.As(err, &missing) && missing.Text == "-h" {
		return fmt.Errorf("%w: -h is --hosts, as with Kamal; help is %s --help", err, cmd.CommandPath())
	}
	return fmt.Errorf("%w; see %s --help", err, cmd.CommandPath())
}
