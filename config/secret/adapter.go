package secret

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// Command is one call of a password manager's own command line tool.
type Command struct {
	Args []string
	Env  []Variable // on top of the process's environment
	// Login marks a command that asks the person: it needs their standard input
	// even when that is no terminal.
	Login bool
	// Quiet marks a question whose complaints interest nobody.
	Quiet bool
}

// Variable is an environment variable that may be secret.
type Variable struct {
	Name  string
	Value Value
}

// String is the command as a person would type it, without its environment.
func (c Command) String() string {
	words := make([]string, len(c.Args))
	for i, word := range c.Args {
		words[i] = word
		if i > 0 && c.Args[i-1] == "--session" {
			words[i] = Redacted
		}
	}
	return strings.Join(words, " ")
}

// Process runs a command to its end and returns its standard output.
type Process func(ctx context.Context, c Command) (string, error)

// Request is what is wanted from a vault.
type Request struct {
	Names   []string
	Account string
	From    string // vault, folder or project, before each name
	Env     func(name string) (string, bool)
}

// Adapter speaks with one password manager through its command line tool.
type Adapter interface {
	// Tool names the command line tool, and tells how to see that it is there.
	Tool() Tool
	// NeedsAccount reports whether nothing can be fetched without an account.
	NeedsAccount() bool
	// Login makes sure that somebody is logged in; the session may be empty.
	Login(ctx context.Context, run Process, r Request) (session Value, err error)
	// Fetch returns the wanted secrets by their full names.
	Fetch(ctx context.Context, run Process, r Request, session Value) ([]Entry, error)
}

// Tool is a password manager's command line tool.
type Tool struct {
	Name  string   // "1Password CLI"
	Probe []string // succeeds where it is installed; none when there is nothing to install
	Get   string   // where to get it
}

// Adapters names all adapters as people write them.
func Adapters() []string {
	return []string{
		"1password", "aws_secrets_manager", "bitwarden", "bitwarden-sm", "doppler", "enpass", "gcp", "lastpass", "passbolt",
	}
}

// FindAdapter finds an adapter by one of its names.
func FindAdapter(name string) (Adapter, error) {
	switch strings.ReplaceAll(strings.ToLower(name), "_", "") {
	case "1password", "onepassword":
		return onePassword{}, nil
	case "awssecretsmanager":
		return awsSecretsManager{}, nil
	case "bitwarden":
		return bitwarden{}, nil
	case "bitwarden-sm", "bitwardensecretsmanager":
		return bitwardenSecretsManager{}, nil
	case "doppler":
		return doppler{}, nil
	case "enpass":
		return enpass{}, nil
	case "gcp", "gcpsecretmanager":
		return gcpSecretManager{}, nil
	case "lastpass":
		return lastPass{}, nil
	case "passbolt":
		return passbolt{}, nil
	case "test":
		return mirror{}, nil
	}
	//nolint:staticcheck // Kamal's words
	return nil, fmt.Errorf("Unknown secrets adapter: %s; there are %s", name, strings.Join(Adapters(), ", "))
}

// Vaults fetches secrets from password managers.
type Vaults struct {
	Run      Process
	Env      func(name string) (string, bool)
	Redactor *Redactor // told every value that is fetched; it may be nil
}

// Fetch fetches secrets through the adapter of that name: it looks for the tool,
// logs in where that is needed, and reads.
func (v Vaults) Fetch(ctx context.Context, adapter string, r Request) ([]Entry, error) {
	a, err := FindAdapter(adapter)
	if err != nil {
		return nil, err
	}
	if a.NeedsAccount() && r.Account == "" {
		//nolint:staticcheck // Kamal's words
		return nil, fmt.Errorf("No value provided for required options '--account': %s needs one", adapter)
	}
	r.Env = v.Env
	if r.Env == nil {
		r.Env = func(string) (string, bool) { return "", false }
	}
	if err := installed(ctx, v.Run, a.Tool()); err != nil {
		return nil, err
	}
	session, err := a.Login(ctx, v.Run, r)
	if err != nil {
		return nil, err
	}
	entries, err := a.Fetch(ctx, v.Run, r, session)
	if err != nil {
		return nil, err
	}
	if v.Redactor != nil {
		v.Redactor.Add(session)
		for _, e := range entries {
			v.Redactor.Add(e.Value)
		}
	}
	return entries, nil
}

// Private

// prefixed are the names with the vault or folder before each.
func (r Request) prefixed() []string {
	if r.From == "" {
		return r.Names
	}
	out := make([]string, len(r.Names))
	for i, name := range r.Names {
		out[i] = r.From + "/" + name
	}
	return out
}

// results collects fetched secrets in order; a name that comes again replaces
// its value.
type results struct{ entries []Entry }

func (r *results) add(name string, value Value) {
	if i := slices.IndexFunc(r.entries, func(e Entry) bool { return e.Name == name }); i >= 0 {
		r.entries[i].Value = value
		return
	}
	r.entries = append(r.entries, Entry{Name: name, Value: value})
}

func (r *results) has(name string) bool {
	return slices.ContainsFunc(r.entries, func(e Entry) bool { return e.Name == name })
}

// Helpers

func installed(ctx context.Context, run Process, tool Tool) error {
	if len(tool.Probe) == 0 {
		return nil
	}
	if _, err := run(ctx, Command{Args: tool.Probe, Quiet: true}); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return fmt.Errorf("%s is not installed (%s: %w); get it from %s", tool.Name, strings.Join(tool.Probe, " "), err, tool.Get)
	}
	return nil
}

// failed is the error of a command that was to read something.
func failed(what, where string, c Command, err error) error {
	//nolint:staticcheck // Kamal's words
	return fmt.Errorf("Could not read %s from %s: %s: %w", what, where, c, err)
}

// noNames is the error of a request that names nothing.
func noNames(tool string) error {
	return fmt.Errorf("no secrets given to fetch from %s: name them after the options", tool)
}
