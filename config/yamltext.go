package config

import (
	"strconv"
	"strings"
)

// flowText writes a value on one line, maps and lists in brackets.
func flowText(value Value) string {
	switch value.kind {
	case Map:
		parts := make([]string, len(value.entries))
		for i, e := range value.entries {
			parts[i] = scalarText(e.key) + ": " + flowText(e.value)
		}
		return "{ " + strings.Join(parts, ", ") + " }"
	case List:
		parts := make([]string, len(value.list))
		for i, item := range value.list {
			parts[i] = flowText(item)
		}
		return "[ " + strings.Join(parts, ", ") + " ]"
	default:
		return scalarText(value)
	}
}

// blockText writes a map or list on lines of its own.
func blockText(value Value, indent int) string {
	var b strings.Builder
	pad := strings.Repeat(" ", indent)
	for _, e := range value.entries {
		b.WriteString(pad + scalarText(e.key) + ":" + below(e.value, indent))
	}
	for _, item := range value.list {
		b.WriteString(pad + "- " + flowText(item) + "\n")
	}
	return b.String()
}

func below(value Value, indent int) string {
	if value.scalar() || len(value.entries)+len(value.list) == 0 {
		return " " + flowText(value) + "\n"
	}
	return "\n" + blockText(value, indent+2)
}

// scalarText writes a scalar so that it reads back as the same value.
func scalarText(value Value) string {
	switch value.kind {
	case Nil:
		return "~"
	case Symbol:
		return ":" + value.text
	case String:
		if plainSafe(value.text) && plainScalar(value.text).kind == String {
			return value.text
		}
		return strconv.Quote(value.text)
	default:
		return value.text
	}
}

func plainSafe(s string) bool {
	if len(s) == 1 && strings.ContainsAny(s, "yYnN") || s == "" || strings.TrimSpace(s) != s || strings.ContainsAny(s[:1], "-?:,[]{}#&*!|>'\"%@`") {
		return false
	}
	return !strings.ContainsAny(s, "\n\t\\,[]{}") && !strings.Contains(s, ": ") && !strings.Contains(s, " #") && !strings.HasSuffix(s, ":")
}

// maskedTree reads a text as YAML with its templates masked.
func maskedTree(text string) (Value, error) {
	s := source{rendered: string(maskTemplate([]rune(text)))}
	if err := s.parse(); err != nil {
		return Value{}, errByHand
	}
	return s.tree, nil
}

// maskTemplate hides the tags of a template behind characters that YAML takes.
func maskTemplate(text []rune) []rune {
	mask := append([]rune(nil), text...)
	for i := 0; i+1 < len(mask); i++ {
		if mask[i] != '<' || mask[i+1] != '%' {
			continue
		}
		fill := ' '
		if i+2 < len(mask) && mask[i+2] == '=' {
			fill = masked
		}
		for j := i; j < len(mask); j++ {
			closing := mask[j] == '>' && j > i+2 && text[j-1] == '%'
			if mask[j] == '\n' {
				fill = ' '
			} else {
				mask[j] = fill
			}
			if closing {
				i = j
				break
			}
		}
	}
	return mask
}
