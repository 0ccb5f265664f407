package config

import (
	"regexp"
	"strconv"
	"strings"
)

// tokenKind is the kind of a piece of a template.
type tokenKind int

const (
	tokenEnd tokenKind = iota
	tokenText
	tokenOutput
	tokenOutputEnd
	tokenBreak
	tokenName
	tokenConst
	tokenKeyword
	tokenInt
	tokenFloat
	tokenString
	tokenCommand
	tokenWords
	tokenSymbol
	tokenPattern
	tokenOperator
)

type token struct {
	kind  tokenKind
	text  string
	line  int
	parts []stringPart
	// spaced tells that white space stood before the token.
	spaced bool
}

// stringPart is literal text, or code between #{ and }.
type stringPart struct {
	text string
	code bool
	line int
}

var (
	rubyName    = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]*`)
	rubyNumeric = regexp.MustCompile(`^(?:[0-7]{1,3}|x[0-9a-fA-F]{1,2}|u[0-9a-fA-F]{4}|u\{[0-9a-fA-F]{1,6}\})`)
	rubyNumber  = regexp.MustCompile(`^[0-9][0-9_]*(\.[0-9]+)?`)
)

const rubyKeywords = " if elsif else end unless case when true false nil and or not then do require "

// lexTemplate splits a template into text and Ruby tokens.
func lexTemplate(text string) ([]token, error) {
	l := &lexer{}
	line := 1
	for text != "" {
		start := strings.Index(text, "<%")
		if start < 0 {
			l.text(text, line)
			break
		}
		before, tag := text[:start], text[start:]
		if strings.HasPrefix(tag, "<%%") {
			l.text(before+"<%", line)
			line += strings.Count(before, "\n")
			text = tag[3:]
			continue
		}
		if strings.HasPrefix(tag, "<%-") {
			if at := strings.LastIndexByte(before, '\n') + 1; strings.TrimLeft(before[at:], " \t") == "" {
				l.text(before[:at], line)
			} else {
				l.text(before, line)
			}
		} else {
			l.text(before, line)
		}
		line += strings.Count(before, "\n")
		size, err := l.tag(tag, line)
		if err != nil {
			return nil, err
		}
		line += strings.Count(tag[:size], "\n")
		text = tag[size:]
	}
	l.add(token{kind: tokenEnd, line: line})
	return l.tokens, nil
}

// Private

type lexer struct {
	tokens []token
	spaced bool
}

func (l *lexer) add(t token) {
	t.spaced = l.spaced
	l.spaced = false
	l.tokens = append(l.tokens, t)
}

func (l *lexer) text(text string, line int) {
	if text != "" {
		l.add(token{kind: tokenText, text: text, line: line})
	}
}

// tag reads <% … %> and returns its length.
func (l *lexer) tag(tag string, line int) (int, error) {
	end := closingTag(tag)
	if end < 0 {
		// Ruby takes what follows for text.
		rest := tag[2:]
		if rest != "" && strings.IndexByte("=#-", rest[0]) >= 0 {
			rest = rest[1:]
		}
		l.text(strings.ReplaceAll(rest, "%%>", "%>"), line)
		return len(tag), nil
	}
	size := end + 2
	code := tag[2:end]
	trimmed := strings.HasSuffix(code, "-")
	code = strings.ReplaceAll(strings.TrimSuffix(code, "-"), "%%>", "%>")
	if trimmed && strings.HasPrefix(tag[size:], "\n") {
		size++
	}
	switch {
	case strings.HasPrefix(code, "#"):
		return size, nil
	case strings.HasPrefix(code, "="):
		l.add(token{kind: tokenOutput, line: line})
		if err := l.code(code[1:], line); err != nil {
			return 0, err
		}
		l.add(token{kind: tokenOutputEnd, line: line})
	default:
		if err := l.code(strings.TrimPrefix(code, "-"), line); err != nil {
			return 0, err
		}
	}
	l.add(token{kind: tokenBreak, line: line})
	return size, nil
}

func (l *lexer) code(code string, line int) error {
	for code != "" {
		switch c := code[0]; {
		case c == '\n':
			l.add(token{kind: tokenBreak, line: line})
			line++
			code = code[1:]
		case c == ' ' || c == '\t' || c == '\r':
			l.spaced = true
			code = code[1:]
		case c == '\\' && strings.HasPrefix(code, "\\\n"):
			line++
			code = code[2:]
		case c == '#':
			if end := strings.IndexByte(code, '\n'); end >= 0 {
				code = code[end:]
			} else {
				code = ""
			}
		default:
			size, err := l.token(code, line)
			if err != nil {
				return err
			}
			line += strings.Count(code[:size], "\n")
			code = code[size:]
		}
	}
	return nil
}

func (l *lexer) token(code string, line int) (int, error) {
	switch c := code[0]; {
	case c == '"' || c == '`' || c == '\'':
		return l.quoted(code, 1, c, c, c == '\'', line, c)
	case c == '/' && l.operandExpected() && !strings.HasPrefix(code, "/ "):
		return l.quoted(code, 1, c, c, false, line, c)
	case c == '%' && l.operandExpected() && len(code) > 2:
		if size, ok, err := l.percent(code, line); ok || err != nil {
			return size, err
		}
	case c == ':' && len(code) > 1 && (rubyName.MatchString(code[1:]) || code[1] == '"') && l.operandExpected():
		return l.symbol(code, line)
	case c >= '0' && c <= '9':
		number := rubyNumber.FindString(code)
		kind := tokenInt
		if strings.Contains(number, ".") {
			kind = tokenFloat
		}
		l.add(token{kind: kind, text: strings.ReplaceAll(number, "_", ""), line: line})
		return len(number), nil
	case rubyName.MatchString(code):
		return l.name(code, line), nil
	}
	for _, op := range []string{"||=", "<=>", "===", "=>", "=~", "!~", "&&", "||", "==", "!=", "<=", ">=", "&.", "::", "..", "+=", "<<"} {
		if strings.HasPrefix(code, op) {
			l.add(token{kind: tokenOperator, text: op, line: line})
			return len(op), nil
		}
	}
	if strings.IndexByte("+-*/%!<>=?:.,()[]{}|&;", code[0]) < 0 {
		return 0, &beyondError{line, "the character " + code[:1]}
	}
	if code[0] == ';' {
		l.add(token{kind: tokenBreak, line: line})
	} else {
		l.add(token{kind: tokenOperator, text: code[:1], line: line})
	}
	return 1, nil
}

func (l *lexer) name(code string, line int) int {
	name := rubyName.FindString(code)
	size := len(name)
	if size < len(code) && (code[size] == '?' || code[size] == '!') && !strings.HasPrefix(code[size+1:], "=") {
		size++
	}
	text := code[:size]
	kind := tokenName
	switch {
	case strings.Contains(rubyKeywords, " "+text+" ") && !l.afterDot():
		kind = tokenKeyword
	case text[0] >= 'A' && text[0] <= 'Z':
		kind = tokenConst
	}
	l.add(token{kind: kind, text: text, line: line})
	return size
}

func (l *lexer) symbol(code string, line int) (int, error) {
	if code[1] == '"' {
		return l.quoted(code, 2, '"', '"', true, line, ':')
	}
	name := rubyName.FindString(code[1:])
	size := 1 + len(name)
	if size < len(code) && (code[size] == '?' || code[size] == '!') {
		size++
	}
	l.add(token{kind: tokenSymbol, text: code[1:size], line: line})
	return size, nil
}

// percent reads %w[], %x(), %q() and their kin.
func (l *lexer) percent(code string, line int) (int, bool, error) {
	kind, at := byte('Q'), 1
	if strings.IndexByte("wWixqQr", code[1]) >= 0 {
		kind, at = code[1], 2
	}
	if at >= len(code) || strings.IndexByte("([{<|!/", code[at]) < 0 {
		return 0, false, nil
	}
	closing := map[byte]byte{'(': ')', '[': ']', '{': '}', '<': '>'}[code[at]]
	if closing == 0 {
		closing = code[at]
	}
	size, err := l.quoted(code, at+1, code[at], closing, kind == 'q' || kind == 'w' || kind == 'i', line, kind)
	return size, true, err
}

// quoted reads up to the closing delimiter. The style says what becomes of it: a
// quote character, a backtick, or the letter of a percent literal.
func (l *lexer) quoted(code string, at int, open, closing byte, raw bool, line int, style byte) (int, error) {
	pattern := style == '/' || style == 'r'
	s := &stringReader{code: code, at: at, open: open, closing: closing, raw: raw, pattern: pattern, line: line}
	if err := s.read(); err != nil {
		return 0, err
	}
	t := token{kind: tokenString, parts: s.parts, line: line}
	switch style {
	case '`', 'x':
		t.kind = tokenCommand
	case 'w', 'W':
		t.kind = tokenWords
	case ':':
		t = token{kind: tokenSymbol, text: plainParts(s.parts), line: line}
	case '/', 'r':
		flags := strings.TrimLeft(code[s.at:], "imxounse")
		t.kind, t.text = tokenPattern, code[s.at:len(code)-len(flags)]
		s.at += len(t.text)
	case 'i':
		return 0, &beyondError{line, "a list of symbols"}
	}
	l.add(t)
	return s.at, nil
}

// operandExpected tells whether a value may begin here, which decides what % and
// : mean.
func (l *lexer) operandExpected() bool {
	if len(l.tokens) == 0 {
		return true
	}
	last := l.tokens[len(l.tokens)-1]
	switch last.kind {
	case tokenInt, tokenFloat, tokenString, tokenCommand, tokenWords, tokenSymbol, tokenPattern, tokenConst:
		return false
	case tokenName:
		return l.spaced && !strings.HasSuffix(last.text, "?")
	case tokenKeyword:
		return !strings.Contains(" true false nil end ", last.text)
	case tokenOperator:
		return last.text != ")" && last.text != "]" && last.text != "}"
	default:
		return true
	}
}

func (l *lexer) afterDot() bool {
	if len(l.tokens) == 0 {
		return false
	}
	last := l.tokens[len(l.tokens)-1]
	return last.kind == tokenOperator && (last.text == "." || last.text == "&.")
}

// stringReader reads the inside of a quoted thing.
type stringReader struct {
	code          string
	at            int
	open, closing byte
	raw           bool
	pattern       bool
	line          int
	parts         []stringPart
	literal       strings.Builder
}

func (s *stringReader) read() error {
	depth := 0
	for ; s.at < len(s.code); s.at++ {
		c := s.code[s.at]
		switch {
		case c == '\\' && s.at+1 < len(s.code):
			s.escape()
		case c == s.closing && depth == 0:
			s.flush()
			s.at++
			return nil
		case c == s.closing:
			depth--
			s.literal.WriteByte(c)
		case c == s.open && s.open != s.closing:
			depth++
			s.literal.WriteByte(c)
		case c == '#' && !s.raw && strings.HasPrefix(s.code[s.at:], "#{"):
			if err := s.interpolation(); err != nil {
				return err
			}
		default:
			s.literal.WriteByte(c)
		}
	}
	return &beyondError{s.line, "a string without its end"}
}

func (s *stringReader) escape() {
	s.at++
	c := s.code[s.at]
	if s.pattern {
		if c != '/' {
			s.literal.WriteByte('\\')
		}
		s.literal.WriteByte(c)
		return
	}
	if s.raw {
		if c != '\\' && c != s.closing && c != s.open {
			s.literal.WriteByte('\\')
		}
		s.literal.WriteByte(c)
		return
	}
	named := map[byte]string{'n': "\n", 't': "\t", 'r': "\r", 'e': "\x1b", 'a': "\a", 'b': "\b", 'f': "\f", 'v': "\v", 's': " ", '\n': ""}
	if text, ok := named[c]; ok {
		s.literal.WriteString(text)
		return
	}
	if digits := rubyNumeric.FindString(s.code[s.at:]); digits != "" {
		base, number := 8, digits
		if c == 'x' || c == 'u' {
			base, number = 16, strings.Trim(digits[1:], "{}")
		}
		code, err := strconv.ParseUint(number, base, 32)
		if err == nil && c == 'u' {
			s.literal.WriteRune(rune(code))
		} else if err == nil {
			s.literal.WriteByte(byte(code))
		}
		s.at += len(digits) - 1
		return
	}
	s.literal.WriteByte(c)
}

func (s *stringReader) interpolation() error {
	start := s.at + 2
	depth, quote := 1, byte(0)
	for i := start; i < len(s.code); i++ {
		c := s.code[i]
		switch {
		case c == '\\':
			i++
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'' || c == '`':
			quote = c
		case c == '{':
			depth++
		case c == '}':
			if depth--; depth == 0 {
				s.flush()
				s.parts = append(s.parts, stringPart{text: s.code[start:i], code: true, line: s.line})
				s.at = i
				return nil
			}
		}
	}
	return &beyondError{s.line, "a #{ without its }"}
}

func (s *stringReader) flush() {
	if s.literal.Len() > 0 {
		s.parts = append(s.parts, stringPart{text: s.literal.String(), line: s.line})
		s.literal.Reset()
	}
}

// Helpers

// closingTag is the place of the %> that closes a tag; %%> is code.
func closingTag(tag string) int {
	for at := 2; ; {
		n := strings.Index(tag[at:], "%>")
		if n < 0 {
			return -1
		}
		if at += n; at == 2 || tag[at-1] != '%' {
			return at
		}
		at += 2
	}
}

func plainParts(parts []stringPart) string {
	var b strings.Builder
	for _, part := range parts {
		b.WriteString(part.text)
	}
	return b.String()
}
