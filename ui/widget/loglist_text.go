package widget

import (
	"encoding/json"
	"strings"

	"binnacle/ops/logs"
)

// Message is a log line without the time, the level and the request's id in
// front: what it says, for places that have no columns.
func Message(text string) string {
	text = logs.Clean(text)
	text = condensed(text, logs.DetectLevel(text), gutter{time: 1, level: 1})
	for strings.HasPrefix(text, "[") {
		tag, rest, ok := strings.Cut(text[1:], "] ")
		if !ok || !isID(tag) {
			break
		}
		text = rest
	}
	return strings.TrimSpace(text)
}

// condensed takes from a line what its columns say already, the time and the
// level, and writes a JSON document as `message key=value`. Copying and
// searching see the whole line.
func condensed(text string, level logs.Level, g gutter) string {
	if len(text) > wrapBytes || g.time == 0 && g.level == 0 {
		return text
	}
	if strings.HasPrefix(text, "{") {
		if flat, ok := flattened(text, g); ok {
			return flat
		}
		return text
	}
	if g.time > 0 && g.level > 0 {
		if rest, ok := afterRubyPrefix(text); ok {
			return rest
		}
	}
	if g.time > 0 {
		text = withoutTime(text)
	}
	if g.level > 0 {
		text = withoutLevel(text, level)
	}
	return text
}

// Helpers

// afterRubyPrefix cuts the prefix of Ruby's Logger:
// `I, [2026-11-23T14:02:11.070139 #1]  INFO -- : `; a program name stays.
func afterRubyPrefix(text string) (string, bool) {
	if len(text) < 4 || text[1:4] != ", [" || !strings.Contains("DIWEFA", text[:1]) {
		return "", false
	}
	_, rest, ok := strings.Cut(text, "] ")
	if !ok {
		return "", false
	}
	word, rest, ok := strings.Cut(rest, " -- ")
	if word = strings.TrimLeft(word, " "); !ok || word == "" || strings.Trim(word, "ABDEFGILNORTUWY") != "" {
		return "", false
	}
	program, message, ok := strings.Cut(rest, ": ")
	if !ok {
		return "", false
	}
	if program != "" {
		return program + ": " + message, true
	}
	return message, true
}

// withoutTime cuts a timestamp at the very start: `2026-11-23T14:02:11.123Z `
// or `2026-11-23 14:02:11.123 UTC `.
func withoutTime(text string) string {
	const shape = "dddd-dd-dd dd:dd:dd"
	if len(text) <= len(shape) {
		return text
	}
	for i := range len(shape) {
		c := text[i]
		switch shape[i] {
		case 'd':
			if c < '0' || c > '9' {
				return text
			}
		case ' ':
			if c != ' ' && c != 'T' {
				return text
			}
		default:
			if c != shape[i] {
				return text
			}
		}
	}
	_, rest, ok := strings.Cut(text[len(shape):], " ")
	if !ok {
		return text
	}
	rest = strings.TrimPrefix(rest, "UTC ")
	if rest = strings.TrimLeft(rest, " "); rest == "" {
		return text
	}
	return rest
}

// withoutLevel takes away the word that the level's column says already.
func withoutLevel(text string, level logs.Level) string {
	word := level.String()
	if word == "" || len(text) <= len(word) || !strings.EqualFold(text[:len(word)], word) {
		return text
	}
	rest := strings.TrimLeft(text[len(word):], ": ")
	if rest == "" || len(rest) == len(text)-len(word) {
		return text
	}
	return rest
}

// flattened writes one JSON object as a line; false for anything else.
func flattened(text string, g gutter) (string, bool) {
	dec := json.NewDecoder(strings.NewReader(text))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return "", false
	}
	message := ""
	var fields strings.Builder
	for dec.More() {
		t, err := dec.Token()
		if err != nil {
			return "", false
		}
		key, ok := t.(string)
		if !ok {
			return "", false
		}
		var raw json.RawMessage
		if err := dec.Decode(&raw); err != nil {
			return "", false
		}
		switch {
		case key == "msg" || key == "message":
			message = plainValue(raw, false)
		case g.time > 0 && isTimeKey(key) || g.level > 0 && isLevelKey(key):
		default:
			fields.WriteString("  " + key + "=" + plainValue(raw, true))
		}
	}
	if _, err := dec.Token(); err != nil || dec.InputOffset() < int64(len(strings.TrimRight(text, " "))) {
		return "", false
	}
	return strings.TrimLeft(message+fields.String(), " "), true
}

// plainValue is a JSON value as a person writes it; a field's value keeps its
// quotes where it would run into the next field. Escapes stay as they are: what
// was redacted as written must not be spelled out here.
func plainValue(raw json.RawMessage, field bool) string {
	text := string(raw)
	if !strings.HasPrefix(text, `"`) {
		return text
	}
	inner := text[1 : len(text)-1]
	if field && (inner == "" || strings.ContainsAny(inner, " \t\\=")) {
		return text
	}
	return inner
}

// isID reports something long of hexadecimal digits and dashes.
func isID(tag string) bool {
	return len(tag) >= 8 && strings.Trim(tag, "0123456789abcdef-") == ""
}

func isTimeKey(key string) bool {
	return key == "time" || key == "ts" || key == "timestamp" || key == "@timestamp"
}

func isLevelKey(key string) bool {
	return key == "level" || key == "severity" || key == "lvl" || key == "log.level" || key == "loglevel"
}
