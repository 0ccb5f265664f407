package cli

import (
	"strings"

	"github.com/spf13/cobra"

	"binnacle/ops"
)

// bindParams gives a command an operation's arguments and flags, and returns
// how to read them once they are parsed.
func bindParams(cmd *cobra.Command, name string, params []ops.Param) func(args []string) ops.Params {
	var readers []func(ops.Params)
	var positional []ops.Param
	splat := false
	cmd.Use = name
	for _, param := range params {
		switch {
		case param.Kind == ops.Words:
			positional, splat = append(positional, param), true
			cmd.Use += " " + param.Name + "…"
		case param.Positional:
			positional = append(positional, param)
			cmd.Use += " [" + param.Name + "]"
		default:
			readers = append(readers, bindFlag(cmd, param))
		}
	}
	cmd.Args = atMost(len(positional))
	if splat {
		cmd.Args = cobra.ArbitraryArgs
	}
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
		on := flags.BoolP(param.Name, param.Letter, false, param.Usage)
		return func(out ops.Params) {
			if *on {
				out[param.Name] = "true"
			}
		}
	case ops.List:
		values := flags.StringArrayP(param.Name, param.Letter, nil, param.Usage)
		return func(out ops.Params) { out.SetList(param.Name, *values) }
	}
	value := flags.StringP(param.Name, param.Letter, param.Default, param.Usage)
	return func(out ops.Params) { out[param.Name] = *value }
}
