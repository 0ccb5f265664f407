package config

import (
	"fmt"
	"strconv"
	"strings"
)

// validator checks values against examples and collects what is wrong, in the
// order in which the kamal gem looks.
type validator struct {
	schema   schema
	problems Errors
	// hints are extra words for keys, by key path.
	hints map[string]string
}

// against checks a value, and all below it, against an example.
func (v *validator) against(value, example Value, path string) {
	if !v.typed(value, path, example.kind) || example.kind != Map {
		return
	}
	v.unknownKeys(value, example, path)
	for _, e := range value.entries {
		key := e.key.String()
		sample, known := example.get(key)
		if e.key.kind != String || !known {
			continue
		}
		v.key(key, e.value, sample, join(path, key))
	}
}

// Private

func (v *validator) key(key string, value, sample Value, path string) {
	switch {
	case sample.kind == String && sample.text == "...":
		v.sectionType(key, value, path)
	case key == "ssl":
		v.typed(value, path, Bool, Map)
	case key == "hooks_output":
		v.hooksOutput(value, path)
	case key == "hosts":
		v.servers(value, path)
	case sample.kind == List:
		v.list(key, value, sample, path)
	case sample.kind == Map && (key == "options" || key == "args"):
		v.typed(value, path, Map)
	case sample.kind == Map && key == "labels":
		v.mapOf(value, sample.entries[0].value.kind, path)
	case sample.kind == Map:
		v.against(value, sample, path)
	default:
		v.typed(value, path, sample.kind)
	}
}

func (v *validator) sectionType(key string, value Value, path string) {
	switch {
	case key == "proxy" && value.kind == Bool:
	case path == "servers":
		v.typed(value, path, List, Map)
	default:
		v.typed(value, path, Map)
	}
}

func (v *validator) list(key string, value, sample Value, path string) {
	item := sample.list[0].kind
	switch key {
	case "arch":
		if !listOf(value, item) && !isType(value, item) {
			v.typeError(value, path, List, item)
		}
	case "config":
		if value.kind == List {
			v.listOf(value, String, path)
		} else if value.kind != Bool && value.kind != String {
			v.typeError(value, path, Bool, String, List)
		}
	case "files", "directories":
		v.paths(value, path)
	default:
		v.listOf(value, item, path)
	}
}

func (v *validator) listOf(value Value, item Kind, path string) {
	if !v.typed(value, path, List) {
		return
	}
	for i, element := range value.list {
		v.typed(element, join(path, strconv.Itoa(i)), item)
	}
}

func (v *validator) mapOf(value Value, item Kind, path string) {
	if !v.typed(value, path, Map) {
		return
	}
	for _, e := range value.entries {
		v.typed(e.value, join(path, e.key.String()), item)
	}
}

func (v *validator) servers(value Value, path string) {
	if !v.typed(value, path, List) {
		return
	}
	for i, server := range value.list {
		at := join(path, strconv.Itoa(i))
		if !v.typed(server, at, String, Map) || server.kind != Map {
			continue
		}
		if len(server.entries) != 1 {
			v.fail(server.at, at, "multiple hosts found", "give each host its own - line")
			continue
		}
		tags := server.entries[0].value
		at = join(at, server.entries[0].key.String())
		if v.typed(tags, at, String, List) && tags.kind == List {
			v.listOf(tags, String, at)
		}
	}
}

func (v *validator) paths(value Value, path string) {
	if !v.typed(value, path, List) {
		return
	}
	for i, item := range value.list {
		at := join(path, strconv.Itoa(i))
		if !v.typed(item, at, String, Map) || item.kind != Map {
			continue
		}
		for _, key := range []string{"local", "remote", "mode", "owner", "options"} {
			if part, ok := item.get(key); ok {
				v.typed(part, join(at, key), String)
			}
		}
	}
}

func (v *validator) hooksOutput(value Value, path string) {
	if value.kind != Map {
		v.typed(value, path, String, Symbol)
		return
	}
	for _, e := range value.entries {
		v.typed(e.value, join(path, e.key.String()), String, Symbol)
	}
}

func (v *validator) unknownKeys(value, example Value, path string) {
	var unknown []entry
	var names, hints []string
	for _, e := range value.entries {
		if e.key.kind == String && (example.has(e.key.text) || path == "" && strings.HasPrefix(e.key.text, "x-")) {
			continue
		}
		unknown = append(unknown, e)
		name := e.key.String()
		if e.key.kind == List {
			name = strings.Join(e.key.texts(), ", ")
		}
		names = append(names, name)
		hints = append(hints, v.keyHint(e, example, path))
	}
	switch len(unknown) {
	case 0:
	case 1:
		v.fail(unknown[0].key.at, path, "unknown key: "+names[0], strings.Join(hints, "; "))
	default:
		v.fail(unknown[0].key.at, path, "unknown keys: "+strings.Join(names, ", "), strings.Join(hints, "; "))
	}
}

func (v *validator) keyHint(e entry, example Value, path string) string {
	key := e.key.String()
	if hint := v.hints[join(path, key)]; hint != "" {
		return hint
	}
	if e.key.kind == Bool {
		return fmt.Sprintf("line %d: YAML reads this key as %s, so quote it", e.key.at.Line, key)
	}
	if near := nearest(key, example); near != "" {
		return fmt.Sprintf("%s (line %d): did you mean %s?", key, e.key.at.Line, near)
	}
	return fmt.Sprintf("%s (line %d) means nothing here", key, e.key.at.Line)
}

// typed reports a value that is of none of the kinds.
func (v *validator) typed(value Value, path string, kinds ...Kind) bool {
	for _, kind := range kinds {
		if isType(value, kind) {
			return true
		}
	}
	v.typeError(value, path, kinds...)
	return false
}

func (v *validator) typeError(value Value, path string, kinds ...Kind) {
	var names []string
	for _, kind := range kinds {
		names = append(names, describe(kind))
	}
	hint := v.hints[path]
	if hint == "" {
		hint = typeHint(value, kinds)
	}
	v.fail(value.at, path, "should be "+strings.Join(names, " or "), hint)
}

func (v *validator) fail(at Position, path, problem, hint string) {
	v.problems = append(v.problems, &Error{Position: at, Path: path, Problem: problem, Hint: hint})
}

// Helpers

// isType is Kamal's notion of type: a string may be any text, number or boolean.
func isType(value Value, kind Kind) bool {
	return value.kind == kind || kind == String && value.stringish()
}

func listOf(value Value, kind Kind) bool {
	for _, item := range value.list {
		if !isType(item, kind) {
			return false
		}
	}
	return value.kind == List
}

func describe(kind Kind) string {
	switch kind {
	case Int:
		return "an integer"
	case List:
		return "an array"
	case Bool:
		return "a boolean"
	case Map:
		return "a hash"
	case Float:
		return "a float"
	case Symbol:
		return "a symbol"
	default:
		return "a string"
	}
}

func typeHint(value Value, kinds []Kind) string {
	switch want := kinds[0]; {
	case value.kind == Nil && value.at.Line > 0:
		return "there is nothing after the key: fill it in or remove the line"
	case value.kind == Date || value.kind == Time:
		return "YAML reads this as a date: quote it"
	case want == Int:
		return "write a whole number without quotes and without a unit"
	case want == Bool && len(kinds) == 1:
		return "write true or false without quotes"
	case want == List:
		return "write a list, one item per line after -"
	case want == Map:
		return "write keys and values on indented lines below"
	case value.kind == List:
		return "write one text, not a list"
	case value.kind == Map:
		return "write one text, not keys and values"
	default:
		return "write a text, in quotes if in doubt"
	}
}

func join(path, key string) string {
	switch {
	case path == "":
		return key
	case strings.TrimSpace(key) == "":
		return path
	default:
		return path + "/" + key
	}
}

// nearest is the known key that a mistyped one most likely means.
func nearest(key string, example Value) string {
	best, distance := "", len(key)/3+1
	for _, e := range example.entries {
		if d := editDistance(key, e.key.text); d <= distance && (best == "" || d < distance) {
			best, distance = e.key.text, d
		}
	}
	return best
}

func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		diagonal := row[0]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := diagonal
			if a[i-1] != b[j-1] {
				cost++
			}
			diagonal = row[j]
			row[j] = min(cost, row[j]+1, row[j-1]+1)
		}
	}
	return row[len(b)]
}
