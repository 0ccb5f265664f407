package config

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// inspect prints a value as Ruby's inspect does.
func (v Value) inspect() string {
	switch v.kind {
	case Nil:
		return "nil"
	case String:
		return inspectString(v.text)
	case Symbol:
		return ":" + v.text
	case List:
		items := make([]string, len(v.list))
		for i, item := range v.list {
			items[i] = item.inspect()
		}
		return "[" + strings.Join(items, ", ") + "]"
	case Map:
		items := make([]string, len(v.entries))
		for i, e := range v.entries {
			items[i] = e.key.inspect() + "=>" + e.value.inspect()
		}
		return "{" + strings.Join(items, ", ") + "}"
	default:
		return v.text
	}
}

// Helpers

func inspectString(s string) string {
	named := map[rune]string{'\n': `\n`, '\r': `\r`, '\t': `\t`, '\f': `\f`, '\v': `\v`, '\b': `\b`, '\a': `\a`, 0x1b: `\e`, '"': `\"`, '\\': `\\`}
	var b strings.Builder
	b.WriteByte('"')
	for i, r := range s {
		next := byte(0)
		if i+1 < len(s) {
			next = s[i+1]
		}
		switch {
		case named[r] != "":
			b.WriteString(named[r])
		case r == '#' && (next == '{' || next == '$' || next == '@'):
			b.WriteString(`\#`)
		case r == utf8.RuneError:
			fmt.Fprintf(&b, `\x%02X`, s[i])
		case r < 0x20 || r == 0x7f:
			fmt.Fprintf(&b, `\x%02X`, r)
		case !unicode.IsPrint(r):
			fmt.Fprintf(&b, `\u%04X`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}
