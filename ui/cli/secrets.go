package cli

import (
	"context"
	"errors"
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"binnacle/config/secret"
	"binnacle/ops/command"
	"binnacle/ops/live"
)

func (p Program) addSecrets(root *cobra.Command, f *flags) {
	cmd := group(root, "secrets")
	cmd.Short = "List the secrets by name and origin; fetch, extract, print or set them"
	cmd.Long = "Lists the secrets that .kamal/secrets-common and .kamal/secrets define, and where each comes from.\n" +
		"With a destination the second file is .kamal/secrets.DESTINATION. Values are not shown, and\n" +
		"nothing is fetched: binnacle secrets print does both."
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return p.listSecrets(cmd.Context(), f) }
	cmd.AddCommand(p.fetchCommand(f), p.extractCommand(), p.printSecretsCommand(f), p.setSecretCommand(f))
}

// Private

func (p Program) listSecrets(ctx context.Context, f *flags) error {
	cfg, _, _, err := live.Load(ctx, p.options(f))
	if err != nil {
		return err
	}
	places, err := cfg.Secrets().Outline()
	if err != nil {
		return err
	}
	if f.json {
		return p.writeJSON(secretsDocument(places))
	}
	if len(places) == 0 {
		files := cfg.Secrets().Candidates()
		_, err := fmt.Fprintf(p.Stdout, "No secrets in %s or %s; %s makes one.\n", files[0], files[1], command.ByHand(cfg, "secrets set NAME"))
		return err
	}
	w := tabwriter.NewWriter(p.Stdout, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, "NAME\tFROM\tDEFINED IN")
	for _, s := range places {
		_, _ = fmt.Fprintf(w, "%s\t%s\t%s:%d\n", s.Name, s.From, s.File, s.Line)
	}
	_ = w.Flush()
	_, err = fmt.Fprintln(p.Stdout, "\nbinnacle secrets --help lists what can be done with them.")
	return err
}

func (p Program) fetchCommand(f *flags) *cobra.Command {
	var adapter string
	var request secret.Request
	var inline bool
	cmd := &cobra.Command{
		Use: "fetch [NAME…]", Short: "Fetch secrets from a vault, and print them as one line of JSON",
		Long: "Fetches secrets with a password manager's own command line tool and prints one JSON object.\n" +
			"In .kamal/secrets, $(kamal secrets fetch …) and $(binnacle secrets fetch …) do the same\n" +
			"without the gem being installed.",
		Example: "  binnacle secrets fetch -a 1password --account acme --from Vault/Item DB_PASSWORD\n" +
			"  SECRETS=$(kamal secrets fetch -a aws_secrets_manager --from prod DB)   in .kamal/secrets\n" +
			"  DB_PASSWORD=$(kamal secrets extract DB_PASSWORD $SECRETS)",
		RunE: func(cmd *cobra.Command, args []string) error {
			request.Names = args
			entries, err := live.Vaults(p.options(f), nil).Fetch(cmd.Context(), adapter, request)
			if err != nil {
				return err
			}
			object, err := secret.FetchedJSON(entries)
			if err != nil {
				return err
			}
			text := object.Reveal()
			if inline {
				text = secret.ShellEscape(text)
			}
			_, err = fmt.Fprintln(p.Stdout, text)
			return err
		},
	}
	fs := cmd.Flags()
	fs.StringVarP(&adapter, "adapter", "a", "", "which vault: 1password, aws_secrets_manager, bitwarden, bitwarden-sm, doppler, enpass, gcp, lastpass, passbolt")
	fs.StringVar(&request.Account, "account", "", "the account or user name; for AWS the profile")
	fs.StringVar(&request.From, "from", "", "vault, item, folder or project to fetch from: it comes before each name")
	fs.BoolVar(&inline, "inline", false, "quote the JSON for a shell")
	_ = fs.MarkHidden("inline") // it was defined just now
	_ = cmd.MarkFlagRequired("adapter")
	return cmd
}

func (p Program) extractCommand() *cobra.Command {
	var inline bool
	cmd := &cobra.Command{
		Use: "extract NAME JSON", Short: "Print one secret out of what fetch printed",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 2 {
				return errors.New("secrets extract wants a name and the fetched JSON, quoted as one word")
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error {
			value, err := secret.Extract(args[0], args[1])
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(p.Stdout, value.Reveal())
			return err
		},
	}
	cmd.Flags().BoolVar(&inline, "inline", false, "as within a secrets file; changes nothing here")
	_ = cmd.Flags().MarkHidden("inline") // it was defined just now
	return cmd
}

func (p Program) printSecretsCommand(f *flags) *cobra.Command {
	return &cobra.Command{
		Use: "print", Short: "Print the secrets with their values, to find mistakes", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, _, _, err := live.Load(cmd.Context(), p.options(f))
			if err != nil {
				return err
			}
			entries, err := cfg.Secrets().All(cmd.Context())
			if err != nil {
				return err
			}
			for _, e := range entries {
				_, _ = fmt.Fprintf(p.Stdout, "%s=%s\n", e.Name, e.Value.Reveal())
			}
			for _, failure := range cfg.Secrets().Failures() {
				_, _ = fmt.Fprintf(p.Stderr, "warning: $(%s): %v\n", failure.Command, failure.Err)
			}
			return nil
		},
	}
}

// Helpers

type secretsJSON struct {
	V       int          `json:"v"`
	Secrets []secretJSON `json:"secrets"`
}

type secretJSON struct {
	Name string `json:"name"`
	From string `json:"from"`
	File string `json:"file"`
	Line int    `json:"line"`
}

func secretsDocument(places []secret.Place) secretsJSON {
	doc := secretsJSON{V: 1, Secrets: []secretJSON{}}
	for _, s := range places {
		doc.Secrets = append(doc.Secrets, secretJSON{Name: s.Name, From: s.From, File: s.File, Line: s.Line})
	}
	return doc
}
