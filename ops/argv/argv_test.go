package argv

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

func options() []Option {
	return []Option{
		{Name: "destination", Letter: "d"}, {Name: "roles", Letter: "r"}, {Name: "primary", Letter: "p", Kind: Switch},
		{Name: "verbose", Letter: "v", Kind: Switch}, {Name: "skip-hooks", Letter: "H", Kind: Switch},
		{Name: "hosts", Letter: "h"}, {Name: "publish", Kind: Switch}, {Name: "lines", Letter: "n", Kind: Number},
		{Name: "env", Letter: "e", Kind: Pairs}, {Name: "docker-options", Kind: Many},
		{Name: "json", Kind: Switch, Early: true}, {Name: "confirmed", Letter: "y", Kind: Switch, Early: true},
	}
}

func TestRead(t *testing.T) {
	tests := []struct {
		name    string
		command bool
		args    string
		want    string // given, then | words
	}{
		{"options before and after words", false, "-d staging boot --roles=web", "destination=staging roles=web | boot"},
		{"dash or underscore", false, "--skip_hooks --docker_options a", "skip-hooks=true docker-options=a |"},
		{"attached values", false, "-d=staging -n100 --lines=-5", "destination=staging lines=100 lines=-5 |"},
		{"letters in a bunch", false, "-vd staging -pv", "verbose=true destination=staging primary=true verbose=true |"},
		{"a letter with its value", false, "-dstaging", "destination=staging |"},
		{"negated", false, "--no-publish --skip-publish --publish=false --no-publish=false", "publish=false publish=false publish=false publish=true |"},
		{"an option whose name begins like a negation", false, "--skip-hooks --no-skip-hooks", "skip-hooks=true skip-hooks=false |"},
		{"a negated value is none", false, "--no-roles boot", "| boot"},
		{"truth in a word of its own", false, "--publish false boot -p T", "publish=false primary=true | boot"},
		{"a hash takes what has a colon", true, "-e A:1 B:2 ls C:3", "env=A:1 env=B:2 | ls C:3"},
		{"a hash goes on behind an attached value", true, "--env=A:1 B:x=y env", "env=A:1 env=B:x=y | env"},
		{"a list takes all words", false, "set --docker-options a=b c=d -v e", "docker-options=a=b docker-options=c=d verbose=true | set e"},
		{"a command keeps what nobody knows", true, "ls -la -p /tmp --color", "primary=true | ls -la /tmp --color"},
		{"a command keeps a bunch that is not all known", true, "ls -lp -z=1 --x=y", "| ls -lp -z=1 --x=y"},
		{"a command keeps true and false", true, "-p true", "primary=true | true"},
		{"early options belong to the command behind its first word", true, "--json -y apt-get install -y --json x", "json=true confirmed=true | apt-get install -y --json x"},
		{"behind two dashes all are words", true, "-p -- ls -p -- -v", "primary=true | ls -p -- -v"},
		{"what is no option is a word", false, "- -1 --a+b", "| - -1 --a+b"},
		{"a value may look odd", false, "--roles - --destination=--x", "roles=- destination=--x |"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			line, err := Reader{Options: options(), Command: test.command}.Read(strings.Fields(test.args))
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, g := range line.Given {
				got = append(got, g.Name+"="+g.Value)
			}
			if text := strings.Join(append(append(got, "|"), line.Words...), " "); text != test.want {
				t.Errorf("%s\n got %s\nwant %s", test.args, text, test.want)
			}
		})
	}
}

func TestReadRefuses(t *testing.T) {
	tests := []struct{ args, want string }{
		{"--nope", "unknown flag: --nope"},
		{"-x", "unknown flag: -x"},
		{"-vx", "unknown flag: -x in -vx"},
		{"--roles", "No value provided for option '--roles'"},
		{"-r -p", "No value provided for option '-r'"},
		{"-r --", "No value provided for option '-r'"},
		{"--lines x", `Expected numeric value for '--lines'; got "x"`},
		{"--primary=maybe", "--primary=maybe: give true or false"},
		{"-e A=1", "-e A=1: write it as NAME:value"},
	}
	for _, test := range tests {
		_, err := Reader{Options: options()}.Read(strings.Fields(test.args))
		if err == nil || err.Error() != test.want {
			t.Errorf("%s: got %v, want %s", test.args, err, test.want)
		}
	}
	_, err := Reader{Options: options()}.Read([]string{"deploy", "-h"})
	var missing *ValueError
	if !errors.As(err, &missing) || missing.Option.Name != "hosts" {
		t.Errorf("the error does not tell its option: %v", err)
	}
}

func TestReadUntilWord(t *testing.T) {
	line, err := Reader{Options: options(), UntilWord: true}.Read([]string{"-d", "staging", "--skip_hooks", "deploy", "-p", "x"})
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(line.Given); got != "[--destination=staging --skip-hooks=true]" || !slices.Equal(line.Rest, []string{"deploy", "-p", "x"}) {
		t.Errorf("got %s, rest %q", got, line.Rest)
	}
	if d, ok := line.Last("destination"); !ok || d != "staging" {
		t.Errorf("Last: %q %v", d, ok)
	}
	line, _ = Reader{Options: options(), UntilWord: true}.Read([]string{"-p", "--", "deploy"})
	if !slices.Equal(line.Rest, []string{"--", "deploy"}) {
		t.Errorf("two dashes end it: %q", line.Rest)
	}
}
