package command_test

import (
	"strings"
	"testing"

	"binnacle/config/secret"
	"binnacle/ops/command"
)

const planted = "s3cr3t'value"

func TestCombinationsKeepSecretsHidden(t *testing.T) {
	hidden := command.New("pack").WithArgs(command.Hidden("K=", secret.New(planted)))
	plain := command.New("true")
	for name, c := range map[string]struct {
		line command.Line
		want string
	}{
		"and":        {command.And(hidden, command.Line{}, plain), "pack K=[REDACTED] && true"},
		"or":         {command.Or(plain, hidden), "true || pack K=[REDACTED]"},
		"any":        {command.Any(plain, hidden), "true || pack K=[REDACTED]"},
		"chain":      {command.Chain(hidden, plain), "pack K=[REDACTED] ; true"},
		"pipe":       {command.Pipe(hidden, plain), "pack K=[REDACTED] | true"},
		"append":     {command.Append(hidden, "log"), "pack K=[REDACTED] >> log"},
		"write":      {command.Write(hidden, "log"), "pack K=[REDACTED] > log"},
		"xargs":      {command.Xargs(hidden), "xargs pack K=[REDACTED]"},
		"sh":         {command.Sh(hidden), "sh -c 'pack K=[REDACTED]'"},
		"substitute": {command.New("echo").WithArgs(command.Substitute(hidden)), "echo $(pack K=[REDACTED])"},
		"join": {command.New("echo").WithArgs(command.Join(command.Raw("a:"), command.Hidden("b=", secret.New(planted)))),
			"echo a:b=[REDACTED]"},
	} {
		t.Run(name, func(t *testing.T) {
			if c.line.String() != c.want {
				t.Errorf("shown %s, want %s", c.line, c.want)
			}
			if !strings.Contains(strings.ReplaceAll(c.line.Shell(), `'\''`, "'"), planted) {
				t.Error("the shell does not get the secret")
			}
			if len(c.line.Secrets()) != 1 {
				t.Errorf("%d secrets, want 1", len(c.line.Secrets()))
			}
		})
	}
}

func TestCombinationsKeepStdin(t *testing.T) {
	line := command.New("cat").WithStdin(secret.New("hello"))
	for name, combined := range map[string]command.Line{
		"and": command.And(line, command.New("true")), "sh": command.Sh(line), "pipe": command.Pipe(line, command.New("cat")),
	} {
		if got := run(t, t.TempDir(), combined); got != "hello" {
			t.Errorf("%s: read %q", name, got)
		}
	}
}

func TestLinesAreValues(t *testing.T) {
	base := command.New("docker", "ps")
	first, second := base.With("-a"), base.With("-q")
	if base.String() != "docker ps" || first.String() != "docker ps -a" || second.String() != "docker ps -q" {
		t.Errorf("With changed a Line: %s, %s, %s", base, first, second)
	}
	if !command.And().Empty() || !command.And(command.Line{}, command.Line{}).Empty() {
		t.Error("combining nothing makes something")
	}
}
