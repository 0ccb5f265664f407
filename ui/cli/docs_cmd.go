package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"binnacle/config"
)

func (p Program) docsCommand() *cobra.Command {
	return &cobra.Command{
		Use: "docs [SECTION]", Short: "Explain a section of deploy.yml, or with `commands` every command",
		Long: "Explains a section of deploy.yml with an example of every key; without a section, its top level.\n\n" +
			"Sections: " + strings.Join(config.DocSections(), ", ") + "\n\n" +
			"`docs commands` prints the table of all commands and flags, beside Kamal's.",
		Args: atMost(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			section := "configuration"
			if len(args) > 0 {
				section = strings.ToLower(args[0])
			}
			return p.docs(cmd.Root(), section)
		},
	}
}

// Private

func (p Program) docs(root *cobra.Command, section string) error {
	if section == "commands" {
		_, err := fmt.Fprint(p.Stdout, commandTable(root, kamalCommands()))
		return err
	}
	text, ok := config.Doc(sectionOf(section))
	if !ok {
		return fmt.Errorf("no documentation found for %s; there is: %s, commands", section, strings.Join(config.DocSections(), ", "))
	}
	_, err := fmt.Fprint(p.Stdout, text)
	return err
}

// Helpers

// sectionOf knows a section by its key in deploy.yml as well.
func sectionOf(name string) string {
	switch name {
	case "accessories":
		return "accessory"
	case "aliases":
		return "alias"
	case "roles":
		return "role"
	}
	return name
}
