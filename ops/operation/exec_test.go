package operation_test

import (
	"strings"
	"testing"

	"binnacle/config"
	"binnacle/ops"
)

// A command goes to the person's streams or runs as steps, as what they have
// there and how many places there are decides.
func TestWhereACommandRuns(t *testing.T) {
	for _, c := range []struct {
		name     string
		primary  bool
		stdin    ops.Stdin
		params   []string
		attached string // the command's beginning; "" for steps
		tty      bool
		note     string
	}{
		{"everywhere", false, ops.StdinTerminal, nil, "", false, ""},
		{"interactive", false, ops.StdinTerminal, []string{"interactive", "true"}, "docker run -it --rm", true, ""},
		{"interactive without a terminal", false, ops.NoStdin, []string{"interactive", "true"}, "docker run -i --rm", false, ""},
		{"one place and a file", true, ops.StdinFile, nil, "docker run -i --rm", false, ""},
		{"one place and a pipe", true, ops.StdinData, nil, "", false, "the input is a pipe and is left alone"},
		{"a pipe for a shell", true, ops.StdinData, []string{"shell", "true"}, "docker run -i --rm", false, ""},
		{"a script fed by a pipe", false, ops.StdinData, nil, "", false, ""},
		{"a file for many places", false, ops.StdinFile, nil, "", false, "the input is not read"},
		{"a file for a shell", false, ops.StdinFile, []string{"shell", "true"}, "docker run -i --rm", false, "the input goes to vm1 web alone"},
		{"a dump", true, ops.NoStdin, []string{"shell", "true"}, "docker run --rm", false, ""},
		{"detached", true, ops.StdinData, []string{"detach", "true"}, "", false, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t, demoConfig)
			b.in.Selection = input(t, b.cfg, config.Filter{Primary: c.primary}).Selection
			b.in.Stdin, b.in.Streams = c.stdin, true
			plan := b.plan("app exec", append([]string{"CMD", "psql $DATABASE_URL"}, c.params...)...)
			line := ""
			if plan.Attach != nil {
				line = plan.Attach.Line.String()
				if plan.Attach.TTY != c.tty || plan.Attach.Host != "vm1" {
					t.Errorf("attached %+v", plan.Attach)
				}
			}
			if c.attached == "" && line != "" || !strings.HasPrefix(line, c.attached) {
				t.Errorf("attached to %q, want %q", line, c.attached)
			}
			notes := ""
			for _, e := range plan.Effects {
				if e.Label == "note" {
					notes += e.Text
				}
			}
			if (c.note == "") != (notes == "") || !strings.Contains(notes, c.note) {
				t.Errorf("notes %q, want %q", notes, c.note)
			}
		})
	}
}

func TestExecRefuses(t *testing.T) {
	b := newBench(t, demoConfig)
	for want, params := range map[string][]string{
		"Detach is not compatible with interactive or reuse": {"CMD", "x", "detach", "true", "interactive", "true", "reuse", "true"},
		"Raw is not compatible with detach":                  {"CMD", "x", "raw", "true", "detach", "true"},
		"no command provided":                                {"CMD", " "},
		"that is no NAME:value":                              {"CMD", "x", "env", "A=1"},
	} {
		if _, err := b.tryPlan("app exec", params...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v, want %q", params, err, want)
		}
	}
}
