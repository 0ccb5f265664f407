package config

import (
	"fmt"
	"strings"
)

// Error is one problem in deploy.yml, with its place and a way out.
type Error struct {
	Position
	// Path is the key path, parts joined by "/"; empty for the whole file.
	Path string
	// Problem says what is wrong, in Kamal's words where Kamal has some.
	Problem string
	// Hint says what to do; it may be empty.
	Hint string

	// section is the root key that a problem of the whole file is about.
	section string
}

// Kamal is the message of the kamal gem for this problem: "PATH: TEXT", or the
// text alone for problems of the whole file.
func (e *Error) Kamal() string {
	if e.Path == "" {
		return e.Problem
	}
	return e.Path + ": " + e.Problem
}

// Key is the key path that the problem is about, also where Kamal names none.
func (e *Error) Key() string {
	if e.Path == "" {
		return e.section
	}
	return e.Path
}

// Error implements error: FILE:LINE:COLUMN: PATH: PROBLEM (HINT).
func (e *Error) Error() string {
	text := e.Kamal()
	if place := e.place(); place != "" {
		text = place + ": " + text
	}
	if e.Hint != "" {
		text += " (" + e.Hint + ")"
	}
	return text
}

// Errors are all problems of a configuration; the first is the one that the
// kamal gem would stop at.
type Errors []*Error

// Error implements error with one problem per line.
func (e Errors) Error() string {
	lines := make([]string, len(e))
	for i, problem := range e {
		lines[i] = problem.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap gives errors.As access to each problem.
func (e Errors) Unwrap() []error {
	list := make([]error, len(e))
	for i, problem := range e {
		list[i] = problem
	}
	return list
}

// Warning is a spelling that was read with its evident meaning although the
// kamal gem refuses it.
type Warning struct {
	Position
	// Path is the key path as written, parts joined by "/".
	Path string
	// Read says what was understood.
	Read string
	// Modern is the spelling to use now, "nothing" for what is to be removed; empty
	// when a person must decide.
	Modern string
	// Decision is set when the meaning needs a person: see Fix.
	Decision bool
}

// String is FILE:LINE:COLUMN: PATH: READ; write MODERN.
func (w Warning) String() string {
	text := w.Path + ": " + w.Read
	if place := w.place(); place != "" {
		text = place + ": " + text
	}
	switch w.Modern {
	case "":
	case "nothing":
		text += "; remove it"
	default:
		text += "; write " + w.Modern
	}
	return text
}

// String is FILE:LINE:COLUMN, as far as they are known.
func (p Position) String() string { return p.place() }

// Private

func (p Position) place() string {
	switch {
	case p.File == "" && p.Line == 0:
		return ""
	case p.Line == 0:
		return p.File
	case p.Column == 0:
		return fmt.Sprintf("%s:%d", p.File, p.Line)
	default:
		return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column)
	}
}
