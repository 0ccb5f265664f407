package secret

import (
	"context"
	"slices"
	"strings"
)

// mirror is Kamal's adapter for trying things out: a secret is its own name
// written backwards.
type mirror struct{}

func (mirror) Tool() Tool { return Tool{} }

func (mirror) NeedsAccount() bool { return true }

func (mirror) Login(context.Context, Process, Request) (Value, error) { return Value{}, nil }

func (mirror) Fetch(_ context.Context, _ Process, r Request, _ Value) ([]Entry, error) {
	found := &results{}
	for _, name := range r.prefixed() {
		letters := []rune(strings.NewReplacer("LPAREN", "(", "RPAREN", ")").Replace(name))
		slices.Reverse(letters)
		found.add(name, New(string(letters)))
	}
	return found.entries, nil
}
