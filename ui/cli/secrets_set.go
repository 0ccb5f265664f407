package cli

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"binnacle/config/secret"
	"binnacle/ops/live"
)

// generatedBytes is how much chance is in a generated secret.
const generatedBytes = 32

func (p Program) setSecretCommand(f *flags) *cobra.Command {
	var generate bool
	cmd := &cobra.Command{
		Use: "set NAME[=VALUE]", Short: "Write a secret into .kamal/secrets, or the destination's file",
		Long: "Writes a secret into .kamal/secrets, with -d staging into .kamal/secrets.staging: comments, order and\n" +
			"everything else stay, and only you can read the file afterwards. Without =VALUE the value is asked\n" +
			"for, unseen, or read from standard input. A value in the command line is seen by others on this\n" +
			"machine, and stays in the shell's history.",
		Example: "  binnacle secrets set DB_PASSWORD\n  binnacle secrets set SESSION_KEY --new-secret\n  pg-password | binnacle secrets set DB_PASSWORD -d staging",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return fmt.Errorf("%s wants one NAME or NAME=VALUE; quote a value that has spaces", cmd.CommandPath())
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.setSecret(cmd.Context(), f, args[0], generate)
		},
	}
	cmd.Flags().BoolVar(&generate, "new-secret", false, "generate the value")
	return cmd
}

// Private

func (p Program) setSecret(ctx context.Context, f *flags, given string, generate bool) error {
	options := p.options(f)
	cfg, _, _, err := live.Load(ctx, options)
	if err != nil {
		return err
	}
	name, value, err := p.secretValue(ctx, given, generate)
	if err != nil {
		return err
	}
	file := cfg.Secrets().Candidates()[1]
	path := file
	if !filepath.IsAbs(path) {
		path = filepath.Join(options.Dir, file)
	}
	before, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	after, err := secret.SetIn(ctx, string(before), name, value)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	note := ""
	if generate {
		note = fmt.Sprintf(", a new one of %d characters", len(value.Reveal()))
	}
	if f.dryRun {
		_, err = fmt.Fprintf(p.Stdout, "would write %s to %s%s\n", name, file, note)
		return err
	}
	if err := writePrivate(path, after); err != nil {
		return fmt.Errorf("writing %s: %w", file, err)
	}
	if live.TrackedByGit(ctx, options.Dir, file) {
		_, _ = fmt.Fprintf(p.Stderr, "warning: git keeps %s, so the next commit would hold this value: git rm --cached %s, and ignore it\n", file, file)
	}
	if !f.quiet {
		_, err = fmt.Fprintf(p.Stdout, "wrote %s to %s%s\n", name, file, note)
	}
	return err
}

// secretValue is the value from the command line, from chance, from the person,
// or from standard input, in this order.
func (p Program) secretValue(ctx context.Context, given string, generate bool) (string, secret.Value, error) {
	name, text, has := strings.Cut(given, "=")
	switch {
	case has && generate:
		return name, secret.Value{}, fmt.Errorf("%s has a value already: leave out either it or --new-secret", name)
	case has:
		return name, secret.New(text), nil
	case generate:
		random := make([]byte, generatedBytes)
		_, _ = rand.Read(random) // never fails
		return name, secret.New(hex.EncodeToString(random)), nil
	}
	value, err := p.readSecret(ctx, name)
	if err == nil && value.Empty() {
		err = fmt.Errorf("%s: %w; for an empty secret write %s=", name, secret.ErrNothingGiven, name)
	}
	return name, value, err
}

// readSecret asks a person at a terminal, unseen, and reads anything else to its
// end. One line end at the end is not part of the value.
func (p Program) readSecret(ctx context.Context, name string) (secret.Value, error) {
	if file, ok := p.Stdin.(*os.File); ok && term.IsTerminal(int(file.Fd())) {
		return p.typedSecret(ctx, file, name)
	}
	text, err := io.ReadAll(p.Stdin)
	if err != nil {
		return secret.Value{}, fmt.Errorf("reading the value of %s from standard input: %w", name, err)
	}
	return secret.New(strings.TrimSuffix(strings.TrimSuffix(string(text), "\n"), "\r")), nil
}

func (p Program) typedSecret(ctx context.Context, file *os.File, name string) (secret.Value, error) {
	before, err := term.GetState(int(file.Fd()))
	if err != nil {
		return secret.Value{}, err
	}
	_, _ = fmt.Fprintf(p.Stderr, "Value of %s (not shown): ", name)
	type answer struct {
		text []byte
		err  error
	}
	typed := make(chan answer, 1)
	go func() {
		text, err := term.ReadPassword(int(file.Fd()))
		typed <- answer{text, err}
	}()
	ctx, stop := signal.NotifyContext(ctx, cancelSignals()...)
	defer stop()
	select {
	case a := <-typed:
		_, _ = fmt.Fprintln(p.Stderr)
		return secret.New(string(a.text)), a.err
	case <-ctx.Done(): // the terminal must show again what is typed
		_ = term.Restore(int(file.Fd()), before)
		_, _ = fmt.Fprintln(p.Stderr)
		return secret.Value{}, fmt.Errorf("%s: %w", name, secret.ErrNothingGiven)
	}
}

// Helpers

// writePrivate writes a file whole or not at all, for its owner alone. A link
// stays a link.
func writePrivate(path, text string) error {
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), ".binnacle-*") // made with mode 0600
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(tmp.Name()) }() // gone already once renamed
	if _, err := tmp.WriteString(text); err != nil {
		return errors.Join(err, tmp.Close())
	}
	if err := errors.Join(tmp.Sync(), tmp.Close()); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), path)
}
