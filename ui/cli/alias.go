package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"binnacle/config"
	"binnacle/config/secret"
	"binnacle/ops/argv"
	"binnacle/ops/live"
)

// alias is the command line that deploy.yml gives the first word; "" when it
// gives none. Kamal's commands cannot be renamed, and what they shorten to is
// theirs; of Binnacle's own commands an alias takes the place.
func (p Program) alias(ctx context.Context, root *cobra.Command, given []argv.Given, args []string) (string, error) {
	word := args[0]
	if !aliasName.MatchString(word) {
		return "", nil
	}
	cmd, err := lookUp(root, word)
	var many *ambiguousError
	if cmd != nil && (isKamals(cmd) || hidden(cmd)) || errors.As(err, &many) && many.kamals {
		return "", nil
	}
	o, named := p.project(given, args[1:])
	if cmd != nil && !mentions(o, word) {
		return "", nil // do not read templates for a command that needs no project
	}
	aliases, err := config.Aliases(ctx, live.ConfigOptions(ctx, o, new(secret.Redactor)))
	switch {
	case err == nil:
	case cmd != nil || missing(o) && !named:
		return "", nil
	default:
		return "", err
	}
	for _, a := range aliases {
		if a.Name == word {
			return a.Value.String(), nil
		}
	}
	return "", nil
}

// expand puts an alias in place of the first word.
func (p Program) expand(ctx context.Context, root *cobra.Command, given []argv.Given, text string, args, seen []string) ([]string, error) {
	word := args[0]
	if slices.Contains(seen, word) {
		return nil, fmt.Errorf("the aliases in deploy.yml go round in a circle: %s → %s", strings.Join(seen, " → "), word)
	}
	words, err := secret.SplitShell(text)
	if err != nil {
		return nil, fmt.Errorf("alias %s: %q: %w", word, text, err)
	}
	var line []string
	for _, g := range given {
		line = append(line, g.String())
	}
	return p.resolve(ctx, root, append(append(line, words...), args[1:]...), append(slices.Clone(seen), word))
}

// Private

// project is which files a command line is about, as far as it was read, and
// whether they were named.
func (p Program) project(given []argv.Given, rest []string) (o live.Options, named bool) {
	f := &flags{}
	all := &cobra.Command{}
	f.bind(all)
	line, _ := argv.Reader{Options: optionsOf(all), Command: true}.Read(rest) // slips are told once the command is known
	line.Given = append(slices.Clone(given), line.Given...)
	o = live.Options{Dir: p.Dir, File: f.file}
	if file, ok := line.Last("config-file"); ok {
		o.File, named = file, true
	}
	o.Destination, _ = line.Last("destination")
	return o, named
}

// Helpers

var aliasName = regexp.MustCompile(`^[a-z0-9_-]+$`)

func hidden(cmd *cobra.Command) bool { return cmd.Hidden || cmd.Name() == "help" }

// mentions tells whether a file of the project could define an alias.
func mentions(o live.Options, word string) bool {
	key := regexp.MustCompile(`(?m)^\s+["']?` + regexp.QuoteMeta(word) + `["']?\s*:|[{,]\s*["']?` + regexp.QuoteMeta(word) + `["']?\s*:`)
	for _, file := range projectFiles(o) {
		if text, err := os.ReadFile(file); err == nil && key.Match(text) {
			return true
		}
	}
	return false
}

func missing(o live.Options) bool {
	_, err := os.Stat(projectFiles(o)[0])
	return errors.Is(err, fs.ErrNotExist)
}

func projectFiles(o live.Options) []string {
	base := o.File
	if !filepath.IsAbs(base) {
		base = filepath.Join(o.Dir, base)
	}
	if o.Destination == "" {
		return []string{base}
	}
	return []string{base, strings.TrimSuffix(base, filepath.Ext(base)) + "." + o.Destination + ".yml"}
}
