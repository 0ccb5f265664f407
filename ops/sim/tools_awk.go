package sim

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// runAwk knows programs of the form CONDITION {print FIELDS} with -F and -v: enough for one-liners that pick
// columns.
func runAwk(p *process) int {
	flags, words := cutFlags(p.args[1:], "F", "v")
	if len(words) == 0 {
		return p.fail(2, "usage: awk [-F fs] 'program' [file ...]")
	}
	m := regexp.MustCompile(`^\s*([^{]*?)\s*(?:\{\s*(.*?);?\s*\})?\s*$`).FindStringSubmatch(words[0])
	if m == nil {
		return p.fail(2, "syntax error at source line 1")
	}
	cond, action := m[1], m[2]
	if action == "" {
		action = "print"
	}
	if !strings.HasPrefix(action, "print") || strings.HasPrefix(action, "printf") {
		return p.fail(2, "syntax error at source line 1: only print is supported here")
	}
	list := awkList(strings.TrimSpace(strings.TrimPrefix(action, "print")))
	line := 0
	return p.eachLine(words[1:], func(text string) bool {
		line++
		fields := awkSplit(text, flags["F"])
		if awkTrue(cond, text, fields, line) {
			p.print(awkPrint(list, text, fields, line) + "\n")
		}
		return true
	})
}

// Private

func awkSplit(text, sep string) []string {
	switch {
	case sep == "" || sep == " ":
		return strings.Fields(text)
	case len(sep) == 1:
		return strings.Split(text, sep)
	}
	re, err := regexp.Compile(sep)
	if err != nil {
		return []string{text}
	}
	return re.Split(text, -1)
}

func awkTrue(cond, text string, fields []string, line int) bool {
	if cond == "" {
		return true
	}
	if strings.HasPrefix(cond, "/") && strings.HasSuffix(cond, "/") && len(cond) > 1 {
		re, err := regexp.Compile(cond[1 : len(cond)-1])
		return err == nil && re.MatchString(text)
	}
	for _, op := range []string{"==", "!=", ">=", "<=", ">", "<"} {
		left, right, ok := strings.Cut(cond, op)
		if !ok {
			continue
		}
		a, b := awkValue(strings.TrimSpace(left), text, fields, line), awkValue(strings.TrimSpace(right), text, fields, line)
		x, errX := strconv.ParseFloat(a, 64)
		y, errY := strconv.ParseFloat(b, 64)
		numeric := errX == nil && errY == nil
		switch op {
		case "==":
			return a == b || numeric && x == y
		case "!=":
			return a != b && !(numeric && x == y)
		case ">=":
			return numeric && x >= y
		case "<=":
			return numeric && x <= y
		case ">":
			return numeric && x > y
		default:
			return numeric && x < y
		}
	}
	return false
}

// awkList cuts print's arguments: a comma prints a blank, a blank joins.
func awkList(text string) [][]string {
	var out [][]string
	if text == "" {
		return [][]string{{"$0"}}
	}
	for _, part := range regexp.MustCompile(`("(?:[^"\\]|\\.)*"|[^,"]+)+`).FindAllString(text, -1) {
		out = append(out, regexp.MustCompile(`"(?:[^"\\]|\\.)*"|[^\s"]+`).FindAllString(part, -1))
	}
	return out
}

func awkPrint(list [][]string, text string, fields []string, line int) string {
	parts := make([]string, len(list))
	for i, group := range list {
		for _, word := range group {
			parts[i] += awkValue(word, text, fields, line)
		}
	}
	return strings.Join(parts, " ")
}

func awkValue(word, text string, fields []string, line int) string {
	switch {
	case strings.HasPrefix(word, `"`):
		if s, err := strconv.Unquote(word); err == nil {
			return s
		}
		return strings.Trim(word, `"`)
	case word == "$0":
		return text
	case word == "NR":
		return fmt.Sprint(line)
	case word == "NF":
		return fmt.Sprint(len(fields))
	case strings.HasPrefix(word, "$"):
		index := strings.Trim(word[1:], "()")
		index, minus, _ := strings.Cut(index, "-")
		n, err := strconv.Atoi(awkValue(index, text, fields, line))
		less, _ := strconv.Atoi(minus)
		if n -= less; err != nil || n < 1 || n > len(fields) {
			return ""
		}
		return fields[n-1]
	}
	return word
}
