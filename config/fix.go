package config

import (
	"context"
	"fmt"
	"slices"
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
	// Read is what the old spelling was taken for.
	Read string
	// Modern is what stands there now.
	Modern string
}

// Decision is a question that has more than one right answer.
type Decision struct {
	Position
	// ID names the question: ssl-hosts/ROLE, builder-arch.
	ID       string
	Path     string
	Question string
	Choices  []Choice

	read string
}

// Choice is one answer, with what it writes.
type Choice struct {
	// ID is short and stable: amd64, load-balancer.
	ID string
	// Label is one line for a list.
	Label string
	// Detail says what follows from it.
	Detail string

	ops []op
}

// maxFixes bounds how often one file is rewritten.
const maxFixes = 200

// Fix rewrites what has one meaning, in place, keeping comments and order, and
// lists what has not. It writes nothing: the caller saves Files[i].After.
func Fix(ctx context.Context, options Options) (*Fixed, error) {
	options, err := options.complete()
	if err != nil {
		return nil, err
	}
	options.Strict = false
	f := &Fixed{options: options}
	for _, path := range options.files() {
		text, err := options.readFile(path)
		if err != nil {
			return nil, asErrors(err)
		}
		f.Files = append(f.Files, FixedFile{Path: path, Before: string(text), After: string(text)})
	}
	return f, f.rewrite(ctx)
}

// Decide applies a choice to the texts and returns what is left to do then. The
// indexes are those of Decisions and of its Choices.
func (f *Fixed) Decide(ctx context.Context, decision, choice int) (*Fixed, error) {
	if decision < 0 || decision >= len(f.Decisions) || choice < 0 || choice >= len(f.Decisions[decision].Choices) {
		return nil, fmt.Errorf("there is no choice %d of decision %d", choice+1, decision+1)
	}
	next := &Fixed{options: f.options, Files: slices.Clone(f.Files), Changes: slices.Clone(f.Changes)}
	asked, chosen := f.Decisions[decision], f.Decisions[decision].Choices[choice]
	for _, o := range chosen.ops {
		if err := next.applyTo(o); err != nil {
			return nil, fmt.Errorf("%s: %w", asked.Path, err)
		}
	}
	next.Changes = append(next.Changes, Change{Position: asked.Position, Path: asked.Path, Read: asked.Question, Modern: chosen.Detail})
	return next, next.rewrite(ctx)
}

// Changed tells whether there is anything to save.
func (f *Fixed) Changed() bool {
	return slices.ContainsFunc(f.Files, func(file FixedFile) bool { return file.Before != file.After })
}

// Private

// rewrite brings every file to its modern spelling and looks what is left.
func (f *Fixed) rewrite(ctx context.Context) error {
	for i := range f.Files {
		f.rewriteFile(&f.Files[i])
	}
	d, err := read(ctx, f.reading())
	if err != nil {
		return asErrors(err)
	}
	f.ByHand, f.Decisions = nil, d.decisions
	for _, w := range d.warnings {
		if !w.Decision {
			f.ByHand = append(f.ByHand, w)
		}
	}
	return nil
}

// rewriteFile applies one spelling after the other to the text, templates masked,
// until none is left that can be rewritten.
func (f *Fixed) rewriteFile(file *FixedFile) {
	refused := map[string]bool{}
	for range maxFixes {
		s := source{path: file.Path, rendered: string(maskTemplate([]rune(file.After)))}
		if s.parse() != nil {
			return
		}
		n, ok := firstNote(modernize(s.tree).notes, refused)
		if !ok {
			return
		}
		text, err := edit(file.After, n.ops...)
		if err != nil || text == file.After {
			refused[n.warning.Path] = true
			continue
		}
		file.After = text
		f.Changes = append(f.Changes, Change{Position: f.before(file, n.warning), Path: n.warning.Path, Read: n.warning.Read, Modern: n.warning.Modern})
	}
}

// before is the place of a spelling in the file as it was, if it stood there.
func (f *Fixed) before(file *FixedFile, w Warning) Position {
	s := source{path: file.Path, rendered: string(maskTemplate([]rune(file.Before)))}
	if s.parse() == nil {
		for _, n := range modernize(s.tree).notes {
			if n.warning.Path == w.Path {
				return n.warning.Position
			}
		}
	}
	return Position{File: file.Path}
}

// applyTo changes the file that holds the entry; what is new goes to the base.
func (f *Fixed) applyTo(o op) error {
	target := 0
	for i, file := range f.Files {
		path := o.path
		if o.kind == opInsert {
			path = path[:len(path)-1]
		}
		if tree, err := maskedTree(file.After); err == nil && !tree.sub(path...).IsNil() {
			target = i
		}
	}
	text, err := edit(f.Files[target].After, o)
	if err != nil {
		return err
	}
	f.Files[target].After = text
	return nil
}

// reading is the options with the new texts in place of the files.
func (f *Fixed) reading() Options {
	options := f.options
	options.texts = map[string]string{}
	for _, file := range f.Files {
		options.texts[file.Path] = file.After
	}
	return options
}

// Helpers

func firstNote(notes []note, refused map[string]bool) (note, bool) {
	for _, n := range notes {
		if !refused[n.warning.Path] && len(n.ops) > 0 {
			return n, true
		}
	}
	return note{}, false
}
