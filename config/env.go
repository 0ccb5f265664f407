package config

import (
	"context"
	"slices"
	"strings"

	"binnacle/config/secret"
)

// EnvSpec is the environment of a container: what is shown, and what is secret.
type EnvSpec struct {
	// Clear goes on the command line, in order.
	Clear Pairs
	// Secrets go into the env file, in order, each name once.
	Secrets []SecretRef

	written []string
}

// SecretRef names a variable and the secret that fills it.
type SecretRef struct {
	Name string
	Key  string
}

// SecretEntry is one resolved secret variable.
type SecretEntry struct {
	Name  string
	Value secret.Value
}

// Resolve looks all secrets up.
func (e EnvSpec) Resolve(ctx context.Context, secrets *secret.Secrets) ([]SecretEntry, error) {
	resolved := make([]SecretEntry, 0, len(e.Secrets))
	for _, ref := range e.Secrets {
		value, err := secrets.Get(ctx, ref.Key)
		if err != nil {
			return nil, err
		}
		resolved = append(resolved, SecretEntry{Name: ref.Name, Value: value})
	}
	return resolved, nil
}

// Private

type envTag struct {
	name string
	env  EnvSpec
}

func newEnv(section Value) EnvSpec {
	clear := section
	if value, ok := section.get("clear"); ok {
		clear = value
	} else if section.has("secret") || section.has("tags") {
		clear = Value{}
	}
	return EnvSpec{Clear: clear.Pairs()}.withSecrets(section.sub("secret").texts())
}

func newEnvTags(section Value) []envTag {
	var tags []envTag
	for _, pair := range section.sub("tags").Pairs() {
		tags = append(tags, envTag{name: pair.Name, env: newEnv(pair.Value)})
	}
	return tags
}

func (c *Config) tag(name string) (EnvSpec, bool) {
	for _, tag := range c.tags {
		if tag.name == name {
			return tag.env, true
		}
	}
	return EnvSpec{}, false
}

func (e EnvSpec) merge(over EnvSpec) EnvSpec {
	merged := EnvSpec{Clear: e.Clear.Merge(over.Clear)}
	return merged.withSecrets(unique(e.written, over.written))
}

// withSecrets keeps the literal entries, because they are what is united when
// environments merge: NAME and NAME:KEY are two entries of which the later wins.
func (e EnvSpec) withSecrets(written []string) EnvSpec {
	e.written, e.Secrets = written, nil
	for _, entry := range written {
		name, key, aliased := strings.Cut(entry, ":")
		if !aliased {
			key = name
		}
		ref := SecretRef{Name: name, Key: key}
		if i := slices.IndexFunc(e.Secrets, func(s SecretRef) bool { return s.Name == name }); i >= 0 {
			e.Secrets[i] = ref
			continue
		}
		e.Secrets = append(e.Secrets, ref)
	}
	return e
}
