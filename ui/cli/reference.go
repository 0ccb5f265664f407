package cli

import (
	_ "embed"
	"encoding/json"
	"strings"

	"github.com/spf13/cobra"
)

// kamalAnnotation marks a command that Kamal has too.
const kamalAnnotation = "binnacle/kamal"

// kamalText is the command tree of Kamal 2.12 as the gem's own classes tell it.
//
//go:embed testdata/kamal-2.12-commands.json
var kamalText []byte

// reference is every command and flag of Kamal.
type reference struct {
	Version  string         `json:"version"`
	Flags    []kamalFlag    `json:"flags"` // of all commands
	Commands []kamalCommand `json:"commands"`
}

type kamalCommand struct {
	Name   string      `json:"name"`
	Args   string      `json:"args"`
	Hidden bool        `json:"hidden"`
	Flags  []kamalFlag `json:"flags"`
}

type kamalFlag struct {
	Name       string `json:"name"`
	Letter     string `json:"letter"`
	Type       string `json:"type"` // boolean, string, numeric, hash, array
	Default    string `json:"default"`
	Required   bool   `json:"required"`
	Repeatable bool   `json:"repeatable"`
	Hidden     bool   `json:"hidden"`
}

func kamalCommands() reference {
	var r reference
	_ = json.Unmarshal(kamalText, &r) // it is part of the program, and a test reads it
	return r
}

// flag finds a flag of one of Kamal's commands; the zero value when there is none.
func (r reference) flag(command, name string) kamalFlag {
	for _, c := range r.Commands {
		if c.Name != command {
			continue
		}
		for _, f := range c.Flags {
			if f.Name == name {
				return f
			}
		}
	}
	return kamalFlag{}
}

// mark marks the commands of a tree that Kamal has too, with their groups.
func (r reference) mark(root *cobra.Command) {
	for _, c := range r.Commands {
		at := root
		for _, word := range strings.Fields(c.Name) {
			if at = child(at, word); at == nil {
				break
			}
			if at.Annotations == nil {
				at.Annotations = map[string]string{}
			}
			at.Annotations[kamalAnnotation] = "true"
		}
	}
}

// Helpers

func isKamals(c *cobra.Command) bool { return c.Annotations[kamalAnnotation] != "" }

func child(parent *cobra.Command, name string) *cobra.Command {
	for _, c := range parent.Commands() {
		if underscored(c.Name()) == underscored(name) {
			return c
		}
	}
	return nil
}
