package secret

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// bitwardenSecretsManager reads secrets by identifier, or all of a project, with bws.
type bitwardenSecretsManager struct{}

func (bitwardenSecretsManager) Tool() Tool {
	return Tool{
		Name: "Bitwarden Secrets Manager CLI", Probe: []string{"bws", "--version"},
		Get: "https://bitwarden.com/help/secrets-manager-cli/",
	}
}

func (bitwardenSecretsManager) NeedsAccount() bool { return false }

func (bitwardenSecretsManager) Login(ctx context.Context, run Process, _ Request) (Value, error) {
	list := Command{Args: []string{"bws", "project", "list"}}
	if _, err := run(ctx, list); err != nil {
		//nolint:staticcheck // Kamal's words
		return Value{}, fmt.Errorf("Could not authenticate to Bitwarden Secrets Manager. Did you set a valid access token (BWS_ACCESS_TOKEN)? %s: %w", list, err)
	}
	return Value{}, nil
}

func (b bitwardenSecretsManager) Fetch(ctx context.Context, run Process, r Request, _ Value) ([]Entry, error) {
	names := r.prefixed()
	if len(names) == 0 {
		return nil, errors.New("You must specify what to retrieve from Bitwarden Secrets Manager") //nolint:staticcheck // Kamal's words
	}
	if len(names) == 1 && names[0] == "all" {
		return b.list(ctx, run, "bws", "secret", "list")
	}
	if project, all := strings.CutSuffix(names[0], "/all"); all && len(names) == 1 {
		return b.list(ctx, run, "bws", "secret", "list", project)
	}
	found := &results{}
	for _, id := range names {
		get := Command{Args: []string{"bws", "secret", "get", id}}
		output, err := run(ctx, get)
		if err != nil {
			return nil, failed(id, "Bitwarden Secrets Manager", get, err)
		}
		var item bitwardenSecret
		if err := decode(get, output, &item); err != nil {
			return nil, err
		}
		found.add(item.Key, jsonValue(item.Value))
	}
	return found.entries, nil
}

// Private

type bitwardenSecret struct {
	Key   string          `json:"key"`
	Value json.RawMessage `json:"value"`
}

func (bitwardenSecretsManager) list(ctx context.Context, run Process, words ...string) ([]Entry, error) {
	c := Command{Args: words}
	output, err := run(ctx, c)
	if err != nil {
		return nil, failed("secrets", "Bitwarden Secrets Manager", c, err)
	}
	var items []bitwardenSecret
	if err := decode(c, output, &items); err != nil {
		return nil, err
	}
	found := &results{}
	for _, item := range items {
		found.add(item.Key, jsonValue(item.Value))
	}
	return found.entries, nil
}
