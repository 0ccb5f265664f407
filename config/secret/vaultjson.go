package secret

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"
)

// FetchedJSON is what `secrets fetch` prints: one JSON object on one line, in the
// order of the fetch.
func FetchedJSON(entries []Entry) (Value, error) {
	var out bytes.Buffer
	out.WriteByte('{')
	for i, e := range entries {
		if i > 0 {
			out.WriteByte(',')
		}
		name, err := quoteJSON(e.Name)
		if err != nil {
			return Value{}, err
		}
		out.WriteString(name + ":")
		if e.Value.text == nil {
			out.WriteString("null")
			continue
		}
		text, err := quoteJSON(e.Value.Reveal())
		if err != nil {
			return Value{}, fmt.Errorf("the value of %s %w", e.Name, err)
		}
		out.WriteString(text)
	}
	out.WriteByte('}')
	return New(out.String()), nil
}

// ShellEscape quotes text so that a shell, or SplitShell, reads one word.
func ShellEscape(text string) string {
	if text == "" {
		return "''"
	}
	var out strings.Builder
	for _, r := range text {
		switch {
		case r == '\n':
			out.WriteString("'\n'")
			continue
		case r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("_-.,:+/@", r):
		default:
			out.WriteByte('\\')
		}
		out.WriteRune(r)
	}
	return out.String()
}

// Helpers

func quoteJSON(text string) (string, error) {
	if !utf8.ValidString(text) {
		return "", fmt.Errorf("is not text: it has bytes that are no UTF-8")
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(text); err != nil {
		return "", err
	}
	return strings.TrimSuffix(out.String(), "\n"), nil
}

// decode reads a tool's answer. The answer is never part of the error: it may
// hold secrets.
func decode(c Command, output string, into any) error {
	if err := json.Unmarshal([]byte(output), into); err != nil {
		return fmt.Errorf("%s: its answer is not the JSON that was expected", c)
	}
	return nil
}

// member is one key of a JSON object.
type member struct {
	key string
	raw json.RawMessage
}

// members reads a JSON object in its order; false for anything else.
func members(text string) ([]member, bool) {
	decoder := json.NewDecoder(strings.NewReader(text))
	if token, err := decoder.Token(); err != nil || token != json.Delim('{') {
		return nil, false
	}
	var out []member
	for decoder.More() {
		key, err := decoder.Token()
		if err != nil {
			return nil, false
		}
		var m member
		if err := decoder.Decode(&m.raw); err != nil {
			return nil, false
		}
		m.key = fmt.Sprint(key)
		out = append(out, m)
	}
	return out, json.Valid([]byte(text))
}

// jsonValue is a JSON value as a secret: strings as they are, null as nothing,
// everything else as JSON.
func jsonValue(raw json.RawMessage) Value {
	if len(raw) == 0 {
		return Value{}
	}
	text, null := jsonText(raw)
	if null {
		return Value{}
	}
	return New(text)
}
