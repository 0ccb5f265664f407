package config

import (
	"math"
	"slices"
	"strconv"
	"strings"
)

func (c methodCall) onList(self Value) (Value, error) {
	items := self.list
	switch c.name {
	case "map", "collect":
		return c.mapped(items)
	case "each", "each_with_index":
		for i, item := range items {
			if _, err := c.yieldAt(item, i); err != nil {
				return Value{}, err
			}
		}
		return self, nil
	case "select", "filter", "reject":
		return c.filtered(items, c.name != "reject")
	case "any?", "all?", "none?":
		return c.quantified(items)
	case "join":
		return StringValue(strings.Join(flatTexts(items), c.text(0, ""))), nil
	case "length", "size", "count":
		return IntValue(int64(len(items))), nil
	case "empty?":
		return BoolValue(len(items) == 0), nil
	case "include?":
		return BoolValue(len(c.args) > 0 && slices.ContainsFunc(items, c.args[0].equal)), nil
	case "first", "take", "last", "drop":
		return c.slice(items)
	case "to_a":
		return self, nil
	case "uniq":
		return ListValue(uniqueValues(items)...), nil
	case "compact":
		return ListValue(slices.DeleteFunc(slices.Clone(items), Value.IsNil)...), nil
	case "flatten":
		return ListValue(flatten(items)...), nil
	case "reverse":
		reversed := slices.Clone(items)
		slices.Reverse(reversed)
		return ListValue(reversed...), nil
	case "sort":
		return c.sorted(items)
	}
	return Value{}, c.unknown(self)
}

// Private

// yield runs the block, or the method of &:name, for some values.
func (c methodCall) yield(values ...Value) (Value, error) {
	switch {
	case c.send != "":
		return methodCall{ruby: c.ruby, line: c.line, name: c.send}.on(values[0])
	case c.block == nil:
		return Value{}, &beyondError{c.line, "." + c.name + " without a block"}
	}
	for i, name := range c.block.params {
		value := Value{}
		if i < len(values) {
			value = values[i]
		}
		c.ruby.locals[name] = value
	}
	if c.ruby.steps++; c.ruby.steps > maxSteps {
		return Value{}, c.ruby.fail(c.line, "the template does not come to an end")
	}
	return c.block.body(c.ruby)
}

func (c methodCall) yieldAt(item Value, i int) (Value, error) {
	if c.name == "each_with_index" {
		return c.yield(item, IntValue(int64(i)))
	}
	return c.yield(item)
}

func (c methodCall) mapped(items []Value) (Value, error) {
	mapped := Value{kind: List, list: make([]Value, len(items))}
	for i, item := range items {
		v, err := c.yield(item)
		if err != nil {
			return Value{}, err
		}
		mapped.list[i] = v
	}
	return mapped, nil
}

func (c methodCall) filtered(items []Value, keep bool) (Value, error) {
	kept := Value{kind: List}
	for _, item := range items {
		v, err := c.yield(item)
		if err != nil {
			return Value{}, err
		}
		if v.truthy() == keep {
			kept.list = append(kept.list, item)
		}
	}
	return kept, nil
}

func (c methodCall) quantified(items []Value) (Value, error) {
	hits := 0
	for _, item := range items {
		v := item
		if c.block != nil || c.send != "" {
			var err error
			if v, err = c.yield(item); err != nil {
				return Value{}, err
			}
		}
		if v.truthy() {
			hits++
		}
	}
	switch c.name {
	case "any?":
		return BoolValue(hits > 0), nil
	case "all?":
		return BoolValue(hits == len(items)), nil
	default:
		return BoolValue(hits == 0), nil
	}
}

func (c methodCall) slice(items []Value) (Value, error) {
	fromEnd := c.name == "last"
	if len(c.args) == 0 {
		switch {
		case len(items) == 0:
			return Value{}, nil
		case fromEnd:
			return items[len(items)-1], nil
		default:
			return items[0], nil
		}
	}
	n, _ := c.args[0].Int()
	n = min(max(n, 0), len(items))
	switch {
	case fromEnd:
		return ListValue(items[len(items)-n:]...), nil
	case c.name == "drop":
		return ListValue(items[n:]...), nil
	default:
		return ListValue(items[:n]...), nil
	}
}

func (c methodCall) sorted(items []Value) (Value, error) {
	for _, item := range items {
		if item.kind != String {
			return Value{}, &beyondError{c.line, "sorting other things than texts"}
		}
	}
	sorted := slices.Clone(items)
	slices.SortFunc(sorted, func(a, b Value) int { return strings.Compare(a.text, b.text) })
	return ListValue(sorted...), nil
}

// elementAt is list[i], text[i] and text[i, n].
func elementAt(r *ruby, line int, self Value, args []Value) (Value, error) {
	if self.IsNil() {
		return Value{}, r.fail(line, "undefined method `[]' for nil")
	}
	if self.kind == Map && len(args) == 1 {
		value, _ := lookUp(self, args[0])
		return value, nil
	}
	if self.kind == String && len(args) > 0 && args[0].kind == patternKind {
		return patternPart(line, self.text, args)
	}
	first, ok := 0, false
	if len(args) > 0 {
		first, ok = args[0].Int()
	}
	size := len(self.list)
	chars := []rune(self.text)
	if self.kind == String {
		size = len(chars)
	}
	if !ok || len(args) > 2 || self.kind != List && self.kind != String {
		return Value{}, &beyondError{line, "this index"}
	}
	if first < 0 {
		first += size
	}
	if first < 0 || first > size || len(args) == 1 && first == size {
		return Value{}, nil
	}
	count := 1
	if len(args) == 2 {
		if count, ok = args[1].Int(); !ok || count < 0 {
			return Value{}, nil
		}
	}
	end := min(first+min(count, size), size)
	switch {
	case self.kind == String:
		return StringValue(string(chars[first:end])), nil
	case len(args) == 2:
		return ListValue(self.list[first:end]...), nil
	default:
		return self.list[first], nil
	}
}

// operate applies a binary operator.
func operate(r *ruby, line int, op string, a, b Value) (Value, error) {
	switch op {
	case "==":
		return BoolValue(a.equal(b) || a.number() && b.number() && a.float() == b.float()), nil
	case "!=":
		return BoolValue(!a.equal(b)), nil
	case "=~", "!~":
		return matchOperator(line, op, a, b)
	}
	switch {
	case a.kind == String && b.kind == String && (op == "+" || op == "<<"):
		if len(a.text)+len(b.text) > 1<<20 {
			return Value{}, r.fail(line, "the template makes a text that is too long")
		}
		return StringValue(a.text + b.text), nil
	case a.kind == String && b.kind == String && strings.Contains(" < > <= >= ", " "+op+" "):
		return compare(op, strings.Compare(a.text, b.text)), nil
	case a.kind == String && b.kind == Int && op == "*" && b.integer >= 0 && b.integer*int64(len(a.text)+1) < 1<<20:
		return StringValue(strings.Repeat(a.text, int(b.integer))), nil
	case a.kind == List && b.kind == List && op == "+":
		return ListValue(append(slices.Clone(a.list), b.list...)...), nil
	case a.kind == List && b.kind == List && op == "-":
		return ListValue(slices.DeleteFunc(slices.Clone(a.list), func(v Value) bool { return slices.ContainsFunc(b.list, v.equal) })...), nil
	case a.kind == Int && b.kind == Int:
		return operateInt(r, line, op, a.integer, b.integer)
	case a.number() && b.number():
		return operateFloat(line, op, a.float(), b.float())
	case a.IsNil():
		return Value{}, r.fail(line, "undefined method `%s' for nil", op)
	case a.kind == String && op == "+":
		return Value{}, r.fail(line, "no implicit conversion of %s into String", b.inspect())
	}
	return Value{}, &beyondError{line, a.inspect() + " " + op + " " + b.inspect()}
}

func operateInt(r *ruby, line int, op string, a, b int64) (Value, error) {
	const limit = 1 << 31
	if a > limit || a < -limit || b > limit || b < -limit {
		return Value{}, &beyondError{line, "numbers of this size"}
	}
	switch op {
	case "+":
		return IntValue(a + b), nil
	case "-":
		return IntValue(a - b), nil
	case "*":
		return IntValue(a * b), nil
	case "/", "%":
		if b == 0 {
			return Value{}, r.fail(line, "divided by 0")
		}
		quotient := int64(math.Floor(float64(a) / float64(b)))
		if op == "/" {
			return IntValue(quotient), nil
		}
		return IntValue(a - quotient*b), nil
	case "<", ">", "<=", ">=":
		return compare(op, int(max(-1, min(1, a-b)))), nil
	}
	return Value{}, &beyondError{line, "the operator " + op}
}

func operateFloat(line int, op string, a, b float64) (Value, error) {
	switch op {
	case "+":
		return floatValue(a + b), nil
	case "-":
		return floatValue(a - b), nil
	case "*":
		return floatValue(a * b), nil
	case "/":
		return floatValue(a / b), nil
	case "<":
		return BoolValue(a < b), nil
	case ">":
		return BoolValue(a > b), nil
	case "<=":
		return BoolValue(a <= b), nil
	case ">=":
		return BoolValue(a >= b), nil
	}
	return Value{}, &beyondError{line, "the operator " + op}
}

// Helpers

func (v Value) number() bool { return v.kind == Int || v.kind == Float }

func (v Value) float() float64 {
	f, err := strconv.ParseFloat(v.text, 64)
	if err != nil {
		return math.NaN()
	}
	return f
}

func compare(op string, sign int) Value {
	switch op {
	case "<":
		return BoolValue(sign < 0)
	case ">":
		return BoolValue(sign > 0)
	case "<=":
		return BoolValue(sign <= 0)
	default:
		return BoolValue(sign >= 0)
	}
}

func flatten(items []Value) []Value {
	var flat []Value
	for _, item := range items {
		if item.kind == List {
			flat = append(flat, flatten(item.list)...)
		} else {
			flat = append(flat, item)
		}
	}
	return flat
}

func flatTexts(items []Value) []string {
	var texts []string
	for _, item := range flatten(items) {
		texts = append(texts, item.String())
	}
	return texts
}

func uniqueValues(items []Value) []Value {
	var all []Value
	for _, item := range items {
		if !slices.ContainsFunc(all, item.equal) {
			all = append(all, item)
		}
	}
	return all
}
