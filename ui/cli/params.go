package cli

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"binnacle/ops"
)

// bindParams gives a command an operation's arguments and flags, and returns
// how to read them once they are parsed.
func bindParams(cmd *cobra.Command, op ops.Operation, kamal reference) func(args []string) ops.Params {
	var readers []func(ops.Params)
	var positional []ops.Param
	splat := false
	words := op.Words()
	cmd.Use = words[len(words)-1]
	for _, param := range op.Params {
		switch {
		case param.Kind == ops.Words:
			positional, splat = append(positional, param), true
			cmd.Use += " " + param.Name + "…"
			cmd.Annotations = map[string]string{commandAnnotation: "true"}
		case param.Positional:
			positional = append(positional, param)
			cmd.Use += " [" + param.Name + "]"
		default:
			readers = append(readers, bindFlag(cmd, param))
			if kind := kindName(param, kamal.flag(op.Name, param.Name)); kind != "" {
				_ = cmd.Flags().SetAnnotation(param.Name, kindAnnotation, []string{kind}) // it was defined just now
			}
		}
	}
	cmd.Args = between(positional, splat)
	return func(args []string) ops.Params {
		out := ops.Params{}
		for _, read := range readers {
			read(out)
		}
		for i, param := range positional {
			switch {
			case i >= len(args):
			case param.Kind == ops.Words:
				out[param.Name] = strings.Join(args[i:], " ")
			default:
				out[param.Name] = args[i]
			}
		}
		return out
	}
}

// Helpers

func bindFlag(cmd *cobra.Command, param ops.Param) func(ops.Params) {
	flags := cmd.Flags()
	defer func() {
		if param.Required {
			_ = cmd.MarkFlagRequired(param.Name) // it was defined just now
		}
	}()
	switch param.Kind {
	case ops.Toggle:
		usual := param.Default == "true"
		on := flags.BoolP(param.Name, param.Letter, usual, param.Usage)
		return func(out ops.Params) {
			if *on || usual {
				out[param.Name] = strconv.FormatBool(*on)
			}
		}
	case ops.List:
		values := flags.StringArrayP(param.Name, param.Letter, nil, param.Usage)
		return func(out ops.Params) { out.SetList(param.Name, *values) }
	}
	value := flags.StringP(param.Name, param.Letter, param.Default, param.Usage)
	return func(out ops.Params) { out[param.Name] = *value }
}

// between wants the positional arguments that are required, and no more than
// there are.
func between(positional []ops.Param, splat bool) cobra.PositionalArgs {
	most := atMost(len(positional))
	return func(cmd *cobra.Command, args []string) error {
		for i, param := range positional {
			if param.Required && i >= len(args) {
				return fmt.Errorf("%s needs %s; see %s --help", cmd.CommandPath(), param.Name, cmd.CommandPath())
			}
		}
		if splat {
			return nil
		}
		return most(cmd, args)
	}
}

// kindName is what a flag takes where that is more, or other, than one word: as
// Kamal has it for the options that it knows.
func kindName(param ops.Param, kamal kamalFlag) string {
	switch {
	case param.Kind == ops.Number:
		return "numeric"
	case param.Kind == ops.List && (kamal.Type == "hash" || kamal.Type == "array"):
		return kamal.Type
	}
	return ""
}
