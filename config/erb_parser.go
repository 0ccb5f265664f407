package config

// expr is a compiled piece of a template.
type expr func(*ruby) (Value, error)

// rubyParser compiles the part of Ruby that people write in deploy.yml. What it
// does not know is a beyondError, found before anything runs.
type rubyParser struct {
	tokens []token
	at     int
	depth  int
	locals map[string]bool
}

const (
	maxNesting = 100
	maxSteps   = 100_000
)

func (p *rubyParser) program() (expr, error) {
	body, err := p.statements()
	if err != nil {
		return nil, err
	}
	if t := p.peek(); t.kind != tokenEnd {
		return nil, &beyondError{t.line, "`" + t.text + "` without its beginning"}
	}
	return body, nil
}

// Private

func (p *rubyParser) peek() token { return p.tokens[p.at] }

func (p *rubyParser) next() token {
	t := p.tokens[p.at]
	if t.kind != tokenEnd {
		p.at++
	}
	return t
}

func (p *rubyParser) isKeyword(words ...string) bool {
	t := p.peek()
	for _, word := range words {
		if t.kind == tokenKeyword && t.text == word {
			return true
		}
	}
	return false
}

func (p *rubyParser) isOperator(ops ...string) bool {
	t := p.peek()
	for _, op := range ops {
		if t.kind == tokenOperator && t.text == op {
			return true
		}
	}
	return false
}

func (p *rubyParser) expect(op string) error {
	if !p.isOperator(op) {
		return p.unexpected(" where `" + op + "` should stand")
	}
	p.next()
	return nil
}

func (p *rubyParser) unexpected(context string) error {
	t := p.peek()
	text := t.text
	if t.kind == tokenEnd || t.kind == tokenOutputEnd || text == "" || t.kind == tokenText {
		text = "the end"
	}
	return &beyondError{t.line, "`" + text + "`" + context}
}

func (p *rubyParser) skipBreaks() {
	for p.peek().kind == tokenBreak {
		p.next()
	}
}

// statements reads up to a word or bracket that ends the body.
func (p *rubyParser) statements() (expr, error) {
	if p.depth++; p.depth > maxNesting {
		return nil, &beyondError{p.peek().line, "this depth of nesting"}
	}
	defer func() { p.depth-- }()
	var list []expr
	for {
		p.skipBreaks()
		if p.peek().kind == tokenEnd || p.isKeyword("end", "else", "elsif", "when") || p.isOperator("}", ")") {
			break
		}
		statement, err := p.statement()
		if err != nil {
			return nil, err
		}
		list = append(list, statement)
	}
	return func(r *ruby) (value Value, err error) {
		for _, statement := range list {
			if value, err = statement(r); err != nil {
				return Value{}, err
			}
		}
		return value, nil
	}, nil
}

func (p *rubyParser) statement() (expr, error) {
	switch t := p.peek(); t.kind {
	case tokenText:
		p.next()
		return func(r *ruby) (Value, error) {
			if r.steps++; r.steps > maxSteps {
				return Value{}, r.fail(t.line, "the template does not come to an end")
			}
			r.out.write(t.text, t.line, true)
			return Value{}, nil
		}, nil
	case tokenOutput:
		return p.output()
	}
	body, err := p.notExpression()
	if err != nil {
		return nil, err
	}
	for p.isKeyword("if", "unless") {
		negated := p.next().text == "unless"
		condition, err := p.notExpression()
		if err != nil {
			return nil, err
		}
		body = conditional(condition, negated, body, nil)
	}
	switch t := p.peek(); {
	case t.kind == tokenBreak, t.kind == tokenEnd, t.kind == tokenText, t.kind == tokenOutput, t.kind == tokenOutputEnd,
		p.isKeyword("end", "else", "elsif", "when"), p.isOperator("}", ")"):
		return body, nil
	default:
		return nil, p.unexpected(" here")
	}
}

func (p *rubyParser) output() (expr, error) {
	line := p.next().line
	p.skipBreaks()
	value, err := p.statement()
	if err != nil {
		return nil, err
	}
	p.skipBreaks()
	if p.peek().kind != tokenOutputEnd {
		return nil, p.unexpected(" inside <%= %>")
	}
	p.next()
	return func(r *ruby) (Value, error) {
		v, err := value(r)
		if err == nil {
			r.out.write(v.String(), line, false)
		}
		return Value{}, err
	}, nil
}

// notExpression is `not`, `and` and `or`, which bind loosest.
func (p *rubyParser) notExpression() (expr, error) {
	left, err := p.negation()
	for err == nil && p.isKeyword("and", "or") {
		and := p.next().text == "and"
		p.skipBreaks()
		var right expr
		if right, err = p.negation(); err == nil {
			left = shortCircuit(left, right, and)
		}
	}
	return left, err
}

func (p *rubyParser) negation() (expr, error) {
	if !p.isKeyword("not") {
		return p.expression()
	}
	p.next()
	value, err := p.expression()
	if err != nil {
		return nil, err
	}
	return not(value), nil
}

// expression is an assignment or a ternary.
func (p *rubyParser) expression() (expr, error) {
	if p.depth++; p.depth > maxNesting {
		return nil, &beyondError{p.peek().line, "this depth of nesting"}
	}
	defer func() { p.depth-- }()
	if t := p.peek(); t.kind == tokenName && p.tokens[p.at+1].kind == tokenOperator {
		switch p.tokens[p.at+1].text {
		case "=", "||=", "+=":
			return p.assignment()
		}
	}
	condition, err := p.binary(0)
	if err != nil || !p.isOperator("?") {
		return condition, err
	}
	p.next()
	p.skipBreaks()
	yes, err := p.expression()
	if err != nil {
		return nil, err
	}
	p.skipBreaks()
	if err := p.expect(":"); err != nil {
		return nil, err
	}
	p.skipBreaks()
	no, err := p.expression()
	if err != nil {
		return nil, err
	}
	return conditional(condition, false, yes, no), nil
}

func (p *rubyParser) assignment() (expr, error) {
	name, op := p.next().text, p.next()
	p.skipBreaks()
	known := p.locals[name]
	p.locals[name] = true
	value, err := p.notExpression()
	if err != nil {
		return nil, err
	}
	if op.text == "+=" && !known {
		return nil, &beyondError{op.line, "`" + name + " +=` before it has a value"}
	}
	return func(r *ruby) (Value, error) {
		old := r.locals[name]
		if op.text == "||=" && old.truthy() {
			return old, nil
		}
		v, err := value(r)
		if err == nil && op.text == "+=" {
			v, err = operate(r, op.line, "+", old, v)
		}
		if err == nil {
			r.locals[name] = v
		}
		return v, err
	}, nil
}

func (p *rubyParser) unary() (expr, error) {
	if !p.isOperator("!", "-") {
		return p.postfix()
	}
	if p.depth++; p.depth > maxNesting {
		return nil, &beyondError{p.peek().line, "this depth of nesting"}
	}
	defer func() { p.depth-- }()
	op := p.next()
	value, err := p.unary()
	if err != nil {
		return nil, err
	}
	if op.text == "!" {
		return not(value), nil
	}
	return func(r *ruby) (Value, error) {
		v, err := value(r)
		if err != nil {
			return Value{}, err
		}
		return operate(r, op.line, "-", IntValue(0), v)
	}, nil
}

// postfix is a value with calls and indexes behind it.
func (p *rubyParser) postfix() (expr, error) {
	value, err := p.primary()
	for err == nil {
		p.joinDotLine()
		switch t := p.peek(); {
		case p.isOperator(".", "&."):
			p.next()
			value, err = p.call(value, t.text == "&.")
		case p.isOperator("[") && !t.spaced:
			p.next()
			value, err = p.index(value, t.line)
		default:
			return value, nil
		}
	}
	return nil, err
}

// joinDotLine lets a call chain go on with a dot on the next line.
func (p *rubyParser) joinDotLine() {
	i := p.at
	for p.tokens[i].kind == tokenBreak {
		i++
	}
	if t := p.tokens[i]; i > p.at && t.kind == tokenOperator && (t.text == "." || t.text == "&.") {
		p.at = i
	}
}

func (p *rubyParser) call(receiver expr, safe bool) (expr, error) {
	t := p.next()
	if t.kind != tokenName && t.kind != tokenKeyword {
		p.at--
		return nil, p.unexpected(" after the dot")
	}
	if !knownMethod(t.text) {
		return nil, &beyondError{t.line, "the method ." + t.text}
	}
	args, err := p.arguments()
	if err != nil {
		return nil, err
	}
	block, err := p.block()
	if err != nil {
		return nil, err
	}
	return func(r *ruby) (Value, error) {
		self, err := receiver(r)
		if err != nil || safe && self.IsNil() {
			return Value{}, err
		}
		values, err := evaluateAll(r, args.values)
		if err != nil {
			return Value{}, err
		}
		c := methodCall{ruby: r, line: t.line, name: t.text, args: values, block: block, send: args.send}
		return c.on(self)
	}, nil
}

func (p *rubyParser) index(receiver expr, line int) (expr, error) {
	args, err := p.list("]")
	if err != nil {
		return nil, err
	}
	return func(r *ruby) (Value, error) {
		self, err := receiver(r)
		if err != nil {
			return Value{}, err
		}
		values, err := evaluateAll(r, args)
		if err != nil {
			return Value{}, err
		}
		return elementAt(r, line, self, values)
	}, nil
}

type arguments struct {
	values []expr
	// send is the method of &:name, or "".
	send string
}

// arguments reads (a, b) or nothing.
func (p *rubyParser) arguments() (arguments, error) {
	if !p.isOperator("(") || p.peek().spaced {
		return arguments{}, nil
	}
	p.next()
	p.skipBreaks()
	if p.isOperator("&") {
		p.next()
		t := p.next()
		if t.kind != tokenSymbol || !knownMethod(t.text) {
			return arguments{}, &beyondError{t.line, "a block given with &"}
		}
		return arguments{send: t.text}, p.expect(")")
	}
	values, err := p.list(")")
	return arguments{values: values}, err
}

// list reads values up to a closing bracket.
func (p *rubyParser) list(closing string) ([]expr, error) {
	var values []expr
	for {
		p.skipBreaks()
		if p.isOperator(closing) {
			p.next()
			return values, nil
		}
		value, err := p.expression()
		if err != nil {
			return nil, err
		}
		values = append(values, value)
		p.skipBreaks()
		if p.isOperator(",") {
			p.next()
		} else if !p.isOperator(closing) {
			return nil, p.unexpected(" where `" + closing + "` should stand")
		}
	}
}

// rubyBlock is do |a, b| … end or { |a, b| … }.
type rubyBlock struct {
	params []string
	body   expr
}

func (p *rubyParser) block() (*rubyBlock, error) {
	var closing string
	switch {
	case p.isKeyword("do"):
		closing = "end"
	case p.isOperator("{"):
		closing = "}"
	default:
		return nil, nil
	}
	p.next()
	p.skipBreaks()
	block := &rubyBlock{}
	if p.isOperator("|") {
		p.next()
		for !p.isOperator("|") {
			t := p.next()
			if t.kind != tokenName {
				return nil, &beyondError{t.line, "the parameters of this block"}
			}
			p.locals[t.text] = true
			block.params = append(block.params, t.text)
			if p.isOperator(",") {
				p.next()
			}
		}
		p.next()
	}
	var err error
	if block.body, err = p.statements(); err != nil {
		return nil, err
	}
	if t := p.peek(); t.text != closing || t.kind != tokenKeyword && t.kind != tokenOperator {
		return nil, p.unexpected(" where `" + closing + "` should stand")
	}
	p.next()
	return block, nil
}
