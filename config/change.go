package config

import (
	"cmp"
	"slices"
	"strconv"
)

// opKind is what an op does to a tree or to the text of a file.
type opKind int

const (
	// opRename gives an entry another key in the same map.
	opRename opKind = iota
	// opMove takes an entry to another place, where nothing may stand yet.
	opMove
	// opSet replaces the value of an entry.
	opSet
	// opRemove takes an entry out.
	opRemove
	// opInsert adds an entry, with the maps above it.
	opInsert
)

// op is one change of a configuration. The same op changes the tree that is read
// and, for `config --fix`, the text of the file.
type op struct {
	kind  opKind
	path  []string
	to    []string
	value Value
}

func rename(path []string, key string) op { return op{kind: opRename, path: path, to: []string{key}} }
func move(from, to []string) op           { return op{kind: opMove, path: from, to: to} }
func set(path []string, value Value) op   { return op{kind: opSet, path: path, value: value} }
func remove(path []string) op             { return op{kind: opRemove, path: path} }
func insert(path []string, value Value) op {
	return op{kind: opInsert, path: path, value: value}
}

// tree applies the op to a tree.
func (o op) tree(root Value) Value {
	switch o.kind {
	case opRename:
		return root.edited(o.path, func(e entry) (entry, bool) {
			e.key.text = o.to[0]
			return e, true
		})
	case opMove:
		value := root.sub(o.path...)
		return root.without(o.path).inserted(o.to, value)
	case opRemove:
		return root.without(o.path)
	case opInsert:
		return root.inserted(o.path, o.value)
	default:
		return root.edited(o.path, func(e entry) (entry, bool) {
			value := o.value
			value.at = e.value.at
			e.value = value
			return e, true
		})
	}
}

// Private

// edited returns the tree with the entry at path changed, or dropped.
func (v Value) edited(path []string, change func(entry) (entry, bool)) Value {
	if v.kind == List {
		return v.editedItem(path, change)
	}
	entries := make([]entry, 0, len(v.entries))
	for _, e := range v.entries {
		keep := true
		if e.key.String() == path[0] {
			if len(path) > 1 {
				e.value = e.value.edited(path[1:], change)
			} else {
				e, keep = change(e)
			}
		}
		if keep {
			entries = append(entries, e)
		}
	}
	v.entries = entries
	return v
}

func (v Value) editedItem(path []string, change func(entry) (entry, bool)) Value {
	i, err := strconv.Atoi(path[0])
	if err != nil || i < 0 || i >= len(v.list) {
		return v
	}
	list := slices.Clone(v.list)
	if len(path) > 1 {
		list[i] = list[i].edited(path[1:], change)
	} else if e, keep := change(entry{value: list[i]}); keep {
		list[i] = e.value
	} else {
		list = slices.Delete(list, i, i+1)
	}
	v.list = list
	return v
}

// without drops an entry, and the maps above it that are empty then.
func (v Value) without(path []string) Value {
	v = v.edited(path, func(e entry) (entry, bool) { return e, false })
	if len(path) > 1 {
		if above := v.sub(path[:len(path)-1]...); above.kind == Map && len(above.entries) == 0 {
			return v.without(path[:len(path)-1])
		}
	}
	return v
}

// inserted adds an entry, making the maps above it.
func (v Value) inserted(path []string, value Value) Value {
	if len(path) == 0 {
		return value
	}
	first, rest := path[0], path[1:]
	if v.kind != Map {
		v = Value{kind: Map, at: cmp.Or(v.at, value.at)}
	}
	v.entries = slices.Clone(v.entries)
	for i, e := range v.entries {
		if e.key.String() == first {
			v.entries[i].value = e.value.inserted(rest, value)
			return v
		}
	}
	key := StringValue(first)
	key.at = value.at
	v.entries = append(v.entries, entry{key: key, value: Value{}.inserted(rest, value)})
	return v
}
