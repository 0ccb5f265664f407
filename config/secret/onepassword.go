package secret

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// onePassword reads vault/item[/section]/field with op.
type onePassword struct{}

func (onePassword) Tool() Tool {
	return Tool{
		Name: "1Password CLI", Probe: []string{"op", "--version"},
		Get: "https://developer.1password.com/docs/cli/get-started",
	}
}

func (onePassword) NeedsAccount() bool { return true }

func (onePassword) Login(ctx context.Context, run Process, r Request) (Value, error) {
	if _, err := run(ctx, Command{Args: []string{"op", "account", "get", "--account", r.Account}, Quiet: true}); err == nil {
		return Value{}, nil
	}
	signin := Command{Args: []string{"op", "signin", "--account", r.Account, "--force", "--raw"}, Login: true}
	session, err := run(ctx, signin)
	if err != nil {
		return Value{}, fmt.Errorf("Failed to login to 1Password: %s: %w", signin, err) //nolint:staticcheck // Kamal's words
	}
	return New(strings.TrimSpace(session)), nil
}

func (o onePassword) Fetch(ctx context.Context, run Process, r Request, session Value) ([]Entry, error) {
	if len(r.Names) == 0 {
		return o.wholeItem(ctx, run, r, session)
	}
	items, err := o.items(r.prefixed())
	if err != nil {
		return nil, err
	}
	found := &results{}
	for _, item := range items {
		get := item.get(r.Account, session)
		output, err := run(ctx, get)
		if err != nil {
			return nil, failed(strings.Join(item.fields, ", "), item.where(), get, err)
		}
		if err := o.collect(found, get, output); err != nil {
			return nil, err
		}
	}
	return found.entries, nil
}

// Private

// wholeItem reads all fields of the item that --from names.
func (o onePassword) wholeItem(ctx context.Context, run Process, r Request, session Value) ([]Entry, error) {
	vault, rest, _ := strings.Cut(strings.TrimPrefix(r.From, "op://"), "/")
	name, _, _ := strings.Cut(rest, "/")
	if name == "" {
		return nil, errors.New("name the secrets to fetch from 1Password, or give --from VAULT/ITEM for all fields of an item")
	}
	item := onePasswordItem{vault: vault, item: name}
	get := item.get(r.Account, session)
	output, err := run(ctx, get)
	if err != nil {
		return nil, failed(name, item.where(), get, err)
	}
	var document struct {
		Fields json.RawMessage `json:"fields"`
	}
	if err := decode(get, output, &document); err != nil {
		return nil, err
	}
	found := &results{}
	err = o.collect(found, get, string(document.Fields))
	return found.entries, err
}

// collect takes the fields out of an answer: an array, or one object where one
// field was asked for.
func (onePassword) collect(found *results, get Command, output string) error {
	var fields []struct {
		Reference string          `json:"reference"`
		Value     json.RawMessage `json:"value"`
	}
	if strings.HasPrefix(strings.TrimSpace(output), "{") {
		output = "[" + output + "]"
	}
	if err := decode(get, output, &fields); err != nil {
		return err
	}
	for _, f := range fields {
		if f.Reference != "" {
			found.add(strings.TrimSuffix(strings.TrimPrefix(f.Reference, "op://"), "/password"), jsonValue(f.Value))
		}
	}
	return nil
}

// items groups names by vault and item, so that each item is read once.
func (onePassword) items(names []string) ([]onePasswordItem, error) {
	var vaults []string
	byVault := map[string][]onePasswordItem{}
	for _, name := range names {
		parts := splitPath(strings.TrimPrefix(name, "op://"))
		if len(parts) < 2 {
			return nil, fmt.Errorf("1Password: %s is no vault/item[/section]/field; give the vault in the name or with --from", name)
		}
		field := "password"
		if len(parts) > 2 {
			field = strings.Join(parts[2:], ".")
		}
		vault, item := parts[0], parts[1]
		if _, known := byVault[vault]; !known {
			vaults = append(vaults, vault)
		}
		known := false
		for i := range byVault[vault] {
			if byVault[vault][i].item == item {
				byVault[vault][i].fields = append(byVault[vault][i].fields, field)
				known = true
			}
		}
		if !known {
			byVault[vault] = append(byVault[vault], onePasswordItem{vault: vault, item: item, fields: []string{field}})
		}
	}
	var out []onePasswordItem
	for _, vault := range vaults {
		out = append(out, byVault[vault]...)
	}
	return out, nil
}

type onePasswordItem struct {
	vault, item string
	fields      []string // none: all of them
}

// get reads an item. The session can be given in no other way: the variable for
// it is named after the user, whom only op knows.
func (i onePasswordItem) get(account string, session Value) Command {
	args := []string{"op", "item", "get", i.item, "--vault", i.vault, "--format", "json", "--account", account}
	if !session.Empty() {
		args = append(args, "--session", session.Reveal())
	}
	if len(i.fields) > 0 {
		labels := make([]string, len(i.fields))
		for n, field := range i.fields {
			labels[n] = "label=" + field
		}
		args = append(args, "--fields", strings.Join(labels, ","))
	}
	return Command{Args: args}
}

func (i onePasswordItem) where() string {
	return fmt.Sprintf("%s in the %s 1Password vault", i.item, i.vault)
}

// Helpers

// splitPath splits at slashes; empty parts at the end do not count.
func splitPath(path string) []string {
	parts := strings.Split(path, "/")
	for len(parts) > 0 && parts[len(parts)-1] == "" {
		parts = parts[:len(parts)-1]
	}
	return parts
}
