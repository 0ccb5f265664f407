package config

import (
	"strings"

	"binnacle/config/secret"
)

// dockerFlags reads "--health-cmd 'x y' --init -p 80:80" as a map: a flag without
// value is true, one that is repeated is a list.
func dockerFlags(text string) (Value, bool) {
	words, err := secret.SplitShell(text)
	if err != nil || len(words) == 0 {
		return Value{}, false
	}
	flags := Value{kind: Map}
	for i := 0; i < len(words); i++ {
		name, value, assigned := strings.Cut(words[i], "=")
		long, isLong := strings.CutPrefix(name, "--")
		if !isLong {
			if long = shortFlag(words[i]); long == "" {
				return Value{}, false
			}
			assigned = false
		}
		if long == "" {
			return Value{}, false
		}
		item := BoolValue(true)
		switch {
		case assigned:
			item = flagValue(value)
		case i+1 < len(words) && !strings.HasPrefix(words[i+1], "-"):
			i++
			item = flagValue(words[i])
		case !isLong:
			return Value{}, false
		}
		addFlag(&flags, long, item)
	}
	return flags, true
}

// Private

func addFlag(flags *Value, name string, item Value) {
	old, repeated := flags.get(name)
	switch {
	case !repeated:
		flags.set(StringValue(name), item)
	case old.kind == List:
		flags.set(StringValue(name), ListValue(append(old.List(), item)...))
	default:
		flags.set(StringValue(name), ListValue(old, item))
	}
}

// Helpers

// shortFlag is the long name of a one-letter flag of `docker run` that takes a value.
func shortFlag(flag string) string {
	return map[string]string{
		"-p": "publish", "-v": "volume", "-e": "env", "-m": "memory", "-l": "label", "-u": "user", "-w": "workdir", "-h": "hostname", "-c": "cpu-shares",
	}[flag]
}

// flagValue keeps whole numbers bare, as people write them.
func flagValue(text string) Value {
	if v := plainScalar(text); v.kind == Int && v.text == text {
		return v
	}
	return StringValue(text)
}
