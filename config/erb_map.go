package config

import "slices"

// mapLiteral is { "a" => 1, b: 2 }.
func (p *rubyParser) mapLiteral() (expr, error) {
	p.next()
	var keys, values []expr
	for {
		p.skipBreaks()
		if p.isOperator("}") {
			p.next()
			break
		}
		key, err := p.mapKey()
		if err != nil {
			return nil, err
		}
		p.skipBreaks()
		value, err := p.expression()
		if err != nil {
			return nil, err
		}
		keys, values = append(keys, key), append(values, value)
		p.skipBreaks()
		if p.isOperator(",") {
			p.next()
		} else if !p.isOperator("}") {
			return nil, p.unexpected(" where `}` should stand")
		}
	}
	return func(r *ruby) (Value, error) {
		names, err := evaluateAll(r, keys)
		if err != nil {
			return Value{}, err
		}
		contents, err := evaluateAll(r, values)
		if err != nil {
			return Value{}, err
		}
		m := Value{kind: Map}
		for i := range names {
			m.set(names[i], contents[i])
		}
		return m, nil
	}, nil
}

// choice is case … when … else … end.
func (p *rubyParser) choice() (expr, error) {
	subject, err := p.notExpression()
	if err != nil {
		return nil, err
	}
	p.skipBreaks()
	var branches []branch
	for p.isKeyword("when") {
		p.next()
		b, err := p.branch()
		if err != nil {
			return nil, err
		}
		branches = append(branches, b)
	}
	otherwise := constant(Value{})
	if p.isKeyword("else") {
		p.next()
		if otherwise, err = p.statements(); err != nil {
			return nil, err
		}
	}
	if !p.isKeyword("end") || len(branches) == 0 {
		return nil, p.unexpected(" in this case")
	}
	p.next()
	return func(r *ruby) (Value, error) {
		value, err := subject(r)
		if err != nil {
			return Value{}, err
		}
		for _, b := range branches {
			if hit, err := b.matches(r, value); err != nil {
				return Value{}, err
			} else if hit {
				return b.body(r)
			}
		}
		return otherwise(r)
	}, nil
}

// Private

// mapKey reads `key =>`, `key:` or `"key":`.
func (p *rubyParser) mapKey() (expr, error) {
	t, colon := p.peek(), p.tokens[min(p.at+1, len(p.tokens)-1)]
	if colon.kind == tokenOperator && colon.text == ":" && !colon.spaced {
		switch t.kind {
		case tokenName, tokenConst, tokenKeyword:
			p.at += 2
			return constant(symbol(t.text)), nil
		case tokenString:
			p.at += 2
			return constant(symbol(plainParts(t.parts))), nil
		}
	}
	key, err := p.expression()
	if err != nil {
		return nil, err
	}
	p.skipBreaks()
	return key, p.expect("=>")
}

// branch is one when of a case.
type branch struct {
	line  int
	tests []expr
	body  expr
}

func (p *rubyParser) branch() (branch, error) {
	b := branch{line: p.peek().line}
	for {
		p.skipBreaks()
		test, err := p.expression()
		if err != nil {
			return b, err
		}
		b.tests = append(b.tests, test)
		if !p.isOperator(",") {
			break
		}
		p.next()
	}
	if p.isKeyword("then") {
		p.next()
	}
	var err error
	b.body, err = p.statements()
	return b, err
}

func (b branch) matches(r *ruby, value Value) (bool, error) {
	for _, test := range b.tests {
		want, err := test(r)
		if err != nil {
			return false, err
		}
		if want.kind == patternKind {
			hit, err := matchOperator(b.line, "=~", value, want)
			if err != nil || hit.truthy() {
				return err == nil, err
			}
			continue
		}
		if want.equal(value) {
			return true, nil
		}
	}
	return false, nil
}

func (c methodCall) onMap(self Value) (Value, error) {
	switch c.name {
	case "fetch":
		return c.fetched(self)
	case "key?", "has_key?", "include?":
		if len(c.args) == 1 {
			_, ok := lookUp(self, c.args[0])
			return BoolValue(ok), nil
		}
	case "dig":
		for _, key := range c.args {
			self, _ = lookUp(self, key)
		}
		return self, nil
	case "keys", "values":
		list := Value{kind: List}
		for _, e := range self.entries {
			item := e.key
			if c.name == "values" {
				item = e.value
			}
			list.list = append(list.list, item)
		}
		return list, nil
	case "length", "size", "count":
		return IntValue(int64(len(self.entries))), nil
	case "empty?":
		return BoolValue(len(self.entries) == 0), nil
	case "each", "map", "collect":
		return c.eachPair(self)
	}
	return Value{}, c.unknown(self)
}

func (c methodCall) fetched(self Value) (Value, error) {
	if len(c.args) == 0 {
		return Value{}, c.unknown(self)
	}
	value, ok := lookUp(self, c.args[0])
	switch {
	case ok:
		return value, nil
	case c.block != nil:
		return c.yield(c.args[0])
	case len(c.args) > 1:
		return c.args[1], nil
	default:
		return Value{}, c.ruby.fail(c.line, "key not found: %s", c.args[0].inspect())
	}
}

func (c methodCall) eachPair(self Value) (Value, error) {
	mapped := Value{kind: List}
	for _, e := range self.entries {
		v, err := c.yield(e.key, e.value)
		if err != nil {
			return Value{}, err
		}
		mapped.list = append(mapped.list, v)
	}
	if c.name == "each" {
		return self, nil
	}
	return mapped, nil
}

// Helpers

// lookUp finds the value of a key, which may be a text or a symbol.
func lookUp(self, key Value) (Value, bool) {
	i := slices.IndexFunc(self.entries, func(e entry) bool { return e.key.equal(key) })
	if i < 0 {
		return Value{}, false
	}
	return self.entries[i].value, true
}
