package config

import (
	"encoding/base64"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// maxNodes bounds what aliases may expand to.
const maxNodes = 50_000

var yamlErrorLine = regexp.MustCompile(`^yaml: (?:unmarshal errors:\s+)?line (\d+): `)

var yamlUnknownAnchor = regexp.MustCompile(`^yaml: unknown anchor '(.*)' referenced$`)

// source is one file: its text, what its templates rendered to, and which line
// of the text each rendered line came from.
type source struct {
	path     string
	text     string
	rendered string
	lines    []int
	node     *yaml.Node
	tree     Value
}

// parse decodes the rendered text into the tree.
func (s *source) parse() (err error) {
	defer func() {
		if problem := recover(); problem != nil {
			err = &Error{Position: Position{File: s.path}, Problem: fmt.Sprintf("the YAML reader gave up: %v", problem), Hint: "simplify the file"}
		}
	}()
	var document yaml.Node
	if err := yaml.Unmarshal([]byte(s.rendered), &document); err != nil {
		return s.syntaxError(err)
	}
	if len(document.Content) == 0 {
		return &Error{Position: Position{File: s.path, Line: 1, Column: 1}, Problem: "the file is empty", Hint: "start with service:, image:, servers: and registry:"}
	}
	s.node = document.Content[0]
	r := treeReader{source: s, open: map[*yaml.Node]bool{}}
	s.tree, err = r.read(s.node)
	if err != nil {
		return err
	}
	s.tree = s.tree.withTextKeys()
	if s.tree.kind != Map {
		return &Error{Position: s.tree.at, Problem: "the file should be a hash", Hint: "its top level must be keys such as service: and servers:"}
	}
	return nil
}

// position maps a place in the rendered text to the file as it stands.
func (s *source) position(line, column int) Position {
	if line >= 1 && line <= len(s.lines) {
		line = s.lines[line-1]
	}
	return Position{File: s.path, Line: line, Column: column}
}

// Private

// find is the place where the rendered text holds a word for the first time.
func (s *source) find(word string) Position {
	before, _, found := strings.Cut(s.rendered, word)
	if !found {
		return Position{File: s.path}
	}
	line := before[strings.LastIndexByte(before, '\n')+1:]
	return s.position(strings.Count(before, "\n")+1, len([]rune(line))+1)
}

func (s *source) syntaxError(err error) error {
	text := err.Error()
	place := Position{File: s.path}
	if m := yamlErrorLine.FindStringSubmatch(text); m != nil {
		line, _ := strconv.Atoi(m[1])
		place = s.position(line, firstColumn(s.rendered, line))
		text = text[len(m[0]):]
	}
	hint := "the YAML is broken at or just before this line"
	if m := yamlUnknownAnchor.FindStringSubmatch(text); m != nil {
		place, hint = s.find("*"+m[1]), "define it above with &"+m[1]+": anchors do not reach from one file to another"
	}
	if strings.Contains(text, "cannot start any token") {
		hint = "indent with spaces: YAML takes no tabs, and quote values that begin with @ or `"
	}
	return &Error{Position: place, Problem: strings.TrimPrefix(text, "yaml: "), Hint: hint}
}

// treeReader turns YAML nodes into values, following aliases.
type treeReader struct {
	source *source
	open   map[*yaml.Node]bool
	count  int
}

func (r *treeReader) read(node *yaml.Node) (Value, error) {
	at := r.source.position(node.Line, node.Column)
	if r.count++; r.count > maxNodes {
		return Value{}, &Error{Position: at, Problem: "the aliases of this file expand to too much", Hint: "write the values out"}
	}
	if r.open[node] {
		return Value{}, &Error{Position: at, Problem: "this alias contains itself", Hint: "write the value out"}
	}
	r.open[node] = true
	defer delete(r.open, node)

	var value Value
	var err error
	switch node.Kind {
	case yaml.AliasNode:
		value, err = r.read(node.Alias)
	case yaml.MappingNode:
		value, err = r.readMap(node)
	case yaml.SequenceNode:
		value = Value{kind: List, list: make([]Value, 0, len(node.Content))}
		for _, child := range node.Content {
			item, err := r.read(child)
			if err != nil {
				return Value{}, err
			}
			value.list = append(value.list, item)
		}
	case yaml.ScalarNode:
		value = readScalar(node)
	}
	value.at = at
	return value, err
}

func (r *treeReader) readMap(node *yaml.Node) (Value, error) {
	m := Value{kind: Map}
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, err := r.read(node.Content[i])
		if err != nil {
			return Value{}, err
		}
		value, err := r.read(node.Content[i+1])
		if err != nil {
			return Value{}, err
		}
		if key.kind == String && key.text == "<<" && mergeable(value) {
			m.mergeIn(value)
			continue
		}
		m.set(key, value)
	}
	return m, nil
}

// set adds an entry; a repeated key keeps its first place and takes the last value.
func (v *Value) set(key, value Value) {
	for i := range v.entries {
		if v.entries[i].key.equal(key) {
			v.entries[i] = entry{key, value}
			return
		}
	}
	v.entries = append(v.entries, entry{key, value})
}

// withTextKeys writes the keys of the top level that are symbols as texts: `:env:`
// is `env:` there, and nowhere else.
func (v Value) withTextKeys() Value {
	if !slices.ContainsFunc(v.entries, func(e entry) bool { return e.key.kind == Symbol }) {
		return v
	}
	named := v
	named.entries = nil
	for _, e := range v.entries {
		if e.key.kind == Symbol {
			e.key.kind = String
		}
		named.set(e.key, e.value)
	}
	return named
}

// mergeIn adds the entries of a `<<` value; of a list, the first map wins.
func (v *Value) mergeIn(value Value) {
	if value.kind == Map {
		for _, e := range value.entries {
			v.set(e.key, e.value)
		}
		return
	}
	for i := len(value.list) - 1; i >= 0; i-- {
		v.mergeIn(value.list[i])
	}
}

// Helpers

// firstColumn is where the text of a line begins, counted from 1.
func firstColumn(text string, line int) int {
	for at := range strings.Lines(text) {
		if line--; line == 0 {
			return len([]rune(at)) - len([]rune(strings.TrimLeft(at, " \t"))) + 1
		}
	}
	return 1
}

func mergeable(value Value) bool {
	if value.kind == Map {
		return true
	}
	for _, item := range value.list {
		if item.kind != Map {
			return false
		}
	}
	return value.kind == List
}

func readScalar(node *yaml.Node) Value {
	quoted := node.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) != 0
	explicit := node.Style&yaml.TaggedStyle != 0
	switch {
	case explicit && node.Tag == "!!binary":
		if data, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(node.Value), "")); err == nil {
			return StringValue(string(data))
		}
		return StringValue(node.Value)
	case quoted && !explicit:
		return StringValue(node.Value)
	case explicit && (node.Tag == "!!str" || node.Tag == "!str"):
		return StringValue(node.Value)
	case explicit && strings.HasPrefix(node.Tag, "!ruby/sym"):
		return Value{kind: Symbol, text: node.Value}
	default:
		return plainScalar(node.Value)
	}
}
