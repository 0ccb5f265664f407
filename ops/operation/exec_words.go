package operation

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"binnacle/ops/command"
)

// variables finds the variables in a command line that a shell would expand,
// and those whose dollar is escaped, so that no shell does. Only names as
// environments have them count: a loop's own variable is nobody's surprise.
func variables(words string) (expanded, escaped []string) {
	single := false
	for i := 0; i < len(words); i++ {
		switch c := words[i]; {
		case c == '\'' && !doubled(words[:i]):
			single = !single
		case single:
		case c == '\\':
			if name := environmentName(words[min(i+1, len(words)):]); name != "" && !slices.Contains(escaped, name) {
				escaped = append(escaped, name)
			}
			i++ // whatever follows stands for itself
		case c == '$':
			name := environmentName(words[i:])
			if name != "" && !slices.Contains(expanded, name) && !assigned(words, name) {
				expanded = append(expanded, name)
			}
		}
	}
	return expanded, escaped
}

// innerShell reports a command line that brings a shell of its own.
func innerShell(words string) bool { return shellCommand.MatchString(words) }

// better is the task that does what a command line does by hand; "" for none.
func better(words string) string {
	switch {
	case byHandDump.MatchString(words):
		return "backup create"
	case byHandRestore.MatchString(words):
		return "restore"
	case byHandMigration.MatchString(words):
		return migrateByTask
	}
	return ""
}

// Helpers

const migrateByTask = "migrate"

var (
	byHandDump      = regexp.MustCompile(`\b(pg_dump|pg_dumpall|mysqldump|mariadb-dump)\b`)
	byHandRestore   = regexp.MustCompile(`\bpg_restore\b|\b(psql|mysql|mariadb)\b[^|]*<`)
	byHandMigration = regexp.MustCompile(`\bdb:(migrate|rollback|prepare)(\s|["']|$)`)
)

var (
	plainVariable  = regexp.MustCompile(`^\$([A-Z_][A-Z0-9_]*)`)
	bracedVariable = regexp.MustCompile(`^\$\{([A-Z_][A-Z0-9_]*)\}`)
	shellCommand   = regexp.MustCompile(`(^|[\s/])(ba|da|a|z)?sh\s+(-\w+\s+)*-\w*c\b`)
)

// environmentName is the variable that text begins with; "" for none, and for
// one with a default, which expects to be unset.
func environmentName(text string) string {
	for _, form := range []*regexp.Regexp{plainVariable, bracedVariable} {
		if m := form.FindStringSubmatch(text); m != nil {
			return m[1]
		}
	}
	return ""
}

// assigned reports a variable that the command line itself sets.
func assigned(words, name string) bool {
	return regexp.MustCompile(`\b(` + name + `=|for\s+` + name + `\b|read\s[^;|&]*\b` + name + `\b)`).MatchString(words)
}

// doubled reports that text ends between double quotes.
func doubled(text string) bool {
	double, single := false, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\\' && !single:
			i++
		case c == '"' && !single:
			double = !double
		case c == '\'' && !double:
			single = !single
		}
	}
	return double
}

// unsetProbe prints the variables that a host's shell does not know.
func unsetProbe(names []string) command.Line {
	tests := make([]string, len(names))
	for i, n := range names {
		tests[i] = fmt.Sprintf(`[ "${%s+set}" ] || echo %s`, n, n)
	}
	return command.Sh(command.New(strings.Join(tests, "; ")))
}

// orBetter ends a warning with the task that needs no such command.
func orBetter(words string) string {
	if task := better(words); task != "" {
		return ". Or leave it to binnacle " + task
	}
	return ""
}

func escapedNote(name string, shell bool) string {
	if shell {
		return fmt.Sprintf(`\$%s is escaped for the container's shell as well: leave the backslash out`, name)
	}
	return fmt.Sprintf(`\$%s reaches the command as it stands, no shell expands it: give --shell, and $%s in single quotes`, name, name)
}
