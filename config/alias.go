package config

import "context"

// Aliases are the shortcuts for commands as they stand in the files, which are
// read without being checked: they are looked up before it is known which
// command is meant.
func Aliases(ctx context.Context, options Options) (Pairs, error) {
	options, err := options.complete()
	if err != nil {
		return nil, err
	}
	d, err := read(ctx, options)
	if err != nil {
		return nil, asErrors(err)
	}
	return d.root.sub("aliases").Pairs(), nil
}
