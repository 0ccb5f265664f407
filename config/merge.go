package config

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

// Helpers

func mergeEntry(base, over Value) Value {
	if base.kind == Map && over.kind == Map {
		return deepMerge(base, over)
	}
	return over
}
