package secret

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// bitwarden reads item[/field] with bw. The session travels in the environment.
type bitwarden struct{}

func (bitwarden) Tool() Tool {
	return Tool{Name: "Bitwarden CLI", Probe: []string{"bw", "--version"}, Get: "https://bitwarden.com/help/cli/"}
}

func (bitwarden) NeedsAccount() bool { return true }

func (b bitwarden) Login(ctx context.Context, run Process, r Request) (Value, error) {
	var session Value
	status, err := b.status(ctx, run, session)
	if err == nil && status == "unauthenticated" {
		if _, err := run(ctx, Command{Args: []string{"bw", "login", r.Account}, Login: true}); err != nil && ctx.Err() != nil {
			return Value{}, ctx.Err()
		}
		status, err = b.status(ctx, run, session)
	}
	if err == nil && status == "locked" {
		unlocked, unlockErr := run(ctx, Command{Args: []string{"bw", "unlock", "--raw"}, Login: true})
		if unlockErr != nil && ctx.Err() != nil {
			return Value{}, ctx.Err()
		}
		session = New(strings.TrimSpace(unlocked))
		status, err = b.status(ctx, run, session)
	}
	if err != nil {
		return Value{}, err
	}
	if status != "unlocked" {
		return Value{}, fmt.Errorf("Failed to login to and unlock Bitwarden: bw status says %q", status) //nolint:staticcheck // Kamal's words
	}
	if _, err := run(ctx, b.command(session, "sync")); err != nil {
		return Value{}, fmt.Errorf("Failed to sync Bitwarden: bw sync: %w", err) //nolint:staticcheck // Kamal's words
	}
	return session, nil
}

func (b bitwarden) Fetch(ctx context.Context, run Process, r Request, session Value) ([]Entry, error) {
	if len(r.Names) == 0 {
		return nil, noNames("Bitwarden")
	}
	items, wanted := b.items(r.prefixed())
	found := &results{}
	for _, name := range items {
		get := b.command(session, "get", "item", name)
		output, err := run(ctx, get)
		if err != nil {
			return nil, failed(name, "Bitwarden", get, err)
		}
		var item bitwardenItem
		if err := decode(get, output, &item); err != nil {
			return nil, err
		}
		for _, field := range wanted[name] {
			if err := item.add(found, name, field); err != nil {
				return nil, err
			}
		}
	}
	return found.entries, nil
}

// Private

func (b bitwarden) status(ctx context.Context, run Process, session Value) (string, error) {
	c := b.command(session, "status")
	output, err := run(ctx, c)
	if err != nil {
		return "", fmt.Errorf("asking Bitwarden who is logged in: %s: %w", c, err)
	}
	var answer struct {
		Status string `json:"status"`
	}
	err = decode(c, output, &answer)
	return answer.Status, err
}

func (bitwarden) command(session Value, words ...string) Command {
	c := Command{Args: append([]string{"bw"}, words...)}
	if !session.Empty() {
		c.Env = []Variable{{Name: "BW_SESSION", Value: session}}
	}
	return c
}

// items groups names by item; an empty field stands for the item itself.
func (bitwarden) items(names []string) (items []string, fields map[string][]string) {
	fields = map[string][]string{}
	for _, name := range names {
		parts := append(splitPath(name), "", "")
		if !slices.Contains(items, parts[0]) {
			items = append(items, parts[0])
		}
		fields[parts[0]] = append(fields[parts[0]], parts[1])
	}
	return items, fields
}

type bitwardenItem struct {
	Login *struct {
		Password json.RawMessage `json:"password"`
	} `json:"login"`
	Fields []struct {
		Name  string          `json:"name"`
		Value json.RawMessage `json:"value"`
	} `json:"fields"`
}

// add takes a field, or the password, or else all fields.
func (i bitwardenItem) add(found *results, item, field string) error {
	if field == "" {
		return i.addWhole(found, item)
	}
	for _, f := range i.Fields {
		if f.Name == field {
			found.add(item+"/"+field, jsonValue(f.Value))
			return nil
		}
	}
	return fmt.Errorf("Could not find field %s in item %s in Bitwarden", field, item) //nolint:staticcheck // Kamal's words
}

func (i bitwardenItem) addWhole(found *results, item string) error {
	if i.Login != nil {
		if password := jsonValue(i.Login.Password); password.text != nil {
			found.add(item, password)
			return nil
		}
	}
	if len(i.Fields) == 0 {
		return errors.New("Item " + item + " is not a login type item and no fields were specified")
	}
	for _, f := range i.Fields {
		found.add(item+"/"+f.Name, jsonValue(f.Value))
	}
	return nil
}
