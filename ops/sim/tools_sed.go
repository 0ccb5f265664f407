package sim

import (
	"regexp"
	"strconv"
	"strings"
)

// sedCommand is one command of a script: p or s, for the lines from first to last.
type sedCommand struct {
	first, last int // 0: all lines; last -1: to the end
	pattern     *regexp.Regexp
	with        string
	all, print  bool
}

// runSed knows s with g and p, and p for a line or for lines from N to M or $.
func runSed(p *process) int {
	flags, words := cutFlags(p.args[1:], "e")
	script, ok := flags["e"]
	if !ok && len(words) > 0 {
		script, words = words[0], words[1:]
	}
	_, extended := flags["E"]
	_, quiet := flags["n"]
	commands, complaint := parseSed(script, extended)
	if complaint != "" {
		return p.fail(1, "-e expression #1, char 1: %s", complaint)
	}
	at := 0
	return p.eachLine(words, func(line string) bool {
		at++
		for _, c := range commands {
			if at < c.first || c.last > 0 && at > c.last {
				continue
			}
			did := c.pattern == nil
			if !did {
				line, did = c.replace(line)
			}
			if did && c.print {
				p.print(line + "\n")
			}
		}
		if !quiet {
			p.print(line + "\n")
		}
		return true
	})
}

// Private

var (
	sedAddress   = regexp.MustCompile(`^(\d+)(?:,(\d+|\$))?`)
	sedReference = regexp.MustCompile(`\\[0-9&\\]|&|\$`)
)

// parseSed reads commands with a semicolon between them.
func parseSed(script string, extended bool) (out []sedCommand, complaint string) {
	for script = strings.TrimSpace(script); script != ""; script = strings.TrimLeft(script, "; \n") {
		var c sedCommand
		if address := sedAddress.FindStringSubmatch(script); address != nil {
			script = script[len(address[0]):]
			c.first, _ = strconv.Atoi(address[1])
			switch c.last, _ = strconv.Atoi(address[2]); address[2] {
			case "":
				c.last = c.first
			case "$":
				c.last = -1
			}
		}
		switch {
		case strings.HasPrefix(script, "p"):
			c.print, script = true, script[1:]
		case len(script) > 3 && script[0] == 's':
			parts, rest, ok := sedParts(script[2:], script[1])
			if !ok {
				return nil, "unterminated `s' command"
			}
			pattern := parts[0]
			if !extended {
				pattern = basicToExtended(pattern)
			}
			var err error
			if c.pattern, err = regexp.Compile(pattern); err != nil {
				return nil, "Invalid regular expression"
			}
			c.with = sedReference.ReplaceAllStringFunc(parts[1], func(hit string) string {
				switch {
				case hit == "&":
					return "${0}"
				case hit == "$":
					return "$$"
				case hit[1] >= '0' && hit[1] <= '9':
					return "${" + hit[1:] + "}"
				}
				return hit[1:]
			})
			options := rest[:len(rest)-len(strings.TrimLeft(rest, "gp"))]
			c.all, c.print = strings.Contains(options, "g"), strings.Contains(options, "p")
			script = rest[len(options):]
		default:
			return nil, "unknown command: `" + script + "'"
		}
		out = append(out, c)
	}
	return out, ""
}

// replace is the line with the first hit, or all of them, replaced.
func (c sedCommand) replace(line string) (string, bool) {
	hits := c.pattern.FindAllStringSubmatchIndex(line, -1)
	if len(hits) == 0 {
		return line, false
	}
	if !c.all {
		hits = hits[:1]
	}
	var out []byte
	end := 0
	for _, hit := range hits {
		out = append(out, line[end:hit[0]]...)
		out = c.pattern.ExpandString(out, c.with, line, hit)
		end = hit[1]
	}
	return string(append(out, line[end:]...)), true
}

// Helpers

// sedParts cuts pattern and replacement at a delimiter that no backslash precedes;
// within brackets and before others, backslashes stay.
func sedParts(text string, delimiter byte) (parts [2]string, rest string, ok bool) {
	at := 0
	for i := range parts {
		var b strings.Builder
		for ; at < len(text) && text[at] != delimiter; at++ {
			if text[at] == '\\' && at+1 < len(text) {
				if at++; text[at] != delimiter {
					b.WriteByte('\\')
				}
			}
			b.WriteByte(text[at])
		}
		if at == len(text) {
			return parts, "", false
		}
		at++
		parts[i] = b.String()
	}
	return parts, text[at:], true
}
