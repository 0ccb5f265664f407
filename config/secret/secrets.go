package secret

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync"
)

// Runner runs a command line in the local shell and returns its standard
// output. An error tells that it failed; what it printed still counts.
type Runner func(ctx context.Context, command string) (stdout string, err error)

// Options says where secrets come from. Everything that touches the world is
// given from outside.
type Options struct {
	// Path is the secrets path without suffix, .kamal/secrets by default.
	Path string
	// Destination selects .kamal/secrets.DEST; with one, .kamal/secrets is not read.
	Destination string
	// ReadFile reads a file by the name in Path; fs.ErrNotExist means it is absent.
	ReadFile func(name string) ([]byte, error)
	// Env looks up a variable of the process environment.
	Env func(name string) (string, bool)
	// Run executes $(command) substitutions.
	Run Runner
	// Inline answers `kamal secrets …` and `binnacle secrets …` inside $(…) without
	// starting a process. It gets the words after "secrets". Vaults.Inline does
	// it; when nil, extract works and no vault's tool is started.
	Inline func(ctx context.Context, words []string) (string, error)
	// Redactor is told every value that was resolved; it may be nil.
	Redactor *Redactor
}

// Entry is one resolved secret.
type Entry struct {
	Name  string
	Value Value
}

// Failure is a substituted command that failed. Kamal goes on with whatever the
// command printed, often nothing, so it is worth telling.
type Failure struct {
	Command string
	Err     error
}

// Secrets are the values of .kamal/secrets-common and .kamal/secrets[.DEST].
// Nothing is read before the first question; then every line is evaluated once.
type Secrets struct {
	options Options

	mu       sync.Mutex
	loaded   bool
	entries  []Entry
	index    map[string]int
	failures []Failure
}

// ErrNotFound is wrapped by the error of Get for a key that no file names.
var ErrNotFound = errors.New("secret not found")

// Open prepares the secrets without reading anything.
func Open(options Options) *Secrets {
	if options.Path == "" {
		options.Path = ".kamal/secrets"
	}
	return &Secrets{options: options}
}

// Get returns the value of key. The error for a missing key has Kamal's words
// and wraps ErrNotFound.
func (s *Secrets) Get(ctx context.Context, key string) (Value, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.load(ctx); err != nil {
		return Value{}, err
	}
	if i, ok := s.index[key]; ok {
		return s.entries[i].Value, nil
	}
	return Value{}, s.missing(key)
}

// All returns every secret in the order in which the files name them first.
func (s *Secrets) All(ctx context.Context) ([]Entry, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.load(ctx); err != nil {
		return nil, err
	}
	return append([]Entry(nil), s.entries...), nil
}

// Names returns the names of all secrets in file order.
func (s *Secrets) Names(ctx context.Context) ([]string, error) {
	entries, err := s.All(ctx)
	if err != nil {
		return nil, err
	}
	names := make([]string, len(entries))
	for i, entry := range entries {
		names[i] = entry.Name
	}
	return names, nil
}

// Failures lists the substituted commands that failed while the files were
// evaluated; empty before the first question.
func (s *Secrets) Failures() []Failure {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Failure(nil), s.failures...)
}

// Files names the secrets files that exist, in the order they are read.
func (s *Secrets) Files() []string {
	var found []string
	for _, name := range s.Candidates() {
		if _, err := s.options.ReadFile(name); err == nil {
			found = append(found, name)
		}
	}
	return found
}

// Candidates names the two files that are looked for, present or not.
func (s *Secrets) Candidates() []string {
	second := s.options.Path
	if s.options.Destination != "" {
		second += "." + s.options.Destination
	}
	return []string{s.options.Path + "-common", second}
}

// Private

func (s *Secrets) load(ctx context.Context) error {
	if s.loaded {
		return nil
	}
	s.entries, s.index, s.failures = nil, map[string]int{}, nil
	for _, name := range s.Candidates() {
		text, err := s.options.ReadFile(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return fmt.Errorf("reading secrets: %w", err)
		}
		if err := s.merge(ctx, name, string(text)); err != nil {
			return err
		}
	}
	s.loaded = true
	return nil
}

func (s *Secrets) merge(ctx context.Context, name, text string) error {
	p := parser{ctx: ctx, options: s.options, failed: func(f Failure) { s.failures = append(s.failures, f) }}
	entries, err := p.parse(text)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	for _, entry := range entries {
		if s.options.Redactor != nil {
			s.options.Redactor.Add(entry.Value)
		}
		if i, ok := s.index[entry.Name]; ok {
			s.entries[i] = entry
			continue
		}
		s.index[entry.Name] = len(s.entries)
		s.entries = append(s.entries, entry)
	}
	return nil
}

func (s *Secrets) missing(key string) error {
	if files := s.Files(); len(files) > 0 {
		return &notFound{fmt.Sprintf("Secret '%s' not found in %s", key, strings.Join(files, ", "))}
	}
	return &notFound{fmt.Sprintf("Secret '%s' not found, no secret files (%s) provided", key, strings.Join(s.Candidates(), ", "))}
}

// Helpers

type notFound struct{ text string }

func (e *notFound) Error() string { return e.text }
func (e *notFound) Unwrap() error { return ErrNotFound }
