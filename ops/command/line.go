// Package command holds Kamal's commands as pure builders: configuration in,
// Line out. It performs nothing. It may import config and config/secret only.
package command

import (
	"strings"
	"time"

	"binnacle/config/secret"
)

// Arg is one word of a Line as it goes to the remote shell: already quoted
// where the shell needs it, or with a secret in it that only Shell reveals.
type Arg struct {
	parts []part
}

// Raw is a word that the remote shell sees exactly as given.
func Raw(text string) Arg { return Arg{parts: []part{{text: text}}} }

// Hidden is a word whose prefix may be shown and whose value may not, such as
// `--build-arg KEY=` followed by a secret. The revealed value is emitted as is:
// quote it first.
func Hidden(prefix string, value secret.Value) Arg {
	return Arg{parts: []part{{text: prefix}, {hidden: value, secret: true}}}
}

// String is the word with its secrets redacted.
func (a Arg) String() string { return a.render(false) }

// Line is one command for a remote or local shell. The zero Line is empty and
// runs nothing.
type Line struct {
	args  []Arg
	stdin secret.Value
	grace time.Duration
}

// New makes a Line of words that need no quoting or are quoted already.
// Empty words vanish, as they do when Kamal joins a command.
func New(words ...string) Line {
	var l Line
	return l.With(words...)
}

// With returns the Line followed by more words.
func (l Line) With(words ...string) Line {
	args := append([]Arg(nil), l.args...)
	for _, w := range words {
		if w != "" {
			args = append(args, Raw(w))
		}
	}
	l.args = args
	return l
}

// WithArgs returns the Line followed by more arguments.
func (l Line) WithArgs(args ...Arg) Line {
	l.args = append(append([]Arg(nil), l.args...), args...)
	return l
}

// WithStdin returns the Line with a value that is written to its standard
// input, which is how secrets travel: never in an argument.
func (l Line) WithStdin(v secret.Value) Line {
	l.stdin = v
	return l
}

// Stdin is what the command reads from standard input.
func (l Line) Stdin() secret.Value { return l.stdin }

// WithGrace returns the Line with the time that it may take to end by itself once
// it is told to stop, because it has something to put right first.
func (l Line) WithGrace(d time.Duration) Line {
	l.grace = d
	return l
}

// Grace is how long the command may take to end once it is told to stop; 0 where
// nothing hangs on it.
func (l Line) Grace() time.Duration { return l.grace }

// Args are the words in order.
func (l Line) Args() []Arg { return append([]Arg(nil), l.args...) }

// Empty reports a Line without words.
func (l Line) Empty() bool { return len(l.args) == 0 }

// Shell is the command text for sh, secrets revealed. It must only go to a
// shell, never to a screen, log or journal.
func (l Line) Shell() string { return l.join(true) }

// String is the command text for people: secrets redacted.
func (l Line) String() string { return l.join(false) }

// Secrets are the hidden values of the arguments as the shell sees them, quotes
// included, and standard input is not among them.
func (l Line) Secrets() []secret.Value {
	var values []secret.Value
	for _, a := range l.args {
		for _, p := range a.parts {
			if p.secret && !p.hidden.Empty() {
				values = append(values, p.hidden)
			}
		}
	}
	return values
}

// Private

// part is a stretch of a word, shown or hidden.
type part struct {
	text   string
	hidden secret.Value
	secret bool
}

func (a Arg) render(reveal bool) string {
	var b strings.Builder
	for _, p := range a.parts {
		switch {
		case !p.secret:
			b.WriteString(p.text)
		case reveal:
			b.WriteString(p.hidden.Reveal())
		case !p.hidden.Empty():
			b.WriteString(p.hidden.String())
		}
	}
	return b.String()
}

func (l Line) join(reveal bool) string {
	words := make([]string, 0, len(l.args))
	for _, a := range l.args {
		if w := a.render(reveal); w != "" {
			words = append(words, w)
		}
	}
	return strings.Join(words, " ")
}
