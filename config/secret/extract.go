package secret

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// Extract takes one secret out of the JSON object that a vault fetch gave: the
// one of that exact name, else the first whose name ends in "/NAME".
func Extract(name, object string) (Value, error) {
	decoder := json.NewDecoder(strings.NewReader(object))
	if token, err := decoder.Token(); err != nil || token != json.Delim('{') {
		return Value{}, errors.New("extracting a secret: the fetched secrets are not a JSON object")
	}
	var suffixed *string
	for decoder.More() {
		key, err := decoder.Token()
		if err != nil {
			return Value{}, errors.New("extracting a secret: the fetched secrets are not valid JSON")
		}
		var raw json.RawMessage
		if err := decoder.Decode(&raw); err != nil {
			return Value{}, errors.New("extracting a secret: the fetched secrets are not valid JSON")
		}
		text, null := jsonText(raw)
		switch {
		case null:
		case key == name:
			return New(text), nil
		case suffixed == nil && strings.HasSuffix(fmt.Sprint(key), "/"+name):
			suffixed = &text
		}
	}
	if suffixed == nil {
		return Value{}, fmt.Errorf("Could not find secret %s", name) //nolint:staticcheck // Kamal's words
	}
	return New(*suffixed), nil
}

// SplitShell splits a line into words as a shell would, without expanding
// anything.
func SplitShell(line string) ([]string, error) {
	var words []string
	var word strings.Builder
	open := false
	for i := 0; i < len(line); i++ {
		switch c := line[i]; {
		case strings.IndexByte(" \t\n\v\f\r", c) >= 0:
			if open {
				words = append(words, word.String())
				word.Reset()
				open = false
			}
		case c == '\'':
			end := strings.IndexByte(line[i+1:], '\'')
			if end < 0 {
				return nil, errors.New("unmatched quote in a secrets command")
			}
			word.WriteString(line[i+1 : i+1+end])
			i += end + 1
			open = true
		case c == '"':
			end, ok := doubleQuoted(line, i+1, &word)
			if !ok {
				return nil, errors.New("unmatched quote in a secrets command")
			}
			i = end
			open = true
		case c == '\\':
			if i+1 < len(line) {
				i++
			}
			word.WriteByte(line[i])
			open = true
		default:
			word.WriteByte(c)
			open = true
		}
	}
	if open {
		words = append(words, word.String())
	}
	return words, nil
}

// Helpers

func doubleQuoted(line string, i int, word *strings.Builder) (int, bool) {
	for ; i < len(line); i++ {
		switch c := line[i]; {
		case c == '"':
			return i, true
		case c == '\\' && i+1 < len(line):
			i++
			if strings.IndexByte("$`\"\\\n", line[i]) < 0 {
				word.WriteByte('\\')
			}
			word.WriteByte(line[i])
		default:
			word.WriteByte(c)
		}
	}
	return i, false
}

func jsonText(raw json.RawMessage) (text string, null bool) {
	if string(raw) == "null" {
		return "", true
	}
	if err := json.Unmarshal(raw, &text); err == nil {
		return text, false
	}
	return string(raw), false
}
