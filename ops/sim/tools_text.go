package sim

import (
	"bufio"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"regexp"
	"sort"
	"strconv"
	"strings"
)

// textTool knows the commands that work on text.
func textTool(name string) tool {
	switch name {
	case "head":
		return runHead
	case "tail":
		return runTail
	case "grep", "egrep", "fgrep":
		return runGrep
	case "wc":
		return runWc
	case "tr":
		return runTr
	case "sort":
		return runSort
	case "uniq":
		return runUniq
	case "cut":
		return runCut
	case "awk", "mawk", "gawk":
		return runAwk
	case "base64":
		return runBase64
	case "sed":
		return runSed
	case "sha256sum":
		return runSha256
	}
	return nil
}

// Private

func runHead(p *process) int {
	n, words := lineCount(p.args[1:], 10)
	seen := 0
	if n == 0 {
		return 0
	}
	return p.eachLine(words, func(line string) bool {
		p.print(line + "\n")
		seen++
		return seen < n
	})
}

func runTail(p *process) int {
	count, words := "10", []string{}
	follow := false
	args := p.args[1:]
	for i := 0; i < len(args); i++ {
		switch a := args[i]; {
		case (a == "-n" || a == "--lines") && i+1 < len(args):
			i++
			count = args[i]
		case strings.HasPrefix(a, "-n"):
			count = a[2:]
		case strings.HasPrefix(a, "--lines="):
			count = a[8:]
		case a == "-f" || a == "-F":
			follow = true
		case len(a) > 1 && a[0] == '-' && strings.Trim(a[1:], "0123456789") == "":
			count = a[1:]
		default:
			words = append(words, a)
		}
	}
	var lines []string
	code := p.eachLine(words, func(line string) bool { lines = append(lines, line); return true })
	n, err := strconv.Atoi(strings.TrimPrefix(count, "+"))
	if err != nil {
		return p.fail(1, "invalid number of lines: '%s'", count)
	}
	first := len(lines) - n
	if strings.HasPrefix(count, "+") {
		first = n - 1
	}
	for i := max(first, 0); i < len(lines); i++ {
		p.print(lines[i] + "\n")
	}
	if follow {
		<-p.ctx.Done()
		return 130
	}
	return code
}

// runGrep supports basic, extended and fixed patterns with -v -w -x -i -c -q -o -n -e -A -B -C -m.
func runGrep(p *process) int {
	flags, words := cutFlags(p.args[1:], "e", "A", "B", "C", "m", "regexp", "color", "after-context", "before-context", "context")
	pattern, given := flags["e"]
	if !given {
		if len(words) == 0 {
			return p.fail(2, "no pattern given")
		}
		pattern, words = words[0], words[1:]
	}
	re, err := grepPattern(pattern, p.args[0], flags)
	if err != nil {
		return p.fail(2, "Invalid regular expression")
	}
	has := func(name string) bool { _, ok := flags[name]; return ok }
	number := func(name string) int { n, _ := strconv.Atoi(flags[name]); return n }
	before, after := max(number("B"), number("C")), max(number("A"), number("C"))
	hits, at, owed, limit := 0, 0, 0, number("m")
	var kept []string
	code := p.eachLine(words, func(line string) bool {
		at++
		if re.MatchString(line) == has("v") {
			if owed > 0 {
				owed--
				p.print(line + "\n")
			} else if before > 0 {
				kept = append(kept, line)
				kept = kept[max(0, len(kept)-before):]
			}
			return true
		}
		hits++
		if has("q") {
			return false
		}
		if has("c") {
			return true
		}
		for _, k := range kept {
			p.print(k + "\n")
		}
		kept, owed = nil, after
		prefix := ""
		if has("n") {
			prefix = fmt.Sprintf("%d:", at)
		}
		if has("o") {
			for _, m := range re.FindAllString(line, -1) {
				p.print(prefix + m + "\n")
			}
		} else {
			p.print(prefix + line + "\n")
		}
		return limit == 0 || hits < limit
	})
	if has("c") {
		p.print(fmt.Sprintln(hits))
	}
	switch {
	case code != 0:
		return 2
	case hits == 0:
		return 1
	}
	return 0
}

func grepPattern(pattern, name string, flags map[string]string) (*regexp.Regexp, error) {
	has := func(n string) bool { _, ok := flags[n]; return ok }
	switch {
	case has("F") || strings.HasSuffix(name, "fgrep"):
		parts := strings.Split(pattern, "\n")
		for i := range parts {
			parts[i] = regexp.QuoteMeta(parts[i])
		}
		pattern = strings.Join(parts, "|")
	case !has("E") && !has("P") && !strings.HasSuffix(name, "egrep"):
		pattern = basicToExtended(pattern)
	}
	switch {
	case has("x"):
		pattern = "^(?:" + pattern + ")$"
	case has("w"):
		pattern = `(?:^|\W)(?:` + pattern + `)(?:\W|$)`
	}
	if has("i") {
		pattern = "(?i)" + pattern
	}
	return regexp.Compile(pattern)
}

// basicToExtended turns a basic regular expression into the form that Go reads.
func basicToExtended(p string) string {
	var b strings.Builder
	for i := 0; i < len(p); i++ {
		switch ch := p[i]; {
		case ch == '\\' && i+1 < len(p):
			i++
			if strings.IndexByte("|(){}+?", p[i]) >= 0 {
				b.WriteByte(p[i])
			} else {
				b.WriteByte('\\')
				b.WriteByte(p[i])
			}
		case strings.IndexByte("|(){}+?", ch) >= 0:
			b.WriteByte('\\')
			b.WriteByte(ch)
		default:
			b.WriteByte(ch)
		}
	}
	return b.String()
}

func runWc(p *process) int {
	flags, words := cutFlags(p.args[1:])
	var lines, fields, bytes int
	code := 0
	count := func(r io.Reader) {
		data, _ := io.ReadAll(r)
		bytes += len(data)
		lines += strings.Count(string(data), "\n")
		fields += len(strings.Fields(string(data)))
	}
	if len(words) == 0 {
		count(p.in)
	}
	for _, w := range words {
		data, err := p.files.readFile(p.path(w))
		if err != nil {
			code = p.fail(1, "%s: %v", w, err)
			continue
		}
		count(strings.NewReader(string(data)))
	}
	var out []string
	for _, part := range []struct {
		flag string
		n    int
	}{{"l", lines}, {"w", fields}, {"c", bytes}} {
		if _, ok := flags[part.flag]; ok || len(flags) == 0 {
			out = append(out, fmt.Sprint(part.n))
		}
	}
	if len(words) == 1 {
		out = append(out, words[0])
	}
	p.print(strings.Join(out, " ") + "\n")
	return code
}

func runTr(p *process) int {
	flags, words := cutFlags(p.args[1:])
	data, err := io.ReadAll(p.in)
	if err != nil || len(words) == 0 {
		return 1
	}
	from := []rune(trSet(words[0]))
	_, del := flags["d"]
	var to []rune
	if len(words) > 1 {
		to = []rune(trSet(words[1]))
	}
	p.print(strings.Map(func(r rune) rune {
		for i, f := range from {
			if f != r {
				continue
			}
			switch {
			case del:
				return -1
			case i < len(to):
				return to[i]
			case len(to) > 0:
				return to[len(to)-1]
			}
		}
		return r
	}, string(data)))
	return 0
}

func runSort(p *process) int {
	flags, words := cutFlags(p.args[1:], "k", "t")
	var lines []string
	code := p.eachLine(words, func(line string) bool { lines = append(lines, line); return true })
	_, numeric := flags["n"]
	sort.SliceStable(lines, func(i, j int) bool {
		if numeric {
			a, _ := strconv.ParseFloat(strings.Fields(lines[i] + " 0")[0], 64)
			b, _ := strconv.ParseFloat(strings.Fields(lines[j] + " 0")[0], 64)
			return a < b
		}
		return lines[i] < lines[j]
	})
	if _, back := flags["r"]; back {
		for i, j := 0, len(lines)-1; i < j; i, j = i+1, j-1 {
			lines[i], lines[j] = lines[j], lines[i]
		}
	}
	_, once := flags["u"]
	for i, line := range lines {
		if !once || i == 0 || line != lines[i-1] {
			p.print(line + "\n")
		}
	}
	return code
}

func runUniq(p *process) int {
	last, first := "", true
	return p.eachLine(nil, func(line string) bool {
		if first || line != last {
			p.print(line + "\n")
		}
		last, first = line, false
		return true
	})
}

func runCut(p *process) int {
	flags, words := cutFlags(p.args[1:], "d", "f", "c")
	sep := flags["d"]
	if sep == "" {
		sep = "\t"
	}
	want, err := strconv.Atoi(strings.TrimRight(flags["f"]+flags["c"], "-"))
	if err != nil {
		return p.fail(1, "invalid field value")
	}
	rest := strings.HasSuffix(flags["f"]+flags["c"], "-")
	return p.eachLine(words, func(line string) bool {
		parts := strings.Split(line, sep)
		if _, chars := flags["c"]; chars {
			parts, sep = strings.Split(line, ""), ""
		}
		switch {
		case len(parts) == 1:
			p.print(line + "\n")
		case want > len(parts):
			p.print("\n")
		case rest:
			p.print(strings.Join(parts[want-1:], sep) + "\n")
		default:
			p.print(parts[want-1] + "\n")
		}
		return true
	})
}

func runBase64(p *process) int {
	flags, words := cutFlags(p.args[1:], "w")
	var data []byte
	var err error
	if len(words) > 0 && words[0] != "-" {
		data, err = p.files.readFile(p.path(words[0]))
	} else {
		data, err = io.ReadAll(p.in)
	}
	if err != nil {
		return p.fail(1, "%v", err)
	}
	_, decode := flags["d"]
	if _, ok := flags["decode"]; ok || decode {
		text := strings.NewReplacer("\n", "", "\r", "").Replace(string(data))
		plain, err := base64.StdEncoding.DecodeString(text)
		p.print(string(plain))
		if err != nil {
			return p.fail(1, "invalid input")
		}
		return 0
	}
	text := base64.StdEncoding.EncodeToString(data)
	wrap := 76
	if w, ok := flags["w"]; ok {
		wrap, _ = strconv.Atoi(w)
	}
	for wrap > 0 && len(text) > wrap {
		p.print(text[:wrap] + "\n")
		text = text[wrap:]
	}
	p.print(text + "\n")
	return 0
}

func runSha256(p *process) int {
	_, words := cutFlags(p.args[1:])
	if len(words) == 0 {
		h := sha256.New()
		_, _ = io.Copy(h, bufio.NewReader(p.in))
		p.print(fmt.Sprintf("%x  -\n", h.Sum(nil)))
		return 0
	}
	for _, w := range words {
		data, err := p.files.readFile(p.path(w))
		if err != nil {
			return p.fail(1, "%s: %v", w, err)
		}
		p.print(fmt.Sprintf("%x  %s\n", sha256.Sum256(data), w))
	}
	return 0
}

// Helpers

// lineCount reads -n N, -nN and -N.
func lineCount(args []string, std int) (int, []string) {
	var words []string
	for i := 0; i < len(args); i++ {
		a := args[i]
		var text string
		switch {
		case a == "-n" && i+1 < len(args):
			i++
			text = args[i]
		case strings.HasPrefix(a, "-n"):
			text = a[2:]
		case len(a) > 1 && a[0] == '-':
			text = a[1:]
		default:
			words = append(words, a)
			continue
		}
		if n, err := strconv.Atoi(text); err == nil {
			std = n
		}
	}
	return std, words
}

// trSet expands escapes and ranges.
func trSet(set string) string {
	set = strings.NewReplacer(`\n`, "\n", `\t`, "\t", `\r`, "\r", `\0`, "\x00", "[:upper:]", "A-Z", "[:lower:]", "a-z", "[:space:]", " \t\n\r", "[:digit:]", "0-9").Replace(set)
	var b strings.Builder
	runes := []rune(set)
	for i := 0; i < len(runes); i++ {
		if i+2 < len(runes) && runes[i+1] == '-' && runes[i] < runes[i+2] {
			for r := runes[i]; r <= runes[i+2]; r++ {
				b.WriteRune(r)
			}
			i += 2
			continue
		}
		b.WriteRune(runes[i])
	}
	return b.String()
}
