package secret

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// doppler reads secrets of a project and config with doppler.
type doppler struct{}

func (doppler) Tool() Tool {
	return Tool{Name: "Doppler CLI", Probe: []string{"doppler", "--version"}, Get: "https://docs.doppler.com/docs/install-cli"}
}

func (doppler) NeedsAccount() bool { return false }

func (doppler) Login(ctx context.Context, run Process, _ Request) (Value, error) {
	if _, err := run(ctx, Command{Args: []string{"doppler", "me", "--json"}, Quiet: true}); err == nil {
		return Value{}, nil
	}
	login := Command{Args: []string{"doppler", "login", "-y"}, Login: true}
	if _, err := run(ctx, login); err != nil {
		return Value{}, fmt.Errorf("Failed to login to Doppler: %s: %w", login, err) //nolint:staticcheck // Kamal's words
	}
	return Value{}, nil
}

func (doppler) Fetch(ctx context.Context, run Process, r Request, _ Value) ([]Entry, error) {
	names := r.prefixed()
	if len(names) == 0 {
		return nil, noNames("Doppler")
	}
	get := Command{Args: []string{"doppler", "secrets", "get"}}
	for _, name := range names {
		get.Args = append(get.Args, name[strings.LastIndex(name, "/")+1:])
	}
	get.Args = append(get.Args, "--json")
	// A service token knows its project and config by itself.
	if token, _ := r.Env("DOPPLER_TOKEN"); !strings.HasPrefix(token, "dp.st") {
		parts := append(splitPath(names[0]), "", "")
		if parts[0] == "" || parts[1] == "" {
			return nil, errors.New("Missing project or config from '--from=project/config' option") //nolint:staticcheck // Kamal's words
		}
		get.Args = append(get.Args, "-p", parts[0], "-c", parts[1])
	}
	output, err := run(ctx, get)
	if err != nil {
		return nil, failed(strings.Join(names, ", "), "Doppler", get, err)
	}
	items, ok := members(output)
	if !ok {
		return nil, decode(get, "", nil)
	}
	found := &results{}
	for _, item := range items {
		var secret struct {
			Computed json.RawMessage `json:"computed"`
		}
		if err := decode(get, string(item.raw), &secret); err != nil {
			return nil, err
		}
		found.add(item.key, jsonValue(secret.Computed))
	}
	return found.entries, nil
}
