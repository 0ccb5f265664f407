package command

import (
	"fmt"
	"regexp"
	"strings"

	"binnacle/config"
	"binnacle/config/secret"
)

// Escape quotes a value for the remote shell exactly as Kamal does: runs of
// ASCII in double quotes, everything else bare between them, and `${…}` left for
// the server to expand. Line breaks and tabs arrive as backslash sequences. The
// empty value is no word at all.
func Escape(v string) string {
	var b strings.Builder
	for _, run := range asciiRuns(v) {
		if run[0] >= 0x80 {
			b.WriteString(run)
			continue
		}
		quoted := strings.ReplaceAll(dump(run), "`", "\\`")
		b.WriteByte('"')
		b.WriteString(escapeDollars(quoted))
		b.WriteByte('"')
	}
	return b.String()
}

// Received is what a program gets for an escaped value: line breaks and tabs as
// backslash sequences, and ${NAME} or ${NAME:-text} looked up. It is for values
// that reach a program without a shell.
func Received(v string, lookup func(name string) string) string {
	var b strings.Builder
	for _, run := range asciiRuns(v) {
		if run[0] >= 0x80 {
			b.WriteString(run)
			continue
		}
		dumped := strings.NewReplacer(`\\`, `\`, `\"`, `"`).Replace(dump(run))
		b.WriteString(expansion.ReplaceAllStringFunc(dumped, func(found string) string {
			parts := expansion.FindStringSubmatch(found)
			if value := lookup(parts[1]); value != "" {
				return value
			}
			return parts[2]
		}))
	}
	return b.String()
}

// Argumentize repeats a flag for each pair: `flag K="v"`, `flag K=false`, and
// `flag K` for nothing or blank text. Sensitive values are hidden.
func Argumentize(flag string, pairs config.Pairs, sensitive bool) []Arg {
	args := make([]Arg, 0, 2*len(pairs))
	for _, pair := range pairs {
		args = append(args, Raw(flag))
		switch value := pair.Value; {
		case value.Present() && sensitive:
			args = append(args, Hidden(pair.Name+"=", secret.New(Escape(value.String()))))
		case value.Present():
			args = append(args, Raw(pair.Name+"="+Escape(value.String())))
		case value.IsFalse():
			args = append(args, Raw(pair.Name+"=false"))
		default:
			args = append(args, Raw(pair.Name))
		}
	}
	return args
}

// ArgumentizeList repeats a flag for each item; the items are not quoted.
func ArgumentizeList(flag string, items ...string) []Arg {
	args := make([]Arg, 0, 2*len(items))
	for _, item := range items {
		args = append(args, Raw(flag), Raw(item))
	}
	return args
}

// Optionize turns options into flags: `--k "v"`, or `--k="v"` with eq, `--k`
// alone for true, and one flag for each item of a list.
func Optionize(options config.Pairs, eq bool) []Arg {
	var args []Arg
	for _, pair := range flatten(options) {
		flag, value := "--"+pair.Name, pair.Value
		switch {
		case value.IsTrue():
			args = append(args, Raw(flag))
		case eq:
			args = append(args, Raw(flag+"="+Escape(value.String())))
		default:
			args = append(args, Raw(flag), Raw(Escape(value.String())))
		}
	}
	return args
}

// EnvFile is the text of a Docker env file with one `K=value` line per entry.
// Docker reads such files literally, so line breaks become the two characters
// `\n` and backslashes are doubled. Without entries it is a lone line break.
func EnvFile(entries []config.SecretEntry) secret.Value {
	if len(entries) == 0 {
		return secret.New("\n")
	}
	var b strings.Builder
	for _, entry := range entries {
		b.WriteString(entry.Name + "=")
		for _, run := range asciiRuns(entry.Value.Reveal()) {
			if run[0] < 0x80 {
				run = strings.ReplaceAll(dump(run), `\"`, `"`)
				run = strings.ReplaceAll(run, `\#`, `#`)
			}
			b.WriteString(run)
		}
		b.WriteByte('\n')
	}
	return secret.New(b.String())
}

// Quote makes any text one word of sh with its exact bytes, for values that are
// ours and not Kamal's.
func Quote(v string) string {
	if v != "" && !unsafeWord.MatchString(v) {
		return v
	}
	return "'" + inSingleQuotes(v) + "'"
}

// Private

var expansion = regexp.MustCompile(`\$\{([A-Za-z_][A-Za-z0-9_]*)(?::?-([^{}$]*))?\}`)

var unsafeWord = regexp.MustCompile(`[^A-Za-z0-9_\-.,:/@%+=]`)

// Helpers

func asciiRuns(v string) []string {
	var runs []string
	start := 0
	for i := 1; i <= len(v); i++ {
		if i == len(v) || v[i] < 0x80 != (v[start] < 0x80) {
			runs = append(runs, v[start:i])
			start = i
		}
	}
	return runs
}

// dump writes ASCII text as Ruby's String#dump does, without the outer quotes.
func dump(v string) string {
	named := map[byte]string{'"': `\"`, '\\': `\\`, '\n': `\n`, '\r': `\r`, '\t': `\t`, '\f': `\f`, '\v': `\v`, '\b': `\b`, '\a': `\a`, 0x1b: `\e`}
	var b strings.Builder
	for i := range len(v) {
		c := v[i]
		switch {
		case named[c] != "":
			b.WriteString(named[c])
		case c == '#' && i+1 < len(v) && strings.IndexByte("{$@", v[i+1]) >= 0:
			b.WriteString(`\#`)
		case c < 0x20 || c == 0x7f:
			fmt.Fprintf(&b, `\x%02X`, c)
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// escapeDollars keeps the shell from expanding anything but `${…}`.
func escapeDollars(v string) string {
	var b strings.Builder
	for i := range len(v) {
		if v[i] == '$' && (!strings.HasPrefix(v[i+1:], "{") || !strings.Contains(v[i+1:], "}")) {
			b.WriteByte('\\')
		}
		b.WriteByte(v[i])
	}
	return b.String()
}

// flatten gives each item of a list its own pair.
func flatten(options config.Pairs) config.Pairs {
	var flat config.Pairs
	for _, pair := range options {
		switch pair.Value.Kind() {
		case config.List:
			for _, item := range pair.Value.List() {
				flat = append(flat, config.Pair{Name: pair.Name, Value: item})
			}
		case config.Map:
			for _, entry := range pair.Value.Pairs() {
				item := config.ListValue(config.StringValue(entry.Name), entry.Value)
				flat = append(flat, config.Pair{Name: pair.Name, Value: item})
			}
		default:
			flat = append(flat, pair)
		}
	}
	return flat
}
