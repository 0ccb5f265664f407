package config

import (
	"slices"

	"go.yaml.in/yaml/v3"
)

// deepMerge lays over on base as Kamal lays a destination file on the base file:
// maps merge key by key, anything else (lists, texts, an explicit null) replaces.
// Every value keeps the place it came from.
func deepMerge(base, over Value) Value {
	if base.kind != Map {
		if over.kind == Nil && over.at == (Position{}) {
			return base
		}
		return over
	}
	if over.kind != Map {
		if over.kind == Nil && over.at == (Position{}) {
			return base
		}
		return over
	}
	merged := Value{kind: Map, at: base.at, entries: append([]entry(nil), base.entries...)}
next:
	for _, e := range over.entries {
		for i, existing := range merged.entries {
			if existing.key.equal(e.key) {
				merged.entries[i] = entry{e.key, mergeEntry(existing.value, e.value)}
				continue next
			}
		}
		merged.entries = append(merged.entries, e)
	}
	return merged
}

// mergeNodes is deepMerge for nodes, which keep what a value does not: comments,
// tags and their own places. Neither argument is changed.
func mergeNodes(base, over *yaml.Node) *yaml.Node {
	if base == nil || base.Kind != yaml.MappingNode || over.Kind != yaml.MappingNode {
		return over
	}
	merged := *base
	merged.Content = slices.Clone(base.Content)
	for i := 0; i+1 < len(over.Content); i += 2 {
		key, value := over.Content[i], over.Content[i+1]
		if at := childIndex(&merged, key.Value); at >= 0 {
			merged.Content[at], merged.Content[at+1] = key, mergeNodes(merged.Content[at+1], value)
			continue
		}
		merged.Content = append(merged.Content, key, value)
	}
	return &merged
}

// Helpers

func mergeEntry(base, over Value) Value {
	if base.kind == Map && over.kind == Map {
		return deepMerge(base, over)
	}
	return over
}
