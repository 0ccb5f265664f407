package config

import (
	"context"
	"errors"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// shell runs commands of the test templates, which only echo.
func shell(ctx context.Context, command string) (string, error) {
	out, err := exec.CommandContext(ctx, "sh", "-c", command).Output()
	return string(out), err
}

func templateOptions(t testing.TB) Options {
	vars := map[string]string{"X": "xval", "EMPTY": "", "HOSTS": "a.com, b.com,c.com", "PORT": "3000"}
	return Options{Dir: t.TempDir(), Destination: "staging", Run: shell, Env: func(name string) (string, bool) {
		value, ok := vars[name]
		return value, ok
	}}
}

// TestTemplatesEvaluateAsRubyEvaluatesThem compares with what Ruby's ERB printed.
func TestTemplatesEvaluateAsRubyEvaluatesThem(t *testing.T) {
	var rows [][2]string
	readJSON(t, &rows, "testdata", "ruby", "erb.json")
	options := templateOptions(t)
	env := newEnvironment(options)
	for _, row := range rows {
		t.Run(row[0], func(t *testing.T) {
			got, lines, err := render(t.Context(), "deploy.yml", row[0], options, env)
			if err != nil {
				t.Fatal(err)
			}
			if got != row[1] {
				t.Errorf("renders %q, want %q", got, row[1])
			}
			if want := strings.Count(strings.TrimSuffix(got, "\n"), "\n") + 1; got != "" && len(lines) != want {
				t.Errorf("%d line numbers for %d lines", len(lines), want)
			}
		})
	}
}

func TestTemplateBeyondTheSubset(t *testing.T) {
	for name, template := range map[string]string{
		"a method":   "a: 1\nb: <%= 'x'.unpack1('H*') %>\n",
		"a name":     "a: 1\nb: <%= nosuchthing %>\n",
		"a constant": "a: 1\nb: <%= Socket.gethostname %>\n",
		"a regexp":   "a: 1\nb: <%= 'x'.sub(/(?=x)/, 'y') %>\n",
		"a require":  "a: 1\n<% require 'aws-sdk' %>\n",
		"broken":     "a: 1\nb: <%= if %>\n",
		"no end":     "a: 1\n<% if true %>\n",
	} {
		t.Run(name, func(t *testing.T) {
			options := templateOptions(t)
			_, _, err := render(t.Context(), "deploy.yml", template, options, newEnvironment(options))
			var problem *Error
			if !errors.As(err, &problem) || problem.Line < 2 || problem.Column == 0 || problem.Hint == "" {
				t.Fatalf("error %v, want one that names line 2 and a way out", err)
			}
			options.Ruby = func(_ context.Context, got Template) (string, error) {
				if got.Text != template || got.Env["KAMAL_DESTINATION"] != "staging" {
					t.Errorf("ruby got %+v", got)
				}
				return "a: 1\nb: from ruby\n", nil
			}
			text, lines, err := render(t.Context(), "deploy.yml", template, options, newEnvironment(options))
			if err != nil || text != "a: 1\nb: from ruby\n" || len(lines) < 2 {
				t.Errorf("with ruby: %q, %v, %v", text, lines, err)
			}
		})
	}
}

func TestTemplateFailuresNameTheirLine(t *testing.T) {
	for template, want := range map[string]string{
		"a: 1\nb: <%= ENV.fetch('NOPE') %>\n":                      "key not found: \"NOPE\"",
		"a: 1\n<% raise 'set NOPE first' unless ENV['NOPE'] %>\n":  "set NOPE first",
		"a: 1\nb: <%= ENV['NOPE'].strip %>\n":                      "undefined method `strip' for nil",
		"a: 1\n<% %w[a b].each do |x| %><%= 1 / 0 %><% end %>\n":   "divided by 0",
		"a: 1\n<% require 'dotenv'; Dotenv.load!('absent.env') %>": "absent.env",
	} {
		options := templateOptions(t)
		options.Ruby = func(context.Context, Template) (string, error) {
			t.Errorf("%q went to ruby", template)
			return "", nil
		}
		_, _, err := render(t.Context(), "deploy.yml", template, options, newEnvironment(options))
		var problem *Error
		if !errors.As(err, &problem) || problem.Line != 2 || !strings.Contains(problem.Problem, want) {
			t.Errorf("%q: error %v, want %q at line 2", template, err, want)
		}
	}
}

func TestDotenvFillsENV(t *testing.T) {
	options := templateOptions(t)
	writeFile(t, filepath.Join(options.Dir, ".env"), "X=from-file\nNEW=new-$X\n")
	writeFile(t, filepath.Join(options.Dir, "over.env"), "X=over\n")
	var told []string
	options.Setenv = func(name, value string) { told = append(told, name+"="+value) }
	env := newEnvironment(options)
	template := "<% require \"dotenv\"; Dotenv.load %><%= ENV[\"X\"] %> <%= ENV[\"NEW\"] %><% Dotenv.overload 'over.env', 'absent' %> <%= ENV['X'] %>"
	text, _, err := render(t.Context(), "deploy.yml", template, options, env)
	if err != nil || text != "xval new-xval over" {
		t.Errorf("rendered %q, %v", text, err)
	}
	if want := []string{"NEW=new-xval", "X=over"}; !slices.Equal(told, want) {
		t.Errorf("told %q, want %q", told, want)
	}
}

func TestDockerArch(t *testing.T) {
	for machine, want := range map[string]string{"aarch64\n": "arm64", "x86_64\n": "amd64", "riscv64\n": "riscv64"} {
		options := templateOptions(t)
		options.Run = func(_ context.Context, command string) (string, error) {
			if command != "docker info --format '{{.Architecture}}'" {
				t.Errorf("ran %q", command)
			}
			return machine, nil
		}
		text, _, err := render(t.Context(), "deploy.yml", "<%= Kamal::Utils.docker_arch %>", options, newEnvironment(options))
		if err != nil || text != want {
			t.Errorf("%q gives %q, %v", machine, text, err)
		}
	}
}

func TestProblemsNameLinesOfTheTemplate(t *testing.T) {
	text := "service: app\n<% if true -%>\n# a\n<% end -%>\nimage: <%= \"a\\n\\n\\n\" %>\nbad: 1\n"
	_, _, err := Load(t.Context(), testProject(t, text, Options{Strict: true}))
	problems := problemsOf(t, err)
	if problems[0].Problem != "unknown key: bad" || problems[0].Line != 6 {
		t.Errorf("error %v, want the unknown key at line 6", err)
	}
}

func TestTemplateLoopsEnd(t *testing.T) {
	list := "[" + strings.Repeat("1,", 1000) + "1]"
	template := "<% " + list + ".each do |a| %><% " + list + ".each do |b| %>x<% end %><% end %>"
	options := templateOptions(t)
	if _, _, err := render(t.Context(), "deploy.yml", template, options, newEnvironment(options)); err == nil {
		t.Error("a million steps went through")
	}
}
