package config

import (
	"encoding/json"
	"strings"
)

// rubyJSON prints a value as Ruby's to_json does, maps in their order.
func rubyJSON(v Value) string {
	switch v.kind {
	case Nil:
		return "null"
	case Bool, Int, Float:
		return v.text
	case List:
		items := make([]string, len(v.list))
		for i, item := range v.list {
			items[i] = rubyJSON(item)
		}
		return "[" + strings.Join(items, ",") + "]"
	case Map:
		items := make([]string, len(v.entries))
		for i, e := range v.entries {
			items[i] = jsonText(e.key.String()) + ":" + rubyJSON(e.value)
		}
		return "{" + strings.Join(items, ",") + "}"
	default:
		return jsonText(v.text)
	}
}

// Helpers

func jsonText(s string) string {
	var b strings.Builder
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(s); err != nil {
		return `""`
	}
	return strings.TrimSuffix(b.String(), "\n")
}
