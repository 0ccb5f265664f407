package config

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// LocalPath is where a file of an accessory stands on this machine.
func (a *Accessory) LocalPath(m Mount) string {
	local := m.Local
	if rest, ok := strings.CutPrefix(local, "~/"); ok {
		if home, set := a.config.environment.get("HOME"); set {
			local = filepath.Join(home, rest)
		}
	}
	return a.config.options.path(filepath.FromSlash(local))
}

// RenderFile evaluates a file that is a template, with the accessory's environment,
// secrets included, in ENV. The result may hold secrets: upload it, never show it.
func (a *Accessory) RenderFile(ctx context.Context, m Mount) ([]byte, error) {
	path := a.LocalPath(m)
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading a file of accessory %s: %w", a.name, err)
	}
	secrets, err := a.env.Resolve(ctx, a.config.secrets)
	if err != nil {
		return nil, err
	}
	env := &environment{lookup: a.config.environment.get, over: map[string]string{}}
	for _, pair := range a.env.Clear {
		env.put(pair.Name, pair.Value.String())
	}
	for _, entry := range secrets {
		env.put(entry.Name, entry.Value.Reveal())
	}
	rendered, _, err := render(ctx, path, string(text), a.config.options, env)
	if err != nil {
		return nil, err
	}
	return []byte(rendered), nil
}
