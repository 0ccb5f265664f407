package secret

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
)

// lastPass reads the passwords of items with lpass.
type lastPass struct{}

func (lastPass) Tool() Tool {
	return Tool{
		Name: "LastPass CLI", Probe: []string{"lpass", "--version"},
		Get: "https://github.com/lastpass/lastpass-cli",
	}
}

func (lastPass) NeedsAccount() bool { return true }

func (lastPass) Login(ctx context.Context, run Process, r Request) (Value, error) {
	status, err := run(ctx, Command{Args: []string{"lpass", "status", "--color", "never"}})
	if ctx.Err() != nil {
		return Value{}, ctx.Err()
	}
	if err == nil && strings.TrimSpace(status) == "Logged in as "+r.Account+"." {
		return Value{}, nil
	}
	login := Command{Args: []string{"lpass", "login", r.Account}, Login: true}
	if _, err := run(ctx, login); err != nil {
		return Value{}, fmt.Errorf("Failed to login to LastPass: %s: %w", login, err) //nolint:staticcheck // Kamal's words
	}
	return Value{}, nil
}

func (lastPass) Fetch(ctx context.Context, run Process, r Request, _ Value) ([]Entry, error) {
	names := r.prefixed()
	if len(names) == 0 {
		return nil, noNames("LastPass")
	}
	show := Command{Args: append(append([]string{"lpass", "show"}, names...), "--json")}
	output, err := run(ctx, show)
	if err != nil {
		return nil, failed(strings.Join(names, ", "), "LastPass", show, err)
	}
	var items []struct {
		Name     string          `json:"fullname"`
		Password json.RawMessage `json:"password"`
	}
	if err := decode(show, output, &items); err != nil {
		return nil, err
	}
	found := &results{}
	for _, item := range items {
		found.add(item.Name, jsonValue(item.Password))
	}
	var missing []string
	for _, name := range names {
		if !found.has(name) {
			missing = append(missing, name)
		}
	}
	if len(missing) > 0 {
		return nil, fmt.Errorf("Could not find %s in LastPass", strings.Join(missing, ", ")) //nolint:staticcheck // Kamal's words
	}
	return found.entries, nil
}
