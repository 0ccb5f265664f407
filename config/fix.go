package config

import (
	"context"
)

// Fixed is what `config --fix` makes of the files: their new text, what was
// changed, and what only a person can decide.
type Fixed struct {
	// Files are the configuration's files, base first, changed or not.
	Files []FixedFile
	// Changes are the spellings that were rewritten.
	Changes []Change
	// ByHand are spellings that could not be rewritten in place, because a template
	// writes the line; each Warning says what to write.
	ByHand []Warning
	// Decisions are open questions.
	Decisions []Decision

	options Options
}

// FixedFile is one file before and after.
type FixedFile struct {
	Path   string
	Before string
	After  string
}

// Change is one spelling that was rewritten.
type Change struct {
	Position
	// Path is the key path as it was written.
	Path string
	// From and To are what was read and what stands there now.
	From string
	To   string
}

// Decision is a question that has more than one right answer.
type Decision struct {
	Position
	// ID names the question: ssl-hosts/ROLE, builder-arch.
	ID       string
	Path     string
	Question string
	Choices  []Choice
}

// Choice is one answer, with what it writes.
type Choice struct {
	// ID is short and stable: amd64, load-balancer.
	ID string
	// Label is one line for a list.
	Label string
	// Detail says what follows from it.
	Detail string

	edit func(*editor) error
}

// Fix rewrites what has one meaning, in place, keeping comments and order, and
// lists what has not. It writes nothing: the caller saves Files[i].After.
func Fix(ctx context.Context, options Options) (*Fixed, error) {
	options, err := options.complete()
	if err != nil {
		return nil, err
	}
	options.Strict = false
	return fix(ctx, options)
}

// Decide applies a choice and returns what is left then.
func (f *Fixed) Decide(ctx context.Context, decision, choice int) (*Fixed, error) {
	return f.decide(ctx, decision, choice)
}
