package operation

import (
	"path/filepath"
	"strings"

	"binnacle/ops/command"
)

// byHand is a command of this program as a person types it: with the destination
// and the configuration file, without which it would be about another app.
func (s *story) byHand(words string) string {
	typed := []string{"binnacle"}
	for _, word := range s.aim(s.shownFile()) {
		typed = append(typed, command.Quote(word))
	}
	return strings.Join(append(typed, words), " ")
}

// Private

// aim are the flags that name the destination and, where it is not the usual one,
// the configuration file.
func (s *story) aim(file string) []string {
	var flags []string
	if d := s.cfg.Destination(); d != "" {
		flags = append(flags, "-d", d)
	}
	if s.cfg.Files()[0] != filepath.Join(s.cfg.Dir(), "config", "deploy.yml") {
		flags = append(flags, "-c", file)
	}
	return flags
}

// shownFile is the configuration file as it is named in the project's folder.
func (s *story) shownFile() string {
	file := s.cfg.Files()[0]
	if rel, err := filepath.Rel(s.cfg.Dir(), file); err == nil && filepath.IsLocal(rel) {
		return rel
	}
	return file
}
