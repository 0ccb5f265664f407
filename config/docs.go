package config

import (
	"embed"
	"fmt"
	"io/fs"
	"slices"
	"strings"
)

// docs holds one file per section: help text, example and schema at once.
//
//go:embed docs/*.yml
var docs embed.FS

// DocSections names the sections that Doc knows, sorted.
func DocSections() []string {
	entries, err := fs.ReadDir(docs, "docs")
	if err != nil {
		return nil
	}
	names := make([]string, len(entries))
	for i, entry := range entries {
		names[i] = strings.TrimSuffix(entry.Name(), ".yml")
	}
	slices.Sort(names)
	return names
}

// Doc is the help text of a section, with every key it may have and an example of
// each; the second result tells whether there is such a section.
func Doc(section string) (string, bool) {
	text, err := docs.ReadFile("docs/" + section + ".yml")
	return string(text), err == nil
}

// Private

// schema is the examples of all sections: a key's example fixes its type, and
// `...` stands for a section of its own.
type schema map[string]Value

func loadSchema() (schema, error) {
	s := schema{}
	for _, name := range DocSections() {
		text, _ := Doc(name)
		doc := source{path: "docs/" + name + ".yml", rendered: text}
		if err := doc.parse(); err != nil {
			return nil, fmt.Errorf("reading the schema: %w", err)
		}
		s[name] = doc.tree
	}
	return s, nil
}

// section is the example of a section: the value below its root key, or the whole
// of the root document.
func (s schema) section(name string) Value {
	switch name {
	case "configuration":
		return s[name]
	case "role":
		return s[name].sub("servers", "job")
	case "accessory":
		return s[name].sub("accessories", "db")
	case "alias":
		return StringValue("...")
	default:
		return s[name].sub(name)
	}
}
