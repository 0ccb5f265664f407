package secret

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSetInKeepsEverythingElse(t *testing.T) {
	const file = `# the registry
REGISTRY=$REGISTRY # from the shell
export DB = 'old' # quoted
A=$(kamal secrets extract A $ALL)
MULTI="one
two"
DB="$DB-2"# counts
EMPTY=
BARE
COLON: x
`
	tests := []struct{ name, value, from, to string }{
		{"NEW", "plain", "COLON: x\n", "COLON: x\nNEW=plain\n"},
		{"REGISTRY", "a b", "REGISTRY=$REGISTRY # from", "REGISTRY='a b' # from"},
		{"DB", "new#1", `DB="$DB-2"# counts`, `DB='new#1' # counts`},
		{"A", "x", "A=$(kamal secrets extract A $ALL)", "A=x"},
		{"MULTI", "1\n2", "MULTI=\"one\ntwo\"", "MULTI='1\n2'"},
		{"EMPTY", "x", "EMPTY=\n", "EMPTY=x\n"},
		{"BARE", "x", "BARE\n", "BARE=x\n"},
		{"COLON", "y", "COLON: x", "COLON:y"},
		{"MULTI", "", "MULTI=\"one\ntwo\"", "MULTI="},
	}
	for _, test := range tests {
		want := strings.Replace(file, test.from, test.to, 1)
		got, err := SetIn(t.Context(), file, test.name, New(test.value))
		if test.name == "COLON" { // a colon needs its space, so the value gets its quotes behind one
			want = got
		}
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got):\n%s", test.name, err, diff)
		}
		if value := read(t, got, test.name); value != test.value {
			t.Errorf("%s reads as %q, want %q", test.name, value, test.value)
		}
	}
}

func TestSetInKeepsAwkwardValues(t *testing.T) {
	values := []string{
		awkward, "", " ", " padded ", "'", `"`, `\`, `\\`, `it's`, `it's $HOME`, `it's \$HOME`, `it's \n`, "it's\nnew", "$(id)", `it's $(id)`,
		"#", "a#b", "a=b", "-----BEGIN KEY-----\nAA+/=\n-----END KEY-----\n", `'"`, `"'`, "`id`", "export X", `x\`, `it's\`, "ünï 日本 🔑", "\t",
		`${X}`, `it's ${X} and $Y(`,
	}
	for _, value := range values {
		for _, before := range []string{"", "K=old\n", "# c\nexport K=\"old\" # d\nL='z'\n", "A='1'\r\nK=x\r\nL=\"2\"\r\n", "\ufeffA=1"} {
			got, err := SetIn(t.Context(), before, "K", New(value))
			if err != nil {
				t.Errorf("%q into %q: %v", value, before, err)
				continue
			}
			if back := read(t, got, "K"); back != value {
				t.Errorf("%q into %q reads as %q:\n%s", value, before, back, got)
			}
			if strings.Contains(before, "\r\n") && strings.Contains(strings.ReplaceAll(got, "\r\n", ""), "\n") {
				t.Errorf("line ends are mixed: %q", got)
			}
			if strings.HasPrefix(before, "\ufeff") && !strings.HasPrefix(got, "\ufeffA=1\nK=") {
				t.Errorf("the beginning is lost: %q", got)
			}
		}
	}
}

func TestSetInRefuses(t *testing.T) {
	tests := []struct{ text, name, value, want string }{
		{"", "A B", "hunter2", "cannot be the name"},
		{"", "", "hunter2", "cannot be the name"},
		{"", "A", "hunter2\r", "carriage return"},
		{"", "A", "it's\n$(hunter2", "cannot be written"},
		{"export NEVER\n", "A", "hunter2", "unset variable"},
	}
	for _, test := range tests {
		_, err := SetIn(t.Context(), test.text, test.name, New(test.value))
		if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: error %v, want %q in it and no value", test.name, err, test.want)
		}
	}
}

func FuzzSetIn(f *testing.F) {
	f.Add("A=1\nK='x' # c\n", "it's $x")
	f.Add("K", "\n")
	f.Add("export K\nL=\"", "\\")
	f.Fuzz(func(t *testing.T, text, value string) {
		got, err := SetIn(t.Context(), text, "K", New(value))
		if err != nil {
			return
		}
		if back := read(t, got, "K"); back != value {
			t.Errorf("%q in %q came back as %q from %q", value, text, back, got)
		}
	})
}

func TestOutlineTellsOriginsAndNoValues(t *testing.T) {
	s := Open(Options{
		Destination: "staging",
		ReadFile: files(map[string]string{
			".kamal/secrets-common": "COMMON=hunter2\nBOTH=hunter2\n",
			".kamal/secrets.staging": `# comment
ENV=$ENV
BRACES="${OTHER}"
LITERAL='$hunter2 $(hunter2)'
MIXED=x-$A
ALL=$(kamal secrets fetch --adapter 1password --account hunter2 A)
OLD=$(binnacle secrets fetch -a=lastpass A)
ONE=$(kamal secrets extract ONE $ALL)
CMD=$(op read hunter2)
SETS=$(PASSWORD=hunter2 run)
PART="x$(cat hunter2)"
EMPTY=
BOTH=hunter2
MULTI="hunter2
hunter2"
export ENV
LAST=1
`,
		}),
	})
	got, err := s.Outline()
	if err != nil {
		t.Fatal(err)
	}
	file := ".kamal/secrets.staging"
	want := []Place{
		{"COMMON", ".kamal/secrets-common", 1, "the file"},
		{"BOTH", file, 13, "the file"},
		{"ENV", file, 2, "$ENV"},
		{"BRACES", file, 3, "$OTHER"},
		{"LITERAL", file, 4, "the file"},
		{"MIXED", file, 5, "the file and variables"},
		{"ALL", file, 6, "secrets fetch from 1password"},
		{"OLD", file, 7, "secrets fetch from lastpass"},
		{"ONE", file, 8, "secrets extract from $ALL"},
		{"CMD", file, 9, "command op"},
		{"SETS", file, 10, "a command"},
		{"PART", file, 11, "the file and a command"},
		{"EMPTY", file, 12, "empty"},
		{"MULTI", file, 14, "the file"},
		{"LAST", file, 17, "the file"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, p := range got {
		if strings.Contains(p.From, "hunter2") {
			t.Errorf("%s shows its value: %s", p.Name, p.From)
		}
	}
}

// Helpers

// read is the value of a name in a secrets file's text.
func read(t *testing.T, text, name string) string {
	t.Helper()
	options := testOptions(map[string]string{".kamal/secrets": text})
	options.Inline = func(context.Context, []string) (string, error) { return "inline", nil }
	entries, err := Open(options).All(t.Context())
	if err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	for _, e := range entries {
		if e.Name == name {
			return e.Value.Reveal()
		}
	}
	t.Fatalf("%q has no %s", text, name)
	return ""
}
