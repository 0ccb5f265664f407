package config

import (
	"strings"
)

// Kind is what Ruby's YAML reader makes of a value.
type Kind int

// The kinds of values. Date and Time are texts that YAML 1.1 reads as dates;
// they are not strings to the validation.
const (
	Nil Kind = iota
	Bool
	Int
	Float
	String
	Symbol
	Date
	Time
	List
	Map
)

// Position is a place in a file. Line and Column count from 1; a zero Line means
// that the place is not known.
type Position struct {
	File   string
	Line   int
	Column int
}

// Value is one value of deploy.yml as Ruby reads it: `yes` is true, 0600 is 384,
// 1.10 is 1.1. Values are immutable. The zero Value is nil.
type Value struct {
	kind    Kind
	text    string
	integer int64
	list    []Value
	entries []entry
	at      Position
}

// Pair is one entry of an ordered map.
type Pair struct {
	Name  string
	Value Value
}

// Pairs is an ordered map, in the order of the file.
type Pairs []Pair

// StringValue is a string.
func StringValue(s string) Value { return Value{kind: String, text: s} }

// IntValue is an integer.
func IntValue(n int64) Value { return intValue(n) }

// BoolValue is true or false.
func BoolValue(b bool) Value {
	if b {
		return Value{kind: Bool, text: "true"}
	}
	return Value{kind: Bool, text: "false"}
}

// ListValue is a list.
func ListValue(items ...Value) Value { return Value{kind: List, list: items} }

// Kind tells what the value is.
func (v Value) Kind() Kind { return v.kind }

// At is the place of the value in its file.
func (v Value) At() Position { return v.at }

// IsNil tells whether there is no value.
func (v Value) IsNil() bool { return v.kind == Nil }

// IsTrue tells whether the value is the boolean true.
func (v Value) IsTrue() bool { return v.kind == Bool && v.text == "true" }

// IsFalse tells whether the value is the boolean false.
func (v Value) IsFalse() bool { return v.kind == Bool && v.text == "false" }

// Int is the integer, and whether the value is one.
func (v Value) Int() (int, bool) { return int(v.integer), v.kind == Int }

// String is the value as Ruby's to_s prints it: "1.1" for 1.10, "" for nil.
// Lists and maps print as Ruby's inspect does.
func (v Value) String() string {
	if v.kind == List || v.kind == Map {
		return v.inspect()
	}
	return v.text
}

// List returns the items of a list; nil for anything else.
func (v Value) List() []Value { return append([]Value(nil), v.list...) }

// Pairs returns the entries of a map in order; nil for anything else. Keys are
// printed as Ruby's to_s does.
func (v Value) Pairs() Pairs {
	if v.kind != Map {
		return nil
	}
	pairs := make(Pairs, len(v.entries))
	for i, e := range v.entries {
		pairs[i] = Pair{Name: e.key.String(), Value: e.value}
	}
	return pairs
}

// Present is Ruby's present?: not nil, not false, not blank text, not an empty
// list or map.
func (v Value) Present() bool {
	switch v.kind {
	case Nil:
		return false
	case Bool:
		return v.text == "true"
	case String, Symbol:
		return strings.TrimSpace(v.text) != ""
	case List:
		return len(v.list) > 0
	case Map:
		return len(v.entries) > 0
	default:
		return true
	}
}

// Get returns the value of a name, and whether the map has it.
func (p Pairs) Get(name string) (Value, bool) {
	for _, pair := range p {
		if pair.Name == name {
			return pair.Value, true
		}
	}
	return Value{}, false
}

// Names lists the names in order.
func (p Pairs) Names() []string {
	names := make([]string, len(p))
	for i, pair := range p {
		names[i] = pair.Name
	}
	return names
}

// Merge returns p with the entries of over on top: a name that is in both keeps
// its place and takes the new value.
func (p Pairs) Merge(over Pairs) Pairs {
	merged := append(Pairs(nil), p...)
next:
	for _, pair := range over {
		for i := range merged {
			if merged[i].Name == pair.Name {
				merged[i] = pair
				continue next
			}
		}
		merged = append(merged, pair)
	}
	return merged
}

// Private

// entry is one key of a map with its value; keys are values too, since YAML 1.1
// reads `on:` as true.
type entry struct {
	key   Value
	value Value
}

// get returns the value below a string key. A missing key and an explicit null
// differ by the second result.
func (v Value) get(key string) (Value, bool) {
	for _, e := range v.entries {
		if e.key.kind == String && e.key.text == key {
			return e.value, true
		}
	}
	return Value{}, false
}

// sub returns the value below a string key, or nil.
func (v Value) sub(keys ...string) Value {
	for _, key := range keys {
		v, _ = v.get(key)
	}
	return v
}

func (v Value) has(key string) bool {
	_, ok := v.get(key)
	return ok
}

// texts prints the items of a list, or a lone scalar as a list of one.
func (v Value) texts() []string {
	switch v.kind {
	case Nil, Map:
		return nil
	case List:
		texts := make([]string, len(v.list))
		for i, item := range v.list {
			texts[i] = item.String()
		}
		return texts
	default:
		return []string{v.String()}
	}
}

// truthy is Ruby's truth: everything but nil and false.
func (v Value) truthy() bool { return v.kind != Nil && !v.IsFalse() }

// stringish is what Kamal's validation accepts for a string.
func (v Value) stringish() bool {
	switch v.kind {
	case String, Symbol, Int, Float, Bool:
		return true
	default:
		return false
	}
}

func (v Value) scalar() bool { return v.kind != List && v.kind != Map }

// equal is Ruby's ==, positions aside.
func (v Value) equal(w Value) bool {
	if v.kind != w.kind || v.scalar() && v.text != w.text || len(v.list) != len(w.list) || len(v.entries) != len(w.entries) {
		return false
	}
	for i := range v.list {
		if !v.list[i].equal(w.list[i]) {
			return false
		}
	}
	for _, e := range v.entries {
		if !hasEqual(w.entries, e) {
			return false
		}
	}
	return true
}

// Helpers

func hasEqual(entries []entry, e entry) bool {
	for _, f := range entries {
		if f.key.equal(e.key) {
			return f.value.equal(e.value)
		}
	}
	return false
}
