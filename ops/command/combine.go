package command

import (
	"strings"

	"binnacle/config/secret"
)

// And runs each command if the one before succeeded. Empty Lines vanish here
// and in the other combinations, and hidden arguments stay hidden.
func And(lines ...Line) Line { return combine("&&", lines) }

// Chain runs commands one after the other, whatever becomes of them.
func Chain(lines ...Line) Line { return combine(";", lines) }

// Pipe feeds the output of each command to the next.
func Pipe(lines ...Line) Line { return combine("|", lines) }

// Or runs each command if the one before failed.
func Or(lines ...Line) Line { return combine("||", lines) }

// Any tries commands until one succeeds; it is Or under the name that reads
// well for alternatives.
func Any(lines ...Line) Line { return Or(lines...) }

// Append adds a command's output to the end of a file.
func Append(line Line, path string) Line { return line.With(">>", path) }

// Write replaces a file with a command's output.
func Write(line Line, path string) Line { return line.With(">", path) }

// Xargs runs a command with the words of standard input as further arguments.
func Xargs(line Line) Line {
	return Line{args: append([]Arg{Raw("xargs")}, line.args...), stdin: line.stdin}
}

// Substitute is `$(…)`: the output of a command as one word.
func Substitute(line Line) Arg {
	parts := []part{{text: "$("}}
	parts = append(parts, line.word().parts...)
	return Arg{parts: append(parts, part{text: ")"})}
}

// Sh runs a command by a shell of its own, `sh -c '…'`, so that it counts as
// one command in a pipe.
func Sh(line Line) Line {
	parts := []part{{text: "'"}}
	for _, p := range line.word().parts {
		if p.secret {
			p.hidden = secret.New(inSingleQuotes(p.hidden.Reveal()))
		}
		p.text = inSingleQuotes(p.text)
		parts = append(parts, p)
	}
	sh := New("sh", "-c").WithArgs(Arg{parts: append(parts, part{text: "'"})})
	return sh.WithStdin(line.stdin)
}

// Join writes words without a space between them.
func Join(args ...Arg) Arg {
	var joined Arg
	for _, a := range args {
		joined.parts = append(joined.parts, a.parts...)
	}
	return joined
}

// Private

// word is the whole Line as one argument.
func (l Line) word() Arg {
	var joined Arg
	for _, a := range l.args {
		if a.render(true) == "" {
			continue
		}
		if len(joined.parts) > 0 {
			joined.parts = append(joined.parts, part{text: " "})
		}
		joined.parts = append(joined.parts, a.parts...)
	}
	return joined
}

// Helpers

func combine(by string, lines []Line) Line {
	var combined Line
	for _, l := range lines {
		if l.Empty() {
			continue
		}
		if !combined.Empty() {
			combined.args = append(combined.args, Raw(by))
		}
		combined.args = append(combined.args, l.args...)
		if combined.stdin.Empty() {
			combined.stdin = l.stdin
		}
	}
	return combined
}

// inSingleQuotes prepares text for a place between single quotes.
func inSingleQuotes(text string) string {
	return strings.ReplaceAll(text, "'", `'\''`)
}
