package secret

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// enpass reads title[/label] from the vault in a folder with enpass-cli.
type enpass struct{}

func (enpass) Tool() Tool {
	return Tool{Name: "Enpass CLI", Probe: []string{"enpass-cli", "version"}, Get: "https://github.com/hazcod/enpass-cli"}
}

func (enpass) NeedsAccount() bool { return false }

func (enpass) Login(context.Context, Process, Request) (Value, error) { return Value{}, nil }

func (e enpass) Fetch(ctx context.Context, run Process, r Request, _ Value) ([]Entry, error) {
	if r.From == "" {
		return nil, errors.New("Enpass needs --from: the folder of the vault") //nolint:staticcheck // a name
	}
	if len(r.Names) == 0 {
		return nil, noNames("Enpass")
	}
	// It asks for the vault's password where MASTERPW does not give it.
	show := Command{Args: append([]string{"enpass-cli", "-json", "-vault", r.From, "show"}, e.titles(r.Names)...), Login: true}
	output, err := run(ctx, show)
	if err != nil {
		return nil, failed(strings.Join(r.Names, ", "), "Enpass", show, err)
	}
	var items []struct{ Title, Label, Password *string }
	if err := decode(show, output, &items); err != nil {
		return nil, err
	}
	found := &results{}
	for _, item := range items {
		if item.Title == nil || item.Password == nil || strings.TrimSpace(*item.Password) == "" {
			continue
		}
		key := *item.Title
		if item.Label != nil && *item.Label != "" {
			key += "/" + *item.Label
		}
		if !slices.Contains(r.Names, *item.Title) && !slices.Contains(r.Names, key) {
			continue
		}
		if found.has(key) {
			return nil, fmt.Errorf("%s is present more than once in Enpass", key)
		}
		found.add(key, New(*item.Password))
	}
	return found.entries, nil
}

// Private

// titles are the items to show, each once: a name may end in a label.
func (enpass) titles(names []string) []string {
	var out []string
	for _, name := range names {
		if i := strings.LastIndex(name, "/"); i > 0 {
			name = name[:i]
		} else if i == 0 {
			name = name[1:]
		}
		if !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	return out
}
