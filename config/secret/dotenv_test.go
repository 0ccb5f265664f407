package secret

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// files reads from memory.
func files(contents map[string]string) func(string) ([]byte, error) {
	return func(name string) ([]byte, error) {
		text, ok := contents[name]
		if !ok {
			return nil, fs.ErrNotExist
		}
		return []byte(text), nil
	}
}

func testOptions(contents map[string]string) Options {
	env := map[string]string{"HOME_VAR": "from-env", "B": "env-b", "EMPTY": ""}
	return Options{
		ReadFile: files(contents),
		Env:      func(name string) (string, bool) { v, ok := env[name]; return v, ok },
		Run: func(_ context.Context, command string) (string, error) {
			switch {
			case command == "fail":
				return "partial\n", errors.New("exit status 1")
			case strings.HasPrefix(command, "echo "):
				return strings.TrimPrefix(command, "echo ") + "\n", nil
			default:
				return "ran(" + command + ")\n", nil
			}
		},
	}
}

func TestGrammar(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"plain", "K=v", "v"},
		{"spaces around", "K = v ", "v"},
		{"export", "export K=v", "v"},
		{"colon", "K: v", "v"},
		{"colon without space", "K:v", "<absent>"},
		{"dots in names", "K.x=1\nK=2", "2"},
		{"no value", "K=", ""},
		{"no separator", "K", ""},
		{"comment", "K=v # c", "v"},
		{"comment without space", "K=a#b", "a"},
		{"quoted hash", `K="a#b"`, "a#b"},
		{"single quotes", `K='a $B "q"'`, `a $B "q"`},
		{"single inside single", "K='it''s'", "it''s"},
		{"double quotes", `K="a b"`, "a b"},
		{"escaped quote", `K="a \"b\""`, `a "b"`},
		{"newline stays escaped", `K="a\nb"`, `a\nb`},
		{"carriage return too", `K="a\rb"`, `a\rb`},
		{"legacy newlines", "DOTENV_LINEBREAK_MODE=legacy\nK=\"a\\nb\"", "a\nb"},
		{"unquoted backslash", `K=a\nb`, "anb"},
		{"real line break", "K=\"a\nb\"", "a\nb"},
		{"single with break", "K='a\nb'", "a\nb"},
		{"crlf", "A=1\r\nK=v\r\n", "v"},
		{"later wins", "K=1\nK=2", "2"},
		{"odd line", "!!! what\nK=v", "v"},
		{"variable from env", "K=$HOME_VAR", "from-env"},
		{"in braces", "K=${HOME_VAR}x", "from-envx"},
		{"earlier key", "A=1\nK=$A", "1"},
		{"file beats env", "B=file\nK=$B", "file"},
		{"later key is unknown", "K=$A\nA=1", ""},
		{"unknown", "K=x${NOPE}y", "xy"},
		{"escaped dollar", `K=\$B`, "$B"},
		{"lone dollar", "K=a$ b", "a$ b"},
		{"in double quotes", `K="$B-$B"`, "env-b-env-b"},
		{"command", "K=$(echo hi)", "hi"},
		{"command in text", `K="a $(echo b) c"`, "a b c"},
		{"nested parentheses", "K=$(x (y) z)", "ran(x (y) z)"},
		{"escaped command", `K=\$(echo hi)`, "$(echo hi)"},
		{"variable in command", "K=$(x $B)", "ran(x env-b)"},
		{"output is scanned for variables", "K=$(echo '$B')", "'env-b'"},
		{"cut at a hash", "T=$(echo '#x')\nK=v", "v"},
		{"failing command keeps its output", "K=$(fail)", "partial"},
		{"unclosed", "K=$(x", "$(x"},
		{"empty command", "K=$()", "$()"},
		{"not in single quotes", "K='$(x)'", "$(x)"},
		{"byte order mark", "\ufeffK=v", "v"},
		{"extract", `K=$(kamal secrets extract A '{"A":"av"}')`, "av"},
		{"extract from our own name", `K=$(binnacle secrets extract B '{"f/B":"bv"}')`, "bv"},
		{"chain", "S='{\"x/TOKEN\":\"t-v\"}'\nK=$(kamal secrets extract TOKEN '$S')", "t-v"},
		{"escaped parenthesis", `K=$(kamal secrets extract A {\\\"A\\\":\\\"pass\\)word\\\"})`, "pass)word"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := Open(testOptions(map[string]string{".kamal/secrets": test.text}))
			value, err := s.Get(t.Context(), "K")
			if test.want == "<absent>" {
				if !errors.Is(err, ErrNotFound) {
					t.Errorf("error %v, want not found", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if value.Reveal() != test.want {
				t.Errorf("got %q, want %q", value.Reveal(), test.want)
			}
		})
	}
}

func TestExportOfAnUnsetName(t *testing.T) {
	_, err := Open(testOptions(map[string]string{".kamal/secrets": "A=1\nexport B"})).Get(t.Context(), "A")
	var format *FormatError
	if !errors.As(err, &format) || !strings.Contains(err.Error(), `Line "export B" has an unset variable`) {
		t.Errorf("error %v", err)
	}
	value, err := Open(testOptions(map[string]string{".kamal/secrets": "A=1\nexport A\n"})).Get(t.Context(), "A")
	if err != nil || value.Reveal() != "1" {
		t.Errorf("export of a set name: %v, %v", value.Reveal(), err)
	}
}

func TestFiles(t *testing.T) {
	tests := []struct {
		name, destination string
		files             map[string]string
		want              string
	}{
		{"both", "", map[string]string{".kamal/secrets-common": "A=c\nB=c", ".kamal/secrets": "B=s\nC=s"}, "A=c B=s C=s"},
		{"destination", "staging", map[string]string{".kamal/secrets-common": "A=c", ".kamal/secrets": "B=s", ".kamal/secrets.staging": "C=d"}, "A=c C=d"},
		{"common is invisible to the second", "", map[string]string{".kamal/secrets-common": "A=c", ".kamal/secrets": "D=x$A"}, "A=c D=x"},
		{"none", "", nil, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			options := testOptions(test.files)
			options.Destination = test.destination
			entries, err := Open(options).All(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, entry := range entries {
				got = append(got, entry.Name+"="+entry.Value.Reveal())
			}
			if strings.Join(got, " ") != test.want {
				t.Errorf("got %v, want %s", got, test.want)
			}
		})
	}
}

func TestMissingKey(t *testing.T) {
	tests := []struct {
		files       map[string]string
		destination string
		want        string
	}{
		{nil, "", "Secret 'K' not found, no secret files (.kamal/secrets-common, .kamal/secrets) provided"},
		{nil, "prod", "Secret 'K' not found, no secret files (.kamal/secrets-common, .kamal/secrets.prod) provided"},
		{map[string]string{".kamal/secrets": "A=1"}, "", "Secret 'K' not found in .kamal/secrets"},
		{map[string]string{".kamal/secrets": "", ".kamal/secrets-common": ""}, "", "Secret 'K' not found in .kamal/secrets-common, .kamal/secrets"},
	}
	for _, test := range tests {
		options := testOptions(test.files)
		options.Destination = test.destination
		if _, err := Open(options).Get(t.Context(), "K"); !errors.Is(err, ErrNotFound) || err.Error() != test.want {
			t.Errorf("error %v, want %s", err, test.want)
		}
	}
}

func TestEvaluatedLazilyAndOnce(t *testing.T) {
	runs := 0
	options := testOptions(map[string]string{".kamal/secrets": "A=$(x)\nB=$(y)"})
	options.Run = func(context.Context, string) (string, error) { runs++; return "value-of-a-secret", nil }
	options.Redactor = &Redactor{}
	s := Open(options)
	if runs != 0 {
		t.Error("ran before the first question")
	}
	for range 3 {
		if _, err := s.Get(t.Context(), "A"); err != nil {
			t.Fatal(err)
		}
	}
	names, err := s.Names(t.Context())
	if err != nil || !slices.Equal(names, []string{"A", "B"}) || runs != 2 {
		t.Errorf("names %v, error %v, %d runs, want 2", names, err, runs)
	}
	if got := options.Redactor.Redact("value-of-a-secret"); got != Redacted {
		t.Errorf("the redactor was not told: %s", got)
	}
}

func TestCancelledEvaluationIsRepeated(t *testing.T) {
	options := testOptions(map[string]string{".kamal/secrets": "A=$(x)"})
	ctx, cancel := context.WithCancel(t.Context())
	options.Run = func(ctx context.Context, _ string) (string, error) {
		if ctx.Err() == nil {
			return "ok", nil
		}
		return "", ctx.Err()
	}
	s := Open(options)
	cancel()
	if _, err := s.Get(ctx, "A"); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want cancelled", err)
	}
	if v, err := s.Get(t.Context(), "A"); err != nil || v.Reveal() != "ok" {
		t.Errorf("second try: %v, %v", v.Reveal(), err)
	}
}

func TestFailuresAreTold(t *testing.T) {
	s := Open(testOptions(map[string]string{".kamal/secrets": "A=$(fail)"}))
	if _, err := s.Get(t.Context(), "A"); err != nil {
		t.Fatal(err)
	}
	if failures := s.Failures(); len(failures) != 1 || failures[0].Command != "fail" || failures[0].Err == nil {
		t.Errorf("failures %v", failures)
	}
}

func TestInlineCommand(t *testing.T) {
	options := testOptions(map[string]string{".kamal/secrets": `A=$(kamal secrets fetch --adapter op "a b" | cat)`})
	var got []string
	options.Inline = func(_ context.Context, words []string) (string, error) { got = words; return "x\n", nil }
	v, err := Open(options).Get(t.Context(), "A")
	if want := []string{"fetch", "--adapter", "op", "a b", "|", "cat"}; err != nil || v.Reveal() != "x" || !slices.Equal(got, want) {
		t.Errorf("value %q, error %v, words %q, want %q", v.Reveal(), err, got, want)
	}
	options.Inline = nil
	if _, err := Open(options).Get(t.Context(), "A"); err == nil || !strings.Contains(err.Error(), "Unknown secrets adapter: op") {
		t.Errorf("error %v, want one about the adapter", err)
	}
}

func TestSplitShellAsRubyDoes(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("testdata", "shellwords.json"))
	if err != nil {
		t.Fatal(err)
	}
	var rows [][2]json.RawMessage
	if err := json.Unmarshal(text, &rows); err != nil {
		t.Fatal(err)
	}
	for _, row := range rows {
		var line string
		var want []string
		if json.Unmarshal(row[0], &line) != nil || json.Unmarshal(row[1], &want) != nil {
			t.Fatal("shellwords.json is broken")
		}
		if got, err := SplitShell(line); err != nil || !slices.Equal(got, want) {
			t.Errorf("%q: got %q, %v, want %q", line, got, err, want)
		}
	}
	for _, broken := range []string{"'a", `"a`, `a "b\"`} {
		if _, err := SplitShell(broken); err == nil {
			t.Errorf("%q: no error", broken)
		}
	}
}

func TestExtract(t *testing.T) {
	for _, test := range []struct{ name, object, want string }{
		{"A", `{"x/A":"suffixed","A":"exact"}`, "exact"},
		{"A", `{"x/A":"first","y/A":"second"}`, "first"},
		{"A", `{"A":null,"x/A":"s"}`, "s"},
		{"A", `{"A":12}`, "12"},
		{"A", `{"B":"b"}`, "error: Could not find secret A"},
		{"A", `[]`, "error: extracting a secret: the fetched secrets are not a JSON object"},
		{"A", `{"A`, "error: extracting a secret: the fetched secrets are not valid JSON"},
	} {
		v, err := Extract(test.name, test.object)
		got := v.Reveal()
		if err != nil {
			got = "error: " + err.Error()
		}
		if got != test.want {
			t.Errorf("%s of %s: %s, want %s", test.name, test.object, got, test.want)
		}
	}
}

// TestParsesAsRubyDoes compares with what dotenv 3.2 and Kamal's command
// substitution made of texts; null is a refusal.
func TestParsesAsRubyDoes(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("testdata", "dotenv.json"))
	if err != nil {
		t.Fatal(err)
	}
	var rows [][2]json.RawMessage
	if err := json.Unmarshal(text, &rows); err != nil {
		t.Fatal(err)
	}
	env := map[string]string{"B": "env-b", "HOME_VAR": "hv"}
	ran := map[string]string{}
	for _, row := range rows {
		var source string
		var want []string
		if json.Unmarshal(row[0], &source) != nil || json.Unmarshal(row[1], &want) != nil {
			t.Fatal("dotenv.json is broken")
		}
		entries, err := Open(Options{
			ReadFile: files(map[string]string{".kamal/secrets": source}),
			Env:      func(name string) (string, bool) { v, ok := env[name]; return v, ok },
			Inline: func(_ context.Context, words []string) (string, error) {
				return strings.Join(append([]string{"secrets"}, words...), "|"), nil
			},
			Run: func(ctx context.Context, command string) (string, error) {
				if out, ok := ran[command]; ok {
					return out, nil
				}
				out, err := exec.CommandContext(ctx, "sh", "-c", command).Output()
				ran[command] = string(out)
				return string(out), err
			},
		}).All(t.Context())
		got := []string{}
		for _, entry := range entries {
			got = append(got, entry.Name, entry.Value.Reveal())
		}
		if (err != nil) != (want == nil) || err == nil && !slices.Equal(got, want) {
			t.Errorf("%q: got %q, %v, want %q", source, got, err, want)
		}
	}
}

func FuzzParseEnv(f *testing.F) {
	for _, seed := range []string{"A=1", "A=\"$B\\n\"\nexport A", "A=$(kamal secrets extract A {})", "A='x\ny'", "A=$((((", "\\$(", "A=\\"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		options := testOptions(map[string]string{".kamal/secrets": text})
		entries, err := Open(options).All(t.Context())
		for _, entry := range entries {
			if err == nil && entry.Name == "" {
				t.Error("an entry without a name")
			}
		}
	})
}
