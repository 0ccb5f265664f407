package operation_test

import (
	"strings"
	"testing"

	"binnacle/config"
	"binnacle/ops"
	"binnacle/ops/opstest"
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

// The lines that people know give a warning that says what to type.
func TestExecWarnsAndNamesTheBetterTask(t *testing.T) {
	for _, c := range []struct {
		words string
		want  []string
	}{
		{`pg_dump \$DATABASE_URL > /tmp/backup.sql`, []string{"give --shell, and $DATABASE_URL in single quotes. Or leave it to binnacle backup create"}},
		{`psql \$DATABASE_URL < /tmp/restore.sql`, []string{"give --shell, and $DATABASE_URL in single quotes. Or leave it to binnacle restore"}},
		{`pg_dump $DATABASE_URL`, []string{"add --shell. Or leave it to binnacle backup create"}},
		{`bundle exec rails db:migrate`, []string{"it runs in 3 places at once: binnacle migrate runs it once"}},
		{`bundle exec rails db:migrate:status`, nil},
		{`psql \$DATABASE_URL -c 'select 1'`, []string{"give --shell, and $DATABASE_URL in single quotes"}},
	} {
		b := newBench(t, demoConfig)
		b.world.On("*", "echo DATABASE_URL", opstest.Reply{Stdout: "DATABASE_URL\n"})
		if task := b.start(b.plan("app exec", "CMD", c.words), nil); task.Status != ops.Done {
			t.Fatalf("%s: %v", c.words, texts(task.Errors))
		}
		var warned []string
		for _, n := range b.store.State().Notices {
			warned = append(warned, n.Text)
		}
		if len(warned) != len(c.want) {
			t.Errorf("%s: it warns %q, want %q", c.words, warned, c.want)
			continue
		}
		for i, want := range c.want {
			if !strings.Contains(warned[i], want) {
				t.Errorf("%s: it warns %q, want %q", c.words, warned[i], want)
			}
		}
	}
}
