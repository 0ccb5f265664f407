package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// commandTable is the reference of all commands as Markdown: Kamal's with what
// differs here, then those that only Binnacle has.
func commandTable(root *cobra.Command, kamal reference) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Commands\n\nEvery command and flag of Kamal %s, and what is different here; \"same\" means the same effect on hosts and "+
		"files, and the same exit code.\nThis page is made by `binnacle docs commands`.\n", kamal.Version)
	b.WriteString(reading)
	b.WriteString("\n## Flags of every command\n\n| Flag | In Binnacle |\n|---|---|\n")
	for _, f := range kamal.Flags {
		row(&b, spelling(f.Letter, f.Name), sameUnless(lackOf(root.PersistentFlags().Lookup(f.Name), f), differences()["--"+f.Name]))
	}
	for _, group := range kamal.groups() {
		fmt.Fprintf(&b, "\n## %s\n\n| Command | Flags | In Binnacle |\n|---|---|---|\n", heading(group))
		for _, c := range kamal.Commands {
			if groupOf(c.Name) == group {
				row(&b, strings.TrimSpace(c.Name+" "+c.Args), flagNames(c.Flags), c.standing(root))
			}
		}
	}
	b.WriteString("\n## Only in Binnacle\n\n| Command or flag | What it does |\n|---|---|\n")
	for _, line := range own(root, kamal) {
		row(&b, line[0], line[1])
	}
	return b.String()
}

// missing lists what Kamal has and the tree has not.
func (r reference) missing(root *cobra.Command) []string {
	var out []string
	for _, f := range r.Flags {
		if lack := lackOf(root.PersistentFlags().Lookup(f.Name), f); lack != "" {
			out = append(out, lack)
		}
	}
	for _, c := range r.Commands {
		cmd := c.find(root)
		if cmd == nil {
			out = append(out, c.Name)
			continue
		}
		for _, lack := range c.lacks(cmd) {
			out = append(out, c.Name+" "+lack)
		}
	}
	return out
}

// Private

// groups are the first words that hold commands; "" for the top.
func (r reference) groups() []string {
	out := []string{""}
	for _, c := range r.Commands {
		if g := groupOf(c.Name); !slices.Contains(out, g) {
			out = append(out, g)
		}
	}
	return out
}

func (c kamalCommand) find(root *cobra.Command) *cobra.Command {
	at := root
	for _, word := range strings.Fields(c.Name) {
		if at = child(at, word); at == nil {
			return nil
		}
	}
	return at
}

// lacks are the flags of Kamal's command that ours has not, or has otherwise.
func (c kamalCommand) lacks(cmd *cobra.Command) []string {
	var out []string
	for _, f := range c.Flags {
		have := cmd.Flag(f.Name) // its own, or one that every command takes
		if lack := lackOf(have, f); lack != "" {
			out = append(out, lack)
		}
	}
	return out
}

// standing is what the table says of one command.
func (c kamalCommand) standing(root *cobra.Command) string {
	cmd := c.find(root)
	if cmd == nil {
		return "missing"
	}
	notes := []string{differences()[c.Name]}
	for _, f := range c.Flags {
		if note := differences()[c.Name+" --"+f.Name]; note != "" {
			notes = append(notes, "`--"+f.Name+"`: "+note)
		}
	}
	lacks := ""
	if missing := c.lacks(cmd); len(missing) > 0 {
		lacks = "lacks " + strings.Join(missing, ", ")
	}
	return sameUnless(append(notes, lacks)...)
}

// own are the commands and flags that Kamal does not have.
func own(root *cobra.Command, kamal reference) [][2]string {
	var out [][2]string
	root.PersistentFlags().VisitAll(func(f *pflag.Flag) {
		if _, ours := f.Annotations[ownAnnotation]; ours {
			out = append(out, [2]string{spelling(f.Shorthand, f.Name), f.Usage})
		}
	})
	var visit func(cmd *cobra.Command, name string)
	visit = func(cmd *cobra.Command, name string) {
		switch {
		case name != "" && !isKamals(cmd) && cmd.Runnable() && cmd.Annotations[groupAnnotation] == "":
			out = append(out, [2]string{strings.TrimSpace(name + argsOf(cmd)), cmd.Short})
		case isKamals(cmd):
			cmd.LocalNonPersistentFlags().VisitAll(func(f *pflag.Flag) {
				if kamal.flag(name, f.Name).Name == "" && f.Name != "help" {
					out = append(out, [2]string{name + " " + spelling(f.Shorthand, f.Name), f.Usage})
				}
			})
		}
		for _, sub := range cmd.Commands() {
			if sub.Name() != "completion" && (sub.Name() != "help" || !isKamals(sub)) {
				visit(sub, strings.TrimSpace(name+" "+sub.Name()))
			}
		}
	}
	visit(root, "")
	return out
}

// Helpers

func lackOf(have *pflag.Flag, want kamalFlag) string {
	switch {
	case have == nil:
		return "--" + want.Name
	case want.Letter != have.Shorthand:
		return fmt.Sprintf("-%s for --%s", want.Letter, want.Name)
	}
	return ""
}

func sameUnless(notes ...string) string {
	notes = slices.DeleteFunc(notes, func(n string) bool { return n == "" })
	if len(notes) == 0 {
		return "same"
	}
	return "differs: " + strings.Join(notes, "; ")
}

func groupOf(name string) string {
	group, _, ok := strings.Cut(name, " ")
	if !ok {
		return ""
	}
	return group
}

func heading(group string) string {
	if group == "" {
		return "Top level"
	}
	return "`" + group + "`"
}

func flagNames(flags []kamalFlag) string {
	var out []string
	for _, f := range flags {
		if !f.Hidden {
			out = append(out, spelling(f.Letter, f.Name))
		}
	}
	return strings.Join(out, ", ")
}

func spelling(letter, name string) string {
	if letter == "" {
		return "--" + name
	}
	return "-" + letter + "/--" + name
}

func argsOf(cmd *cobra.Command) string { return strings.TrimPrefix(cmd.Use, cmd.Name()) }

func row(b *strings.Builder, cells ...string) {
	for i, cell := range cells {
		cell = strings.ReplaceAll(cell, "|", "\\|")
		if i == 0 || i == 1 && len(cells) == 3 && cell != "" {
			cell = "`" + strings.ReplaceAll(cell, ", ", "` `") + "`"
		}
		b.WriteString("| " + cell + " ")
	}
	b.WriteString("|\n")
}
