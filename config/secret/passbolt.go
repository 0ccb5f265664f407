package secret

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// passbolt reads [folder/…/]name with passbolt.
type passbolt struct{}

func (passbolt) Tool() Tool {
	return Tool{
		Name: "Passbolt CLI", Probe: []string{"passbolt", "--version"},
		Get: "https://github.com/passbolt/go-passbolt-cli",
	}
}

func (passbolt) NeedsAccount() bool { return false }

func (passbolt) Login(ctx context.Context, run Process, _ Request) (Value, error) {
	verify := Command{Args: []string{"passbolt", "verify"}, Login: true}
	if _, err := run(ctx, verify); err != nil {
		return Value{}, fmt.Errorf("Failed to login to Passbolt: %s: %w", verify, err) //nolint:staticcheck // Kamal's words
	}
	return Value{}, nil
}

func (p passbolt) Fetch(ctx context.Context, run Process, r Request, _ Value) ([]Entry, error) {
	names := r.prefixed()
	if len(names) == 0 {
		return nil, noNames("Passbolt")
	}
	folders, err := p.folders(ctx, run, names)
	if err != nil {
		return nil, err
	}
	list := p.list(names, folders)
	output, err := run(ctx, list)
	if err != nil {
		return nil, failed(strings.Join(names, ", "), "Passbolt", list, err)
	}
	var items []struct {
		Name     string          `json:"name"`
		Password json.RawMessage `json:"password"`
	}
	if err := decode(list, output, &items); err != nil {
		return nil, err
	}
	found := &results{}
	for _, item := range items {
		found.add(item.Name, jsonValue(item.Password))
	}
	var missing []string
	for _, name := range names {
		if last := name[strings.LastIndex(name, "/")+1:]; !found.has(last) {
			missing = append(missing, last)
		}
	}
	if len(missing) > 0 {
		//nolint:staticcheck // Kamal's words
		return nil, fmt.Errorf("Could not find the following secrets in Passbolt: %s", strings.Join(missing, ", "))
	}
	return found.entries, nil
}

// Private

type passboltFolder struct {
	ID     string `json:"id"`
	Name   string `json:"name"`
	Parent string `json:"folder_parent_id"`
}

// list asks for all names at once, each in its folder.
func (p passbolt) list(names []string, folders []passboltFolder) Command {
	var conditions []string
	for _, name := range names {
		path, last := parent(name)
		if path == "" {
			conditions = append(conditions, "Name == "+strconv.Quote(last))
			continue
		}
		i := slices.IndexFunc(folders, func(f passboltFolder) bool { return p.path(f, folders) == path })
		conditions = append(conditions, fmt.Sprintf("(Name == %s && FolderParentID == %s)", strconv.Quote(last), strconv.Quote(folders[i].ID)))
	}
	args := []string{"passbolt", "list", "resources", "--filter", strings.Join(conditions, " || ")}
	for _, f := range folders {
		args = append(args, "--folder", f.ID)
	}
	return Command{Args: append(args, "--column", "name", "--column", "password", "--json")}
}

// folders finds the folders of all names: those at the top with one question,
// and each below with one more.
func (p passbolt) folders(ctx context.Context, run Process, names []string) ([]passboltFolder, error) {
	var paths, tops []string
	for _, name := range names {
		path, _ := parent(name)
		if path == "" || slices.Contains(paths, path) {
			continue
		}
		paths = append(paths, path)
		if condition := "Name == " + strconv.Quote(strings.Split(path, "/")[0]); !slices.Contains(tops, condition) {
			tops = append(tops, condition)
		}
	}
	if len(paths) == 0 {
		return nil, nil
	}
	all, err := p.listFolders(ctx, run, strings.Join(tops, " || "))
	if err != nil {
		return nil, err
	}
	top := slices.Clone(all)
	for _, path := range paths {
		parts := strings.Split(path, "/")
		i := slices.IndexFunc(top, func(f passboltFolder) bool { return f.Name == parts[0] })
		if i < 0 {
			continue
		}
		current := top[i]
		for _, name := range parts[1:] {
			nested, err := p.listFolders(ctx, run, fmt.Sprintf("Name == %s && FolderParentID == %s", strconv.Quote(name), strconv.Quote(current.ID)))
			if err != nil {
				return nil, err
			}
			if len(nested) == 0 {
				break
			}
			all = append(all, nested...)
			current = nested[0]
		}
	}
	var missing []string
	for _, path := range paths {
		if !slices.ContainsFunc(all, func(f passboltFolder) bool { return p.path(f, all) == path }) {
			missing = append(missing, path)
		}
	}
	if len(missing) > 0 {
		//nolint:staticcheck // Kamal's words
		return nil, fmt.Errorf("Could not find the following folders in Passbolt: %s", strings.Join(missing, ", "))
	}
	return all, nil
}

func (passbolt) listFolders(ctx context.Context, run Process, filter string) ([]passboltFolder, error) {
	list := Command{Args: []string{"passbolt", "list", "folders", "--filter", filter, "--json"}}
	output, err := run(ctx, list)
	if err != nil {
		return nil, failed("folders", "Passbolt", list, err)
	}
	var folders []passboltFolder
	err = decode(list, output, &folders)
	return folders, err
}

// path is a folder's place from the top, as far as the folders above are known.
func (passbolt) path(f passboltFolder, all []passboltFolder) string {
	path := f.Name
	for range all { // however the folders refer to each other, it ends
		i := slices.IndexFunc(all, func(above passboltFolder) bool { return f.Parent != "" && above.ID == f.Parent })
		if i < 0 {
			break
		}
		f = all[i]
		path = f.Name + "/" + path
	}
	return path
}

// Helpers

// parent splits a name into its folder and the rest.
func parent(name string) (folder, last string) {
	i := strings.LastIndex(name, "/")
	return name[:max(0, i)], name[i+1:]
}
