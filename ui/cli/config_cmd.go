package cli

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"binnacle/config"
	"binnacle/config/secret"
	"binnacle/ops/live"
)

func (p Program) configCommand(f *flags) *cobra.Command {
	var fix bool
	var choices []string
	cmd := &cobra.Command{
		Use: "config", Short: "Show the configuration that results from the files, or mend old spellings with --fix",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if fix || len(choices) > 0 {
				return p.fixConfig(cmd.Context(), f, choices)
			}
			return p.showConfig(cmd.Context(), f)
		},
	}
	cmd.Flags().BoolVar(&fix, "fix", false, "rewrite old and mistaken spellings in place, keeping comments and order")
	cmd.Flags().StringArrayVar(&choices, "choose", nil, "answer a question that --fix lists, as ID=CHOICE (repeatable)")
	return cmd
}

// Private

func (p Program) showConfig(ctx context.Context, f *flags) error {
	cfg, warnings, _, err := live.Load(ctx, p.options(f))
	if err != nil {
		return err
	}
	for _, w := range warnings {
		_, _ = fmt.Fprintln(p.Stderr, "warning: "+w.String())
	}
	text, err := cfg.KamalYAML()
	if err != nil {
		return err
	}
	_, err = fmt.Fprint(p.Stdout, text)
	return err
}

func (p Program) fixConfig(ctx context.Context, f *flags, choices []string) error {
	fixed, err := config.Fix(ctx, live.ConfigOptions(ctx, p.options(f), new(secret.Redactor)))
	if err != nil {
		return err
	}
	fixed, err = decide(ctx, fixed, choices)
	if err != nil {
		return err
	}
	if !f.dryRun {
		if err := save(fixed); err != nil {
			return err
		}
	}
	p.printFixed(fixed, f.dryRun)
	return nil
}

func (p Program) printFixed(fixed *config.Fixed, dry bool) {
	verb := "changed"
	if dry {
		verb = "would change"
	}
	for _, c := range fixed.Changes {
		_, _ = fmt.Fprintf(p.Stdout, "%s %s: %s: %s → %s\n", verb, c.Position, c.Path, c.Read, c.Modern)
	}
	for _, w := range fixed.ByHand {
		_, _ = fmt.Fprintf(p.Stdout, "by hand: %s\n", w)
	}
	for _, d := range fixed.Decisions {
		_, _ = fmt.Fprintf(p.Stdout, "decide %s: %s: %s\n", d.Position, d.Path, d.Question)
		for _, c := range d.Choices {
			_, _ = fmt.Fprintf(p.Stdout, "  --choose %s=%s   %s\n", d.ID, c.ID, c.Label)
			if c.Detail != "" {
				_, _ = fmt.Fprintf(p.Stdout, "      %s\n", c.Detail)
			}
		}
	}
	if len(fixed.Changes)+len(fixed.ByHand)+len(fixed.Decisions) == 0 {
		_, _ = fmt.Fprintln(p.Stdout, "nothing to mend")
	}
}

// Helpers

// decide applies the answers that were given as ID=CHOICE.
func decide(ctx context.Context, fixed *config.Fixed, choices []string) (*config.Fixed, error) {
	for _, given := range choices {
		id, choice, ok := strings.Cut(given, "=")
		if !ok {
			return nil, fmt.Errorf("--choose %s: write it as ID=CHOICE", given)
		}
		d, c := find(fixed, id, choice)
		if d < 0 || c < 0 {
			return nil, fmt.Errorf("--choose %s: no such question or choice; run config --fix to list them", given)
		}
		var err error
		if fixed, err = fixed.Decide(ctx, d, c); err != nil {
			return nil, err
		}
	}
	return fixed, nil
}

func find(fixed *config.Fixed, id, choice string) (decision, index int) {
	for i, d := range fixed.Decisions {
		if d.ID != id {
			continue
		}
		for j, c := range d.Choices {
			if c.ID == choice {
				return i, j
			}
		}
	}
	return -1, -1
}

// save writes the changed files whole or not at all, with their modes.
func save(fixed *config.Fixed) error {
	for _, file := range fixed.Files {
		if file.Before == file.After {
			continue
		}
		if err := replace(file.Path, file.After); err != nil {
			return fmt.Errorf("saving %s: %w", file.Path, err)
		}
	}
	return nil
}

func replace(path, text string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), ".binnacle-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(tmp.Name()) }() // gone already once renamed
	if _, err := tmp.WriteString(text); err != nil {
		return err
	}
	if err := tmp.Chmod(info.Mode().Perm()); err != nil {
		return err
	}
	if err := tmp.Close(); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), path)
}
