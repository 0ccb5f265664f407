package config

// binary reads operators of a level, loosest first, and of all that bind tighter.
func (p *rubyParser) binary(level int) (expr, error) {
	operators := binaryOperators(level)
	if operators == nil {
		return p.unary()
	}
	left, err := p.binary(level + 1)
	for err == nil && p.isOperator(operators...) {
		op := p.next()
		p.skipBreaks()
		var right expr
		if right, err = p.binary(level + 1); err != nil {
			break
		}
		left = combine(op, left, right)
	}
	return left, err
}

func combine(op token, left, right expr) expr {
	if op.text == "||" || op.text == "&&" {
		return shortCircuit(left, right, op.text == "&&")
	}
	return func(r *ruby) (Value, error) {
		a, err := left(r)
		if err != nil {
			return Value{}, err
		}
		b, err := right(r)
		if err != nil {
			return Value{}, err
		}
		return operate(r, op.line, op.text, a, b)
	}
}

// Helpers

func binaryOperators(level int) []string {
	levels := [][]string{{"||"}, {"&&"}, {"==", "!=", "=~", "!~"}, {"<", ">", "<=", ">="}, {"<<"}, {"+", "-"}, {"*", "/", "%"}}
	if level >= len(levels) {
		return nil
	}
	return levels[level]
}

func not(value expr) expr {
	return func(r *ruby) (Value, error) {
		v, err := value(r)
		return BoolValue(!v.truthy()), err
	}
}

func shortCircuit(left, right expr, and bool) expr {
	return func(r *ruby) (Value, error) {
		v, err := left(r)
		if err != nil || v.truthy() != and {
			return v, err
		}
		return right(r)
	}
}

func conditional(condition expr, negated bool, yes, no expr) expr {
	return func(r *ruby) (Value, error) {
		v, err := condition(r)
		switch {
		case err != nil:
			return Value{}, err
		case v.truthy() != negated:
			return yes(r)
		case no != nil:
			return no(r)
		default:
			return Value{}, nil
		}
	}
}

func evaluateAll(r *ruby, list []expr) ([]Value, error) {
	values := make([]Value, len(list))
	for i, e := range list {
		v, err := e(r)
		if err != nil {
			return nil, err
		}
		values[i] = v
	}
	return values, nil
}
