package config

import (
	"slices"
	"strings"
)

// env checks an environment: a plain map of texts, or clear, secret and tags.
func (v *validator) env(env Value, path string) {
	special := []string{"clear", "secret", "tags"}
	if !slices.ContainsFunc(special, env.has) {
		v.mapOf(env, String, path)
		return
	}
	var unknown []string
	var at Position
	for _, e := range env.entries {
		if e.key.kind == String && slices.Contains(special, e.key.text) {
			continue
		}
		if unknown = append(unknown, e.key.String()); len(unknown) == 1 {
			at = e.key.at
		}
	}
	if len(unknown) > 0 {
		problem := "unknown key: "
		if len(unknown) > 1 {
			problem = "unknown keys: "
		}
		v.fail(at, path, problem+strings.Join(unknown, ", "), "with clear, secret or tags, plain variables go below clear:")
	}
	if clear, ok := env.get("clear"); ok {
		v.mapOf(clear, String, join(path, "clear"))
	}
	if secret, ok := env.get("secret"); ok {
		v.listOf(secret, String, join(path, "secret"))
	}
	if tags, ok := env.get("tags"); ok {
		v.envTags(tags, path)
	}
}

// Private

func (v *validator) envTags(tags Value, path string) {
	if path != "env" {
		v.fail(tags.at, path, "tags are only allowed in the root env", "move them below the root's env:")
		return
	}
	path = join(path, "tags")
	if !v.typed(tags, path, Map) {
		return
	}
	for _, e := range tags.entries {
		if at := join(path, e.key.String()); v.typed(e.value, at, Map) {
			v.env(e.value, at)
		}
	}
}
