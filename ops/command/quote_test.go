package command_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"binnacle/config"
	"binnacle/config/secret"
	"binnacle/ops/command"
)

func TestEscape(t *testing.T) {
	for value, want := range map[string]string{
		"":           "",
		"a b":        `"a b"`,
		"$X":         `"\$X"`,
		"$(c)":       `"\$(c)"`,
		"${HOME}":    `"${HOME}"`,
		"${HOME":     `"\${HOME"`,
		"a\nb\tc":    `"a\nb\tc"`,
		"#{z}":       `"\#{z}"`,
		"#@y":        `"\#@y"`,
		"#a":         `"#a"`,
		"a é b":      `"a "é" b"`,
		"é":          "é",
		"`id`":       "\"\\`id\\`\"",
		`\"`:         `"\\\""`,
		"\x1b\x01\a": `"\e\x01\a"`,
	} {
		if got := command.Escape(value); got != want {
			t.Errorf("Escape(%q) = %s, want %s", value, got, want)
		}
	}
}

// testdata/quote.jsonl holds values with what Kamal makes of them for the shell
// and for an env file.
func TestQuotingIsKamals(t *testing.T) {
	file, err := os.Open("testdata/quote.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		var c [3]string
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			t.Fatal(err)
		}
		if got := command.Escape(c[0]); got != c[1] {
			t.Errorf("Escape(%q) = %s, want %s", c[0], got, c[1])
		}
		if got := envFile("K", c[0]); got != "K="+c[2]+"\n" {
			t.Errorf("EnvFile(%q) = %q, want %q", c[0], got, "K="+c[2]+"\n")
		}
	}
}

func TestEnvFile(t *testing.T) {
	if got := command.EnvFile(nil).Reveal(); got != "\n" {
		t.Errorf("no entries make %q, want a lone line break", got)
	}
	if got, want := envFile("A", "1", "B", "x\ny\\z $V \"é\" #{q}"), "A=1\nB=x\\ny\\\\z $V \"é\" #{q}\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestArgumentize(t *testing.T) {
	pairs := config.Pairs{
		{Name: "A", Value: config.StringValue("x y")}, {Name: "N", Value: config.IntValue(2)},
		{Name: "T", Value: config.BoolValue(true)}, {Name: "F", Value: config.BoolValue(false)},
		{Name: "EMPTY", Value: config.StringValue("")}, {Name: "BLANK", Value: config.StringValue(" ")}, {Name: "NIL"},
	}
	got := command.Line{}.WithArgs(command.Argumentize("-e", pairs, false)...)
	if want := `-e A="x y" -e N="2" -e T="true" -e F=false -e EMPTY -e BLANK -e NIL`; got.String() != want {
		t.Errorf("got %s, want %s", got, want)
	}
	hidden := command.Line{}.WithArgs(command.Argumentize("-e", pairs[:1], true)...)
	if hidden.String() != "-e A=[REDACTED]" || hidden.Shell() != `-e A="x y"` {
		t.Errorf("sensitive: shown %s, sent %s", hidden, hidden.Shell())
	}
}

func TestOptionize(t *testing.T) {
	options := config.Pairs{
		{Name: "init", Value: config.BoolValue(true)}, {Name: "tty", Value: config.BoolValue(false)},
		{Name: "cap-add", Value: config.ListValue(config.StringValue("A"), config.StringValue("B"))},
		{Name: "none", Value: config.ListValue()}, {Name: "cpus", Value: config.StringValue("0.5")}, {Name: "nil"},
	}
	spaced := command.Line{}.WithArgs(command.Optionize(options, false)...)
	if want := `--init --tty "false" --cap-add "A" --cap-add "B" --cpus "0.5" --nil`; spaced.String() != want {
		t.Errorf("got %s, want %s", spaced, want)
	}
	equals := command.Line{}.WithArgs(command.Optionize(options, true)...)
	if want := `--init --tty="false" --cap-add="A" --cap-add="B" --cpus="0.5" --nil=`; equals.String() != want {
		t.Errorf("got %s, want %s", equals, want)
	}
}

// Whatever the value, the shell must make one word of it, and the word must
// differ from the value in what Kamal is known to change only.
func FuzzEscape(f *testing.F) {
	for _, seed := range []string{"a b", "it's \"quoted\" $HOME `x`", "$(reboot)", "a;b|c&d>e", "é ü", "\\", "\\\\$", "#{x} #$ #@", "\x00\x7f", "*?[a]", "~", "!h", "a\"b"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		if value == "" || !expandable(value) {
			t.Skip("vanishes, or is what only a shell can tell")
		}
		if got, want := words(t, command.Escape(value)), received(value); got != "<"+want+">" {
			t.Errorf("sh made %q of %q, want one word %q", got, value, want)
		}
	})
}

func FuzzQuoteAndSh(f *testing.F) {
	for _, seed := range []string{"", "a b", "'", "''a'", "${HOME}", "-n", "a\nb", "\\", "é"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		if strings.Contains(value, "\x00") {
			t.Skip("no argument holds it")
		}
		if got := words(t, command.Quote(value)); got != "<"+value+">" {
			t.Errorf("sh made %q of %q", got, value)
		}
		nested := command.Sh(command.Sh(command.New("printf", "'<%s>'", command.Quote(value))))
		if got := run(t, t.TempDir(), nested); got != "<"+value+">" {
			t.Errorf("sh in sh made %q of %q", got, value)
		}
	})
}

// Whatever name and value a file holds, a flag and its value are two words to the
// shell, and what reaches a program without a shell is what reaches it through one.
func FuzzArguments(f *testing.F) {
	for _, seed := range pieces {
		f.Add(seed, seed+"a"+seed)
	}
	f.Fuzz(func(t *testing.T, value, other string) {
		if !utf8.ValidString(value) || !utf8.ValidString(other) || !expandable(value) || !expandable(other) || len(value)+len(other) > 2000 {
			t.Skip("no text of a file, or what only a shell can tell")
		}
		env := config.Pairs{{Name: "A", Value: config.StringValue(value)}, {Name: "B", Value: config.StringValue(other)}}
		want := argumentized("-e", []setting{{"A", hostile{text: value}}, {"B", hostile{text: other}}})
		options := config.Pairs{{Name: "o", Value: config.ListValue(config.StringValue(value), config.StringValue(other))}}
		want = append(want, optionized([]setting{{"o", hostile{list: []hostile{{text: value}, {text: other}}}}}, true)...)
		line := command.Line{}.WithArgs(command.Argumentize("-e", env, false)...).WithArgs(command.Optionize(options, true)...)
		shell := exec.CommandContext(t.Context(), "sh", "-c", "for a in "+line.Shell()+`; do printf '%s\0' "$a"; done`)
		shell.Dir, shell.Env = t.TempDir(), []string{"X=" + onHost["X"], "HOME=" + onHost["HOME"], "PATH="}
		output, err := shell.CombinedOutput()
		if got := strings.Split(strings.TrimSuffix(string(output), "\x00"), "\x00"); err != nil || !slices.Equal(got, want) {
			t.Errorf("sh makes of %s\n%q, want\n%q (%v)", line.Shell(), got, want, err)
		}
		if got := command.Received(value, func(name string) string { return onHost[name] }); got != received(value) {
			t.Errorf("without a shell %q becomes %q, want %q", value, got, received(value))
		}
	})
}

// An env file has a line for each variable, whatever is in it.
func FuzzEnvFile(f *testing.F) {
	for _, seed := range pieces {
		f.Add(seed+seed, "b"+seed)
	}
	f.Fuzz(func(t *testing.T, value, other string) {
		if !utf8.ValidString(value) || !utf8.ValidString(other) {
			t.Skip("no text of a file")
		}
		want := envLines([]setting{{"A", hostile{text: value}}, {"B", hostile{text: other}}})
		if got := readAsDocker(t, envFile("A", value, "B", other)); !slices.Equal(got, want) {
			t.Errorf("Docker reads %q, want %q", got, want)
		}
	})
}

// Helpers

func envFile(namesAndValues ...string) string {
	var entries []config.SecretEntry
	for i := 0; i < len(namesAndValues); i += 2 {
		entries = append(entries, config.SecretEntry{Name: namesAndValues[i], Value: secret.New(namesAndValues[i+1])})
	}
	return command.EnvFile(entries).Reveal()
}

// words are the words that sh makes of a text, each in angle brackets.
func words(t *testing.T, text string) string {
	t.Helper()
	return run(t, t.TempDir(), command.New("printf", "'<%s>'", text))
}

// run runs a Line by the real sh and returns what it printed.
func run(t *testing.T, dir string, line command.Line) string {
	t.Helper()
	output, err := sh(t, dir, line)
	if err != nil {
		t.Fatalf("%s: %v\n%s", line, err, output)
	}
	return output
}

func sh(t *testing.T, dir string, line command.Line) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "sh", "-c", line.Shell())
	cmd.Dir, cmd.Stdin = dir, strings.NewReader(line.Stdin().Reveal())
	output, err := cmd.CombinedOutput()
	return string(output), err
}

// received is what a program gets for an escaped value: control characters as
// backslash sequences, a stray backslash before #{, #$ and #@, the variables of the
// host for ${NAME}, and everything else byte for byte.
func received(value string) string {
	var b strings.Builder
	for i := 0; i < len(value); i++ {
		switch rest := value[i:]; {
		case rest[0] == '#' && len(rest) > 1 && strings.IndexByte("{$@", rest[1]) >= 0:
			b.WriteString(`\#`)
		case expansion(rest) != "":
			name := expansion(rest)
			b.WriteString(onHost[name[2:len(name)-1]])
			i += len(name) - 1
		default:
			b.WriteString(controlsEscaped(rest[:1]))
		}
	}
	return b.String()
}

// expansion is the ${…} that a text begins with, if the shell sees one: quotes
// that Kamal ends before a letter beyond ASCII end it as well.
func expansion(text string) string {
	end := strings.IndexFunc(text, func(r rune) bool { return r == '}' || r >= 0x80 })
	if !strings.HasPrefix(text, "${") || end < 0 || text[end] != '}' {
		return ""
	}
	return text[:end+1]
}

// expandable tells whether all that the shell expands in a text are plain names.
func expandable(text string) bool {
	for i := range len(text) {
		if e := expansion(text[i:]); e != "" && !plainExpansion.MatchString(e) {
			return false
		}
	}
	return true
}

var plainExpansion = regexp.MustCompile(`^\$\{[A-Za-z_][A-Za-z0-9_]*\}$`)

func controlsEscaped(text string) string {
	named := map[byte]string{'\n': `\n`, '\r': `\r`, '\t': `\t`, '\f': `\f`, '\v': `\v`, '\b': `\b`, '\a': `\a`, 0x1b: `\e`}
	var b strings.Builder
	for i := range len(text) {
		switch c := text[i]; {
		case named[c] != "":
			b.WriteString(named[c])
		case c < 0x20 || c == 0x7f:
			fmt.Fprintf(&b, `\x%02X`, c)
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}
