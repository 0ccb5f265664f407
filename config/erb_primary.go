package config

import (
	"strconv"
	"strings"
)

// primary is a literal, a variable, a constant with its call, or a bracket.
func (p *rubyParser) primary() (expr, error) {
	switch t := p.peek(); t.kind {
	case tokenInt:
		p.next()
		n, err := strconv.ParseInt(t.text, 10, 64)
		if err != nil {
			return nil, &beyondError{t.line, "a number of this size"}
		}
		return constant(IntValue(n)), nil
	case tokenFloat:
		p.next()
		f, err := strconv.ParseFloat(t.text, 64)
		if err != nil {
			return nil, &beyondError{t.line, "a number of this size"}
		}
		return constant(floatValue(f)), nil
	case tokenPattern:
		return p.pattern()
	case tokenString, tokenCommand, tokenWords:
		return p.stringLiteral()
	case tokenSymbol:
		p.next()
		return constant(symbol(t.text)), nil
	case tokenKeyword:
		return p.keyword()
	case tokenConst:
		return p.constantCall()
	case tokenName:
		return p.name()
	case tokenOperator:
		return p.bracket()
	}
	return nil, p.unexpected(" where a value should stand")
}

// Private

func (p *rubyParser) stringLiteral() (expr, error) {
	t := p.next()
	text, err := p.interpolated(t.parts)
	if err != nil {
		return nil, err
	}
	// Adjacent literals are one string.
	for t.kind == tokenString && p.peek().kind == tokenString {
		more, err := p.interpolated(p.next().parts)
		if err != nil {
			return nil, err
		}
		text = combine(token{text: "+", line: t.line}, text, more)
	}
	switch t.kind {
	case tokenCommand:
		return func(r *ruby) (Value, error) {
			command, err := text(r)
			if err != nil {
				return Value{}, err
			}
			return r.shell(t.line, command.text)
		}, nil
	case tokenWords:
		return func(r *ruby) (Value, error) {
			words, err := text(r)
			return textList(strings.Fields(words.text)), err
		}, nil
	default:
		return text, nil
	}
}

func (p *rubyParser) interpolated(parts []stringPart) (expr, error) {
	pieces := make([]expr, len(parts))
	for i, part := range parts {
		if !part.code {
			pieces[i] = constant(StringValue(part.text))
			continue
		}
		l := &lexer{}
		if err := l.code(part.text, part.line); err != nil {
			return nil, err
		}
		l.add(token{kind: tokenEnd, line: part.line})
		inner := &rubyParser{tokens: l.tokens, locals: p.locals, depth: p.depth + 1}
		if inner.depth > maxNesting {
			return nil, &beyondError{part.line, "this depth of nesting"}
		}
		piece, err := inner.program()
		if err != nil {
			return nil, err
		}
		pieces[i] = piece
	}
	return func(r *ruby) (Value, error) {
		var b strings.Builder
		for _, piece := range pieces {
			v, err := piece(r)
			if err != nil {
				return Value{}, err
			}
			b.WriteString(v.String())
		}
		return StringValue(b.String()), nil
	}, nil
}

func (p *rubyParser) keyword() (expr, error) {
	switch t := p.next(); t.text {
	case "true", "false":
		return constant(BoolValue(t.text == "true")), nil
	case "nil":
		return constant(Value{}), nil
	case "if", "unless":
		return p.condition(t.text == "unless")
	case "case":
		return p.choice()
	case "require":
		return p.require(t)
	default:
		p.at--
		return nil, p.unexpected(" here")
	}
}

// condition is what follows if, unless or elsif, up to its end.
func (p *rubyParser) condition(negated bool) (expr, error) {
	test, err := p.notExpression()
	if err != nil {
		return nil, err
	}
	p.skipBreaks()
	if p.isKeyword("then") {
		p.next()
	}
	yes, err := p.statements()
	if err != nil {
		return nil, err
	}
	var no expr
	switch {
	case p.isKeyword("elsif"):
		p.next()
		no, err = p.condition(false)
		return conditional(test, negated, yes, no), err
	case p.isKeyword("else"):
		p.next()
		if no, err = p.statements(); err != nil {
			return nil, err
		}
	}
	if !p.isKeyword("end") {
		return nil, p.unexpected(" where `end` should stand")
	}
	p.next()
	return conditional(test, negated, yes, no), nil
}

// require knows the libraries whose part is built in.
func (p *rubyParser) require(t token) (expr, error) {
	library := p.next()
	if p.at >= 2 && library.kind == tokenOperator && library.text == "(" {
		library = p.next()
		if err := p.expect(")"); err != nil {
			return nil, err
		}
	}
	name := plainParts(library.parts)
	switch name {
	case "dotenv", "dotenv/load", "erb", "yaml", "json", "kamal", "kamal/utils":
	default:
		return nil, &beyondError{t.line, "require of " + name}
	}
	return func(r *ruby) (Value, error) {
		if name == "dotenv/load" {
			return BoolValue(true), r.dotenv(t.line, "load", nil)
		}
		return BoolValue(true), nil
	}, nil
}

func (p *rubyParser) name() (expr, error) {
	t := p.next()
	if p.locals[t.text] {
		return func(r *ruby) (Value, error) { return r.locals[t.text], nil }, nil
	}
	switch t.text {
	case "raise", "abort", "fail":
		return p.raise(t)
	}
	return nil, &beyondError{t.line, "the name " + t.text}
}

// raise stops the template with the text that people wrote for it.
func (p *rubyParser) raise(t token) (expr, error) {
	message := constant(StringValue("unhandled exception"))
	if next := p.peek(); next.kind == tokenString || p.isOperator("(") {
		var err error
		if message, err = p.expression(); err != nil {
			return nil, err
		}
	}
	return func(r *ruby) (Value, error) {
		text, err := message(r)
		if err != nil {
			return Value{}, err
		}
		return Value{}, r.fail(t.line, "%s", text)
	}, nil
}

func (p *rubyParser) bracket() (expr, error) {
	switch {
	case p.isOperator("("):
		p.next()
		body, err := p.statements()
		if err != nil {
			return nil, err
		}
		return body, p.expect(")")
	case p.isOperator("["):
		p.next()
		items, err := p.list("]")
		return func(r *ruby) (Value, error) {
			values, err := evaluateAll(r, items)
			return Value{kind: List, list: values}, err
		}, err
	case p.isOperator("{"):
		return p.mapLiteral()
	}
	return nil, p.unexpected(" where a value should stand")
}

// constantCall is ENV, File, Dir, Dotenv or Kamal::Utils with what is asked of it.
func (p *rubyParser) constantCall() (expr, error) {
	t := p.next()
	name := t.text
	for p.isOperator("::") {
		p.next()
		name += "::" + p.next().text
	}
	if name == "ENV" && p.isOperator("[") {
		return p.envIndex(t)
	}
	if !p.isOperator(".") {
		return nil, &beyondError{t.line, "the constant " + name}
	}
	p.next()
	method := p.next()
	function := constantMethod(name + "." + method.text)
	if function == nil {
		return nil, &beyondError{t.line, name + "." + method.text}
	}
	args, err := p.constantArguments()
	if err != nil {
		return nil, err
	}
	block, err := p.block()
	if err != nil {
		return nil, err
	}
	return func(r *ruby) (Value, error) {
		values, err := evaluateAll(r, args)
		if err != nil {
			return Value{}, err
		}
		return function(methodCall{ruby: r, line: t.line, name: method.text, args: values, block: block})
	}, nil
}

// constantArguments also takes arguments without parentheses, as in
// Dotenv.load ".env".
func (p *rubyParser) constantArguments() ([]expr, error) {
	if p.peek().kind != tokenString {
		args, err := p.arguments()
		if args.send != "" {
			return nil, &beyondError{p.peek().line, "a block given with &"}
		}
		return args.values, err
	}
	var values []expr
	for {
		value, err := p.expression()
		if err != nil {
			return nil, err
		}
		values = append(values, value)
		if !p.isOperator(",") {
			return values, nil
		}
		p.next()
		p.skipBreaks()
	}
}

// envIndex is ENV["X"], ENV["X"] = value or ENV["X"] ||= value.
func (p *rubyParser) envIndex(t token) (expr, error) {
	p.next()
	keys, err := p.list("]")
	if err != nil || len(keys) != 1 {
		return nil, &beyondError{t.line, "ENV[…] with other than one name"}
	}
	read := func(r *ruby) (Value, error) {
		key, err := keys[0](r)
		if err != nil {
			return Value{}, err
		}
		if value, ok := r.env.get(key.String()); ok {
			return StringValue(value), nil
		}
		return Value{}, nil
	}
	if !p.isOperator("=", "||=") {
		return read, nil
	}
	op := p.next()
	value, err := p.notExpression()
	if err != nil {
		return nil, err
	}
	return func(r *ruby) (Value, error) {
		if old, err := read(r); err != nil || op.text == "||=" && old.truthy() {
			return old, err
		}
		key, err := keys[0](r)
		if err != nil {
			return Value{}, err
		}
		v, err := value(r)
		if err == nil {
			r.env.put(key.String(), v.String())
		}
		return v, err
	}, nil
}

// Helpers

func constant(v Value) expr { return func(*ruby) (Value, error) { return v, nil } }
