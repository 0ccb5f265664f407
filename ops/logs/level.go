package logs

import "strings"

// Level is how grave a line says it is.
type Level uint8

// The levels, from what cannot be told to the gravest.
const (
	LevelNone Level = iota
	LevelDebug
	LevelInfo
	LevelWarn
	LevelError
	LevelFatal
)

// String is the word shown for a level; "" for none.
func (l Level) String() string {
	return [...]string{"", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"}[min(l, LevelFatal)]
}

// DetectLevel finds the level that a line carries: a JSON or logfmt field, or
// one of the usual words near its start. It never guesses from other text.
func DetectLevel(text string) Level {
	if strings.HasPrefix(strings.TrimLeft(text, " "), "{") {
		return jsonLevel(text)
	}
	head := text[:min(len(text), levelWindow)]
	if l := fieldLevel(head); l != LevelNone {
		return l
	}
	return wordLevel(head)
}

// Private

// levelWindow is how far into a line a level is looked for.
const levelWindow = 160

// jsonLevel reads a top-level-looking "level" or "severity" without parsing
// the document: lines come by the thousand.
func jsonLevel(text string) Level {
	head := text[:min(len(text), 4<<10)]
	for _, key := range [...]string{`"level"`, `"severity"`, `"lvl"`, `"log.level"`, `"loglevel"`} {
		_, rest, found := strings.Cut(head, key)
		if !found {
			continue
		}
		rest = strings.TrimLeft(rest, " ")
		if !strings.HasPrefix(rest, ":") {
			continue
		}
		rest = strings.TrimLeft(rest[1:], " ")
		if strings.HasPrefix(rest, `"`) {
			word, _, _ := strings.Cut(rest[1:], `"`)
			return levelOf(word)
		}
		return numericLevel(rest)
	}
	return LevelNone
}

// numericLevel reads pino's and bunyan's scale: 10 trace to 60 fatal.
func numericLevel(rest string) Level {
	if len(rest) < 2 || rest[1] != '0' || len(rest) > 2 && rest[2] >= '0' && rest[2] <= '9' {
		return LevelNone
	}
	switch rest[0] {
	case '1', '2':
		return LevelDebug
	case '3':
		return LevelInfo
	case '4':
		return LevelWarn
	case '5':
		return LevelError
	case '6':
		return LevelFatal
	}
	return LevelNone
}

// fieldLevel reads logfmt: level=warn, lvl=warn, severity=warn.
func fieldLevel(head string) Level {
	for _, key := range [...]string{"level=", "lvl=", "severity="} {
		i := strings.Index(head, key)
		if i < 0 || i > 0 && head[i-1] != ' ' && head[i-1] != '\t' {
			continue
		}
		rest := strings.TrimLeft(head[i+len(key):], `"`)
		if l := levelOf(firstWord(rest)); l != LevelNone {
			return l
		}
	}
	return LevelNone
}

// wordLevel takes the first level word that stands as a label: in capitals, or
// in any case when it is in brackets or has a colon behind it.
func wordLevel(head string) Level {
	for i := 0; i < len(head); {
		if !isLetter(head[i]) {
			i++
			continue
		}
		end := i
		for end < len(head) && isLetter(head[end]) {
			end++
		}
		word := head[i:end]
		if len(word) >= 3 && len(word) <= 9 && labelled(head, i, end) {
			if l := levelOf(word); l != LevelNone {
				return l
			}
		}
		i = end
	}
	return LevelNone
}

func labelled(head string, from, to int) bool {
	before, after := byte(' '), byte(' ')
	if from > 0 {
		before = head[from-1]
	}
	if to < len(head) {
		after = head[to]
	}
	if isWordByte(before) || isWordByte(after) || before == '/' || after == '/' || before == '.' || before == '-' || after == '-' || after == '(' {
		return false
	}
	word := head[from:to]
	return word == strings.ToUpper(word) || before == '[' && after == ']' || after == ':' && from < 40
}

func levelOf(word string) Level {
	switch strings.ToLower(word) {
	case "trace", "debug", "dbg", "verbose":
		return LevelDebug
	case "info", "information", "notice", "log", "inf":
		return LevelInfo
	case "warn", "warning", "wrn":
		return LevelWarn
	case "error", "err", "severe":
		return LevelError
	case "fatal", "panic", "critical", "crit", "emerg", "emergency", "alert":
		return LevelFatal
	}
	return LevelNone
}

// Helpers

func firstWord(s string) string {
	for i := 0; i < len(s); i++ {
		if !isLetter(s[i]) {
			return s[:i]
		}
	}
	return s
}

func isLetter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }

func isWordByte(c byte) bool { return isLetter(c) || c >= '0' && c <= '9' || c == '_' }
