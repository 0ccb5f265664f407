package config

import (
	"strings"
	"unicode/utf8"
)

// fnmatch matches as Ruby's File.fnmatch with FNM_EXTGLOB: `*` and `?` do not
// match a leading period, but do match slashes; braces list alternatives.
func fnmatch(pattern, name string) bool {
	for _, alternative := range expandBraces(pattern, 0) {
		if matchGlob(alternative, name, true) {
			return true
		}
	}
	return false
}

// Private

// expandBraces writes {a,b} out; depth bounds the nesting that is looked at.
func expandBraces(pattern string, depth int) []string {
	open, closing := bracePair(pattern)
	if open < 0 || depth > 8 {
		return []string{pattern}
	}
	var all []string
	for _, alternative := range splitAlternatives(pattern[open+1 : closing]) {
		all = append(all, expandBraces(pattern[:open]+alternative+pattern[closing+1:], depth+1)...)
	}
	return all
}

func matchGlob(pattern, name string, start bool) bool {
	for pattern != "" {
		switch pattern[0] {
		case '*':
			if start && strings.HasPrefix(name, ".") {
				return false
			}
			pattern = strings.TrimLeft(pattern, "*")
			for i := 0; i <= len(name); i++ {
				if matchGlob(pattern, name[i:], false) {
					return true
				}
			}
			return false
		case '?':
			if name == "" || start && name[0] == '.' {
				return false
			}
			_, size := utf8.DecodeRuneInString(name)
			pattern, name = pattern[1:], name[size:]
		case '[':
			rest, ok := matchSet(pattern, name, start)
			if !ok {
				return false
			}
			_, size := utf8.DecodeRuneInString(name)
			pattern, name = rest, name[size:]
		default:
			if pattern[0] == '\\' && len(pattern) > 1 {
				pattern = pattern[1:]
			}
			if name == "" || name[0] != pattern[0] {
				return false
			}
			pattern, name = pattern[1:], name[1:]
		}
		start = false
	}
	return name == ""
}

// matchSet matches one character against [abc], [a-z] or [^abc] and returns what
// follows the set.
func matchSet(pattern, name string, start bool) (rest string, ok bool) {
	end := strings.IndexByte(pattern[1:], ']') + 1
	if end <= 1 || name == "" || start && name[0] == '.' {
		return "", false
	}
	set := pattern[1:end]
	negated := set[0] == '^' || set[0] == '!'
	if negated {
		set = set[1:]
	}
	char, _ := utf8.DecodeRuneInString(name)
	members := []rune(set)
	found := false
	for i := 0; i < len(members); i++ {
		low := members[i]
		high := low
		if i+2 < len(members) && members[i+1] == '-' {
			high = members[i+2]
			i += 2
		}
		found = found || low <= char && char <= high
	}
	return pattern[end+1:], found != negated
}

// Helpers

func bracePair(pattern string) (open, closing int) {
	depth := 0
	open = -1
	for i := 0; i < len(pattern); i++ {
		switch pattern[i] {
		case '\\':
			i++
		case '{':
			if depth == 0 {
				open = i
			}
			depth++
		case '}':
			if depth--; depth == 0 {
				return open, i
			}
			depth = max(depth, 0)
		}
	}
	return -1, -1
}

func splitAlternatives(list string) []string {
	var parts []string
	depth, start := 0, 0
	for i := 0; i < len(list); i++ {
		switch list[i] {
		case '\\':
			i++
		case '{':
			depth++
		case '}':
			depth--
		case ',':
			if depth == 0 {
				parts = append(parts, list[start:i])
				start = i + 1
			}
		}
	}
	return append(parts, list[start:])
}
