package config

import (
	"errors"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"
)

// masked stands for each character of a <%= … %> while a template is looked at as
// YAML; other tags become spaces, so that every place stays where it is.
const masked = '\uE000'

// errByHand says that a text cannot be changed mechanically.
var errByHand = errors.New("a template writes this, so it has to be changed by hand")

// editor changes the text of a file and keeps everything else as it stands.
type editor struct {
	text []rune
	mask []rune
	root *yaml.Node
	line []int
}

// edit applies ops to a text, one after the other. The result is read again: it
// means what the op makes of the tree, or the text has to be changed by hand.
func edit(text string, ops ...op) (string, error) {
	crlf := strings.Contains(text, "\r\n")
	if crlf {
		text = strings.ReplaceAll(text, "\r\n", "\n")
	}
	for _, o := range ops {
		before, err := maskedTree(text)
		if err != nil {
			return "", err
		}
		e, err := newEditor(text)
		if err != nil {
			return "", err
		}
		if text, err = e.apply(o); err != nil {
			return "", err
		}
		after, err := maskedTree(text)
		if err != nil || strings.ContainsRune(text, masked) || !after.equal(o.tree(before)) {
			return "", errByHand
		}
	}
	if crlf {
		text = strings.ReplaceAll(text, "\n", "\r\n")
	}
	return text, nil
}

// Private

func newEditor(text string) (*editor, error) {
	if strings.ContainsAny(text, "\r\u0085\u2028\u2029\ufeff\x00") {
		// YAML counts lines by these too, and places would not fit.
		return nil, errByHand
	}
	e := &editor{text: []rune(text), line: []int{0}}
	e.mask = maskTemplate(e.text)
	for i, r := range e.mask {
		if r == '\n' {
			e.line = append(e.line, i+1)
		}
	}
	var document yaml.Node
	if err := yaml.Unmarshal([]byte(string(e.mask)), &document); err != nil || len(document.Content) == 0 {
		return nil, errByHand
	}
	if e.root = document.Content[0]; e.root.Kind != yaml.MappingNode {
		return nil, errByHand
	}
	return e, nil
}

func (e *editor) apply(o op) (string, error) {
	switch o.kind {
	case opInsert:
		return e.insert(o.path, o.value)
	case opMove:
		return e.move(o.path, o.to)
	}
	p, err := e.find(o.path)
	if err != nil {
		return "", err
	}
	switch o.kind {
	case opRename:
		return e.replace(p.start, e.keyEnd(p), o.to[0]), nil
	case opRemove:
		return e.remove(o.path, p)
	default:
		return e.set(p, o.value), nil
	}
}

// place is an entry of a map: where it starts and ends.
type place struct {
	parent, key, value *yaml.Node
	index              int
	start              int
	// lastLine is the last line of a block entry, counted from 0.
	lastLine int
	flow     bool
}

func (e *editor) find(path []string) (place, error) {
	node := e.root
	for depth, key := range path {
		for node.Kind == yaml.AliasNode {
			return place{}, errByHand
		}
		i := childIndex(node, key)
		if i < 0 || node.Kind != yaml.MappingNode {
			return place{}, fmt.Errorf("%s: %w", strings.Join(path, "/"), errByHand)
		}
		if depth == len(path)-1 {
			return e.place(node, i), nil
		}
		node = node.Content[i+1]
	}
	return place{}, errByHand
}

func (e *editor) place(parent *yaml.Node, i int) place {
	p := place{parent: parent, key: parent.Content[i], value: parent.Content[i+1], index: i}
	p.start = e.offset(p.key)
	p.flow = parent.Style&yaml.FlowStyle != 0
	if !p.flow {
		p.lastLine = e.lastLine(p)
	}
	return p
}

// lastLine finds where a block entry ends: at the last line that is indented
// deeper than its key.
func (e *editor) lastLine(p place) int {
	first := p.key.Line - 1
	if p.value.Style&yaml.FlowStyle != 0 && p.value.Kind != yaml.ScalarNode && p.value.Kind != yaml.AliasNode {
		return e.lineOf(e.flowEnd(e.offset(p.value)) - 1)
	}
	indent := p.key.Column - 1
	dashes := p.value.Kind == yaml.SequenceNode
	last := first
	for n := first + 1; n < len(e.line); n++ {
		text := e.lineText(n)
		trimmed := strings.TrimSpace(text)
		depth := len(text) - len(strings.TrimLeft(text, " "))
		switch {
		case trimmed == "":
		case depth > indent, depth == indent && dashes && (trimmed == "-" || strings.HasPrefix(trimmed, "- ")):
			last = n
		case strings.HasPrefix(trimmed, "#"):
		default:
			return last
		}
	}
	return last
}

func (e *editor) remove(path []string, p place) (string, error) {
	if len(p.parent.Content) == 2 && len(path) > 1 {
		above, err := e.find(path[:len(path)-1])
		if err != nil {
			return "", err
		}
		return e.remove(path[:len(path)-1], above)
	}
	if p.flow {
		start, end := p.start, e.valueEnd(p)
		if p.index+2 < len(p.parent.Content) {
			end = e.offset(p.parent.Content[p.index+2])
		} else if p.index > 0 {
			start = e.valueEnd(e.place(p.parent, p.index-2))
		}
		return e.replace(start, end, ""), nil
	}
	if !e.alone(p) {
		return "", errByHand
	}
	return e.replace(e.line[p.key.Line-1], e.lineEnd(p.lastLine), ""), nil
}

func (e *editor) set(p place, value Value) string {
	colon := e.keyEnd(p) + 1
	if p.flow {
		return e.replace(colon, e.valueEnd(p), " "+flowText(value))
	}
	end := e.lineEnd(p.lastLine)
	if value.scalar() || len(value.list)+len(value.entries) == 0 {
		comment := ""
		if p.lastLine == p.key.Line-1 {
			comment = e.comment(p)
		}
		return e.replace(colon, end, " "+flowText(value)+comment+"\n")
	}
	return e.replace(colon, end, e.comment(p)+"\n"+blockText(value, p.key.Column-1+e.step()))
}

func (e *editor) insert(path []string, value Value) (string, error) {
	node, depth := e.root, 0
	for depth < len(path)-1 {
		i := childIndex(node, path[depth])
		if i < 0 {
			break
		}
		child := node.Content[i+1]
		if child.Kind == yaml.ScalarNode && child.Value == "" {
			return e.set(e.place(node, i), Value{}.inserted(path[depth+1:], value)), nil
		}
		if child.Kind != yaml.MappingNode {
			return "", errByHand
		}
		node, depth = child, depth+1
	}
	if childIndex(node, path[depth]) >= 0 {
		return "", errByHand
	}
	added := Value{kind: Map, entries: []entry{{StringValue(path[depth]), Value{}.inserted(path[depth+1:], value)}}}
	return e.append(node, added)
}

// append adds entries at the end of a map.
func (e *editor) append(node *yaml.Node, added Value) (string, error) {
	if len(node.Content) == 0 {
		start := e.offset(node)
		return e.replace(start, e.flowEnd(start), flowText(added)), nil
	}
	last := e.place(node, len(node.Content)-2)
	if last.flow {
		inner := strings.Trim(flowText(added), "{} ")
		return e.replace(e.valueEnd(last), e.valueEnd(last), ", "+inner), nil
	}
	return e.appendLines(node, last, blockText(added, last.key.Column-1)), nil
}

func (e *editor) appendLines(node *yaml.Node, last place, lines string) string {
	at := e.lineEnd(last.lastLine)
	if at > 0 && e.text[at-1] != '\n' {
		lines = "\n" + lines
	}
	if node == e.root {
		lines = "\n" + lines
	}
	return e.replace(at, at, lines)
}

// move takes the lines of an entry to another map, or writes the maps it belongs
// below around it.
func (e *editor) move(from, to []string) (string, error) {
	p, err := e.find(from)
	if err != nil {
		return "", err
	}
	target, depth := e.root, 0
	for depth < len(to)-1 {
		i := childIndex(target, to[depth])
		if i < 0 || target.Content[i+1].Kind != yaml.MappingNode {
			break
		}
		target, depth = target.Content[i+1], depth+1
	}
	if p.flow || target.Style&yaml.FlowStyle != 0 || !e.alone(p) || childIndex(target, to[depth]) >= 0 {
		return e.carry(from, to)
	}
	var lines string
	indent := target.Column - 1
	for _, key := range to[depth : len(to)-1] {
		lines += strings.Repeat(" ", indent) + key + ":\n"
		indent += e.step()
	}
	lines += e.reindented(p, indent, to[len(to)-1])
	if target == p.parent || len(from) == 1 && depth == 0 {
		return e.replace(e.line[p.key.Line-1], e.lineEnd(p.lastLine), lines), nil
	}
	last := e.place(target, len(target.Content)-2)
	if last.key.Line == p.key.Line {
		return e.carry(from, to)
	}
	placed := e.appendLines(target, last, lines)
	return edit(placed, remove(from))
}

// carry is move for maps written in braces: the value is written anew.
func (e *editor) carry(from, to []string) (string, error) {
	tree, err := maskedTree(string(e.text))
	if err != nil {
		return "", err
	}
	return edit(string(e.text), insert(to, tree.sub(from...)), remove(from))
}

// reindented is the text of an entry under another key and at another depth.
func (e *editor) reindented(p place, indent int, key string) string {
	shift := indent - (p.key.Column - 1)
	first := strings.Repeat(" ", indent) + key + string(e.text[e.keyEnd(p):e.lineEnd(p.key.Line-1)])
	lines := []string{strings.TrimSuffix(first, "\n")}
	for n := p.key.Line; n <= p.lastLine; n++ {
		text := strings.TrimRight(string(e.text[e.line[n]:e.lineEnd(n)]), "\n")
		switch {
		case strings.TrimSpace(text) == "":
		case shift >= 0:
			text = strings.Repeat(" ", shift) + text
		default:
			text = strings.TrimPrefix(text, strings.Repeat(" ", -shift))
		}
		lines = append(lines, text)
	}
	return strings.Join(lines, "\n") + "\n"
}

// alone tells whether a block entry starts its line.
func (e *editor) alone(p place) bool {
	return strings.TrimSpace(string(e.mask[e.line[p.key.Line-1]:p.start])) == ""
}

// comment is the comment at the end of the key's line, with the space before it.
func (e *editor) comment(p place) string {
	line := p.key.Line - 1
	start := e.keyEnd(p) + 1
	if p.value.Line == p.key.Line && p.value.Kind != 0 && p.value.Value+p.value.Tag != "" && e.lineOf(e.valueEnd(p)) == line {
		start = max(start, e.valueEnd(p))
	}
	rest := string(e.text[start:e.lineEnd(line)])
	if i := strings.Index(rest, " #"); i >= 0 && strings.TrimSpace(rest[:i]) == "" {
		return strings.TrimRight(rest[i:], "\n")
	}
	return ""
}

// step is the indentation that the file uses.
func (e *editor) step() int {
	for i := 1; i < len(e.root.Content); i += 2 {
		if child := e.root.Content[i]; child.Kind == yaml.MappingNode && child.Style&yaml.FlowStyle == 0 && child.Column > e.root.Column {
			return child.Column - e.root.Column
		}
	}
	return 2
}

func (e *editor) replace(start, end int, text string) string {
	start = min(max(start, 0), len(e.text))
	end = min(max(end, start), len(e.text))
	return string(e.text[:start]) + text + string(e.text[end:])
}

func (e *editor) offset(node *yaml.Node) int {
	line := min(max(node.Line, 1), len(e.line))
	return min(e.line[line-1]+max(node.Column, 1)-1, len(e.text))
}

func (e *editor) lineOf(offset int) int {
	n := 0
	for n+1 < len(e.line) && e.line[n+1] <= offset {
		n++
	}
	return n
}

// lineEnd is the place after the line break of a line.
func (e *editor) lineEnd(n int) int {
	if n+1 < len(e.line) {
		return e.line[n+1]
	}
	return len(e.text)
}

func (e *editor) lineText(n int) string {
	return strings.TrimRight(string(e.mask[e.line[n]:e.lineEnd(n)]), "\r\n")
}

// keyEnd is the place of the colon after a key.
func (e *editor) keyEnd(p place) int {
	at := e.scalarEnd(p.start, true, ":")
	for at < len(e.mask) && e.mask[at] != ':' {
		at++
	}
	return at
}

func (e *editor) valueEnd(p place) int {
	start := e.offset(p.value)
	switch p.value.Kind {
	case yaml.MappingNode, yaml.SequenceNode:
		return e.flowEnd(start)
	default:
		if p.value.Value == "" && p.value.Style == 0 {
			return e.keyEnd(p) + 1
		}
		return e.scalarEnd(start, p.flow, ",]}")
	}
}

// scalarEnd is the place after a scalar that starts at a place and stays on a line.
func (e *editor) scalarEnd(start int, bounded bool, stops string) int {
	if start >= len(e.mask) {
		return len(e.mask)
	}
	if quote := e.mask[start]; quote == '"' || quote == '\'' {
		for i := start + 1; i < len(e.mask); i++ {
			switch {
			case e.mask[i] == '\\' && quote == '"':
				i++
			case e.mask[i] == quote && quote == '\'' && i+1 < len(e.mask) && e.mask[i+1] == quote:
				i++
			case e.mask[i] == quote:
				return i + 1
			}
		}
		return len(e.mask)
	}
	end := start
	for i := start; i < len(e.mask) && e.mask[i] != '\n'; i++ {
		if e.mask[i] == '#' && i > start && e.mask[i-1] == ' ' || bounded && strings.ContainsRune(stops, e.mask[i]) {
			break
		}
		if e.mask[i] != ' ' && e.mask[i] != '\r' {
			end = i + 1
		}
	}
	return end
}

// flowEnd is the place after the bracket that closes the one at a place.
func (e *editor) flowEnd(start int) int {
	depth, quote := 0, rune(0)
	for i := start; i < len(e.mask); i++ {
		r := e.mask[i]
		switch {
		case quote == '"' && r == '\\':
			i++
		case quote != 0:
			if r == quote {
				quote = 0
			}
		case r == '"' || r == '\'':
			quote = r
		case r == '[' || r == '{':
			depth++
		case r == ']' || r == '}':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return len(e.mask)
}

// Helpers

func childIndex(node *yaml.Node, key string) int {
	if node.Kind != yaml.MappingNode {
		return -1
	}
	for i := len(node.Content) - 2; i >= 0; i -= 2 {
		if node.Content[i].Value == key {
			return i
		}
	}
	return -1
}
